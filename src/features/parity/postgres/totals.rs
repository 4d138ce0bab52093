//! Counts, sums and digests of both sides, by partition and key range.

use crate::engine::model::name::Ident;
use crate::engine::model::query::Sql;
use crate::features::parity::compared::Compared;
use crate::features::parity::pair::catalog::{SequenceRow, TwinTable};
use crate::features::parity::pair::partitions::Leaf;
use crate::features::parity::piece::{KeySpan, Piece};
use crate::features::parity::postgres::key_ranges::{NO_RANGE, condition, number};

pub(super) fn compile(on: bool) -> Sql {
    Sql::new(if on {
        "select set_config('jit', 'on', true)"
    } else {
        "select set_config('jit', 'off', true)"
    })
}

/// Sums are kept exact as millionths. Floats are added as decimals, since their own sum depends on their order.
fn sums(compared: &Compared<'_>) -> String {
    let exact = |c: &str| {
        let kind = compared.columns.common.iter().find(|x| x.name == c).map_or("", |x| x.kind.as_str());
        let whole = matches!(kind, "smallint" | "integer" | "bigint") || kind.starts_with("numeric");
        whole && !compared.columns.retyped.iter().any(|(name, ..)| name == c)
    };
    let sum = |c: &String| {
        if !compared.summed(c) {
            "null".into()
        } else if exact(c) {
            format!("trunc(sum({})::numeric * 1000000)::text", Ident(c))
        } else {
            format!("trunc(sum({}::numeric) * 1000000)::text", Ident(c))
        }
    };
    compared.twin.sums.iter().map(sum).collect::<Vec<_>>().join(", ")
}

fn aggregates(compared: &Compared<'_>) -> String {
    let digest = if compared.quick {
        "null::text".into()
    } else {
        format!("sum({})::text", compared.columns.digest())
    };
    format!("count(*) as rows, {digest} as digest, array[{}]::text[] as sums", sums(compared))
}

fn range(compared: &Compared<'_>) -> String {
    if compared.quick { NO_RANGE.into() } else { number(compared) }
}

/// The legacy side, by bucket and range.
pub(super) fn legacy(compared: &Compared<'_>, legacy: &TwinTable, piece: &Piece) -> Sql {
    let keys = condition(compared.cut, piece.keys);
    let filter = match &piece.slots {
        None => keys,
        Some(slots) => {
            let slots: Vec<usize> = slots.iter().copied().collect();
            format!("{keys} and {}", compared.layout.belongs(&slots, piece.homeless))
        }
    };
    Sql::new(format!(
        "select ({})::bigint as bucket, {} as range, {}, array[]::bigint[] as maxes\nfrom {} where {filter} group by 1, 2",
        compared.layout.bucket(),
        range(compared),
        aggregates(compared),
        legacy.relation
    ))
}

/// Leaves, each by range; its bucket is its slot.
pub(super) fn leaves(compared: &Compared<'_>, leaves: &[&Leaf], keys: KeySpan) -> Sql {
    let filter = condition(compared.cut, keys);
    let statements: Vec<_> = leaves.iter().map(|l| leaf(compared, l, &filter)).collect();
    Sql::new(statements.join("\nunion all "))
}

fn leaf(compared: &Compared<'_>, leaf: &Leaf, filter: &str) -> String {
    let maxes: Vec<_> = compared.sequences.iter().map(SequenceRow::max).collect();
    format!(
        "select {}::bigint as bucket, {} as range, {}, array[{}]::bigint[] as maxes from {} l where {filter} group by 2",
        leaf.slot,
        range(compared),
        aggregates(compared),
        maxes.join(", "),
        leaf.rows
    )
}
