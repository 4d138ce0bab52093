//! One read-only transaction on a target, and how it is opened.

use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::query::{AnySql, Column, ProfileSql, Sql};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::de::DeserializeOwned;

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
    /// What is read first is the profile's, by names that it may leave to its search path.
    pub of_profile: bool,
}

/// Takes the rows of a query, one text each, as they come.
pub type Take<'a> = &'a mut (dyn FnMut(Option<String>) -> Result<()> + Send);

/// How the rows of a profile's query arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowShape {
    /// Its single column, which is text.
    Text,
    /// A JSON object for each row.
    Object,
}

/// One read-only transaction. It ends when dropped; a statement still running is cancelled on the server.
pub trait ReadTx: Send {
    /// The columns of a profile's query, without running it. Refused where the values of one would pass through a cast
    /// that somebody defined: they would not be read as they are.
    fn describe<'a>(&'a mut self, sql: &'a ProfileSql) -> Fut<'a, Result<Vec<Column>>>;
    /// Has the server read a statement of a plan that only explains, and nothing else: no function in it is called.
    fn parse<'a>(&'a mut self, sql: &'a ProfileSql) -> Fut<'a, Result<()>>;
    /// A profile's query, row by row. Whatever a dialect must ask before it runs text of others is asked here.
    fn profile<'a>(&'a mut self, sql: &'a ProfileSql, shape: RowShape, take: Take<'a>)
    -> Fut<'a, Result<()>>;
    /// A query of ours with a single text column, row by row: nothing is held but the one at hand.
    fn each<'a>(&'a mut self, sql: &'a Sql, take: Take<'a>) -> Fut<'a, Result<()>>;
    /// Any query of ours; each row arrives as one JSON object.
    fn objects<'a>(&'a mut self, sql: &'a Sql, take: Take<'a>) -> Fut<'a, Result<()>>;
    /// Was this found by a transaction of the same reader less than a second ago? Then it need not be asked again.
    fn knows(&self, _what: &'static str) -> bool {
        false
    }
    /// It is found now. What is wrong is never kept so: it is asked each time.
    fn learned(&self, _what: &'static str) {}
}

impl dyn ReadTx + '_ {
    /// The rows of a query with a single text column.
    pub async fn texts(&mut self, sql: impl Into<AnySql<'_>>) -> Result<Vec<Option<String>>> {
        let mut rows = Vec::new();
        let mut take = |text| {
            rows.push(text);
            Ok(())
        };
        match sql.into() {
            AnySql::Ours(sql) => self.each(sql, &mut take).await?,
            AnySql::Profile(sql) => self.profile(sql, RowShape::Text, &mut take).await?,
        }
        Ok(rows)
    }

    /// Rows as `T`, by column name.
    pub async fn fetch<T: DeserializeOwned + Send>(&mut self, sql: impl Into<AnySql<'_>>) -> Result<Vec<T>> {
        let mut rows = Vec::new();
        let mut take = |text: Option<String>| {
            if let Some(text) = text {
                rows.push(parse(&text)?);
            }
            Ok(())
        };
        match sql.into() {
            AnySql::Ours(sql) => self.objects(sql, &mut take).await?,
            AnySql::Profile(sql) => self.profile(sql, RowShape::Object, &mut take).await?,
        }
        Ok(rows)
    }

    /// Exactly one row as `T`.
    pub async fn one<T: DeserializeOwned + Send>(&mut self, sql: impl Into<AnySql<'_>>) -> Result<T> {
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
