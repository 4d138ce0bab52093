//! How keys are cut into ranges, by the size and the indexes of both tables.

use serde::Deserialize;

use crate::engine::model::comparison::ComparedColumns;
use crate::engine::model::key_ranges::RangeCut;

/// Rows of a range, about.
const RANGE_ROWS: i64 = 2048;
/// Ranges times groups of rows at most.
const GROUPS: i64 = 65_536;

/// What statistics and catalog say of a table.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct TableSize {
    /// Rows, about.
    pub rows: i64,
    /// An index is led by the first column of the key.
    pub indexed: bool,
}

/// The smallest and largest value of a column; none in an empty table.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct KeyEnds {
    /// The smallest.
    pub low: Option<i64>,
    /// The largest.
    pub high: Option<i64>,
}

impl KeyEnds {
    /// Of both together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        let low = self.low.into_iter().chain(other.low).min();
        Self { low, high: self.high.max(other.high) }
    }
}

/// Ranges of a table of so many rows that has so many groups.
fn ranges(rows: i64, groups: usize) -> i64 {
    let groups = i64::try_from(groups.max(1)).unwrap_or(GROUPS);
    (rows / RANGE_ROWS).clamp(1, (GROUPS / groups).max(1))
}

/// Can ranges be told by the bits of the key's first column? Its ends are asked for only then.
pub fn by_bits(columns: &ComparedColumns, sizes: (TableSize, TableSize)) -> bool {
    sizes.0.indexed && sizes.1.indexed && columns.key.first().is_some_and(|c| c.whole)
}

/// Chooses for two tables; `ends` of the key's first column where [`by_bits`] says so.
pub fn choose(columns: &ComparedColumns, rows: i64, groups: usize, ends: Option<KeyEnds>) -> RangeCut {
    let Some(first) = columns.key.first() else { return RangeCut::None };
    let ranges = ranges(rows, groups);
    if let Some(KeyEnds { low, high }) = ends {
        let (low, high) = (low.unwrap_or(0), high.unwrap_or(0));
        let wide = (i128::from(high) - i128::from(low)) / i128::from(ranges);
        let bits = (128 - wide.leading_zeros()).min(63);
        let span = (low >> bits, high >> bits);
        return RangeCut::Bits { column: first.name.clone(), bits, span };
    }
    let mask = u64::try_from(ranges).unwrap_or(1).next_power_of_two().cast_signed() - 1;
    RangeCut::Hash { mask }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::model::comparison::ComparedColumn;

    fn keyed() -> ComparedColumns {
        let id = ComparedColumn { name: "id".into(), whole: true, ..ComparedColumn::default() };
        ComparedColumns { key: vec![id], ..ComparedColumns::default() }
    }

    proptest! {
        #[test]
        fn ranges_times_groups_stay_few(
            rows in 0_i64..10_000_000_000, groups in 0_usize..5_000, a in any::<i64>(), b in any::<i64>(),
        ) {
            let ends = KeyEnds { low: Some(a.min(b)), high: Some(a.max(b)) };
            let most = GROUPS / i64::try_from(groups.max(1)).unwrap() + 2;
            let RangeCut::Bits { span: (low, high), .. } = choose(&keyed(), rows, groups, Some(ends)) else {
                panic!()
            };
            prop_assert!(i128::from(high) - i128::from(low) < i128::from(most.max(3)));
            let RangeCut::Hash { mask } = choose(&keyed(), rows, groups, None) else { panic!() };
            prop_assert!(mask < 2 * most);
        }
    }

    #[test]
    fn ends_of_both_are_of_either_where_one_is_empty() {
        let some = KeyEnds { low: Some(3), high: Some(9) };
        let both = some.with(KeyEnds { low: Some(-1), high: Some(4) });
        assert_eq!((both.low, both.high), (Some(-1), Some(9)));
        for both in [some.with(KeyEnds::default()), KeyEnds::default().with(some)] {
            assert_eq!((both.low, both.high), (Some(3), Some(9)));
        }
    }
}
