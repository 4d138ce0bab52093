//! How rows are changed: what a batch does besides the rows themselves, and how it is undone.

use serde::{Deserialize, Serialize};

use crate::engine::model::name::{ParseName, Relation};

/// A column that is written or kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypedColumn {
    /// Its name.
    pub name: String,
    /// Its type, as a cast takes it.
    pub type_name: String,
    /// The table numbers it itself; an UPDATE cannot.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub numbered: bool,
    /// The operator that says whether two of its values are one, as a statement names it, where that is not the server's
    /// own equality.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equality: Option<String>,
}

/// What happens to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowKind {
    /// It gets other values.
    Update,
    /// It comes.
    Insert,
    /// It goes.
    Delete,
    /// Nothing is written to it directly: `after_batch` computes what is derived from it.
    Compute,
}

/// A table that follows from the changed one: its rows are kept before and after each batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Derived {
    /// The table, as the profile names it.
    pub table: String,
    /// As [`RowChange::resolved`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Relation>,
    /// Columns that identify its rows.
    pub key: Vec<TypedColumn>,
    /// All its stored columns that may be kept.
    pub columns: Vec<TypedColumn>,
    /// Stored columns that are secret, so that no image holds them: a row that is put back comes without.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<String>,
    /// Which of its rows a batch touches: a query over `batch` that gives the key.
    pub rows: String,
}

impl Derived {
    /// The table as statements name it; a name that a plan of an older version left to the search path is read.
    #[must_use]
    pub fn relation(&self, parse: ParseName<'_>) -> Relation {
        self.resolved.clone().unwrap_or_else(|| parse(&self.table))
    }
}

/// A foreign key of another table that does something to its own rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Referrer {
    /// The table that refers, as SQL takes it.
    pub table: String,
    /// Its columns, and those they refer to.
    pub columns: Vec<(String, String)>,
    /// The operator that compares each of those they refer to with its own, where one is not the server's own equality.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub equality: Vec<String>,
    /// ON DELETE CASCADE, SET NULL or SET DEFAULT.
    pub on_delete: bool,
    /// ON UPDATE, the same.
    pub on_update: bool,
}

/// Another table that these rows are a copy of: each is changed only while it says that it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopySource {
    /// The table as the catalog names it, with its schema; its columns have the same names.
    pub table: String,
    /// It must hold the row as it is to become, and is kept from changing meanwhile; otherwise it must not have it.
    pub present: bool,
}

/// A change of many rows of one table, batch by batch; each batch is one transaction.
///
/// Statements of the profile read `batch` ([`RowChange::batch_columns`]) and `run`: `id`, `operation`, `name`,
/// `operator`, `reason`, `undo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowChange {
    /// The table, as the profile names it: in the images of its rows, and for people.
    pub table: String,
    /// The table that this name led to when the change was planned; statements name it so. Plans of older versions leave
    /// it to the profile's search path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Relation>,
    /// What happens to each row.
    pub kind: RowKind,
    /// Columns that identify a row.
    pub key: Vec<TypedColumn>,
    /// Columns that are written (compared, for a deletion).
    pub columns: Vec<TypedColumn>,
    /// All stored columns that may be kept: of a row that comes or goes the image has them all, of a changed one those of
    /// `columns`.
    pub kept: Vec<TypedColumn>,
    /// At the start of each batch's transaction.
    pub before_batch: Vec<String>,
    /// At its end.
    pub after_change: Vec<String>,
    /// The start of the batch already keeps all other writers out.
    pub excludes_writers: bool,
    /// What the system itself writes down: an INSERT that reads `batch`.
    pub audit: Option<String>,
    /// What the change entails: a query over `batch` whose functions do it.
    pub after_batch: Option<String>,
    /// Tables that follow.
    pub derived: Vec<Derived>,
    /// Tables whose rows would go with a deleted one: a row that they refer to is left alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub referrers: Vec<Referrer>,
    /// What the rows are copied from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<CopySource>,
    /// A trigger may write other columns than the planned ones: images hold those that it has changed, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rewritten: bool,
    /// Rows of derived tables are put back as the named run found them.
    pub restores: Option<String>,
    /// Rows of the first batch, and how their fate is watched.
    pub canary: Option<Canary>,
    /// Why, for the system's own audit rows.
    pub reason: String,
}

/// A column of `batch` and where its value is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchColumn<'a> {
    /// As statements read it.
    pub name: String,
    /// The column it is of.
    pub column: &'a TypedColumn,
    /// Its source.
    pub origin: Origin,
}

/// Where a value of `batch` is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The planned row's key.
    Key,
    /// What it was planned to be before.
    Before,
    /// What it is to be.
    After,
    /// The row itself, as the batch found it.
    Row,
}

impl RowChange {
    /// The table as statements name it; a name that a plan of an older version left to the search path is read.
    #[must_use]
    pub fn relation(&self, parse: ParseName<'_>) -> Relation {
        self.resolved.clone().unwrap_or_else(|| parse(&self.table))
    }

    /// Some of its names are left to the search path: a plan of an older version does not say where they led.
    #[must_use]
    pub fn is_left_to_search_path(&self) -> bool {
        self.resolved.is_none() || self.derived.iter().any(|d| d.resolved.is_none())
    }

    /// What statements read as `batch`: the key's columns, `old_x` and `new_x` per written column, and, where rows
    /// are there already, their other columns under their own names.
    #[must_use]
    pub fn batch_columns(&self) -> Vec<BatchColumn<'_>> {
        let mut out: Vec<BatchColumn<'_>> = self
            .key
            .iter()
            .map(|column| BatchColumn { name: column.name.clone(), column, origin: Origin::Key })
            .collect();
        for column in &self.columns {
            for (prefix, origin) in [("old", Origin::Before), ("new", Origin::After)] {
                out.push(BatchColumn { name: format!("{prefix}_{}", column.name), column, origin });
            }
        }
        if matches!(self.kind, RowKind::Update | RowKind::Delete) {
            let written = |c: &TypedColumn| self.columns.iter().any(|w| w.name == c.name);
            for column in &self.kept {
                let taken = out.iter().any(|b| b.name == column.name);
                if !(taken || self.kind == RowKind::Update && written(column)) {
                    out.push(BatchColumn { name: column.name.clone(), column, origin: Origin::Row });
                }
            }
        }
        out
    }

    /// What it does to so many rows, in a line.
    #[must_use]
    pub fn line(&self, rows: u64) -> String {
        let columns = match self.columns.len() {
            0 => String::new(),
            1 => ", 1 column".into(),
            n => format!(", {n} columns"),
        };
        let done = match self.kind {
            RowKind::Update => "changed",
            RowKind::Insert => "inserted",
            RowKind::Delete => "deleted",
            RowKind::Compute => "computed again",
        };
        format!("{rows} rows of {} {done}{columns}", self.table)
    }

    /// What the rows of a [`RowKind::Compute`] are in: the first table that follows, which is the changed one itself.
    #[must_use]
    pub fn computed(&self) -> Option<&Derived> {
        let derived = self.derived.first().filter(|_| self.kind == RowKind::Compute)?;
        (derived.table == self.table && derived.key == self.key).then_some(derived)
    }
}

/// Few rows first, and what becomes of them decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    /// Rows of the first batch.
    pub rows: u64,
    /// Seconds to wait for a batch's fate.
    pub wait_s: u64,
    /// A query over `run_rows`, those of the batch: `waiting`, `failed`, `done` as numbers.
    pub sql: String,
    /// Share of failed rows, in percent, that stops the run after the canary; the canary itself must not fail.
    pub max_failed_percent: u32,
}

impl RowKind {
    /// What takes it back.
    #[must_use]
    pub fn inverse(self) -> Self {
        match self {
            Self::Update => Self::Update,
            Self::Insert => Self::Delete,
            Self::Delete => Self::Insert,
            Self::Compute => Self::Compute,
        }
    }
}
