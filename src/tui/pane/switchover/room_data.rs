//! Everything that the switchover room is drawn from.

use crate::engine::model::plan::Plan;
use crate::engine::model::record::RunRecord;
use crate::features::switchover::progress::SwitchoverProgress;
use crate::features::switchover::status::{RoomRun, SwitchoverStatus};
use crate::features::switchover::step_kind::is_rollback;
use crate::features::switchover::task::SwapSummary;
use crate::features::switchover::verbs;

use crate::tui::doc::wrap;
use crate::tui::format::ago;
use crate::tui::list::{Spans, cell};
use crate::tui::model::run::OurRun;
use crate::tui::model::state::{Link, Model};
use crate::tui::model::switchover::{is_swap, swap_of};
use crate::tui::model::view::View;
use crate::tui::theme::Tone;
use chrono::{DateTime, Utc};

/// Columns of the labels, the first one free.
pub(in crate::tui) const LABEL: usize = 15;

/// Everything that the room is drawn from.
pub(super) struct RoomData<'a> {
    pub(super) model: &'a Model,
    pub(super) name: String,
    /// What was last seen of it, and when.
    pub(super) facts: Option<(&'a SwitchoverStatus, DateTime<Utc>)>,
    /// Our run, going on or over.
    pub(super) ours: Option<&'a OurRun>,
    /// What the journal says of the run shown.
    pub(super) record: Option<&'a RunRecord>,
    pub(super) plan: Option<&'a Plan>,
    /// The run shown as its entries have it, where the room's look does not tell of it.
    pub(super) read: Option<RoomRun>,
}

impl<'a> RoomData<'a> {
    pub(in crate::tui) fn from_model(model: &'a Model) -> Option<Self> {
        let name = model.room_name()?;
        let facts = model.room_facts();
        let ours = model.run_in_room();
        let (record, plan) = match &model.level().view {
            View::Run(view) => (model.record(view), model.run_plan(view)),
            // A run of others at these twins is the room, as one of ours is.
            _ => match (ours, model.run_elsewhere()) {
                (None, Some(run)) if model.link == Link::Up && model.room.failure.is_none() => {
                    (Some(&run.record), None)
                }
                _ => (None, ours.and_then(|r| r.plan.as_ref())),
            },
        };
        let mut room_data = Self { model, name, facts, ours, record, plan, read: None };
        if let (View::Run(view), Some(record), Some(plan), None) =
            (&model.level().view, record, plan, room_data.room_run())
            && let Some(Ok(detail)) = &view.detail
            && let Some(at) = detail.at
        {
            room_data.read = Some(RoomRun::of_plan(record.clone(), plan, at, &detail.events));
        }
        Some(room_data)
    }

    pub(in crate::tui) fn going(&self) -> Option<&'a OurRun> {
        self.ours.filter(|r| r.done.is_none())
    }

    /// What the room's look says of the run shown, or else its own entries.
    pub(in crate::tui) fn room_run(&self) -> Option<&RoomRun> {
        let id = self.ours.and_then(OurRun::number).or_else(|| self.record.map(|r| r.id.as_str()))?;
        let seen = self.facts.into_iter().flat_map(|(f, _)| [&f.last, &f.switched]);
        seen.flatten().find(|r| r.record.id == id).or(self.read.as_ref())
    }

    /// Others are at it right now: what is known of it is what the journal says.
    pub(in crate::tui) fn theirs(&self) -> Option<&RoomRun> {
        (self.ours.is_none() && self.live()).then(|| self.room_run()).flatten()
    }

    /// Somebody is at it right now.
    pub(in crate::tui) fn live(&self) -> bool {
        self.going().is_some() || self.ours.is_none() && self.record.is_some_and(|r| r.live)
    }

    /// No run is shown.
    pub(in crate::tui) fn quiet(&self) -> bool {
        self.record.is_none() && self.ours.is_none()
    }

    pub(in crate::tui) fn swap(&self) -> Option<SwapSummary> {
        self.plan.and_then(swap_of)
    }

    /// The steps of the run shown, and the one it is at.
    pub(in crate::tui) fn steps(&self) -> (Vec<String>, RoomPosition) {
        let progress = self.ours.and_then(|r| r.progress.as_ref()).filter(|p| !p.stages.is_empty());
        let planned =
            || self.plan.map(|p| p.steps.iter().map(|s| s.id.clone()).collect()).unwrap_or_default();
        match (progress, self.room_run()) {
            (Some(p), _) => (p.stages.clone(), RoomPosition::Step(p.stage.clone())),
            (None, Some(run)) => {
                (run.stages.clone(), run.stage.clone().map_or(RoomPosition::End, RoomPosition::Step))
            }
            (None, None) => (planned(), RoomPosition::Unknown),
        }
    }

    /// The tables have changed places in the run shown.
    pub(in crate::tui) fn swapped(&self) -> bool {
        let (ids, at) = self.steps();
        let by_run = self.ours.is_some_and(OurRun::has_swapped);
        by_run || self.room_run().is_some_and(|r| r.held_ms.is_some()) || past_swap(&ids, &at)
    }

    /// When both sides were last found equal by the run.
    pub(in crate::tui) fn equal(&self) -> Option<String> {
        if let Some(run) = self.theirs() {
            return Some(ago(run.equal_at?, self.model.server_now()));
        }
        let at = SwitchoverProgress::from_run(self.ours?.progress.as_ref()?).equal_at?;
        Some(ago(DateTime::from_timestamp_millis(at)?, self.model.now))
    }

    /// It is the way back.
    pub(in crate::tui) fn is_rollback(&self) -> bool {
        let of_plan = self.plan.is_some_and(|p| is_rollback(p.steps.iter().map(|s| &s.id)));
        let told = self.room_run().filter(|r| !r.stages.is_empty());
        match told {
            Some(run) => is_rollback(&run.stages),
            None => of_plan || self.record.is_some_and(|r| r.operation != verbs::SWITCHOVER),
        }
    }

    /// What is shown is no longer looked at.
    pub(in crate::tui) fn stale(&self) -> bool {
        self.model.link != Link::Up || self.model.room.failure.is_some()
    }
}

/// A label and its text, wrapped below it.
pub(in crate::tui) fn labelled(out: &mut Vec<Spans>, width: usize, label: &str, text: &str, tone: Tone) {
    for (i, line) in wrap(text, width.saturating_sub(LABEL + 3).max(20)).into_iter().enumerate() {
        let label = if i == 0 { label } else { "" };
        out.push(vec![cell(format!(" {label:<LABEL$} "), Tone::Dim), cell(line, tone)]);
    }
}

/// Has a run swapped its tables, by the step it is at?
pub(super) fn past_swap(ids: &[String], at: &RoomPosition) -> bool {
    let Some(swap) = ids.iter().position(|s| is_swap(s)) else { return false };
    match at {
        RoomPosition::Unknown => false,
        RoomPosition::End => true,
        RoomPosition::Step(stage) => ids.iter().position(|s| s == stage).is_some_and(|at| at > swap),
    }
}

/// The step that a run is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RoomPosition {
    /// Its plan is all that is known.
    Unknown,
    Step(String),
    /// All are done.
    End,
}
