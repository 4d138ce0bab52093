//! How far a comparison is, so that another can go on with it.

use serde::{Deserialize, Serialize};

use super::cut::Cut;
use super::facts::Reading;
use super::pass::Tally;
use super::source::Taken;

/// Which snapshots were read, with their keys.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) readings: Vec<Reading>,
    /// The oldest snapshot of this run.
    pub(super) first: Option<Taken>,
    /// Rows that an earlier run has read.
    pub(super) before: u64,
    /// Where the last reading began.
    from: Option<i64>,
}

impl Progress {
    pub(super) fn resume(&mut self, mut earlier: Vec<Reading>, rows: u64) {
        for reading in &mut earlier {
            reading.resumed = true;
        }
        (self.readings, self.before) = (earlier, rows);
    }

    /// A piece was read; neighbours in one snapshot are one reading.
    pub(super) fn read(&mut self, taken: &Taken, cut: &Cut, from: Option<i64>, to: Option<i64>) {
        self.first.get_or_insert_with(|| taken.clone());
        let snapshot = taken.name.clone().unwrap_or_else(|| taken.sees.clone());
        if let Some(last) = self.readings.last_mut().filter(|r| r.snapshot == snapshot && !r.resumed) {
            last.range = cut.named(self.from, to);
            return;
        }
        self.from = from;
        let range = cut.named(from, to);
        self.readings.push(Reading { range, snapshot, at: taken.at.clone(), resumed: false });
    }
}

/// A comparison that was cancelled or failed after some of its pieces.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Unfinished {
    pub(super) shape: String,
    pub(super) cut: Cut,
    pub(super) chunks: Vec<(Option<i64>, Option<i64>)>,
    pub(super) done: usize,
    pub(super) readings: Vec<Reading>,
    pub(super) tally: Tally,
}
