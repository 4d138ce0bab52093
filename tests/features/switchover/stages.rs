//! Stages of a switchover: the window that binds them, what they say and what they leave behind.

use midwatch::engine::model::step::Action;
use serde_json::Value;

use crate::world::World;

/// Maintenance is allowed for another hour or two; a row puts the server's clock forward. Gives the window's end.
async fn window(world: &World) -> u32 {
    let hour: u32 =
        world.value("select extract(hour from now() at time zone 'UTC')::int::text").await.parse().unwrap();
    let (from, to) = ((hour + 23) % 24, (hour + 2) % 24);
    world.configure(&format!(
        "[targets.main]\nurl = \"{}\"\nprofile = \"hospitality\"\nenvironment = \"demo\"\n\
         window = {{ start = \"{from:02}:00Z\", end = \"{to:02}:00Z\" }}\n",
        world.database.url()
    ));
    to
}

/// From then on the clock is past the window's end, once the run's row or entry meets the condition.
async fn clock(world: &World, table: &str, when: &str) {
    world
        .sql(&format!(
            "create table public.clock (shift interval); insert into public.clock values ('0');
             alter function pg_catalog.clock_timestamp() rename to clock_timestamp_builtin;
             create function pg_catalog.clock_timestamp() returns timestamptz language sql volatile as
               'select pg_catalog.clock_timestamp_builtin() + (select shift from public.clock)';
             -- A default keeps the function, not its name.
             alter table midwatch.runs alter started_at set default pg_catalog.clock_timestamp(), alter beat_at set default pg_catalog.clock_timestamp();
             create function public.strike() returns trigger language plpgsql security definer as $$ begin
               update public.clock set shift = '3 hours'; return new; end $$;
             create trigger aaa_strike before insert or update on midwatch.{table} for each row when ({when})
               execute function public.strike()"
        ))
        .await;
}

fn closed(value: &Value, to: u32) {
    let said = value["error"]["message"].as_str().unwrap();
    assert!(said.starts_with(&format!("the maintenance window closed at {to:02}:00Z; ")), "{value:#}");
    let hint = value["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("goes on with the rest when it is open again"), "{hint}");
}

const PLAIN: [&str; 5] = ["switchover", "--set", "backup=skip", "--set", "monitor=0s"];

#[tokio::test]
async fn a_window_that_closes_while_a_switch_waits_ends_the_wait() {
    let world = World::mended().await;
    let to = window(&world).await;
    let plan = world.plan("p.json", &PLAIN);
    clock(&world, "runs", "new.message like 'not tried yet%'").await;
    let mut session = world.owner().await;
    session.execute_script("begin; lock table revenues in access share mode").await.unwrap();
    let (code, value) = world.apply("p.json", plan["phrase"].as_str().unwrap());
    drop(session);
    assert_eq!((code, value["run"]["outcome"].as_str()), (7, Some("partial")), "{value:#}");
    closed(&value, to);
    assert_eq!(world.value("select to_regclass('revenues_legacy')::text").await, "");
}

#[tokio::test]
async fn no_stage_begins_after_the_window() {
    let world = World::mended().await;
    let to = window(&world).await;
    let plan = world.plan("p.json", &PLAIN);
    clock(&world, "events", "new.kind = 'stage'").await;
    let (code, value) = world.apply("p.json", plan["phrase"].as_str().unwrap());
    assert_eq!((code, value["run"]["outcome"].as_str()), (3, Some("failed")), "{value:#}");
    closed(&value, to);
}

/// What the journal keeps of a run, as text.
fn journal(world: &World, run: &Value) -> String {
    world.json(&["runs", run["id"].as_str().unwrap()]).1.to_string()
}

#[tokio::test]
async fn without_markers_everything_is_compared_at_the_end_of_looking_on() {
    let world = World::mended().await;
    let args = [&PLAIN[..], &["--set", "marker=no", "--set", "budget=60000"]].concat();
    let plan = world.plan("p.json", &args);
    let titles = plan["steps"].to_string();
    assert!(titles.contains("then compare everything: no marker tells"), "{titles}");
    // Something that the mirrors do not see, between the switch and the end of looking on.
    world
        .sql(
            "create function public.strike() returns trigger language plpgsql security definer as $$ begin
               set local session_replication_role = replica; delete from public.revenues_legacy where id = 3;
               set local session_replication_role = origin; return new; end $$;
             create trigger zzz_strike after insert on midwatch.events for each row
               when (new.body like '%\"id\": \"enable\"%' or new.body like '%\"id\":\"enable\"%') execute function public.strike()",
        )
        .await;
    let (code, value) = world.apply("p.json", plan["phrase"].as_str().unwrap());
    assert_eq!((code, value["run"]["outcome"].as_str()), (7, Some("partial")), "{value:#}");
    assert!(
        value["error"]["message"].as_str().unwrap().starts_with("1 rows of revenues differ"),
        "{value:#}"
    );
    // The engine decides by the cause; what is written down is the dialect's code for it.
    assert_eq!(value["error"]["code"].as_str(), Some("MW002"), "{value:#}");
    assert_eq!(world.json(&["runs"]).1["runs"][0]["code"].as_str(), Some("MW002"));
}

#[tokio::test]
async fn a_command_that_leaves_something_running_is_done_when_it_ends() {
    let world = World::mended().await;
    let args = [&PLAIN[..], &["--set", "before=sleep 5 & echo started", "--set", "hook_timeout=3s"]].concat();
    let plan = world.plan("p.json", &args);
    let run = world.applied("p.json", &plan);
    let text = journal(&world, &run);
    assert!(text.contains("started\\\\n") && text.contains("\\\"code\\\":0"), "{text}");
}

#[tokio::test]
async fn passwords_of_commands_stay_out_of_plan_and_journal() {
    let world = World::mended().await;
    let args = |command| [&["plan"], &PLAIN[..], &["--set", command]].concat();
    for command in ["before=psql postgres://u:s3cr3t@h/db", "after=PGPASSWORD=s3cr3t psql"] {
        let (code, value) = world.json(&args(command));
        let text = value.to_string();
        assert!(code == 2 && text.contains("holds a password") && !text.contains("s3cr3t"), "{code} {text}");
    }
    std::fs::write(world.file("secret"), "postgres://u:s3cr3t@h/db\n").unwrap();
    let before = format!("before=cat {}; exit 3", world.file("secret").display());
    let plan = world.plan("p.json", &args(&before)[1..]);
    let (code, value) = world.apply("p.json", plan["phrase"].as_str().unwrap());
    let text = value.to_string();
    assert!(code == 7 && text.contains("postgres://u:***@h/db") && !text.contains("s3cr3t"), "{text}");
    let hint = value["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("nobody has taken back what it did (--set failed=COMMAND does)"), "{hint}");
    let text = journal(&world, &value["run"]);
    assert!(text.contains("postgres://u:***@h/db") && !text.contains("s3cr3t"), "{text}");
}

#[tokio::test]
async fn what_ran_before_a_switch_that_was_not_made_is_taken_back_and_done_again() {
    let world = World::mended().await;
    let flag = world.file("flag");
    let (before, failed) =
        (format!("before=echo off >> {}", flag.display()), format!("failed=echo on >> {}", flag.display()));
    let args = [&PLAIN[..], &["--set", "patience=1s", "--set", &before, "--set", &failed]].concat();
    let plan = world.plan("p.json", &args);
    let mut session = world.owner().await;
    session.execute_script("begin; lock table revenues in access share mode").await.unwrap();
    let (code, value) = world.apply("p.json", plan["phrase"].as_str().unwrap());
    drop(session);
    assert_eq!((code, value["run"]["outcome"].as_str()), (7, Some("partial")), "{value:#}");
    let hint = value["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("has run before the switch") && hint.contains("took it back"), "{hint}");
    assert_eq!(value["error"]["code"].as_str(), Some("55P03"), "{value:#}");
    assert_eq!(std::fs::read_to_string(&flag).unwrap(), "off\non\n");
    assert!(journal(&world, &value["run"]).contains("echo on"), "{value:#}");
    let (code, value) = world.json(&["resume", value["run"]["id"].as_str().unwrap()]);
    assert_eq!((code, value["run"]["outcome"].as_str()), (0, Some("applied")), "{value:#}");
    assert_eq!(std::fs::read_to_string(&flag).unwrap(), "off\non\noff\n");
}

/// Of the build before the swap named what depends on its tables.
#[tokio::test]
async fn a_switchover_of_an_earlier_version_is_not_stale_for_what_it_does_not_say() {
    let world = World::mended().await;
    world.accept_foreign_plans();
    world.plan("p.json", &PLAIN);
    let plan = world.altered("p.json", |plan| {
        for step in &mut plan.steps {
            if let Action::Task(task) = &mut step.action {
                task.args.remove("dependents");
            }
        }
    });
    assert!(!plan.to_string().contains("dependents"));
    world.applied("p.json", &plan);
}
