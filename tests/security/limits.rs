//! A client that is stopped holds nobody up longer than its budget and a second: the server keeps the limits.
//!
//! SIGSTOP stops the whole process, sockets stay open, and TCP or the socket's buffers say nothing of it: what is left is
//! what the server does by itself.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::task::JoinHandle;

use crate::program::until;
use crate::servers::{Template, lasting};
use crate::world::World;

const POLICY: &str = "batch_rows = 7\nlock_timeout_ms = 1500\nlock_attempts = 1\nreconnect_s = 5";
/// And what a server needs to notice that it is over.
const OVER: Duration = Duration::from_millis(1_500);

/// Where the client is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Idle,
    Statement,
    Sending,
    Waiting,
}

/// What is locked, and how.
#[derive(Debug, Clone, Copy)]
struct Attack {
    template: Template,
    plan: &'static [&'static str],
    /// What the locks may be held for: as planned, or what a batch may with its guard off.
    budget: Duration,
    table: &'static str,
    mode: &'static str,
    /// What keeps the run waiting for its lock, and a gate before it, where the run looks for such sessions first.
    before: Option<&'static str>,
    keep: &'static str,
}

const SWITCHOVER: Attack = Attack {
    template: Template::Twins,
    budget: Duration::from_secs(2),
    plan: &[
        "plan",
        "switchover",
        "--set",
        "backup=skip",
        "--set",
        "monitor=0",
        "--set",
        "attempts=1",
        "--set",
        "budget=2000",
        "--set",
        "lock_timeout=1500",
        "--set",
        "before=: before",
    ],
    table: "revenues",
    mode: "AccessExclusiveLock",
    before: Some(": before"),
    keep: "alter function midwatch_reverse_expenses() cost 101",
};

const BACKFILL: Attack = Attack {
    template: Template::Ready,
    budget: Duration::from_secs(5),
    plan: &["plan", "backfill", "--set", "limit=24"],
    table: "attendance_events",
    mode: "ShareRowExclusiveLock",
    before: None,
    keep: "lock table attendance_events in row exclusive mode",
};

/// A DDL command of the run that is over while it has the table's lock waits while the gate `held` is there; with the row
/// `flood` it sends megabytes then, as a trigger of the table's owner may.
const HOLD: &str = "
create function fault.hold_locked() returns event_trigger language plpgsql as $$
begin
  if current_setting('application_name') not like 'midwatch/run%' or not exists (select from pg_locks
       where pid = pg_backend_pid() and relation = to_regclass('public.{table}')::oid and mode = '{mode}') then
    return;
  end if;
  perform fault.strike('held', null);
  if exists (select from fault.gate where step = 'flood') then
    for i in 1..4000 loop raise info '%', repeat('x', 8000); end loop;
  end if;
end $$;
create event trigger fault_hold_locked on ddl_command_end when tag in ('ALTER TABLE') execute function fault.hold_locked()";

/// The longest that an application waited for the table, in all it did until it was told to stop.
struct Writer(JoinHandle<Duration>, tokio::sync::oneshot::Sender<()>);

impl Writer {
    async fn start(world: &World, table: &str) -> Self {
        let mut owner = world.owner().await;
        owner.execute_script("set application_name = 'application'").await.unwrap();
        let (stop, mut stopped) = tokio::sync::oneshot::channel();
        let write = format!("begin; lock table {table} in row exclusive mode; commit");
        let work = async move {
            let mut longest = Duration::ZERO;
            while stopped.try_recv().is_err() {
                let since = Instant::now();
                owner.execute_script(&write).await.unwrap();
                longest = longest.max(since.elapsed());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            longest
        };
        Self(tokio::spawn(work), stop)
    }

    /// Until it stands behind the run.
    async fn waits(&self, world: &World) {
        until("the application waits", async || {
            self.0.is_finished() || !world.waiting("application", "wait_event_type = 'Lock'").await.is_empty()
        })
        .await;
    }

    /// After the write that is under way.
    async fn longest(self) -> Duration {
        let _ = self.1.send(());
        self.0.await.unwrap()
    }
}

/// Stops the client there; how long the application waited. The client then goes on, and ends.
async fn stalls(world: &World, attack: Attack, moment: Moment, args: &[&str]) -> Duration {
    let mut kept = None;
    if moment == Moment::Sending {
        world.arm("flood", None, None).await;
    }
    let (mut program, pid);
    if moment == Moment::Waiting {
        let mut other = world.owner().await;
        let keep = format!("begin; {}", attack.keep);
        if let Some(gate) = attack.before {
            world.arm(gate, None, None).await;
            program = world.start(args);
            world.held(&mut program, "midwatch/run", "wait_event = 'PgSleep'").await;
            other.execute_script(&keep).await.unwrap();
            world.disarm().await;
        } else {
            other.execute_script(&keep).await.unwrap();
            program = world.start(args);
        }
        pid = world.held(&mut program, "midwatch/run", "wait_event_type = 'Lock'").await;
        kept = Some(other);
    } else {
        world.arm("held", None, None).await;
        program = world.start(args);
        pid = world.held(&mut program, "midwatch/run", "wait_event = 'PgSleep'").await;
    }
    program.send(Signal::STOP);
    let writer = Writer::start(world, attack.table).await;
    writer.waits(world).await;
    if moment == Moment::Idle || moment == Moment::Sending {
        world.execute("delete from fault.gate where step = 'held'").await;
    }
    if moment == Moment::Sending {
        let sql = format!(
            "select count(*)::text from pg_stat_activity where pid = {pid} and wait_event = 'ClientWrite'"
        );
        until("the server sends to a client that does not read", async || world.value(&sql).await == "1")
            .await;
    }
    let longest = writer.longest().await;
    world.disarm().await;
    if let Some(mut other) = kept {
        other.execute_script("rollback").await.unwrap();
    }
    program.send(Signal::CONT);
    let end = program.end().await;
    assert!([6, 7].contains(&end.code), "{moment:?}: {end:?}");
    longest
}

/// At 4eabe32 the application waited 60 s where the client was stopped between two statements, and without end where the
/// server was sending to it; a batch and a swap alike. The run is resumed each time, and stopped elsewhere.
async fn kept_by_the_server(attack: Attack) {
    let world = World::new(lasting(), attack.template).await;
    world.policy(POLICY);
    world.execute(&HOLD.replace("{table}", attack.table).replace("{mode}", attack.mode)).await;
    let planned = world.plan(attack.plan, "plan.json").await;
    let mut resume: Option<String> = None;
    for moment in [Moment::Idle, Moment::Statement, Moment::Sending, Moment::Waiting] {
        let longest = match &resume {
            None => stalls(&world, attack, moment, &planned.apply()).await,
            Some(run) => stalls(&world, attack, moment, &["resume", run, "--json"]).await,
        };
        assert!(longest <= attack.budget + OVER, "{moment:?}: the application waited {longest:?}");
        resume = Some(world.last_run().await.to_string());
    }
    let end = world.midwatch(&["resume", &resume.unwrap(), "--json"]).await;
    assert_eq!(end.code, 0, "{end:?}");
    world.drop().await;
}

#[tokio::test]
async fn a_swap_whose_client_is_stopped_lets_writers_go_on() {
    kept_by_the_server(SWITCHOVER).await;
}

#[tokio::test]
async fn a_batch_whose_client_is_stopped_lets_writers_go_on() {
    kept_by_the_server(BACKFILL).await;
}
