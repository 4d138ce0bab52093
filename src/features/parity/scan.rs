//! One reading of both sides: counts, sums and digests by partition and key range, side by side on one snapshot.

use std::collections::BTreeSet;

use futures_util::future::try_join;
use serde::{Deserialize, Serialize};

use crate::engine::compare::totals::{
    Aggregate, DifferingRange, GroupNumber, GroupPlace, SideTotals, differing,
};
use crate::engine::model::comparison::RowPart;
use crate::engine::model::error::Result;
use crate::engine::port::compare_sql::CompareSql;
use crate::engine::port::reader::ReadTx;
use crate::features::parity::compared_pair::ComparedPair;
use crate::features::parity::pair::partitions::{Leaf, Mapping};
use crate::features::parity::scan_part::ScanPart;
use crate::features::parity::snapshot::SnapshotSource;

/// Leaves in one transaction: each holds locks on the leaf and its indexes, and a default server has
/// room for some 6,400 locks in all.
pub(crate) const TRANSACTION_LEAVES: usize = 400;

/// A scan of one large table is a third quicker compiled, where telling its partitions apart is a short expression. The
/// leaves are not: each would be compiled for itself.
const COMPILED_SLOTS: usize = 100;

/// What was read so far, by slot: a partition of the first level, or `None` for legacy rows that belong to none.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) legacy: Vec<(GroupNumber, Aggregate)>,
    pub(crate) twin: Vec<(usize, Aggregate)>,
    pub(crate) differing: Vec<DifferingRange>,
}

/// Reads a piece into the tally.
pub(crate) async fn read(
    tx: &mut dyn ReadTx,
    source: &SnapshotSource<'_>,
    compared: &ComparedPair<'_>,
    piece: &ScanPart,
    tally: &mut Tally,
) -> Result<()> {
    let leaves = piece.leaves(compared);
    // Counts and sums are soon read.
    let keys = if compared.options.quick { piece.keys } else { source.paced(piece.keys) };
    let piece = &ScanPart { keys, ..piece.clone() };
    let (legacy, twin) = match source.snapshot() {
        Some(_) if source.both() => {
            try_join(
                read_legacy(tx, source.rows, compared, piece),
                read_twin(None, source, compared, piece, &leaves),
            )
            .await?
        }
        Some(_) => {
            let legacy = read_legacy(tx, source.rows, compared, piece).await?;
            (legacy, read_twin(None, source, compared, piece, &leaves).await?)
        }
        // Nobody else can see this snapshot.
        None => {
            let legacy = read_legacy(tx, source.rows, compared, piece).await?;
            (legacy, read_twin(Some(tx), source, compared, piece, &leaves).await?)
        }
    };
    tally.add(compared, &legacy, &twin);
    Ok(())
}

async fn read_legacy(
    tx: &mut dyn ReadTx,
    sql: &dyn CompareSql,
    compared: &ComparedPair<'_>,
    piece: &ScanPart,
) -> Result<SideTotals> {
    let mut side = SideTotals::default();
    if let Some(part) = piece.legacy_part(compared) {
        let compiled = compared.layout.slots.len() <= COMPILED_SLOTS;
        let compile = |on| sql.compile(on).filter(|_| compiled);
        if let Some(on) = compile(true) {
            tx.texts(&on).await?;
        }
        let place = |bucket| GroupPlace::in_one(compared.layout.slot_of(bucket));
        side.read(tx, sql, &compared.rows(), (&[part], piece.keys), &place).await?;
        if let Some(off) = compile(false) {
            tx.texts(&off).await?;
        }
    }
    Ok(side)
}

async fn read_twin(
    mut own: Option<&mut dyn ReadTx>,
    source: &SnapshotSource<'_>,
    compared: &ComparedPair<'_>,
    piece: &ScanPart,
    leaves: &[&Leaf],
) -> Result<SideTotals> {
    let whole = compared.layout.mapping == Mapping::Whole;
    let place = |bucket: Option<i64>| {
        let slot = bucket.and_then(|b| usize::try_from(b).ok());
        GroupPlace { counted: slot, compared: if whole { Some(0) } else { slot } }
    };
    let mut side = SideTotals::default();
    for some in leaves.chunks(TRANSACTION_LEAVES) {
        let mut follower = None;
        let tx: &mut dyn ReadTx = match &mut own {
            Some(tx) => &mut **tx,
            None => &mut **follower.insert(source.follow().await?),
        };
        let parts: Vec<RowPart<'_>> = some.iter().map(|l| compared.leaf_part(l)).collect();
        side.read(tx, source.rows, &compared.rows(), (&parts, piece.keys), &place).await?;
    }
    Ok(side)
}

impl Tally {
    fn add(&mut self, compared: &ComparedPair<'_>, legacy: &SideTotals, twin: &SideTotals) {
        for (slot, aggregate) in &legacy.groups {
            self.legacy_mut(*slot).add(aggregate);
        }
        for (slot, aggregate) in &twin.groups {
            if let Some(slot) = slot {
                self.twin_mut(*slot).add(aggregate);
            }
        }
        if compared.legacy.is_some() && !compared.options.quick {
            self.differing.extend(differing(legacy, twin));
        }
    }

    /// Rows read, of both sides.
    pub(crate) fn rows(&self) -> u64 {
        let legacy = self.legacy.iter().map(|(_, a)| a.rows);
        legacy.chain(self.twin.iter().map(|(_, a)| a.rows)).sum()
    }

    fn legacy_mut(&mut self, slot: GroupNumber) -> &mut Aggregate {
        find(&mut self.legacy, slot)
    }

    fn twin_mut(&mut self, slot: usize) -> &mut Aggregate {
        find(&mut self.twin, slot)
    }

    pub(crate) fn legacy_of(&self, slot: GroupNumber) -> Aggregate {
        self.legacy.iter().find(|(s, _)| *s == slot).map(|(_, a)| a.clone()).unwrap_or_default()
    }

    pub(crate) fn twin_of(&self, slot: usize) -> Aggregate {
        self.twin.iter().find(|(s, _)| *s == slot).map(|(_, a)| a.clone()).unwrap_or_default()
    }

    /// The largest number of a sequence's column.
    pub(crate) fn max(&self, sequence: usize) -> Option<i64> {
        self.twin.iter().filter_map(|(_, a)| a.maxes.get(sequence).copied().flatten()).max()
    }

    /// Takes what another tally says of slots that this one did not read.
    pub(crate) fn put(&mut self, slot: usize, legacy: &Aggregate, twin: &Aggregate) {
        self.legacy_mut(Some(slot)).add(legacy);
        self.twin_mut(slot).add(twin);
    }

    /// Slots of which some range differs.
    pub(crate) fn differing_slots(&self) -> BTreeSet<GroupNumber> {
        self.differing.iter().map(|g| g.group).collect()
    }
}

#[expect(
    clippy::indexing_slicing,
    reason = "the place was just found or filled: there is nothing to fall back on"
)]
fn find<K: Copy + Ord>(list: &mut Vec<(K, Aggregate)>, key: K) -> &mut Aggregate {
    let at = match list.binary_search_by(|(k, _)| k.cmp(&key)) {
        Ok(at) => at,
        Err(at) => {
            list.insert(at, (key, Aggregate::default()));
            at
        }
    };
    &mut list[at].1
}
