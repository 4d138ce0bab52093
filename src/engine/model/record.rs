//! Runs as the journal lists them, and the journal's own state.

use crate::engine::model::diff::PlannedRow;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::event::Event;
use crate::engine::model::plan::Unit;
use crate::engine::model::preflight::Reversible;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who acts, from where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// The user's name on their own machine.
    pub user: String,
    /// That machine.
    pub host: String,
}

impl std::fmt::Display for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.user, self.host)
    }
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It is going on, or its client died.
    Running,
    /// All of it was done and proved.
    Applied,
    /// Nothing of it was done.
    Failed,
    /// Some of it was done: stopped, or rows had drifted, or the proof failed.
    Partial,
    /// Nobody can tell.
    Ambiguous,
    /// A guard said no.
    Refused,
    /// The world had moved.
    Stale,
}

impl Outcome {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Applied => "applied",
            Self::Failed => "failed",
            Self::Partial => "partial",
            Self::Ambiguous => "ambiguous",
            Self::Refused => "refused",
            Self::Stale => "stale",
        }
    }
}

/// A run, as the journal has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Its number.
    pub id: String,
    /// The verb.
    pub operation: String,
    /// On what.
    pub name: String,
    /// The target's name.
    pub target: String,
    /// How it stands.
    pub outcome: Outcome,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended; also when it stopped half-way.
    pub ended_at: Option<DateTime<Utc>>,
    /// Who, from where.
    pub operator: String,
    /// Who went on with it last, where that was done.
    #[serde(default)]
    pub resumed_by: Option<String>,
    /// The run that this one takes back.
    pub undoes: Option<String>,
    /// The run that has taken this one back.
    pub undone_by: Option<String>,
    /// It broke off, and this run has given its tables' names to others since: nobody goes on with it.
    #[serde(default)]
    pub overtaken_by: Option<String>,
    /// What is counted.
    #[serde(default)]
    pub unit: Unit,
    /// Rows planned.
    pub rows: u64,
    /// Rows changed.
    pub rows_applied: u64,
    /// Rows left alone because they had changed.
    pub rows_drifted: u64,
    /// Batches committed.
    pub batches: u64,
    /// The proof, where it was made.
    pub verified: Option<bool>,
    /// Something is left to do, and `resume` can do it.
    pub resumable: bool,
    /// Its executor holds the target's lock right now.
    pub live: bool,
    /// What it waits for, or why it stopped.
    pub message: Option<String>,
    /// The `SQLSTATE` that stopped it, where the server said one.
    #[serde(default)]
    pub code: Option<String>,
    /// What stopped it stops it again until its reason is gone, by that code.
    #[serde(skip)]
    pub permanent: bool,
    /// Rows of the batch it is at.
    pub batch_rows: Option<u64>,
    /// When it last said anything.
    pub beat_at: Option<DateTime<Utc>>,
    /// As it was asked for.
    pub params: BTreeMap<String, String>,
    /// How it is taken back, as its plan said.
    pub undo: String,
    /// `full`, `lossy`, `no`.
    pub reversible: String,
    /// The plan's digest.
    pub digest: String,
}

/// A run's number, of its name.
pub fn number(run: &str) -> Result<i64> {
    run.parse().map_err(|_| Error::usage(format!("{run} is no number of a run")))
}

impl RunRecord {
    /// Can it be taken back, as its plan said? `None`: said in a word that this version does not know.
    pub fn reversibility(&self) -> Option<Reversible> {
        Reversible::named(&self.reversible)
    }

    /// Who works on it, or did last: not always who began it.
    pub fn by(&self) -> &str {
        self.resumed_by.as_deref().unwrap_or(&self.operator)
    }

    /// When it ended; of one that did not, when it last said anything.
    pub fn last_heard(&self) -> DateTime<Utc> {
        self.ended_at.or(self.beat_at).unwrap_or(self.started_at)
    }

    /// It was played in a copy, and was to change nothing here.
    pub fn in_a_copy(&self) -> bool {
        let of_a_feature = self.unit != Unit::ROWS && self.unit != Unit::STATEMENTS;
        of_a_feature && self.outcome == Outcome::Applied && self.rows_applied == 0
    }

    /// Gone on with as it is, it would fail again.
    pub fn needs_fix_first(&self) -> bool {
        self.resumable && self.permanent
    }
}

/// Some runs, newest first, and how many there are besides.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Listed {
    /// The runs, newest first.
    pub runs: Vec<RunRecord>,
    /// All runs of the journal.
    pub total: u64,
    /// Runs older than those listed.
    pub older: u64,
}

/// A run with all that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JournalShown {
    /// The run.
    pub record: RunRecord,
    /// Its entries, oldest first.
    pub events: Vec<Event>,
    /// Rows it left alone, the first of them.
    pub drifted: Vec<PlannedRow>,
}

/// A part of a run's row that its entries do not bear out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Altered {
    /// The run.
    pub run: String,
    /// The part.
    pub what: String,
    /// What the row says.
    pub found: Option<String>,
    /// What the entries say.
    pub said: Option<String>,
}

impl Altered {
    /// For people.
    pub fn text(&self) -> String {
        let or = |t: &Option<String>| t.clone().unwrap_or_else(|| "nothing".into());
        format!(
            "{} of run {} is {}, its entries say {}",
            self.what,
            self.run,
            or(&self.found),
            or(&self.said)
        )
    }
}
