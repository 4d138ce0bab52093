//! What a change's statements need, asked of the server beforehand: EXPLAIN plans each of them, with an empty batch,
//! and the server checks names, types and privileges while it does. Nothing is executed.

use crate::engine::Engine;
use crate::engine::model::change::{RowChange, RowKind, TypedColumn};
use crate::engine::model::error::{Error, Result};
use crate::engine::model::name::{Ident, Relation};
use crate::engine::model::preflight::{Preflight, Ready};
use crate::engine::model::query::Sql;
use crate::engine::port::reader::ReadOptions;

/// What a statement of a profile reads besides its batch.
const RUN: &str = "run as (select null::bigint as id, null::text as operation, null::text as name, null::text as operator, \
                   null::bool as undo, null::text as reason where false)";

/// One line for all that is in order, and one for each statement that is not.
pub(in crate::engine) async fn of(engine: &Engine, change: &RowChange) -> Vec<Preflight> {
    let (fine, wrong) = planned(engine, change).await;
    let mut out = vec![temporary(engine).await];
    if wrong.is_empty() {
        out.push(Preflight::new("statements", Ready::Ok, format!("{fine} statements planned by the server")));
    }
    out.extend(wrong.into_iter().map(|(ready, text)| Preflight::new("statements", ready, text)));
    out
}

/// What would keep this role from taking the change back. It does not stop the change: somebody else may take it back.
pub(in crate::engine) async fn back(engine: &Engine, inverse: &RowChange) -> Vec<Preflight> {
    let (_, wrong) = planned(engine, inverse).await;
    let warn = |(_, text)| Preflight::new("undo", Ready::Warn, format!("to take it back: {text}"));
    wrong.into_iter().map(warn).collect()
}

async fn planned(engine: &Engine, change: &RowChange) -> (usize, Vec<(Ready, String)>) {
    let (mut fine, mut wrong) = (0, Vec::new());
    for (what, sql) in statements(change) {
        match explain(engine, &sql).await {
            Ok(()) => fine += 1,
            Err(e) if e.code.is_some() => wrong.push((Ready::Fail, format!("{what}: {}", e.message))),
            Err(e) => wrong.push((Ready::Unknown, format!("{what}: cannot be looked at: {}", e.message))),
        }
    }
    (fine, wrong)
}

/// Batches pass through a temporary table.
async fn temporary(engine: &Engine) -> Preflight {
    let sql = "select has_database_privilege(current_database(), 'temporary')::text";
    match text(engine, sql).await {
        Ok(may) if may == "true" => Preflight::new("temporary", Ready::Ok, "temporary tables allowed"),
        Ok(_) => Preflight::new(
            "temporary",
            Ready::Fail,
            "no temporary tables here: grant temporary on the database to this role",
        ),
        Err(e) => Preflight::new("temporary", Ready::Unknown, e.message),
    }
}

async fn text(engine: &Engine, sql: &str) -> Result<String> {
    let mut tx = engine.facts.begin(ReadOptions::default()).await?;
    let found = tx.texts(&Sql::new(sql)).await?.pop().flatten();
    found.ok_or_else(|| Error::unobserved("the server gave no answer"))
}

async fn explain(engine: &Engine, sql: &str) -> Result<()> {
    let mut tx = engine.facts.begin(ReadOptions::default()).await?;
    tx.texts(&Sql::of_profile(format!("explain {sql}"))).await.map(drop)
}

/// All that a batch does, each with a name for people.
fn statements(change: &RowChange) -> Vec<(String, String)> {
    let columns: Vec<_> = change
        .batch_columns()
        .iter()
        .map(|b| format!("null::{} as {}", b.column.type_name, Ident(&b.name)))
        .collect();
    let batch = format!("batch as (select {} where false)", columns.join(", "));
    let over = |sql: &str| change.over(&batch, RUN, sql);
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
        let table = Relation::parse(&derived.table);
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

fn names<'c>(columns: impl IntoIterator<Item = &'c TypedColumn>) -> String {
    columns.into_iter().map(|c| Ident(&c.name).to_string()).collect::<Vec<_>>().join(", ")
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
    let table = Relation::parse(&change.table);
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
