//! Entries of the journal: each carries the hash of the one before and the signature of the installation that wrote it.

use std::sync::Arc;

use chrono::{SecondsFormat, Utc};
use serde_json::Value;
use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use crate::engine::model::error::Error;
use crate::engine::model::event::Event;
use crate::engine::model::installation::{EntrySignature, Installation};
use crate::engine::port::signer::Signer;

/// What signs the entries of a run, and the database that they are signed for.
#[derive(Debug, Clone)]
pub(in crate::dialect::postgres) struct Signing {
    pub(in crate::dialect::postgres) signer: Arc<dyn Signer>,
    pub(in crate::dialect::postgres) target: String,
    /// The journal is known to have our key.
    pub(in crate::dialect::postgres) listed: bool,
}

impl Signing {
    /// Our key is in the journal before the first entry that needs it.
    async fn list_key(
        &mut self,
        connection: &mut PgConnection,
        own: &Installation,
    ) -> Result<(), sqlx::Error> {
        if self.listed {
            return Ok(());
        }
        let sql = "insert into midwatch.installations (fingerprint, public_key, name, first_seen, replaces, proof, signature) \
                   values ($1, $2, $3, $4, $5, $6, $7) on conflict (fingerprint) do nothing";
        sqlx::query(sql)
            .bind(own.fingerprint.clone())
            .bind(own.public_key.clone())
            .bind(own.name.clone())
            .bind(own.first_seen.clone())
            .bind(own.replaces.clone())
            .bind(own.proof.clone())
            .bind(own.signature.clone())
            .execute(&mut *connection)
            .await?;
        self.listed = true;
        Ok(())
    }
}

/// An installation without a key writes nothing.
fn unsigned(e: Option<Error>) -> sqlx::Error {
    let why = e.map_or_else(|| "no key can be kept here".to_owned(), |e| e.one_line());
    sqlx::Error::Configuration(format!("the entry cannot be signed: {why}").into())
}

/// Adds an entry in the transaction that is open; the head's row is locked until its end.
pub(in crate::dialect::postgres) async fn append(
    connection: &mut PgConnection,
    signing: &mut Signing,
    run: Option<i64>,
    kind: &str,
    body: &Value,
) -> Result<Event, sqlx::Error> {
    let own = signing.signer.own().map_err(|e| unsigned(Some(e)))?.ok_or_else(|| unsigned(None))?;
    signing.list_key(connection, &own).await?;
    // One writer a target: the counter is as the lock finds it.
    let head = "select h.seq, h.hash, (select coalesce(max(e.counter), 0) from midwatch.events e where e.installation = $1) \
                from midwatch.head h for update";
    let head = sqlx::query(head).bind(own.fingerprint.clone()).fetch_one(&mut *connection).await?;
    let (seq, prev): (i64, String) = (head.try_get::<i64, _>(0)? + 1, head.try_get(1)?);
    let mut event = Event {
        seq,
        // Part of what is hashed, so as a text; the server's own times are in the runs.
        at: Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true),
        run: run.map(|r| r.to_string()),
        kind: kind.to_owned(),
        body: body.to_string(),
        prev,
        hash: String::new(),
        signed: None,
    };
    event.hash = event.computed_hash();
    let mut signed = EntrySignature {
        by: own.fingerprint,
        target: signing.target.clone(),
        counter: head.try_get::<i64, _>(2)? + 1,
        signature: String::new(),
    };
    let signature = signing.signer.sign(&signed.text(&event.hash)).map_err(|e| unsigned(Some(e)))?;
    signed.signature = signature.ok_or_else(|| unsigned(None))?;
    let insert = "with h as (update midwatch.head set seq = $1, hash = $7) \
                  insert into midwatch.events (seq, at, run, kind, body, prev, hash, installation, signed_for, counter, signature) \
                  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    sqlx::query(insert)
        .bind(event.seq)
        .bind(event.at.clone())
        .bind(run)
        .bind(event.kind.clone())
        .bind(event.body.clone())
        .bind(event.prev.clone())
        .bind(event.hash.clone())
        .bind(signed.by.clone())
        .bind(signed.target.clone())
        .bind(signed.counter)
        .bind(signed.signature.clone())
        .execute(&mut *connection)
        .await?;
    event.signed = Some(signed);
    Ok(event)
}
