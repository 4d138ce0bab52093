//! Runs whose tables have other names since: by the changes of names that later runs declare.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::engine::model::error::Result;
use crate::engine::model::name::ParseName;
use crate::engine::model::name_change::NameChange;
use crate::engine::model::plan::Plan;
use crate::engine::model::record::{RunRecord, number};
use crate::engine::model::step::{Action, Step};
use crate::engine::port::dialect::Dialect;
use crate::engine::port::journal_sql::RunFilter;
use crate::engine::port::name_changes::NameChanges;
use crate::engine::port::reader::{ReadOptions, ReadTx, Reader};

/// A later run, and what it has given another name.
#[derive(Debug, Clone, PartialEq)]
pub struct Renaming {
    /// The run.
    pub record: RunRecord,
    /// The names that it changed; absent: its plan cannot be understood here.
    changes: Option<Vec<NameChange>>,
}

impl Renaming {
    /// Has it given one of these names to something else? Of a plan that is not understood that is assumed.
    pub fn concerns(&self, names: &[String], parse: ParseName<'_>) -> Option<String> {
        match &self.changes {
            Some(changes) => names.iter().find(|n| changes.iter().any(|c| c.concerns(n, parse))).cloned(),
            None => names.first().cloned(),
        }
    }
}

/// Runs after this one that changed names, newest first; also those that were undone since.
pub async fn later(facts: &dyn Reader, names: &dyn NameChanges, run: &str) -> Result<Vec<Renaming>> {
    let mut tx = facts.begin(ReadOptions::default()).await?;
    renaming(facts.dialect(), &mut *tx, names, number(run)?).await
}

/// A name that a run has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedName {
    /// The run's number.
    pub run: String,
    /// When the run ended: the name has its new meaning at the latest since then. Absent: it has not ended.
    pub by_then: Option<DateTime<Utc>>,
    /// The change.
    pub change: NameChange,
}

/// What the journal tells of changed names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangedNames {
    /// Oldest first: also those that were undone since, and then what undid them.
    pub names: Vec<ChangedName>,
    /// Runs that changed names, but which ones this version cannot read in their plans.
    pub unclear: Vec<String>,
}

/// Every change of a name that the journal knows.
pub async fn changed_names(
    sql: &dyn Dialect,
    tx: &mut dyn ReadTx,
    names: &dyn NameChanges,
) -> Result<ChangedNames> {
    let mut out = ChangedNames::default();
    for Renaming { record, changes } in renaming(sql, tx, names, 0).await?.into_iter().rev() {
        let Some(changes) = changes else {
            out.unclear.push(record.id);
            continue;
        };
        let (run, by_then) = (&record.id, record.ended_at);
        out.names.extend(changes.into_iter().map(|change| ChangedName { run: run.clone(), by_then, change }));
    }
    Ok(out)
}

/// Plans that are read by one query: each may hold a thousand rows.
const PAGE: usize = 20;

/// What is made of the plan of each run. The texts are read page by page and not kept.
async fn of_plans<T>(
    sql: &dyn Dialect,
    tx: &mut dyn ReadTx,
    runs: &[i64],
    of: impl Fn(&str) -> T,
) -> Result<HashMap<i64, T>> {
    let mut out = HashMap::with_capacity(runs.len());
    for page in runs.chunks(PAGE) {
        let texts = sql.plan_texts(tx, page).await?;
        out.extend(texts.into_iter().map(|(id, text)| (id, of(&text))));
    }
    Ok(out)
}

async fn renaming(
    sql: &dyn Dialect,
    tx: &mut dyn ReadTx,
    names: &dyn NameChanges,
    after: i64,
) -> Result<Vec<Renaming>> {
    let records = sql.runs(tx, &RunFilter::Renaming { after, verbs: names.verbs() }).await?;
    let ids: Vec<i64> = records.iter().map(|r| number(&r.id)).collect::<Result<_>>()?;
    let changes = |text: &str| {
        serde_json::from_str::<Plan>(text).map(|plan| names.in_plan(&plan)).ok().or_else(|| declared(text))
    };
    let mut changes = of_plans(sql, tx, &ids, changes).await?;
    let with = |(id, record)| Renaming { changes: changes.remove(&id).flatten(), record };
    Ok(ids.into_iter().zip(records).map(with).collect())
}

/// What a plan of another version declares.
fn declared(text: &str) -> Option<Vec<NameChange>> {
    let mut plan: Value = serde_json::from_str(text).ok()?;
    serde_json::from_value(plan.get_mut("renames")?.take()).ok()
}

/// Runs that a later one has overtaken cannot be resumed: what is left of them was planned for other tables.
pub(in crate::engine::journal) async fn mark(
    sql: &dyn Dialect,
    tx: &mut dyn ReadTx,
    names: &dyn NameChanges,
    runs: &mut [RunRecord],
) -> Result<()> {
    let ids: Vec<i64> = runs.iter().filter(|r| r.resumable).map(|r| number(&r.id)).collect::<Result<_>>()?;
    let Some(first) = ids.iter().min() else { return Ok(()) };
    let later = renaming(sql, tx, names, *first).await?;
    if later.is_empty() {
        return Ok(());
    }
    // What is not understood here is refused when it is to be resumed.
    let bound = |text: &str| serde_json::from_str::<Plan>(text).map(|plan| tables(&plan)).ok();
    let bound = of_plans(sql, tx, &ids, bound).await?;
    for run in runs.iter_mut().filter(|r| r.resumable) {
        let id = number(&run.id)?;
        let Some(Some(tables)) = bound.get(&id) else { continue };
        let concerns = |l: &Renaming| l.concerns(tables, &|name| sql.parse(name)).is_some();
        let by = later.iter().find(|l| number(&l.record.id).is_ok_and(|l| l > id) && concerns(l));
        if let Some(by) = by {
            run.overtaken_by = Some(by.record.id.clone());
            run.resumable = false;
        }
    }
    Ok(())
}

/// Tables that the steps of a plan are bound to by their names.
fn tables(plan: &Plan) -> Vec<String> {
    plan.steps.iter().flat_map(|s| bound(s, false)).collect()
}

/// Tables that a step is bound to: both sides where rows are copied, those that its statements lock. What changes rows
/// of one table finds them under the name that the table has. `back`: only what its inverse is bound to.
pub fn bound(step: &Step, back: bool) -> Vec<String> {
    match &step.action {
        Action::Rows(change) => {
            change.source.iter().flat_map(|s| [change.table.clone(), s.table.clone()]).collect()
        }
        _ if back && step.back.is_empty() => vec![],
        _ => step.locks.iter().map(|l| l.table().to_owned()).collect(),
    }
}
