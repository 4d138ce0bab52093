//! Ranges of keys: small enough that one which differs is read row by row, few enough that all fit in memory.

use serde::{Deserialize, Serialize};

/// How keys are cut into ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RangeCut {
    /// All keys are one range.
    #[default]
    None,
    /// By an integer that leads an index on both sides: its upper bits number the range.
    Bits {
        /// The column.
        column: String,
        /// The bits within a range.
        bits: u32,
        /// The smallest and largest range seen in the legacy table.
        span: (i64, i64),
    },
    /// By a hash of the key: no index knows it.
    Hash {
        /// Ranges, a power of two, less one.
        mask: i64,
    },
}

impl RangeCut {
    /// Can a range be read without reading all?
    pub fn indexed(&self) -> bool {
        matches!(self, Self::Bits { .. })
    }

    /// Keys from the first of some ranges to the last, for people.
    pub fn named(&self, from: Option<i64>, to: Option<i64>) -> String {
        let Self::Bits { column, bits, .. } = self else { return "all rows".into() };
        let (low, high) = (|r| first(r, *bits), |r| last(r, *bits));
        match (from, to) {
            (None, None) => "all rows".into(),
            (None, Some(to)) => format!("{column} up to {}", high(to)),
            (Some(from), None) => format!("{column} from {}", low(from)),
            (Some(from), Some(to)) => format!("{column} {} to {}", low(from), high(to)),
        }
    }

    /// Pieces of so many ranges that each holds about as many rows as asked, of all of them about `rows`.
    pub fn chunks(&self, rows: i64, each: i64) -> Vec<(Option<i64>, Option<i64>)> {
        let Self::Bits { span: (low, high), .. } = self else { return vec![(None, None)] };
        let ranges = high.saturating_sub(*low).saturating_add(1);
        let count = ((rows + each / 2) / each.max(1)).clamp(1, ranges);
        let ends: Vec<i64> = (1..count)
            .map(|i| low + i64::try_from(i128::from(ranges) * i128::from(i) / i128::from(count)).unwrap_or(i))
            .collect();
        let starts = std::iter::once(None).chain(ends.iter().map(|e| Some(*e)));
        starts.zip(ends.iter().map(|e| Some(*e - 1)).chain(std::iter::once(None))).collect()
    }
}

/// The smallest number of a range.
pub fn first(range: i64, bits: u32) -> i64 {
    clamped(i128::from(range) << bits)
}

/// The largest number of a range.
pub fn last(range: i64, bits: u32) -> i64 {
    clamped(((i128::from(range) + 1) << bits) - 1)
}

/// The nearest 64-bit integer.
fn clamped(value: i128) -> i64 {
    i64::try_from(value.clamp(i128::from(i64::MIN), i128::from(i64::MAX))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(bits: u32, span: (i64, i64)) -> RangeCut {
        RangeCut::Bits { column: "id".into(), bits, span }
    }

    #[test]
    fn chunks_cover_every_range_once() {
        assert_eq!(bits(4, (2, 11)).chunks(9, 100), [(None, None)]);
        for (rows, each) in [(100, 10), (100, 33), (7, 1), (1000, 1)] {
            let chunks = bits(4, (2, 11)).chunks(rows, each);
            assert_eq!((chunks[0].0, chunks[chunks.len() - 1].1), (None, None));
            for pair in chunks.windows(2) {
                assert_eq!(pair[0].1.unwrap() + 1, pair[1].0.unwrap(), "{rows} {each}");
            }
        }
    }
}
