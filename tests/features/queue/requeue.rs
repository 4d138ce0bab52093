//! Failed work tried again: what becomes of the first rows decides whether more follow.

use std::process::{Child, Stdio};
use std::time::Duration;

use midwatch::engine::model::step::Action;
use serde_json::Value;

use crate::common::{Database, eventually, midwatch};
use crate::world::{World, of_an_earlier_version};

const PROFILE: &str = r#"
name = "jobs"
title = "a table queue"
search_path = ["before", "public"]
[[queues]]
name = "jobs"
table = "jobs"
key = "id"
state = "state"
created = "created_at"
message = "failure"
[queues.states]
pending = ["waiting"]
processing = ["working"]
done = ["done"]
failed = ["failed"]
[queues.changes]
requeue = { failure = "null::text" }
canary = 3
canary_wait_s = 30
max_failed_percent = 10
"#;

async fn jobs() -> (World, Value) {
    let world = World::on(Database::empty().await, "profile = \"jobs.toml\"\nenvironment = \"demo\"");
    std::fs::write(world.file("jobs.toml"), PROFILE).unwrap();
    world
        .sql(
            "create schema before; create table jobs (id bigint primary key, state text not null, failure text, created_at timestamptz not null);
             insert into jobs select n, 'failed', 'timeout', now() from generate_series(1, 40) n",
        )
        .await;
    let init = world.plan("init.json", &["init"]);
    world.applied("init.json", &init);
    let plan = world.plan("p.json", &["requeue", "jobs", "--set", "finding=state/failed"]);
    assert_eq!(plan["rows"], 40);
    (world, plan)
}

fn start(world: &World, args: &[&str]) -> Child {
    // Whoever starts the tests may ignore hangups, and a child inherits that.
    let program = env!("CARGO_BIN_EXE_midwatch");
    spawn(world, std::process::Command::new("env").args(["--default-signal=HUP", program]).args(args))
}

/// With the environment that the program has in this world.
fn spawn(world: &World, command: &mut std::process::Command) -> Child {
    let plain = midwatch(world.home.path());
    command.env_clear().envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("USER", "dana").current_dir(world.home.path());
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

fn ended(child: Child) -> (i32, Value) {
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap_or(-1), serde_json::from_slice(&output.stdout).unwrap())
}

/// The canary is out and waits for a worker.
async fn canary_is_out(world: &World) {
    batch_is_out(world, 1).await;
}

async fn batch_is_out(world: &World, number: u64) {
    let out = format!("select count(*)::text from midwatch.runs where batch = {number}");
    for _ in 0..3_000 {
        if world.value(&out).await == "1" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("batch {number} is not committed");
}

fn applying(world: &World, plan: &Value) -> Child {
    let file = world.file("p.json");
    let phrase = plan["phrase"].as_str().unwrap();
    start(world, &["apply", file.to_str().unwrap(), "--confirm", phrase, "--json"])
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).unwrap();
}

#[tokio::test]
async fn a_resumed_requeue_judges_what_went_out_before() {
    let (world, plan) = jobs().await;
    let child = applying(&world, &plan);
    canary_is_out(&world).await;
    signal(&child, rustix::process::Signal::INT);
    let (code, value) = ended(child);
    assert_eq!((code, value["run"]["rows_applied"].as_u64()), (7, Some(3)), "{value:#}");
    world.sql("update jobs set state = 'failed' where state = 'waiting'").await;
    let run = plan_run(&value);
    let (code, value) = world.json(&["resume", &run]);
    assert_eq!((code, value["run"]["rows_applied"].as_u64()), (7, Some(3)), "{value:#}");
    let said = value["error"]["message"].as_str().unwrap();
    assert!(said.starts_with("3 of 3 changed rows have failed again"), "{said}");
    assert_eq!(value["run"]["resumable"], false);
    assert_eq!(world.value("select count(*)::text from jobs where failure is null").await, "3");
}

#[tokio::test]
async fn a_resumed_canary_that_nobody_took_is_waited_for() {
    let (world, plan) = jobs().await;
    let child = applying(&world, &plan);
    canary_is_out(&world).await;
    signal(&child, rustix::process::Signal::INT);
    let (_, value) = ended(child);
    // One of the canary fails while its other rows still wait: that is no tenth of many, it is the canary's end.
    let resumed = start(&world, &["resume", &plan_run(&value), "--json"]);
    eventually("it waits for a worker", Duration::from_secs(30), || {
        world.run(&["runs"]).stdout.contains("going on")
    });
    assert_eq!(world.value("select count(*)::text from jobs where failure is null").await, "3");
    world.sql("update jobs set state = 'failed' where id = 1").await;
    let (code, value) = ended(resumed);
    assert_eq!((code, value["run"]["rows_applied"].as_u64()), (7, Some(3)), "{value:#}");
    let said = value["error"]["message"].as_str().unwrap();
    assert!(said.starts_with("1 of 1 changed rows have failed again"), "{said}");
}

#[tokio::test]
async fn a_state_that_the_profile_does_not_name_is_no_success() {
    let (world, plan) = jobs().await;
    let child = applying(&world, &plan);
    canary_is_out(&world).await;
    world
        .sql("update jobs set state = case id when 1 then 'done' else 'poisoned' end where state = 'waiting'")
        .await;
    let (code, value) = ended(child);
    assert_eq!((code, value["run"]["rows_applied"].as_u64()), (7, Some(3)), "{value:#}");
    let said = value["error"]["message"].as_str().unwrap();
    assert!(said.starts_with("2 of 3 changed rows are in states that the profile does not name"), "{said}");
    assert_eq!(value["run"]["resumable"], false);
}

#[tokio::test]
async fn a_canary_counts_the_rows_of_the_table_that_was_planned() {
    let (world, plan) = jobs().await;
    // Before the canary is out its name leads to another table, which has none of its rows.
    world
        .sql(
            "create function public.meanwhile() returns trigger language plpgsql as
               $$ begin create table before.jobs (like public.jobs); return null; end $$;
             create trigger meanwhile after insert on midwatch.planned_blocks for each statement execute function public.meanwhile()",
        )
        .await;
    let child = applying(&world, &plan);
    canary_is_out(&world).await;
    world.sql("update public.jobs set state = 'failed' where state = 'waiting'").await;
    let (code, value) = ended(child);
    assert_eq!((code, value["run"]["rows_applied"].as_u64()), (7, Some(3)), "{value:#}");
    let said = value["error"]["message"].as_str().unwrap();
    assert!(said.starts_with("3 of 3 changed rows have failed again"), "{said}");
}

#[tokio::test]
async fn a_canary_of_an_earlier_version_is_stale_and_so_is_an_altered_one() {
    let (world, _) = jobs().await;
    world.accept_foreign_plans();
    // A text of the profile that looks like the table's name is no name.
    let profile =
        PROFILE.replace("failed = [\"failed\"]", "failed = [\"failed\"]\nskipped = ['\"public\".\"jobs\"']");
    std::fs::write(world.file("jobs.toml"), profile).unwrap();
    let three = ["requeue", "jobs", "--set", "finding=state/failed", "--set", "limit=3"];
    world.plan("p.json", &three);
    let altered = world.altered("p.json", |plan| {
        of_an_earlier_version(plan);
        let Action::Rows(change) = &mut plan.steps[0].action else { panic!("no rows are changed") };
        let canary = change.canary.as_mut().unwrap();
        canary.sql = "select 0 as waiting, 0 as failed, 3 as done, 0 as unknown from run_rows".into();
    });
    let (code, value) = world.apply("p.json", altered["phrase"].as_str().unwrap());
    assert_eq!((code, value["run"]["outcome"].as_str()), (4, Some("stale")), "{value:#}");
    assert_eq!(world.value("select count(*)::text from jobs where state = 'failed'").await, "40");
    world.plan("p.json", &three);
    let plan = world.altered("p.json", of_an_earlier_version);
    let canary = plan["steps"][0]["action"]["canary"]["sql"].as_str().unwrap();
    assert!(
        canary.contains("join \"jobs\" t on") && canary.contains(r#"\\"public\\".\\"jobs\\""#),
        "{canary}"
    );
    let (code, value) = world.apply("p.json", plan["phrase"].as_str().unwrap());
    assert_eq!((code, value["run"]["outcome"].as_str()), (4, Some("stale")), "{value:#}");
    let said = value["error"]["message"].as_str().unwrap();
    assert!(said.contains("left its names to the search path"), "{said}");
}

/// As `nohup` starts it.
fn deaf(world: &World, plan: &Value) -> Child {
    let script = format!(
        "trap '' HUP; exec \"$0\" apply p.json --confirm '{}' --json",
        plan["phrase"].as_str().unwrap()
    );
    spawn(world, std::process::Command::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_midwatch")]))
}

fn stopped(child: Child, code: i32, how: &str) {
    let (ended, value) = ended(child);
    let said = value["error"]["message"].as_str().unwrap();
    assert!(ended == code && said.starts_with(how), "{ended}: {value:#}");
}

#[tokio::test]
async fn the_outcome_says_which_signal_stopped_the_run() {
    let (world, plan) = jobs().await;
    let child = applying(&world, &plan);
    canary_is_out(&world).await;
    signal(&child, rustix::process::Signal::HUP);
    stopped(child, 7, "stopped by SIGHUP after a batch; 3 of 40 rows are changed");
    let journal = world.value("select message from midwatch.runs where id = 2").await;
    assert!(journal.starts_with("stopped by SIGHUP after a batch"), "{journal}");
}

#[tokio::test]
async fn a_hangup_that_was_ignored_at_the_start_stops_nothing() {
    let (world, plan) = jobs().await;
    let child = deaf(&world, &plan);
    canary_is_out(&world).await;
    signal(&child, rustix::process::Signal::HUP);
    // The worker takes the canary: the run goes on to its next batch.
    world.sql("update jobs set state = 'done' where state = 'waiting'").await;
    batch_is_out(&world, 2).await;
    signal(&child, rustix::process::Signal::TERM);
    stopped(child, 7, "stopped by SIGTERM after a batch");
}

#[tokio::test]
async fn a_run_that_is_stopped_before_its_first_batch_says_so() {
    let (world, plan) = jobs().await;
    let mut holder = world.owner().await;
    holder.execute_script("begin; select from jobs where id = 2 for update").await.unwrap();
    let child = applying(&world, &plan);
    for _ in 0..3_000 {
        if world.value("select count(*)::text from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()").await == "1" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    signal(&child, rustix::process::Signal::INT);
    stopped(child, 6, "stopped by SIGINT (^C) before its first batch; nothing was changed");
    holder.execute_script("rollback").await.unwrap();
}

fn plan_run(done: &Value) -> String {
    done["run"]["id"].as_str().unwrap().to_owned()
}
