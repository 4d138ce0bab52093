//! The run of this console, and a run on the screen.

use crate::engine::model::plan::Plan;
use crate::engine::model::progress::{ControlRequest, Done, Progress};
use crate::engine::model::record::RunRecord;
use crate::engine::plan::request::Request;
use crate::features::switchover::step_kind::is_rollback;
use crate::tui::data::RunDetail;
use crate::tui::failure::Failure;
use crate::tui::model::switchover::{is_swap, swap_of};
use crate::tui::msg::Slot;
use chrono::{DateTime, Utc};

impl OurRun {
    /// It switches twins over, or back.
    pub fn is_switch(&self) -> bool {
        self.plan.as_ref().is_some_and(|p| swap_of(p).is_some())
            || self.progress.as_ref().is_some_and(|p| p.stages.iter().any(|s| is_swap(s)))
    }

    /// The tables have changed places.
    pub fn has_swapped(&self) -> bool {
        let Some(p) = &self.progress else { return false };
        let at = |id: &str| p.stages.iter().position(|s| s == id);
        let swap = p.stages.iter().position(|s| is_swap(s));
        p.locks.held_ms.is_some() || swap.is_some() && at(&p.stage) > swap
    }
}

/// The run that this console has begun, going on or over.
#[derive(Debug, Clone, PartialEq)]
pub struct OurRun {
    /// The view that shows it, and the plan it came from.
    pub slot: Slot,
    /// What it does, in a few words.
    pub title: String,
    /// What was approved; its rows are left out.
    pub plan: Option<Plan>,
    /// How it was asked for, to plan it again.
    pub request: Option<Request>,
    /// The run it goes on with.
    pub resumes: Option<String>,
    /// When it was begun.
    pub began: DateTime<Utc>,
    /// The latest moment.
    pub progress: Option<Progress>,
    /// What was asked of it.
    pub wish: ControlRequest,
    /// Leave the console when it has ended.
    pub leave: bool,
    /// The process was told to end while it went on.
    pub told: bool,
    /// What came of it.
    pub done: Option<Done>,
    /// When it ended.
    pub ended: Option<DateTime<Utc>>,
}

impl OurRun {
    /// Its number, once it has one.
    pub fn number(&self) -> Option<&str> {
        let done = self.done.as_ref().and_then(|d| d.run.as_deref());
        done.or_else(|| self.progress.as_ref()?.run.as_deref()).or(self.resumes.as_deref())
    }

    /// Rows changed so far.
    pub fn applied(&self) -> u64 {
        match (&self.done, &self.progress) {
            (Some(done), _) => done.applied,
            (None, Some(p)) => p.applied,
            (None, None) => 0,
        }
    }

    /// Rows planned, as far as that is known.
    pub fn total(&self) -> u64 {
        let said = self.progress.as_ref().map_or(0, |p| p.total);
        if said > 0 { said } else { self.plan.as_ref().map_or(0, |p| p.rows) }
    }
}

/// A run on the screen.
#[derive(Debug, Clone, PartialEq)]
pub struct RunView {
    /// Answers to other slots are not ours.
    pub slot: Slot,
    /// Its number in the journal, once known.
    pub run: Option<String>,
    /// Everything about it, or why not, or not yet.
    pub detail: Option<Result<RunDetail, Failure>>,
    /// That is being read.
    pub loading: bool,
    /// Of a switch: its entries in the place of the room.
    pub log: bool,
}

impl RunView {
    pub(in crate::tui) fn new(slot: Slot, run: Option<String>, loading: bool) -> Self {
        Self { slot, run, detail: None, loading, log: false }
    }
}

impl OurRun {
    /// Is it the way back of a switch?
    pub fn goes_back(&self) -> bool {
        self.progress.as_ref().is_some_and(|p| is_rollback(&p.stages))
    }

    pub(in crate::tui) fn new(slot: Slot, title: String, began: DateTime<Utc>) -> Self {
        Self {
            slot,
            title,
            plan: None,
            request: None,
            resumes: None,
            began,
            progress: None,
            wish: ControlRequest::Go,
            leave: false,
            told: false,
            done: None,
            ended: None,
        }
    }
}

/// A run of the journal in a few words.
pub fn title_of(run: &RunRecord) -> String {
    match &run.undoes {
        Some(undone) => format!("{} {} (run {undone})", run.operation, run.name),
        None => format!("{} {}", run.operation, run.name),
    }
}
