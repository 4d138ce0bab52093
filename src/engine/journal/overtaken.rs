//! Runs whose tables have other names since: by the changes of names that later runs declare.

use serde_json::Value;

use crate::engine::model::error::Result;
use crate::engine::model::name_change::NameChange;
use crate::engine::model::plan::Plan;
use crate::engine::model::record::{RunRecord, number};
use crate::engine::model::step::{Action, Step};
use crate::engine::port::dialect::Dialect;
use crate::engine::port::journal_sql::RunFilter;
use crate::engine::port::name_changes::NameChanges;
use crate::engine::port::reader::{Facts, ReadOptions, ReadTx};

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
    pub fn concerns(&self, names: &[String]) -> Option<String> {
        match &self.changes {
            Some(changes) => names.iter().find(|n| changes.iter().any(|c| c.concerns(n))).cloned(),
            None => names.first().cloned(),
        }
    }
}

/// Runs after this one that changed names, newest first; also those that were undone since.
pub async fn later(facts: &dyn Facts, names: &dyn NameChanges, run: &str) -> Result<Vec<Renaming>> {
    let mut tx = facts.begin(ReadOptions::default()).await?;
    renaming(facts.dialect(), &mut *tx, names, number(run)?).await
}

async fn renaming(
    sql: &dyn Dialect,
    tx: &mut dyn ReadTx,
    names: &dyn NameChanges,
    after: i64,
) -> Result<Vec<Renaming>> {
    let filter = RunFilter::Renaming { after, verbs: names.verbs() };
    let mut out = Vec::new();
    for record in sql.runs(tx, &filter).await? {
        let text = sql.plan_text(tx, &record.id).await?.unwrap_or_default();
        let changes = serde_json::from_str::<Plan>(&text).map(|plan| names.of(&plan)).ok();
        out.push(Renaming { changes: changes.or_else(|| declared(&text)), record });
    }
    Ok(out)
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
    let mut first = None;
    for run in runs.iter().filter(|r| r.resumable) {
        let id = number(&run.id)?;
        first = Some(first.map_or(id, |f: i64| f.min(id)));
    }
    let Some(first) = first else { return Ok(()) };
    let later = renaming(sql, tx, names, first).await?;
    for run in runs.iter_mut().filter(|r| r.resumable && !later.is_empty()) {
        let id = number(&run.id)?;
        let text = sql.plan_text(tx, &run.id).await?.unwrap_or_default();
        // What is not understood here is refused when it is to be resumed.
        let Ok(plan) = serde_json::from_str::<Plan>(&text) else { continue };
        let tables = tables(&plan);
        let by = later
            .iter()
            .find(|l| number(&l.record.id).is_ok_and(|l| l > id) && l.concerns(&tables).is_some());
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
        _ => step
            .locks
            .iter()
            .map(|l| l.object.strip_prefix("partitions of ").unwrap_or(&l.object).to_owned())
            .collect(),
    }
}
