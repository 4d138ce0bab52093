//! What is known of the journal, and how fast a run goes by its entries.

use crate::engine::model::record::RunRecord;
use crate::tui::data::Journal;
use crate::tui::failure::Failure;
use chrono::{DateTime, Utc};
use std::collections::HashMap;

/// Ticks come a little early.
pub(in crate::tui) const EARLY_MS: i64 = 100;
/// While a run goes on.
pub(in crate::tui) const LIVE_MS: i64 = 1_000;

/// What is known of the journal.
#[derive(Debug, Clone, Default)]
pub struct JournalModel {
    /// As last read.
    pub seen: Option<Journal>,
    /// When it was last read; `None`: not yet.
    pub at: Option<DateTime<Utc>>,
    /// Why the last reading told nothing.
    pub failure: Option<Failure>,
    /// Being read.
    pub reading: bool,
    /// Read again then.
    pub due: DateTime<Utc>,
    /// How fast others' runs go: rows done with when last seen, and rows a second.
    pub pace: HashMap<String, RunPace>,
    /// Unfinished runs were offered once.
    pub offered: bool,
}

/// How fast a run goes, by looking at it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunPace {
    /// When it was looked at.
    pub at: DateTime<Utc>,
    /// Rows done with then.
    pub done: u64,
    /// Rows a second.
    pub rate: f64,
}

impl JournalModel {
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
    pub(in crate::tui) fn measure(&mut self, now: DateTime<Utc>) {
        let live: Vec<(String, u64)> =
            self.runs().iter().filter(|r| r.live).map(|r| (r.id.clone(), rows_handled(r))).collect();
        self.pace.retain(|id, _| live.iter().any(|(l, _)| l == id));
        for (id, done) in live {
            let pace = self.pace.entry(id).or_insert(RunPace { at: now, done, rate: 0.0 });
            let ms = (now - pace.at).num_milliseconds();
            if ms >= LIVE_MS - EARLY_MS {
                let gained = u32::try_from(done.saturating_sub(pace.done)).unwrap_or(u32::MAX);
                let now_rate = f64::from(gained) * 1000.0 / f64::from(i32::try_from(ms).unwrap_or(i32::MAX));
                // Batches come in jumps: the last looks together tell more than the last one.
                let rate = if pace.rate > 0.0 { pace.rate * 0.7 + now_rate * 0.3 } else { now_rate };
                *pace = RunPace { at: now, done, rate };
            }
        }
    }
}

/// Rows that a run is done with.
pub fn rows_handled(run: &RunRecord) -> u64 {
    run.rows_applied + run.rows_drifted
}
