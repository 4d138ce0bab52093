//! The statements of a batch, from what its plan says. Values travel as text and are cast in the statement.
//!
//! Parameters everywhere: `$1` run, `$2` step, `$3` first planned row (exclusive), `$4` last, `$5` batch.

use crate::engine::change::{Derived, RowChange, RowKind, TypedColumn};
use crate::engine::ident::{Ident, Relation, literal};

/// The planned rows of the batch.
const PLANNED: &str = "select seq, key, before, after from midwatch.planned_rows \
                       where run = $1 and step = $2 and seq > $3 and seq <= $4";

fn relation(table: &str) -> String {
    Relation::parse(table).to_string()
}

/// `(p.key->>'id')::uuid`
fn value(from: &str, column: &TypedColumn) -> String {
    format!("({from}->>{})::{}", literal(&column.name), column.type_name)
}

/// `t."id" = (p.key->>'id')::uuid and …`
fn key_is(alias: &str, key: &[TypedColumn], from: &str) -> String {
    let parts: Vec<_> =
        key.iter().map(|c| format!("{alias}.{} = {}", Ident(&c.name), value(from, c))).collect();
    parts.join(" and ")
}

/// Does the row still hold what was planned? By text: that serves types without equality as well.
fn unchanged(alias: &str, columns: &[TypedColumn], from: &str) -> String {
    let parts: Vec<_> = columns
        .iter()
        .map(|c| {
            format!("{alias}.{}::text is not distinct from {from}->>{}", Ident(&c.name), literal(&c.name))
        })
        .collect();
    if parts.is_empty() { "true".into() } else { parts.join(" and ") }
}

/// A row as an image: names and texts.
fn image<'c>(alias: &str, columns: impl IntoIterator<Item = &'c TypedColumn>) -> String {
    let (names, texts): (Vec<_>, Vec<_>) =
        columns.into_iter().map(|c| (literal(&c.name), format!("{alias}.{}::text", Ident(&c.name)))).unzip();
    format!("jsonb_object(array[{}]::text[], array[{}]::text[])", names.join(", "), texts.join(", "))
}

fn names(columns: &[TypedColumn]) -> String {
    columns.iter().map(|c| Ident(&c.name).to_string()).collect::<Vec<_>>().join(", ")
}

/// What a profile's statements read as `batch`.
fn batch_columns(change: &RowChange, from: &str) -> String {
    let mut out = vec![format!("{from}.seq")];
    out.extend(
        change.key.iter().map(|c| format!("{} as {}", value(&format!("{from}.key"), c), Ident(&c.name))),
    );
    for c in &change.columns {
        let (old, new) = (format!("old_{}", c.name), format!("new_{}", c.name));
        out.push(format!("{} as {}", value(&format!("{from}.before"), c), Ident(&old)));
        out.push(format!("{} as {}", value(&format!("{from}.after"), c), Ident(&new)));
    }
    out.join(", ")
}

const RUN: &str = "run as (select r.id, r.operation, r.name, r.operator, r.undoes is not null as undo, \
                   $6::text as reason from midwatch.runs r where r.id = $1)";

/// `batch` as planned, before anything is changed.
fn planned_batch(change: &RowChange) -> String {
    format!("with batch as materialized (select {} from ({PLANNED}) p)", batch_columns(change, "p"))
}

/// `batch` as it was really changed.
fn changed_batch(change: &RowChange) -> String {
    if change.kind == RowKind::Compute {
        return planned_batch(change);
    }
    format!(
        "with batch as materialized (select {} from midwatch.images i \
         where i.run = $1 and i.batch = $5 and i.step = $2 and i.seq > $3 and i.seq <= $4)",
        batch_columns(change, "i")
    )
}

/// Locks the rows in the plan's order, so that what is read of them afterwards stays true.
pub(super) fn lock(change: &RowChange) -> Option<String> {
    let strength = match change.kind {
        _ if change.excludes_writers => return None,
        RowKind::Update => "no key update",
        RowKind::Delete => "update",
        RowKind::Insert | RowKind::Compute => return None,
    };
    Some(format!(
        "select count(*)::text from (select from ({PLANNED}) p join {} t on {} order by p.seq for {strength} of t) q",
        relation(&change.table),
        key_is("t", &change.key, "p.key"),
    ))
}

/// The change itself; keeps the image of every row it writes. Rows that differ from the plan are passed by.
pub(super) fn change(change: &RowChange) -> Option<String> {
    let table = relation(&change.table);
    let sets: Vec<_> =
        change.columns.iter().map(|c| format!("{} = {}", Ident(&c.name), value("p.after", c))).collect();
    let work = match change.kind {
        RowKind::Compute => return None,
        RowKind::Update => format!(
            "update {table} t set {} from p join {table} o on {} \
             where t.ctid = o.ctid and t.tableoid = o.tableoid and {} \
             returning p.seq, p.key, {} as before, {} as after",
            sets.join(", "),
            key_is("o", &change.key, "p.key"),
            unchanged("o", &change.columns, "p.before"),
            image("o", &change.kept),
            image("t", &change.columns),
        ),
        RowKind::Delete => format!(
            "delete from {table} t using p where {} and {} returning p.seq, p.key, {} as before, null::jsonb as after",
            key_is("t", &change.key, "p.key"),
            unchanged("t", &change.columns, "p.before"),
            image("t", &change.kept),
        ),
        RowKind::Insert => {
            let values: Vec<_> = change.columns.iter().map(|c| value("p.after", c)).collect();
            format!(
                "insert into {table} ({}) overriding system value select {} from p order by p.seq \
                 on conflict do nothing returning *",
                names(&change.columns),
                values.join(", "),
            )
        }
    };
    let changed = if change.kind == RowKind::Insert {
        format!(
            "select p.seq, p.key, null::jsonb as before, {} as after from work t join p on {}",
            image("t", &change.kept),
            key_is("t", &change.key, "p.key"),
        )
    } else {
        "select seq, key, before, after from work".into()
    };
    Some(format!(
        "with p as materialized ({PLANNED}), work as ({work}), kept as (\
         insert into midwatch.images (run, step, batch, seq, relation, key, before, after) \
         select $1, $2, $5, c.seq, {}, c.key, c.before, c.after from ({changed}) c returning seq, after) \
         select json_build_object('written', (select count(*) from work), 'kept', count(*), \
         'otherwise', count(*) filter (where not k.after @> p.after))::text \
         from kept k left join p on p.seq = k.seq",
        literal(&change.table),
    ))
}

/// A profile's statement over `batch`, as it was changed.
pub(super) fn over_batch(change: &RowChange, statement: &str) -> String {
    let (first, rest) = split_with(statement);
    match rest {
        // The statement's own WITH goes on after ours.
        Some(rest) => format!("{}, {RUN}, {rest}", changed_batch(change)),
        None => format!("{}, {RUN} {first}", changed_batch(change)),
    }
}

fn split_with(statement: &str) -> (&str, Option<&str>) {
    let text = statement.trim();
    let is_with = text.get(..4).is_some_and(|w| w.eq_ignore_ascii_case("with"))
        && text[4..].starts_with(char::is_whitespace);
    (text, is_with.then(|| text[4..].trim_start()))
}

fn keys(change: &RowChange, derived: &Derived) -> String {
    let known: Vec<_> = derived.key.iter().map(|c| format!("q.{} is not null", Ident(&c.name))).collect();
    let order: Vec<_> = (1..=derived.key.len()).map(|n| n.to_string()).collect();
    // In one order for everybody, so that two who lock them wait instead of blocking each other.
    format!(
        "{}, keys as materialized (select distinct {} from ({}) q where {} order by {})",
        planned_batch(change),
        derived
            .key
            .iter()
            .map(|c| format!("q.{0}::{1} as {0}", Ident(&c.name), c.type_name))
            .collect::<Vec<_>>()
            .join(", "),
        derived.rows,
        known.join(" and "),
        order.join(", "),
    )
}

/// Locks derived rows and gives them as they are before the batch, as one JSON text. LATERAL, since a batch has few
/// of them and their key is indexed: a join would often read the whole table.
pub(super) fn derived_before(change: &RowChange, derived: &Derived) -> String {
    let same: Vec<_> = derived.key.iter().map(|c| format!("d.{0} = k.{0}", Ident(&c.name))).collect();
    format!(
        "{} select coalesce(json_agg(json_build_object('key', {}, 'before', d.image)), '[]')::text \
         from keys k left join lateral (select {} as image from {} d where {} offset 0 for update) d on true",
        keys(change, derived),
        image("k", &derived.key),
        image("d", &derived.columns),
        relation(&derived.table),
        same.join(" and "),
    )
}

/// `$6`: the same rows as they were. Keeps an image of each, also of one that is as it was: an undo would compute it
/// again from rows that are back, and only the image says what it held beside them.
pub(super) fn derived_after(derived: &Derived) -> String {
    format!(
        "with was as materialized (select w.key, w.before from json_to_recordset($6::json) w(key jsonb, before jsonb)), \
         now as materialized (select w.key, w.before, d.image as after \
         from was w left join lateral (select {} as image from {} d where {} offset 0) d on true), \
         kept as (insert into midwatch.images (run, step, batch, seq, relation, key, before, after) \
         select $1, $2, $5, null, {}, n.key, n.before, n.after from now n returning 1) \
         select count(*)::text from kept",
        image("d", &derived.columns),
        relation(&derived.table),
        key_is("d", &derived.key, "w.key"),
        literal(&derived.table),
    )
}

/// Puts derived rows back as the run `$7` found them in its batch `$8`: where nobody has touched them since, and
/// where all `$9` rows of that batch come back. What is left was computed again from the rows as they are.
pub(super) fn restore(derived: &Derived) -> [String; 3] {
    let table = relation(&derived.table);
    let todo = format!(
        "with todo as materialized (select i.key, i.before from midwatch.images i \
         join json_to_recordset($6::json) w(key jsonb, before jsonb) on w.key = i.key and w.before is not distinct from i.after \
         where i.run = $7 and i.batch = $8 and i.seq is null and i.relation = {} \
         and (select count(*) from midwatch.images m where m.run = $7 and m.batch = $8 and m.seq is not null) in (0, $9))",
        literal(&derived.table),
    );
    // What the table numbers itself cannot be set, and the key is what the row was found by.
    let written =
        derived.columns.iter().filter(|c| !c.numbered && !derived.key.iter().any(|k| k.name == c.name));
    let sets: Vec<_> = written.map(|c| format!("{} = {}", Ident(&c.name), value("todo.before", c))).collect();
    let values: Vec<_> = derived.columns.iter().map(|c| value("todo.before", c)).collect();
    let same = key_is("d", &derived.key, "todo.key");
    [
        format!("{todo} delete from {table} d using todo where todo.before is null and {same}"),
        format!(
            "{todo} update {table} d set {} from todo where todo.before is not null and {same}",
            sets.join(", ")
        ),
        format!(
            "{todo} insert into {table} ({}) overriding system value select {} from todo \
             where todo.before is not null and not exists (select from {table} d where {same})",
            names(&derived.columns),
            values.join(", "),
        ),
    ]
}

/// Where the batch ends: after so many rows, or with its unit.
pub(super) const RANGE: &str = "
with first as (select seq, unit from midwatch.planned_rows
               where run = $1 and step = $2 and seq > $3 order by seq limit 1)
select json_build_object('unit', f.unit, 'upto', case when f.unit is null
         then (select max(seq) from (select seq from midwatch.planned_rows
               where run = $1 and step = $2 and seq > $3 order by seq limit $4) q)
         else coalesce((select p.seq - 1 from midwatch.planned_rows p
                        where p.run = $1 and p.step = $2 and p.seq > f.seq and p.unit is distinct from f.unit
                        order by p.seq limit 1),
                       (select max(seq) from midwatch.planned_rows where run = $1 and step = $2)) end)::text
from first f";

/// Count and sum of the images of a batch: what its entry says of them.
pub(super) const IMAGES: &str = "
select count(*) || ':' || coalesce(sum(jsonb_hash_extended(coalesce(before, 'null'), 0)::numeric
         + jsonb_hash_extended(coalesce(after, 'null'), 1) + jsonb_hash_extended(key, 2))::text, '')
from midwatch.images where run = $1 and batch = $2";

/// Sum of the planned rows of a run: what its intent says of them.
pub(super) const PLANNED_SUM: &str = "
select count(*) || ':' || coalesce(sum(hashint8extended(seq, step) + jsonb_hash_extended(key, 2)::numeric
         + jsonb_hash_extended(coalesce(before, 'null'), 0) + jsonb_hash_extended(coalesce(after, 'null'), 1))::text, '')
from midwatch.planned_rows where run = $1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_with_its_own_with_goes_on_after_ours() {
        assert_eq!(
            split_with("  WITH x as (select 1) insert"),
            ("WITH x as (select 1) insert", Some("x as (select 1) insert"))
        );
        assert_eq!(split_with("without").1, None);
        assert_eq!(split_with("insert into t").1, None);
    }
}
