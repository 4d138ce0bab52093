//! Which rows of a pair differ, and how: the transactions that they are read in, and the partitions where they are.

use std::collections::{BTreeSet, HashSet};

use crate::engine::compare::classify::{KeyRules, LocatedRow};
use crate::engine::compare::rows::{self, LISTED_KEYS, LOOKED_UP};
use crate::engine::compare::totals::{DifferingRange, GroupNumber, STATEMENT_PARTS};
use crate::engine::compare::units::{self, units};
use crate::engine::model::comparison::{KeyText, PartsOfBoth, RowPart};
use crate::engine::model::error::Result;
use crate::engine::port::reader::ReadTx;
use crate::features::parity::classify::{RowDifference, Samples, sample};
use crate::features::parity::compared_pair::ComparedPair;
use crate::features::parity::facts::ParityFacts;
use crate::features::parity::pair::partitions::{Leaf, Mapping};
use crate::features::parity::scan::TRANSACTION_LEAVES;
use crate::features::parity::snapshot::SnapshotSource;

/// Ranges that are read together.
struct UnitRows<'a> {
    ranges: Vec<i64>,
    slots: Vec<usize>,
    homeless: bool,
    leaves: Vec<&'a Leaf>,
}

impl<'a> UnitRows<'a> {
    fn new(compared: &ComparedPair<'a>, unit: units::RangeUnit) -> Self {
        let whole = compared.layout.mapping == Mapping::Whole;
        let has = |l: &&Leaf| whole || unit.groups.contains(&Some(l.slot));
        Self {
            ranges: unit.range_list(),
            homeless: unit.groups.contains(&None),
            leaves: compared.layout.leaves.iter().filter(has).collect(),
            slots: unit.groups.into_iter().flatten().collect(),
        }
    }
}

/// Reads what differs, counts it into `facts`, and returns the first rows of each class.
pub(crate) async fn compare(
    source: &SnapshotSource<'_>,
    compared: &ComparedPair<'_>,
    differing: &[DifferingRange],
    facts: &mut ParityFacts,
) -> Result<Samples> {
    let mut reading = Reading {
        source,
        compared,
        differing: differing.iter().map(|g| (g.group, g.range)).collect(),
        tx: None,
        leaves: BTreeSet::new(),
        listed: 0,
        samples: Samples::default(),
    };
    // Without an index every unit is a reading of everything.
    for unit in units(differing, compared.cut.indexed()) {
        reading.unit(&UnitRows::new(compared, unit), facts).await?;
    }
    Ok(reading.samples)
}

struct Reading<'a> {
    source: &'a SnapshotSource<'a>,
    compared: &'a ComparedPair<'a>,
    differing: HashSet<(GroupNumber, i64)>,
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

    async fn unit(&mut self, unit: &UnitRows<'_>, facts: &mut ParityFacts) -> Result<()> {
        let groups = batches(self.compared, unit);
        // A row that moved may show in the batch it left and in the one it went to.
        let mut keys: BTreeSet<KeyText> = BTreeSet::new();
        for (i, leaves) in groups.iter().enumerate() {
            let mut slots: Vec<usize> = leaves.iter().map(|l| l.slot).collect();
            if i == 0 {
                // Partitions that hold no table of their own, and rows that belong nowhere, go with the first.
                slots.extend(unit.slots.iter().filter(|s| !unit.leaves.iter().any(|l| l.slot == **s)));
            }
            let (compared, sql) = (self.compared, self.source.rows);
            let belongs = compared.layout.belongs(&slots, unit.homeless && i == 0);
            let legacy: Vec<_> = compared.legacy_part(Some(belongs)).into_iter().collect();
            let twin: Vec<_> = leaves.iter().map(|l| compared.leaf_part(l)).collect();
            let parts = PartsOfBoth { left: &legacy, right: &twin };
            let room = LISTED_KEYS.saturating_sub(self.listed + keys.len());
            let tx = self.tx(leaves).await?;
            let found = rows::in_one_database(tx, sql, &compared.rows(), (parts, &unit.ranges), room).await?;
            facts.not_classified += found.more;
            keys.extend(found.listed);
        }
        self.listed += keys.len();
        let (keys, nulls) = rows::in_order(keys);
        facts.not_classified += nulls as u64;
        for chunk in keys.chunks(LOOKED_UP) {
            self.look_up(unit, chunk, facts).await?;
        }
        Ok(())
    }

    async fn look_up(
        &mut self,
        unit: &UnitRows<'_>,
        keys: &[KeyText],
        facts: &mut ParityFacts,
    ) -> Result<()> {
        let (compared, sql) = (self.compared, self.source.rows);
        let what = compared.rows();
        let legacy: Vec<_> = compared.legacy_part(None).into_iter().collect();
        let legacy = rows::by_key(self.tx(&[]).await?, sql, &what, &legacy, keys).await?;
        let mut twins: Vec<LocatedRow> = Vec::new();
        for leaves in unit.leaves.chunks(STATEMENT_PARTS) {
            let parts: Vec<RowPart<'_>> = leaves.iter().map(|l| compared.leaf_part(l)).collect();
            twins.extend(rows::by_key(self.tx(leaves).await?, sql, &what, &parts, keys).await?);
        }
        let rules = KeyRules { columns: compared.columns, group_key: &compared.layout.key };
        for n in 1..=keys.len() {
            let l: Vec<&LocatedRow> = legacy.iter().filter(|f| f.n == n).collect();
            let t: Vec<&LocatedRow> = twins.iter().filter(|f| f.n == n).filter(|f| self.differs(f)).collect();
            let settled = l.first().is_some_and(|row| {
                let slot = compared.layout.slot_of(row.bucket);
                slot.is_some() && !self.differing.contains(&(slot, row.range))
            });
            for found in rules.classify(&l, &t, settled) {
                let class = RowDifference::from_class(found.class);
                *class.count(facts).get_or_insert(0) += 1;
                self.samples.add(class, sample(compared, &found));
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
fn batches<'a>(compared: &ComparedPair<'_>, unit: &UnitRows<'a>) -> Vec<Vec<&'a Leaf>> {
    let mut leaves = unit.leaves.clone();
    leaves.sort_by_key(|l| l.slot);
    let mut out: Vec<Vec<&Leaf>> = vec![vec![]];
    for slot in leaves.chunk_by(|a, b| a.slot == b.slot) {
        let whole = compared.layout.mapping == Mapping::Whole;
        match out.last_mut() {
            Some(last) if whole || last.is_empty() || last.len() + slot.len() <= STATEMENT_PARTS => {
                last.extend(slot);
            }
            _ => out.push(slot.to_vec()),
        }
    }
    out
}
