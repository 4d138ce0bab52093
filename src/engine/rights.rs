//! What a change's statements need, asked of the server beforehand: EXPLAIN plans each of them, with an empty batch,
//! and the server checks names, types and privileges while it does. Nothing is executed.

use super::change::{RowChange, RowKind};
use super::ident::{Ident, Relation, literal};
use super::plan::{Preflight, Ready};
use super::ports::ReadOptions;
use super::{Engine, Error, Result};

/// What a statement of a profile reads besides its batch.
const RUN: &str = "run as (select null::bigint as id, null::text as operation, null::text as name, null::text as operator, \
                   null::bool as undo, null::text as reason where false)";

/// One line for all that is in order, and one for each statement that is not.
pub(super) async fn of(engine: &Engine, change: &RowChange) -> Vec<Preflight> {
    let mut out = vec![temporary(engine).await];
    let mut fine = 0;
    for (what, sql) in statements(change) {
        match explain(engine, &sql).await {
            Ok(()) => fine += 1,
            Err(e) => {
                let (ready, text) = if e.code.is_some() {
                    (Ready::Fail, format!("{what}: {}", e.message))
                } else {
                    (Ready::Unknown, format!("{what}: cannot be looked at: {}", e.message))
                };
                out.push(Preflight::new("statements", ready, text));
            }
        }
    }
    if out.len() == 1 {
        out.push(Preflight::new("statements", Ready::Ok, format!("{fine} statements planned by the server")));
    }
    out
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
    let found = tx.texts(sql, &[]).await?.pop().flatten();
    found.ok_or_else(|| Error::unobserved("the server gave no answer"))
}

async fn explain(engine: &Engine, sql: &str) -> Result<()> {
    let mut tx = engine.facts.begin(ReadOptions::default()).await?;
    tx.texts(&format!("explain {sql}"), &[]).await.map(drop)
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
    let mut out = own(&change.table, change);
    for (what, statement) in [("audit", &change.audit), ("after_batch", &change.after_batch)] {
        out.extend(statement.iter().map(|sql| (format!("the profile's {what}"), over(sql))));
    }
    for derived in &change.derived {
        let table = Relation::parse(&derived.table);
        let rows = format!("select * from ({}\n) q", derived.rows);
        out.push((format!("the profile's rows of {}", derived.table), over(&rows)));
        out.push((
            format!("rows of {}", derived.table),
            format!("select from {table} where false for update"),
        ));
        if change.restores.is_some() {
            out.push((
                format!("putting rows of {} back", derived.table),
                format!("delete from {table} where false"),
            ));
        }
    }
    out
}

fn own(name: &str, change: &RowChange) -> Vec<(String, String)> {
    let table = Relation::parse(name);
    let names: Vec<_> = change.columns.iter().map(|c| Ident(&c.name).to_string()).collect();
    let nulls: Vec<_> = change.columns.iter().map(|c| format!("null::{}", c.type_name)).collect();
    let sql = match change.kind {
        RowKind::Compute => return vec![],
        RowKind::Update => {
            let sets: Vec<_> = names.iter().zip(&nulls).map(|(n, v)| format!("{n} = {v}")).collect();
            format!("update {table} set {} where false", sets.join(", "))
        }
        RowKind::Delete => format!("delete from {table} where false"),
        RowKind::Insert => format!(
            "insert into {table} ({}) overriding system value select {} where false",
            names.join(", "),
            nulls.join(", ")
        ),
    };
    vec![(format!("the change of {}", literal(name)), sql)]
}
