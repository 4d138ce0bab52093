//! Runs an approved plan: lock, compare with the database, intent, steps, verification, outcome. It runs the plan's
//! steps and nothing else.

use crate::engine::run::setup::Setup;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use crate::engine::gate::guard::Approved;
use crate::engine::model::cause::Cause;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::event::Event;
use crate::engine::model::plan::Plan;
use crate::engine::model::progress::{Control, Done, Phase, Progress, ProgressSink};
use crate::engine::model::record::Outcome;
use crate::engine::model::step::{Action, Step, Task, check_in_transaction};
use crate::engine::model::stored::another_version;
use crate::engine::port::journal_copy::CopyReady;
use crate::engine::port::runner::{
    RunCx, RunStop, Runner, Runners, Running, TaskLimits, TaskValues, runner_of,
};
use crate::engine::port::writer::{Cursor, Ending, RunLimits, Writer};
use crate::engine::run::control::uncopied as uncopied_error;
use crate::engine::run::start::{check_identity, copy_ready, intent};
use crate::engine::run::unstarted;

/// Tasks that this session has started, by their step.
type Tasks = BTreeMap<usize, Box<dyn Running>>;

/// The runner of a task, with its arguments.
pub(in crate::engine) fn started(runners: Runners<'_>, task: &Task) -> Result<Box<dyn Running>> {
    let Some(runner) = runner_of(runners, &task.word) else {
        return Err(another_version(&format!(
            "it has a step {:?}, which this version does not know",
            task.word
        )));
    };
    runner.start(task)
}

/// Every step is one that this version can carry out: each task has a runner that understands it, and statements share
/// a transaction.
pub(in crate::engine) fn check_steps(runners: Runners<'_>, plan: &Plan) -> Result<()> {
    tasks(plan).try_for_each(|(_, task)| started(runners, task).map(drop))?;
    check_in_transaction(&plan.steps)
}

/// Does a plan run commands on the operator's machine?
pub(in crate::engine) fn runs_commands(runners: Runners<'_>, plan: &Plan) -> bool {
    tasks(plan).any(|(_, task)| runner_of(runners, &task.word).is_some_and(Runner::runs_commands))
}

/// Does its run accept the journal as it is?
fn accepts_journal(runners: Runners<'_>, plan: &Plan) -> bool {
    tasks(plan).any(|(_, task)| runner_of(runners, &task.word).is_some_and(Runner::accepts_journal))
}

fn tasks(plan: &Plan) -> impl Iterator<Item = (usize, &Task)> {
    plan.steps.iter().enumerate().filter_map(|(at, step)| match &step.action {
        Action::Task(task) => Some((at, task)),
        _ => None,
    })
}

/// What the plan says, and its tasks where it was made before plans said it.
fn task_limits(runners: Runners<'_>, plan: &Plan) -> TaskLimits {
    let mut limits = TaskLimits {
        lock_timeout_ms: plan.lock_timeout_ms,
        continues_after_window: plan.continues_after_window,
    };
    for (_, task) in tasks(plan) {
        let Some(runner) = runner_of(runners, &task.word) else { continue };
        let of_task = runner.limits(task);
        limits.lock_timeout_ms = limits.lock_timeout_ms.or(of_task.lock_timeout_ms);
        limits.continues_after_window |= of_task.continues_after_window;
    }
    limits
}

fn run_limits(setup: &Setup<'_>, plan: &Plan, of_tasks: &TaskLimits) -> RunLimits {
    let policy = setup.policy.lock_timeout_ms;
    RunLimits {
        signer: Arc::clone(&setup.adapters.signer),
        operator: setup.operator.clone(),
        lock_timeout_ms: of_tasks.lock_timeout_ms.map_or(policy, |ms| ms.min(policy)),
        statement_timeout_ms: setup.policy.statement_timeout_ms,
        guard_off_ms: setup.policy.guard_off_ms,
        search_path: setup.search_path.to_vec(),
        names_with_schema: plan.names_with_schema,
    }
}

/// The sessions of a run with the target's lock, under which the journal's copy is made ready.
async fn open(
    setup: &Setup<'_>,
    approved: &Approved,
    limits: &RunLimits,
) -> Result<(Box<dyn Writer>, CopyReady)> {
    let plan = approved.plan();
    check_steps(setup.runners, plan)?;
    check_identity(setup.facts, plan).await?;
    let writer = setup.adapters.writers.open(approved, limits).await?;
    match copy_ready(setup, plan, accepts_journal(setup.runners, plan)).await {
        Ok(copy) => Ok((writer, copy)),
        Err(e) => {
            writer.close().await;
            Err(e)
        }
    }
}

/// Does what was approved.
pub(in crate::engine) async fn run(
    setup: &Setup<'_>,
    approved: Approved,
    control: &Control,
    watcher: ProgressSink<'_>,
) -> Done {
    let plan = approved.plan();
    let mut progress = Progress::new(plan.rows, plan.unit.clone());
    progress.phase = Phase::Locking;
    watcher(progress.clone());
    let of_tasks = task_limits(setup.runners, plan);
    let limits = run_limits(setup, plan, &of_tasks);
    let (mut writer, copy) = match open(setup, &approved, &limits).await {
        Ok(opened) => opened,
        Err(e) => return Done::refused(e),
    };
    let (begun, uncopied) = match begin(setup, &approved, &mut *writer, &mut progress, watcher, &copy).await {
        Ok((begun, failed)) => (begun, failed.or_else(|| copy.uncopied.clone())),
        Err(not_begun) => {
            writer.close().await;
            return match not_begun {
                NotBegun::Refused(done) => *done,
                // What is known of it is looked up without the target's lock.
                NotBegun::IntentFailed(e) => {
                    unstarted::outcome_unknown_start(setup.facts, plan, progress.run.take(), *e).await
                }
            };
        }
    };
    progress.stages = plan.steps.iter().map(|s| s.id.clone()).collect();
    let run = RunCx {
        plan,
        facts: setup.facts,
        adapters: setup.adapters,
        policy: setup.policy,
        operator: setup.operator,
        window: setup.window,
        clock: setup.clock,
        limits: of_tasks,
        control,
        watcher,
        writer,
        begun,
        progress,
        marks: vec![],
        said: vec![],
        copy,
        uncopied,
        unreachable: false,
        kept: TaskValues::default(),
    };
    run.finish(setup.runners).await
}

/// Why a run has no place in the journal.
enum NotBegun {
    /// Nothing was written.
    Refused(Box<Done>),
    /// The intent may or may not be there.
    IntentFailed(Box<Error>),
}

/// The run's place in the journal: taken over, or begun with its intent.
async fn begin(
    setup: &Setup<'_>,
    approved: &Approved,
    writer: &mut dyn Writer,
    progress: &mut Progress,
    watcher: ProgressSink<'_>,
    copy: &CopyReady,
) -> Result<(Cursor, Option<String>), NotBegun> {
    if let Some(run) = approved.resumes() {
        let not_taken = |e| NotBegun::Refused(Box::new(unstarted::not_taken_over(run, e)));
        let (begun, event) = writer.take_over(run).await.map_err(not_taken)?;
        let uncopied = copy.take(&*setup.adapters.journal_copy, &approved.plan().identity, &event);
        return Ok((begun, uncopied));
    }
    progress.phase = Phase::Checking;
    watcher(progress.clone());
    setup.staleness.check(approved).await.map_err(NotBegun::Refused)?;
    match intent(setup, writer, approved, progress, watcher, copy).await {
        Ok(begun) => Ok(begun),
        Err(e) => {
            writer.abandon().await;
            Err(NotBegun::IntentFailed(Box::new(e)))
        }
    }
}

impl RunCx<'_> {
    async fn finish(mut self, runners: Runners<'_>) -> Done {
        let mut started = Tasks::new();
        let stopped = self.steps(runners, &mut started).await.err();
        let mut done = match stopped {
            None => self.verify_result().await,
            Some(stopped) => self.stopped(runners, stopped),
        };
        done.run = Some(self.begun.run.clone());
        for (at, mut task) in self.tasks_so_far(runners, started) {
            task.ended(&mut self, at, &mut done).await;
        }
        done.said = std::mem::take(&mut self.said);
        self.notes().await;
        if done.outcome != Outcome::Ambiguous {
            let message = done.failure.as_ref().map(|f| f.message.clone());
            let code = done.failure.as_ref().and_then(Error::recorded_code);
            let ending = Ending {
                // The journal tells runs: what was stale before its first batch is a run that did nothing.
                outcome: if done.outcome == Outcome::Stale { Outcome::Failed } else { done.outcome },
                resumable: done.resumable,
                verified: done.verified,
                message,
                body: json!({ "applied": done.applied, "drifted": done.drifted, "proof": done.proof, "code": code }),
            };
            match self.end(&ending).await {
                Ok(event) => self.copy_entry(&event),
                Err(e) => {
                    tracing::warn!("{e}");
                    // The work is known, its record is not complete: the run still looks unfinished to others.
                    done.failure.get_or_insert_with(|| {
                        e.context("all was done, but the outcome could not be written into the journal")
                            .hint("midwatch resume writes it")
                    });
                    done.resumable = true;
                    if done.outcome == Outcome::Applied {
                        done.outcome = Outcome::Partial;
                    }
                }
            }
        }
        if let Some(why) = &self.uncopied {
            if !self.policy.allow_without_copy {
                done.failure.get_or_insert_with(|| uncopied_error(why).durable());
            }
            done.copy.push(format!("the journal's copy lacks the last entries: {why}"));
        }
        done.copy.splice(0..0, std::mem::take(&mut self.copy.mended));
        self.publish(Phase::Done);
        self.writer.close().await;
        done
    }

    async fn end(&mut self, ending: &Ending) -> Result<Event> {
        match self.writer.end(&self.begun, ending).await {
            // Our session is gone: the run is still ours if nobody took it over.
            Err(e) if e.cause == Cause::ConnectionLost => {
                self.regain().await?;
                self.writer.end(&self.begun, ending).await
            }
            other => other,
        }
    }

    /// Tasks up to the step at hand, those of earlier sessions of the run included.
    fn tasks_so_far(&self, runners: Runners<'_>, mut started_here: Tasks) -> Tasks {
        for (at, task) in tasks(self.plan).filter(|(at, _)| *at < self.begun.step) {
            if let std::collections::btree_map::Entry::Vacant(place) = started_here.entry(at)
                && let Ok(task) = started(runners, task)
            {
                place.insert(task);
            }
        }
        started_here
    }

    async fn steps(&mut self, runners: Runners<'_>, tasks: &mut Tasks) -> Result<(), RunStop> {
        while let Some(step) = self.plan.steps.get(self.begun.step) {
            self.is_copied()?;
            self.progress.step.clone_from(&step.title);
            self.progress.stage.clone_from(&step.id);
            if !matches!(step.action, Action::Rows(_)) {
                self.within_window().await?;
            }
            match &step.action {
                Action::Bootstrap => {}
                Action::Statements => self.statements(step).await?,
                Action::Rows(change) => self.rows(change).await?,
                Action::Task(task) => self.task(runners, tasks, step, task).await?,
            }
            let next = self.begun.step + 1;
            if let Err(e) = self.writer.next_step(&self.begun, next).await {
                return Err(self.recovered(e).await);
            }
            self.begun.step = next;
            self.begun.checkpoint = 0;
        }
        Ok(())
    }

    async fn task(
        &mut self,
        runners: Runners<'_>,
        tasks: &mut Tasks,
        step: &Step,
        task: &Task,
    ) -> Result<(), RunStop> {
        let running = started(runners, task).map_err(RunStop::known)?;
        let running = tasks.entry(self.begun.step).insert_entry(running).into_mut();
        running.step(self, step).await
    }
}
