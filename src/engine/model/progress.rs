//! How a run is going, and how to hold or stop it.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::engine::model::blocker::{Blocker, EndSession};
use crate::engine::model::error::{Class, Error};
use crate::engine::model::plan::Unit;
use crate::engine::model::record::Outcome;

/// What a run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Rows are being read.
    Planning,
    /// Waits for the target's lock.
    Locking,
    /// Compares the plan with the world.
    Checking,
    /// Writes the plan's rows into the journal.
    Staging,
    /// Batches or statements.
    Working,
    /// Held back: `waiting` says by what.
    Waiting,
    /// Held by the operator.
    Paused,
    /// Proves the result.
    Verifying,
    /// Over.
    Done,
}

impl Phase {
    /// The word shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Locking => "taking the lock",
            Self::Checking => "comparing plan and world",
            Self::Staging => "writing the intent",
            Self::Working => "working",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Verifying => "verifying",
            Self::Done => "done",
        }
    }
}

/// A moment of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Progress {
    /// Its number, once it has one.
    pub run: Option<String>,
    /// What it is doing.
    pub phase: Phase,
    /// The step's title.
    pub step: String,
    /// Rows done with: changed or left alone.
    pub done: u64,
    /// Rows in all; 0: not known yet.
    pub total: u64,
    /// What is counted.
    pub unit: Unit,
    /// Rows changed.
    pub applied: u64,
    /// Rows left alone because they had changed.
    pub drifted: u64,
    /// Rows of the batch.
    pub batch_rows: u64,
    /// Rows a second, over the last batches.
    pub rate: f64,
    /// Seconds left at this rate.
    pub eta_s: Option<u64>,
    /// What it waits for, or what made batches smaller.
    pub waiting: Option<String>,
    /// `waiting` says why no attempt was made; else how one ended, or why batches are slow.
    #[serde(skip)]
    pub not_tried: bool,
    /// The step's id.
    pub stage: String,
    /// The steps' ids, in order.
    pub stages: Vec<String>,
    /// Locks that the step takes, and who holds them back.
    pub locks: LockProgress,
    /// What the step's task says besides; its feature knows the keys.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub detail: Map<String, Value>,
}

/// Statements under locks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LockProgress {
    /// The attempt at hand, and how many there may be.
    pub attempt: Option<(u32, u32)>,
    /// How long the locks may be held (milliseconds).
    pub budget_ms: Option<u64>,
    /// Who stands in the way.
    pub blockers: Vec<Blocker>,
    /// When that was looked at, by the operator's clock (milliseconds).
    pub looked_at: Option<i64>,
    /// What became of a session that was to be ended.
    pub ended: Option<String>,
    /// How the last attempt ended.
    pub last: Option<String>,
    /// Locks held, when it was done (milliseconds).
    pub held_ms: Option<u64>,
}

/// Takes moments; must not block.
pub type ProgressSink<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// What the operator wants of a run under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlRequest {
    /// On.
    Go,
    /// Hold after the batch.
    Pause,
    /// Stop after the batch.
    Cancel,
}

/// Shared with the run.
#[derive(Debug, Default)]
pub struct Control {
    wish: AtomicU8,
    notes: Mutex<Vec<String>>,
    endings: Mutex<Vec<EndSession>>,
    stopped_by: OnceLock<&'static str>,
}

impl Control {
    /// Asks for something.
    pub fn ask(&self, wish: ControlRequest) {
        let value = match wish {
            ControlRequest::Go => 0,
            ControlRequest::Pause => 1,
            ControlRequest::Cancel => 2,
        };
        // Once stopped it stays stopped.
        let _ =
            self.wish.fetch_update(Ordering::AcqRel, Ordering::Acquire, |old| (old != 2).then_some(value));
    }

    /// Asks to stop after the batch, for something that is not the operator at the keys.
    pub fn stop(&self, by: &'static str) {
        if self.wish() != ControlRequest::Cancel {
            let _ = self.stopped_by.set(by);
        }
        self.ask(ControlRequest::Cancel);
    }

    /// Who or what wanted it to stop.
    pub(crate) fn stopped_by(&self) -> &'static str {
        self.stopped_by.get().copied().unwrap_or("the operator")
    }

    /// What the operator has to say, for the run's journal.
    pub fn note(&self, text: String) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    /// What was said since.
    pub(crate) fn notes(&self) -> Vec<String> {
        std::mem::take(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has the run end a session that stands in its way.
    pub fn end_session(&self, session: EndSession) {
        self.endings.lock().unwrap_or_else(PoisonError::into_inner).push(session);
    }

    /// Sessions that are to be ended.
    pub(crate) fn sessions_to_end(&self) -> Vec<EndSession> {
        std::mem::take(&mut self.endings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is asked for.
    pub fn wish(&self) -> ControlRequest {
        match self.wish.load(Ordering::Acquire) {
            0 => ControlRequest::Go,
            1 => ControlRequest::Pause,
            _ => ControlRequest::Cancel,
        }
    }
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// Its number; none: it did not begin.
    pub run: Option<String>,
    /// The verdict.
    pub outcome: crate::engine::model::record::Outcome,
    /// What is counted.
    pub unit: Unit,
    /// Rows changed.
    pub applied: u64,
    /// Rows left alone.
    pub drifted: u64,
    /// The proof; none: not made.
    pub verified: Option<bool>,
    /// Each question and how many rows answer it wrongly.
    pub proof: Vec<(String, Option<u64>)>,
    /// What else came of it, in words.
    pub said: Vec<String>,
    /// What was mended in the journal's copy, and what it lacks.
    pub copy: Vec<String>,
    /// Why it stopped, where it did.
    pub failure: Option<crate::engine::model::error::Error>,
    /// Rows (or parts of the plan) that had moved, where that is why it was refused.
    pub moved: Option<crate::engine::model::drift::PlanDrift>,
    /// Something is left, and can be gone on with.
    pub resumable: bool,
}

impl Done {
    /// An empty plan: no run was begun for it.
    pub fn had_nothing_to_do(&self) -> bool {
        self.outcome == crate::engine::model::record::Outcome::Applied && self.run.is_none()
    }
}

impl Progress {
    /// Nothing is done yet.
    pub(crate) fn new(total: u64, unit: Unit) -> Self {
        Self {
            run: None,
            phase: Phase::Locking,
            step: String::new(),
            done: 0,
            total,
            unit,
            applied: 0,
            drifted: 0,
            batch_rows: 0,
            rate: 0.0,
            eta_s: None,
            waiting: None,
            not_tried: false,
            stage: String::new(),
            stages: vec![],
            locks: LockProgress::default(),
            detail: Map::new(),
        }
    }
}

impl Default for Done {
    fn default() -> Self {
        Self {
            run: None,
            outcome: Outcome::Failed,
            unit: Unit::ROWS,
            applied: 0,
            drifted: 0,
            verified: None,
            proof: vec![],
            said: vec![],
            copy: vec![],
            failure: None,
            moved: None,
            resumable: false,
        }
    }
}

impl Done {
    /// Nothing was begun.
    pub fn refused(failure: Error) -> Self {
        let outcome = match failure.class {
            Class::Stale => Outcome::Stale,
            Class::Refused => Outcome::Refused,
            _ => Outcome::Failed,
        };
        Self { outcome, failure: Some(failure), ..Self::default() }
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match (self.outcome, &self.failure) {
            (Outcome::Applied, None) => 0,
            (Outcome::Ambiguous, _) => 8,
            // Of one that is applied the journal has all, and its copy has not.
            (Outcome::Applied | Outcome::Partial, _) => 7,
            (_, Some(e)) if e.class == Class::Cancelled => 6,
            (_, Some(e)) => e.exit_code(),
            (Outcome::Refused, None) => 3,
            (Outcome::Stale, None) => 4,
            _ => 6,
        }
    }
}
