//! The inverse of a run, from the images it kept: last batch first, each batch whole.

use serde::Deserialize;

use crate::engine::journal::origin::{self, Known, RunOrigin, UnbelievedImages};
use crate::engine::journal::{self, overtaken};
use crate::engine::model::change::{RowChange, RowKind, TypedColumn};
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::identity::Identity;
use crate::engine::model::journal_state::JournalState;
use crate::engine::model::name_change::NameChange;
use crate::engine::model::plan::{Plan, Unit};
use crate::engine::model::preflight::{Preflight, Ready, Reversible, Verification};
use crate::engine::model::record::{Outcome, RunRecord, number};
use crate::engine::model::row_query::{Expr, ImagesOf, RowQuery, RowsFrom, Side};
use crate::engine::model::step::{Action, Lock, LockStrength, Step};
use crate::engine::plan::operation::{Draft, PlanCx, Undo, lock, renaming_word};
use crate::engine::plan::request::UNDO;
use crate::engine::plan::setup::PlanSetup;
use crate::engine::plan::tables::{self, Stored, Table};
use crate::engine::port::name_changes::NameChanges as _;
use crate::engine::port::reader::ReadOptions;
use crate::engine::port::row_sql::{Bypassed, Obstacle};

/// The line of an inverse whose run's plan this installation has not signed.
pub(crate) const SIGNATURE: &str = "signature";

/// Rows named that others have changed since.
const NAMED: usize = 10;

/// What the images of a run make of it, and what its statements said of their way back.
/// `unsigned`: this installation has not signed the run's plan.
pub(in crate::engine) async fn from_images(cx: &PlanCx<'_>, run: &RunRecord, unsigned: bool) -> Result<Undo> {
    let impossible = |why: &str| Ok(Undo::Impossible { why: why.to_owned() });
    if run.live {
        return impossible("it is still going on");
    }
    let ran = journal::runs::steps_done(cx.cx.facts, &run.id).await?;
    if run.rows_applied == 0 && ran.is_empty() {
        return impossible("it has changed nothing");
    }
    let plan = journal::runs::known_plan_of(cx.cx.facts, &run.id).await?;
    if plan.reversible == Reversible::No {
        return impossible(&plan.undo);
    }
    if let Some(why) = renamed_since(cx, run, &plan).await? {
        return impossible(&why);
    }
    let mut way = InverseDraft { redone: redone(cx, run, &plan).await, unsigned, ..InverseDraft::default() };
    for (at, step) in plan.steps.iter().enumerate().rev() {
        match &step.action {
            Action::Rows(change) => way.rows(cx, run, &plan, (at, step), change).await?,
            Action::Statements | Action::Task(_) if ran.contains(&at) && !step.back.is_empty() => {
                way.statements(step);
            }
            _ => {}
        }
    }
    if way.steps.is_empty() {
        return impossible("it changed no rows, and its statements have no inverse");
    }
    if run.outcome == Outcome::Running {
        way.preflight.push(Preflight::new(
            "run",
            Ready::Warn,
            format!("run {} was never finished: what it did is taken back", run.id),
        ));
    }
    if let Some(by) = &run.undone_by {
        way.preflight.push(Preflight::new(
            "run",
            Ready::Warn,
            format!("run {by} has taken (some of) it back already"),
        ));
    }
    if way.statements > 0 && run.rows_applied > 0 {
        // A run that has changed something has changed all its names: they change together.
        way.renames = NameChange::inverse(&cx.operations.in_plan(&plan));
    }
    Ok(Undo::Draft(Box::new(way.draft(run, &plan))))
}

/// A later run that has given a table's name to another since: what was done to one would be undone on the other.
async fn renamed_since(cx: &PlanCx<'_>, run: &RunRecord, plan: &Plan) -> Result<Option<String>> {
    let number = |id: &str| id.parse::<u64>().unwrap_or_default();
    let tables: Vec<String> = plan.steps.iter().flat_map(|s| overtaken::bound(s, true)).collect();
    for later in overtaken::later(cx.cx.facts, &cx.operations, &run.id).await? {
        let since = &later.record;
        // What was done before both a change of names and its inverse finds its tables as they were.
        let reverted = since.undoes.as_deref().is_some_and(|s| number(s) >= number(&run.id));
        if since.undone_by.is_some() || reverted {
            continue;
        }
        if let Some(table) = later.concerns(&tables, &|name| cx.dialect().parse(name)) {
            let operation = cx.operations.iter().find(|o| o.spec().verb == since.operation);
            let first = operation.and_then(|o| o.first(since)).map(|c| format!(": {c} first"));
            let renamed = renaming_word(cx.operations, &since.operation);
            return Ok(Some(format!(
                "run {} ({} {}) has {renamed} tables since, and {table} is not the one that it was{}",
                since.id,
                since.operation,
                since.name,
                first.unwrap_or_default()
            )));
        }
    }
    Ok(None)
}

/// The way back so far, last step first.
#[derive(Default)]
struct InverseDraft {
    steps: Vec<Step>,
    rows: Vec<RowQuery>,
    changes: Vec<String>,
    verify: Vec<Verification>,
    preflight: Vec<Preflight>,
    statements: u64,
    renames: Vec<NameChange>,
    /// The plan whose steps are done again, where the run itself had taken them back.
    redone: Option<Plan>,
    /// Nothing that the plan says is taken for true.
    unsigned: bool,
}

impl InverseDraft {
    async fn rows(
        &mut self,
        cx: &PlanCx<'_>,
        run: &RunRecord,
        plan: &Plan,
        (at, step): (usize, &Step),
        change: &RowChange,
    ) -> Result<()> {
        let mut inverse = inverse(change, &run.id);
        let (table, follow) = tables::resolve(cx, &mut inverse).await?;
        if self.unsigned {
            types_are_of_tables(&inverse, &table, &follow)?;
        }
        if inverse.kind == RowKind::Delete {
            if let Some(needs) = table.referrers.hidden() {
                let what =
                    format!("references to {} are not visible to this role: needs {needs}", change.table);
                self.preflight.push(Preflight::new("references", Ready::Fail, what));
            }
            inverse.referrers = table.referrers.known().iter().filter(|r| r.on_delete).cloned().collect();
        }
        let mut images = ImagesOf { run: run.id.clone(), step: at, inverse };
        self.preflight.extend(since(cx, &images).await?);
        self.preflight.extend(guard(cx, &images.inverse, &table));
        self.preflight.extend(checks(cx, &mut images, &table).await?);
        let rows = query(images.clone());
        let inverse = images.inverse;
        for derived in &inverse.derived {
            self.changes.push(format!("rows of {} put back as run {} found them", derived.table, run.id));
        }
        if inverse.audit.is_some() {
            self.changes.push("the system's own audit rows, written for this way too".into());
        }
        let several = plan.row_changes().nth(1).is_some();
        self.verify.extend(cx.dialect().verification(&inverse, self.steps.len()));
        self.rows.push(rows);
        let undo = Step::new(
            if several { format!("undo {}", step.id) } else { "undo".into() },
            format!("put rows of {} back, last batch first", change.table),
            cx.dialect().statements_for_people(&inverse),
        );
        let locks = locks(cx, step, &inverse);
        self.steps.push(Step { locks, action: Action::Rows(Box::new(inverse)), ..undo });
        Ok(())
    }

    fn statements(&mut self, step: &Step) {
        self.statements += step.back.len() as u64;
        self.steps.push(Step {
            locks: step.locks.iter().map(unmeasured).collect(),
            in_transaction: step.in_transaction,
            portion: step.portion,
            back: step.statements.clone(),
            ..Step::new(format!("undo {}", step.id), self.title(step), step.back.clone())
        });
    }

    /// Of a step that took something back itself only what it took back is named.
    fn title(&self, step: &Step) -> String {
        let steps = self.redone.iter().flat_map(|p| &p.steps);
        match steps.into_iter().find(|s| s.statements == step.back && s.back == step.statements) {
            Some(again) => format!("again: {}", again.title),
            None => format!("take back: {}", step.title),
        }
    }

    fn draft(self, run: &RunRecord, plan: &Plan) -> Draft {
        let rows = !self.rows.is_empty();
        Draft {
            why: format!(
                "takes back run {} ({} {}, {} by {})",
                run.id,
                run.operation,
                run.name,
                run.outcome.word(),
                run.operator
            ),
            changes: self.changes,
            obstacle: plan.obstacle.clone(),
            reversible: plan.reversible,
            undo: if rows {
                "by undoing this run in turn, from its own images".into()
            } else {
                "by undoing this run in turn".into()
            },
            frozen: false,
            renames: self.renames,
            steps: self.steps,
            preflight: self.preflight,
            verify: self.verify,
            rows: self.rows,
            unit: if rows { Unit::ROWS } else { Unit::STATEMENTS },
            lock_timeout_ms: None,
            continues_after_window: false,
            names_left: self.statements > 0 && !plan.names_with_schema,
            count: self.statements,
            undoes: None,
        }
    }
}

/// Whose run it is that is undone.
pub(in crate::engine) async fn origin_of(
    planning: &PlanSetup<'_>,
    cx: &PlanCx<'_>,
    run: &str,
) -> Result<RunOrigin> {
    let known = Known {
        signer: planning.signer,
        copy: planning.journal_copy,
        target: &Identity::from_server(cx.cx.server),
    };
    let plan = journal::runs::plan_of(planning.facts, run).await?;
    origin::of_run(planning.facts, &known, run, &plan).await
}

/// What is said of an inverse whose run's plan this installation has not signed; none: it has.
pub(in crate::engine) fn signature_note(origin: &Result<RunOrigin>) -> Option<String> {
    match origin {
        Ok(origin) => origin.plan.note(),
        Err(e) => Some(format!("whose plan the journal has cannot be told: {}", e.message)),
    }
}

/// Images are read where a journal of this version has them: one of an earlier version is brought up to date first.
pub(in crate::engine) async fn has_images(planning: &PlanSetup<'_>) -> Result<()> {
    match journal::state::state(planning.facts).await {
        state @ JournalState::Older { .. } => state.refusal().map_or(Ok(()), Err),
        _ => Ok(()),
    }
}

/// What was altered in the journal, or put there by somebody who is not believed, is not written into rows; none: the images
/// are those that the run's entries tell of, and somebody who is believed here wrote these.
pub(in crate::engine) async fn altered_images(
    planning: &PlanSetup<'_>,
    run: &RunRecord,
    origin: &Result<RunOrigin>,
) -> Option<Preflight> {
    let altered = async {
        let mut tx = planning.facts.begin(ReadOptions::default()).await?;
        planning.facts.dialect().altered_rows(&mut *tx, Some(&run.id)).await
    };
    let id = &run.id;
    let uncompared = |what: &str, e: &Error| {
        (Ready::Unknown, format!("before-images of run {id} were not compared with {what}: {}", e.message))
    };
    let (ready, text) = match (altered.await, origin) {
        (Ok(rows), _) if !rows.images.is_empty() => {
            let batch = rows.images.first()?.batch;
            let what = format!(
                "before-images of run {id} batch {batch} are not those that its entry tells of: midwatch journal verify"
            );
            (Ready::Fail, what)
        }
        (Err(e), _) => uncompared("its entries", &e),
        (Ok(_), Ok(origin)) => {
            let UnbelievedImages { why, elsewhere } = origin.images.as_ref()?;
            if *elsewhere {
                let what = "this is a copy of it, or was renamed or upgraded since: compare the rows";
                (Ready::Warn, format!("before-images of run {id}: {why}; {what}"))
            } else {
                (Ready::Fail, format!("before-images of run {id} are not restored: {why}"))
            }
        }
        (Ok(_), Err(_)) if run.batches == 0 => return None,
        (Ok(_), Err(e)) => uncompared("the writers of its entries", e),
    };
    Some(Preflight::new("images", ready, text))
}

/// A type stands in statements as it is written: in a plan that is not ours it must be the catalog's own word.
fn types_are_of_tables(change: &RowChange, table: &Table, follow: &[Table]) -> Result<()> {
    let of = |columns: Vec<&TypedColumn>, table: &Table| -> Result<()> {
        let known = |c: &TypedColumn| {
            let named =
                |s: &Stored| s.name == c.name && (s.type_name == c.type_name || s.qualified == c.type_name);
            table.columns.iter().any(named)
        };
        let Some(column) = columns.into_iter().find(|c| !known(c)) else { return Ok(()) };
        let what = format!(
            "column {} of {} is not of the type that the journal says",
            column.name,
            table.name.brief()
        );
        Err(Error::new(Class::Refused, what)
            .hint("its plan is not signed by this installation: midwatch journal verify"))
    };
    of(change.key.iter().chain(&change.columns).chain(&change.kept).collect(), table)?;
    for (derived, table) in change.derived.iter().zip(follow) {
        of(derived.key.iter().chain(&derived.columns).collect(), table)?;
    }
    Ok(())
}

/// Rows to put back, from the images of the run.
fn query(images: ImagesOf) -> RowQuery {
    let change = &images.inverse;
    let pairs = |columns: &[TypedColumn], side: Side| -> Vec<(String, Expr)> {
        columns.iter().map(|c| (c.name.clone(), Expr::Image { side, name: c.name.clone() })).collect()
    };
    let (before, after) = match change.kind {
        RowKind::Insert => (vec![], pairs(&change.columns, Side::Before)),
        RowKind::Delete => (pairs(&change.columns, Side::After), vec![]),
        RowKind::Update => (pairs(&change.columns, Side::After), pairs(&change.columns, Side::Before)),
        RowKind::Compute => {
            let columns = change.derived.first().map(|d| d.columns.clone()).unwrap_or_default();
            (pairs(&columns, Side::After), pairs(&columns, Side::Before))
        }
    };
    let key = pairs(&change.key, Side::Key);
    RowQuery { from: RowsFrom::Images(Box::new(images)), key, before, after, ..RowQuery::default() }
}

fn unmeasured(lock: &Lock) -> Lock {
    Lock { held_ms: None, measured_on: None, ..lock.clone() }
}

/// Those of the run itself, and what is altered besides.
fn locks(cx: &PlanCx<'_>, step: &Step, change: &RowChange) -> Vec<Lock> {
    let mut out: Vec<Lock> = step.locks.iter().map(unmeasured).collect();
    if cx.dialect().bypassed(change).iter().any(|b| matches!(b, Bypassed::Check(_))) {
        let mode = cx.dialect().lock_mode(LockStrength::Everyone);
        out.push(lock(&change.table, &format!("{mode} while a CHECK is away")));
    }
    let rows = cx.dialect().lock_mode(LockStrength::Rows);
    out.extend(change.derived.iter().map(|d| lock(&d.table, rows)));
    out
}

/// What takes a change back; `run`: the one that did it.
pub(in crate::engine) fn inverse(change: &RowChange, run: &str) -> RowChange {
    let kind = change.kind.inverse();
    let columns = match kind {
        // What is compared, and what comes back, is the whole row.
        RowKind::Delete | RowKind::Insert => change.kept.clone(),
        RowKind::Update | RowKind::Compute => change.columns.clone(),
    };
    RowChange {
        kind,
        columns,
        restores: Some(run.to_owned()),
        // The images say what was; computing it again would say what should be.
        after_batch: change.after_batch.clone().filter(|_| kind != RowKind::Compute),
        canary: None,
        // What was is put back, whatever the other table says by now.
        source: None,
        reason: format!("undo of run {run}"),
        ..change.clone()
    }
}

/// What the run did to pass a trigger must be ours to do again.
fn guard(cx: &PlanCx<'_>, inverse: &RowChange, table: &Table) -> Option<Preflight> {
    if inverse.before_batch.is_empty() {
        return None;
    }
    let statements = inverse.before_batch.join("; ");
    let silent = cx.dialect().bypassed(inverse).contains(&Bypassed::OrdinaryTriggers);
    let may = if silent { table.may_silence == Some(true) } else { table.owned };
    let role = &cx.cx.server.role;
    Some(if may {
        Preflight::new("guard", Ready::Ok, format!("{role} may {statements}"))
    } else {
        Preflight::new("guard", Ready::Fail, format!("role {role} may not {statements}"))
    })
}

/// A CHECK that would refuse the old values is away for the length of each batch; it comes back as NOT VALID, since
/// those rows would not pass it.
async fn checks(cx: &PlanCx<'_>, images: &mut ImagesOf, table: &Table) -> Result<Vec<Preflight>> {
    let mut out = vec![];
    if !matches!(images.inverse.kind, RowKind::Update | RowKind::Insert) {
        return Ok(out);
    }
    let name = images.inverse.table.clone();
    if let Some(needs) = table.checks.hidden() {
        let what = format!("CHECKs of {name} are not visible to this role: needs {needs}");
        out.push(Preflight::new("check", Ready::Fail, what));
    }
    let written = images.inverse.columns.clone();
    for check in table.checks_on(&written) {
        let count = cx.cx.read().await?.texts(&cx.dialect().refused(images, check)).await?;
        let refused = count.into_iter().flatten().next().unwrap_or_default();
        if refused == "0" {
            continue;
        }
        let passage = cx.dialect().bypass(&name, Obstacle::Check(check))?;
        images.inverse.before_batch.extend(passage.off);
        images.inverse.after_change.extend(passage.on);
        images.inverse.excludes_writers |= passage.excludes_writers;
        let how = passage.how.unwrap_or("passed in each batch");
        let text = format!("CHECK {} refuses {refused} of the old values: {how}", check.name);
        let ready = if table.owned { Ready::Warn } else { Ready::Fail };
        out.push(Preflight::new("check", ready, text));
    }
    Ok(out)
}

/// Rows that others have changed since: shown, and left alone.
async fn since(cx: &PlanCx<'_>, images: &ImagesOf) -> Result<Option<Preflight>> {
    #[derive(Deserialize)]
    struct Since {
        rows: u64,
        named: Option<String>,
    }
    let options = ReadOptions { timeout: Some(std::time::Duration::from_mins(10)), ..ReadOptions::default() };
    let mut tx = cx.cx.read_with(options).await?;
    let s: Since = tx.one(&cx.dialect().changed_since(images, NAMED)).await?;
    Ok((s.rows > 0).then(|| {
        let named = s.named.unwrap_or_default();
        let more = if s.rows > NAMED as u64 { format!("; … {} in all", s.rows) } else { String::new() };
        let text = format!("{} rows were changed since by others, or are referred to by rows that would go with them, and are left alone: {named}{more}", s.rows);
        Preflight::new("since", Ready::Warn, text)
    }))
}

/// The plan that an undo took back, unless that had taken something back in turn: its steps would then be done again
/// by words of their own. One that cannot be read is none.
async fn redone(cx: &PlanCx<'_>, run: &RunRecord, plan: &Plan) -> Option<Plan> {
    let (at, first) = undone_by(cx, plan, number(&run.id).ok()?).await?;
    let (mut below, mut undos) = (undone_by(cx, &first, at).await, 1_u32);
    while let Some((at, plan)) = below {
        undos += 1;
        below = undone_by(cx, &plan, at).await;
    }
    (undos % 2 == 1).then_some(first)
}

/// The plan that this one undoes by name, and its run's number. A run undoes one before it: a journal that says
/// otherwise was forged, and its plans could be followed round and round.
async fn undone_by(cx: &PlanCx<'_>, plan: &Plan, before: i64) -> Option<(i64, Plan)> {
    let run = plan.undoes.as_deref().filter(|_| plan.operation == UNDO)?;
    let at = number(run).ok().filter(|n| *n < before)?;
    Some((at, journal::runs::plan_of(cx.cx.facts, run).await.ok()?))
}
