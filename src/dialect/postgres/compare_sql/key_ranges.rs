//! Key ranges as expressions and conditions.

use crate::dialect::postgres::compare_sql::column::hashed;
use crate::engine::model::comparison::{ComparedRows, KeySpan};
use crate::engine::model::key_ranges::{RangeCut, first, last};
use crate::engine::model::name::{Ident, Relation};
use crate::engine::model::query::{Param, Sql};

// Statistics decide the size of a range, never what is said of it.
const SIZE: &str = "
select greatest(c.reltuples, 0)::bigint as rows,
       exists (select from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
               join pg_class x on x.oid = i.indexrelid join pg_am m on m.oid = x.relam
               where i.indrelid = c.oid and a.attname = $2 and i.indisvalid and i.indpred is null
                 and m.amname = 'btree') as indexed
from pg_class c where c.oid = to_regclass($1)::oid";

pub(super) fn size(table: &Relation, column: &str) -> Sql {
    Sql::new(SIZE).bind([Param::Text(Some(table.to_string())), Param::from(column)])
}

pub(super) fn key_ends(rows: &str, column: &str) -> Sql {
    let column = Ident(column);
    Sql::over_rows(format!("select min({column})::bigint as low, max({column})::bigint as high from {rows}"))
}

// Where others are at work, a reading sleeps a millisecond about every 512 rows: it never holds a processor long enough
// for a writer to notice, and one statement that pauses costs the server less than many. By the row's place, which every
// table has; keys may be all odd.
const PAUSES: &str = "(hashtid(ctid) & 511 <> 0 or pg_sleep(0.001) is not null)";

/// The range of every row where keys are not cut.
pub(super) const NO_RANGE: &str = "0::bigint";

/// Rows whose keys are in a span.
pub(super) fn condition(cut: &RangeCut, keys: KeySpan) -> String {
    let within = between(cut, keys.from, keys.to);
    if keys.paced { format!("{within} and {PAUSES}") } else { within }
}

/// The number of a row's range.
pub(super) fn number(what: &ComparedRows<'_>) -> String {
    match what.cut {
        RangeCut::None | RangeCut::Hash { mask: 0 } => NO_RANGE.into(),
        RangeCut::Bits { column, bits, .. } => format!("({}::bigint >> {bits})", Ident(column)),
        RangeCut::Hash { mask } => {
            let cells: Vec<_> = what.columns.key.iter().map(hashed).collect();
            format!("(hash_record_extended(row({}), 7) & {mask})", cells.join(", "))
        }
    }
}

/// Rows of these ranges, which are sorted.
pub(super) fn within(what: &ComparedRows<'_>, ranges: &[i64]) -> String {
    match what.cut {
        RangeCut::None | RangeCut::Hash { mask: 0 } => "true".into(),
        RangeCut::Bits { .. } => intervals(what.cut, ranges),
        RangeCut::Hash { .. } => {
            let list: Vec<_> = ranges.iter().map(i64::to_string).collect();
            format!("{} in ({})", number(what), list.join(", "))
        }
    }
}

/// Neighbouring ranges are one interval.
fn intervals(cut: &RangeCut, ranges: &[i64]) -> String {
    let mut parts: Vec<(i64, i64)> = Vec::new();
    for range in ranges {
        match parts.last_mut() {
            Some((_, to)) if *range == to.saturating_add(1) => *to = *range,
            _ => parts.push((*range, *range)),
        }
    }
    let parts: Vec<_> = parts.iter().map(|(a, b)| between(cut, Some(*a), Some(*b))).collect();
    format!("({})", parts.join(" or "))
}

/// Rows from the first of some ranges to the last; open where there is none.
fn between(cut: &RangeCut, from: Option<i64>, to: Option<i64>) -> String {
    let RangeCut::Bits { column, bits, .. } = cut else { return "true".into() };
    let column = Ident(column);
    let mut parts = Vec::new();
    if let Some(from) = from {
        parts.push(format!("{column} >= {}", literal(first(from, *bits))));
    }
    if let Some(to) = to {
        parts.push(format!("{column} <= {}", literal(last(to, *bits))));
    }
    if parts.is_empty() { "true".into() } else { format!("({})", parts.join(" and ")) }
}

/// As the server reads a 64-bit integer.
fn literal(value: i64) -> String {
    if value == i64::MIN { "(-9223372036854775807 - 1)".into() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of_bits(bits: u32, ranges: &[i64]) -> String {
        intervals(&RangeCut::Bits { column: "id".into(), bits, span: (0, 0) }, ranges)
    }

    #[test]
    fn neighbours_are_one_interval() {
        assert_eq!(of_bits(3, &[-1, 0, 2]), r#"(("id" >= -8 and "id" <= 7) or ("id" >= 16 and "id" <= 23))"#);
        let all = of_bits(63, &[-1, 0]);
        assert_eq!(all, r#"(("id" >= (-9223372036854775807 - 1) and "id" <= 9223372036854775807))"#);
    }

    fn bits_of(bits: u32, span: (i64, i64)) -> RangeCut {
        RangeCut::Bits { column: "id".into(), bits, span }
    }

    /// Is a condition that this file wrote true of this key?
    fn holds(condition: &str, key: i64) -> bool {
        let smallest = i64::MIN.to_string();
        let condition = condition.replace("(-9223372036854775807 - 1)", &smallest).replace(['(', ')'], "");
        let one = |text: &str| match text.split(' ').collect::<Vec<_>>()[..] {
            ["true"] => true,
            ["\"id\"", ">=", value] => key >= value.parse().unwrap(),
            ["\"id\"", "<=", value] => key <= value.parse().unwrap(),
            _ => panic!("{text}"),
        };
        condition.split(" or ").any(|all| all.split(" and ").all(one))
    }

    /// Any number, and those at the ends.
    fn number() -> impl Strategy<Value = i64> {
        prop_oneof![any::<i64>(), -1_000_i64..1_000, Just(i64::MIN), Just(i64::MAX), Just(i64::MIN + 1)]
    }

    proptest! {
        #[test]
        fn every_key_is_in_exactly_one_chunk(
            (a, b, key) in (number(), number(), number()), bits in 0_u32..64, rows in 0_i64..100_000, each in 50_i64..10_000,
        ) {
            let cut = bits_of(bits, (a.min(b) >> bits, a.max(b) >> bits));
            let chunks = cut.chunks(rows, each);
            let within = chunks.iter().filter(|(from, to)| holds(&between(&cut, *from, *to), key)).count();
            prop_assert_eq!(within, 1, "{:?}", chunks);
        }

        #[test]
        fn ranges_hold_their_own_keys_and_no_others(
            seen in proptest::collection::btree_set(number(), 1..12), key in number(), bits in 0_u32..64,
        ) {
            let cut = bits_of(bits, (0, 0));
            let mut ranges: Vec<i64> = seen.iter().map(|k| k >> bits).collect();
            ranges.dedup();
            let condition = intervals(&cut, &ranges);
            prop_assert!(seen.iter().all(|k| holds(&condition, *k)), "{}", condition);
            prop_assert_eq!(holds(&condition, key), ranges.contains(&(key >> bits)), "{}", condition);
        }
    }
}
