//! Ranges of keys: small enough that one which differs is read row by row, few enough that all fit in memory.

use crate::engine::model::query::Sql;
use serde::{Deserialize, Serialize};

use crate::engine::model::error::Result;
use crate::engine::model::name::Ident;
use crate::engine::model::query::Param;
use crate::engine::port::reader::ReadTx;
use crate::features::parity::pair::catalog::Column;
use crate::features::parity::queries::Plan;

/// Rows of a range, about.
const RANGE_ROWS: i64 = 2048;
/// Ranges times partitions at most.
const GROUPS: i64 = 65_536;

/// How keys are cut into ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Cut {
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
        /// The key as it is hashed.
        key: String,
        /// Ranges, a power of two, less one.
        mask: i64,
    },
}

#[derive(Deserialize)]
struct Shape {
    rows: i64,
    legacy_index: bool,
    twin_index: bool,
}

// Statistics decide the size of a range, never what is said of it.
const SHAPE: &str = "
with sides as (
  select c.oid, greatest(c.reltuples, 0)::bigint as rows,
         exists (select from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
                 join pg_class x on x.oid = i.indexrelid join pg_am m on m.oid = x.relam
                 where i.indrelid = c.oid and a.attname = $3 and i.indisvalid and i.indpred is null
                   and m.amname = 'btree') as indexed
  from pg_class c where c.oid in ($1::oid, $2::oid))
select max(rows) as rows, bool_or(indexed) filter (where oid = $1::oid) as legacy_index,
       bool_or(indexed) filter (where oid = $2::oid) as twin_index
from sides";

#[derive(Deserialize)]
struct Ends {
    low: Option<i64>,
    high: Option<i64>,
}

/// Chooses for this pair; also how many rows it has, about.
pub(crate) async fn choose(tx: &mut dyn ReadTx, plan: &Plan<'_>) -> Result<(Cut, i64)> {
    let (Some(legacy), Some(first)) = (plan.legacy, plan.columns.key.first()) else {
        return Ok((Cut::None, 0));
    };
    let params = [Param::Int(legacy.oid), Param::Int(plan.partitioned.oid), Param::from(first.name.as_str())];
    let shape: Shape = tx.one(&Sql::new(SHAPE).bind(params.clone())).await?;
    let slots = i64::try_from(plan.layout.slots.len().max(1)).unwrap_or(GROUPS);
    let ranges = (shape.rows / RANGE_ROWS).clamp(1, (GROUPS / slots).max(1));
    if shape.legacy_index && shape.twin_index && plan.whole_number(&first.name) {
        let column = Ident(&first.name);
        let ends = format!(
            "select min({column})::bigint as low, max({column})::bigint as high from {}",
            legacy.relation
        );
        let Ends { low, high } = tx.one(&Sql::new(&ends)).await?;
        let (low, high) = (low.unwrap_or(0), high.unwrap_or(0));
        let wide = (i128::from(high) - i128::from(low)) / i128::from(ranges);
        let bits = (128 - wide.leading_zeros()).min(63);
        let span = (low >> bits, high >> bits);
        return Ok((Cut::Bits { column: first.name.clone(), bits, span }, shape.rows));
    }
    let cells: Vec<_> = plan.columns.key.iter().map(Column::hashed).collect();
    let mask = u64::try_from(ranges).unwrap_or(1).next_power_of_two().cast_signed() - 1;
    Ok((Cut::Hash { key: format!("row({})", cells.join(", ")), mask }, shape.rows))
}

impl Cut {
    /// The number of a row's range.
    pub(crate) fn number(&self) -> String {
        match self {
            Self::None | Self::Hash { mask: 0, .. } => "0::bigint".into(),
            Self::Bits { column, bits, .. } => format!("({}::bigint >> {bits})", Ident(column)),
            Self::Hash { key, mask } => format!("(hash_record_extended({key}, 7) & {mask})"),
        }
    }

    /// Can a range be read without reading all?
    pub(crate) fn indexed(&self) -> bool {
        matches!(self, Self::Bits { .. })
    }

    /// Rows of these ranges, which are sorted.
    pub(crate) fn within(&self, ranges: &[i64]) -> String {
        match self {
            Self::None | Self::Hash { mask: 0, .. } => "true".into(),
            Self::Bits { .. } => {
                let mut parts: Vec<(i64, i64)> = Vec::new();
                for range in ranges {
                    match parts.last_mut() {
                        Some((_, to)) if *range == to.saturating_add(1) => *to = *range,
                        _ => parts.push((*range, *range)),
                    }
                }
                let parts: Vec<_> = parts.iter().map(|(a, b)| self.between(Some(*a), Some(*b))).collect();
                format!("({})", parts.join(" or "))
            }
            Self::Hash { .. } => {
                let list: Vec<_> = ranges.iter().map(i64::to_string).collect();
                format!("{} in ({})", self.number(), list.join(", "))
            }
        }
    }

    /// Rows from the first of some ranges to the last; open where there is none.
    pub(crate) fn between(&self, from: Option<i64>, to: Option<i64>) -> String {
        let Self::Bits { column, bits, .. } = self else { return "true".into() };
        let column = Ident(column);
        let mut parts = Vec::new();
        if let Some(from) = from {
            parts.push(format!("{column} >= {}", literal(i128::from(from) << bits)));
        }
        if let Some(to) = to {
            parts.push(format!("{column} <= {}", literal(((i128::from(to) + 1) << bits) - 1)));
        }
        if parts.is_empty() { "true".into() } else { format!("({})", parts.join(" and ")) }
    }

    /// The same, for people.
    pub(crate) fn named(&self, from: Option<i64>, to: Option<i64>) -> String {
        let Self::Bits { column, bits, .. } = self else { return "all rows".into() };
        let low = |r: i64| literal(i128::from(r) << bits);
        let high = |r: i64| literal(((i128::from(r) + 1) << bits) - 1);
        match (from, to) {
            (None, None) => "all rows".into(),
            (None, Some(to)) => format!("{column} up to {}", high(to)),
            (Some(from), None) => format!("{column} from {}", low(from)),
            (Some(from), Some(to)) => format!("{column} {} to {}", low(from), high(to)),
        }
    }

    /// Pieces of so many ranges that each holds about as many rows as asked, of all of them about `rows`.
    pub(crate) fn chunks(&self, rows: i64, each: i64) -> Vec<(Option<i64>, Option<i64>)> {
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

/// As the server reads a 64-bit integer.
fn literal(value: i128) -> String {
    let value = value.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    if value == i128::from(i64::MIN) { "(-9223372036854775807 - 1)".into() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(bits: u32, span: (i64, i64)) -> Cut {
        Cut::Bits { column: "id".into(), bits, span }
    }

    #[test]
    fn neighbours_are_one_interval() {
        assert_eq!(
            bits(3, (0, 9)).within(&[-1, 0, 2]),
            r#"(("id" >= -8 and "id" <= 7) or ("id" >= 16 and "id" <= 23))"#
        );
        let all = bits(63, (0, 0)).within(&[-1, 0]);
        assert_eq!(all, r#"(("id" >= (-9223372036854775807 - 1) and "id" <= 9223372036854775807))"#);
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
