//! What the console shows of a target, a plan, the journal and a run.

use crate::engine::gate::guard::Ladder;
use crate::engine::model::diff::PlannedRow;
use crate::engine::model::event::Event;
use crate::engine::model::plan::Plan;
use crate::engine::model::progress::Done;
use crate::engine::model::record::{Listed, RunRecord};
use crate::engine::model::report::CheckId;
use crate::engine::model::target::{ServerInfo, TargetInfo};
use crate::engine::plan::operation::Offer;
use crate::profile::WindowConfig;
use crate::tui::failure::Failure;
use std::time::Duration;

/// Runs listed.
pub const RUNS: u32 = 200;

/// Drifted rows read with a run.
pub const DRIFTED: u32 = 200;

/// An open target, as the console shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// The target.
    pub target: TargetInfo,
    /// The server.
    pub server: ServerInfo,
    /// Why the environment is what it is, on doubt.
    pub environment_note: Option<String>,
    /// Nothing may be changed.
    pub read_only: bool,
    /// When maintenance is allowed.
    pub window: Option<WindowConfig>,
    /// The profile's name.
    pub profile: String,
    /// Every check, with how often to run it.
    pub checks: Vec<(CheckId, Duration)>,
    /// Those of which a comparison is kept that was cut off.
    pub unfinished: Vec<CheckId>,
    /// What can be done here, and why not the rest.
    pub operations: Vec<Offer>,
}

/// A plan, and what the guard says of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReviewedPlan {
    /// The plan.
    pub plan: Plan,
    /// How it is confirmed, or why it cannot be.
    pub gate: std::result::Result<Ladder, Failure>,
}

/// What became of an unfinished run that was to be resumed.
#[derive(Debug, Clone)]
pub enum Resumed {
    /// It was resumed, and ended so.
    Ended(Box<Done>),
    /// There was nothing left to do.
    Nothing,
    /// Nothing was done yet: its plan is another installation's. It is kept as a new plan is, and confirmed as one.
    Asks {
        /// The plan and its ladder.
        reviewed: Box<ReviewedPlan>,
        /// Why it is asked for.
        why: String,
    },
}

/// What was typed to confirm a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TypedConfirmation {
    /// The phrase.
    pub phrase: String,
    /// The database's name, where that is asked for.
    pub database: Option<String>,
}

/// The journal, as far as it can be read.
#[derive(Debug, Clone, PartialEq)]
pub enum Journal {
    /// Its latest runs, newest first.
    Runs(Listed),
    /// It has never been made here.
    Missing,
}

/// Everything about one run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunDetail {
    /// Its record.
    pub record: RunRecord,
    /// What was approved, where it can be read.
    pub plan: Option<Plan>,
    /// The step of it that the run is at; past the last one: all are done.
    pub at: Option<usize>,
    /// Its entries, oldest first.
    pub events: Vec<Event>,
    /// Rows left alone, the first [`DRIFTED`] of them.
    pub drifted: Vec<PlannedRow>,
}
