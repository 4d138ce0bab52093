//! What a comparison of rows is about, as the statements for it take it: columns, parts of a table, spans of keys.
//!
//! The left side is the one that is compared with; nothing here knows which of them is right.

use serde::Deserialize;

use crate::engine::model::key_ranges::RangeCut;

/// Where the two tables are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Databases {
    /// In one database: what its numbers mean is the same on both sides.
    One,
    /// In two.
    Two,
}

/// A column, and how its values are compared.
#[expect(clippy::struct_excessive_bools, reason = "each is what the catalog says")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct ComparedColumn {
    /// Its name.
    pub name: String,
    /// Its type as a cast takes it, with modifiers.
    pub kind: String,
    /// The type's own name, without its modifiers.
    #[serde(default)]
    pub base: String,
    /// Holds no NULL.
    #[serde(default)]
    pub not_null: bool,
    /// Of a type on the other side that has no equality with this one.
    #[serde(skip)]
    pub foreign: bool,
    /// Of another type on the other side: what both are cast to before they are compared.
    #[serde(skip)]
    pub cast: Option<&'static str>,
    /// Its values are shown nowhere.
    #[serde(skip)]
    pub secret: bool,
    /// The type's own equality is looser than identity, or it has no hash: compared as text.
    pub as_text: bool,
    /// Can be summed exactly.
    pub number: bool,
    /// A whole number of at most 64 bits.
    #[serde(default)]
    pub whole: bool,
    /// May hold NULL.
    #[serde(default)]
    pub nullable: bool,
    /// Computed by the table itself.
    #[serde(default)]
    pub generated: bool,
    /// Its values are kept as numbers that only its own database can read.
    #[serde(default)]
    pub local: bool,
    /// The operator of the type's own equality; `None`: it has none.
    #[serde(default)]
    pub equality: Option<String>,
    /// As [`ForeignCast::cast`](super::foreign_cast::ForeignCast::cast).
    #[serde(default)]
    pub foreign_cast: Option<String>,
}

/// How the two tables' columns relate, by name.
#[derive(Debug, Clone, Default)]
pub struct ComparedColumns {
    /// On both sides, in the left table's order.
    pub common: Vec<ComparedColumn>,
    /// Of the left table only.
    pub only_left: Vec<String>,
    /// Of the right table only.
    pub only_right: Vec<String>,
    /// Name, left type, right type.
    pub retyped: Vec<(String, String, String)>,
    /// Those of the common columns that name a row; empty: none do.
    pub key: Vec<ComparedColumn>,
}

impl ComparedColumns {
    /// Marks the columns whose values are shown nowhere, by name.
    pub fn withhold(&mut self, secrets: &[String]) {
        for column in self.common.iter_mut().chain(&mut self.key).filter(|c| secrets.contains(&c.name)) {
            column.secret = true;
        }
    }

    /// The common column of this name.
    pub fn column(&self, name: &str) -> Option<&ComparedColumn> {
        self.common.iter().find(|c| c.name == name)
    }
}

/// A key as text, one value a column.
pub type KeyText = Vec<Option<String>>;

/// Keys from the first of some ranges to the last; open where there is none. The default is every key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeySpan {
    /// The first range.
    pub from: Option<i64>,
    /// The last range.
    pub to: Option<i64>,
    /// With pauses between rows, so that other sessions are served.
    pub paced: bool,
}

/// What is compared of the rows of both sides.
#[derive(Debug, Clone, Copy)]
pub struct ComparedRows<'a> {
    /// The columns.
    pub columns: &'a ComparedColumns,
    /// How keys are cut into ranges.
    pub cut: &'a RangeCut,
    /// Columns that are added up, by name; one that is no number on both sides has no sum.
    pub sums: &'a [String],
    /// Rows are digested by range; otherwise they are counted and added up, all as one range.
    pub digests: bool,
}

/// Rows of one side that a statement reads together.
#[derive(Debug, Clone)]
pub struct RowPart<'a> {
    /// What FROM takes: a relation, or a query in parentheses.
    pub rows: &'a str,
    /// Which group each row is of.
    pub group: RowGroup<'a>,
    /// Only rows of which this expression over the table's columns is true.
    pub filter: Option<String>,
    /// Expressions over all rows of a group, each a 64-bit integer.
    pub measures: &'a [String],
}

/// The group of a row: rows of both sides are compared group by group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowGroup<'a> {
    /// There are no groups.
    All,
    /// An expression over the row that gives a number; NULL: it belongs nowhere.
    Computed(&'a str),
    /// All rows of the part are of this group.
    Fixed {
        /// Its number.
        number: usize,
        /// Its name.
        name: &'a str,
    },
}

impl<'a> RowPart<'a> {
    /// All rows of a table that has no groups.
    pub fn whole(rows: &'a str) -> Self {
        Self { rows, group: RowGroup::All, filter: None, measures: &[] }
    }
}

/// The parts of both sides that one statement compares.
#[derive(Debug, Clone, Copy)]
pub struct PartsOfBoth<'a> {
    /// Of the left side.
    pub left: &'a [RowPart<'a>],
    /// Of the right side.
    pub right: &'a [RowPart<'a>],
}

/// Two texts of one column's values, to be asked whether they are one value.
#[derive(Debug, Clone, Copy)]
pub struct ValuePair<'a> {
    /// The column.
    pub column: &'a ComparedColumn,
    /// The left side's.
    pub left: &'a str,
    /// The right side's.
    pub right: &'a str,
}
