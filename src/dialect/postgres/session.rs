//! Sessions that write: direct, pinned, and gone soon after their client.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::connect::Connection;
use super::error::write_error;
use super::search_path::path_of_plan;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::identity::Identity;
use crate::engine::port::writer::RunLimits;

/// Sums over all rows of a plan take this long at most.
const BETWEEN: std::time::Duration = std::time::Duration::from_hours(1);

/// Opens one.
pub(super) async fn open(
    connection: &Connection,
    terms: &RunLimits,
    application: &str,
) -> Result<PgConnection> {
    let settings = [
        ("search_path", path_of_plan(terms)),
        ("timezone", "UTC".into()),
        ("datestyle", "ISO, YMD".into()),
        ("intervalstyle", "postgres".into()),
        ("bytea_output", "hex".into()),
        ("extra_float_digits", "1".into()),
        ("row_security", "off".into()),
        ("default_transaction_read_only", "off".into()),
        ("client_min_messages", "warning".into()),
        // What we do says so itself. A session that ends drops its temporary tables, and must not wait then, where nothing
        // can end it, for a standby that does not answer.
        ("synchronous_commit", "local".into()),
        ("idle_in_transaction_session_timeout", "60000".into()),
        // Transactions have their own limits; these are for what is asked between them, whatever the database's owner
        // has set for applications.
        ("lock_timeout", terms.lock_timeout_ms.to_string()),
        ("statement_timeout", BETWEEN.as_millis().to_string()),
        // A statement runs for milliseconds: compiling it would take longer.
        ("jit", "off".into()),
        // A batch has few rows, found by key.
        ("random_page_cost", "1.1".into()),
    ];
    let name = format!("{application} {}", terms.operator);
    let name: String = name.chars().take(60).collect();
    let mut opened = connection.open_direct(&name, &settings).await?;
    // What the database's owner set for applications must not end a lock that waits, or a long batch.
    for setting in ["idle_session_timeout", "transaction_timeout", "tcp_user_timeout"] {
        let _ = sqlx::raw_sql(AssertSqlSafe(format!("set {setting} = 0"))).execute(&mut opened).await;
    }
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
