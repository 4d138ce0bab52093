//! How far a comparison is, so that another can go on with it.

use serde::{Deserialize, Serialize};

use crate::engine::check::kind::CheckCx;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::identity::Identity;
use crate::engine::model::key_ranges::RangeCut;
use crate::engine::port::state::{Document, State};
use crate::features::parity::facts::{KIND, Reading};
use crate::features::parity::scan::Tally;
use crate::features::parity::snapshot::SnapshotInfo;

/// Which snapshots were read, with their keys.
#[derive(Debug, Default)]
pub(crate) struct ComparisonProgress {
    pub(crate) readings: Vec<Reading>,
    /// The oldest snapshot of this run.
    pub(crate) first: Option<SnapshotInfo>,
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
    pub(crate) fn read(&mut self, taken: &SnapshotInfo, cut: &RangeCut, from: Option<i64>, to: Option<i64>) {
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

fn document(twin: &str) -> Document<'_> {
    Document { folder: KIND, name: twin, holds: "unfinished" }
}

impl Unfinished {
    /// That of a pair, if there is one.
    pub(crate) fn read(state: &dyn State, target: &Identity, twin: &str) -> Option<Self> {
        serde_json::from_str(&state.read(target, &document(twin))?).ok()
    }

    /// Keeps it in place of the last.
    pub(crate) fn keep(&self, cx: &CheckCx<'_>, twin: &str) -> Result<()> {
        let text = serde_json::to_string(self)
            .map_err(|e| Error::unobserved(format!("failed to keep an unfinished comparison: {e}")))?;
        cx.state.write(&Identity::from_server(cx.server), &document(twin), Some(&text))
    }

    /// There is none any more.
    pub(crate) fn forget(cx: &CheckCx<'_>, twin: &str) -> Result<()> {
        cx.state.write(&Identity::from_server(cx.server), &document(twin), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a build before wrote it: what it kept is resumed.
    #[test]
    fn what_an_earlier_build_kept_is_read_and_written_alike() {
        let text = concat!(
            r#"{"shape":"hashint4extended(0, hashint4extended(\"id\", 1) # coalesce(hashtextextended(\"v\"::text collate \"C\", 3), 3)) [] [16397] [\"FOR VALUES FROM (0) TO (2000)\"]""#,
            r#","cut":{"Bits":{"column":"id","bits":12,"span":[0,4]}}"#,
            r#","chunks":[[null,0],[1,1],[2,2],[3,null]],"done":1"#,
            r#","readings":[{"range":"id up to 4095","snapshot":"00000005-00000004-1""#,
            r#","at":"2026-11-29T16:28:03Z","resumed":false}],"tally":{"legacy":[[0,{"rows":2000"#,
            r#","digest":"123994323259745581408","sums":[],"maxes":[]}],[1,{"rows":2000"#,
            r#","digest":"199997455657442792787","sums":[],"maxes":[]}],[2,{"rows":96"#,
            r#","digest":"44534125184599463487","sums":[],"maxes":[]}]],"twin":[[0,{"rows":2000"#,
            r#","digest":"123994323259745581408","sums":[],"maxes":[]}],[1,{"rows":2000"#,
            r#","digest":"199997455657442792787","sums":[],"maxes":[]}],[2,{"rows":96"#,
            r#","digest":"44534125184599463487","sums":[],"maxes":[]}]],"differing":[]}}"#,
        );
        let unfinished: Unfinished = serde_json::from_str(text).unwrap();
        assert_eq!((unfinished.done, unfinished.chunks.len(), unfinished.tally.rows()), (1, 4, 8192));
        assert_eq!(serde_json::to_string(&unfinished).unwrap(), text);
    }
}
