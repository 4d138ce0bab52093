//! Which rows differ, and how. Only key ranges whose digests differ are read.

use std::collections::{BTreeSet, HashSet};

use serde::Deserialize;

use crate::engine::model::error::Result;
use crate::engine::port::reader::ReadTx;
use crate::features::parity::classify::{LocatedRow, Samples, classify, natural};
use crate::features::parity::compared::Compared;
use crate::features::parity::facts::ParityFacts;
use crate::features::parity::pair::partitions::{Leaf, Mapping};
use crate::features::parity::piece::{DifferingPart, KeyText};
use crate::features::parity::scan::{Group, RowSlot, STATEMENT_LEAVES, TRANSACTION_LEAVES};
use crate::features::parity::snapshot::SnapshotSource;

/// Differing keys looked at one by one; beyond it they are counted and said so.
const CAP: usize = 20_000;
/// Rows on both sides that are compared key by key in one statement, about.
const UNIT_ROWS: u64 = 40_000;
/// Keys looked up in one statement.
const CHUNK: usize = 500;

#[derive(Deserialize)]
struct Candidate {
    key: KeyText,
}

#[derive(Deserialize)]
struct Count {
    keys: u64,
}

/// Ranges that are read together.
struct Unit<'a> {
    ranges: Vec<i64>,
    slots: Vec<usize>,
    homeless: bool,
    leaves: Vec<&'a Leaf>,
}

fn units<'a>(compared: &Compared<'a>, differing: &[Group]) -> Vec<Unit<'a>> {
    let mut sorted: Vec<&Group> = differing.iter().collect();
    sorted.sort();
    let mut out: Vec<(BTreeSet<i64>, BTreeSet<RowSlot>)> = Vec::new();
    let mut rows = 0;
    for same in sorted.chunk_by(|a, b| a.range == b.range) {
        rows += same.iter().map(|g| g.rows).sum::<u64>();
        // Without an index every unit is a reading of everything.
        if out.is_empty() || (rows > UNIT_ROWS && compared.cut.indexed()) {
            out.push(Default::default());
            rows = same.iter().map(|g| g.rows).sum();
        }
        if let (Some((ranges, slots)), Some(first)) = (out.last_mut(), same.first()) {
            ranges.insert(first.range);
            slots.extend(same.iter().map(|g| g.slot));
        }
    }
    let whole = compared.layout.mapping == Mapping::Whole;
    let unit = |(ranges, slots): (BTreeSet<i64>, BTreeSet<RowSlot>)| {
        let leaves =
            compared.layout.leaves.iter().filter(|l| whole || slots.contains(&Some(l.slot))).collect();
        let homeless = slots.contains(&None);
        Unit {
            ranges: ranges.into_iter().collect(),
            slots: slots.into_iter().flatten().collect(),
            homeless,
            leaves,
        }
    };
    out.into_iter().map(unit).collect()
}

/// Reads what differs, counts it into `facts`, and returns the first rows of each class.
pub(crate) async fn compare(
    source: &SnapshotSource<'_>,
    compared: &Compared<'_>,
    differing: &[Group],
    facts: &mut ParityFacts,
) -> Result<Samples> {
    let mut reading = Reading {
        source,
        compared,
        differing: differing.iter().map(|g| (g.slot, g.range)).collect(),
        tx: None,
        leaves: BTreeSet::new(),
        listed: 0,
        samples: Samples::default(),
    };
    for unit in units(compared, differing) {
        reading.unit(&unit, facts).await?;
    }
    Ok(reading.samples)
}

struct Reading<'a> {
    source: &'a SnapshotSource<'a>,
    compared: &'a Compared<'a>,
    differing: HashSet<(RowSlot, i64)>,
    tx: Option<Box<dyn ReadTx>>,
    /// Locked by the transaction.
    leaves: BTreeSet<i64>,
    /// Keys looked at so far.
    listed: usize,
    samples: Samples,
}

impl Reading<'_> {
    /// The transaction to read these leaves in: one does not hold locks on too many.
    async fn tx(&mut self, leaves: &[&Leaf]) -> Result<&mut dyn ReadTx> {
        self.leaves.extend(leaves.iter().map(|l| l.oid));
        if self.leaves.len() > TRANSACTION_LEAVES && self.source.snapshot().is_some() {
            self.tx = None;
            self.leaves = leaves.iter().map(|l| l.oid).collect();
        }
        let tx = match self.tx.take() {
            Some(tx) => tx,
            None => self.source.follow().await?,
        };
        Ok(&mut **self.tx.insert(tx))
    }

    async fn unit(&mut self, unit: &Unit<'_>, facts: &mut ParityFacts) -> Result<()> {
        let groups = batches(self.compared, unit);
        // A row that moved may show in the batch it left and in the one it went to.
        let mut keys: BTreeSet<KeyText> = BTreeSet::new();
        for (i, leaves) in groups.iter().enumerate() {
            let mut slots: Vec<usize> = leaves.iter().map(|l| l.slot).collect();
            if i == 0 {
                // Partitions that hold no table of their own, and rows that belong nowhere, go with the first.
                slots.extend(unit.slots.iter().filter(|s| !unit.leaves.iter().any(|l| l.slot == **s)));
            }
            let part = DifferingPart {
                ranges: &unit.ranges,
                slots: &slots,
                homeless: unit.homeless && i == 0,
                leaves,
            };
            let room = CAP.saturating_sub(self.listed + keys.len());
            let (compared, sql) = (self.compared, self.source.sql);
            let tx = self.tx(leaves).await?;
            let mut found: Vec<Candidate> = tx.fetch(&sql.differing_keys(compared, &part, room + 1)).await?;
            if found.len() > room {
                let count: Count = tx.one(&sql.count_differing_keys(compared, &part)).await?;
                facts.not_classified += count.keys.saturating_sub(room as u64);
                found.truncate(room);
            }
            keys.extend(found.into_iter().map(|c| c.key));
        }
        self.listed += keys.len();
        // NULL equals nothing: such a row cannot be looked up.
        let (mut keys, nulls): (Vec<_>, Vec<_>) =
            keys.into_iter().partition(|k| k.iter().all(Option::is_some));
        let parts = |k: &[Option<String>]| k.iter().flatten().cloned().collect::<Vec<_>>();
        keys.sort_by(|a, b| natural(&parts(a).join("\0"), &parts(b).join("\0")));
        facts.not_classified += nulls.len() as u64;
        for chunk in keys.chunks(CHUNK) {
            self.look_up(unit, chunk, facts).await?;
        }
        Ok(())
    }

    async fn look_up(&mut self, unit: &Unit<'_>, keys: &[KeyText], facts: &mut ParityFacts) -> Result<()> {
        let (compared, sql) = (self.compared, self.source.sql);
        let legacy: Vec<LocatedRow> = self.tx(&[]).await?.fetch(&sql.legacy_by_key(compared, keys)).await?;
        let mut twins: Vec<LocatedRow> = Vec::new();
        for leaves in unit.leaves.chunks(STATEMENT_LEAVES) {
            let found = self
                .tx(leaves)
                .await?
                .fetch::<LocatedRow>(&sql.leaves_by_key(compared, leaves, keys))
                .await?;
            twins.extend(found);
        }
        for n in 1..=keys.len() {
            let l: Vec<&LocatedRow> = legacy.iter().filter(|f| f.n == n).collect();
            let t: Vec<&LocatedRow> = twins.iter().filter(|f| f.n == n).filter(|f| self.differs(f)).collect();
            let settled = l.first().is_some_and(|row| {
                let slot = compared.layout.slot_of(row.bucket);
                slot.is_some() && !self.differing.contains(&(slot, row.range))
            });
            for (class, sample) in classify(compared, &l, &t, settled) {
                *class.count(facts).get_or_insert(0) += 1;
                self.samples.add(class, sample);
            }
        }
        Ok(())
    }

    /// Is this twin's row in a group that differs? Units join ranges: elsewhere its copy is as it should be.
    fn differs(&self, row: &LocatedRow) -> bool {
        let whole = self.compared.layout.mapping == Mapping::Whole;
        let slot = row.bucket.and_then(|b| usize::try_from(b).ok());
        whole || self.differing.contains(&(slot, row.range))
    }
}

/// Leaves that are compared in one statement: a partition's belong together, and so do all where there is no telling.
fn batches<'a>(compared: &Compared<'_>, unit: &Unit<'a>) -> Vec<Vec<&'a Leaf>> {
    let mut leaves = unit.leaves.clone();
    leaves.sort_by_key(|l| l.slot);
    let mut out: Vec<Vec<&Leaf>> = vec![vec![]];
    for slot in leaves.chunk_by(|a, b| a.slot == b.slot) {
        let whole = compared.layout.mapping == Mapping::Whole;
        match out.last_mut() {
            Some(last) if whole || last.is_empty() || last.len() + slot.len() <= STATEMENT_LEAVES => {
                last.extend(slot);
            }
            _ => out.push(slot.to_vec()),
        }
    }
    out
}
