//! Holds a run at a step and hurts it there. Nothing here waits for luck: each state is seen before the next is made.

use midwatch::dialect::postgres::owner::Owner;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::case::{Case, Fault, Step};
use crate::common::Run;
use crate::program::{Program, until};
use crate::world::World;

/// A run that stands still.
pub(crate) struct Held {
    /// The session that waits.
    pub(crate) pid: String,
    /// Keeps readers waiting.
    pub(crate) locker: Option<Owner>,
    /// Commits wait for a standby that does not exist.
    pub(crate) unanswered: bool,
}

impl Held {
    /// It may go on.
    pub(crate) async fn release(self, world: &World) {
        if self.unanswered {
            answer(world).await;
        }
        world.disarm().await;
        if let Some(mut locker) = self.locker {
            let _ = locker.execute_script("rollback").await;
        }
    }
}

pub(crate) const SLEEPS: &str = "wait_event = 'PgSleep'";
pub(crate) const BLOCKED: &str = "wait_event_type = 'Lock'";

/// Starts the program and waits until it stands at the case's step.
pub(crate) async fn hold(world: &World, case: &Case, start: impl FnOnce() -> Program) -> (Program, Held) {
    let gate = async |step: Step, batch| world.arm(step.gate(), batch, None).await;
    match case.step {
        Step::Recheck => {
            let locker = lock_out(world, case.op.reads).await;
            let mut program = start();
            let pid = world.held(&mut program, "midwatch/reader", BLOCKED).await;
            (program, Held { pid, locker: Some(locker), unanswered: false })
        }
        Step::Verify => {
            gate(Step::Verify, None).await;
            let mut program = start();
            world.held(&mut program, "midwatch/run", SLEEPS).await;
            let locker = lock_out(world, case.op.reads).await;
            world.disarm().await;
            let pid = world.held(&mut program, "midwatch/reader", BLOCKED).await;
            (program, Held { pid, locker: Some(locker), unanswered: false })
        }
        Step::Committed => {
            let step = if case.op.is_init() { Step::IntentCommit } else { Step::Commit };
            gate(step, case.batch).await;
            let mut program = start();
            world.held(&mut program, "midwatch/run", SLEEPS).await;
            no_answer(world).await;
            world.disarm().await;
            let pid = world.held(&mut program, "midwatch/run", "wait_event = 'SyncRep'").await;
            (program, Held { pid, locker: None, unanswered: true })
        }
        step => {
            gate(step, case.batch).await;
            let mut program = start();
            let whose = if step == Step::Lock { "midwatch/lock" } else { "midwatch/run" };
            let pid = world.held(&mut program, whose, SLEEPS).await;
            (program, Held { pid, locker: None, unanswered: false })
        }
    }
}

/// Even readers wait.
async fn lock_out(world: &World, table: &str) -> Owner {
    let mut owner = world.owner().await;
    owner.execute_script(&format!("begin; lock table {table} in access exclusive mode")).await.unwrap();
    owner
}

/// From now on what is committed is durable, and nobody is told.
pub(crate) async fn no_answer(world: &World) {
    let mut owner = world.owner().await;
    owner.execute("alter system set synchronous_standby_names = 'nobody'", &[]).await.unwrap();
    owner.execute_script("select pg_reload_conf(); create table if not exists fault.probe ()").await.unwrap();
    // Which the server does when it has read its settings again: a commit of ours shows it.
    let mut probe = world.rig.server.owner(&world.db).await.unwrap();
    let pid = probe.fetch_value("select pg_backend_pid()::text", &[]).await.unwrap().unwrap();
    let stop = tokio::spawn(async move {
        loop {
            let commit = "create table fault.tried (); drop table fault.tried";
            if probe.execute_script(commit).await.is_err() {
                return;
            }
        }
    });
    let waits =
        format!("select count(*)::text from pg_stat_activity where pid = {pid} and wait_event = 'SyncRep'");
    until("commits are not answered", async || {
        owner.fetch_value(&waits, &[]).await.unwrap().as_deref() == Some("1")
    })
    .await;
    world.terminate(&pid).await;
    stop.await.unwrap();
}

/// As before.
pub(crate) async fn answer(world: &World) {
    let mut owner = world.owner().await;
    owner.execute("alter system reset synchronous_standby_names", &[]).await.unwrap();
    owner.execute_script("select pg_reload_conf()").await.unwrap();
}

/// Hurts it; what the program says of it, where it still can.
pub(crate) async fn strike(world: &World, case: &Case, mut program: Program, held: Held) -> Option<Run> {
    match case.fault {
        Fault::ClientKilled => {
            program.kill9();
            if held.locker.is_none() && !held.unanswered {
                // The server notices by itself that nobody is there any more.
                world.sessions_end().await;
            }
            held.release(world).await;
            return None;
        }
        Fault::ServerKilled => {
            let server = &world.rig.server;
            assert!(world.rig.mortal);
            server.kill9().unwrap();
            let end = program.end().await;
            server.restart().await.unwrap();
            held.release(world).await;
            return Some(end);
        }
        Fault::RunCut => world.terminate(&world.waiting("midwatch/run", "true").await).await,
        Fault::LockCut => world.terminate(&world.waiting("midwatch/lock", "true").await).await,
        Fault::Cancelled => world.cancel(&held.pid).await,
        other => panic!("{other:?} cuts nothing off"),
    }
    held.release(world).await;
    Some(program.end().await)
}

/// Somebody else has what the step needs, for as long as the run lives.
pub(crate) async fn contend(world: &World, case: &Case, start: impl FnOnce() -> Program) -> Run {
    let op = case.op;
    let at = |step, batch| Case { step, batch, ..*case };
    let lock = |table: &str, mode: &str| format!("lock table {table} in {mode} mode");
    let (wanted, first) = match case.step {
        step if step.reads() => {
            let (program, held) = hold(world, case, start).await;
            let end = program.end().await;
            held.release(world).await;
            return end;
        }
        Step::Intent => (lock("midwatch.runs", "share"), None),
        Step::Stage => (lock("midwatch.planned_blocks", "share"), None),
        Step::Outcome => ("select from midwatch.head for update".into(), Some(None)),
        step => {
            let wanted = match step {
                Step::Guard => lock(op.table, "row exclusive"),
                // A row that comes has nothing that could be locked.
                Step::Change
                    if op.key == ["event_id"] || op.name.starts_with("fix") || op.name == "copy-missing" =>
                {
                    lock(op.table, "exclusive")
                }
                Step::Change => String::new(),
                Step::Image => lock("midwatch.image_blocks", "share"),
                Step::Derived => lock("daily_status", "exclusive"),
                Step::Audit => lock(op.audit, "share"),
                // The run's row is not there for others yet.
                Step::Checkpoint if case.batch == Some(1) => lock("midwatch.runs", "exclusive"),
                Step::Checkpoint => "select from midwatch.runs where outcome = 'running' for update".into(),
                Step::Entry => "select from midwatch.head for update".into(),
                other => panic!("{other:?} waits for no lock"),
            };
            let before = match case.batch {
                Some(1) | None => at(Step::IntentCommit, None),
                Some(n) => at(Step::Entry, Some(n - 1)),
            };
            (wanted, Some(Some(before)))
        }
    };
    let Some(before) = first else {
        let (stop, holder) = keep(world, wanted).await;
        let end = start().end().await;
        let _ = stop.send(());
        holder.await.unwrap();
        return end;
    };
    let (program, held) = if let Some(before) = before {
        hold(world, &before, start).await
    } else {
        hold_last(world, start).await
    };
    let wanted = if wanted.is_empty() { row(world, case) } else { wanted };
    let (stop, holder) = keep(world, wanted).await;
    held.release(world).await;
    let end = program.end().await;
    let _ = stop.send(());
    holder.await.unwrap();
    end
}

/// Stopped at the last thing that is written before the outcome.
async fn hold_last(world: &World, start: impl FnOnce() -> Program) -> (Program, Held) {
    world.arm("next", None, None).await;
    let mut program = start();
    let pid = world.held(&mut program, "midwatch/run", SLEEPS).await;
    (program, Held { pid, locker: None, unanswered: false })
}

/// A planned row of the batch.
fn row(world: &World, case: &Case) -> String {
    let at = if case.batch == Some(1) { 2 } else { case.op.first + 2 };
    // Inside COMMIT of the intent nobody else sees the rows yet: the plan's file has them.
    let file = std::fs::read_to_string(world.home.path().join("plan.json")).unwrap();
    let envelope: serde_json::Value = serde_json::from_str(&file).unwrap();
    let key = envelope["plan"]["diff"][usize::try_from(at).unwrap() - 1]["key"].clone();
    let key: Vec<_> =
        key.as_object().unwrap().iter().map(|(k, v)| format!("{k} = '{}'", v.as_str().unwrap())).collect();
    format!("select from {} where {} for update", case.op.table, key.join(" and "))
}

/// Gets a lock as soon as it can, and keeps it until told.
async fn keep(world: &World, sql: String) -> (oneshot::Sender<()>, JoinHandle<()>) {
    let (stop, stopped) = oneshot::channel();
    let holder = beside(world, async move |mut owner| {
        owner.execute_script(&format!("begin; {sql}")).await.unwrap();
        let _ = stopped.await;
        owner.execute_script("rollback").await.unwrap();
    })
    .await;
    (stop, holder)
}

/// A session at work beside the run: it has what it wants, or stands in the queue for it.
pub(crate) async fn beside<T, F>(
    world: &World,
    work: impl FnOnce(Owner) -> F + Send + 'static,
) -> JoinHandle<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut owner = world.owner().await;
    let pid = owner.fetch_value("select pg_backend_pid()::text", &[]).await.unwrap().unwrap();
    let task = tokio::spawn(async move { work(owner).await });
    let sql = format!(
        "select count(*)::text from pg_stat_activity where pid = {pid} and (wait_event_type = 'Lock' or state = 'idle in transaction')"
    );
    until("the other session has asked for its lock", async || {
        task.is_finished() || world.value(&sql).await == "1"
    })
    .await;
    task
}
