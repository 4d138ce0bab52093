//! A twin's partitions: rows of both sides, whether they are equal, since when that is known and in which snapshot.

use crate::engine::model::report::CheckId;
use crate::features::parity::facts::PartitionStatus;
use crate::features::parity::facts::{ParityFacts, Partition};
use crate::tui::format::{ago, count, counted};
use crate::tui::list::{Cell, Col, Goto, List, ListRow, cell, plain};
use crate::tui::model::state::Model;
use crate::tui::model::watch::Watch;
use crate::tui::pane::parity::partition_mark::mark;
use crate::tui::theme::Tone;

/// One line for each.
pub fn list(model: &Model, id: &CheckId) -> List {
    let watch = model.watch(id);
    let rows = watch
        .and_then(|w| Some((w, w.parity()?)))
        .map(|(w, f)| f.partitions.iter().map(|p| row(model, w, f, p)).collect())
        .unwrap_or_default();
    List {
        cols: vec![
            Col::left("partition"),
            Col::right("legacy"),
            Col::right("twin"),
            Col::left("state"),
            Col::right("proved"),
            Col::grow("snapshot"),
        ],
        rows,
        empty: "looking…".into(),
        empty_tone: Tone::Dim,
    }
}

/// Where to, below rows that differ.
pub(super) fn below(id: &CheckId, f: &ParityFacts, first: Cell) -> ListRow {
    let all = format!("{}: counts, proofs", counted(f.partitions.len() as u64, "partition"));
    let mut cells = vec![first];
    cells.extend((0..4).map(|_| plain("")));
    cells.push(cell(all, Tone::Accent));
    ListRow {
        key: format!("{id}/partitions"),
        cells,
        goto: Goto::Partitions(id.clone()),
        check: Some(id.clone()),
    }
}

fn row(model: &Model, watch: &Watch, f: &ParityFacts, p: &Partition) -> ListRow {
    let (symbol, tone) = mark(p, model.theme.glyphs);
    let word = if p.sealed { "sealed" } else { p.status.word() };
    let number = |n: Option<u64>| plain(n.map_or_else(|| "?".into(), count));
    // What was read just now was proved just now; what differs, never.
    let (at, snapshot) = match p.status {
        PartitionStatus::Equal if p.sealed => {
            (p.proved_at.as_deref().and_then(|t| t.parse().ok()), p.proof_snapshot.as_deref())
        }
        PartitionStatus::Equal => (watch.report.as_ref().map(|r| r.observed_at), f.snapshot.as_deref()),
        _ => (None, None),
    };
    ListRow {
        key: p.partition.clone(),
        cells: vec![
            cell(p.partition.clone(), Tone::Strong),
            number(p.legacy_rows),
            number(p.partitioned_rows),
            cell(format!("{symbol} {word}"), tone),
            cell(at.map_or_else(String::new, |at| ago(at, model.now)), Tone::Dim),
            cell(snapshot.unwrap_or_default(), Tone::Dim),
        ],
        goto: Goto::Stay,
        check: Some(watch.id.clone()),
    }
}
