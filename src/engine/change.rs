//! How rows are changed: what a batch does besides the rows themselves, and how it is undone.

use serde::{Deserialize, Serialize};

use super::ident::{Ident, Relation, literal};
use super::plan::Verification;

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

/// A change of many rows of one table, batch by batch; each batch is one transaction.
///
/// Statements of the profile read `batch`: the key's columns, and `old_x` and `new_x` per written column; and
/// `run`: `id`, `operation`, `name`, `operator`, `reason`, `undo`.
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
    /// Rows of derived tables are put back as the named run found them.
    pub restores: Option<String>,
    /// Rows of the first batch, and how their fate is watched.
    pub canary: Option<Canary>,
    /// Why, for the system's own audit rows.
    pub reason: String,
}

/// Few rows first, and what becomes of them decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    /// Rows of the first batch.
    pub rows: u64,
    /// Seconds to wait for a batch's fate.
    pub wait_s: u64,
    /// A query over `run_rows` (`$1`: the run): `waiting`, `failed`, `done` as numbers.
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
pub fn verification(change: &RowChange) -> Option<Verification> {
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
    if let (RowKind::Compute, Some(derived)) = (change.kind, change.derived.first()) {
        return Some(computed(derived));
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
        "select i.key from run_rows i left join {table} t on {key} where i.seq is not null and ({wrong})"
    );
    Some(Verification { title, sql })
}

/// Do the rows that were computed again hold what came of it?
fn computed(derived: &Derived) -> Verification {
    let pairs = |columns: &[TypedColumn], side: &str, op: &str| {
        let one = |c: &TypedColumn| match op {
            "=" => format!("t.{} = (i.{side}->>{})::{}", Ident(&c.name), literal(&c.name), c.type_name),
            _ => format!("t.{}::text {op} i.{side}->>{}", Ident(&c.name), literal(&c.name)),
        };
        columns.iter().map(one).collect::<Vec<_>>().join(" and ")
    };
    let sql = format!(
        "select i.key from (select distinct on (r.key) r.key, r.after from run_rows r where r.seq is null \
         order by r.key, r.batch desc) i left join {} t on {} \
         where (i.after is null) <> (t.tableoid is null) or t.tableoid is not null and not ({})",
        Relation::parse(&derived.table),
        pairs(&derived.key, "key", "="),
        pairs(&derived.columns, "after", "is not distinct from"),
    );
    Verification { title: format!("rows of {} hold what was computed or put back", derived.table), sql }
}
