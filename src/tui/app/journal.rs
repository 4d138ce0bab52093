//! The journal as the console sees it: polled, followed while somebody works, offered again where it broke off.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::overlay::Kind;
use super::{App, Overlay, View};
use crate::engine::model::record::{Outcome, RunRecord};
use crate::engine::plan::request::Request;
use crate::tui::backend::Journal;
use crate::tui::keymap::Scene;
use crate::tui::msg::{Effect, Failure};

/// While a run goes on.
const LIVE_MS: i64 = 1_000;
/// While the list of runs is looked at.
const SHOWN_MS: i64 = 2_000;
/// Otherwise.
const QUIET_MS: i64 = 10_000;
/// Ticks come a little early.
const EARLY_MS: i64 = 100;

/// What is known of the journal.
#[derive(Debug, Clone, Default)]
pub struct JournalState {
    /// As last read.
    pub seen: Option<Journal>,
    /// When.
    pub at: Option<DateTime<Utc>>,
    /// Why the last reading told nothing.
    pub failure: Option<Failure>,
    /// Being read.
    pub reading: bool,
    /// Read again then.
    pub due: DateTime<Utc>,
    /// How fast others' runs go: rows done with when last seen, and rows a second.
    pub pace: HashMap<String, Pace>,
    /// Unfinished runs were offered once.
    pub offered: bool,
}

/// How fast a run goes, by looking at it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// When it was looked at.
    pub at: DateTime<Utc>,
    /// Rows done with then.
    pub done: u64,
    /// Rows a second.
    pub rate: f64,
}

impl JournalState {
    /// Its runs, newest first.
    pub fn runs(&self) -> &[RunRecord] {
        match &self.seen {
            Some(Journal::Runs(listed)) => &listed.runs,
            Some(Journal::Missing) | None => &[],
        }
    }

    /// A run, if it is among the latest.
    pub fn run(&self, id: &str) -> Option<&RunRecord> {
        self.runs().iter().find(|r| r.id == id)
    }

    /// Runs that broke off and can be gone on with.
    pub fn unfinished(&self) -> impl Iterator<Item = &RunRecord> {
        self.runs().iter().filter(|r| r.resumable && !r.live)
    }

    /// Keeps how fast live runs go.
    fn measure(&mut self, now: DateTime<Utc>) {
        let live: Vec<(String, u64)> =
            self.runs().iter().filter(|r| r.live).map(|r| (r.id.clone(), done(r))).collect();
        self.pace.retain(|id, _| live.iter().any(|(l, _)| l == id));
        for (id, done) in live {
            let pace = self.pace.entry(id).or_insert(Pace { at: now, done, rate: 0.0 });
            let ms = (now - pace.at).num_milliseconds();
            if ms >= LIVE_MS - EARLY_MS {
                let gained = u32::try_from(done.saturating_sub(pace.done)).unwrap_or(u32::MAX);
                let now_rate = f64::from(gained) * 1000.0 / f64::from(i32::try_from(ms).unwrap_or(i32::MAX));
                // Batches come in jumps: the last looks together tell more than the last one.
                let rate = if pace.rate > 0.0 { pace.rate * 0.7 + now_rate * 0.3 } else { now_rate };
                *pace = Pace { at: now, done, rate };
            }
        }
    }
}

/// Rows that a run is done with.
pub fn done(run: &RunRecord) -> u64 {
    run.rows_applied + run.rows_drifted
}

impl App {
    /// Reads the journal when that is due.
    pub(super) fn poll_runs(&mut self) -> Vec<Effect> {
        let soon = self.now + TimeDelta::milliseconds(EARLY_MS);
        let old = |at: DateTime<Utc>| at + TimeDelta::milliseconds(SHOWN_MS) <= soon;
        let shown = self.scene() == Scene::Runs && self.journal.at.is_none_or(old);
        if self.journal.reading || self.journal.due > soon && !shown {
            return vec![];
        }
        self.journal.reading = true;
        vec![Effect::Runs]
    }

    /// Somebody works: then it is followed even where the console looks at nothing else by itself.
    pub fn any_run_live(&self) -> bool {
        self.run_going().is_some() || self.journal.runs().iter().any(|r| r.live)
    }

    pub(super) fn seen_runs(&mut self, result: Result<Box<Journal>, Box<Failure>>) -> Vec<Effect> {
        self.journal.reading = false;
        match result {
            Ok(seen) => {
                self.journal.seen = Some(*seen);
                self.journal.at = Some(self.now);
                self.journal.failure = None;
                self.journal.measure(self.now);
            }
            Err(failure) => self.journal.failure = Some(*failure),
        }
        let every = if self.any_run_live() { LIVE_MS } else { QUIET_MS };
        self.journal.due = self.now + TimeDelta::milliseconds(every);
        self.follow_key();
        self.offer_unfinished();
        self.follow_runs()
    }

    /// The run shown is read again when the list says that it has come further.
    fn follow_runs(&mut self) -> Vec<Effect> {
        let Some(view) = self.run_here() else { return vec![] };
        if self.ours(view).is_some_and(|r| r.done.is_none()) {
            // The room shows what a switch writes down as it goes.
            return if self.is_switch(view) { self.reread_run() } else { vec![] };
        }
        let Some(listed) = view.run.as_deref().and_then(|id| self.journal.run(id)) else { return vec![] };
        // A switch has few batches and many stages.
        if listed.live && self.is_switch(view) {
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
        let busy = self.overlay.is_some()
            || self.filter_input.is_some()
            || self.typing_phrase()
            || self.run_going().is_some();
        if self.journal.offered || busy || self.journal.seen.is_none() {
            return;
        }
        self.journal.offered = true;
        if let Some(id) = self.journal.unfinished().next().map(|r| r.id.clone()) {
            self.overlay = Some(Overlay::of(Kind::Unfinished(id)));
        }
    }

    /// The run under the cursor, or shown; on the overview the last one.
    pub fn record_here(&self) -> Option<&RunRecord> {
        match &self.level().view {
            View::Run(view) => self.record(view),
            View::Pane if self.scene() == Scene::Runs => {
                let list = self.list();
                let key = &list.rows.get(self.level().state.cursor)?.key;
                self.journal.run(key)
            }
            View::Pane if self.pane == 0 => self.journal.runs().first(),
            _ => None,
        }
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
        if run.operation == "rehearse" {
            return Some("a rehearsal changes a copy only: there is nothing to take back".into());
        }
        if run.reversible == "no" {
            return Some(format!("it cannot be taken back: {}", run.undo));
        }
        let changed = run.rows_applied > 0 || matches!(run.outcome, Outcome::Ambiguous | Outcome::Running);
        // Statements change no rows of their own.
        let statements = run.rows_applied == 0 && run.outcome == Outcome::Applied;
        (!changed && !statements).then(|| "it has changed nothing".into())
    }

    /// Plans the way back.
    pub(super) fn undo(&mut self) -> Vec<Effect> {
        let Some(run) = self.record_here() else { return vec![] };
        let (id, title) = (run.id.clone(), format!("undo run {}: {}", run.id, super::run::title_of(run)));
        self.open_plan(Request::Undo { run: id }, title)
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
