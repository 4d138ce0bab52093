//! What the engine needs from the outside, as traits: a way to look that cannot write, and files.

use crate::engine::model::query::{Column, Sql};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::load::Pressure;
use crate::engine::model::target::Server;
use crate::engine::model::vitals::Vitals;
use crate::engine::port::dialect::Dialect;

/// A boxed future: the ports are used as trait objects.
pub type Fut<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Which snapshot a read transaction sees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Snapshot {
    /// Each statement its own (`READ COMMITTED`).
    #[default]
    Statement,
    /// One for the whole transaction (`REPEATABLE READ`).
    Transaction,
    /// One that another transaction exported and still holds.
    Import(String),
}

/// How to open a read transaction.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// Which snapshot.
    pub snapshot: Snapshot,
    /// `statement_timeout`; the reader's default when `None`.
    pub timeout: Option<Duration>,
    /// The heartbeat: must not wait behind whatever else is being read.
    pub heartbeat: bool,
}

/// A source of read-only transactions on one target.
pub trait Facts: Send + Sync {
    /// Which SQL the target speaks.
    fn dialect(&self) -> &'static dyn Dialect;
    /// Opens a transaction that the server holds read-only.
    fn begin(&self, options: ReadOptions) -> Fut<'_, Result<Box<dyn ReadTx>>>;
    /// Who the server is.
    fn server(&self) -> Fut<'_, Result<Server>>;
    /// What the server is doing right now.
    fn vitals(&self) -> Fut<'_, Result<Vitals>>;
    /// What else the server has to do.
    fn pressure(&self) -> Fut<'_, Result<Pressure>>;
    /// Asks the server to cancel everything this console is running there.
    fn cancel_all(&self) -> Fut<'_, ()>;
}

/// Takes the rows of a query, one text each, as they come.
pub type Take<'a> = &'a mut (dyn FnMut(Option<String>) -> Result<()> + Send);

/// One read-only transaction. It ends when dropped; a statement still running is cancelled on the server.
pub trait ReadTx: Send {
    /// The columns of a query, without running it.
    fn describe<'a>(&'a mut self, sql: &'a Sql) -> Fut<'a, Result<Vec<Column>>>;
    /// A query with a single text column, row by row: nothing is held but the one at hand.
    fn each<'a>(&'a mut self, sql: &'a Sql, take: Take<'a>) -> Fut<'a, Result<()>>;
    /// Any query; each row arrives as one JSON object.
    fn objects<'a>(&'a mut self, sql: &'a Sql, take: Take<'a>) -> Fut<'a, Result<()>>;
}

impl dyn ReadTx + '_ {
    /// The rows of a query with a single text column.
    pub async fn texts(&mut self, sql: &Sql) -> Result<Vec<Option<String>>> {
        let mut rows = Vec::new();
        self.each(sql, &mut |text| {
            rows.push(text);
            Ok(())
        })
        .await?;
        Ok(rows)
    }

    /// Rows as `T`, by column name.
    pub async fn fetch<T: DeserializeOwned + Send>(&mut self, sql: &Sql) -> Result<Vec<T>> {
        let mut rows = Vec::new();
        self.objects(sql, &mut |text| {
            if let Some(text) = text {
                rows.push(parse(&text)?);
            }
            Ok(())
        })
        .await?;
        Ok(rows)
    }

    /// Exactly one row as `T`.
    pub async fn one<T: DeserializeOwned + Send>(&mut self, sql: &Sql) -> Result<T> {
        self.fetch(sql)
            .await?
            .pop()
            .ok_or_else(|| Error::new(Class::Unobserved, "failed to read one row: the server sent none"))
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|e| Error::new(Class::Unobserved, format!("failed to understand a row of the server: {e}")))
}
