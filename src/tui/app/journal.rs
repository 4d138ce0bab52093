//! The journal as the console sees it: polled, followed while somebody works, offered again where it broke off.

use crate::engine::model::record::RunRecord;
use crate::engine::plan::request::Request;
use crate::tui::app::App;
use crate::tui::data::Journal;
use crate::tui::failure::Failure;
use crate::tui::keymap::Scene;
use crate::tui::model::journal::{EARLY_MS, LIVE_MS};
use crate::tui::model::overlay::{Kind, Overlay};
use crate::tui::model::run::title_of;
use crate::tui::msg::Effect;
use crate::tui::screen;
use chrono::{DateTime, TimeDelta, Utc};

/// Otherwise.
const QUIET_MS: i64 = 10_000;
/// While the list of runs is looked at.
const SHOWN_MS: i64 = 2_000;

impl App {
    /// Reads the journal when that is due.
    pub(super) fn poll_runs(&mut self) -> Vec<Effect> {
        let soon = self.model.now + TimeDelta::milliseconds(EARLY_MS);
        let old = |at: DateTime<Utc>| at + TimeDelta::milliseconds(SHOWN_MS) <= soon;
        let shown = screen::scene_of(&self.model) == Scene::Runs && self.model.journal.at.is_none_or(old);
        if self.model.journal.reading || self.model.journal.due > soon && !shown {
            return vec![];
        }
        self.model.journal.reading = true;
        vec![Effect::Runs]
    }

    pub(super) fn seen_runs(&mut self, result: Result<Box<Journal>, Box<Failure>>) -> Vec<Effect> {
        self.model.journal.reading = false;
        match result {
            Ok(seen) => {
                self.model.journal.seen = Some(*seen);
                self.model.journal.at = Some(self.model.now);
                self.model.journal.failure = None;
                self.model.journal.measure(self.model.now);
            }
            Err(failure) => self.model.journal.failure = Some(*failure),
        }
        let every = if self.model.any_run_live() { LIVE_MS } else { QUIET_MS };
        self.model.journal.due = self.model.now + TimeDelta::milliseconds(every);
        self.follow_key();
        self.offer_unfinished();
        self.follow_runs()
    }

    /// The run shown is read again when the list says that it has come further.
    fn follow_runs(&mut self) -> Vec<Effect> {
        let Some(view) = self.model.run_here() else { return vec![] };
        if self.model.ours(view).is_some_and(|r| r.done.is_none()) {
            // The room shows what a switch writes down as it goes.
            return if self.model.is_switch(view) { self.reread_run() } else { vec![] };
        }
        let Some(listed) = view.run.as_deref().and_then(|id| self.model.journal.run(id)) else {
            return vec![];
        };
        // A switch has few batches and many stages.
        if listed.live && self.model.is_switch(view) {
            return self.reread_run();
        }
        let read = view.detail.as_ref().and_then(|d| d.as_ref().ok()).map(|d| &d.record);
        let same = |r: &RunRecord| {
            (r.batches, r.outcome, r.live, &r.ended_at)
                == (listed.batches, listed.outcome, listed.live, &listed.ended_at)
        };
        if read.is_some_and(same) { vec![] } else { self.reread_run() }
    }

    /// Once after connecting: a run that broke off is not left to be found by chance.
    fn offer_unfinished(&mut self) {
        let busy = self.model.overlay.is_some()
            || self.model.filter_input.is_some()
            || self.model.typing_phrase()
            || self.model.run_going().is_some();
        if self.model.journal.offered || busy || self.model.journal.seen.is_none() {
            return;
        }
        self.model.journal.offered = true;
        if let Some(id) = self.model.journal.unfinished().next().map(|r| r.id.clone()) {
            self.model.overlay = Some(Overlay::new(Kind::Unfinished(id)));
        }
    }

    /// Plans the way back.
    pub(super) fn undo(&mut self) -> Vec<Effect> {
        let Some(run) = screen::record_here(&self.model) else { return vec![] };
        let (id, title) = (run.id.clone(), format!("undo run {}: {}", run.id, title_of(run)));
        self.open_plan(Request::Undo { run: id }, title)
    }
}
