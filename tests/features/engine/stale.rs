//! Rows that move after the plan was compared and before its first batch: each is named, and nothing is changed.

use serde_json::Value;

use crate::common::Database;
use crate::world::World;

/// Somebody does this once the planned rows are written down.
async fn between(world: &World, action: &str) {
    world
        .sql(&format!(
            "create or replace function public.meanwhile() returns trigger language plpgsql set search_path = public as $$ begin
               set local session_replication_role = replica; {action}; set local session_replication_role = origin;
               return null; end $$;
             create or replace trigger meanwhile after insert on midwatch.planned_blocks for each statement execute function public.meanwhile()"
        ))
        .await;
}

/// Refused, with these rows named.
fn refused(world: &World, file: &str, plan: &Value) -> Vec<Value> {
    let (code, value) = world.apply(file, plan["phrase"].as_str().unwrap());
    assert_eq!((code, value["run"]["outcome"].as_str()), (4, Some("stale")), "{value:#}");
    assert_eq!(value["run"]["rows_applied"], 0);
    let moved = value["run"]["moved"].as_array().unwrap_or_else(|| panic!("no row is named: {value:#}"));
    assert_eq!(value["run"]["moved_total"], moved.len());
    moved.clone()
}

fn what(moved: &[Value]) -> Vec<(&str, &str)> {
    moved.iter().map(|m| (m["planned"]["key"]["k"].as_str().unwrap(), m["what"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn updated_rows_are_named_with_what_they_hold_now() {
    const PROFILE: &str = "name = \"p\"\n[[backfills]]\nname = \"v\"\ntable = \"t\"\nkey = [\"k\"]\nfilter = \"t.v is null\"\nset = { v = \"1\" }\n";
    let world = World::on(Database::empty().await, "profile = \"p.toml\"\nenvironment = \"demo\"");
    std::fs::write(world.file("p.toml"), PROFILE).unwrap();
    world
        .sql("create table t (k int primary key, v int); insert into t (k) select generate_series(1, 5)")
        .await;
    let init = world.plan("init.json", &["init"]);
    world.applied("init.json", &init);
    between(
        &world,
        "update t set v = 5 where k = 1; update t set v = 1 where k = 2; delete from t where k = 3",
    )
    .await;
    let plan = world.plan("p.json", &["backfill"]);
    let moved = refused(&world, "p.json", &plan);
    assert_eq!(what(&moved), [("1", "changed"), ("2", "gone"), ("3", "gone")], "{moved:#?}");
    assert_eq!(
        (&moved[0]["planned"]["before"]["v"], &moved[0]["now"]["before"]["v"]),
        (&Value::Null, &"5".into())
    );
    // Text says the same, in the words of any stale plan.
    world
        .sql("update t set v = null where k = 1; update t set v = null where k = 2; insert into t values (3)")
        .await;
    let plan = world.plan("p.json", &["backfill"]);
    let path = world.file("p.json");
    let run = world.run(&["apply", path.to_str().unwrap(), "--confirm", plan["phrase"].as_str().unwrap()]);
    assert_eq!(run.code, 4, "{run:?}");
    assert!(run.stdout.contains("changed k=1: planned NULL → 1, now 5 → 1"), "{run:?}");
    assert!(run.stdout.contains("gone k=3: planned NULL → 1, no longer to be changed"), "{run:?}");
    assert!(run.stderr.contains("3 rows have moved since they were planned: k=1"), "{run:?}");
    between(&world, "delete from t where k = 4").await;
    world.sql("update t set v = null; insert into t values (3) on conflict do nothing").await;
    let plan = world.plan("p.json", &["backfill"]);
    let (_, value) = world.apply("p.json", plan["phrase"].as_str().unwrap());
    let said = value["error"]["message"].as_str().unwrap();
    assert!(said.starts_with("1 row has moved since it was planned: k=4"), "{said}");
    // More than are told one by one are all counted.
    world
        .sql(
            "drop trigger meanwhile on midwatch.planned_blocks; insert into t select generate_series(11, 1600)",
        )
        .await;
    between(&world, "update t set v = 7").await;
    let plan = world.plan("p.json", &["backfill"]);
    let (code, value) = world.apply("p.json", plan["phrase"].as_str().unwrap());
    let told = value["run"]["moved"].as_array().unwrap().len() as u64;
    let total = value["run"]["moved_total"].as_u64().unwrap();
    assert!(code == 4 && told == total.min(1_000) && total >= 500, "{code} {told} {total}");
}

#[tokio::test]
async fn inserted_and_deleted_rows_are_named() {
    let world = World::hithonix().await;
    let args = ["backfill", "--set", "strategy=repairs", "--set", "limit=3"];
    let plan = world.plan("p.json", &args);
    let first = plan["diff"][0]["key"]["event_id"].as_str().unwrap();
    let other = format!(
        "insert into repairs.business_dates (event_id, old_date, new_date, reason) \
         values ('{first}', '2020-01-01', '2020-01-02', 'somebody else') on conflict do nothing"
    );
    between(&world, &other).await;
    let moved = refused(&world, "p.json", &plan);
    assert_eq!((moved.len(), moved[0]["what"].as_str()), (1, Some("changed")), "{moved:#?}");
    assert_eq!(moved[0]["now"]["before"]["reason"], "somebody else", "{moved:#?}");
    world
        .sql("drop trigger meanwhile on midwatch.planned_blocks; delete from repairs.business_dates where reason = 'somebody else'")
        .await;
    let plan = world.plan("p.json", &args);
    let run = world.applied("p.json", &plan);
    let undo = world.undo("u.json", run["id"].as_str().unwrap());
    between(&world, &format!("update repairs.business_dates set reason = 'kept' where event_id = '{first}'"))
        .await;
    let moved = refused(&world, "u.json", &undo);
    assert_eq!((moved.len(), moved[0]["what"].as_str()), (1, Some("changed")), "{moved:#?}");
    assert_eq!(moved[0]["now"]["before"]["reason"], "kept", "{moved:#?}");
}

#[tokio::test]
async fn rows_to_be_computed_again_are_named() {
    let world = World::hithonix().await;
    let plan = world.plan("p.json", &["fix", "status_mismatch"]);
    let row =
        plan["diff"].as_array().unwrap().iter().find(|r| !r["before"]["last_event_id"].is_null()).unwrap();
    let (employee, day) = (&row["key"]["employee_id"], &row["key"]["business_date_ist"]);
    between(
        &world,
        &format!(
            "update daily_status set break_minutes_used = 77 where employee_id = '{}' and business_date_ist = '{}'",
            employee.as_str().unwrap(),
            day.as_str().unwrap()
        ),
    )
    .await;
    let moved = refused(&world, "p.json", &plan);
    assert_eq!((moved.len(), moved[0]["what"].as_str()), (1, Some("changed")), "{moved:#?}");
    assert_eq!(
        (&moved[0]["planned"]["key"]["employee_id"], &moved[0]["planned"]["key"]["business_date_ist"]),
        (employee, day)
    );
    assert_eq!(moved[0]["now"]["before"]["break_minutes_used"], "77", "{moved:#?}");
}
