//! The stages of a switchover and of its way back, as people count them: several steps of a plan make one.

use crate::engine::model::preflight::Ready;
use crate::engine::model::progress::Phase;
use crate::engine::model::record::Outcome;
use crate::engine::port::backups::Dump;
use crate::features::switchover::step_kind::{StepKind, is_rollback};
use crate::features::switchover::task::DUMP_TASK;
use crate::tui::format::{count, whole};
use crate::tui::list::{Spans, cell, plain};
use crate::tui::pane::switchover::room_data::{RoomData, RoomPosition};
use crate::tui::theme::Tone;

/// A stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RoomStage {
    Preflight,
    Backup,
    Marker,
    Copy,
    Parity,
    /// Reverse triggers are made and `before` is run: nothing is locked yet.
    Prepare,
    Swap,
    SwapBack,
    /// The operator's own command: what fails there is not the swap.
    After,
    Tidy,
    Monitor,
}

const OVER: [RoomStage; 8] = [
    RoomStage::Preflight,
    RoomStage::Backup,
    RoomStage::Copy,
    RoomStage::Parity,
    RoomStage::Prepare,
    RoomStage::Swap,
    RoomStage::After,
    RoomStage::Monitor,
];
const BACK: [RoomStage; 7] = [
    RoomStage::Preflight,
    RoomStage::Marker,
    RoomStage::Parity,
    RoomStage::SwapBack,
    RoomStage::After,
    RoomStage::Tidy,
    RoomStage::Monitor,
];

impl RoomStage {
    /// For people.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Backup => "backup",
            Self::Marker => "marker",
            Self::Copy => "copy",
            Self::Parity => "parity",
            Self::Prepare => "prepare",
            Self::Swap => "enable",
            Self::SwapBack => "swap back",
            Self::After => "hook",
            Self::Tidy => "tidy",
            Self::Monitor => "monitor",
        }
    }

    /// The stage that a step belongs to.
    fn of_step(id: &str, back: bool) -> Self {
        match StepKind::from_id(id) {
            Some(StepKind::PreFlight | StepKind::PreRollback) => Self::Preflight,
            Some(StepKind::Backup | StepKind::PostBackup) => Self::Backup,
            Some(StepKind::Compare | StepKind::PostMigration) => Self::Parity,
            Some(StepKind::Monitor | StepKind::Done | StepKind::RolledBack) => Self::Monitor,
            Some(StepKind::Watch) if back => Self::Marker,
            Some(StepKind::Watch | StepKind::PreMigration) => Self::Copy,
            Some(StepKind::Tidy) => Self::Tidy,
            Some(StepKind::Prepare | StepKind::HookBefore) if !back => Self::Prepare,
            Some(StepKind::HookAfter) => Self::After,
            _ if back => Self::SwapBack,
            _ => Self::Swap,
        }
    }
}

/// How far a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StageProgress {
    Done,
    Here,
    Failed,
    ToCome,
    Skipped,
}

/// The stages of a run, and how far it is.
pub(super) struct Stages {
    names: Vec<RoomStage>,
    skipped: Vec<RoomStage>,
    /// The stage it is at; past the last one: all are done.
    at: usize,
    failed: bool,
    /// What was done is known: of a run that is over nothing is guessed.
    known: bool,
}

impl Stages {
    /// The stages of what is shown.
    pub(super) fn from_room(room_data: &RoomData<'_>) -> Self {
        let (ids, at) = room_data.steps();
        let outcome = room_data.ours.and_then(|r| r.done.as_ref()).map(|d| d.outcome);
        let outcome = outcome.or_else(|| room_data.record.filter(|r| !r.live).map(|r| r.outcome));
        let over = outcome.is_some() && !room_data.live();
        let failed = over && outcome != Some(Outcome::Applied);
        Self::new(&ids, &at, over, failed)
    }

    pub(super) fn new(ids: &[String], at: &RoomPosition, over: bool, failed: bool) -> Self {
        let back = is_rollback(ids);
        let there: Vec<RoomStage> = ids.iter().map(|id| RoomStage::of_step(id, back)).collect();
        let all: &[RoomStage] = if back { &BACK } else { &OVER };
        // What one can ask a switchover to leave out is said; a way back has only what it needs.
        let shown =
            |n: &RoomStage| !back && !matches!(n, RoomStage::Prepare | RoomStage::After) || there.contains(n);
        let names: Vec<RoomStage> = all.iter().copied().filter(shown).collect();
        let skipped = names.iter().copied().filter(|n| !there.contains(n) && !ids.is_empty()).collect();
        let here = |id: &str| names.iter().position(|n| *n == RoomStage::of_step(id, back)).unwrap_or(0);
        let (at, known) = match at {
            // All of it was done, also where the proof of it failed.
            _ if over && !failed => (names.len(), true),
            RoomPosition::End => (names.len(), true),
            RoomPosition::Step(id) => (here(id), true),
            RoomPosition::Unknown => (0, !over),
        };
        Self { names, skipped, at, failed, known }
    }

    /// The one it is at.
    pub(super) fn name(&self) -> Option<&'static str> {
        self.names.get(self.at).map(|n| n.word())
    }

    /// `stage 4 of 6  ENABLE`.
    pub(super) fn place(&self) -> Option<Spans> {
        let name = self.name()?;
        Some(vec![
            cell(format!("stage {} of {} ", self.at + 1, self.names.len()), Tone::Dim),
            cell(name.to_uppercase(), Tone::Accent),
        ])
    }

    fn progress_of(&self, at: usize) -> StageProgress {
        let skipped = self.names.get(at).is_some_and(|n| self.skipped.contains(n));
        match at.cmp(&self.at) {
            _ if skipped => StageProgress::Skipped,
            _ if !self.known => StageProgress::ToCome,
            std::cmp::Ordering::Less => StageProgress::Done,
            std::cmp::Ordering::Equal if self.failed => StageProgress::Failed,
            std::cmp::Ordering::Equal => StageProgress::Here,
            std::cmp::Ordering::Greater => StageProgress::ToCome,
        }
    }

    /// One part for each: its name, how far it is, what there is to say of it.
    pub(super) fn parts(&self, room_data: &RoomData<'_>) -> Vec<Spans> {
        let part = |(at, name): (usize, &RoomStage)| {
            let g = room_data.model.theme.glyphs;
            let how = self.progress_of(at);
            let (symbol, tone) = match how {
                StageProgress::Done => (format!(" {}", g.ok), Tone::Good),
                StageProgress::Here => (" …".to_owned(), Tone::Accent),
                StageProgress::Failed => (format!(" {}", g.fail), Tone::Bad),
                StageProgress::ToCome => (String::new(), Tone::Dim),
                StageProgress::Skipped => (format!(" {}", g.warn), Tone::Warn),
            };
            let detail = match how {
                StageProgress::Skipped => "left out".into(),
                StageProgress::ToCome => String::new(),
                StageProgress::Done | StageProgress::Here | StageProgress::Failed => {
                    detail(room_data, *name, how).unwrap_or_default()
                }
            };
            let name_tone = match how {
                StageProgress::Here => Tone::Strong,
                StageProgress::ToCome => Tone::Dim,
                _ => Tone::Plain,
            };
            let mut spans = vec![cell(name.word(), name_tone), cell(symbol, tone)];
            if !detail.is_empty() {
                spans.push(plain(format!(" {detail}")));
            }
            spans
        };
        self.names.iter().enumerate().map(part).collect()
    }
}

fn detail(room_data: &RoomData<'_>, stage: RoomStage, how: StageProgress) -> Option<String> {
    let done = how == StageProgress::Done;
    let progress = room_data.ours.and_then(|r| r.progress.as_ref());
    match stage {
        RoomStage::Preflight => {
            let planned = || room_data.plan.map(|p| p.preflight.iter().map(|p| p.status).collect::<Vec<_>>());
            let all = planned().or_else(|| room_data.room_run()?.asked.preflight.clone())?;
            let of = |status| all.iter().filter(|s| **s == status).count();
            let g = room_data.model.theme.glyphs;
            let others = [(Ready::Warn, g.warn), (Ready::Unknown, g.unknown), (Ready::Fail, g.fail)];
            let others = others.into_iter().map(|(status, mark)| (of(status), mark)).filter(|(n, _)| *n > 0);
            let said: Vec<String> = others.map(|(n, mark)| format!(" {mark} {n}")).collect();
            (!all.is_empty()).then(|| format!("{}{}", of(Ready::Ok), said.concat()))
        }
        RoomStage::Backup => {
            let planned = || {
                let dumps = room_data.plan?.steps.iter().filter_map(|s| s.task::<Dump>(DUMP_TASK));
                dumps.map(|dump| dump.verify).next()
            };
            let verified =
                planned().or_else(|| Some(room_data.room_run()?.backup.as_ref()?.verified.is_some()))?;
            done.then(|| if verified { "verified" } else { "not verified" }.to_owned())
        }
        RoomStage::Copy => done.then(|| "0 left".to_owned()),
        RoomStage::Parity => match room_data.equal() {
            Some(age) => Some(format!("equal {age}")),
            None => done.then(|| "equal".to_owned()),
        },
        RoomStage::Swap | RoomStage::SwapBack => {
            let held = progress.and_then(|p| p.locks.held_ms).or_else(|| room_data.room_run()?.held_ms);
            held.map(|ms| format!("{} ms", count(ms)))
        }
        RoomStage::Monitor => {
            let p = progress.filter(|p| p.phase != Phase::Done)?;
            p.eta_s.map(|s| format!("{} left", whole(s)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::pane::switchover::room_data::past_swap;

    fn ids(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn every_step_is_in_a_stage() {
        let over = ids(&[
            "pre-flight",
            "backup",
            "post-backup",
            "watch/a",
            "pre-migration",
            "compare",
            "post-migration",
            "prepare/a",
            "hook-before",
            "enable",
            "hook-after",
            "monitor",
            "done",
        ]);
        let at = |id: &str| RoomPosition::Step(id.to_owned());
        let stages = Stages::new(&over, &at("enable"), false, false);
        assert_eq!((stages.at, stages.names.len(), stages.skipped.len()), (5, 8, 0));
        for before_the_locks in ["prepare/a", "hook-before"] {
            let stages = Stages::new(&over, &at(before_the_locks), false, false);
            assert_eq!(stages.names[stages.at], RoomStage::Prepare);
        }
        assert_eq!(Stages::new(&over, &at("post-backup"), false, false).at, 1);
        assert_eq!(Stages::new(&over, &RoomPosition::Unknown, true, false).at, 8);
        let back = ids(&["pre-rollback", "compare", "swap-back", "tidy/a", "monitor", "rolled-back"]);
        let stages = Stages::new(&back, &at("tidy/a"), false, false);
        assert_eq!(
            (stages.at, stages.names.iter().map(|n| n.word()).collect::<Vec<_>>()),
            (3, vec!["preflight", "parity", "swap back", "tidy", "monitor"])
        );
    }

    #[test]
    fn what_was_left_out_is_said() {
        let stages = Stages::new(
            &ids(&["pre-flight", "compare", "enable", "monitor"]),
            &RoomPosition::Step("compare".into()),
            false,
            false,
        );
        assert_eq!(stages.skipped, [RoomStage::Backup, RoomStage::Copy]);
        assert_eq!(stages.progress_of(1), StageProgress::Skipped);
    }

    #[test]
    fn past_the_swap_or_not() {
        let all = ids(&["compare", "enable", "monitor"]);
        let at = |id: &str| RoomPosition::Step(id.to_owned());
        assert!(!past_swap(&all, &at("enable")) && past_swap(&all, &at("monitor")));
        assert!(past_swap(&all, &RoomPosition::End) && !past_swap(&all, &RoomPosition::Unknown));
    }

    #[test]
    fn what_failed_is_marked_and_nothing_is_guessed() {
        let back = ids(&["pre-rollback", "compare", "swap-back", "hook-after", "tidy/a", "monitor"]);
        let how = |at: &RoomPosition| {
            let stages = Stages::new(&back, at, true, true);
            (0..stages.names.len()).map(|i| stages.progress_of(i)).collect::<Vec<_>>()
        };
        let hook = how(&RoomPosition::Step("hook-after".into()));
        assert_eq!(
            hook,
            [
                StageProgress::Done,
                StageProgress::Done,
                StageProgress::Done,
                StageProgress::Failed,
                StageProgress::ToCome,
                StageProgress::ToCome
            ]
        );
        assert_eq!(how(&RoomPosition::Unknown), [StageProgress::ToCome; 6]);
        assert_eq!(how(&RoomPosition::End), [StageProgress::Done; 6]);
    }
}
