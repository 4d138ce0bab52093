//! How rows are changed: what a batch does besides the rows themselves, and how it is undone.

use serde::{Deserialize, Serialize};

use crate::engine::model::name::{Ident, Relation, literal};
use crate::engine::model::preflight::Verification;

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
    /// The table.
    pub table: String,
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

/// A foreign key of another table that does something to its own rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Referrer {
    /// The table that refers, as SQL takes it.
    pub table: String,
    /// Its columns, and those they refer to.
    pub columns: Vec<(String, String)>,
    /// ON DELETE CASCADE, SET NULL or SET DEFAULT.
    pub on_delete: bool,
    /// ON UPDATE, the same.
    pub on_update: bool,
}

/// Another table that these rows are a copy of: each is changed only while it says that it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The table; its columns have the same names.
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
    /// The table.
    pub table: String,
    /// What happens to each row.
    pub kind: RowKind,
    /// Columns that identify a row.
    pub key: Vec<TypedColumn>,
    /// Columns that are written (compared, for a deletion).
    pub columns: Vec<TypedColumn>,
    /// All stored columns that are kept as they were.
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
    pub source: Option<Source>,
    /// A trigger may write other columns than the planned ones: images hold the whole row as it became.
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

    /// A statement of a profile over the given `batch` and `run`, its own WITH going on after ours.
    #[must_use]
    pub fn over(&self, batch: &str, run: &str, statement: &str) -> String {
        let text = statement.trim();
        let is_with = text.get(..4).is_some_and(|w| w.eq_ignore_ascii_case("with"))
            && text[4..].starts_with(char::is_whitespace);
        if is_with {
            format!("with {batch}, {run}, {}", text[4..].trim_start())
        } else {
            format!("with {batch}, {run} {text}")
        }
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

/// The statements of a batch as a person should read them; the journal's own bookkeeping is said in words.
pub fn shown(change: &RowChange) -> Vec<String> {
    let table = Relation::parse(&change.table);
    let key: Vec<_> =
        change.key.iter().map(|c| format!("{} = planned.{}", Ident(&c.name), Ident(&c.name))).collect();
    let names: Vec<_> = change.columns.iter().map(|c| Ident(&c.name).to_string()).collect();
    let mut out = vec!["begin".to_owned()];
    out.extend(change.before_batch.iter().cloned());
    if let Some(source) = &change.source {
        out.push(if source.present {
            format!(
                "select … from {} for share: rows that no longer hold what is copied are left alone",
                Relation::parse(&source.table)
            )
        } else {
            format!("rows that {} has (again) are left alone", Relation::parse(&source.table))
        });
    }
    let key = key.join(" and ");
    out.extend(match change.kind {
        RowKind::Compute => None,
        RowKind::Update => {
            let sets: Vec<_> =
                names.iter().map(|n| format!("{n} = planned.new_{}", n.trim_matches('"'))).collect();
            let same: Vec<_> = names
                .iter()
                .map(|n| format!("{n} is not distinct from planned.old_{}", n.trim_matches('"')))
                .collect();
            Some(format!("update {table} set {} where {key} and {}", sets.join(", "), same.join(" and ")))
        }
        RowKind::Insert => Some(format!(
            "insert into {table} ({}) select … from planned on conflict do nothing",
            names.join(", ")
        )),
        RowKind::Delete => Some(format!("delete from {table} where {key} and it is as this run left it")),
    });
    out.push("insert into midwatch.images: every row written, before and after".into());
    out.extend(change.after_batch.iter().cloned());
    out.extend(change.audit.iter().cloned());
    if let Some(run) = &change.restores {
        out.extend(change.derived.iter().map(|d| {
            format!("update, insert or delete rows of {}: as run {run} found them, where nobody has touched them since", d.table)
        }));
    }
    out.extend(change.after_change.iter().cloned());
    out.push("update midwatch.runs: the checkpoint; insert into midwatch.events: the batch".into());
    out.push("commit".into());
    out
}

/// Do the rows that a run wrote hold what it wrote?
/// `step`: its place among the plan's steps.
pub fn verification(change: &RowChange, step: usize) -> Option<Verification> {
    let key: Vec<_> = change
        .key
        .iter()
        .map(|c| format!("t.{} = (i.key->>{})::{}", Ident(&c.name), literal(&c.name), c.type_name))
        .collect();
    let same: Vec<_> = change
        .columns
        .iter()
        .map(|c| format!("t.{}::text is not distinct from i.after->>{}", Ident(&c.name), literal(&c.name)))
        .collect();
    if let Some(derived) = change.computed() {
        return Some(computed(derived, step));
    }
    let (table, key) = (Relation::parse(&change.table), key.join(" and "));
    let (title, wrong) = match change.kind {
        RowKind::Compute => return None,
        RowKind::Delete => {
            (format!("rows deleted from {} are gone", change.table), "t.tableoid is not null".to_owned())
        }
        RowKind::Update | RowKind::Insert => (
            format!("rows written to {} hold what was planned", change.table),
            format!("t.tableoid is null or not ({})", same.join(" and ")),
        ),
    };
    let sql = format!(
        "select i.key from run_rows i left join {table} t on {key} where i.seq is not null and i.step = {step} and ({wrong})"
    );
    Some(Verification { title, sql })
}

/// Do the rows that were computed again hold what came of it?
fn computed(derived: &Derived, step: usize) -> Verification {
    let pairs = |columns: &[TypedColumn], side: &str, op: &str| {
        let one = |c: &TypedColumn| match op {
            "=" => format!("t.{} = (i.{side}->>{})::{}", Ident(&c.name), literal(&c.name), c.type_name),
            _ => format!("t.{}::text {op} i.{side}->>{}", Ident(&c.name), literal(&c.name)),
        };
        columns.iter().map(one).collect::<Vec<_>>().join(" and ")
    };
    let sql = format!(
        "select i.key from (select distinct on (r.key) r.key, r.after from run_rows r where r.seq is null and r.step = {step} \
         order by r.key, r.batch desc) i left join {} t on {} \
         where (i.after is null) <> (t.tableoid is null) or t.tableoid is not null and not ({})",
        Relation::parse(&derived.table),
        pairs(&derived.key, "key", "="),
        pairs(&derived.columns, "after", "is not distinct from"),
    );
    Verification { title: format!("rows of {} hold what was computed or put back", derived.table), sql }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_with_its_own_with_goes_on_after_ours() {
        let change = RowChange {
            table: "t".into(),
            kind: RowKind::Update,
            key: vec![],
            columns: vec![],
            kept: vec![],
            before_batch: vec![],
            after_change: vec![],
            excludes_writers: false,
            audit: None,
            after_batch: None,
            derived: vec![],
            referrers: vec![],
            source: None,
            rewritten: false,
            restores: None,
            canary: None,
            reason: String::new(),
        };
        let over = |sql: &str| change.over("batch as (b)", "run as (r)", sql);
        assert_eq!(
            over("  WITH x as (select 1) insert"),
            "with batch as (b), run as (r), x as (select 1) insert"
        );
        assert_eq!(over("without"), "with batch as (b), run as (r) without");
        assert_eq!(over("insert into t"), "with batch as (b), run as (r) insert into t");
    }
}
