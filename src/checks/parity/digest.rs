//! Counts, sums and digests of both sides by partition, all in one snapshot.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

use super::sum::Sum;
use super::{Facts, Partition, Sums, TIMEOUT};
use crate::engine::ident::Ident;
use crate::engine::ports::{ReadOptions, ReadTx, Snapshot};
use crate::engine::profile::Twin;
use crate::engine::twin::catalog::{Columns, SequenceRow, Table};
use crate::engine::twin::partitions::{Layout, Leaf, Mapping};
use crate::engine::{Cx, Error, Result};

/// Leaves in one statement.
const STATEMENT_LEAVES: usize = 40;
/// Leaves in one transaction: each holds locks on the leaf and its indexes, and a default server has
/// room for some 6,400 locks in all.
const TRANSACTION_LEAVES: usize = 400;

/// What is compared.
#[derive(Clone, Copy)]
pub(super) struct Plan<'a> {
    pub(super) twin: &'a Twin,
    pub(super) legacy: Option<&'a Table>,
    pub(super) columns: &'a Columns,
    pub(super) layout: &'a Layout,
    pub(super) sequences: &'a [SequenceRow],
}

/// Where further transactions of the same snapshot come from.
pub(super) struct Source<'a> {
    pub(super) cx: &'a Cx<'a>,
    pub(super) snapshot: Option<&'a str>,
}

#[derive(Debug, Clone, Default)]
struct Aggregate {
    rows: u64,
    digest: i128,
    sums: Vec<Sum>,
}

/// Both sides by slot.
pub(super) struct Digests {
    legacy: Option<BTreeMap<Option<usize>, Aggregate>>,
    partitioned: Vec<Aggregate>,
    /// Largest number of each sequence's column.
    pub(super) maxes: Vec<Option<i64>>,
    /// Columns, and whether they can be summed.
    sums: Vec<(String, bool)>,
    whole: bool,
    /// Only counts and sums were read.
    quick: bool,
}

/// What has to be read row by row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Differing {
    pub(super) slots: Vec<usize>,
    /// Legacy rows that belong in no partition.
    pub(super) homeless: bool,
    /// The partitioning could not be computed for legacy rows.
    pub(super) whole: bool,
}

impl Differing {
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty() && !self.homeless
    }

    /// Keeps the first slots with at most so many leaves, but one at least; the number of slots left out.
    pub(super) fn limit(&mut self, layout: &Layout, leaves: usize) -> u64 {
        if self.whole {
            return 0;
        }
        let mut sizes = vec![0; layout.slots.len()];
        for leaf in &layout.leaves {
            if let Some(size) = sizes.get_mut(leaf.slot) {
                *size += 1;
            }
        }
        let mut sum = 0;
        let kept = self.slots.iter().take_while(|slot| {
            sum += sizes.get(**slot).copied().unwrap_or(0);
            sum <= leaves
        });
        let kept = kept.count().max(1).min(self.slots.len());
        let left_out = self.slots.len() - kept;
        self.slots.truncate(kept);
        left_out as u64
    }
}

#[derive(Deserialize)]
struct Row {
    bucket: Option<i64>,
    rows: u64,
    digest: Option<String>,
    sums: Vec<Option<String>>,
    maxes: Vec<Option<i64>>,
}

impl Row {
    fn add_to(&self, to: &mut Aggregate) -> Result<()> {
        to.rows += self.rows;
        if let Some(digest) = &self.digest {
            to.digest += digest
                .parse::<i128>()
                .map_err(|_| Error::unobserved(format!("failed to read a digest: {digest}")))?;
        }
        to.sums.resize(self.sums.len(), Sum::default());
        for (total, sum) in to.sums.iter_mut().zip(&self.sums) {
            if let Some(sum) = sum {
                total.add(&Sum::parse(sum));
            }
        }
        Ok(())
    }
}

impl Plan<'_> {
    /// Only numbers on both sides can be summed.
    fn summed(&self, column: &str) -> bool {
        self.columns.common.iter().any(|c| c.name == column && c.number)
    }

    /// Sums are kept exact as millionths. Floats are added as decimals, since their own sum depends on their order.
    fn sums(&self) -> Vec<String> {
        let exact = |c: &str| {
            let kind = self.columns.common.iter().find(|x| x.name == c).map_or("", |x| x.kind.as_str());
            let whole = matches!(kind, "smallint" | "integer" | "bigint") || kind.starts_with("numeric");
            whole && !self.columns.retyped.iter().any(|(name, ..)| name == c)
        };
        let sum = |c: &String| {
            if !self.summed(c) {
                "null".into()
            } else if exact(c) {
                format!("trunc(sum({})::numeric * 1000000)::text", Ident(c))
            } else {
                format!("trunc(sum({}::numeric) * 1000000)::text", Ident(c))
            }
        };
        self.twin.sums.iter().map(sum).collect()
    }

    fn aggregates(&self, quick: bool) -> String {
        let digest =
            if quick { "null::text".into() } else { format!("sum({})::text", self.columns.digest()) };
        format!("count(*) as rows, {digest} as digest, array[{}]::text[] as sums", self.sums().join(", "))
    }

    fn maxes(&self) -> String {
        let list: Vec<_> = self.sequences.iter().map(SequenceRow::max).collect();
        format!("array[{}]::bigint[]", list.join(", "))
    }

    /// The legacy row's bucket.
    pub(super) fn bucket(&self) -> &str {
        match &self.layout.mapping {
            Mapping::Buckets { expression, .. } => expression,
            Mapping::Whole => "0",
        }
    }

    fn slot_of(&self, bucket: Option<i64>) -> Option<usize> {
        match &self.layout.mapping {
            Mapping::Whole => Some(0),
            Mapping::Buckets { slots, default, .. } => bucket
                .and_then(|b| usize::try_from(b).ok())
                .and_then(|b| slots.get(b).copied().flatten())
                .or(*default),
        }
    }

    /// Does a row of this bucket belong in a partition whose digests agree?
    pub(super) fn is_equal_there(&self, bucket: Option<i64>, differing: &Differing) -> bool {
        !differing.whole && self.slot_of(bucket).is_some_and(|s| !differing.slots.contains(&s))
    }

    /// The buckets of some slots; `None` stands for rows without a bucket.
    pub(super) fn buckets_of(&self, differing: &Differing) -> Option<(Vec<usize>, bool)> {
        let Mapping::Buckets { slots, default, .. } = &self.layout.mapping else { return None };
        let wanted = |slot: Option<usize>| match slot.or(*default) {
            Some(s) => differing.slots.contains(&s),
            None => differing.homeless,
        };
        let list = (0..slots.len()).filter(|b| wanted(slots[*b])).collect();
        Some((list, wanted(None)))
    }
}

/// The legacy side's statement.
pub(super) fn legacy_sql(plan: &Plan<'_>) -> String {
    legacy_statement(plan, false)
}

fn legacy_statement(plan: &Plan<'_>, quick: bool) -> String {
    let Some(legacy) = plan.legacy else { return String::new() };
    format!(
        "select {}::bigint as bucket, {}, array[]::bigint[] as maxes\nfrom {} group by 1",
        plan.bucket(),
        plan.aggregates(quick),
        legacy.relation
    )
}

/// One leaf's statement.
pub(super) fn leaf_sql(plan: &Plan<'_>, leaf: &Leaf) -> String {
    leaf_statement(plan, leaf, false)
}

fn leaf_statement(plan: &Plan<'_>, leaf: &Leaf, quick: bool) -> String {
    format!(
        "select {}::bigint as bucket, {}, {} as maxes from only {}",
        leaf.slot,
        plan.aggregates(quick),
        plan.maxes(),
        leaf.relation
    )
}

pub(super) async fn read(
    tx: &mut dyn ReadTx,
    source: &Source<'_>,
    plan: &Plan<'_>,
    quick: bool,
) -> Result<Digests> {
    let mut out = Digests {
        legacy: None,
        partitioned: vec![
            Aggregate {
                sums: vec![Sum::default(); plan.twin.sums.len()],
                ..Aggregate::default()
            };
            plan.layout.slots.len()
        ],
        maxes: vec![None; plan.sequences.len()],
        sums: plan.twin.sums.iter().map(|c| (c.clone(), plan.summed(c))).collect(),
        whole: plan.layout.mapping == Mapping::Whole,
        quick,
    };
    if plan.legacy.is_some() {
        let rows: Vec<Row> = tx.fetch(&legacy_statement(plan, quick), &[]).await?;
        let mut legacy = BTreeMap::new();
        for row in &rows {
            row.add_to(legacy.entry(plan.slot_of(row.bucket)).or_default())?;
        }
        out.legacy = Some(legacy);
    }
    for (i, chunk) in plan.layout.leaves.chunks(TRANSACTION_LEAVES).enumerate() {
        match (i, source.snapshot) {
            (0, _) | (_, None) => leaves(tx, plan, chunk, quick, &mut out).await?,
            (_, Some(id)) => {
                let options = ReadOptions {
                    snapshot: Snapshot::Import(id.to_owned()),
                    timeout: Some(TIMEOUT),
                    ..ReadOptions::default()
                };
                let mut other = source.cx.read_with(options).await?;
                leaves(&mut *other, plan, chunk, quick, &mut out).await?;
            }
        }
    }
    Ok(out)
}

async fn leaves(
    tx: &mut dyn ReadTx,
    plan: &Plan<'_>,
    leaves: &[Leaf],
    quick: bool,
    out: &mut Digests,
) -> Result<()> {
    for group in leaves.chunks(STATEMENT_LEAVES) {
        let mut sql = String::new();
        for (i, leaf) in group.iter().enumerate() {
            let union = if i == 0 { "" } else { "\nunion all " };
            let _ = write!(sql, "{union}{}", leaf_statement(plan, leaf, quick));
        }
        let rows: Vec<Row> = tx.fetch(&sql, &[]).await?;
        for row in &rows {
            let slot = row.bucket.and_then(|b| usize::try_from(b).ok());
            if let Some(to) = slot.and_then(|s| out.partitioned.get_mut(s)) {
                row.add_to(to)?;
            }
            for (max, of_leaf) in out.maxes.iter_mut().zip(&row.maxes) {
                *max = (*max).max(*of_leaf);
            }
        }
    }
    Ok(())
}

impl Digests {
    pub(super) fn facts(&self, layout: &Layout) -> Facts {
        let mut facts = Facts {
            legacy_rows: self.legacy.as_ref().map(|l| l.values().map(|a| a.rows).sum()),
            partitioned_rows: Some(self.partitioned.iter().map(|a| a.rows).sum()),
            ..Facts::default()
        };
        for (i, (column, summed)) in self.sums.iter().enumerate() {
            if !summed {
                facts.sums.insert(column.clone(), Sums::default());
                continue;
            }
            let sum = |all: &mut dyn Iterator<Item = &Aggregate>| {
                let mut total = Sum::default();
                all.filter_map(|a| a.sums.get(i)).for_each(|s| total.add(s));
                total.to_string()
            };
            facts.sums.insert(
                column.clone(),
                Sums {
                    legacy: self.legacy.as_ref().map(|l| sum(&mut l.values())),
                    partitioned: Some(sum(&mut self.partitioned.iter())),
                },
            );
        }
        for (slot, name) in layout.slots.iter().enumerate() {
            facts.partitions.push(Partition {
                partition: name.clone(),
                legacy_rows: self.legacy_of(Some(slot)).map(|a| a.rows),
                partitioned_rows: self.partitioned.get(slot).map(|a| a.rows),
                status: self.status(slot).into(),
            });
        }
        if let Some(homeless) = self.legacy.as_ref().and_then(|l| l.get(&None)) {
            facts.partitions.push(Partition {
                partition: "no partition".into(),
                legacy_rows: Some(homeless.rows),
                partitioned_rows: Some(0),
                status: "missing".into(),
            });
        }
        facts
    }

    /// `None`: no legacy table, or its rows' partitions cannot be computed.
    fn legacy_of(&self, slot: Option<usize>) -> Option<Aggregate> {
        let legacy = self.legacy.as_ref().filter(|_| !self.whole)?;
        Some(legacy.get(&slot).cloned().unwrap_or_default())
    }

    fn status(&self, slot: usize) -> &'static str {
        match (self.legacy_of(Some(slot)), self.partitioned.get(slot)) {
            (Some(l), Some(t)) if l.rows == t.rows && l.digest == t.digest => {
                if self.quick {
                    "counts equal"
                } else {
                    "equal"
                }
            }
            (Some(_), Some(_)) => "differs",
            _ => "not compared",
        }
    }

    pub(super) fn differing(&self, layout: &Layout) -> Differing {
        let Some(legacy) = &self.legacy else { return Differing::default() };
        if self.whole {
            let total = |all: &mut dyn Iterator<Item = &Aggregate>| {
                all.fold((0, 0), |(rows, digest), a| (rows + a.rows, digest + a.digest))
            };
            let same = total(&mut legacy.values()) == total(&mut self.partitioned.iter());
            let slots = if same { vec![] } else { (0..layout.slots.len()).collect() };
            return Differing { slots, homeless: false, whole: true };
        }
        Differing {
            slots: (0..layout.slots.len()).filter(|s| self.status(*s) == "differs").collect(),
            homeless: legacy.get(&None).is_some_and(|a| a.rows > 0),
            whole: false,
        }
    }
}
