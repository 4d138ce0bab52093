//! A plan: what would be done, on which server, to which rows. Plain data; exactly this is executed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::change::RowChange;
use super::switch::{Dump, Hook, Measure, Monitor, Play, Proof, Swap};
use super::target::{Environment, Server};

/// Rows that the plan itself carries; all of them are in its [`super::rowset::RowSet`].
pub const DIFF_ROWS: usize = 1_000;

/// Values by column; every value travels as the server's text of it.
pub type Values = Map<String, Value>;

/// A row of the plan: from what to what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedRow {
    /// The columns that identify it.
    pub key: Values,
    /// What it holds now; absent: it is to be inserted.
    pub before: Option<Values>,
    /// What it shall hold; absent: it is to be deleted.
    pub after: Option<Values>,
    /// What helps a person to recognise it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub show: Values,
    /// Rows of one unit are changed in one transaction, and nothing else with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<i64>,
    /// The step that changes it, where the plan has several that change rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
}

/// Which database the plan is for. All of it must agree: a copied cluster keeps its system identifier.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `pg_control_system()`, where it may be read.
    pub system_identifier: Option<String>,
    /// The database's oid.
    pub database_oid: u32,
    /// The database's name.
    pub database: String,
    /// `host:port/database`, or `local socket/database`.
    pub address: String,
    /// Where the data lies: two copies of one cluster on one host differ in it.
    pub data_directory: Option<String>,
    /// The history of the server's write-ahead log: a promoted copy has another.
    pub timeline: Option<u32>,
}

impl Identity {
    /// Of a server as it described itself.
    pub fn of(server: &Server) -> Self {
        Self {
            system_identifier: server.system_identifier.clone(),
            database_oid: server.database_oid,
            database: server.database.clone(),
            address: server.address.clone(),
            data_directory: server.data_directory.clone(),
            timeline: server.timeline,
        }
    }

    /// What tells this server from another, in words; empty: the same. What one of two roles may not see tells nothing
    /// while both came to the same address.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let hidden = |a: bool, b: bool| a != b && self.address == other.address;
        let text = |v: &Option<String>| v.clone().unwrap_or_else(|| "unknown".into());
        let number = |v: Option<u32>| v.map_or_else(|| "unknown".into(), |v| v.to_string());
        [
            if hidden(self.system_identifier.is_some(), other.system_identifier.is_some()) {
                ("system identifier", String::new(), String::new())
            } else {
                ("system identifier", text(&self.system_identifier), text(&other.system_identifier))
            },
            ("database", self.database.clone(), other.database.clone()),
            ("database oid", self.database_oid.to_string(), other.database_oid.to_string()),
            // Which way it is reached says nothing where the server names itself.
            if self.system_identifier.is_some() && self.system_identifier == other.system_identifier {
                ("address", String::new(), String::new())
            } else {
                ("address", self.address.clone(), other.address.clone())
            },
            if hidden(self.data_directory.is_some(), other.data_directory.is_some()) {
                ("data directory", String::new(), String::new())
            } else {
                ("data directory", text(&self.data_directory), text(&other.data_directory))
            },
            if hidden(self.timeline.is_some(), other.timeline.is_some()) {
                ("timeline", String::new(), String::new())
            } else {
                ("timeline", number(self.timeline), number(other.timeline))
            },
        ]
        .into_iter()
        .filter(|(_, a, b)| a != b)
        .map(|(what, a, b)| format!("{what}: planned for {a}, this is {b}"))
        .collect()
    }
}

/// A lock that a step takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// On what.
    pub object: String,
    /// How strong, in the server's words.
    pub mode: String,
    /// For how long, in milliseconds, where it was measured.
    pub held_ms: Option<u64>,
    /// Where it was measured.
    pub measured_on: Option<String>,
}

/// What a step does. The executor knows these and nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Action {
    /// The journal's own tables; the run that creates them is its first entry.
    Bootstrap,
    /// The step's statements, in order.
    Statements,
    /// The plan's rows, in batches.
    Rows(Box<RowChange>),
    /// Counts and sums, for the record.
    Measure(Measure),
    /// A backup.
    Dump(Dump),
    /// A command of the operator's.
    Hook(Hook),
    /// Both sides of each twin are compared.
    Prove {
        /// Each twin's.
        proofs: Vec<Proof>,
    },
    /// The step's statements inside the locks of a swap.
    Swap(Box<Swap>),
    /// Looks on.
    Monitor(Monitor),
    /// A switchover, played through in a copy.
    Rehearse(Box<Play>),
}

/// A step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Short, for progress and errors.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// What will be sent, as it will be sent.
    pub statements: Vec<String>,
    /// Locks taken.
    pub locks: Vec<Lock>,
    /// All of it, or each batch of it, is one transaction.
    pub in_transaction: bool,
    /// So many statements at a time in a transaction of their own; absent: all of them in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portion: Option<usize>,
    /// Rows that it changes, where the plan has several steps that do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Statements that take it back, in their order; of rows the images say it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub back: Vec<String>,
    /// What it looks after moves by itself, and it is right whenever it is carried out: a plan is not stale because a
    /// moment later such a step is needed, or no longer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub moving: bool,
    /// How it is carried out.
    pub action: Action,
}

impl Step {
    /// Statements in one transaction; the rest is said by `Step { …, ..Step::new(…) }`.
    pub fn new(id: impl Into<String>, title: impl Into<String>, statements: Vec<String>) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            statements,
            locks: vec![],
            in_transaction: true,
            portion: None,
            rows: None,
            back: vec![],
            moving: false,
            action: Action::Statements,
        }
    }
}

/// A verdict of the preflight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ready {
    /// Looked at, fine.
    Ok,
    /// Should be known before going on.
    Warn,
    /// Must not go on.
    Fail,
    /// Could not be looked at.
    Unknown,
}

impl Ready {
    /// Nobody goes on over it. What could not be looked at is not taken to be fine.
    #[must_use]
    pub fn blocks(self) -> bool {
        matches!(self, Self::Fail | Self::Unknown)
    }
}

/// A thing looked at before acting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preflight {
    /// Short.
    pub id: String,
    /// The verdict.
    pub status: Ready,
    /// Why.
    pub message: String,
}

impl Preflight {
    /// A verdict.
    pub fn new(id: &str, status: Ready, message: impl Into<String>) -> Self {
        Self { id: id.into(), status, message: message.into() }
    }
}

/// Can it be taken back?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reversible {
    /// To the byte.
    Full,
    /// With a loss.
    Lossy,
    /// Not.
    No,
}

/// A question asked afterwards: every row of its query is something wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// One line for people.
    pub title: String,
    /// May read `run_rows`: the images of the run.
    pub sql: String,
}

/// A group of rows with the same change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// `2025-11-24 → 2025-11-25`.
    pub change: String,
    /// How many.
    pub rows: u64,
}

/// Rows of a table that follow from the rows of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follow {
    /// The table.
    #[serde(rename = "change")]
    pub table: String,
    /// How many; `None`: they could not be counted.
    pub rows: Option<u64>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// What the count of the phrase counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Rows of tables.
    #[default]
    Rows,
    /// DDL statements.
    Statements,
    /// Twins.
    Twins,
}

impl Unit {
    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Statements => "statements",
            Self::Twins => "twins",
        }
    }

    /// The same of so many.
    pub fn of(self, n: u64) -> &'static str {
        match (self, n) {
            (Self::Rows, 1) => "row",
            (Self::Statements, 1) => "statement",
            (Self::Twins, 1) => "twin",
            _ => self.word(),
        }
    }
}

/// A plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Its own name.
    pub id: String,
    /// The verb; `undo` for an inverse plan.
    pub operation: String,
    /// On what, as in the profile.
    pub name: String,
    /// As it was asked for.
    pub params: BTreeMap<String, String>,
    /// The run that it takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    /// The target's name in the configuration.
    pub target: String,
    /// How dangerous the target is.
    pub environment: Environment,
    /// Which server.
    pub identity: Identity,
    /// By the server's clock.
    pub created_at: DateTime<Utc>,
    /// By the server's clock; applied no more after this.
    pub expires_at: DateTime<Utc>,
    /// What the phrase counts.
    pub rows: u64,
    /// And of what.
    pub unit: Unit,
    /// Why there is something to do.
    pub why: String,
    /// What changes, line by line, derived and audit rows included.
    pub changes: Vec<String>,
    /// Rows of tables that follow, as many as the rows of the plan touch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub follow: Vec<Follow>,
    /// What stands in the way of the change, how it is passed, and at what price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<String>,
    /// Can it be taken back?
    pub reversible: Reversible,
    /// How; what is lost; why not.
    pub undo: String,
    /// The selection is frozen: rows that come to match later are not part of it and do not make it stale.
    pub frozen: bool,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What was looked at.
    pub preflight: Vec<Preflight>,
    /// What is asked afterwards.
    pub verify: Vec<Verification>,
    /// The rows by the kind of their change, most first.
    pub totals: Vec<Total>,
    /// Kinds of change that are not listed in `totals`, and their rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_totals: Option<(u64, u64)>,
    /// The first rows.
    pub diff: Vec<PlannedRow>,
    /// All rows.
    pub diff_total: u64,
    /// Of all rows, as lines of JSON.
    pub rows_sha256: String,
    /// Of everything above.
    pub digest: String,
    /// What must be typed.
    pub phrase: String,
    /// The digest, signed with the key of the installation that made the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

impl Plan {
    /// The digest of the plan as this version writes it.
    pub fn computed_digest(&self) -> String {
        super::stored::digest_of(serde_json::to_value(self).unwrap_or_default())
    }

    /// The phrase that the plan's own facts and digest make.
    pub fn computed_phrase(&self) -> String {
        let start = self.digest.get(..4).unwrap_or_default();
        format!("{} {} {} {start}", self.operation, self.target, self.rows)
    }

    /// Sets digest and phrase from the rest.
    pub fn seal(&mut self) {
        self.digest = self.computed_digest();
        self.phrase = self.computed_phrase();
    }

    /// Without what may differ between two plans of the same thing: names, times, measured and observed values.
    pub(super) fn essence(&self) -> Value {
        let mut plain = self.clone();
        plain.id.clear();
        plain.digest.clear();
        plain.phrase.clear();
        plain.signature = None;
        plain.preflight.clear();
        plain.created_at = DateTime::UNIX_EPOCH;
        plain.expires_at = DateTime::UNIX_EPOCH;
        for lock in plain.steps.iter_mut().flat_map(|s| &mut s.locks) {
            lock.held_ms = None;
            lock.measured_on = None;
        }
        let moving: u64 = plain.steps.iter().filter(|s| s.moving).map(|s| s.statements.len() as u64).sum();
        plain.steps.retain(|s| !s.moving);
        if moving > 0 && plain.unit == Unit::Statements {
            // Counted and named because there was nothing else to do.
            plain.rows = plain.rows.saturating_sub(moving);
        }
        if plain.rows == 0 {
            (plain.unit, plain.why) = (Unit::Rows, String::new());
        }
        plain.steps.iter_mut().for_each(|s| s.rows = None);
        // Rows are compared one by one, not as a part of this.
        plain.diff.clear();
        plain.totals.clear();
        plain.other_totals = None;
        plain.follow.clear();
        plain.rows_sha256.clear();
        serde_json::to_value(plain).unwrap_or_default()
    }

    /// What changes, with its numbers: for people.
    pub fn change_lines(&self) -> Vec<String> {
        let mut out: Vec<String> = self
            .steps
            .iter()
            .filter_map(|s| match &s.action {
                Action::Rows(change) if s.rows != Some(0) => Some(change.line(s.rows.unwrap_or(self.rows))),
                _ => None,
            })
            .collect();
        match self.unit {
            Unit::Rows if self.rows == 0 => out.push("nothing".into()),
            Unit::Rows => {}
            unit => out.push(format!("{} {}", self.rows, unit.of(self.rows))),
        }
        out.extend(self.follow.iter().map(|f| match (f.rows, &f.unknown) {
            (Some(rows), _) => format!("{rows} rows of {} that follow", f.table),
            (None, why) => format!(
                "rows of {} that follow: how many is unknown: {}",
                f.table,
                why.as_deref().unwrap_or("no reason was given")
            ),
        }));
        out.extend(self.changes.iter().cloned());
        out.extend(self.steps.iter().filter(|s| s.moving).map(|s| s.title.clone()));
        out
    }

    /// The row changes of its steps.
    pub fn row_changes(&self) -> impl Iterator<Item = &RowChange> {
        self.steps.iter().filter_map(|s| match &s.action {
            Action::Rows(change) => Some(&**change),
            _ => None,
        })
    }
}

impl PlannedRow {
    /// Its key as text, for people and messages.
    pub fn key_text(&self) -> String {
        let one = |(name, value): (&String, &Value)| format!("{name}={}", text_of(value));
        self.key.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    /// What kind of change it is: columns that change, from what to what.
    pub fn change_text(&self) -> String {
        let value = |values: &Option<Values>, name: &str| {
            values.as_ref().and_then(|v| v.get(name)).map_or_else(|| "∅".to_owned(), text_of)
        };
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => {
                let changed: Vec<_> = after.iter().filter(|(name, v)| before.get(*name) != Some(v)).collect();
                let alone = changed.len() == 1;
                let parts = changed.into_iter().map(|(name, v)| {
                    let change = format!("{} → {}", value(&self.before, name), text_of(v));
                    if alone { change } else { format!("{name} {change}") }
                });
                parts.collect::<Vec<_>>().join(", ")
            }
            (None, Some(_)) => "inserted".into(),
            (Some(_), None) => "deleted".into(),
            (None, None) => "computed again".into(),
        }
    }
}

/// A value as a person reads it.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::Null => "NULL".into(),
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(before: &[(&str, Option<&str>)], after: &[(&str, Option<&str>)]) -> PlannedRow {
        let values = |v: &[(&str, Option<&str>)]| -> Values {
            v.iter()
                .map(|(k, v)| ((*k).to_owned(), v.map_or(Value::Null, |v| Value::String(v.into()))))
                .collect()
        };
        PlannedRow { before: Some(values(before)), after: Some(values(after)), ..PlannedRow::default() }
    }

    #[test]
    fn a_change_names_what_changes() {
        assert_eq!(
            row(&[("d", Some("2025-11-24"))], &[("d", Some("2025-11-25"))]).change_text(),
            "2025-11-24 → 2025-11-25"
        );
        assert_eq!(
            row(
                &[("a", None), ("b", Some("x")), ("c", Some("y"))],
                &[("a", Some("1")), ("b", Some("x")), ("c", Some("z"))]
            )
            .change_text(),
            "a NULL → 1, c y → z"
        );
    }

    #[test]
    fn identities_are_told_apart_by_any_part() {
        let a = Identity {
            system_identifier: Some("7".into()),
            data_directory: Some("d".into()),
            timeline: Some(1),
            ..Identity::default()
        };
        assert!(a.differences(&a).is_empty());
        let promoted = Identity { timeline: Some(2), ..a.clone() };
        assert_eq!(a.differences(&promoted), ["timeline: planned for 1, this is 2"]);
        let elsewhere = "db2:5432/app".to_owned();
        let little = Identity { data_directory: None, timeline: None, ..a.clone() };
        assert!(a.differences(&little).is_empty(), "a role that sees less is no other server");
        let copy = Identity { address: elsewhere, ..little };
        assert_eq!(a.differences(&copy).len(), 2, "what is hidden is not taken for the same elsewhere");
    }
}
