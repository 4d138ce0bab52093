//! One read-only transaction, and what happens when nobody waits for it any more.

use crate::dialect::postgres::shared::BackendProcess;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{
    Arguments as _, AssertSqlSafe, Column as _, Executor as _, Postgres, Row as _, SqlSafeStr as _,
    TypeInfo as _,
};
use tokio::sync::OwnedSemaphorePermit;

use super::error::read_error;
use super::{operators, prepared, side_effects};
use crate::dialect::postgres::search_path::OWN_PATH;
use crate::dialect::postgres::shared::Shared;
use crate::engine::model::cause::Cause;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::foreign_cast::ForeignCast;
use crate::engine::model::name::literal;
use crate::engine::model::query::{Column, Param, ProfileSql, Sql};
use crate::engine::port::reader::{Fut, ReadOptions, ReadTx, RowShape, Snapshot, Take};

/// A profile's query may have taken a session lock, which a rollback leaves. What the path is now is not known.
const END: &str = "rollback; select pg_catalog.pg_advisory_unlock_all()";

/// Pinned when a transaction begins.
fn pins() -> String {
    format!(
        "set local search_path = {OWN_PATH}; set local row_security = off; \
         set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; set local intervalstyle = 'postgres'; \
         set local bytea_output = 'hex'; set local extra_float_digits = 1"
    )
}

/// Statements of others run behind it: going back undoes what they have set, a role too, and gives up their locks.
const ASIDE: &str = "savepoint midwatch_aside; ";

const BACK: &str = "rollback to savepoint midwatch_aside; ";

/// What statements of ours have set since is kept.
const RENEWED: &str = "release savepoint midwatch_aside; savepoint midwatch_aside; ";

/// How long a transaction that is over waits for the next one of its session.
const SOON: Duration = Duration::from_millis(1);

/// After the server's own timeout, how long until we believe the network is gone.
const GRACE: Duration = Duration::from_secs(5);

pub(super) struct Tx {
    shared: Arc<Shared>,
    connection: Option<PgConnection>,
    permit: Option<OwnedSemaphorePermit>,
    backend: BackendProcess,
    timeout: Duration,
    busy: bool,
    /// Of the profile.
    profile_path: String,
    /// Whose path is set.
    path: Path,
    aside: Aside,
    /// Text of others has run here: the session is closed, not used again.
    foreign: bool,
    /// Rows of others have been read here: it is used again where its statements are ours.
    rows: bool,
}

/// The savepoint before text of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aside {
    /// Not yet there.
    None,
    /// Nothing has run since.
    Clean,
    /// Statements of ours have.
    Old,
    /// Code of others has: the transaction goes back before its next statement.
    Disturbed,
}

/// Whose search path a transaction has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Path {
    Own,
    Profile,
}

/// The fixed text that opens a reader transaction. Nothing of a user's goes in. Questions to the catalog look
/// expensive where there are thousands of partitions; compiling them takes longer than asking.
pub(super) fn begin_text(options: &ReadOptions, timeout: Duration, profile_path: &str) -> String {
    let isolation = match options.snapshot {
        Snapshot::Statement => "read committed",
        Snapshot::Transaction | Snapshot::Import(_) => "repeatable read",
    };
    let import = match &options.snapshot {
        Snapshot::Import(id) => format!("set transaction snapshot {}; ", literal(id)),
        _ => String::new(),
    };
    // After the pins, which set ours.
    let path = if options.of_profile { format!("{ASIDE}{}", set_path(profile_path)) } else { String::new() };
    format!(
        "begin isolation level {isolation} read only; {import}{}; set local jit = off; \
         set local statement_timeout = {}; set local lock_timeout = 2000; \
         set local idle_in_transaction_session_timeout = 60000; \
         {path}select pg_catalog.pg_backend_pid(), pg_catalog.now()::pg_catalog.text",
        pins(),
        timeout.as_millis(),
    )
}

fn set_path(profile_path: &str) -> String {
    format!("set local search_path = {profile_path}; ")
}

/// `open`: the transaction before, in which no lock of a session was taken, is still to be ended.
pub(super) async fn begin(
    connection: &mut PgConnection,
    text: &str,
    open: bool,
) -> Result<BackendProcess, sqlx::Error> {
    let text = if open { format!("rollback; {text}") } else { text.to_owned() };
    let row: PgRow = sqlx::raw_sql(AssertSqlSafe(text)).fetch_one(&mut *connection).await?;
    Ok(BackendProcess { pid: row.try_get(0)?, started: row.try_get(1)? })
}

impl Tx {
    pub(super) fn new(
        shared: Arc<Shared>,
        connection: PgConnection,
        permit: OwnedSemaphorePermit,
        backend: BackendProcess,
        timeout: Duration,
        profile_path: String,
        of_profile: bool,
    ) -> Self {
        shared.register(&backend);
        Self {
            shared,
            connection: Some(connection),
            permit: Some(permit),
            backend,
            timeout,
            busy: false,
            profile_path,
            path: if of_profile { Path::Profile } else { Path::Own },
            aside: if of_profile { Aside::Clean } else { Aside::None },
            foreign: false,
            rows: false,
        }
    }

    /// A statement of the profile under its path, one of ours under ours: never one under the other's, and none under what
    /// another one's functions have set.
    async fn under(&mut self, path: Path) -> Result<()> {
        if self.path == path && self.aside != Aside::Disturbed {
            return Ok(());
        }
        self.set_aside(path).await
    }

    /// What runs from here on is undone before the next statement.
    async fn set_aside(&mut self, path: Path) -> Result<()> {
        let mut text = match (self.aside, self.path) {
            (Aside::None, _) => ASIDE,
            (Aside::Old, _) => RENEWED,
            (Aside::Disturbed, _) | (_, Path::Profile) => BACK,
            (Aside::Clean, Path::Own) => "",
        }
        .to_owned();
        if path == Path::Profile {
            text.push_str(&set_path(&self.profile_path));
        }
        // After text of others no statement has a name.
        let named = self.aside == Aside::Disturbed && !self.foreign && self.shared.direct();
        if named {
            text.push_str(prepared::COUNT);
        }
        let ours = self
            .guarded(async |connection| {
                let row = sqlx::raw_sql(AssertSqlSafe(text)).fetch_optional(&mut *connection).await?;
                row.filter(|_| named)
                    .map_or(Ok(true), |row| Ok(prepared::are_ours(connection, row.try_get(0)?)))
            })
            .await?;
        if !ours {
            self.foreign = true;
            return Err(prepared::taken(Class::Unobserved).context("failed to read"));
        }
        (self.path, self.aside) = (path, Aside::Clean);
        Ok(())
    }

    /// A statement of ours. One over rows of others runs code of theirs: what that sets does not outlast it.
    async fn under_own(&mut self, sql: &Sql) -> Result<()> {
        self.under(Path::Own).await?;
        if sql.reads_rows() {
            if self.aside != Aside::Clean {
                self.set_aside(Path::Own).await?;
            }
            (self.aside, self.rows) = (Aside::Disturbed, true);
        } else if self.aside == Aside::Clean {
            self.aside = Aside::Old;
        }
        Ok(())
    }

    async fn under_profile(&mut self, sql: &ProfileSql) -> Result<()> {
        let foreign = !sql.only_names();
        if foreign {
            self.only_reads(sql.text()).await?;
        }
        self.under(Path::Profile).await?;
        if foreign {
            // It may prepare another text under a name of ours: none is kept, and from now on none is given.
            if !self.foreign {
                self.guarded(async |c| sqlx::Connection::clear_cached_statements(c).await).await?;
            }
            (self.aside, self.foreign) = (Aside::Disturbed, true);
        }
        Ok(())
    }

    /// Text of others that calls what acts is not even prepared.
    async fn only_reads(&mut self, text: &str) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        if shared.acting.get().is_none() {
            // Everything in it has its schema: it means the same under any path.
            let persistent = shared.direct();
            let read = self.guarded(async |c| side_effects::read(c, persistent).await).await?;
            // Another transaction may have been first, with the same answer.
            let _ = shared.acting.set(read);
        }
        shared.acting.get().map_or(Ok(()), |acting| side_effects::check(text, acting))
    }

    fn connection(&mut self) -> Result<&mut PgConnection> {
        self.connection.as_mut().ok_or_else(|| Error::unobserved("failed to read: the transaction is over"))
    }

    async fn guarded<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T> {
        let limit = self.timeout + GRACE;
        // Stays set when this future is dropped half-way: that is how Drop knows to cancel on the server.
        self.busy = true;
        let shared = Arc::clone(&self.shared);
        let heard = shared.silence.heard(None, work(self.connection()?));
        let limit = match tokio::time::timeout(limit, heard).await {
            Ok(Some(result)) => {
                self.busy = false;
                return result.map_err(|e| read_error(&e));
            }
            Ok(None) => shared.silence.limit(),
            Err(_) => limit,
        };
        Err(Error::unobserved(format!("failed to read: no answer within {} s", limit.as_secs()))
            .cause(Cause::ConnectionLost)
            .hint("the server or the network does not respond"))
    }
}

impl Tx {
    async fn stream(&mut self, text: String, params: &[Param], take: Take<'_>) -> Result<()> {
        // After text of others a statement's name may be taken ([`Tx::under_profile`]).
        let persistent = self.shared.direct() && !self.foreign;
        let mut refused = None;
        self.guarded(async |connection| {
            let query: Query<'_, Postgres, PgArguments> =
                sqlx::query_with(AssertSqlSafe(text), bind(params)?).persistent(persistent);
            let mut rows = query.fetch(connection);
            while let Some(row) = rows.try_next().await? {
                // What is still to come is read and dropped: the connection stays usable.
                if refused.is_none() {
                    refused = take(row.try_get(0)?).err();
                }
            }
            Ok(())
        })
        .await?;
        refused.map_or(Ok(()), Err)
    }
}

/// A query of one row, all NULL, that has the columns of `query` and does not run it. The driver would ask the catalog for
/// types that it does not know as soon as a statement is prepared, in words of its own, which are resolved by the path
/// that is set: a cursor is declared without a question, and what is fetched from it comes with no more than their numbers.
fn columns_of(query: &str) -> String {
    format!(
        "declare midwatch_columns no scroll cursor for select q.* from (select) one \
         left join (select * from ({query}\n) q where false) q on true"
    )
}

/// What the driver calls a type that it does not know.
const UNKNOWN: &str = "?";

const COLUMNS: &str = "fetch 1 from midwatch_columns; close midwatch_columns";

fn column(name: &str, type_name: &str) -> Column {
    let numbers = ["INT2", "INT4", "INT8", "FLOAT4", "FLOAT8", "NUMERIC", "OID", "MONEY"];
    let numeric = numbers.iter().any(|t| t.eq_ignore_ascii_case(type_name));
    Column { name: name.to_owned(), type_name: type_name.to_owned(), numeric, operators: None }
}

impl ReadTx for Tx {
    fn describe<'a>(&'a mut self, sql: &'a ProfileSql) -> Fut<'a, Result<Vec<Column>>> {
        Box::pin(async move {
            self.under_profile(sql).await?;
            let (mut columns, numbers) = self
                .guarded(async |connection| {
                    let declare = AssertSqlSafe(columns_of(sql.text()));
                    let declare: Query<'_, Postgres, PgArguments> =
                        sqlx::query_with(declare, bind(sql.params())?);
                    declare.persistent(false).execute(&mut *connection).await?;
                    let row = sqlx::raw_sql(COLUMNS).fetch_one(&mut *connection).await?;
                    let numbers: Vec<u32> =
                        row.columns().iter().map(|c| c.type_info().oid().map_or(0, |oid| oid.0)).collect();
                    let columns: Vec<Column> =
                        row.columns().iter().map(|c| column(c.name(), c.type_info().name())).collect();
                    Ok((columns, numbers))
                })
                .await?;
            let unknown = columns.iter().zip(&numbers).filter(|(c, _)| c.type_name == UNKNOWN);
            let unknown: Vec<u32> = unknown.map(|(_, of)| *of).collect();
            if unknown.is_empty() {
                return Ok(columns);
            }
            // Functions of constants ran as it was planned: what they set is undone before this is asked.
            self.under(Path::Profile).await?;
            let known = self.guarded(async |c| operators::read(c, &unknown).await).await?;
            for (column, of) in columns.iter_mut().zip(numbers) {
                let Some(found) = known.get(&of).cloned() else { continue };
                if let Some(cast) = found.cast {
                    return Err(ForeignCast { table: None, column: column.name.clone(), cast }.refusal());
                }
                column.type_name = found.name;
                column.operators = found.operators;
            }
            Ok(columns)
        })
    }

    fn parse<'a>(&'a mut self, sql: &'a ProfileSql) -> Fut<'a, Result<()>> {
        Box::pin(async move {
            self.under_profile(sql).await?;
            self.guarded(async |connection| {
                connection.prepare(AssertSqlSafe(sql.text().to_owned()).into_sql_str()).await?;
                // Behind a pooler the name would outlive the backend that knows it; text of others may take it.
                sqlx::Connection::clear_cached_statements(connection).await
            })
            .await
        })
    }

    fn each<'a>(&'a mut self, sql: &'a Sql, take: Take<'a>) -> Fut<'a, Result<()>> {
        Box::pin(async move {
            self.under_own(sql).await?;
            self.stream(sql.text().to_owned(), sql.params(), take).await
        })
    }

    fn objects<'a>(&'a mut self, sql: &'a Sql, take: Take<'a>) -> Fut<'a, Result<()>> {
        Box::pin(async move {
            self.under_own(sql).await?;
            self.stream(as_objects(sql.text()), sql.params(), take).await
        })
    }

    fn knows(&self, what: &'static str) -> bool {
        self.shared.knows(what)
    }

    fn learned(&self, what: &'static str) {
        self.shared.learned(what);
    }

    fn profile<'a>(
        &'a mut self,
        sql: &'a ProfileSql,
        shape: RowShape,
        take: Take<'a>,
    ) -> Fut<'a, Result<()>> {
        let text = match shape {
            RowShape::Text => sql.text().to_owned(),
            RowShape::Object => as_objects(sql.text()),
        };
        Box::pin(async move {
            self.under_profile(sql).await?;
            self.stream(text, sql.params(), take).await
        })
    }
}

/// Also around text of a profile, under its path.
fn as_objects(query: &str) -> String {
    format!("select pg_catalog.row_to_json(q)::pg_catalog.text from ({query}\n) q")
}

pub(super) fn bind(params: &[Param]) -> Result<PgArguments, sqlx::Error> {
    let mut arguments = PgArguments::default();
    for p in params {
        match p {
            Param::Text(t) => arguments.add(t.clone()),
            Param::Int(i) => arguments.add(*i),
            Param::Texts(t) => arguments.add(t.clone()),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// Ends the transaction; whether its session's statements are still ours, where that is asked.
async fn end(connection: &mut PgConnection, checked: bool) -> Result<bool, sqlx::Error> {
    let text = if checked { format!("{END}; {}", prepared::COUNT) } else { END.to_owned() };
    let rows = sqlx::raw_sql(AssertSqlSafe(text)).fetch_all(&mut *connection).await?;
    let Some(count) = rows.last().filter(|_| checked) else { return Ok(true) };
    Ok(prepared::are_ours(connection, count.try_get(0)?))
}

impl Drop for Tx {
    fn drop(&mut self) {
        self.shared.unregister(&self.backend);
        let (Some(mut connection), Some(permit)) = (self.connection.take(), self.permit.take()) else {
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let shared = Arc::clone(&self.shared);
        let (foreign, checked) = (self.foreign, self.rows && self.shared.direct());
        if self.busy {
            let backend = self.backend.clone();
            runtime.spawn(async move {
                shared.cancel(&[backend]).await;
                drop((connection, permit));
            });
        } else if !foreign && !self.rows && shared.direct() {
            let number = shared.leave(connection);
            drop(permit);
            runtime.spawn(async move {
                tokio::time::sleep(SOON).await;
                let Some(mut connection) = shared.take_left(number) else { return };
                if end(&mut connection, false).await.is_ok() {
                    shared.put_back(connection);
                }
            });
        } else {
            runtime.spawn(async move {
                match end(&mut connection, checked && !foreign).await {
                    Ok(true) if !foreign => shared.put_back(connection),
                    Err(_) if !foreign => {}
                    _ => {
                        let _ = sqlx::Connection::close(connection).await;
                        // Who comes next need not wait for a new one.
                        shared.warm().await;
                    }
                }
                drop(permit);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_transaction_is_read_only_and_pinned() {
        let options = ReadOptions {
            snapshot: Snapshot::Import("00-1'".into()),
            timeout: None,
            ..ReadOptions::default()
        };
        let text = begin_text(&options, Duration::from_secs(5), "public, pg_temp");
        assert!(!text.contains("public"), "{text}");
        let of_profile = begin_text(
            &ReadOptions { of_profile: true, ..ReadOptions::default() },
            Duration::from_secs(5),
            "public, pg_temp",
        );
        let (_, path) = of_profile.rsplit_once("search_path = ").unwrap();
        assert!(path.starts_with("public, pg_temp; select pg_catalog.pg_backend_pid()"), "{path}");
        assert!(text.starts_with(
            "begin isolation level repeatable read read only; set transaction snapshot '00-1'''"
        ));
        for needed in [
            "search_path = pg_catalog, pg_temp; ",
            "row_security = off",
            "timezone = 'UTC'",
            "statement_timeout = 5000",
        ] {
            assert!(text.contains(needed), "{needed} not in {text}");
        }
    }
}
