//! Sessions that write: direct, pinned, and gone soon after their client.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::connect::Connection;
use super::error::write_error;
use crate::engine::Result;
use crate::engine::ident::Ident;
use crate::engine::writer::Terms;

/// Opens one.
pub(super) async fn open(connection: &Connection, terms: &Terms, application: &str) -> Result<PgConnection> {
    let path: Vec<_> = terms.search_path.iter().map(|s| Ident(s).to_string()).collect();
    let settings = [
        // pg_catalog unnamed comes first: what somebody puts into public must not stand in for the server's own.
        ("search_path", path.join(", ")),
        ("timezone", "UTC".into()),
        ("datestyle", "ISO, YMD".into()),
        ("intervalstyle", "postgres".into()),
        ("bytea_output", "hex".into()),
        ("extra_float_digits", "1".into()),
        ("row_security", "off".into()),
        ("default_transaction_read_only", "off".into()),
        ("client_min_messages", "warning".into()),
        ("idle_in_transaction_session_timeout", "60000".into()),
        // A statement runs for milliseconds: compiling it would take longer.
        ("jit", "off".into()),
    ];
    let name = format!("{application} {}", terms.operator);
    let name: String = name.chars().take(60).collect();
    let mut opened = connection.open_direct(&name, &settings).await?;
    // The server notices a dead client while a statement runs; not every platform and version can.
    let _ = sqlx::raw_sql("set client_connection_check_interval = '500ms'").execute(&mut opened).await;
    Ok(opened)
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
