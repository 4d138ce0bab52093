//! What is reported of a pair of tables.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::model::report::Report;
use crate::features::parity::pair::SwitchState;
use crate::features::parity::pair::retired::RetiredTable;

/// The kind of this feature's check.
pub const KIND: &str = "parity";

/// The name of [`ParityFacts::self_test`] in a report's facts.
pub const SELF_TEST: &str = "self_test";

/// What is known of a partition's rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartitionStatus {
    /// Equal on both sides.
    #[serde(rename = "equal")]
    Equal,
    /// Counts are equal; rows were not compared.
    #[serde(rename = "counts equal")]
    CountsEqual,
    /// Something differs.
    #[serde(rename = "differs")]
    Differs,
    /// Legacy rows belong there, and there is no such partition.
    #[serde(rename = "missing")]
    Missing,
    /// Nothing was compared.
    #[default]
    #[serde(rename = "not compared")]
    NotCompared,
}

impl PartitionStatus {
    /// For people, and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::CountsEqual => "counts equal",
            Self::Differs => "differs",
            Self::Missing => "missing",
            Self::NotCompared => "not compared",
        }
    }

    /// Are rows wrong there?
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Differs | Self::Missing)
    }
}

/// When a sync trigger fires.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyncTriggerState {
    /// For every write of an ordinary session.
    Enabled,
    /// For every write.
    Always,
    /// For some rows or columns only.
    Conditional,
    /// Only for what is replicated.
    Replica,
    /// Never.
    Disabled,
    /// There is none.
    #[default]
    Missing,
}

impl SyncTriggerState {
    /// For people, and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Always => "always",
            Self::Conditional => "conditional",
            Self::Replica => "replica",
            Self::Disabled => "disabled",
            Self::Missing => "missing",
        }
    }

    /// Does it see every write of an application?
    pub fn is_whole(self) -> bool {
        matches!(self, Self::Enabled | Self::Always)
    }

    /// Does it see writes of an application, all or some?
    pub fn fires_at_all(self) -> bool {
        self.is_whole() || self == Self::Conditional
    }
}

/// A partition of the twin and the legacy rows that belong there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// Its name.
    pub partition: String,
    /// Legacy rows that belong there; null where the partitioning cannot be computed for them.
    pub legacy_rows: Option<u64>,
    /// Rows it holds.
    pub partitioned_rows: Option<u64>,
    /// What is known of its rows.
    pub status: PartitionStatus,
    /// Found equal before and not written since: not read again.
    #[serde(default)]
    pub sealed: bool,
    /// The snapshot in which it was found equal.
    #[serde(default)]
    pub proof_snapshot: Option<String>,
    /// When, by the server's clock.
    #[serde(default)]
    pub proved_at: Option<String>,
}

/// Rows that differ by count or digest, where no key tells one from another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnmatchedRows {
    /// The partition where they are or belong; null: the partitioning cannot be computed, all are compared as one.
    pub partition: Option<String>,
    /// Keys that they are among; null: of any.
    pub keys: Option<String>,
    /// Legacy rows that belong there, whatever their key.
    pub legacy_rows: u64,
    /// The twin's rows there.
    pub partitioned_rows: u64,
}

/// A trigger that keeps the twin in step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncTrigger {
    /// Its name.
    pub name: String,
    /// When it fires.
    pub state: SyncTriggerState,
    /// `INSERT`, `UPDATE`, `DELETE`, `TRUNCATE`.
    pub events: Vec<String>,
    /// Of these, the ones that it fires for in part.
    #[serde(default)]
    pub partial: Vec<String>,
    /// `when …` or `for updates of …`.
    #[serde(default)]
    pub only: Option<String>,
    /// Columns that its function writes to the twin and the twin lacks.
    #[serde(default)]
    pub unknown_columns: Vec<String>,
}

impl SyncTrigger {
    /// Writes that must be copied row by row.
    pub(crate) const EVENTS: [&'static str; 3] = ["INSERT", "UPDATE", "DELETE"];

    /// Does it fire for every such write of an application?
    pub fn fires_for_every(&self, event: &str) -> bool {
        let has = |events: &[String]| events.iter().any(|e| e == event);
        self.state.fires_at_all() && has(&self.events) && !has(&self.partial)
    }

    /// Does it do all that it is there for: is it on, without a condition, and can the twin take what it writes?
    fn is_sound(&self) -> bool {
        let condition = self.state == SyncTriggerState::Conditional && self.only.is_some();
        self.state.fires_at_all() && !condition && self.unknown_columns.is_empty()
    }
}

/// A column's sum on both sides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// Of the legacy table.
    pub legacy: Option<String>,
    /// Of the twin.
    pub partitioned: Option<String>,
}

/// A sequence that numbers a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// The twin's column.
    #[serde(default)]
    pub column: String,
    /// Its name.
    pub name: String,
    /// Last number given out; null: none yet, or not readable.
    pub last: Option<i64>,
    /// The role may see its position.
    pub readable: bool,
    /// Largest number in the twin; null: none, or not a number.
    pub max: Option<i64>,
}

/// A part of a comparison that took several snapshots.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Its keys.
    pub range: String,
    /// Its snapshot.
    pub snapshot: String,
    /// When that was taken, by the server's clock.
    pub at: String,
    /// It was read by an earlier run, which this one went on with.
    #[serde(default)]
    pub resumed: bool,
}

/// Differences planted in a copy, and whether the comparison finds them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfTest {
    /// So many were planted.
    pub planted: u64,
    /// So many of them were found, and as what they are.
    pub found: u64,
    /// What was not found, or was found though it was not planted.
    pub missed: Vec<String>,
    /// What could not be planted, and why.
    pub not_planted: Vec<String>,
    /// What was copied.
    pub copy: String,
}

/// The facts of a pair of tables.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ParityFacts {
    /// Rows of the legacy table; null: no legacy table is declared.
    pub legacy_rows: Option<u64>,
    /// Rows of the twin.
    pub partitioned_rows: Option<u64>,
    /// Legacy rows that the twin lacks; this and the next four are null where rows were not compared.
    pub missing_in_partitioned: Option<u64>,
    /// Twin rows that the legacy table lacks.
    pub missing_in_legacy: Option<u64>,
    /// Rows on both sides with different values.
    pub different: Option<u64>,
    /// Old copies of rows that have moved to another partition key.
    pub stale: Option<u64>,
    /// Second rows with the same key.
    pub duplicate: Option<u64>,
    /// Sums by column.
    pub sums: BTreeMap<String, Sums>,
    /// Who answers to the legacy table's name.
    #[serde(default)]
    pub standing: SwitchState,
    /// Where the retired table is once it was cleaned up; absent when it is gone.
    #[serde(default)]
    pub away: Option<RetiredTable>,
    /// The snapshot that everything was compared in.
    pub snapshot: Option<String>,
    /// What was compared, in words.
    pub compared: String,
    /// The snapshots, where there were several: each with its keys.
    #[serde(default)]
    pub readings: Vec<Reading>,
    /// Partitions that were not read, because nothing was written there since they were found equal.
    #[serde(default)]
    pub sealed: u64,
    /// Why no partition can be sealed.
    #[serde(default)]
    pub unsealed: Option<String>,
    /// Whether planted differences are found; absent unless asked for.
    #[serde(default)]
    pub self_test: Option<SelfTest>,
    /// Columns compared.
    pub columns: Vec<String>,
    /// Partitions in order.
    pub partitions: Vec<Partition>,
    /// Triggers that mirror.
    pub triggers: Vec<SyncTrigger>,
    /// The twin's sequence: the first of all, that of the key where it has one.
    pub sequence: Option<Sequence>,
    /// All sequences of the twin.
    #[serde(default)]
    pub sequences: Vec<Sequence>,
    /// Keys that differ, or hold NULL, and were not looked at one by one.
    pub not_classified: u64,
    /// Partitions that differ and whose rows were not read one by one.
    pub partitions_not_read: u64,
    /// What differs by count or digest, where no key names a row; null where rows were told apart or not compared.
    #[serde(default)]
    pub digests_differ: Option<Vec<UnmatchedRows>>,
    /// They could have been named, and naming them failed.
    #[serde(skip)]
    pub rows_unnamed: bool,
    /// The key, where no unique index of the legacy table is behind it: rows are not told apart then.
    #[serde(default)]
    pub key_not_unique: Option<String>,
}

impl ParityFacts {
    /// The facts of a report of this check; `None`: it is of another kind, or has none.
    pub fn from_report(report: &Report) -> Option<Self> {
        if report.id.kind != KIND {
            return None;
        }
        Self::deserialize(&report.facts).ok()
    }

    /// Rows that are not equal; `None` where rows were not compared.
    pub fn differences(&self) -> Option<u64> {
        let by_class = self.missing_in_partitioned?
            + self.missing_in_legacy?
            + self.different?
            + self.stale?
            + self.duplicate?;
        Some(by_class + self.not_classified + self.partitions_not_read)
    }

    /// Do triggers copy every write? `None`: there is no legacy table, nothing is to be copied.
    pub fn copies_every_write(&self) -> Option<bool> {
        self.legacy_rows?;
        let fires = |event: &&str| self.triggers.iter().any(|t| t.fires_for_every(event));
        Some(self.triggers.iter().all(SyncTrigger::is_sound) && SyncTrigger::EVENTS.iter().all(fires))
    }

    /// Are both sides the same, by whatever was compared? `None` where rows were not.
    pub fn equal(&self) -> Option<bool> {
        self.differences().map(|n| n == 0).or_else(|| Some(self.digests_differ.as_ref()?.is_empty()))
    }
}
