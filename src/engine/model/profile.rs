//! What a profile says: which things to watch on a kind of system. Plain data; `crate::profile` loads it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::model::name::{ParseName, members};
use crate::engine::model::report::Severity;

/// Everything one kind of system wants watched. A new system is a new file of this shape: no code.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The name used by `--profile` and in `[targets.*]`.
    pub name: String,
    /// One line for people.
    #[serde(default)]
    pub title: String,
    /// Tables that must all exist for this profile to be chosen by itself.
    #[serde(default)]
    pub detect: Vec<String>,
    /// Schemas searched for unqualified names.
    #[serde(default = "public")]
    pub search_path: Vec<String>,
    /// How the server says how dangerous it is.
    #[serde(default)]
    pub environment: Option<EnvironmentMarker>,
    /// Queries that rules may read as if they were tables.
    #[serde(default)]
    pub sources: BTreeMap<String, Source>,
    /// Folders of migration files.
    #[serde(default)]
    pub migrations: Vec<MigrationFolder>,
    /// Legacy tables with partitioned twins.
    #[serde(default)]
    pub twins: Vec<Twin>,
    /// Partitioned tables without a twin, watched for coverage.
    #[serde(default)]
    pub partitioned: Vec<String>,
    /// Work queues kept in tables.
    #[serde(default)]
    pub queues: Vec<Queue>,
    /// Rules whose every row is something wrong.
    #[serde(default)]
    pub anomalies: Vec<AnomalyRule>,
    /// Columns that can be recomputed; planned and applied from step 2 on, listed as actions now.
    #[serde(default)]
    pub backfills: Vec<Backfill>,
    /// Columns whose values are never shown, as `table.column`, quoted as the dialect does; without a table: of every table.
    #[serde(default)]
    pub secret_columns: Vec<String>,
    /// Triggers whose writing is known, as `table.trigger`: it is in the tables that follow a change, or nowhere. `*`
    /// stands for any table, and at the end of a name for any rest.
    #[serde(default)]
    pub known_triggers: Vec<String>,
}

fn public() -> Vec<String> {
    vec!["public".into()]
}

/// Where the server keeps the word of its environment; of several that say something the strictest counts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentMarker {
    /// A setting's name.
    #[serde(default)]
    pub setting: Option<String>,
    /// A query with one row and one column.
    #[serde(default)]
    pub sql: Option<String>,
}

/// A query with a name; `through` reads through a correction table where that table exists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The query.
    pub sql: String,
    /// A relation that may be absent.
    #[serde(default)]
    pub when_exists: Option<String>,
    /// The query to use where it is present.
    #[serde(default)]
    pub sql_when_exists: Option<String>,
}

/// A folder of migration files and where their history is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MigrationFolder {
    /// The check's name.
    pub name: String,
    /// The folder, relative to the configuration file or the working directory; absent: history only.
    #[serde(default)]
    pub folder: Option<String>,
    /// Who wrote down what was applied.
    #[serde(default)]
    pub history: HistoryKind,
    /// The history table where it is not the tool's usual one.
    #[serde(default)]
    pub table: Option<String>,
    /// Queries that answer whether a file's work is present, by file name or its number;
    /// for the rest the objects that the file creates are looked up.
    #[serde(default)]
    pub probes: BTreeMap<String, String>,
}

/// The kinds of migration history.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HistoryKind {
    /// Nobody did: the catalog is probed for what each file creates.
    #[default]
    None,
    /// `midwatch.migrations`.
    Midwatch,
    /// `_sqlx_migrations`.
    Sqlx,
    /// `drizzle.__drizzle_migrations` and `meta/_journal.json`.
    Drizzle,
    /// `schema_migrations(version)`: names only.
    Versions,
}

/// A legacy table and the partitioned table that is to replace it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Twin {
    /// The check's name; the legacy table unless given.
    #[serde(default)]
    pub name: Option<String>,
    /// The table in use.
    pub legacy: String,
    /// The table to come.
    pub partitioned: String,
    /// Columns that identify a row on both sides.
    pub key: Vec<String>,
    /// Columns whose sums are reported.
    #[serde(default)]
    pub sums: Vec<String>,
    /// Triggers that keep the twin in step.
    #[serde(default)]
    pub triggers: Vec<String>,
    /// Rows that are compared before the age of the snapshot is looked at; 5,000,000 unless given.
    #[serde(default)]
    pub chunk_rows: Option<u64>,
    /// Seconds after which a snapshot is let go and another taken; 600 unless given.
    #[serde(default)]
    pub snapshot_limit_s: Option<u64>,
    /// What the legacy table is called after a switchover; `LEGACY_legacy` unless given.
    #[serde(default)]
    pub retired: Option<String>,
}

impl Twin {
    /// The check's name.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.legacy)
    }
}

/// A queue whose work items are rows of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// The check's name.
    pub name: String,
    /// The table of work items.
    pub table: String,
    /// Its key column.
    pub key: String,
    /// The column of the state.
    pub state: String,
    /// Which states mean what.
    pub states: QueueStates,
    /// Number of attempts made.
    #[serde(default)]
    pub attempts: Option<String>,
    /// Attempts after which nothing tries again.
    #[serde(default = "five")]
    pub max_attempts: i64,
    /// When the item came (timestamptz).
    pub created: String,
    /// When it was last tried (timestamptz).
    #[serde(default)]
    pub attempted: Option<String>,
    /// Expression: the error's text.
    #[serde(default)]
    pub message: Option<String>,
    /// Expression: the error's code.
    #[serde(default)]
    pub code: Option<String>,
    /// Condition under which trying again is pointless.
    #[serde(default)]
    pub permanent_when: Option<String>,
    /// Seconds after which work in progress counts as stuck.
    #[serde(default = "thirty")]
    pub stuck_after_s: i64,
    /// Seconds after which a waiting item is late.
    #[serde(default = "late")]
    pub late_after_s: i64,
    /// Days carrying an error flag, elsewhere.
    #[serde(default)]
    pub days: Option<FlaggedDays>,
    /// The job store beside the table, where there is one.
    #[serde(default)]
    pub jobs: Option<JobStore>,
    /// What goes with a row's state when it is changed by an operator.
    #[serde(default)]
    pub changes: Option<QueueChanges>,
}

/// What goes with a change of a work item's state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueChanges {
    /// What goes with the change: audit rows, and tables that follow.
    #[serde(default)]
    pub write: Write,
    /// Columns that a requeued row gets besides its state, as expressions over `t`.
    #[serde(default)]
    pub requeue: BTreeMap<String, String>,
    /// Rows of the first batch.
    #[serde(default = "canary")]
    pub canary: u64,
    /// Seconds to wait for what becomes of them.
    #[serde(default = "canary_wait")]
    pub canary_wait_s: u64,
    /// Percent of changed rows that may fail again, after the first batch, before the run is stopped.
    #[serde(default = "canary_percent")]
    pub max_failed_percent: u32,
}

fn canary() -> u64 {
    5
}
fn canary_wait() -> u64 {
    60
}
fn canary_percent() -> u32 {
    10
}

/// Rows that a change writes, and what goes with them. A backfill, its alternative, a fix and a queue's changes have one
/// each; which fields each of them reads, its validation says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Write {
    /// The table that is written.
    pub table: String,
    /// Its key: columns of a unique index.
    pub key: Vec<String>,
    /// More to read beside the row that the values are computed from: a JOIN.
    pub join: Option<String>,
    /// Which rows.
    pub filter: Option<String>,
    /// The value per column, as an expression over the row.
    pub set: BTreeMap<String, String>,
    /// What helps to recognise a row, as expressions over it.
    pub show: BTreeMap<String, String>,
    /// The system's own record: an INSERT that reads `batch`.
    pub audit: Option<String>,
    /// What the change entails: a query over `batch` whose functions do it.
    pub after_batch: Option<String>,
    /// Tables that follow, by triggers or by `after_batch`.
    pub derived: Vec<DerivedTable>,
    /// What is asked afterwards.
    pub verify: Vec<Question>,
    /// What other features must know before it: verdicts on their checks, as `check/verdict`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<String>,
}

impl Write {
    /// The verdicts that are asked for before it.
    pub fn verdicts(&self) -> Vec<&str> {
        self.verdicts.iter().map(String::as_str).collect()
    }

    /// The fields that say something, by the names they have in a profile.
    pub fn given(&self) -> Vec<&'static str> {
        let fields = [
            ("table", !self.table.is_empty()),
            ("key", !self.key.is_empty()),
            ("join", self.join.is_some()),
            ("filter", self.filter.is_some()),
            ("set", !self.set.is_empty()),
            ("show", !self.show.is_empty()),
            ("audit", self.audit.is_some()),
            ("after_batch", self.after_batch.is_some()),
            ("derived", !self.derived.is_empty()),
            ("verify", !self.verify.is_empty()),
            ("verdicts", !self.verdicts.is_empty()),
        ];
        fields.into_iter().filter_map(|(name, given)| given.then_some(name)).collect()
    }
}

/// A table that follows from another: its rows are kept before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DerivedTable {
    /// The table.
    pub table: String,
    /// Columns that identify its rows.
    pub key: Vec<String>,
    /// Which of them a batch touches: a query over `batch` that gives the key.
    pub rows: String,
}

/// A question asked after a change: its query's rows are what is wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// One line for people.
    pub title: String,
    /// The query; may read `run_rows` (relation, key, before, after, seq) and the profile's sources. Of a changed row
    /// `before` has the key and the changed columns, `after` those columns; of other rows both have all of them.
    pub sql: String,
}

fn five() -> i64 {
    5
}
fn thirty() -> i64 {
    30
}
fn late() -> i64 {
    900
}

/// The states of a queue by meaning.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueStates {
    /// Waits.
    pub pending: Vec<String>,
    /// Being worked on.
    #[serde(default)]
    pub processing: Vec<String>,
    /// Finished well.
    pub done: Vec<String>,
    /// Failed, may be tried again.
    #[serde(default)]
    pub failed: Vec<String>,
    /// Failed for good.
    #[serde(default)]
    pub permanent: Vec<String>,
    /// Left out on purpose.
    #[serde(default)]
    pub skipped: Vec<String>,
}

impl QueueStates {
    /// Every state that has a meaning.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        [&self.pending, &self.processing, &self.done, &self.failed, &self.permanent, &self.skipped]
            .into_iter()
            .flatten()
    }
}

/// A table of days with a flag that says something failed that day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlaggedDays {
    /// The table.
    pub table: String,
    /// Its boolean column.
    pub flag: String,
    /// Columns that name the day.
    pub key: Vec<String>,
}

/// A queue of jobs that belongs to the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobStore {
    /// `bullmq`.
    pub kind: String,
    /// The queue's name there.
    pub queue: String,
    /// Key prefix.
    #[serde(default)]
    pub prefix: Option<String>,
}

/// A query whose every row is something wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnomalyRule {
    /// The check's name.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// How bad a row is.
    #[serde(default)]
    pub severity: Severity,
    /// Columns of the result that identify a row.
    pub key: Vec<String>,
    /// The query; may read the profile's sources by name.
    pub sql: String,
    /// Headings by column.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What to show around a row.
    #[serde(default)]
    pub context: Option<Context>,
    /// What mends a row.
    #[serde(default)]
    pub fix: Option<Fix>,
}

/// What mends a row of a rule: a row that is inserted, or a function that computes something again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fix {
    /// What it does, in one line.
    pub title: String,
    /// The row to insert, as expressions over the rule's row `r`. With `compute`: what the row shall hold, to be shown.
    #[serde(default)]
    pub write: Write,
    /// What the row holds now, to be shown; with `compute` only.
    #[serde(default)]
    pub was: BTreeMap<String, String>,
    /// Nothing is inserted: a query over `batch` whose functions do the work.
    #[serde(default)]
    pub compute: Option<String>,
    /// Where the inserted row must stay: the row that revokes it, as expressions over the inserted row `r`.
    #[serde(default)]
    pub revoke: Option<BTreeMap<String, String>>,
}

/// A query that shows one row's surroundings; `{column}` stands for the row's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// One line for people.
    pub title: String,
    /// The query.
    pub sql: String,
}

/// A column that can be recomputed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backfill {
    /// The operation's name.
    pub name: String,
    /// The table, which rows of it need it, and the new values, as expressions over its row `t`.
    #[serde(default)]
    pub write: Write,
    /// The anomaly rule it mends.
    #[serde(default)]
    pub mends: Option<String>,
    /// Why, for people and for the audit rows.
    #[serde(default)]
    pub reason: Option<String>,
    /// Expressions over `t` that put rows together whose derived rows are the same; by key when absent.
    #[serde(default)]
    pub order: Option<String>,
    /// A trigger that forbids the change: off for the time of each batch.
    #[serde(default)]
    pub guard: Option<String>,
    /// Another way: corrective rows in a table of their own.
    #[serde(default)]
    pub instead: Option<Instead>,
}

/// Corrective rows that leave the table as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instead {
    /// `--set strategy=` this.
    pub strategy: String,
    /// The table of corrections, and the correction as expressions over the backfill's row `t`; its filter is asked besides
    /// the backfill's.
    #[serde(default)]
    pub write: Write,
}

impl Profile {
    /// Is what the trigger writes known?
    pub fn knows_trigger(&self, table: &str, trigger: &str, parse: ParseName<'_>) -> bool {
        let bare = parse(table).name;
        // What mirrors a table is what keeps its twin in step.
        let mirrors = |t: &Twin| t.triggers.iter().any(|m| m == trigger) && parse(&t.legacy).name == bare;
        if self.twins.iter().any(mirrors) {
            return true;
        }
        self.known_triggers.iter().flat_map(|k| members(k, parse)).any(|(t, name)| {
            let named = match name.strip_suffix('*') {
                Some(start) => trigger.starts_with(start),
                None => trigger == name,
            };
            named && (t == "*" || parse(t).name == bare)
        })
    }

    /// Columns of a table whose values must not be kept or shown: too many rather than too few. Of an entry that can be read
    /// in several ways each counts; one that names no table is a column of every table.
    pub fn secrets_of(&self, table: &str, parse: ParseName<'_>) -> Vec<String> {
        let bare = parse(table).name;
        let mut out = Vec::new();
        for entry in &self.secret_columns {
            let whole = parse(entry);
            out.extend(whole.schema.is_none().then_some(whole.name));
            let members = members(entry, parse).filter(|(t, _)| parse(t).name == bare);
            out.extend(members.map(|(_, column)| column));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::name::Relation;

    fn profile() -> Profile {
        let texts = |all: &[&str]| all.iter().map(|t| (*t).to_owned()).collect();
        Profile {
            secret_columns: texts(&[
                "users.token",
                "users.\"Pin\"",
                "public.users.\"a.b\"",
                "\"Odd.Users\".pin",
                "other.word",
                "key",
            ]),
            known_triggers: texts(&["users.\"Audit\"", "\"Odd.Users\".note", "*.fault_*"]),
            ..Profile::default()
        }
    }

    #[test]
    fn a_secret_column_is_the_last_name_of_its_entry() {
        let secrets = |table: &str| profile().secrets_of(table, &Relation::parse);
        for table in ["users", "\"users\"", "public.users"] {
            assert_eq!(secrets(table), ["token", "Pin", "a.b", "key"], "{table}");
        }
        assert_eq!(secrets("\"Odd.Users\""), ["pin", "key"]);
        assert_eq!(secrets("third"), ["key"], "no table is named: of any");
    }

    #[test]
    fn a_known_trigger_is_the_last_name_of_its_entry() {
        let known = |table: &str, trigger: &str| profile().knows_trigger(table, trigger, &Relation::parse);
        assert!(known("public.users", "Audit") && known("\"Odd.Users\"", "note") && known("any", "fault_1"));
        assert!(!known("users", "note") && !known("other", "Audit") && !known("users", "\"Audit\""));
    }
}
