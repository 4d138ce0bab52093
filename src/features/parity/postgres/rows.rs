//! Rows that are on one side only, and the rows of some keys.

use std::fmt::Write as _;

use crate::engine::model::name::{Ident, literal};
use crate::engine::model::query::{Param, Sql};
use crate::features::parity::compared::Compared;
use crate::features::parity::pair::column::TableColumn;
use crate::features::parity::pair::partitions::Leaf;
use crate::features::parity::piece::{DifferingPart, KeyText};
use crate::features::parity::postgres::key_ranges::{number, within};

/// Longest value that is shown whole; longer ones are compared by their md5.
const CELL: usize = 256;

fn key_list(compared: &Compared<'_>, prefix: &str) -> String {
    let list: Vec<_> = compared.columns.key.iter().map(|k| format!("{prefix}{}", Ident(&k.name))).collect();
    list.join(", ")
}

/// Keys whose rows on one side are not those on the other; each as often as it is there.
fn candidates(compared: &Compared<'_>, part: &DifferingPart<'_>) -> String {
    let digest = compared.columns.digest();
    let keys: Vec<_> =
        compared.columns.key.iter().map(|k| format!("{} as {}", k.hashed(), Ident(&k.name))).collect();
    let (keys, keys_within) = (keys.join(", "), within(compared, part.ranges));
    let legacy = compared.legacy.map(|l| l.relation.as_str()).unwrap_or_default();
    let belongs = compared.layout.belongs(part.slots, part.homeless);
    let mut both = format!(
        "select {keys}, {digest} as \"mw:h\", 1 as \"mw:n\" from {legacy} where {keys_within} and {belongs}"
    );
    for leaf in part.leaves {
        let _ = write!(
            both,
            "\n  union all select {keys}, {digest}, -1 from {} l where {keys_within}",
            leaf.rows
        );
    }
    let texts: Vec<_> = compared.columns.key.iter().map(|k| format!("g.{}::text", Ident(&k.name))).collect();
    let names = key_list(compared, "b.");
    format!(
        "select array[{}] as key from (select {names} from (select {names} from ({both}) b\n  \
         group by {names}, b.\"mw:h\" having sum(b.\"mw:n\") <> 0) b group by {names}) g",
        texts.join(", "),
    )
}

pub(super) fn differing(compared: &Compared<'_>, part: &DifferingPart<'_>, limit: usize) -> Sql {
    Sql::new(format!("{}\norder by {} limit {limit}", candidates(compared, part), key_list(compared, "g.")))
}

pub(super) fn count(compared: &Compared<'_>, part: &DifferingPart<'_>) -> Sql {
    Sql::new(format!("select count(*) as keys from ({}) c", candidates(compared, part)))
}

pub(super) fn legacy_by_key(compared: &Compared<'_>, keys: &[KeyText]) -> Sql {
    Sql::new(lookup(compared, None)).bind(arrays(keys, compared))
}

pub(super) fn leaves_by_key(compared: &Compared<'_>, leaves: &[&Leaf], keys: &[KeyText]) -> Sql {
    let statements: Vec<_> = leaves.iter().map(|l| lookup(compared, Some(l))).collect();
    Sql::new(statements.join("\nunion all ")).bind(arrays(keys, compared))
}

fn arrays(keys: &[KeyText], compared: &Compared<'_>) -> Vec<Param> {
    (0..compared.columns.key.len())
        .map(|i| Param::Texts(keys.iter().map(|k| k.get(i).cloned().flatten().unwrap_or_default()).collect()))
        .collect()
}

/// The rows of some keys in the legacy table or in one leaf.
fn lookup(compared: &Compared<'_>, leaf: Option<&Leaf>) -> String {
    let relation = match leaf {
        Some(leaf) => leaf.rows.clone(),
        None => compared.legacy.map(|l| l.relation.clone()).unwrap_or_default(),
    };
    let partition =
        leaf.map_or("null".into(), |l| literal(compared.layout.slots.get(l.slot).map_or("", |s| s)));
    let bucket = leaf.map_or_else(|| compared.layout.bucket().to_owned(), |l| l.slot.to_string());
    let keys: Vec<_> = compared.columns.key.iter().map(|k| format!("r.{}::text", Ident(&k.name))).collect();
    let cells: Vec<_> = compared.columns.common.iter().map(cell).collect();
    // Names that no column of theirs is likely to have.
    let names: Vec<_> = (0..compared.columns.key.len()).map(|i| format!("\"mw:k{i}\"")).collect();
    let arrays: Vec<_> = (1..=names.len()).map(|i| format!("${i}::text[]")).collect();
    let on = |(k, n): (&TableColumn, &String)| {
        if k.foreign {
            format!("{} = u.{n}", k.hashed())
        } else {
            format!("r.{} = u.{n}::{}", Ident(&k.name), k.kind)
        }
    };
    let on: Vec<_> = compared.columns.key.iter().zip(&names).map(on).collect();
    format!(
        "select u.\"mw:n\"::int as n, array[{}] as key, {partition}::text as partition, ({bucket})::bigint as bucket, \
         {} as range, array[{}] as cells\nfrom unnest({}) with ordinality u({}, \"mw:n\") join {relation} r on {}",
        keys.join(", "),
        number(compared),
        cells.join(", "),
        arrays.join(", "),
        names.join(", "),
        on.join(" and "),
    )
}

fn cell(column: &TableColumn) -> String {
    let c = format!("({})::text", column.compared("r"));
    format!("case when length({c}) > {CELL} then left({c}, {CELL}) || '… md5 ' || md5({c}) else {c} end")
}
