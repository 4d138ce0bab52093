//! Sessions that write: direct, pinned, and gone soon after their client.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::connect::Connection;
use super::error::write_error;
use super::search_path::OWN_PATH;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::identity::Identity;
use crate::engine::port::writer::RunLimits;

/// Sums over all rows of a plan take this long at most.
const BETWEEN: std::time::Duration = std::time::Duration::from_hours(1);

/// Sets those of the settings `$1` that this version has to the values `$2`.
const KNOWN_SETTINGS: &str = "select pg_catalog.set_config(s.name, v.value, false) \
    from rows from (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) v(name, value) \
     join pg_catalog.pg_settings s on s.name operator(pg_catalog.=) v.name";

/// What a session is for.
pub(super) struct Role {
    /// What the server shows of it, before the operator.
    application: &'static str,
    /// How long what it sends may stay unread before the server ends it (milliseconds). The server does so over TCP only.
    unread_ms: u32,
    /// Seconds of silence until its client is asked for a sign of life, and between such questions.
    alive_s: (u32, u32),
}

/// Others wait for what it locks: it is soon gone when its client is.
pub(super) const WORK: Role = Role { application: "midwatch/run", unread_ms: 2_000, alive_s: (2, 1) };
/// Only another operator waits for its lock: it outlives a network that is away for some seconds.
pub(super) const LOCK: Role = Role { application: "midwatch/lock", unread_ms: 15_000, alive_s: (5, 5) };
/// Sends nothing; ends with the session that it watches.
pub(super) const WATCH: Role = Role { application: "midwatch/watch", unread_ms: 15_000, alive_s: (5, 5) };

impl Role {
    /// How long a statement outside a transaction may take (milliseconds); the watch lasts as long as the run.
    fn statement_ms(&self) -> u128 {
        if self.application == WATCH.application { 0 } else { BETWEEN.as_millis() }
    }

    /// Settings that not every version has.
    fn limits(&self) -> [(&'static str, String); 6] {
        let (idle, between) = self.alive_s;
        [
            // What the database's owner set for applications must not end a lock that waits, or a long batch.
            ("idle_session_timeout", "0".into()),
            ("transaction_timeout", "0".into()),
            ("tcp_user_timeout", self.unread_ms.to_string()),
            ("tcp_keepalives_idle", idle.to_string()),
            ("tcp_keepalives_interval", between.to_string()),
            ("tcp_keepalives_count", "3".into()),
        ]
    }
}

/// Opens one.
pub(super) async fn open(connection: &Connection, terms: &RunLimits, role: &Role) -> Result<PgConnection> {
    let settings = [
        ("search_path", OWN_PATH.into()),
        ("timezone", "UTC".into()),
        ("datestyle", "ISO, YMD".into()),
        ("intervalstyle", "postgres".into()),
        ("bytea_output", "hex".into()),
        ("extra_float_digits", "1".into()),
        ("row_security", "off".into()),
        ("default_transaction_read_only", "off".into()),
        // Nobody reads them; a server that sends to a client which does not read waits, and keeps its locks.
        ("client_min_messages", "error".into()),
        // What we do says so itself. A session that ends drops its temporary tables, and must not wait then, where nothing
        // can end it, for a standby that does not answer.
        ("synchronous_commit", "local".into()),
        ("idle_in_transaction_session_timeout", "60000".into()),
        // Transactions have their own limits; these are for what is asked between them, whatever the database's owner
        // has set for applications.
        ("lock_timeout", terms.lock_timeout_ms.to_string()),
        ("statement_timeout", role.statement_ms().to_string()),
        // A statement runs for milliseconds: compiling it would take longer.
        ("jit", "off".into()),
        // A batch has few rows, found by key.
        ("random_page_cost", "1.1".into()),
    ];
    let name = format!("{} {}", role.application, terms.operator);
    let name: String = name.chars().take(60).collect();
    let mut opened = connection.open_direct(&name, &settings).await?;
    let (names, values): (Vec<_>, Vec<_>) = role.limits().into_iter().unzip();
    sqlx::query(KNOWN_SETTINGS)
        .bind(names)
        .bind(values)
        .execute(&mut opened)
        .await
        .map_err(|e| write_error(&e, "set the limits of a session"))?;
    // The server notices a dead client while a statement runs; not every platform and version can.
    let _ = sqlx::raw_sql("set client_connection_check_interval = '500ms'").execute(&mut opened).await;
    Ok(opened)
}

/// A name may lead to several servers: what writes must be where the plan was made.
pub(super) async fn check_identity(connection: &mut PgConnection, planned: &Identity) -> Result<()> {
    let sql = "select (select oid::int8 from pg_database where datname = current_database()), pg_is_in_recovery(), \
               case when has_function_privilege('pg_control_system()', 'execute') \
               then (select system_identifier::text from pg_control_system()) end";
    let failed = |e: sqlx::Error| write_error(&e, "identify the server");
    let row = sqlx::query(sql).fetch_one(connection).await.map_err(failed)?;
    let oid: i64 = row.try_get(0).map_err(failed)?;
    let standby: bool = row.try_get(1).map_err(failed)?;
    let system: Option<String> = row.try_get(2).map_err(failed)?;
    let same = planned.database_oid.map(i64::from) == Some(oid)
        && (system.is_none() || planned.system_identifier.is_none() || system == planned.system_identifier);
    if same && !standby {
        return Ok(());
    }
    Err(Error::new(Class::Stale, "the address leads to another server than the one that was planned for")
        .hint("a name with several servers behind it? give the target one server's own address"))
}

/// Pid and start of a session: a pid alone may come again.
pub(super) async fn name(connection: &mut PgConnection) -> Result<String> {
    let sql = "select pid || '@' || backend_start from pg_stat_activity where pid = pg_backend_pid()";
    let row = sqlx::query(AssertSqlSafe(sql.to_owned()))
        .fetch_one(connection)
        .await
        .map_err(|e| write_error(&e, "name the session"))?;
    row.try_get(0).map_err(|e| write_error(&e, "name the session"))
}
