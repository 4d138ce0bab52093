//! What a switchover under way says of itself, in one place for the pictures.

use midwatch::engine::model::blocker::Blocker;
use midwatch::engine::model::progress::{LockProgress, Phase, Progress};
use midwatch::features::switchover::progress::SwitchoverProgress;
use midwatch::features::switchover::task::TWINS;
use midwatch::tui::msg::Msg;

use crate::fake::later;
use crate::handmade::progress;
use crate::room::STEPS;

#[derive(Default)]
pub(crate) struct Room {
    pub(crate) attempt: Option<(u32, u32)>,
    pub(crate) blockers: Vec<Blocker>,
    pub(crate) looked_at: Option<i64>,
    pub(crate) ended: Option<String>,
    pub(crate) last: Option<String>,
    pub(crate) held_ms: Option<u64>,
    pub(crate) compared: u64,
    pub(crate) differing: u64,
}

impl Room {
    /// Both sides were equal two seconds before `millis`.
    pub(crate) fn parts(self, millis: i64) -> (LockProgress, SwitchoverProgress) {
        let Self { attempt, blockers, looked_at, ended, last, held_ms, compared, differing } = self;
        let locks = LockProgress { attempt, budget_ms: Some(250), blockers, looked_at, ended, last, held_ms };
        (locks, SwitchoverProgress { equal_at: Some(millis - 2_000), compared, differing })
    }
}

pub(crate) fn moment(stage: &str, phase: Phase, room: Room) -> Msg {
    let millis = later(10).timestamp_millis();
    let (locks, seen) = room.parts(millis);
    let mut progress = Progress {
        stage: stage.into(),
        stages: STEPS.iter().map(|s| (*s).to_owned()).collect(),
        step: format!("the step {stage}"),
        total: 3,
        unit: TWINS,
        batch_rows: 0,
        eta_s: None,
        locks,
        ..progress(phase, 0)
    };
    SwitchoverProgress::update(&mut progress, |p| *p = seen);
    Msg::Progress(Box::new(progress))
}
