//! Rows that are on one side only, keys with their digests, and the rows of some keys.

use crate::dialect::postgres::compare_sql::column::{compared, hashed};
use crate::dialect::postgres::compare_sql::digest;
use crate::dialect::postgres::compare_sql::key_ranges::{number, within};
use crate::dialect::postgres::operators::EQUAL;
use crate::engine::model::comparison::{
    ComparedColumn, ComparedRows, KeyText, PartsOfBoth, RowGroup, RowPart, ValuePair,
};
use crate::engine::model::name::{Ident, literal};
use crate::engine::model::query::{Param, Sql};

/// Longest value that is shown whole; longer ones are compared by their md5.
pub(super) const CELL: usize = 256;

fn key_list(what: &ComparedRows<'_>, prefix: &str) -> String {
    let list: Vec<_> = what.columns.key.iter().map(|k| format!("{prefix}{}", Ident(&k.name))).collect();
    list.join(", ")
}

/// Rows of a part, under an alias where its group is not computed from their own columns.
fn source(part: &RowPart<'_>) -> String {
    match part.group {
        RowGroup::Computed(_) => part.rows.to_owned(),
        RowGroup::All | RowGroup::Fixed { .. } => format!("{} l", part.rows),
    }
}

fn filtered(keys_within: &str, part: &RowPart<'_>) -> String {
    match &part.filter {
        None => keys_within.to_owned(),
        Some(filter) => format!("{keys_within} and {filter}"),
    }
}

/// Keys whose rows on one side are not those on the other; each as often as it is there.
fn candidates(what: &ComparedRows<'_>, parts: PartsOfBoth<'_>, ranges: &[i64]) -> String {
    let digest = digest::row(&what.columns.common);
    let keys: Vec<_> =
        what.columns.key.iter().map(|k| format!("{} as {}", hashed(k), Ident(&k.name))).collect();
    let (keys, keys_within) = (keys.join(", "), within(what, ranges));
    let left = parts.left.iter().map(|p| (p, 1));
    let each = left.chain(parts.right.iter().map(|p| (p, -1))).enumerate();
    let each = each.map(|(i, (part, n))| {
        let (digest, n) = if i == 0 {
            (format!("{digest} as \"mw:h\""), format!("{n} as \"mw:n\""))
        } else {
            (digest.clone(), n.to_string())
        };
        format!("select {keys}, {digest}, {n} from {} where {}", source(part), filtered(&keys_within, part))
    });
    let both = each.collect::<Vec<_>>().join("\n  union all ");
    let texts: Vec<_> = what.columns.key.iter().map(|k| format!("g.{}::text", Ident(&k.name))).collect();
    let names = key_list(what, "b.");
    format!(
        "select array[{}] as key from (select {names} from (select {names} from ({both}) b\n  \
         group by {names}, b.\"mw:h\" having sum(b.\"mw:n\") <> 0) b group by {names}) g",
        texts.join(", "),
    )
}

pub(super) fn differing(
    what: &ComparedRows<'_>,
    parts: PartsOfBoth<'_>,
    ranges: &[i64],
    limit: usize,
) -> Sql {
    let order = key_list(what, "g.");
    Sql::over_rows(format!("{}\norder by {order} limit {limit}", candidates(what, parts, ranges)))
}

pub(super) fn count(what: &ComparedRows<'_>, parts: PartsOfBoth<'_>, ranges: &[i64]) -> Sql {
    Sql::over_rows(format!("select count(*) as keys from ({}) c", candidates(what, parts, ranges)))
}

pub(super) fn stream(what: &ComparedRows<'_>, parts: &[RowPart<'_>], ranges: &[i64]) -> Sql {
    let keys: Vec<_> = what.columns.key.iter().map(|k| format!("({})::text", hashed(k))).collect();
    let (keys, digest) = (keys.join(", "), digest::row(&what.columns.common));
    let keys_within = within(what, ranges);
    let one = |part: &RowPart<'_>| {
        let filter = filtered(&keys_within, part);
        format!("select array[{keys}] as key, {digest} as digest from {} where {filter}", source(part))
    };
    Sql::over_rows(parts.iter().map(one).collect::<Vec<_>>().join("\nunion all "))
}

pub(super) fn by_key(what: &ComparedRows<'_>, parts: &[RowPart<'_>], keys: &[KeyText]) -> Sql {
    let statements: Vec<_> = parts.iter().map(|p| lookup(what, p)).collect();
    Sql::over_rows(statements.join("\nunion all ")).bind(arrays(keys, what))
}

fn arrays(keys: &[KeyText], what: &ComparedRows<'_>) -> Vec<Param> {
    (0..what.columns.key.len())
        .map(|i| Param::Texts(keys.iter().map(|k| k.get(i).cloned().flatten().unwrap_or_default()).collect()))
        .collect()
}

/// The rows of some keys in one part.
fn lookup(what: &ComparedRows<'_>, part: &RowPart<'_>) -> String {
    let rows = match &part.filter {
        None => part.rows.to_owned(),
        Some(filter) => format!("(select * from {} where {filter})", source(part)),
    };
    let (name, bucket) = match part.group {
        RowGroup::All => ("null".into(), "null".into()),
        RowGroup::Computed(bucket) => ("null".into(), bucket.to_owned()),
        RowGroup::Fixed { number, name } => (literal(name), number.to_string()),
    };
    let keys: Vec<_> = what.columns.key.iter().map(|k| format!("r.{}::text", Ident(&k.name))).collect();
    let cells: Vec<_> = what.columns.common.iter().map(cell).collect();
    // Names that no column of theirs is likely to have.
    let names: Vec<_> = (0..what.columns.key.len()).map(|i| format!("\"mw:k{i}\"")).collect();
    let arrays: Vec<_> = (1..=names.len()).map(|i| format!("${i}::text[]")).collect();
    let on = |(k, n): (&ComparedColumn, &String)| {
        if k.foreign {
            format!("{} {EQUAL} u.{n}", hashed(k))
        } else {
            let equality = k.equality.as_deref().unwrap_or(EQUAL);
            format!("r.{} {equality} u.{n}::{}", Ident(&k.name), k.kind)
        }
    };
    let on: Vec<_> = what.columns.key.iter().zip(&names).map(on).collect();
    format!(
        "select u.\"mw:n\"::int as n, array[{}] as key, {name}::text as partition, ({bucket})::bigint as bucket, \
         {} as range, array[{}] as cells\nfrom unnest({}) with ordinality u({}, \"mw:n\") join {rows} r on {}",
        keys.join(", "),
        number(what),
        cells.join(", "),
        arrays.join(", "),
        names.join(", "),
        on.join(" and "),
    )
}

fn cell(column: &ComparedColumn) -> String {
    let c = format!("({})::text", compared(column, "r"));
    format!("case when length({c}) > {CELL} then left({c}, {CELL}) || '… md5 ' || md5({c}) else {c} end")
}

pub(super) fn same_values(pairs: &[ValuePair<'_>]) -> Sql {
    let one = |(i, pair): (usize, &ValuePair<'_>)| {
        let (left, right) = (2 * i + 1, 2 * i + 2);
        let (kind, operator) = match &pair.column.equality {
            Some(operator) => (pair.column.kind.as_str(), operator.as_str()),
            None => ("text", EQUAL),
        };
        format!("${left}::text::{kind} {operator} ${right}::text::{kind}")
    };
    let list: Vec<_> = pairs.iter().enumerate().map(one).collect();
    let params: Vec<Param> = pairs.iter().flat_map(|p| [Param::from(p.left), Param::from(p.right)]).collect();
    Sql::over_rows(format!(
        "select u.same::text from unnest(array[{}]::boolean[]) with ordinality u(same, n) order by u.n",
        list.join(", ")
    ))
    .bind(params)
}
