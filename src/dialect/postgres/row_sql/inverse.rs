//! Images of a run, joined with the rows they are of: what can be put back, and what was changed since.

use super::values::{holds, holds_key, referred, write_form};
use crate::dialect::postgres::journal::rows::IMAGES;
use crate::engine::model::change::{RowKind, TypedColumn};
use crate::engine::model::name::{Ident, Relation};
use crate::engine::model::query::{Param, ProfileSql};
use crate::engine::model::row_query::ImagesOf;
use crate::engine::model::table::Constraint;

/// Last batch first.
pub(super) const ORDER: &str = "i.batch desc, i.seq desc, i.key::pg_catalog.text";
/// Each batch whole.
pub(super) const UNIT: &str = "i.batch";

/// A FROM, which of its images can be put back, which cannot. `$1` run.
pub(super) struct Joined {
    pub(super) from: String,
    pub(super) still: String,
    changed: String,
}

pub(super) fn joined(images: &ImagesOf) -> Joined {
    let ImagesOf { inverse, step, .. } = images;
    let compute = inverse.kind == RowKind::Compute;
    let (table, columns, key) = match inverse.derived.first().filter(|_| compute) {
        Some(derived) => (derived.relation(&Relation::parse), &derived.columns, &derived.key),
        None => (inverse.relation(&Relation::parse), &inverse.columns, &inverse.key),
    };
    let insert = inverse.kind == RowKind::Insert;
    let mut on = vec![holds_key("t", key, "i.key")];
    if !insert && !columns.is_empty() {
        on.push(holds("t", columns, "i.after"));
    }
    let which = if compute {
        "is null and not coalesce(m.before operator(pg_catalog.=) m.after, m.before is null and m.after is null)"
    } else {
        "is not null"
    };
    // A row that a batch created and another deleted again is neither.
    let from = format!(
        "from (select * from {IMAGES} m where m.run operator(pg_catalog.=) $1::bigint and m.step operator(pg_catalog.=) {step} and m.seq {which}) i left join {} t on {}",
        table,
        on.join(" and "),
    );
    let (still, changed) = match (insert, compute) {
        (true, _) => ("t.tableoid is null".into(), "t.tableoid is not null".into()),
        (_, true) => (
            "(t.tableoid is not null or i.after is null)".into(),
            "t.tableoid is null and i.after is not null".into(),
        ),
        _ => match referred(&inverse.referrers) {
            Some(by) => {
                (format!("t.tableoid is not null and not ({by})"), format!("(t.tableoid is null or {by})"))
            }
            None => ("t.tableoid is not null".into(), "t.tableoid is null".into()),
        },
    };
    Joined { from, still, changed }
}

/// The rows that a run wrote, as they became. `n`: the parameter that is the run.
pub(super) fn written(columns: &[TypedColumn], n: usize) -> String {
    let columns = typed("i.after", columns);
    format!(
        "select {columns} from {IMAGES} i where i.run operator(pg_catalog.=) ${n}::bigint and i.seq is not null"
    )
}

fn typed(from: &str, columns: &[TypedColumn]) -> String {
    let one = |c: &TypedColumn| format!("{} as {}", write_form(from, c), Ident(&c.name));
    columns.iter().map(one).collect::<Vec<_>>().join(", ")
}

pub(super) fn changed_since(images: &ImagesOf, named: usize) -> ProfileSql {
    let Joined { from, changed, .. } = joined(images);
    let text = format!(
        "select pg_catalog.count(*) as rows, pg_catalog.string_agg(x.key, '; ') filter (where x.n operator(pg_catalog.<=) {named}) as named \
         from (select i.key::pg_catalog.text as key, pg_catalog.row_number() over (order by i.batch, i.seq) as n {from} where {changed}) x"
    );
    ProfileSql::new(text).bind([Param::from(images.run.as_str())])
}

/// A deleted row comes back as its image has it; of one that was changed the image has those columns alone.
pub(super) fn refused(images: &ImagesOf, check: &Constraint) -> ProfileSql {
    let ImagesOf { inverse, step, .. } = images;
    let written = |c: &TypedColumn| inverse.columns.iter().any(|w| w.name == c.name);
    let (columns, join) = if inverse.kind == RowKind::Update {
        let one = |c: &TypedColumn| {
            let name = Ident(&c.name);
            if written(c) { format!("{} as {name}", write_form("i.before", c)) } else { format!("t.{name}") }
        };
        let table = inverse.relation(&Relation::parse);
        let join = format!(" join {table} t on {}", holds_key("t", &inverse.key, "i.key"));
        (inverse.kept.iter().map(one).collect::<Vec<_>>().join(", "), join)
    } else {
        (typed("i.before", &inverse.kept), String::new())
    };
    let text = format!(
        "select pg_catalog.count(*)::pg_catalog.text from (select {columns} from {IMAGES} i{join} \
         where i.run operator(pg_catalog.=) $1::bigint and i.step operator(pg_catalog.=) {step} and i.seq is not null) r \
         where not ({})",
        check.expression,
    );
    ProfileSql::new(text).bind([Param::from(images.run.as_str())])
}
