//! Entries of the journal's chain, and what they say of runs and rows.

use serde::Deserialize;

use crate::engine::model::error::Result;
use crate::engine::model::event::Event;
use crate::engine::model::query::{Param, Sql};
use crate::engine::model::record::Altered;
use crate::engine::port::journal_sql::{AlteredRows, EventFilter};
use crate::engine::port::reader::ReadTx;

/// A run's row against its entries; `$1`: the run, null: all. What goes on is in both, in one transaction.
pub(in crate::dialect::postgres) const ALTERED_RUNS: &str = include_str!("altered_runs.sql");

pub(in crate::dialect::postgres) async fn events(
    tx: &mut dyn ReadTx,
    filter: &EventFilter,
) -> Result<Vec<Event>> {
    let mut conditions = vec!["seq > $1"];
    let mut params = vec![Param::Int(filter.after)];
    if let Some(run) = &filter.run {
        conditions.push("run = $2::bigint");
        params.push(run.as_str().into());
    }
    let kind = format!("kind = ${}", params.len() + 1);
    if let Some(of) = &filter.kind {
        conditions.push(&kind);
        params.push(of.as_str().into());
    }
    let limit = filter.limit.map_or_else(String::new, |n| format!(" limit {n}"));
    let sql = format!(
        "select seq, at, run::text as run, kind, body, prev, hash from midwatch.events where {} order by seq{limit}",
        conditions.join(" and ")
    );
    tx.fetch(&Sql::new(sql).bind(params)).await
}

pub(in crate::dialect::postgres) async fn head(tx: &mut dyn ReadTx) -> Result<Option<(i64, String)>> {
    #[derive(Deserialize)]
    struct Head {
        seq: i64,
        hash: String,
    }
    let heads: Vec<Head> = tx.fetch(&Sql::new("select seq, hash from midwatch.head")).await?;
    Ok(heads.into_iter().next().map(|h| (h.seq, h.hash)))
}

pub(in crate::dialect::postgres) async fn altered(
    tx: &mut dyn ReadTx,
    run: Option<&str>,
) -> Result<Vec<Altered>> {
    tx.fetch(&Sql::new(ALTERED_RUNS).bind([Param::Text(run.map(str::to_owned))])).await
}

pub(in crate::dialect::postgres) async fn altered_rows(tx: &mut dyn ReadTx) -> Result<AlteredRows> {
    let count = "select count(distinct run)::text from midwatch.events where kind = 'batch'";
    let runs = tx.texts(&Sql::new(count)).await?;
    let images = tx.fetch(&Sql::new(include_str!("images.sql"))).await?;
    let planned = tx.texts(&Sql::new(include_str!("planned.sql"))).await?;
    Ok(AlteredRows {
        runs: runs.into_iter().flatten().next().and_then(|t| t.parse().ok()).unwrap_or(0),
        images,
        planned: planned.into_iter().flatten().collect(),
    })
}
