//! Entries of the journal: each carries the hash of the one before and the signature of the installation that wrote it.

use std::sync::Arc;

use chrono::{SecondsFormat, Utc};
use serde_json::Value;
use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use crate::dialect::postgres::error::write_error;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::event::Event;
use crate::engine::model::installation::{EntrySignature, Installation};
use crate::engine::port::signer::{OwnKey, Signer};

/// What signs the entries of a run, and the database that they are signed for.
#[derive(Debug, Clone)]
pub(in crate::dialect::postgres) struct Signing {
    signer: Arc<dyn Signer>,
    target: String,
    /// The key in use when the first entry was written. Nobody else writes while this run holds the target's lock, so
    /// a key that replaces it meanwhile signs nothing before the last entry of this one.
    key: Option<Arc<dyn OwnKey>>,
    /// The journal is known to have our key.
    listed: bool,
}

impl Signing {
    /// No entry was written yet.
    pub(in crate::dialect::postgres) fn new(signer: Arc<dyn Signer>, target: String) -> Self {
        Self { signer, target, key: None, listed: false }
    }

    /// The target's lock may have been another's meanwhile, who may have written with a new key of ours.
    pub(in crate::dialect::postgres) fn renew(&mut self) {
        (self.key, self.listed) = (None, false);
    }

    /// An installation without a key writes nothing.
    fn key(&mut self) -> Result<Arc<dyn OwnKey>> {
        if let Some(key) = &self.key {
            return Ok(Arc::clone(key));
        }
        let key = self.signer.key().map_err(|e| unsigned(Some(e)))?.ok_or_else(|| unsigned(None))?;
        self.key = Some(Arc::clone(&key));
        Ok(key)
    }

    /// Our key is in the journal before the first entry that needs it, and those that it came after: who knows one of them
    /// would otherwise take it for a stranger's under the same name.
    async fn list_key(
        &mut self,
        connection: &mut PgConnection,
        key: &dyn OwnKey,
    ) -> std::result::Result<(), sqlx::Error> {
        if self.listed {
            return Ok(());
        }
        for installation in [key.installation()].into_iter().chain(key.predecessors()) {
            list(connection, installation).await?;
        }
        self.listed = true;
        Ok(())
    }
}

async fn list(connection: &mut PgConnection, own: &Installation) -> std::result::Result<(), sqlx::Error> {
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
    Ok(())
}

fn unsigned(e: Option<Error>) -> Error {
    let why = e.map_or_else(|| "no key can be kept here".to_owned(), |e| e.one_line());
    Error::new(Class::Refused, format!("the journal's entry cannot be signed: {why}"))
}

fn failed(e: &sqlx::Error) -> Error {
    write_error(e, "write into the journal")
}

/// A number that somebody wrote there, and that no entry of ours can come after.
fn next(last: i64, whose: &str) -> Result<i64> {
    last.checked_add(1).ok_or_else(|| {
        let why = format!("{whose} has number {last}, which has no next: the journal was altered");
        Error::new(Class::Refused, why).hint("midwatch journal verify")
    })
}

/// Adds an entry in the transaction that is open; the head's row is locked until its end.
pub(in crate::dialect::postgres) async fn append(
    connection: &mut PgConnection,
    signing: &mut Signing,
    run: Option<i64>,
    kind: &str,
    body: &Value,
) -> Result<Event> {
    let key = signing.key()?;
    let own = key.installation();
    signing.list_key(connection, &*key).await.map_err(|e| failed(&e))?;
    // One writer a target: the counter is as the lock finds it.
    let head = "select h.seq, h.hash, (select coalesce(max(e.counter), 0) from midwatch.events e where e.installation = $1) \
                from midwatch.head h for update";
    let head = sqlx::query(head).bind(own.fingerprint.clone()).fetch_one(&mut *connection).await;
    let head = head.and_then(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)));
    let (last, prev, counter): (i64, String, i64) = head.map_err(|e| failed(&e))?;
    let seq = next(last, "the journal's head")?;
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
    let counter = next(counter, &format!("an entry of installation {}", own.fingerprint))?;
    let mut signed = EntrySignature {
        by: own.fingerprint.clone(),
        target: signing.target.clone(),
        counter,
        signature: String::new(),
    };
    signed.signature = key.sign(&signed.text(&event.hash));
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
        .await
        .map_err(|e| failed(&e))?;
    event.signed = Some(signed);
    Ok(event)
}
