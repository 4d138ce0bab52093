//! Key ranges that differ, joined into what is read at once.

use std::collections::BTreeSet;

use crate::engine::compare::totals::{DifferingRange, GroupNumber};

/// Rows on both sides that are compared key by key at once, about.
const UNIT_ROWS: u64 = 40_000;

/// Ranges that are read together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RangeUnit {
    /// Their numbers.
    pub ranges: BTreeSet<i64>,
    /// Groups of which one of them differs.
    pub groups: BTreeSet<GroupNumber>,
}

impl RangeUnit {
    /// Numbers of the ranges, sorted.
    pub fn range_list(&self) -> Vec<i64> {
        self.ranges.iter().copied().collect()
    }
}

/// Joins ranges. `split`: into several units, each of a bounded number of rows.
pub fn units(differing: &[DifferingRange], split: bool) -> Vec<RangeUnit> {
    let mut sorted: Vec<&DifferingRange> = differing.iter().collect();
    sorted.sort();
    let mut out: Vec<RangeUnit> = Vec::new();
    let mut rows = 0;
    for same in sorted.chunk_by(|a, b| a.range == b.range) {
        rows += same.iter().map(|g| g.rows).sum::<u64>();
        if out.is_empty() || (split && rows > UNIT_ROWS) {
            out.push(RangeUnit::default());
            rows = same.iter().map(|g| g.rows).sum();
        }
        if let (Some(unit), Some(first)) = (out.last_mut(), same.first()) {
            unit.ranges.insert(first.range);
            unit.groups.extend(same.iter().map(|g| g.group));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_is_in_one_unit_and_units_are_small() {
        let of = |range: i64, group, rows| DifferingRange { range, group: Some(group), rows };
        let all: Vec<_> = (0..9).flat_map(|r| [of(r, 0, 9_000), of(r, 1, 1_000)]).collect();
        let split = units(&all, true);
        let ranges: Vec<Vec<i64>> = split.iter().map(RangeUnit::range_list).collect();
        assert_eq!(ranges, [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8]]);
        assert!(split.iter().all(|u| u.groups == BTreeSet::from([Some(0), Some(1)])));
        assert_eq!(units(&all, false).len(), 1);
        assert_eq!(units(&[of(1, 0, 90_000), of(2, 0, 90_000)], true).len(), 2);
    }
}
