//! Where a plan's rows come from, as data: a dialect makes its statement of it.
//!
//! What a profile writes (an expression, a condition, a JOIN, a query) stays the text that it is; it reads the rows as
//! `t`, or as `r` where they come from a query.

use crate::engine::model::change::{RowChange, TypedColumn};
use crate::engine::model::name::Relation;
use crate::engine::model::query::{Column, Param};

/// The rows of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowQuery {
    /// The rows that are changed, where they are there already, as `t`.
    pub from: RowsFrom,
    /// Which of them.
    pub filter: Condition,
    /// Values that texts of `from` and `filter` read as parameters.
    pub params: Vec<Param>,
    /// Key columns and their values; rows come in this order.
    pub key: Vec<(String, Expr)>,
    /// What a row holds; empty: it does not exist yet.
    pub before: Vec<(String, Expr)>,
    /// What it shall hold; empty: it goes.
    pub after: Vec<(String, Expr)>,
    /// What helps to recognise it.
    pub show: Vec<(String, Expr)>,
    /// Another order than by key.
    pub order: Vec<Expr>,
    /// At most so many.
    pub limit: Option<u64>,
}

/// What rows are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowsFrom {
    /// A table, as `t`.
    Table {
        /// The one that its name has led to.
        table: Relation,
        /// More to read beside it.
        join: Option<String>,
    },
    /// A query of the profile, as `r`.
    Query {
        /// The query.
        sql: String,
        /// More to read beside it.
        join: Option<String>,
    },
    /// The rows that a run wrote, as they became, as `r`.
    Written {
        /// The run.
        run: String,
        /// Their columns.
        columns: Vec<TypedColumn>,
    },
    /// Images of a run with the rows they are of, for its inverse: last batch first, each batch a unit, and only rows
    /// that nobody has changed since.
    Images(Box<ImagesOf>),
    /// What follows FROM, as a feature's file for its dialect writes it.
    Text(String),
}

impl Default for RowsFrom {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

/// Images that a step of a run kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagesOf {
    /// The run.
    pub run: String,
    /// Its step.
    pub step: usize,
    /// What takes the step back.
    pub inverse: RowChange,
}

/// Which rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Condition {
    /// Every row.
    #[default]
    Every,
    /// As the profile writes it.
    Text(String),
    /// All of these.
    All(Vec<Condition>),
    /// Not these.
    Not(Box<Condition>),
    /// The text of this column is one of these.
    KeyIn {
        /// The column.
        key: Expr,
        /// Its values.
        texts: Vec<String>,
    },
    /// The table's key is among those that a query gives.
    KeyOf {
        /// The column, of both.
        key: TypedColumn,
        /// The query.
        sql: String,
    },
    /// A column of the table is in one of these states; one that is NULL has the name `(null)`.
    StateIn {
        /// The column.
        column: String,
        /// The states.
        states: Vec<String>,
    },
    /// A column of the table does not hold this value yet.
    Changes {
        /// The column.
        column: TypedColumn,
        /// The value.
        to: Expr,
    },
    /// No row of a table has this key.
    Absent {
        /// The one that its name has led to.
        table: Relation,
        /// Its key.
        key: Vec<(TypedColumn, Expr)>,
    },
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    /// NULL.
    Null,
    /// As the profile writes it.
    Text(String),
    /// A column.
    Column {
        /// Of which rows.
        of: ColumnSide,
        /// Its name.
        name: String,
    },
    /// What a column of this type holds after it was given this expression of the profile.
    Stored {
        /// The expression.
        text: String,
        /// The type.
        type_name: String,
    },
    /// A text as a value of a type.
    Given {
        /// The text.
        text: String,
        /// The type.
        type_name: String,
    },
    /// A value of the image at hand.
    Image {
        /// Which side.
        side: Side,
        /// The column.
        name: String,
    },
    /// The beginning of an expression of the profile, as a text.
    Start(String),
}

impl Expr {
    /// A column of the table.
    pub fn of_table(name: &str) -> Self {
        Self::Column { of: ColumnSide::Table, name: name.to_owned() }
    }

    /// A column of the query's row.
    pub fn of_row(name: &str) -> Self {
        Self::Column { of: ColumnSide::Row, name: name.to_owned() }
    }
}

impl From<String> for Expr {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Whose column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnSide {
    /// The table's, read as `t`.
    Table,
    /// The query's, read as `r`.
    Row,
}

/// A part of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The row's key.
    Key,
    /// The row before.
    Before,
    /// The row after.
    After,
}

/// How much of the rows is read.
#[derive(Debug, Clone, Copy, Default)]
pub struct RowLimits<'a> {
    /// At most so many.
    pub limit: Option<u64>,
    /// Only these keys.
    pub among: Option<&'a Keys>,
    /// The step that each row is said to be of.
    pub step: Option<usize>,
}

/// Keys, column by column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    /// The columns as the server describes them.
    pub columns: Vec<Column>,
    /// The values of each, row by row.
    pub values: Vec<Vec<String>>,
}
