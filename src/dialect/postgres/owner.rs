//! Sessions on servers that this process itself started: the superuser's, and that of a role without any privileges of
//! the server, in which everything of others runs.
//!
//! Everything else in the program must go through readers and approved plans; this door opens only in a
//! directory that bears the sandbox's marker.

use std::path::Path;

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Row,
    postgres::{PgArguments, PgConnectOptions, PgConnection, PgDatabaseError, PgRow, PgSslMode},
    query::Query,
};

use super::error::Coded as _;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::secret::Secret;

/// One row, every value as the text it was selected as.
pub type TextRow = Vec<Option<String>>;

/// Who logs in, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The role.
    pub role: String,
    /// Its password; `None`: a superuser of ours on a server that asks nobody.
    pub password: Option<Secret>,
    /// A role of the server's that others' code may run as: it may not set what only a superuser may.
    pub unprivileged: bool,
}

/// A session on a throwaway server; what it may do is its role's matter.
#[derive(Debug)]
pub struct Owner {
    pub(super) connection: PgConnection,
}

/// What a superuser's session begins with, besides.
const SUPERUSER: (&str, &str) = ("session_replication_role", "origin");

impl Owner {
    /// As a superuser of a server that asks nobody for a password.
    pub async fn connect(socket_dir: &Path, user: &str, database: &str) -> Result<Self> {
        let login = Login { role: user.to_owned(), password: None, unprivileged: false };
        Self::log_in(socket_dir, &login, database).await
    }

    /// Refused anywhere but in a sandbox; nothing of the operator's `PG*` or pgpass is used.
    pub async fn log_in(socket_dir: &Path, login: &Login, database: &str) -> Result<Self> {
        let marked = socket_dir.parent().is_some_and(|root| root.join(MARKER).is_file());
        if !marked {
            return Err(Error::new(
                Class::Refused,
                format!("failed to connect as owner: {} is not in a sandbox of ours", socket_dir.display()),
            ));
        }
        // PGOPTIONS cannot be taken out, but what comes later wins.
        let options = PgConnectOptions::new_without_pgpass()
            .socket(socket_dir)
            .port(5432)
            .username(&login.role)
            .password(login.password.as_ref().map_or("", Secret::expose))
            .database(database)
            .ssl_mode(PgSslMode::Disable)
            .application_name("midwatch/sandbox")
            .options([
                // Not "$user": the superuser shares its name with our own schema, and tables would go there.
                ("search_path", "public"),
                ("TimeZone", "UTC"),
                ("DateStyle", "ISO"),
                ("default_transaction_read_only", "off"),
                ("statement_timeout", "0"),
                ("client_min_messages", "warning"),
            ])
            .options((!login.unprivileged).then_some(SUPERUSER))
            .disable_statement_logging();
        let connection = options.connect().await.map_err(|e| Error {
            class: Class::Unobserved,
            ..explain(&e, &format!("connect to {database}"))
        })?;
        Ok(Self { connection })
    }

    /// One or more statements; several are one transaction unless they say otherwise.
    pub async fn execute_script(&mut self, sql: &str) -> Result<()> {
        let script = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        script.execute(&mut self.connection).await.map(drop).map_err(|e| explain(&e, "run a script"))
    }

    /// One statement with text parameters (cast them: `$1::uuid`); the rows it touched.
    pub async fn execute(&mut self, sql: &str, params: &[&str]) -> Result<u64> {
        let done = bind(sql, params).execute(&mut self.connection).await;
        done.map(|done| done.rows_affected()).map_err(|e| explain(&e, "run a statement"))
    }

    /// Rows of text: cast every column (`x::text`).
    pub async fn fetch_text(&mut self, sql: &str, params: &[&str]) -> Result<Vec<TextRow>> {
        let rows = bind(sql, params).fetch_all(&mut self.connection).await;
        rows.map_err(|e| explain(&e, "run a query"))?.iter().map(texts).collect()
    }

    /// The first column of the first row.
    pub async fn fetch_value(&mut self, sql: &str, params: &[&str]) -> Result<Option<String>> {
        let rows = self.fetch_text(sql, params).await?;
        Ok(rows.into_iter().next().and_then(|row| row.into_iter().next().flatten()))
    }

    /// Says goodbye, so that a template is free at once.
    pub async fn close(self) {
        let _ = self.connection.close().await;
    }
}

/// A quoted identifier.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn bind<'q>(sql: &str, params: &'q [&'q str]) -> Query<'q, sqlx::Postgres, PgArguments> {
    params.iter().fold(sqlx::query(AssertSqlSafe(sql.to_owned())), |query, param| query.bind(*param))
}

fn texts(row: &PgRow) -> Result<TextRow> {
    (0..row.len())
        .map(|i| row.try_get::<Option<String>, _>(i).map_err(|e| explain(&e, "read a column")))
        .collect()
}

pub(super) fn explain(error: &sqlx::Error, what: &str) -> Error {
    let Some(server) = error.as_database_error().and_then(|e| e.try_downcast_ref::<PgDatabaseError>()) else {
        return Error::new(Class::Failed, format!("failed to {what}: {error}"));
    };
    let mut message = format!("failed to {what}: {}", server.message());
    for part in [server.detail(), server.r#where()].into_iter().flatten() {
        message = format!("{message} ({})", part.replace('\n', " "));
    }
    let error = Error::new(Class::Failed, message).sqlstate(server.code());
    match server.hint() {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// The file that says "made by midwatch, may be deleted".
pub const MARKER: &str = ".midwatch-sandbox";
