//! Steps of a plan and what each does.

use crate::engine::model::change::RowChange;
use crate::engine::model::task::{Dump, Hook, Measure, Monitor, Play, Proof, Swap};
use serde::{Deserialize, Serialize};

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
