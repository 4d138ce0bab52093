//! Counts, sums and digests of one side by group and key range, and where two sides differ.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::engine::compare::exact_sum::Sum;
use crate::engine::model::comparison::{ComparedRows, KeySpan, RowPart};
use crate::engine::model::error::{Error, Result};
use crate::engine::port::compare_sql::CompareSql;
use crate::engine::port::reader::ReadTx;

/// Parts that one statement reads.
pub const STATEMENT_PARTS: usize = 40;

/// Rows of one side that belong together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aggregate {
    /// How many.
    pub rows: u64,
    /// The sum of their digests.
    #[serde(with = "crate::engine::compare::exact_sum::as_text")]
    pub digest: i128,
    /// Sums of the columns that are added up.
    pub sums: Vec<Sum>,
    /// The largest of each measure.
    #[serde(default)]
    pub maxes: Vec<Option<i64>>,
}

impl Aggregate {
    /// Adds other rows.
    pub fn add(&mut self, other: &Self) {
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

/// A group's number; `None`: rows that are of no group, or all rows where there are none.
pub type GroupNumber = Option<usize>;

/// A group and key range whose sides are not equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DifferingRange {
    /// The range's number.
    pub range: i64,
    /// The group.
    #[serde(rename = "slot")]
    pub group: GroupNumber,
    /// Rows, on both sides.
    pub rows: u64,
}

/// Where a row counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupPlace {
    /// The group that it is counted in.
    pub counted: GroupNumber,
    /// The group that it is compared in.
    pub compared: GroupNumber,
}

impl GroupPlace {
    /// Counted and compared in one group.
    pub fn in_one(group: GroupNumber) -> Self {
        Self { counted: group, compared: group }
    }
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

/// One side, or a piece of it.
#[derive(Debug, Default)]
pub struct SideTotals {
    /// By the group that rows are counted in.
    pub groups: BTreeMap<GroupNumber, Aggregate>,
    /// Rows and digest by the group that they are compared in, and range.
    ranges: HashMap<(GroupNumber, i64), (u64, i128)>,
}

impl SideTotals {
    /// Reads some parts; `place` of a group's number as the server gave it.
    pub async fn read(
        &mut self,
        tx: &mut dyn ReadTx,
        sql: &dyn CompareSql,
        what: &ComparedRows<'_>,
        (parts, keys): (&[RowPart<'_>], KeySpan),
        place: &(dyn Fn(Option<i64>) -> GroupPlace + Sync),
    ) -> Result<()> {
        for some in parts.chunks(STATEMENT_PARTS) {
            let rows: Vec<Row> = tx.fetch(&sql.digest(what, some, keys)).await?;
            for row in &rows {
                self.take(row, place(row.bucket))?;
            }
        }
        Ok(())
    }

    fn take(&mut self, row: &Row, place: GroupPlace) -> Result<()> {
        let aggregate = row.aggregate()?;
        let held = self.ranges.entry((place.compared, row.range.unwrap_or(i64::MIN))).or_default();
        held.0 += aggregate.rows;
        held.1 = held.1.wrapping_add(aggregate.digest);
        self.groups.entry(place.counted).or_default().add(&aggregate);
        Ok(())
    }

    /// All rows.
    pub fn total(&self) -> Aggregate {
        let mut out = Aggregate::default();
        self.groups.values().for_each(|a| out.add(a));
        out
    }
}

/// Groups and ranges whose count or digest differ, in order of the groups.
pub fn differing(left: &SideTotals, right: &SideTotals) -> Vec<DifferingRange> {
    let none = (0, 0);
    let keys: BTreeSet<(GroupNumber, i64)> = left.ranges.keys().chain(right.ranges.keys()).copied().collect();
    let mut out = Vec::new();
    for (group, range) in keys {
        let l = left.ranges.get(&(group, range)).unwrap_or(&none);
        let r = right.ranges.get(&(group, range)).unwrap_or(&none);
        if l != r {
            out.push(DifferingRange { range, group, rows: l.0 + r.0 });
        }
    }
    out
}
