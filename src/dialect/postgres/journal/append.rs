//! Entries of the journal: each carries the hash of the one before.

use chrono::{SecondsFormat, Utc};
use serde_json::Value;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

use crate::engine::model::event::Event;

/// Adds an entry in the transaction that is open; the head's row is locked until its end.
pub(in crate::dialect::postgres) async fn append(
    connection: &mut PgConnection,
    run: Option<i64>,
    kind: &str,
    body: &Value,
) -> Result<Event, sqlx::Error> {
    let head = sqlx::query(AssertSqlSafe("select seq, hash from midwatch.head for update".to_owned()))
        .fetch_one(&mut *connection)
        .await?;
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
    };
    event.hash = event.computed_hash();
    let insert = "with h as (update midwatch.head set seq = $1, hash = $7) \
                  insert into midwatch.events (seq, at, run, kind, body, prev, hash) values ($1, $2, $3, $4, $5, $6, $7)";
    sqlx::query(AssertSqlSafe(insert.to_owned()))
        .bind(event.seq)
        .bind(event.at.clone())
        .bind(run)
        .bind(event.kind.clone())
        .bind(event.body.clone())
        .bind(event.prev.clone())
        .bind(event.hash.clone())
        .execute(&mut *connection)
        .await?;
    Ok(event)
}
