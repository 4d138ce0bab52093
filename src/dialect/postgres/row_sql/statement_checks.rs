//! What a change's statements need: EXPLAIN plans each of them, with an empty batch, and the server checks names, types
//! and privileges while it does. Nothing is executed.

use super::change::over;
use super::values::names;
use crate::engine::model::change::{RowChange, RowKind, TypedColumn};
use crate::engine::model::name::{Ident, Relation};
use crate::engine::model::query::{ProfileSql, Sql};
use crate::engine::port::row_sql::{BatchRequirement, CheckMethod, CheckedStatement};

/// What a statement of a profile reads besides its batch.
const RUN: &str = "run as (select null::bigint as id, null::pg_catalog.text as operation, null::pg_catalog.text as name, \
                   null::pg_catalog.text as operator, null::pg_catalog.bool as undo, null::pg_catalog.text as reason where false)";

/// Batches pass through a temporary table.
pub(super) fn temporary() -> BatchRequirement {
    BatchRequirement {
        id: "temporary",
        sql: Sql::new("select has_database_privilege(current_database(), 'temporary')::text"),
        fine: "temporary tables allowed",
        lacking: "no temporary tables here: grant temporary on the database to this role",
    }
}

pub(super) fn checked_statements(change: &RowChange) -> Vec<CheckedStatement> {
    let explain = |(what, sql)| CheckedStatement {
        what,
        sql: ProfileSql::new(format!("explain {sql}")),
        method: CheckMethod::Explain,
    };
    statements(change).into_iter().map(explain).collect()
}

/// All that a batch does, each with a name for people.
fn statements(change: &RowChange) -> Vec<(String, String)> {
    let columns: Vec<_> = change
        .batch_columns()
        .iter()
        .map(|b| format!("null::{} as {}", b.column.type_name, Ident(&b.name)))
        .collect();
    let batch = format!("batch as (select {} where false)", columns.join(", "));
    let over = |sql: &str| over(&batch, RUN, sql);
    let mut out = own(change);
    out.extend(change.source.as_ref().map(|source| {
        let lock = if source.present { " for share" } else { "" };
        let columns = names(change.key.iter().chain(&change.columns));
        let sql = format!("select {columns} from {} where false{lock}", Relation::parse(&source.table));
        (format!("what is copied from {}", source.table), sql)
    }));
    for (what, statement) in [("audit", &change.audit), ("after_batch", &change.after_batch)] {
        out.extend(statement.iter().map(|sql| (format!("the profile's {what}"), over(sql))));
    }
    for derived in &change.derived {
        let table = derived.relation(&Relation::parse);
        let rows = format!("select * from ({}\n) q", derived.rows);
        let name = &derived.table;
        out.push((format!("the profile's rows of {name}"), over(&rows)));
        let read = names(&derived.columns);
        out.push((format!("rows of {name}"), format!("select {read} from {table} where false for update")));
        if change.restores.is_some() {
            for sql in restores(&table, &derived.columns) {
                out.push((format!("putting rows of {name} back"), sql));
            }
        }
    }
    out
}

fn restores(table: &Relation, columns: &[TypedColumn]) -> [String; 3] {
    [
        format!("delete from {table} where false"),
        update(table, columns.iter().filter(|c| !c.numbered)),
        insert(table, columns),
    ]
}

fn update<'c>(table: &Relation, columns: impl IntoIterator<Item = &'c TypedColumn>) -> String {
    let sets: Vec<_> =
        columns.into_iter().map(|c| format!("{} = null::{}", Ident(&c.name), c.type_name)).collect();
    format!("update {table} set {} where false", sets.join(", "))
}

fn insert(table: &Relation, columns: &[TypedColumn]) -> String {
    let nulls: Vec<_> = columns.iter().map(|c| format!("null::{}", c.type_name)).collect();
    format!(
        "insert into {table} ({}) overriding system value select {} where false",
        names(columns),
        nulls.join(", ")
    )
}

/// The change itself, and how its rows are read and locked before.
fn own(change: &RowChange) -> Vec<(String, String)> {
    let table = change.relation(&Relation::parse);
    let locked = |strength: &str| {
        let lock = if change.excludes_writers { String::new() } else { format!(" for {strength}") };
        format!("select {} from {table} where false{lock}", names(change.key.iter().chain(&change.kept)))
    };
    let sql = match change.kind {
        RowKind::Compute => vec![],
        RowKind::Update => vec![locked("no key update"), update(&table, &change.columns)],
        RowKind::Delete => vec![locked("update"), format!("delete from {table} where false")],
        RowKind::Insert => {
            let read = names(change.key.iter().chain(&change.kept));
            vec![insert(&table, &change.columns), format!("select {read} from {table} where false")]
        }
    };
    sql.into_iter().map(|sql| (format!("the change of {}", change.table), sql)).collect()
}
