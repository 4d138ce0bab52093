//! `watch` through the program: planned, confirmed, applied; and what it costs nothing to look at afterwards.

use serde_json::{Value, json};

use crate::common::demo_database;
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
        (&json!("full"), 3),
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
