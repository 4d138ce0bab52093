//! A page of a query's rows: from where, which, in which order, and what came of it.

use std::collections::BTreeMap;

use crate::engine::model::query::{Column, Param};

/// Longest text of a cell that leaves the server; keys are exempt.
pub const CELL_CHARS: usize = 512;

/// A query whose rows can be paged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowSource {
    /// Identifies it for the console.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// The query, with `$1…` for `params`.
    pub sql: String,
    /// Bound values.
    pub params: Vec<Param>,
    /// Columns that identify a row, in order.
    pub key: Vec<String>,
    /// Headings by column.
    pub labels: BTreeMap<String, String>,
    /// Title and query of a row's surroundings.
    pub context: Option<(String, String)>,
}

/// Rows must hold this text, or must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// What is typed after `/`.
    pub text: String,
    /// `/!`.
    pub inverse: bool,
}

/// Order by one column first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// The column.
    pub column: String,
    /// Largest first; NULLs come last either way.
    pub descending: bool,
}

/// Which page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// The first.
    First,
    /// The last.
    Last,
    /// After a row (its sort value first when sorted, then its key).
    After(Vec<Option<String>>),
    /// Before a row.
    Before(Vec<Option<String>>),
}

/// A page to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// From where.
    pub source: RowSource,
    /// Which rows.
    pub filter: Option<Filter>,
    /// In which order; by key when absent.
    pub sort: Option<Sort>,
    /// Which page.
    pub at: At,
    /// How many rows.
    pub limit: usize,
    /// Count all rows as well.
    pub count: bool,
    /// Cells in full, for an export.
    pub whole: bool,
}

impl PageRequest {
    /// The first rows, by key, without a count.
    pub fn first(source: RowSource, limit: usize) -> Self {
        Self { source, filter: None, sort: None, at: At::First, limit, count: false, whole: false }
    }
}

/// A page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The columns, in the query's order.
    pub columns: Vec<Column>,
    /// The rows, in the asked order whatever the direction of reading.
    pub rows: Vec<Row>,
    /// Exact number of all rows, if asked for.
    pub total: Option<u64>,
    /// Nothing lies beyond the page in its direction.
    pub end: bool,
}

/// A row of a page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// Cells, shortened to [`CELL_CHARS`]; `None` is NULL.
    pub cells: Vec<Option<String>>,
    /// Where it stands: the values [`At::After`] takes.
    pub position: Vec<Option<String>>,
}
