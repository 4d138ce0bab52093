//! The statements of a batch, from what its plan says.
//!
//! A batch is a temporary table of the writing session, filled once from the planned rows, whose values travel as
//! text; everything else reads it, typed. What begins with `midwatch_` in it is ours, the rest is what a profile's
//! statements read as `batch`.

use super::change::over;
use super::values;
use super::values::{holds_key as key_is, image, names, object, stored, texts, write_form as value};
use crate::dialect::postgres::journal::rows::{IMAGES, PLANNED, UNITS, from_block_of};
use crate::dialect::postgres::operators::{EQUAL, same_key, same_or_null};
use crate::engine::model::change::{Derived, Origin, RowChange, RowKind, TypedColumn};
use crate::engine::model::name::{Ident, Relation, literal};

/// The planned rows of the batch. `$1` run, `$2` step, `$3` first planned row (exclusive), `$4` last.
pub(in crate::dialect::postgres) fn planned_rows() -> String {
    format!(
        "(select p.seq, p.key, p.before, p.after from {PLANNED} p where p.run = $1 and p.step = $2 \
         and p.seq > $3 and p.seq <= $4 and p.{} and p.first <= $4)",
        from_block_of("$3")
    )
}

/// Which of them it has written, as its images say. `$1` run, `batch`: a parameter.
pub(in crate::dialect::postgres) fn written_rows(batch: &str) -> String {
    format!(
        "(select u.seq from midwatch.image_blocks i cross join lateral unnest(i.seqs) u(seq) \
         where i.run = $1 and i.batch = {batch})"
    )
}

/// A block of images is closed after so many bytes: a value of the server has an end, and a unit may have any size.
const IMAGE_BYTES: u32 = 32 << 20;

/// Names no table of the system, whatever it is called: `pg_temp` would be searched first.
const BATCH: &str = "pg_temp.midwatch_batch";

fn derived_rows(at: usize) -> String {
    format!("pg_temp.midwatch_derived_{at}")
}

/// What a row holds; every row holds nothing.
fn holds(alias: &str, columns: &[TypedColumn], from: &str) -> String {
    if columns.is_empty() { "true".into() } else { values::holds(alias, columns, from) }
}

/// A temporary table of ours, anew.
fn table(name: &str, ours: &[&str], columns: impl IntoIterator<Item = (String, String)>) -> String {
    let all = ours.iter().map(|c| (*c).to_owned());
    let all: Vec<_> =
        all.chain(columns.into_iter().map(|(name, of)| format!("{} {of}", Ident(&name)))).collect();
    format!(
        "drop table if exists {name}; create temp table {name} ({}) on commit delete rows",
        all.join(", ")
    )
}

/// The rows as the batch found them: all that an image keeps, each column under a name of ours.
fn carried(change: &RowChange) -> impl Iterator<Item = (String, &TypedColumn)> {
    let there = matches!(change.kind, RowKind::Update | RowKind::Delete);
    change.kept.iter().filter(move |_| there).enumerate().map(|(n, c)| (format!("midwatch_r{n}"), c))
}

/// Names and texts of a row as the batch found it.
fn found(change: &RowChange) -> (Vec<String>, Vec<String>) {
    carried(change).map(|(at, c)| (literal(&c.name), format!("b.{at}::pg_catalog.text"))).unzip()
}

/// An updated row before and after: the planned columns, which held and hold what was planned or the batch is rolled
/// back; and what else a trigger has written.
fn updated(change: &RowChange) -> (String, String) {
    if !change.rewritten {
        return ("b.midwatch_before::pg_catalog.text".into(), "b.midwatch_after::pg_catalog.text".into());
    }
    let (names, was) = found(change);
    let now: Vec<_> = change.kept.iter().map(|c| values::read_form("t", c)).collect();
    let planned: Vec<_> = change.columns.iter().map(|c| literal(&c.name)).collect();
    let side = |of: &str| {
        format!(
            "(select pg_catalog.json_object_agg(x.name, x.{of}) from rows from (pg_catalog.unnest({}), \
             pg_catalog.unnest({}), pg_catalog.unnest({})) x(name, was, now) \
             where x.name {EQUAL} any ({}) or not {})::pg_catalog.text",
            texts(&names),
            texts(&was),
            texts(&now),
            texts(&planned),
            same_or_null(EQUAL, "x.was", "x.now"),
        )
    };
    (side("was"), side("now"))
}

/// The tables of a step's batches, anew: a session keeps them from batch to batch, empty in between.
pub(in crate::dialect::postgres) fn tables(change: &RowChange) -> String {
    let planned = change.batch_columns().into_iter().filter(|b| b.origin != Origin::Row);
    let columns = planned
        .map(|b| (b.name, b.column.type_name.clone()))
        .chain(carried(change).map(|(at, c)| (at, c.type_name.clone())));
    let ours = ["midwatch_seq bigint", "midwatch_key jsonb", "midwatch_before jsonb", "midwatch_after jsonb"];
    let mut out = vec![table(BATCH, &ours, columns)];
    for (at, derived) in change.derived.iter().enumerate() {
        let key = derived.key.iter().map(|c| (c.name.clone(), c.type_name.clone()));
        out.push(table(&derived_rows(at), &["midwatch_key jsonb", "midwatch_image jsonb"], key));
    }
    out.join("; ")
}

/// Fills the batch. Rows that must be there are locked, in the plan's order, so that what is read of them stays true;
/// those that no longer hold what was planned are left out. `$1` run, `$2` step, `$3` first planned row (exclusive),
/// `$4` last.
pub(in crate::dialect::postgres) fn fill(change: &RowChange) -> String {
    let strength = match change.kind {
        _ if change.excludes_writers => None,
        RowKind::Update => Some("no key update"),
        RowKind::Delete => Some("update"),
        RowKind::Insert | RowKind::Compute => None,
    };
    let there = matches!(change.kind, RowKind::Update | RowKind::Delete);
    let columns = change.batch_columns();
    let planned = columns.iter().filter_map(|b| {
        let value = match b.origin {
            Origin::Key => value("p.key", b.column),
            Origin::Before => value("p.before", b.column),
            Origin::After => value("p.after", b.column),
            Origin::Row => return None,
        };
        Some((Ident(&b.name).to_string(), value))
    });
    let found = carried(change).map(|(at, c)| (at, format!("t.{}", Ident(&c.name))));
    let (targets, values): (Vec<_>, Vec<_>) = planned.chain(found).unzip();
    let rows = if there {
        format!(
            "{} p join {} t on {} where {} order by p.seq{}",
            planned_rows(),
            change.relation(&Relation::parse),
            key_is("t", &change.key, "p.key"),
            holds("t", &change.columns, "p.before"),
            strength.map(|s| format!(" for {s} of t")).unwrap_or_default(),
        )
    } else {
        format!("{} p", planned_rows())
    };
    format!(
        "insert into {BATCH} (midwatch_seq, midwatch_key, midwatch_before, midwatch_after, {}) \
         select p.seq, p.key, p.before, p.after, {} from {rows}",
        targets.join(", "),
        values.join(", "),
    )
}

/// Keeps what the rows are copied from as it is until the batch is committed. In the plan's order, before the rows
/// themselves, as whoever writes there does. Parameters as for [`fill`].
pub(in crate::dialect::postgres) fn hold(change: &RowChange) -> Option<String> {
    let source = change.source.as_ref().filter(|s| s.present)?;
    Some(format!(
        "select count(*)::text from (select p.seq from {} p join {} s on {} order by p.seq for share of s) q",
        planned_rows(),
        Relation::parse(&source.table),
        key_is("s", &change.key, "p.key"),
    ))
}

/// Rows that the source no longer says (or says again) are no part of the batch.
pub(in crate::dialect::postgres) fn unsourced(change: &RowChange) -> Option<String> {
    let source = change.source.as_ref()?;
    let key = same_key("s", &change.key, "b");
    let table = Relation::parse(&source.table);
    Some(if source.present {
        // Of another type there, perhaps: compared as what it becomes here.
        let same: Vec<_> = change
            .columns
            .iter()
            .map(|c| {
                let there = format!("s.{}::{}::text", Ident(&c.name), c.type_name);
                same_or_null(EQUAL, &there, &stored("b.midwatch_after", c))
            })
            .collect();
        format!(
            "delete from {BATCH} b where not exists (select from {table} s where {key} and {})",
            same.join(" and ")
        )
    } else {
        format!("delete from {BATCH} b using {table} s where {key}")
    })
}

/// The change itself, under the profile's path: triggers of the table find their names by it. Keeps the image of every row
/// that it writes. `$1` run, `$2` step, `$3` batch.
pub(in crate::dialect::postgres) fn change(change: &RowChange) -> Option<String> {
    let table = change.relation(&Relation::parse);
    let key = same_key("t", &change.key, "b");
    let new = |c: &TypedColumn| Ident(&format!("new_{}", c.name)).to_string();
    let work = match change.kind {
        RowKind::Compute => return None,
        RowKind::Update => {
            let (before, after) = updated(change);
            let sets: Vec<_> =
                change.columns.iter().map(|c| format!("{} = b.{}", Ident(&c.name), new(c))).collect();
            format!(
                "changed as (update {table} t set {} from {BATCH} b where {key} returning b.midwatch_seq as seq, \
                 b.midwatch_key as key, {before} as before, {after} as after, {} as planned)",
                sets.join(", "),
                holds("t", &change.columns, "b.midwatch_after"),
            )
        }
        RowKind::Delete => format!(
            "changed as (delete from {table} t using {BATCH} b where {key} returning b.midwatch_seq as seq, \
             b.midwatch_key as key, {}::pg_catalog.text as before, null::pg_catalog.text as after, true as planned)",
            object(&found(change))
        ),
        RowKind::Insert => {
            let values: Vec<_> = change.columns.iter().map(|c| format!("b.{}", new(c))).collect();
            format!(
                "work as (insert into {table} ({}) overriding system value select {} from {BATCH} b order by b.midwatch_seq \
                 on conflict do nothing returning *), \
                 changed as materialized (select b.midwatch_seq as seq, b.midwatch_key as key, null::pg_catalog.text as before, \
                 {}::pg_catalog.text as after, {} as planned from work t left join {BATCH} b on {key})",
                names(&change.columns),
                values.join(", "),
                image("t", &change.kept),
                holds("t", &change.columns, "b.midwatch_after"),
            )
        }
    };
    Some(format!(
        "with {work}, kept as ({}) \
         select pg_catalog.json_build_object('kept', coalesce((select pg_catalog.sum(k.rows) from kept k), 0), \
         'otherwise', pg_catalog.count(*) filter (where c.seq is null or not c.planned))::pg_catalog.text from changed c",
        keep(&change.table, "pg_catalog.array_agg(c.seq)", "select * from changed where seq is not null"),
    ))
}

/// Keeps images, a block of them for each [`IMAGE_BYTES`], under any path. `$1` run, `$2` step, `$3` batch; `rows` gives
/// `seq`, `key`, `before`, `after`.
fn keep(table: &str, seqs: &str, rows: &str) -> String {
    let bytes = |side: &str| format!("coalesce(pg_catalog.octet_length(r.{side}), 0)");
    format!(
        "insert into midwatch.image_blocks (run, step, batch, relation, seqs, keys, before, after) \
         select $1, $2, $3, {}, {seqs}, pg_catalog.array_agg(c.key), pg_catalog.array_agg(c.before), pg_catalog.array_agg(c.after) \
         from (select r.seq, r.key::pg_catalog.text as key, r.before, r.after, pg_catalog.sum({} operator(pg_catalog.+) {}) \
         over (order by r.seq rows unbounded preceding) operator(pg_catalog./) {IMAGE_BYTES} as block from ({rows}) r) c \
         group by c.block returning pg_catalog.cardinality(keys) as rows",
        literal(table),
        bytes("before"),
        bytes("after"),
    )
}

/// What was not inserted is no part of the batch. `$1` run, `$2` batch.
pub(in crate::dialect::postgres) fn unchanged() -> String {
    format!(
        "delete from {BATCH} b where not exists (select from {} w where w.seq = b.midwatch_seq)",
        written_rows("$2")
    )
}

/// A row that others refer to, and whose rows would go with it, is no part of the batch: they are locked, so nobody
/// else comes to refer to them.
pub(in crate::dialect::postgres) fn referred(change: &RowChange) -> Option<String> {
    let by = values::referred(&change.referrers)?;
    let key = same_key("t", &change.key, "b");
    Some(format!(
        "delete from {BATCH} b using {} t where {key} and ({by})",
        change.relation(&Relation::parse)
    ))
}

/// `batch`, as a profile's statements read it.
fn batch(change: &RowChange) -> String {
    let columns: Vec<_> = change
        .batch_columns()
        .iter()
        .map(|b| match carried(change).find(|(_, c)| b.origin == Origin::Row && c.name == b.column.name) {
            Some((at, _)) => format!("{at} as {}", Ident(&b.name)),
            None => Ident(&b.name).to_string(),
        })
        .collect();
    format!("batch as not materialized (select {} from {BATCH})", columns.join(", "))
}

const RUN: &str = "run as (select r.id, r.operation, r.name, r.operator, r.undoes is not null as undo, \
                   $2::pg_catalog.text as reason from midwatch.runs r where r.id operator(pg_catalog.=) $1)";

/// A profile's statement over `batch`. `$1` run, `$2` the reason.
pub(in crate::dialect::postgres) fn over_batch(change: &RowChange, statement: &str) -> String {
    over(&batch(change), RUN, statement)
}

/// Locks the derived rows of a batch and keeps them as they are. In one order for everybody, so that two who lock them
/// wait instead of blocking each other. LATERAL, since a batch has few of them and their key is indexed: a join would
/// often read the whole table.
pub(in crate::dialect::postgres) fn derived_before(
    change: &RowChange,
    derived: &Derived,
    at: usize,
) -> String {
    let known: Vec<_> = derived.key.iter().map(|c| format!("q.{} is not null", Ident(&c.name))).collect();
    let order: Vec<_> = (1..=derived.key.len()).map(|n| n.to_string()).collect();
    let typed: Vec<_> =
        derived.key.iter().map(|c| format!("q.{0}::{1} as {0}", Ident(&c.name), c.type_name)).collect();
    format!(
        "with {}, keys as materialized (select distinct {} from ({}\n) q where {} order by {}) \
         insert into {} (midwatch_key, midwatch_image, {}) select {}, d.image, k.* \
         from keys k left join lateral (select {} as image from {} d where {} offset 0 for update) d on true",
        batch(change),
        typed.join(", "),
        derived.rows,
        known.join(" and "),
        order.join(", "),
        derived_rows(at),
        names(&derived.key),
        image("k", &derived.key),
        image("d", &derived.columns),
        derived.relation(&Relation::parse),
        same_key("d", &derived.key, "k"),
    )
}

/// A row to be computed again that no longer holds what was planned is no part of the batch. Where it was not there,
/// nothing was planned to be in it.
pub(in crate::dialect::postgres) fn exclude_drifted(derived: &Derived) -> String {
    let rows = derived_rows(0);
    format!(
        "with moved as (delete from {BATCH} b using {rows} w where {} and b.midwatch_before is not null \
         and not coalesce(w.midwatch_image, {}) @> b.midwatch_before returning b.midwatch_key as key) \
         delete from {rows} w using moved m where m.key = w.midwatch_key",
        same_key("b", &derived.key, "w"),
        nothing("b.midwatch_before"),
    )
}

/// An image of a row that is not there: all its columns, empty.
fn nothing(like: &str) -> String {
    format!("(select jsonb_object_agg(x.key, null::text) from jsonb_each({like}) x)")
}

/// How many rows of the batch were computed otherwise than planned.
pub(in crate::dialect::postgres) fn otherwise(derived: &Derived) -> String {
    format!(
        "select count(*)::text from {BATCH} b left join {} d on {} where b.midwatch_after is not null \
         and not coalesce(case when d.tableoid is not null then {} end, {}) @> b.midwatch_after",
        derived.relation(&Relation::parse),
        same_key("d", &derived.key, "b"),
        image("d", &derived.columns),
        nothing("b.midwatch_after"),
    )
}

/// The same rows as they were and as they are; how many. Keeps an image of each, also of one that is as it was: an undo
/// would compute it again from rows that are back, and only the image says what it held beside them. Of what a row was
/// only the columns are kept that are others now. `$1` run, `$2` step, `$3` batch.
pub(in crate::dialect::postgres) fn derived_after(derived: &Derived, at: usize) -> String {
    let rows = format!(
        "select null::bigint as seq, w.midwatch_key as key, d.image::text as after, \
         (case when d.image is null then w.midwatch_image \
         when w.midwatch_image is not null then coalesce((select jsonb_object_agg(e.key, e.value) \
         from jsonb_each(w.midwatch_image) e where e.value <> d.image -> e.key), '{{}}') end)::text as before \
         from {} w left join lateral (select {} as image from {} d where {} offset 0) d on true",
        derived_rows(at),
        image("d", &derived.columns),
        derived.relation(&Relation::parse),
        same_key("d", &derived.key, "w"),
    );
    format!(
        "with kept as ({}) select coalesce((select sum(k.rows) from kept k), 0)::text",
        keep(&derived.table, "null", &rows)
    )
}

/// Puts derived rows back, under the profile's path, as the run `$1` found them in its batch `$2`: where nobody has touched them since, and
/// where all `$3` rows of that batch come back. What is left was computed again from the rows as they are.
pub(in crate::dialect::postgres) fn restore(derived: &Derived, at: usize) -> [String; 3] {
    let table = derived.relation(&Relation::parse);
    let todo = format!(
        "with todo as materialized (select i.key, i.before from {IMAGES} i \
         join {} w on w.midwatch_key operator(pg_catalog.=) i.key and {} \
         where i.run operator(pg_catalog.=) $1 and i.batch operator(pg_catalog.=) $2 and i.seq is null \
         and i.relation operator(pg_catalog.=) {} and (select pg_catalog.count(*) from {IMAGES} m \
         where m.run operator(pg_catalog.=) $1 and m.batch operator(pg_catalog.=) $2 and m.seq is not null) \
         operator(pg_catalog.=) any (array[0, $3]::pg_catalog.int8[]))",
        derived_rows(at),
        same_or_null(EQUAL, "w.midwatch_image", "i.after"),
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

/// Where the batch ends: after so many rows, or with its unit. `$1` run, `$2` step, `$3` the last planned row that is done
/// with, `$4` so many at most.
pub(in crate::dialect::postgres) fn range() -> String {
    format!(
        "with first as (select greatest(p.first, $3 + 1) as seq, p.unit from {UNITS} p \
                        where p.run = $1 and p.step = $2 and p.last > $3 and p.{} order by p.first limit 1), \
         last as (select p.last as seq from {UNITS} p where p.run = $1 and p.step = $2 order by p.first desc limit 1) \
         select json_build_object('unit', f.unit, 'upto', case when f.unit is null then $3 + least($4, l.seq - $3) \
           else coalesce((select p.first - 1 from {UNITS} p where p.run = $1 and p.step = $2 and p.first > f.seq \
                          and p.unit is distinct from f.unit order by p.first limit 1), l.seq) end)::text \
         from first f cross join last l",
        from_block_of("$3")
    )
}
