//! The switchover room as last read, and which steps swap.

use crate::engine::model::plan::Plan;
use crate::engine::model::report::CheckId;
use crate::features::switchover::status::SwitchoverStatus;
use crate::features::switchover::step_kind::StepKind;
use crate::features::switchover::task::{Swap, SwapSummary};
use crate::features::switchover::verbs;
use crate::tui::failure::Failure;
use chrono::{DateTime, Utc};

/// What a switch and its way back are called.
pub(in crate::tui) const SWITCHES: [&str; 2] = [verbs::SWITCHOVER, verbs::ROLLBACK];

/// What is known of the room that is open.
#[derive(Debug, Clone, Default)]
pub struct RoomState {
    /// Of which set.
    pub name: String,
    /// As last seen.
    pub facts: Option<Box<SwitchoverStatus>>,
    /// When it was last read; `None`: not yet.
    pub at: Option<DateTime<Utc>>,
    /// Why the last look told nothing.
    pub failure: Option<Failure>,
    /// Being looked at.
    pub(in crate::tui) reading: bool,
    pub(in crate::tui) due: Option<DateTime<Utc>>,
}

/// The room where no run is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomView {
    /// The set, as plans name it.
    pub name: String,
    /// The twin whose page it was opened from.
    pub twin: Option<CheckId>,
}

/// How a plan's swap is bound.
pub fn swap_of(plan: &Plan) -> Option<SwapSummary> {
    plan.steps.iter().find_map(|s| s.task(Swap::TASK))
}

/// The step that swaps.
pub fn is_swap(stage: &str) -> bool {
    StepKind::from_id(stage).is_some_and(StepKind::is_swap)
}
