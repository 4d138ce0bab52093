//! The rows of a plan, read as the server writes them, in one snapshot.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::engine::model::diff::PlannedRow;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::row_query::{Keys, RowLimits, RowQuery};
use crate::engine::model::row_store::{LineSum, RowSet, Summary};
use crate::engine::model::step::Action;
use crate::engine::plan::operation::Draft;
use crate::engine::plan::request::PlanNews;
use crate::engine::plan::setup::PlanSetup;
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::{ReadOptions, ReadTx, RowShape, Snapshot};

/// A plan may read a whole table.
pub(super) const PATIENCE: Duration = Duration::from_hours(1);
/// Rows of the first page, shown before all are read.
const FIRST: u64 = 100;
/// Keys of a frozen selection looked up at a time.
const KEYS: usize = 5_000;
const NEWS_EVERY: u64 = 5_000;

/// Hears how far it is.
pub(super) type News<'a> = &'a (dyn Fn(PlanNews) + Send + Sync);

/// The queries with the steps that they are for; a step is named in its rows where there are several.
pub(super) fn queries(draft: &Draft) -> Vec<(RowQuery, Option<usize>)> {
    let steps = draft.steps.iter().enumerate().filter(|(_, s)| matches!(s.action, Action::Rows(_)));
    let several = draft.rows.len() > 1;
    draft.rows.iter().cloned().zip(steps).map(|(q, (at, _))| (q, several.then_some(at))).collect()
}

/// Would a plan made now have the very same rows? Only their lines are summed; where they differ, or there is no
/// telling, they are read as rows.
async fn unchanged(
    planning: &PlanSetup<'_>,
    queries: &[(RowQuery, Option<usize>)],
    only: Option<&dyn RowSet>,
    rows: &dyn RowSet,
) -> Result<bool> {
    if queries.is_empty() {
        return Ok(false);
    }
    let mut sum = LineSum::default();
    let mut tx = planning.facts.begin(whole()).await?;
    let dialect = planning.facts.dialect();
    for (query, step) in queries {
        screen(&mut *tx, dialect, query).await?;
        lines(&mut *tx, dialect, query, *step, only, &mut |line| {
            sum.add(&line);
            Ok(())
        })
        .await?;
    }
    Ok(sum.finish() == rows.sha256())
}

/// All rows, in one snapshot.
fn whole() -> ReadOptions {
    ReadOptions { snapshot: Snapshot::Transaction, timeout: Some(PATIENCE), ..ReadOptions::default() }
}

/// Those of the earlier plan where nothing has changed, else what is read now.
pub(super) async fn rows_of(
    planning: &PlanSetup<'_>,
    queries: &[(RowQuery, Option<usize>)],
    only: Option<&dyn RowSet>,
    again: Option<&Arc<dyn RowSet>>,
    news: News<'_>,
) -> Result<(Arc<dyn RowSet>, Summary)> {
    match again {
        Some(rows) if unchanged(planning, queries, only, &**rows).await? => {
            Ok((rows.clone(), Summary::default()))
        }
        _ => read_rows(planning, queries, only, news).await,
    }
}

async fn read_rows(
    planning: &PlanSetup<'_>,
    queries: &[(RowQuery, Option<usize>)],
    only: Option<&dyn RowSet>,
    news: News<'_>,
) -> Result<(Arc<dyn RowSet>, Summary)> {
    let mut spool = planning.spools.create()?;
    let mut summary = Summary::default();
    if queries.is_empty() {
        return Ok((spool.finish()?, summary));
    }
    let mut tx = planning.facts.begin(whole()).await?;
    let dialect = planning.facts.dialect();
    for (at, (query, step)) in queries.iter().enumerate() {
        let mut take = |line: String| {
            summary.add(&parse(&line)?);
            if summary.rows().is_multiple_of(NEWS_EVERY) {
                news(PlanNews::Counted(summary.rows()));
            }
            spool.push(&line)
        };
        screen(&mut *tx, dialect, query).await?;
        let mut all = false;
        if only.is_none() && at == 0 {
            let first = RowLimits { limit: Some(FIRST), among: None, step: *step };
            let page = tx.texts(&dialect.planned(query, first)).await?;
            let page: Vec<String> = page.into_iter().flatten().collect();
            news(PlanNews::First(page.iter().map(|t| parse(t)).collect::<Result<_>>()?));
            all = (page.len() as u64) < FIRST.min(query.limit.unwrap_or(FIRST));
            if all {
                page.into_iter().try_for_each(&mut take)?;
            }
        }
        if !all {
            lines(&mut *tx, dialect, query, *step, only, &mut take).await?;
        }
    }
    Ok((spool.finish()?, summary))
}

/// A row is planned as texts, and what it shows may be of any table: a type whose text others decide is refused first.
async fn screen(tx: &mut dyn ReadTx, dialect: &dyn Dialect, query: &RowQuery) -> Result<()> {
    match dialect.planned_values(query) {
        Some(values) => tx.describe(&values).await.map(drop),
        None => Ok(()),
    }
}

/// Rows as the server writes them.
async fn lines(
    tx: &mut dyn ReadTx,
    dialect: &dyn Dialect,
    query: &RowQuery,
    step: Option<usize>,
    only: Option<&dyn RowSet>,
    take: &mut (dyn FnMut(String) -> Result<()> + Send),
) -> Result<()> {
    if let Some(only) = only {
        return by_keys(tx, dialect, query, only, take).await;
    }
    let mut each = |text: Option<String>| text.map_or(Ok(()), &mut *take);
    let all = RowLimits { limit: query.limit, among: None, step };
    tx.profile(&dialect.planned(query, all), RowShape::Text, &mut each).await
}

fn parse(text: &str) -> Result<PlannedRow> {
    serde_json::from_str(text)
        .map_err(|e| Error::unobserved(format!("failed to understand a planned row: {e}")))
}

/// A frozen selection: its rows as they are now, those that still match.
async fn by_keys(
    tx: &mut dyn ReadTx,
    dialect: &dyn Dialect,
    query: &RowQuery,
    only: &dyn RowSet,
    take: &mut (dyn FnMut(String) -> Result<()> + Send),
) -> Result<()> {
    let columns = tx.describe(&dialect.planned_key(query)).await?;
    let mut at = 0;
    while at < only.len() {
        let page = only.page(at, KEYS)?;
        at += page.len() as u64;
        let value = |row: &PlannedRow, name: &str| {
            row.key.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let values =
            query.key.iter().map(|(name, _)| page.iter().map(|row| value(row, name)).collect()).collect();
        let keys = Keys { columns: columns.clone(), values };
        let among = RowLimits { among: Some(&keys), ..RowLimits::default() };
        for text in tx.texts(&dialect.planned(query, among)).await?.into_iter().flatten() {
            take(text)?;
        }
    }
    Ok(())
}
