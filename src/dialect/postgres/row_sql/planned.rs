//! Planned rows: read, counted, looked up by key.

use super::inverse;
use super::values::cast_name;
use crate::dialect::postgres::operators::{EQUAL, equal, equality, same_or_null};
use crate::engine::model::change::{Derived, Origin, RowChange, TypedColumn};
use crate::engine::model::name::{Ident, literal};
use crate::engine::model::query::{Column, Param, ProfileSql};
use crate::engine::model::row_query::{
    ColumnSide, Condition, Expr, Keys, RowLimits, RowQuery, RowsFrom, Side,
};

/// Rows, which of them, and the values that both bind.
struct Clauses {
    from: String,
    filter: String,
    params: Vec<Param>,
}

impl Clauses {
    fn new(rows: &RowQuery) -> Self {
        let mut params = rows.params.clone();
        let (from, filter) = match &rows.from {
            RowsFrom::Images(images) => {
                params.push(Param::from(images.run.as_str()));
                let joined = inverse::joined(images);
                (joined.from, joined.still)
            }
            other => (from(other, &mut params), condition(&rows.filter, &mut params)),
        };
        Self { from, filter, params }
    }
}

fn from(from: &RowsFrom, params: &mut Vec<Param>) -> String {
    let beside = |join: &Option<String>| join.as_ref().map_or_else(String::new, |j| format!(" {j}"));
    match from {
        RowsFrom::Table { table, join } => format!("from {table} t{}", beside(join)),
        RowsFrom::Query { sql, join } => format!("from ({sql}\n) r{}", beside(join)),
        RowsFrom::Written { run, columns } => {
            params.push(Param::from(run.as_str()));
            format!("from ({}) r", inverse::written(columns, params.len()))
        }
        RowsFrom::Images(images) => {
            params.push(Param::from(images.run.as_str()));
            inverse::joined(images).from
        }
        RowsFrom::Text(text) => format!("from {text}"),
    }
}

fn alias(of: ColumnSide) -> &'static str {
    match of {
        ColumnSide::Table => "t",
        ColumnSide::Row => "r",
    }
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Key => "key",
        Side::Before => "before",
        Side::After => "after",
    }
}

fn expr(value: &Expr) -> String {
    match value {
        Expr::Null => "null".into(),
        Expr::Text(text) => text.clone(),
        Expr::Column { of, name } => format!("{}.{}", alias(*of), Ident(name)),
        Expr::Stored { text, type_name } => format!("({text})::{type_name}"),
        Expr::Given { text, type_name } => format!("{}::{type_name}", literal(text)),
        Expr::Image { side: of, name } => {
            format!("i.{} operator(pg_catalog.->>) {}", side(*of), literal(name))
        }
        Expr::Start(text) => format!("pg_catalog.left(({text})::pg_catalog.text, 120)"),
    }
}

fn condition(of: &Condition, params: &mut Vec<Param>) -> String {
    match of {
        Condition::Every => "true".into(),
        Condition::Text(text) => text.clone(),
        Condition::All(all) => {
            let mut parts = Vec::with_capacity(all.len());
            for (at, one) in all.iter().enumerate() {
                let text = condition(one, params);
                // What others wrote may hold an OR.
                let foreign = matches!(one, Condition::Text(_) | Condition::All(_));
                parts.push(if at == 0 || foreign { format!("({text})") } else { text });
            }
            parts.join(" and ")
        }
        Condition::Not(not) => format!("not ({})", condition(not, params)),
        Condition::KeyIn { key, texts } => {
            params.push(Param::Texts(texts.clone()));
            format!("{}::pg_catalog.text {EQUAL} any (${})", expr(key), params.len())
        }
        Condition::KeyOf { key, sql } => {
            let (name, equality) = (Ident(&key.name), equality(key));
            format!("t.{name} {equality} any (select {} from ({sql}\n) q)", given(key, &format!("q.{name}")))
        }
        Condition::StateIn { states, .. } if states.is_empty() => "false".into(),
        Condition::StateIn { column, states } => {
            let list: Vec<_> = states.iter().map(|s| literal(s)).collect();
            format!(
                "coalesce(t.{}::pg_catalog.text, '(null)') {EQUAL} any (array[{}]::pg_catalog.text[])",
                Ident(column),
                list.join(", ")
            )
        }
        Condition::Changes { column, to } => {
            let to = given(column, &format!("({})", expr(to)));
            format!("not {}", same_or_null(equality(column), &format!("t.{}", Ident(&column.name)), &to))
        }
        Condition::Absent { table, key } => {
            let same = |(k, e): &(TypedColumn, Expr)| {
                equal(k, &format!("x.{}", Ident(&k.name)), &given(k, &format!("({})", expr(e))))
            };
            let taken: Vec<_> = key.iter().map(same).collect();
            format!("not exists (select from {table} x where {})", taken.join(" and "))
        }
    }
}

/// A value that is compared with a column: an operator of another schema takes the column's type only.
fn given(column: &TypedColumn, value: &str) -> String {
    match column.equality {
        Some(_) => format!("{value}::{}", column.type_name),
        None => value.to_owned(),
    }
}

fn order(rows: &RowQuery) -> String {
    let list = |exprs: &mut dyn Iterator<Item = &Expr>| exprs.map(expr).collect::<Vec<_>>().join(", ");
    match &rows.from {
        RowsFrom::Images(_) => inverse::ORDER.into(),
        _ if rows.order.is_empty() => list(&mut rows.key.iter().map(|(_, e)| e)),
        _ => list(&mut rows.order.iter()),
    }
}

/// Texts by name, in the plan's order.
fn object(pairs: &[(String, Expr)]) -> String {
    if pairs.is_empty() {
        return "null".into();
    }
    let one = |(name, e): &(String, Expr)| format!("{}, ({})::pg_catalog.text", literal(name), expr(e));
    format!("pg_catalog.json_build_object({})", pairs.iter().map(one).collect::<Vec<_>>().join(", "))
}

pub(super) fn planned(rows: &RowQuery, portion: RowLimits<'_>) -> ProfileSql {
    let Clauses { from, filter, mut params } = Clauses::new(rows);
    let mut fields = vec![
        format!("'key', {}", object(&rows.key)),
        format!("'before', {}", object(&rows.before)),
        format!("'after', {}", object(&rows.after)),
    ];
    if !rows.show.is_empty() {
        fields.push(format!("'show', {}", object(&rows.show)));
    }
    if matches!(rows.from, RowsFrom::Images(_)) {
        fields.push(format!("'unit', {}", inverse::UNIT));
    }
    fields.extend(portion.step.map(|step| format!("'step', {step}")));
    let bound = portion.among.map_or_else(String::new, |keys| among(rows, keys, &mut params));
    let limit = portion.limit.map_or_else(String::new, |n| format!("\nlimit {n}"));
    let text = format!(
        "select pg_catalog.json_build_object({})::pg_catalog.text\n{from}\nwhere ({filter}){bound}\norder by {}{limit}",
        fields.join(", "),
        order(rows),
    );
    ProfileSql::new(text).bind(params)
}

fn among(rows: &RowQuery, keys: &Keys, params: &mut Vec<Param>) -> String {
    let (mut texts, mut same, mut names) = (vec![], vec![], vec![]);
    for (at, ((column, values), (_, key))) in keys.columns.iter().zip(&keys.values).zip(&rows.key).enumerate()
    {
        let name = format!("k{}", at + 1);
        params.push(Param::Texts(values.clone()));
        texts.push(format!("pg_catalog.unnest(${}::pg_catalog.text[])", params.len()));
        let equal = column.operators.as_ref().map_or(EQUAL, |o| &o.equal);
        same.push(format!("({}) {equal} k.{name}::{}", expr(key), cast_name(&column.type_name)));
        names.push(name);
    }
    format!(
        "\nand exists (select from rows from ({}) as k({}) where {})",
        texts.join(", "),
        names.join(", "),
        same.join(" and ")
    )
}

pub(super) fn key(rows: &RowQuery) -> ProfileSql {
    let key: Vec<_> = rows.key.iter().map(|(n, e)| format!("{} as {}", expr(e), Ident(n))).collect();
    let mut params = rows.params.clone();
    let from = from(&rows.from, &mut params);
    ProfileSql::new(format!("select {} {from} limit 0", key.join(", "))).bind(params)
}

/// What a profile has rows show, as it is: the text that [`planned`] makes of it would be a cast of its type.
pub(super) fn values(rows: &RowQuery) -> Option<ProfileSql> {
    let bare = |value: &Expr| match value {
        Expr::Text(text) | Expr::Stored { text, .. } | Expr::Start(text) => Some(format!("({text})")),
        Expr::Column { .. } => Some(expr(value)),
        Expr::Null | Expr::Given { .. } | Expr::Image { .. } => None,
    };
    let all = [&rows.key, &rows.before, &rows.after, &rows.show].into_iter().flatten();
    let fields: Vec<_> =
        all.filter_map(|(name, value)| Some(format!("{} as {}", bare(value)?, Ident(name)))).collect();
    let mut params = rows.params.clone();
    let from = from(&rows.from, &mut params);
    let text = format!("select {} {from}", fields.join(", "));
    (!fields.is_empty()).then(|| ProfileSql::new(text).bind(params))
}

pub(super) fn touched(rows: &RowQuery, change: &RowChange, derived: &Derived) -> ProfileSql {
    let of = |pairs: &[(String, Expr)], name: &str| {
        pairs.iter().find(|(n, _)| n == name).map_or_else(|| "null".to_owned(), |(_, e)| expr(e))
    };
    let columns: Vec<String> = change
        .batch_columns()
        .iter()
        .map(|b| {
            let name = &b.column.name;
            let value = match b.origin {
                Origin::Key => of(&rows.key, name),
                Origin::Before => of(&rows.before, name),
                Origin::After => of(&rows.after, name),
                Origin::Row => format!("t.{}", Ident(name)),
            };
            format!("({value})::{} as {}", b.column.type_name, Ident(&b.name))
        })
        .collect();
    let Clauses { from, filter, params } = Clauses::new(rows);
    let limit = rows.limit.map_or_else(String::new, |n| format!(" order by {} limit {n}", order(rows)));
    let key: Vec<_> = derived.key.iter().map(|c| format!("q.{}", Ident(&c.name))).collect();
    let text = format!(
        "with batch as materialized (select {} {from} where ({filter}){limit}) \
         select pg_catalog.count(*)::pg_catalog.text from (select distinct {} from ({}) q where ({}) is not null) k",
        columns.join(", "),
        key.join(", "),
        derived.rows,
        key.join(", "),
    );
    ProfileSql::new(text).bind(params)
}

pub(super) fn column_of_rows(rows: &RowQuery, column: &str) -> ProfileSql {
    let Clauses { from, filter, params } = Clauses::new(rows);
    let limit = rows.limit.map_or_else(String::new, |n| format!(" order by {} limit {n}", order(rows)));
    ProfileSql::new(format!("select t.{} {from} where ({filter}){limit}", Ident(column))).bind(params)
}

pub(super) fn column_of(rows: &RowsFrom, column: &str) -> ProfileSql {
    let alias = if matches!(rows, RowsFrom::Query { .. } | RowsFrom::Written { .. }) { "r" } else { "t" };
    let mut params = vec![];
    let from = from(rows, &mut params);
    ProfileSql::new(format!("select {alias}.{} {from}", Ident(column))).bind(params)
}

pub(super) fn as_written(column: &Column, texts: &[String]) -> ProfileSql {
    let of = cast_name(&column.type_name);
    let text = format!(
        "select (i::{of})::pg_catalog.text from pg_catalog.unnest($1::pg_catalog.text[]) with ordinality u(i, n) order by n"
    );
    ProfileSql::new(text).bind([Param::Texts(texts.to_vec())])
}
