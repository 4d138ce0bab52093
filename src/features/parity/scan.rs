//! One reading of both sides: counts, sums and digests by partition and key range, side by side on one snapshot.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::future::try_join;
use serde::{Deserialize, Serialize};

use crate::engine::model::error::{Error, Result};
use crate::engine::port::reader::ReadTx;
use crate::features::parity::compared::Compared;
use crate::features::parity::exact_sum::Sum;
use crate::features::parity::pair::partitions::{Leaf, Mapping};
use crate::features::parity::piece::Piece;
use crate::features::parity::snapshot::SnapshotSource;
use crate::features::parity::sql::ParitySql;

/// Leaves in one statement.
pub(crate) const STATEMENT_LEAVES: usize = 40;
/// Leaves in one transaction: each holds locks on the leaf and its indexes, and a default server has
/// room for some 6,400 locks in all.
pub(crate) const TRANSACTION_LEAVES: usize = 400;

/// A scan of one large table is a third quicker compiled, where telling its partitions apart is a short expression. The
/// leaves are not: each would be compiled for itself.
const COMPILED_SLOTS: usize = 100;

/// Rows of one side that belong together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Aggregate {
    pub(crate) rows: u64,
    #[serde(with = "crate::features::parity::exact_sum::as_text")]
    pub(crate) digest: i128,
    pub(crate) sums: Vec<Sum>,
    /// Largest number of each sequence's column; of a twin only.
    #[serde(default)]
    pub(crate) maxes: Vec<Option<i64>>,
}

impl Aggregate {
    fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.digest = self.digest.wrapping_add(other.digest);
        self.sums.resize(other.sums.len().max(self.sums.len()), Sum::default());
        for (sum, more) in self.sums.iter_mut().zip(&other.sums) {
            sum.add(more);
        }
        self.maxes.resize(other.maxes.len().max(self.maxes.len()), None);
        for (max, more) in self.maxes.iter_mut().zip(&other.maxes) {
            *max = (*max).max(*more);
        }
    }
}

/// A slot's or, where slots cannot be told for legacy rows, everything's.
pub(crate) type RowSlot = Option<usize>;

/// A slot and range whose sides are not equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) range: i64,
    pub(crate) slot: RowSlot,
    /// On both sides.
    pub(crate) rows: u64,
}

/// What was read so far.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) legacy: Vec<(RowSlot, Aggregate)>,
    pub(crate) twin: Vec<(usize, Aggregate)>,
    pub(crate) differing: Vec<Group>,
}

#[derive(Deserialize)]
struct Row {
    bucket: Option<i64>,
    range: Option<i64>,
    rows: u64,
    digest: Option<String>,
    sums: Vec<Option<String>>,
    maxes: Vec<Option<i64>>,
}

impl Row {
    fn aggregate(&self) -> Result<Aggregate> {
        let digest = match &self.digest {
            None => 0,
            Some(text) => {
                text.parse().map_err(|_| Error::unobserved(format!("failed to read a digest: {text}")))?
            }
        };
        let sum = |s: &Option<String>| s.as_deref().map_or_else(Sum::default, Sum::parse);
        let sums = self.sums.iter().map(sum).collect();
        Ok(Aggregate { rows: self.rows, digest, sums, maxes: self.maxes.clone() })
    }
}

/// One side of one piece.
#[derive(Default)]
struct Half {
    slots: BTreeMap<RowSlot, Aggregate>,
    groups: HashMap<(RowSlot, i64), (u64, i128)>,
}

impl Half {
    fn take(&mut self, row: &Row, slot: RowSlot, group: RowSlot) -> Result<()> {
        let aggregate = row.aggregate()?;
        let held = self.groups.entry((group, row.range.unwrap_or(i64::MIN))).or_default();
        held.0 += aggregate.rows;
        held.1 = held.1.wrapping_add(aggregate.digest);
        self.slots.entry(slot).or_default().add(&aggregate);
        Ok(())
    }
}

/// Reads a piece into the tally.
pub(crate) async fn read(
    tx: &mut dyn ReadTx,
    source: &SnapshotSource<'_>,
    compared: &Compared<'_>,
    piece: &Piece,
    tally: &mut Tally,
) -> Result<()> {
    let leaves = piece.leaves(compared);
    // Counts and sums are soon read.
    let keys = if compared.quick { piece.keys } else { source.paced(piece.keys) };
    let piece = &Piece { keys, ..piece.clone() };
    let (legacy, twin) = match source.snapshot() {
        Some(_) if source.both() => {
            try_join(
                read_legacy(tx, source.sql, compared, piece),
                read_twin(None, source, compared, piece, &leaves),
            )
            .await?
        }
        Some(_) => {
            let legacy = read_legacy(tx, source.sql, compared, piece).await?;
            (legacy, read_twin(None, source, compared, piece, &leaves).await?)
        }
        // Nobody else can see this snapshot.
        None => {
            let legacy = read_legacy(tx, source.sql, compared, piece).await?;
            (legacy, read_twin(Some(tx), source, compared, piece, &leaves).await?)
        }
    };
    tally.add(compared, &legacy, &twin);
    Ok(())
}

async fn read_legacy(
    tx: &mut dyn ReadTx,
    sql: &dyn ParitySql,
    compared: &Compared<'_>,
    piece: &Piece,
) -> Result<Half> {
    let mut half = Half::default();
    if let Some(legacy) = compared.legacy {
        let compiled = compared.layout.slots.len() <= COMPILED_SLOTS;
        if compiled {
            tx.texts(&sql.compile(true)).await?;
        }
        let rows: Vec<Row> = tx.fetch(&sql.legacy_totals(compared, legacy, piece)).await?;
        if compiled {
            tx.texts(&sql.compile(false)).await?;
        }
        for row in &rows {
            let slot = compared.layout.slot_of(row.bucket);
            half.take(row, slot, slot)?;
        }
    }
    Ok(half)
}

async fn read_twin(
    mut own: Option<&mut dyn ReadTx>,
    source: &SnapshotSource<'_>,
    compared: &Compared<'_>,
    piece: &Piece,
    leaves: &[&Leaf],
) -> Result<Half> {
    let whole = compared.layout.mapping == Mapping::Whole;
    let mut half = Half::default();
    for some in leaves.chunks(TRANSACTION_LEAVES) {
        let mut follower = None;
        let tx: &mut dyn ReadTx = match &mut own {
            Some(tx) => &mut **tx,
            None => &mut **follower.insert(source.follow().await?),
        };
        for group in some.chunks(STATEMENT_LEAVES) {
            let rows: Vec<Row> = tx.fetch(&source.sql.leaf_totals(compared, group, piece.keys)).await?;
            for row in &rows {
                let slot = row.bucket.and_then(|b| usize::try_from(b).ok());
                half.take(row, slot, if whole { Some(0) } else { slot })?;
            }
        }
    }
    Ok(half)
}

impl Tally {
    fn add(&mut self, compared: &Compared<'_>, legacy: &Half, twin: &Half) {
        for (slot, aggregate) in &legacy.slots {
            self.legacy_mut(*slot).add(aggregate);
        }
        for (slot, aggregate) in &twin.slots {
            if let Some(slot) = slot {
                self.twin_mut(*slot).add(aggregate);
            }
        }
        if compared.legacy.is_none() || compared.quick {
            return;
        }
        let none = (0, 0);
        let keys: BTreeSet<(RowSlot, i64)> =
            legacy.groups.keys().chain(twin.groups.keys()).copied().collect();
        for (slot, range) in keys {
            let l = legacy.groups.get(&(slot, range)).unwrap_or(&none);
            let t = twin.groups.get(&(slot, range)).unwrap_or(&none);
            if l != t {
                self.differing.push(Group { range, slot, rows: l.0 + t.0 });
            }
        }
    }

    /// Rows read, of both sides.
    pub(crate) fn rows(&self) -> u64 {
        let legacy = self.legacy.iter().map(|(_, a)| a.rows);
        legacy.chain(self.twin.iter().map(|(_, a)| a.rows)).sum()
    }

    fn legacy_mut(&mut self, slot: RowSlot) -> &mut Aggregate {
        find(&mut self.legacy, slot)
    }

    fn twin_mut(&mut self, slot: usize) -> &mut Aggregate {
        find(&mut self.twin, slot)
    }

    pub(crate) fn legacy_of(&self, slot: RowSlot) -> Aggregate {
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
    pub(crate) fn differing_slots(&self) -> BTreeSet<RowSlot> {
        self.differing.iter().map(|g| g.slot).collect()
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
