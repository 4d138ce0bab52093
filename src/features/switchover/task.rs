//! What the tasks of a switchover are given, as plans keep it.

use crate::engine::model::error::Result;
use crate::engine::model::phrase::tries;
use crate::engine::model::plan::Unit;
use crate::engine::model::preflight::{Preflight, Ready};
use crate::engine::port::reader::Fut;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a plan with twin pairs counts.
pub const TWINS: Unit = Unit::new("twins");

/// Rehearses switchovers in copies. Compose gives one to [`Adapters`](crate::engine::port::adapters::Adapters).
pub trait Rehearse: Send + Sync {
    /// Copies, switches over, writes, rolls back.
    fn rehearse<'a>(&'a self, play: &'a RehearsalPlan) -> Fut<'a, Result<RehearsalResult>>;
}

/// Shared by all runs of a target.
pub type Rehearser = Arc<dyn Rehearse>;

/// All pairs of a set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EqualityQueries {
    /// Each pair's.
    pub proofs: Vec<EqualityQuery>,
}

impl EqualityQueries {
    /// Compares all rows.
    pub const TASK: &str = "prove";
}

impl Swap {
    /// The step's statements inside the locks of a swap.
    pub const TASK: &str = "swap";

    /// Views that a switchover makes again: they are locked first, then both tables of each pair.
    pub fn views(&self) -> &[String] {
        let tables = usize::try_from(self.twins).unwrap_or(usize::MAX).saturating_mul(2);
        self.tables.get(..self.tables.len().saturating_sub(tables)).unwrap_or_default()
    }
}

impl Measure {
    /// Counts, for the record.
    pub const TASK: &str = "measure";
}

/// A backup of the tables: [`Dump`](crate::engine::port::backups::Dump).
pub const DUMP_TASK: &str = "dump";
/// A command of the operator's: [`Hook`](crate::engine::port::hooks::Hook).
pub const HOOK_TASK: &str = "hook";

impl RehearsalPlan {
    /// A switchover, rehearsed in a copy.
    pub const TASK: &str = "rehearse";
}

/// Are both sides of a twin equal? Every row of its queries is one that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EqualityQuery {
    /// The twin.
    pub name: String,
    /// All rows, compared in the statement's own snapshot.
    pub sql: String,
    /// Only rows that were written since the snapshot `$1`; absent: nothing marks them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
}

/// Rows written since a snapshot, as a write marker keeps them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Since {
    /// Those that differ.
    pub differ: String,
    /// How many there are, as one number.
    pub marked: String,
    /// What tells this marker from another: one text, or NULL where it is not complete. As long as it is the same,
    /// nothing was written unmarked.
    pub fingerprint: String,
}

/// Tables that change places, in one transaction, within a budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Swap {
    /// Twins that are switched.
    pub twins: u64,
    /// Locked in this order, so that two who do it cannot block each other for good.
    pub tables: Vec<String>,
    /// Asked again inside the locks.
    pub proofs: Vec<EqualityQuery>,
    /// How long one attempt waits for a lock, and whoever comes after it waits with it (milliseconds).
    pub lock_timeout_ms: u64,
    /// How long the locks may be held before it all is taken back (milliseconds).
    pub budget_ms: u64,
    /// Attempts.
    pub attempts: u32,
    /// A transaction that has held one of the tables for longer is waited for without standing in line (milliseconds).
    pub patience_ms: u64,
    /// How long such transactions are waited for in all before it is postponed (seconds).
    #[serde(default)]
    pub wait_s: u64,
    /// What depends on each partitioned table once it has the live name; empty in a rollback, a cleanup and plans of older
    /// builds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependents: Vec<DependentsAtSwitch>,
}

/// What depends on a partitioned table when it takes the live name, by this switch or before it: a rollback finds by it
/// what came later.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DependentsAtSwitch {
    /// The twin.
    pub twin: String,
    /// The partitioned table's columns.
    pub columns: Vec<String>,
    /// Views that are made again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<String>,
    /// Triggers that are made on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<String>,
    /// Privileges that are granted on it, each with its role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<(String, String)>,
    /// What it had before, as the preflight names it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own: Vec<String>,
}

/// Of a swap what a person is shown while it runs; its proofs are not read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SwapSummary {
    /// Pairs that change places.
    pub twins: u64,
    /// What is locked, in this order.
    pub tables: Vec<String>,
    /// How long the locks may be held (milliseconds).
    pub budget_ms: u64,
    /// Attempts.
    pub attempts: u32,
    /// How long one attempt waits for a lock (milliseconds).
    pub lock_timeout_ms: u64,
    /// A transaction that has held one of the tables for longer is waited for outside (milliseconds).
    pub patience_ms: u64,
}

/// Counts, sums and checksums at a stage, for the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// `PRE-FLIGHT`, …
    pub stage: String,
    /// Gives `table`, `rows`, `sums` (an object) and `checksum` (the sum of the 64-bit digests of all rows).
    pub sql: String,
}

/// Looking on after the switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Monitor {
    /// For so long.
    pub seconds: u64,
    /// What must stay true.
    pub proofs: Vec<EqualityQuery>,
}

impl Monitor {
    /// Compares what is written after the swap.
    pub const TASK: &str = "monitor";

    /// Does a marker tell what is written meanwhile?
    pub fn is_marked(&self) -> bool {
        self.proofs.iter().all(|p| p.since.is_some())
    }
}

/// A switchover to be played through in a copy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RehearsalPlan {
    /// The set, as the switchover would name it.
    pub name: String,
    /// Its parameters.
    pub params: std::collections::BTreeMap<String, String>,
    /// The twins' tables that get rows.
    pub twins: Vec<RehearsalTwin>,
    /// Rows of each legacy table that are copied at most; absent: all.
    pub rows: Option<u64>,
    /// Sessions that write meanwhile.
    pub writers: u32,
    /// How long they write before the switch, after it and after the way back.
    pub seconds: u64,
}

/// A twin of a [`RehearsalPlan`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RehearsalTwin {
    /// The legacy table.
    pub legacy: String,
    /// Its twin.
    pub twin: String,
    /// The key of a row, with its types.
    pub key: Vec<(String, String)>,
    /// A column of the partition key that is a time.
    pub time: Option<String>,
    /// Columns that an inserted copy of a row takes over; the others come from their defaults.
    pub columns: Vec<String>,
    /// A column that is written over and over.
    pub column: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RehearsalResult {
    /// What was copied, in words.
    pub copied: String,
    /// The switchover's preflight there: id, verdict, message.
    pub preflight: Vec<(String, String, String)>,
    /// Lines of it that were not in order and follow from the definitions; absent: an older build did not tell them apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparable: Option<Vec<ComparableLine>>,
    /// Locks held by the switch, and by the way back (milliseconds).
    pub held_ms: u64,
    /// The way back.
    pub back_ms: u64,
    /// Attempts that the switch took.
    pub attempts: u64,
    /// Statements that the writers committed.
    pub writes: u64,
    /// Writes that the tables themselves refused (a unique key, a CHECK), before the switch as after it.
    pub refused: u64,
    /// Their latency, over all: median, 99th percentile, longest (milliseconds).
    pub latency_ms: (f64, f64, f64),
    /// The longest of those that began before the switch and ended after it had begun.
    pub stall_ms: f64,
    /// How long a transaction of each of the switch's other steps took (milliseconds), the longest of its portions.
    #[serde(default)]
    pub steps: BTreeMap<String, u64>,
    /// What went wrong, in words; none: it would do.
    pub failures: Vec<String>,
}

/// A line of a rehearsal's preflight that a plan of the same pair has as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparableLine {
    /// The line's id.
    pub id: String,
    /// The pair that it is about.
    pub pair: String,
    /// What it says.
    pub message: String,
}

impl ComparableLine {
    /// Of a preflight, its lines that are not in order and follow from the definitions.
    pub fn from_preflight(lines: &[Preflight]) -> Vec<Self> {
        let comparable = |p: &Preflight| {
            let pair = p.copied_with.clone().filter(|_| p.status != Ready::Ok)?;
            Some(Self { id: p.id.clone(), pair, message: p.message.clone() })
        };
        lines.iter().filter_map(comparable).collect()
    }
}

impl RehearsalResult {
    /// Takes the switchover's preflight there.
    pub fn keep_preflight(&mut self, lines: &[Preflight]) {
        let word = |status: Ready| format!("{status:?}").to_lowercase();
        self.preflight = lines.iter().map(|p| (p.id.clone(), word(p.status), p.message.clone())).collect();
        self.comparable = Some(ComparableLine::from_preflight(lines));
    }

    /// What is worth knowing of it at once.
    pub fn summary_lines(&self) -> Vec<String> {
        let (median, p99, longest) = self.latency_ms;
        vec![
            format!(
                "locks held {} ms by the switch ({}), {} ms by the way back",
                self.held_ms,
                tries(self.attempts),
                self.back_ms
            ),
            format!(
                "{} writes committed beside it: median {median:.1} ms, p99 {p99:.1} ms, longest {longest:.1} ms; across the switch {:.1} ms at most",
                self.writes, self.stall_ms
            ),
            format!(
                "{} writes of the generator were refused by the tables' own constraints, before the switch as after it",
                self.refused
            ),
            self.copied.clone(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_come_before_the_tables_of_the_pairs() {
        let swap = |twins, tables: &[&str]| Swap {
            twins,
            tables: tables.iter().map(|t| (*t).to_owned()).collect(),
            proofs: vec![],
            lock_timeout_ms: 60,
            budget_ms: 250,
            attempts: 1,
            patience_ms: 500,
            wait_s: 0,
            dependents: vec![],
        };
        assert_eq!(swap(1, &["v", "w", "a", "a_new"]).views(), ["v", "w"]);
        assert!(swap(2, &["a", "b", "a_new", "b_new"]).views().is_empty());
        assert!(swap(2, &["a"]).views().is_empty());
    }

    #[test]
    fn a_swap_of_an_older_plan_prints_as_it_was_read() {
        let text = r#"{"twins":1,"tables":["a","a_new"],"proofs":[],"lock_timeout_ms":60,"budget_ms":250,"attempts":1,"patience_ms":500,"wait_s":0}"#;
        let swap: Swap = serde_json::from_str(text).unwrap();
        assert!(swap.dependents.is_empty());
        assert_eq!(serde_json::to_string(&swap).unwrap(), text);
    }
}
