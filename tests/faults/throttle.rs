//! What slows a run down: each signal is real, makes batches stop or shrink, and is named here and on other consoles.

use midwatch::dialect::postgres::owner::Owner;
use tokio::task::JoinHandle;

use crate::common::pty::Console;
use crate::inject::{answer, no_answer};
use crate::program::until;
use crate::servers::{Template, throttled};
use crate::standby::Standby;
use crate::world::{Planned, World};

const BACKFILL: &[&str] = &["plan", "backfill", "--set", "limit=24"];

/// A run in a terminal, held in its first batch until its next look at the server is due.
struct Begun {
    world: World,
    console: Console,
    run: i64,
}

impl Begun {
    async fn start(world: World, planned: &Planned) -> Self {
        let home = world.home.path().to_str().unwrap().to_owned();
        let [apply, file, confirm, phrase, _] = planned.apply();
        let (file, config) = (format!("{home}/{file}"), format!("{home}/midwatch.toml"));
        world.arm("entry", Some(1), None).await;
        let args = ["--config", &config, apply, &file, confirm, phrase];
        let console = Console::start(env!("CARGO_BIN_EXE_midwatch"), (200, 50), &args, &[("HOME", &home)]);
        until("the run is held", async || {
            !world.waiting("midwatch/run", "wait_event = 'PgSleep'").await.is_empty()
        })
        .await;
        // The server was looked at before this batch; after so long it is looked at again.
        let held = world.value("select clock_timestamp()::text").await;
        let due = format!("select (clock_timestamp() > '{held}'::timestamptz + interval '300 ms')::text");
        until("another look is due", async || world.value(&due).await == "true").await;
        let run = world.last_run().await;
        Self { world, console, run }
    }

    async fn run_has(&self, column: &str) -> String {
        self.world.value(&format!("select {column}::text from midwatch.runs where id = {}", self.run)).await
    }

    /// Goes on from the first batch, and stops before the second; says why, everywhere.
    async fn stops(&self, why: &str) {
        self.world.disarm().await;
        until(&format!("the run says {why}"), async || self.run_has("message").await.contains(why)).await;
        assert_eq!(self.run_has("batch").await, "1");
        self.console.shows(why);
        // Another console's view.
        let id = self.run.to_string();
        let shown = self.world.midwatch(&["runs", &id, "--json"]).await.json()["runs"][0].clone();
        assert!(shown["message"].as_str().unwrap().contains(why), "{shown}");
        assert_eq!((&shown["live"], &shown["outcome"]), (&true.into(), &"running".into()), "{shown}");
        let text = self.world.midwatch(&["runs", &id]).await;
        assert!(text.stdout.contains(why), "{}", text.stdout);
    }

    /// The signal is gone since `then`: only since then there are batches again, and all is done.
    async fn goes_on(self, then: &str) {
        let (code, _) = self.console.end();
        assert_eq!(code, 0);
        let sql = format!(
            "select count(*)::text || ' ' || count(*) filter (where at::timestamptz < '{then}'::timestamptz)::text \
             from midwatch.events where run = {} and kind = 'batch'",
            self.run
        );
        assert_eq!(self.world.value(&sql).await, "4 1", "batches in all, and before the signal was gone");
        self.world.drop().await;
    }
}

/// A session of somebody else's application.
async fn application(world: &World) -> Owner {
    let mut owner = world.owner().await;
    owner.execute_script("set application_name = 'payroll'").await.unwrap();
    owner
}

/// At work until its statement is cancelled.
async fn busy(world: &World, sql: &'static str, wait: &str) -> (JoinHandle<()>, String) {
    let mut owner = application(world).await;
    let pid = owner.fetch_value("select pg_backend_pid()::text", &[]).await.unwrap().unwrap();
    let task = tokio::spawn(async move {
        let _ = owner.execute_script(sql).await;
    });
    let sql = format!("select count(*)::text from pg_stat_activity where pid = {pid} and {wait}");
    until("the other session is at it", async || world.value(&sql).await == "1").await;
    (task, pid)
}

async fn now(world: &World) -> String {
    world.value("select clock_timestamp()::text").await
}

#[tokio::test]
async fn a_session_that_waits_for_a_lock_stops_the_batches() {
    let (rig, _alone) = throttled().await;
    let world = World::new(rig, Template::Ready).await;
    world.policy("batch_rows = 7\nmax_lock_waits = 0");
    let planned = world.plan(BACKFILL, "plan.json").await;
    let begun = Begun::start(world, &planned).await;
    let mut holder = application(&begun.world).await;
    holder.execute_script("begin; lock table keka_tokens").await.unwrap();
    let wait = "wait_event_type = 'Lock'";
    let (waiter, _) = busy(&begun.world, "begin; lock table keka_tokens; rollback", wait).await;
    begun.stops("sessions waiting for locks 1 (limit 0)").await;
    let then = now(&begun.world).await;
    holder.execute_script("rollback").await.unwrap();
    waiter.await.unwrap();
    begun.goes_on(&then).await;
}

#[tokio::test]
async fn sessions_at_work_stop_the_batches() {
    let (rig, _alone) = throttled().await;
    let world = World::new(rig, Template::Ready).await;
    world.policy("batch_rows = 7\nmax_active_sessions = 0");
    let planned = world.plan(BACKFILL, "plan.json").await;
    let begun = Begun::start(world, &planned).await;
    let sleeps = "wait_event = 'PgSleep'";
    let (one, first) = busy(&begun.world, "select pg_sleep(600)", sleeps).await;
    let (two, second) = busy(&begun.world, "select pg_sleep(600)", sleeps).await;
    begun.stops("active sessions 2 (limit 0)").await;
    let then = now(&begun.world).await;
    begun.world.terminate(&first).await;
    begun.world.terminate(&second).await;
    one.await.unwrap();
    two.await.unwrap();
    begun.goes_on(&then).await;
}

/// Rows of each batch.
async fn sizes(world: &World) -> Vec<u64> {
    let sql = "select body::jsonb ->> 'applied' from midwatch.events where kind = 'batch' order by seq";
    world.rows(sql).await.into_iter().map(|mut r| r.remove(0).unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn half_a_limit_makes_batches_smaller() {
    let (rig, _alone) = throttled().await;
    let world = World::new(rig, Template::Ready).await;
    world.policy("batch_rows = 40\nmax_active_sessions = 3");
    let planned = world.plan(&["plan", "backfill", "--set", "limit=60"], "plan.json").await;
    let sleeps = "wait_event = 'PgSleep'";
    let (one, first) = busy(&world, "select pg_sleep(600)", sleeps).await;
    let (two, second) = busy(&world, "select pg_sleep(600)", sleeps).await;
    world.arm("outcome", None, None).await;
    let mut program = world.start(&planned.apply());
    world.held(&mut program, "midwatch/run", sleeps).await;
    assert_eq!(sizes(&world).await[0], 20, "half of the forty it might have had");
    world.disarm().await;
    assert_eq!(program.end().await.code, 0);
    for (task, pid) in [(one, first), (two, second)] {
        world.terminate(&pid).await;
        task.await.unwrap();
    }
    world.drop().await;
}

#[tokio::test]
async fn slow_batches_get_smaller_and_others_are_told() {
    let (rig, _alone) = throttled().await;
    let world = World::new(rig, Template::Ready).await;
    world.policy("batch_rows = 40\nbatch_ms = 20");
    // As slow as a table with too many indexes: longer than the pause between two looks at the server.
    world
        .execute(
            "create function fault.slow() returns trigger language plpgsql as 'begin perform pg_sleep(0.25); return null; end';
             create trigger fault_slow before update on attendance_events for each statement execute function fault.slow()",
        )
        .await;
    let planned = world.plan(&["plan", "backfill"], "plan.json").await;
    assert!(planned.rows > 70, "{}", planned.rows);
    // After its third batch, when the first two have shown how slow they are.
    world.arm("entry", Some(3), None).await;
    let home = world.home.path().to_str().unwrap().to_owned();
    let [apply, file, confirm, phrase, _] = planned.apply();
    let (file, config) = (format!("{home}/{file}"), format!("{home}/midwatch.toml"));
    let args = ["--config", &config, apply, &file, confirm, phrase];
    let console = Console::start(env!("CARGO_BIN_EXE_midwatch"), (200, 50), &args, &[("HOME", &home)]);
    console.shows("smaller batches: the last batch took");
    // The third batch is held: what the second has said stands.
    let batch = "select max(batch)::text from midwatch.runs where outcome = 'running'";
    until("two batches are done", async || world.value(batch).await == "2").await;
    let run = world.last_run().await.to_string();
    let shown = world.midwatch(&["runs", &run, "--json"]).await.json()["runs"][0].clone();
    assert_eq!(shown["batch_rows"], 20, "{shown}");
    assert!(
        shown["message"].as_str().unwrap().starts_with("smaller batches: the last batch took"),
        "{shown}"
    );
    world.disarm().await;
    let (code, _) = console.end();
    assert_eq!(code, 0);
    let sizes = sizes(&world).await;
    assert_eq!(sizes[..3], [40, 20, 10], "{sizes:?}");
    assert_eq!(sizes.iter().sum::<u64>(), planned.rows);
    world.drop().await;
}

/// Writes more log than the limit, and waits until the replica is seen to be that far behind.
async fn fall_behind(world: &World) {
    world.execute("select pg_logical_emit_message(false, 'test', repeat('x', 3000000))").await;
    let behind = "select (max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)) > 2000000)::text from pg_stat_replication";
    until("the replica is behind", async || world.value(behind).await == "true").await;
}

#[tokio::test]
async fn a_replica_that_is_behind_stops_the_batches() {
    let (rig, _alone) = throttled().await;
    let world = World::new(rig, Template::Ready).await;
    // In bytes only: how long ago it was replayed depends on this machine.
    world.policy("batch_rows = 7\nmax_replica_lag_mb = 1\nmax_replica_lag_ms = 3600000");
    let standby = Standby::of(&rig.server).await;
    let planned = world.plan(BACKFILL, "plan.json").await;
    let begun = Begun::start(world, &planned).await;
    standby.pause().await;
    fall_behind(&begun.world).await;
    begun.stops("replica behind by 3 MB (limit 1)").await;
    let then = now(&begun.world).await;
    standby.resume().await;
    begun.goes_on(&then).await;
}

/// An operator who may change the tables, and may not see what replicas do.
async fn operator(world: &World) -> String {
    let role = format!("op_{}", world.db);
    world
        .execute(&format!(
            "create role {role} login; grant usage on schema public, repairs, midwatch, fault to {role};
             grant select, insert, update, delete on all tables in schema public, repairs, midwatch, fault to {role};
             grant usage on all sequences in schema public, midwatch to {role}"
        ))
        .await;
    role
}

#[tokio::test]
async fn a_replica_whose_lag_cannot_be_read_is_a_refusal_unless_policy_allows() {
    let (rig, _alone) = throttled().await;
    let world = World::new(rig, Template::Ready).await;
    let role = operator(&world).await;
    let url = rig.server.url(&world.db).replace(rig.server.user(), &role);
    let resolve = &[
        "plan",
        "resolve",
        "keka-sync",
        "--set",
        "finding=state/FAILED",
        "--set",
        "reason=a test",
        "--set",
        "limit=24",
    ];
    // Whom else it sees is another matter.
    world.configure(&url, "batch_rows = 7\nallow_unknown_load = true");
    let before = world.plan(resolve, "before.json").await;
    // It comes while a run is on.
    let begun = Begun::start(world, &before).await;
    let standby = Standby::of(&rig.server).await;
    begun.stops("the lag of a replica cannot be read (grant pg_monitor)").await;
    let then = now(&begun.world).await;
    begun.world.execute(&format!("grant pg_monitor to {role}")).await;
    let (code, _) = begun.console.end();
    assert_eq!(code, 0);
    let sql = format!(
        "select count(*) filter (where at::timestamptz < '{then}'::timestamptz)::text from midwatch.events where run = {} and kind = 'batch'",
        begun.run
    );
    assert_eq!(begun.world.value(&sql).await, "1");

    // It is there from the beginning.
    let world = begun.world;
    world.execute(&format!("revoke pg_monitor from {role}")).await;
    let run = begun.run.to_string();
    let planned = world.plan(&["undo", &run], "undo.json").await;
    let replicas =
        planned.plan["preflight"].as_array().unwrap().iter().find(|p| p["id"] == "replicas").unwrap();
    assert_eq!(replicas["status"], "fail", "{replicas}");
    let refused = world.midwatch(&planned.apply()).await;
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.stdout.contains("the lag of a replica cannot be read"), "{refused:?}");
    world.configure(&url, "batch_rows = 7\nallow_unknown_load = true\nallow_unknown_lag = true");
    let planned = world.plan(&["undo", &run], "undo.json").await;
    let allowed = world.midwatch(&planned.apply()).await;
    assert_eq!(allowed.code, 0, "{allowed:?}");
    drop(standby);
    let db = world.db.clone();
    world.drop().await;
    rig.owner("postgres").await.execute_script(&format!("drop role op_{db}")).await.unwrap();
}

/// A commit that waits for a standby that is not there would hold every lock of the switch for ever.
#[tokio::test]
async fn what_no_commit_would_end_is_not_begun() {
    let (rig, _alone) = throttled().await;
    let world = World::new(rig, Template::Twins).await;
    let switchover = ["plan", "switchover", "--set", "backup=skip", "--set", "monitor=0"];
    let planned = world.plan(&switchover, "plan.json").await;

    no_answer(&world).await;
    let refused = world.midwatch(&planned.apply()).await;
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.stdout.contains("no commit ends: each waits for 1 synchronous standby"), "{refused:?}");
    answer(&world).await;

    // It is gone while the switch waits for a table.
    let planned = world.plan(&switchover, "plan.json").await;
    let mut other = world.owner().await;
    other.execute_script("begin; lock table expenses in access share mode").await.unwrap();
    let program = world.start(&planned.apply());
    let says = async |like: &str| {
        let sql = format!("select (message like '{like}')::text from midwatch.runs order by id desc limit 1");
        until(&format!("the run says {like}"), async || world.value(&sql).await == "true").await;
    };
    says("not tried yet: pid %").await;
    no_answer(&world).await;
    other.execute_script("commit").await.unwrap();
    says("not tried yet: no commit ends%").await;
    answer(&world).await;
    let end = program.end().await;
    assert_eq!(end.code, 0, "{end:?}");
    world.drop().await;
}
