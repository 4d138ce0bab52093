//! Runs of the journal: why one cannot be undone or resumed.

use crate::engine::model::preflight::Reversible;
use crate::engine::model::record::{Outcome, RunRecord};
use crate::features::switchover::verbs;
use crate::tui::model::state::Model;

impl Model {
    /// Somebody works: then it is followed even where the console looks at nothing else by itself.
    pub fn any_run_live(&self) -> bool {
        self.run_going().is_some() || self.journal.runs().iter().any(|r| r.live)
    }

    /// Why a run cannot be taken back.
    pub fn why_not_undo(&self, run: Option<&RunRecord>) -> Option<String> {
        let Some(run) = run else { return Some("there is no run here".into()) };
        if run.live {
            return Some("it is going on".into());
        }
        // One that took back less than all of it leaves a rest.
        let whole = |by: &&String| self.journal.run(by).is_none_or(|u| u.rows_applied >= run.rows_applied);
        if let Some(by) = run.undone_by.as_ref().filter(whole) {
            return Some(format!("run {by} has taken it back"));
        }
        if run.operation == verbs::REHEARSE {
            return Some("a rehearsal changes a copy only: there is nothing to take back".into());
        }
        if run.reversibility() == Some(Reversible::No) {
            return Some(format!("it cannot be taken back: {}", run.undo));
        }
        let changed = run.rows_applied > 0 || matches!(run.outcome, Outcome::Ambiguous | Outcome::Running);
        // Statements change no rows of their own.
        let statements = run.rows_applied == 0 && run.outcome == Outcome::Applied;
        (!changed && !statements).then(|| "it has changed nothing".into())
    }

    /// Why a run cannot be gone on with.
    pub fn why_not_resume(&self, run: &RunRecord) -> Option<String> {
        if run.live {
            return Some(format!("it is going on: {} is at it", run.by()));
        }
        if let Some(by) = &run.overtaken_by {
            return Some(format!("run {by} has switched its tables since"));
        }
        if !run.resumable {
            return Some("nothing of it is left to do".into());
        }
        if self.session.as_ref().is_some_and(|s| s.read_only) {
            return Some("this target is read-only".into());
        }
        self.run_going().map(|r| format!("a run is going on ({}): one at a time", r.title))
    }
}
