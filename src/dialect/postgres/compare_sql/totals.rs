//! Counts, sums and digests of both sides, by group and key range.

use crate::dialect::postgres::compare_sql::digest;
use crate::dialect::postgres::compare_sql::key_ranges::{NO_RANGE, condition, number};
use crate::engine::model::comparison::{ComparedRows, KeySpan, RowGroup, RowPart};
use crate::engine::model::name::Ident;
use crate::engine::model::query::Sql;

// Gentle: no parallel workers. Groups are hashed: sorted they spill. Statements are many and short where there are many
// partitions, so compiling each costs more than it saves. The holder waits for those that share its snapshot.
pub(super) const SETTINGS: &str = "
select set_config('jit', 'off', true) || set_config('enable_sort', 'off', true)
    || set_config('max_parallel_workers_per_gather', '0', true) || set_config('work_mem', '32MB', true)
    || set_config('idle_in_transaction_session_timeout', '10800000', true)";

pub(super) fn compile(on: bool) -> Sql {
    Sql::new(if on {
        "select set_config('jit', 'on', true)"
    } else {
        "select set_config('jit', 'off', true)"
    })
}

/// Sums are kept exact as millionths. Floats are added as decimals, since their own sum depends on their order.
fn sums(what: &ComparedRows<'_>) -> String {
    let sum = |name: &String| {
        let Some(column) = what.columns.column(name).filter(|c| c.number) else { return "null".into() };
        let kind = column.kind.as_str();
        let whole = matches!(kind, "smallint" | "integer" | "bigint") || kind.starts_with("numeric");
        if whole && !what.columns.retyped.iter().any(|(retyped, ..)| retyped == name) {
            format!("trunc(sum({})::numeric * 1000000)::text", Ident(name))
        } else {
            format!("trunc(sum({}::numeric) * 1000000)::text", Ident(name))
        }
    };
    what.sums.iter().map(sum).collect::<Vec<_>>().join(", ")
}

fn aggregates(what: &ComparedRows<'_>) -> String {
    let digest = if what.digests {
        format!("sum({})::text", digest::row(&what.columns.common))
    } else {
        "null::text".into()
    };
    format!("count(*) as rows, {digest} as digest, array[{}]::text[] as sums", sums(what))
}

pub(super) fn digest(what: &ComparedRows<'_>, parts: &[RowPart<'_>], keys: KeySpan) -> Sql {
    let statements: Vec<_> = parts.iter().map(|p| part(what, p, keys)).collect();
    Sql::over_rows(statements.join("\nunion all "))
}

fn part(what: &ComparedRows<'_>, part: &RowPart<'_>, keys: KeySpan) -> String {
    let range = if what.digests { number(what) } else { NO_RANGE.into() };
    let within = condition(what.cut, keys);
    let filter = match &part.filter {
        None => within,
        Some(filter) => format!("{within} and {filter}"),
    };
    let (bucket, from, by) = match part.group {
        RowGroup::All => ("null".into(), format!(" from {} l", part.rows), "2"),
        RowGroup::Computed(bucket) => (format!("({bucket})"), format!("\nfrom {}", part.rows), "1, 2"),
        RowGroup::Fixed { number, .. } => (number.to_string(), format!(" from {} l", part.rows), "2"),
    };
    format!(
        "select {bucket}::bigint as bucket, {range} as range, {}, array[{}]::bigint[] as maxes{from} where {filter} group by {by}",
        aggregates(what),
        part.measures.join(", "),
    )
}
