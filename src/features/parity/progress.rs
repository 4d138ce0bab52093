//! How far a comparison is, so that another can go on with it.

use serde::{Deserialize, Serialize};

use crate::engine::model::key_ranges::RangeCut;
use crate::features::parity::facts::Reading;
use crate::features::parity::scan::Tally;
use crate::features::parity::snapshot::Taken;

/// Which snapshots were read, with their keys.
#[derive(Debug, Default)]
pub(crate) struct ComparisonProgress {
    pub(crate) readings: Vec<Reading>,
    /// The oldest snapshot of this run.
    pub(crate) first: Option<Taken>,
    /// Rows that an earlier run has read.
    pub(crate) before: u64,
    /// Where the last reading began.
    from: Option<i64>,
}

impl ComparisonProgress {
    pub(crate) fn resume(&mut self, mut earlier: Vec<Reading>, rows: u64) {
        for reading in &mut earlier {
            reading.resumed = true;
        }
        (self.readings, self.before) = (earlier, rows);
    }

    /// A piece was read; neighbours in one snapshot are one reading.
    pub(crate) fn read(&mut self, taken: &Taken, cut: &RangeCut, from: Option<i64>, to: Option<i64>) {
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
pub(crate) struct Unfinished {
    pub(crate) shape: String,
    pub(crate) cut: RangeCut,
    pub(crate) chunks: Vec<(Option<i64>, Option<i64>)>,
    pub(crate) done: usize,
    pub(crate) readings: Vec<Reading>,
    pub(crate) tally: Tally,
}
