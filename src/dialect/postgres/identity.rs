//! Who the server is.

use crate::engine::model::query::Sql;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::error::read_error;
use crate::dialect::postgres::shared::Shared;
use crate::engine::model::abilities::{Abilities, Ability};
use crate::engine::model::error::Result;
use crate::engine::model::name::literal;
use crate::engine::model::target::{Environment, ServerInfo, ServerNote};
use crate::engine::model::transport::Transport;
use crate::engine::port::reader::{ReadOptions, Reader};

#[derive(Deserialize)]
struct Identity {
    version: String,
    version_num: u32,
    database: String,
    role: String,
    database_oid: u32,
    in_recovery: bool,
    superuser: bool,
    marker: Option<String>,
    watches: bool,
    now: DateTime<Utc>,
}

const IDENTITY: &str = "
select split_part(current_setting('server_version'), ' ', 1) as version,
       current_setting('server_version_num')::int as version_num,
       current_database() as database, current_user as role,
       (select oid::bigint from pg_database where datname = current_database()) as database_oid,
       pg_is_in_recovery() as in_recovery,
       (select rolsuper from pg_roles where rolname = current_user) as superuser,
       current_setting('midwatch.environment', true) as marker,
       coalesce((select has_language_privilege(oid, 'usage') from pg_language where lanname = 'plpgsql'), false)
         and (select bool_and(has_function_privilege(oid, 'execute')) from pg_proc
              where proname in ('pg_terminate_backend', 'pg_cancel_backend', 'pg_sleep')) as watches,
       clock_timestamp() as now";

pub(super) async fn read(facts: &dyn Reader) -> Result<ServerInfo> {
    let mut tx = facts.begin(ReadOptions::default()).await?;
    let before = Utc::now();
    let id: Identity = tx.one(&Sql::new(IDENTITY)).await?;
    // The server read its clock somewhere between our two.
    let middle = before + (Utc::now() - before) / 2;
    drop(tx);
    Ok(ServerInfo {
        engine: "postgres",
        notes: untested(&id.version, id.version_num).into_iter().collect(),
        version: id.version,
        database: id.database,
        role: id.role,
        reader: None,
        address: String::new(),
        system_identifier: privileged(facts, "select system_identifier::text from pg_control_system()").await,
        data_directory: privileged(facts, "select current_setting('data_directory')").await,
        timeline: privileged(facts, "select timeline_id::text from pg_control_checkpoint()")
            .await
            .and_then(|t| t.parse().ok()),
        database_oid: Some(id.database_oid),
        in_recovery: id.in_recovery,
        superuser: id.superuser,
        skew_ms: (id.now - middle).num_milliseconds(),
        marker: id.marker.as_deref().and_then(Environment::parse),
        transport: Transport::default(),
        abilities: abilities(id.watches),
    })
}

/// The oldest version that the tests run on.
const OLDEST: u32 = 15;

/// `number`: as the server compares versions, `150018`.
fn untested(version: &str, number: u32) -> Option<ServerNote> {
    let text = format!("PostgreSQL {version} is older than {OLDEST}: not tested");
    (number < OLDEST * 10_000).then_some(ServerNote { text, hint: None, badge: None })
}

/// Each transaction may get another session.
pub(super) fn pooled() -> ServerNote {
    ServerNote {
        text: "a transaction pooler stands between: reads work, changes will be refused".into(),
        hint: Some("give the server's own address for changes"),
        badge: Some("POOLED"),
    }
}

/// A pooler gives each transaction another session.
pub(super) fn session_lock(pooled: bool) -> Ability {
    if !pooled {
        return Ability::Yes;
    }
    Ability::no(
        "a connection pooler stands between: changes need a direct connection",
        "give the target the server's own address and port",
    )
}

/// What every PostgreSQL can do, and whether this role may have the server watch a session (`writer/watchdog`).
fn abilities(watches: bool) -> Abilities {
    let write_limit = if watches {
        Ability::Yes
    } else {
        Ability::no(
            "this role may not use plpgsql, or not execute pg_terminate_backend, pg_cancel_backend and pg_sleep",
            "grant both to the role",
        )
    };
    Abilities {
        session_lock: session_lock(false),
        transactional_ddl: Ability::Yes,
        write_limit,
        shared_snapshot: Ability::Yes,
        lock_holders: Ability::Yes,
    }
}

/// Absent where the role may not read it; its own transaction, since a refusal ends one.
async fn privileged(facts: &dyn Reader, sql: &str) -> Option<String> {
    let mut tx = facts.begin(ReadOptions::default()).await.ok()?;
    tx.texts(&Sql::new(sql)).await.ok()?.pop().flatten()
}

/// Looks for a setting that leaks.
const TRIES: usize = 3;

/// Does a setting made on one connection show on another? Then a transaction pooler hands out the same
/// backend to both. The only sure sign where the pooler accepts our startup options.
pub(super) async fn settings_leak(shared: &Shared) -> Result<bool> {
    let probe = format!("{:x}", std::process::id() ^ Utc::now().timestamp_subsec_nanos());
    let (mut a, mut b) = (shared.open().await?, shared.open().await?);
    // One message each: outside a transaction a pooler may send parse and execute to different backends.
    let set = |value: &str| {
        AssertSqlSafe(format!("select pg_catalog.set_config('midwatch.probe', {}, false)", literal(value)))
    };
    let mut leaked = false;
    // A busy pooler may have another backend at hand the first time.
    for _ in 0..TRIES {
        sqlx::raw_sql(set(&probe)).execute(&mut a).await.map_err(|e| read_error(&e))?;
        let row: PgRow = sqlx::raw_sql("select pg_catalog.current_setting('midwatch.probe', true)")
            .fetch_one(&mut b)
            .await
            .map_err(|e| read_error(&e))?;
        leaked |= row.try_get::<Option<String>, _>(0).ok().flatten().as_ref() == Some(&probe);
        // On the pooled backend the probe would stay.
        sqlx::raw_sql(set("")).execute(&mut a).await.map_err(|e| read_error(&e))?;
    }
    // They are more than the reader is to have.
    let _ = tokio::join!(sqlx::Connection::close(a), sqlx::Connection::close(b));
    Ok(leaked)
}

#[cfg(test)]
mod tests {
    use super::untested;

    #[test]
    fn a_version_before_the_oldest_is_noted() {
        let text = |version, number| untested(version, number).map(|n| n.text);
        let older = text("14.22", 140_022);
        assert_eq!(older.as_deref(), Some("PostgreSQL 14.22 is older than 15: not tested"));
        assert_eq!((text("15.0", 150_000), text("18.1", 180_001)), (None, None));
    }
}
