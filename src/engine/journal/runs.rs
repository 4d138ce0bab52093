//! Runs as the journal lists them, their plans and their entries.

use crate::engine::journal::overtaken;
use crate::engine::model::diff::PlannedRow;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::event::Event;
use crate::engine::model::json::field;
use crate::engine::model::plan::Plan;
use crate::engine::model::record::{Listed, RunRecord, number};
use crate::engine::model::stored::StoredPlan;
use crate::engine::port::journal_sql::{EventFilter, RunFilter};
use crate::engine::port::name_changes::NameChanges;
use crate::engine::port::reader::{ReadOptions, ReadTx, Reader, Snapshot};

/// Interrupted runs that are listed at most.
pub const INTERRUPTED: usize = 20;
/// Interrupted runs that are read at once: those that later runs have overtaken are among them.
const PAGE: u32 = 50;

async fn begin(facts: &dyn Reader) -> Result<Box<dyn ReadTx>> {
    begin_with(facts, ReadOptions::default()).await
}

/// All that reads runs begins here.
async fn begin_with(facts: &dyn Reader, options: ReadOptions) -> Result<Box<dyn ReadTx>> {
    let mut tx = facts.begin(options).await?;
    facts.dialect().readable(&mut *tx).await?;
    Ok(tx)
}

/// The latest runs, or the latest of those before a run.
pub async fn runs(
    facts: &dyn Reader,
    names: &dyn NameChanges,
    limit: u32,
    before: Option<&str>,
) -> Result<Listed> {
    let before = before.map(number).transpose()?;
    let options = ReadOptions { snapshot: Snapshot::Transaction, ..ReadOptions::default() };
    let mut tx = begin_with(facts, options).await?;
    let sql = facts.dialect();
    let mut runs = sql.runs(&mut *tx, &RunFilter::Latest { before, limit }).await?;
    overtaken::mark(sql, &mut *tx, names, &mut runs).await?;
    let last = runs.last().map(|r| number(&r.id)).transpose()?.or(before).unwrap_or(i64::MAX);
    let (total, older) = sql.count(&mut *tx, last).await?;
    Ok(Listed { runs, total, older })
}

/// The latest runs of these operations, and of what undoes them, newest first.
pub async fn latest_of(
    facts: &dyn Reader,
    names: &dyn NameChanges,
    verbs: &[&str],
    limit: u32,
) -> Result<Vec<RunRecord>> {
    let verbs = verbs.iter().map(|v| (*v).to_owned()).collect();
    let mut tx = begin(facts).await?;
    let sql = facts.dialect();
    let mut runs = sql.runs(&mut *tx, &RunFilter::Of { verbs, limit }).await?;
    overtaken::mark(sql, &mut *tx, names, &mut runs).await?;
    Ok(runs)
}

/// All runs of an operation that have changed something which none has undone, newest first.
pub async fn standing(facts: &dyn Reader, verb: &str) -> Result<Vec<RunRecord>> {
    facts.dialect().runs(&mut *begin(facts).await?, &RunFilter::Standing { verb: verb.to_owned() }).await
}

/// Runs that were interrupted and can be resumed, however long ago and however many others were overtaken since; the latest
/// twenty of them.
pub async fn interrupted(facts: &dyn Reader, names: &dyn NameChanges) -> Result<Vec<RunRecord>> {
    let mut tx = begin(facts).await?;
    let sql = facts.dialect();
    let (mut out, mut before) = (Vec::new(), None);
    while out.len() < INTERRUPTED {
        let mut page = sql.runs(&mut *tx, &RunFilter::Interrupted { before, limit: PAGE }).await?;
        let Some(last) = page.last() else { break };
        before = Some(number(&last.id)?);
        overtaken::mark(sql, &mut *tx, names, &mut page).await?;
        out.extend(page.into_iter().filter(|r| r.resumable));
    }
    out.truncate(INTERRUPTED);
    Ok(out)
}

/// The first of the runs that a filter finds: no interrupted one, or one of which only its name is asked.
async fn first(facts: &dyn Reader, filter: &RunFilter) -> Result<Option<RunRecord>> {
    Ok(facts.dialect().runs(&mut *begin(facts).await?, filter).await?.into_iter().next())
}

/// The number alone, which an altered row has too.
async fn first_id(facts: &dyn Reader, filter: &RunFilter) -> Result<Option<String>> {
    Ok(facts.dialect().run_ids(&mut *begin(facts).await?, filter).await?.into_iter().next())
}

/// The run whose executor holds the target's lock right now.
pub async fn live(facts: &dyn Reader) -> Result<Option<RunRecord>> {
    first(facts, &RunFilter::Live).await
}

/// The number of the run that a plan with this digest has become.
pub async fn run_of_digest(facts: &dyn Reader, digest: &str) -> Result<Option<String>> {
    first_id(facts, &RunFilter::Digest(digest.to_owned())).await
}

/// The number of the run that the plan of this name has become.
pub async fn run_of_plan(facts: &dyn Reader, plan: &str) -> Result<Option<String>> {
    first_id(facts, &RunFilter::Plan(plan.to_owned())).await
}

fn unknown(id: &str) -> Error {
    Error::usage(format!("there is no run {id} in this target's journal"))
}

/// One run.
pub async fn run(facts: &dyn Reader, names: &dyn NameChanges, id: &str) -> Result<RunRecord> {
    let filter = RunFilter::Id(number(id)?);
    let mut tx = begin(facts).await?;
    let sql = facts.dialect();
    let mut found = sql.runs(&mut *tx, &filter).await?;
    overtaken::mark(sql, &mut *tx, names, &mut found).await?;
    found.into_iter().next().ok_or_else(|| unknown(id).hint("midwatch runs lists them"))
}

/// The step that a run is at; past the last one: all are done.
pub async fn step_of(facts: &dyn Reader, run: &str) -> Result<Option<usize>> {
    facts.dialect().step(&mut *begin(facts).await?, run).await
}

/// The plan of a run, as it was approved.
pub async fn plan_of(facts: &dyn Reader, id: &str) -> Result<Plan> {
    Ok(stored_plan_of(facts, id).await?.into_plan())
}

/// The same, if this version knows all of it: what it does not know it could neither do again nor undo.
pub async fn known_plan_of(facts: &dyn Reader, id: &str) -> Result<Plan> {
    let known = stored_plan_of(facts, id).await?.into_known_plan();
    known.map_err(|e| e.context(format!("run {id}")).hint("use the version that made the plan"))
}

/// The same, with what its text says of its version.
pub async fn stored_plan_of(facts: &dyn Reader, id: &str) -> Result<StoredPlan> {
    let mut tx = begin(facts).await?;
    let sql = facts.dialect();
    let text = sql.plan_text(&mut *tx, id).await?.ok_or_else(|| unknown(id))?;
    let plan = StoredPlan::parse(&text).map_err(|e| {
        Error { class: Class::Unobserved, ..e }.context(format!("failed to understand the plan of run {id}"))
    })?;
    let intent = EventFilter {
        run: Some(id.to_owned()),
        kind: Some("intent".into()),
        limit: Some(1),
        ..EventFilter::default()
    };
    let intent = sql.events(&mut *tx, &intent).await?.into_iter().next().map(|e| e.parsed());
    let said = intent.as_ref().and_then(|body| body["digest"].as_str());
    if !plan.is_unaltered() || said != Some(&plan.digest) {
        return Err(Error::new(
            Class::Refused,
            format!("the plan of run {id} is not the one of its intent: the journal was altered"),
        )
        .hint("midwatch journal verify"));
    }
    Ok(plan)
}

/// The entries of a run, oldest first.
pub async fn events(facts: &dyn Reader, run: &str) -> Result<Vec<Event>> {
    let filter = EventFilter { run: Some(run.to_owned()), ..EventFilter::default() };
    facts.dialect().events(&mut *begin(facts).await?, &filter).await
}

/// The steps whose statements a run has carried out, in its order.
pub async fn steps_done(facts: &dyn Reader, run: &str) -> Result<Vec<usize>> {
    let filter =
        EventFilter { run: Some(run.to_owned()), kind: Some("step".into()), ..EventFilter::default() };
    let events = facts.dialect().events(&mut *begin(facts).await?, &filter).await?;
    let step = |e: &Event| field(&e.parsed(), "step").as_u64().and_then(|n| usize::try_from(n).ok());
    Ok(events.iter().filter_map(step).collect())
}

/// Planned rows that were left alone, the first of them.
pub async fn drifted(facts: &dyn Reader, run: &str, limit: u32) -> Result<Vec<PlannedRow>> {
    facts.dialect().drifted(&mut *begin(facts).await?, run, limit).await
}
