//! Rows that are carried from a target into a sandbox: COPY over the protocol, from one snapshot. No other program reads
//! them, and no file holds them.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use super::connect::Connection;
use super::operators::{self, Comparison};
use super::owner::{Owner, explain};
use crate::engine::model::error::{Error, Result};

/// The server's own equality.
pub const EQUAL: &str = operators::EQUAL;

/// An expression over the number of a type: the operator of its equality; NULL: the server's own.
pub fn equality_of(type_oid: &str) -> String {
    operators::operator_of(type_oid, Comparison::Equal)
}

/// A read-only transaction of the target, in one snapshot.
pub struct SampleSource(PgConnection);

impl SampleSource {
    /// `statement`: the longest that one relation's rows may take.
    pub async fn open(target: &Connection, statement: Duration) -> Result<Self> {
        let (mut connection, _) = target.open().await?;
        let begin = format!(
            "begin isolation level repeatable read read only; set local search_path = pg_catalog, pg_temp; \
             set local row_security = off; \
             set local statement_timeout = '{}s'; set local lock_timeout = '5s'",
            statement.as_secs()
        );
        sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut connection).await.map_err(|e| read_failed(&e))?;
        Ok(Self(connection))
    }

    /// Carries the rows of a query into a relation; `into`: its name and list of columns. How many there were.
    pub async fn carry(&mut self, query: &str, owner: &mut Owner, into: &str) -> Result<u64> {
        let out = format!("copy ({query}) to stdout");
        let mut rows = self.0.copy_out_raw(&out).await.map_err(|e| read_failed(&e))?;
        let mut sink = owner
            .connection
            .copy_in_raw(&format!("copy {into} from stdin"))
            .await
            .map_err(|e| load_failed(&e))?;
        loop {
            match rows.try_next().await {
                Ok(Some(bytes)) => drop(sink.send(bytes).await.map_err(|e| load_failed(&e))?),
                Ok(None) => return sink.finish().await.map_err(|e| load_failed(&e)),
                Err(e) => {
                    let _ = sink.abort("the rows could not be read to their end").await;
                    return Err(read_failed(&e));
                }
            }
        }
    }

    /// Says goodbye to the target.
    pub async fn close(self) {
        let _ = self.0.close().await;
    }
}

fn read_failed(e: &sqlx::Error) -> Error {
    unobserved(explain(e, "copy rows of the target"))
}

fn load_failed(e: &sqlx::Error) -> Error {
    unobserved(explain(e, "load rows into the sandbox"))
}

/// Of a copy that is not whole nothing is known.
fn unobserved(e: Error) -> Error {
    Error { class: crate::engine::model::error::Class::Unobserved, ..e }
}
