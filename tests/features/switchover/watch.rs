//! `watch` through the program: planned, confirmed, applied; and what it costs nothing to look at afterwards.

use serde_json::{Value, json};

use crate::common::demo_database;
use crate::switchover::ownership::sales;
use crate::world::World;

async fn hospitality() -> World {
    let (database, _) = demo_database("hospitality", 1_000).await;
    World::on(database, "profile = \"hospitality\"\nenvironment = \"demo\"")
}

fn facts(world: &World, twin: &str) -> Value {
    let home = world.home.path().to_str().unwrap().to_owned();
    let run = crate::common::run(
        crate::common::midwatch(world.home.path())
            .env("XDG_STATE_HOME", home)
            .args(["check", twin, "--json"]),
    );
    run.json()["checks"][0]["facts"].clone()
}

#[tokio::test]
async fn marks_of_all_twins_are_planned_applied_and_taken_away() {
    let world = hospitality().await;
    let plan = world.plan("watch.json", &["watch", "all"]);
    assert_eq!(
        (&plan["reversible"], plan["steps"].as_array().unwrap().len()),
        (&json!("full"), 6),
        "{plan:#}"
    );
    let done = world.applied("watch.json", &plan);
    assert_eq!(done["verified"], true);
    facts(&world, "parity/expenses");
    let again = facts(&world, "parity/expenses");
    // What differs is read again each time; what is equal is not.
    let partitions = again["partitions"].as_array().unwrap();
    for p in partitions {
        assert_eq!(p["sealed"], p["status"] == "equal", "{p}");
    }
    assert!(again["sealed"].as_u64().unwrap() > 0, "{again}");
    let (code, refused) = world.json(&["plan", "watch", "expenses"]);
    assert_eq!(code, 3, "{refused}");
    assert!(refused["error"]["message"].as_str().unwrap().contains("nothing to do"));
    let off = world.plan("off.json", &["watch", "all", "--set", "off=yes"]);
    world.applied("off.json", &off);
    let left = "select count(*)::text from pg_trigger where tgname like 'midwatch_mark%'";
    assert_eq!(world.value(left).await, "0");
    assert_eq!(facts(&world, "parity/expenses")["sealed"], 0);
}

#[tokio::test]
async fn a_partition_that_lost_its_marks_gets_them_alone() {
    let world = hospitality().await;
    let plan = world.plan("watch.json", &["watch", "expenses"]);
    world.applied("watch.json", &plan);
    facts(&world, "parity/expenses");
    let sealed = facts(&world, "parity/expenses")["sealed"].as_u64().unwrap();
    assert!(sealed > 2, "{sealed}");
    let leaf = world
        .value("select min(inhrelid::regclass::text) from pg_inherits where inhparent = 'expenses_partitioned'::regclass")
        .await;
    world
        .sql(&format!(
            "drop trigger midwatch_mark_truncate on {leaf}; alter table only {leaf} disable trigger midwatch_mark"
        ))
        .await;
    assert_eq!(facts(&world, "parity/expenses")["sealed"], 0);
    let plan = world.plan("watch.json", &["watch", "expenses"]);
    assert!(plan["why"].as_str().unwrap().contains(&format!("changes of rows of {leaf}")), "{plan:#}");
    let steps = plan["steps"].as_array().unwrap();
    assert_eq!((steps.len(), steps[0]["statements"].as_array().unwrap().len()), (1, 3), "{steps:#?}");
    world.applied("watch.json", &plan);
    // Nobody knows what was written meanwhile: everything is read once more.
    assert_eq!(facts(&world, "parity/expenses")["sealed"], 0);
    assert_eq!(facts(&world, "parity/expenses")["sealed"].as_u64(), Some(sealed));
}

#[tokio::test]
async fn partitions_are_marked_some_at_a_time_and_a_run_that_stopped_half_way_goes_on() {
    let world = sales().await;
    let stop = "create function public.stop() returns event_trigger language plpgsql as $$ begin
                if current_query() like '%orders_day_50%' then raise 'not this one'; end if; end $$;
                create event trigger stop on ddl_command_start when tag in ('CREATE TRIGGER') execute function public.stop()";
    world
        .sql(&format!(
            "set role sales_owner; do $$ begin for i in 1..70 loop execute format(
             'create table sales.orders_day_%s partition of sales.orders_twin for values from (%L) to (%L)', i, date '2068-01-01' + i, date '2068-01-02' + i);
             end loop; end $$; reset role; {stop}"
        ))
        .await;
    let plan = world.plan("watch.json", &["watch"]);
    assert_eq!(plan["steps"][1]["portion"], 40, "{:#}", plan["steps"]);
    let all = plan["rows"].as_u64().unwrap();
    let (code, value) = world.apply("watch.json", plan["phrase"].as_str().unwrap());
    let run = &value["run"];
    assert_eq!(
        (code, run["outcome"].as_str(), run["resumable"].as_bool()),
        (7, Some("partial"), Some(true)),
        "{value:#}"
    );
    let id = run["id"].as_str().unwrap().to_owned();
    let done = run["rows_applied"].as_u64().unwrap();
    let made = "select count(*)::text from pg_trigger where tgname = 'midwatch_mark_truncate'";
    let there: u64 = world.value(made).await.parse().unwrap();
    // What is there is what was committed: whole portions.
    let first = plan["steps"][0]["statements"].as_array().unwrap().len() as u64;
    assert_eq!(((done - first) % 40, there), (0, 2 + (done - first) / 2), "{done} of {all}");
    assert_eq!(world.json(&["journal", "verify"]).0, 0);
    world.sql("drop event trigger stop").await;
    let (code, value) = world.json(&["resume", &id]);
    assert_eq!((code, value["run"]["rows_applied"].as_u64()), (0, Some(all)), "{value:#}");
    assert_eq!(world.json(&["journal", "verify"]).0, 0);
    assert_eq!(world.value(made).await, "74");
    let undo = world.undo("undo.json", &id);
    world.applied("undo.json", &undo);
    assert_eq!(world.value(made).await, "0");
}

#[tokio::test]
async fn what_was_marked_can_be_forgotten_and_then_nothing_is_sealed_by_it() {
    let world = hospitality().await;
    let plan = world.plan("watch.json", &["watch", "expenses"]);
    world.applied("watch.json", &plan);
    facts(&world, "parity/expenses");
    assert!(facts(&world, "parity/expenses")["sealed"].as_u64().unwrap() > 0);
    world
        .sql("update expenses set amount_cents = amount_cents + 1 where id = (select min(id) from expenses)")
        .await;
    // A proof made in a snapshot from before it was forgotten does not see that the marks are gone.
    let mut early = world.owner().await;
    early.execute_script("begin isolation level repeatable read; select 1").await.unwrap();
    let plan = world.plan("forget.json", &["watch", "expenses", "--set", "forget=yes"]);
    assert_eq!(plan["steps"].as_array().unwrap().len(), 1, "{:#}", plan["steps"]);
    assert_eq!(world.applied("forget.json", &plan)["verified"], true);
    let seen = early.fetch_value("select pg_relation_filenode('midwatch.marks')::text", &[]).await.unwrap();
    assert_eq!(seen, Some(world.value("select pg_relation_filenode('midwatch.marks')::text").await));
    assert_eq!(world.value("select count(*)::text from midwatch.marks").await, "0");
    let again = facts(&world, "parity/expenses");
    assert_eq!(again["sealed"], 0, "{again}");
    assert!(again["unsealed"].as_str().unwrap().contains("midwatch.marks is not as it was"), "{again}");
    let denied = world.owner().await.execute_script("delete from midwatch.marks").await.unwrap_err();
    assert!(denied.message.contains("append"), "{denied}");
}

#[tokio::test]
async fn who_does_not_own_the_tables_is_told_before() {
    let world = hospitality().await;
    world.sql("do $$ begin create role marker login; exception when duplicate_object then null; end $$;
               grant usage on schema public, midwatch to marker; grant select on all tables in schema public, midwatch to marker").await;
    let url = world.database.url().replace("keeper@", "marker@");
    world.configure(&format!(
        "[targets.main]\nurl = \"{url}\"\nprofile = \"hospitality\"\nenvironment = \"demo\"\n"
    ));
    let plan = world.plan("watch.json", &["watch", "revenues"]);
    let privileges = plan["preflight"].as_array().unwrap().iter().find(|p| p["id"] == "privileges").unwrap();
    assert_eq!(privileges["status"], "fail", "{privileges}");
    assert!(privileges["message"].as_str().unwrap().contains("ownership of revenues"), "{privileges}");
}
