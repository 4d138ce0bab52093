//! The swap: what was written since the proof compared again, then all at once inside the locks.

use crate::features::switchover::step_kind::StepKind;
use serde_json::{Map, json};

use crate::engine::model::cause::Cause;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::phrase::tries;
use crate::engine::model::progress::Phase;
use crate::engine::model::query::{Param, Sql};
use crate::engine::model::step::{LockStrength, Step, Task};
use crate::engine::port::reader::Fut;
use crate::engine::port::runner::{RunCx, RunStop, Runner, Running, TaskLimits};
use crate::engine::port::writer::{AnswerUse, Locked, LockedQuestion};
use crate::engine::run::limits::LOOK_AGAIN;
use crate::engine::run::lock_wait::{blockers, by_text};
use crate::features::switchover::progress::SwitchoverProgress;
use crate::features::switchover::run::arguments;
use crate::features::switchover::run::compare::{LastComparison, catch_up, compare_all};
use crate::features::switchover::task::{EqualityQuery, Swap};

/// So few rows are compared inside the locks without anybody noticing.
const FEW: u64 = 200;
/// Rounds of catching up before an attempt; a server that writes faster than that is not waited for.
const ROUNDS: usize = 5;

/// Swaps the tables of twin pairs.
pub(crate) struct SwapTables;

struct Swapping(Swap);

/// Whose transaction the swap waits for, by process and the beginning of its session: each is journaled once.
struct WaitsFor((i64, String));

impl Runner for SwapTables {
    fn task(&self) -> &'static str {
        Swap::TASK
    }
    fn start(&self, task: &Task) -> Result<Box<dyn Running>> {
        Ok(Box::new(Swapping(arguments(task)?)))
    }
    /// Whoever waits behind a step that prepares a switchover waits no longer than behind the swap itself.
    fn limits(&self, task: &Task) -> TaskLimits {
        let Ok(swap) = arguments::<Swap>(task) else { return TaskLimits::default() };
        TaskLimits { lock_timeout_ms: Some(swap.lock_timeout_ms), continues_after_window: true }
    }
    fn done_text(&self, step: &Step, done: u64, all: u64) -> Option<String> {
        Some(match (done, StepKind::from_id(&step.id)) {
            (0, _) => "nothing is switched".into(),
            (_, Some(StepKind::SwapBack)) => format!("{done} of {all} twins are switched back"),
            (_, Some(StepKind::PutAway)) => {
                format!("the retired tables of {done} of {all} twins are put away")
            }
            _ => format!("{done} of {all} twins are switched"),
        })
    }
}

impl Running for Swapping {
    fn step<'a>(&'a mut self, run: &'a mut RunCx<'_>, step: &'a Step) -> Fut<'a, Result<(), RunStop>> {
        Box::pin(swap(run, step, &self.0))
    }
}

async fn swap(run: &mut RunCx<'_>, step: &Step, swap: &Swap) -> Result<(), RunStop> {
    run.progress.locks.budget_ms = Some(swap.budget_ms);
    if run.kept.get::<LastComparison>().is_none() {
        compare_all(run, &swap.proofs).await?;
    }
    let (mut attempt, mut waited_from) = (0, None);
    loop {
        run.obey_control().await?;
        run.within_window().await?;
        if !wait_for_blockers(run, step, swap).await? {
            let since = *waited_from.get_or_insert(run.millis());
            waits_too_long(run, swap, since)?;
            continue;
        }
        waited_from = None;
        for _ in 0..ROUNDS {
            if catch_up(run, &swap.proofs).await? <= FEW {
                break;
            }
        }
        // Catching up may have taken longer than the window was open.
        run.within_window().await?;
        attempt += 1;
        run.progress.locks.attempt = Some((attempt, swap.attempts));
        run.publish(Phase::Working);
        run.still_locked().await?;
        match try_once(run, step, swap, attempt).await {
            Ok(()) => return Ok(()),
            Err(e) if (e.cause == Cause::Busy || e.cause == Cause::OverBudget) && attempt < swap.attempts => {
                attempt_failed(run, step, swap, attempt, &e).await;
            }
            Err(e) if e.cause == Cause::Busy || e.cause == Cause::OverBudget => {
                let (by, _) = run.kept_from_tables(step, (attempt, swap.attempts), &swap.tables, &e).await;
                let e = e.context(format!("postponed after {}{}", tries(attempt), by_text(by.as_ref())));
                return Err(RunStop::known(
                    e.hint("every attempt was taken back: writers went on as before"),
                ));
            }
            Err(e) if e.cause == Cause::ConnectionLost || e.ambiguous => {
                return resolve_lost_commit(run, e).await;
            }
            Err(e) => return Err(RunStop::known(e)),
        }
    }
}

/// Somebody who stays for ever must not keep the run, and whoever waits for it, for ever.
fn waits_too_long(run: &RunCx<'_>, swap: &Swap, since: i64) -> Result<(), RunStop> {
    let limit = i64::try_from(swap.wait_s).unwrap_or(i64::MAX / 1_000) * 1_000;
    if run.millis() - since < limit {
        return Ok(());
    }
    let by = run.progress.locks.blockers.first().map(|b| format!("a table was not free: {}", b.text()));
    let why = by.or_else(|| run.progress.waiting.clone()).unwrap_or_default();
    let what = format!("postponed after {} s: {why}", swap.wait_s);
    let e = Error::new(Class::Failed, what).cause(Cause::Busy);
    Err(RunStop::known(e.hint("nothing was tried, nobody was kept waiting; --set patience=… waits longer")))
}

/// After a connection that was lost in the middle: the journal's step says whether it was committed.
async fn resolve_lost_commit(run: &mut RunCx<'_>, e: Error) -> Result<(), RunStop> {
    let before = run.begun.step;
    let stopped = run.recovered(e).await;
    if stopped.known && run.begun.step > before {
        // It was: what follows goes on from there.
        run.begun.step = before;
        run.kept.forget::<LastComparison>();
        return Ok(());
    }
    Err(stopped)
}

/// What is asked inside the locks of each pair: its rows written since the last proof, or all of them.
fn questions<'a>(swap: &'a Swap, proved: &LastComparison) -> Vec<Vec<LockedQuestion<'a>>> {
    let group = |(proof, planned): (&'a EqualityQuery, &Option<String>)| {
        let none_differs = |sql: Sql| {
            let sql =
                Sql::over_rows(format!("select count(*)::text from ({}\n) q", sql.text())).bind(sql.params());
            let refuse = move |rows: Option<&str>| differ_inside(&proof.name, rows);
            LockedQuestion { sql, wanted: AnswerUse::Answer(Some("0".into()), Box::new(refuse)) }
        };
        let Some(since) = &proof.since else { return vec![none_differs(Sql::over_rows(&proof.sql))] };
        let bound = |sql: &str| Sql::over_rows(sql).bind([Param::from(proved.snapshot.as_str())]);
        let changed = move |_: Option<&str>| capture_changed(&proof.name);
        vec![
            LockedQuestion {
                sql: Sql::new(&since.fingerprint),
                wanted: AnswerUse::Answer(planned.clone(), Box::new(changed)),
            },
            LockedQuestion { sql: bound(&since.marked), wanted: AnswerUse::Compared },
            none_differs(bound(&since.differ)),
        ]
    };
    swap.proofs.iter().zip(&proved.fingerprints).map(group).collect()
}

fn differ_inside(name: &str, rows: Option<&str>) -> Error {
    let rows = rows.unwrap_or("unknown");
    let what = format!("{rows} rows of {name} differ, compared inside the locks; nothing was changed");
    Error::new(Class::Failed, what)
        .cause(Cause::Unequal)
        .hint(format!("midwatch check parity/{name} shows them; midwatch plan repair {name}"))
}

fn capture_changed(name: &str) -> Error {
    let what = format!("the write marker of {name} was changed since both sides were compared");
    Error::new(Class::Failed, what).cause(Cause::Unequal)
}

async fn try_once(run: &mut RunCx<'_>, step: &Step, swap: &Swap, number: u32) -> Result<()> {
    let Some(proved) = run.kept.get::<LastComparison>().cloned() else {
        return Err(Error::unobserved("nothing was compared"));
    };
    let mut entry = Map::new();
    entry.insert("snapshot".into(), json!(proved.snapshot));
    let locked = Locked {
        doing: "swap the tables",
        asking: "compare both sides inside the locks",
        step,
        objects: &swap.tables,
        lock_timeout_ms: swap.lock_timeout_ms,
        budget_ms: swap.budget_ms,
        questions: questions(swap, &proved),
        counts: swap.twins,
        attempt: number,
        entry,
    };
    let done = run.writer.locked(&run.begun, &locked).await?;
    run.begun.applied += swap.twins;
    done.event.iter().for_each(|e| run.copy_entry(e));
    SwitchoverProgress::update(&mut run.progress, |p| p.compared += done.compared);
    let locks = &mut run.progress.locks;
    locks.held_ms = Some(done.held_ms);
    locks.last = Some(format!("waited {} ms, locks held {} ms", done.waited_ms, done.held_ms));
    locks.blockers.clear();
    locks.looked_at = None;
    run.progress.waiting = None;
    // The swap's own entry cannot know how long its commit takes.
    run.try_note("released", &json!({ "stage": step.id, "held_ms": done.held_ms })).await;
    Ok(())
}

/// Whoever stands in a queue for a lock holds up all who come after: a transaction that has been there for a while
/// is waited for outside.
async fn wait_for_blockers(run: &mut RunCx<'_>, step: &Step, swap: &Swap) -> Result<bool, RunStop> {
    let pressure = run.facts.load().await.map_err(RunStop::known)?;
    if let Some(why) = pressure.endless {
        run.progress.locks.blockers.clear();
        return postpone(run, format!("not tried yet: {why}")).await;
    }
    let mode = run.facts.dialect().lock_mode(LockStrength::Everyone);
    let blockers = blockers(run.facts, &swap.tables, mode, swap.patience_ms).await.map_err(RunStop::known)?;
    run.progress.locks.blockers = blockers;
    run.progress.locks.looked_at = Some(run.millis());
    let Some(first) = run.progress.locks.blockers.first() else {
        run.progress.waiting = None;
        return Ok(true);
    };
    let why = format!("not tried yet: {}", first.text());
    let whom = (first.pid, first.since.clone());
    if run.kept.get::<WaitsFor>().map(|w| &w.0) != Some(&whom) {
        let body = json!({ "stage": step.id, "blockers": run.progress.locks.blockers });
        run.try_note("waiting", &body).await;
        run.kept.put(WaitsFor(whom));
    }
    postpone(run, why).await
}

async fn postpone(run: &mut RunCx<'_>, why: String) -> Result<bool, RunStop> {
    if run.progress.waiting.as_deref() != Some(&why) {
        let _ = run.writer.announce(&run.begun, Some(&why), 0).await;
    }
    (run.progress.waiting, run.progress.not_tried) = (Some(why), true);
    run.publish(Phase::Waiting);
    (run.adapters.sleep)(LOOK_AGAIN).await;
    run.still_locked().await?;
    Ok(false)
}

async fn attempt_failed(run: &mut RunCx<'_>, step: &Step, swap: &Swap, attempt: u32, e: &Error) {
    let (_, why) = run.kept_from_tables(step, (attempt, swap.attempts), &swap.tables, e).await;
    run.progress.locks.last = Some(format!("attempt {attempt}: {}; released, nothing changed", e.message));
    run.held_back(attempt, why, 0).await;
}
