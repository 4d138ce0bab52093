//! What a change sets off besides itself: said beforehand, kept, or not done.

use serde_json::Value;

use crate::common::IMAGES;
use crate::world::World;

fn said(plan: &Value, id: &str) -> Vec<String> {
    let all = plan["preflight"].as_array().unwrap().iter().filter(|p| p["id"] == id);
    all.map(|p| format!("{} {}", p["status"].as_str().unwrap(), p["message"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn a_row_that_others_refer_to_is_not_deleted_with_them() {
    let world = World::hithonix().await;
    let plan = world.plan("p.json", &["backfill", "--set", "strategy=repairs", "--set", "limit=5"]);
    let run = world.applied("p.json", &plan);
    world
        .sql(&format!(
            "create table child (event_id uuid references repairs.business_dates (event_id) on delete cascade);
             insert into child select (key ->> 'event_id')::uuid from {IMAGES} i where seq = 1"
        ))
        .await;
    let inverse = world.undo("u.json", run["id"].as_str().unwrap());
    assert_eq!(inverse["rows"], 4, "{:#}", inverse["preflight"]);
    assert!(said(&inverse, "since")[0].contains("referred to by rows that would go with them"));
    assert!(said(&inverse, "references")[0].contains("public.child refers to repairs.business_dates"));
    // Somebody comes to refer to another row after the comparison.
    world
        .sql(&format!(
            "create function refer() returns trigger language plpgsql set search_path = public as $$ begin
               insert into child select (key ->> 'event_id')::uuid from {IMAGES} i where seq = 2; return null; end $$;
             create trigger refer after insert on midwatch.planned_blocks for each statement execute function public.refer()"
        ))
        .await;
    let (code, value) = world.apply("u.json", inverse["phrase"].as_str().unwrap());
    assert_eq!((code, value["run"]["outcome"].as_str()), (4, Some("stale")), "{value:#}");
    assert_eq!(world.value("select count(*)::text from child").await, "2");
    world.sql("drop trigger refer on midwatch.planned_blocks").await;
    let inverse = world.undo("u.json", run["id"].as_str().unwrap());
    assert_eq!(inverse["rows"], 3);
    world.applied("u.json", &inverse);
    let left = "select count(*)::text from child join repairs.business_dates using (event_id)";
    assert_eq!(world.value(left).await, "2");
}

#[tokio::test]
async fn a_trigger_that_nobody_knows_makes_a_plan_lossy() {
    let world = World::hithonix().await;
    world
        .sql(
            "alter table attendance_events add column updated_at timestamptz not null default '2020-01-01';
             create function touch() returns trigger language plpgsql as
             $$ begin new.updated_at := now(); return new; end $$;
             create trigger touch before update on attendance_events for each row execute function touch();
             create table side (id uuid);
             create function note() returns trigger language plpgsql as
             $$ begin insert into side values (new.id); return null; end $$;
             create trigger note after update of business_date_ist on attendance_events for each row execute function note();
             create function midwatch_reverse_x() returns trigger language plpgsql as
             $$ begin insert into side values (new.id); return null; end $$;
             create trigger x_midwatch_reverse after update of business_date_ist on attendance_events
             for each row execute function midwatch_reverse_x();
             create trigger other after update of payload on attendance_events for each row execute function note()",
        )
        .await;
    let plan = world.plan("p.json", &["backfill", "--set", "limit=5"]);
    assert_eq!(plan["reversible"], "lossy");
    assert!(
        plan["undo"].as_str().unwrap().contains("trigger touch of attendance_events (touch)"),
        "{plan:#}"
    );
    let told = said(&plan, "trigger");
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().all(|t| t.starts_with("warn")), "{told:?}");
    assert!(told.iter().any(|t| t.contains("x_midwatch_reverse")), "a name like ours is not ours: {told:?}");
    world.applied("p.json", &plan);
    // What the trigger wrote is in the image of the row as it became.
    let image = format!(
        "select count(*)::text from {IMAGES} i where run = 1 and seq is not null \
         and before ->> 'updated_at' like '2020%' and after ->> 'updated_at' > '2021'"
    );
    assert_eq!(world.value(&image).await, "5");
    let inverse = world.undo("u.json", "1");
    world.applied("u.json", &inverse);
}

#[tokio::test]
async fn a_trigger_that_comes_after_the_plan_makes_it_stale() {
    let world = World::hithonix().await;
    let plan = world.plan("p.json", &["backfill", "--set", "limit=5"]);
    assert_eq!(plan["reversible"], "full");
    world
        .sql(
            "create function late() returns trigger language plpgsql as $$ begin return new; end $$;
             create trigger late before update on attendance_events for each row execute function late()",
        )
        .await;
    let (code, value) = world.apply("p.json", plan["phrase"].as_str().unwrap());
    assert_eq!(code, 4, "{value:#}");
}

#[tokio::test]
async fn what_the_way_back_needs_is_looked_at_before() {
    let world = World::hithonix().await;
    let grants = "grant insert, update on daily_status to half; grant insert on audit_logs to half";
    world.as_role("half", grants).await;
    let plan = world.plan("p.json", &["fix", "status_mismatch"]);
    let undo = said(&plan, "undo");
    assert!(
        undo.iter().any(|m| m.starts_with("warn to take it back: putting rows of daily_status back")),
        "{undo:?}"
    );
}

#[tokio::test]
async fn a_column_that_cannot_be_read_is_told_before() {
    let world = World::hithonix().await;
    let grants = "revoke select on attendance_events from blind;
        grant select (id, employee_id, event_type, event_timestamp_utc, business_date_ist) on attendance_events to blind;
        grant update on attendance_events to blind";
    world.as_role("blind", grants).await;
    let plan = world.plan("p.json", &["backfill"]);
    let statements = said(&plan, "statements");
    assert!(
        statements.iter().any(|m| m.starts_with("fail the change of attendance_events")),
        "{statements:?}"
    );
}

#[tokio::test]
async fn a_deleted_row_that_holds_a_secret_comes_back_without_it() {
    let world = World::hithonix().await;
    world.sql("alter table repairs.business_dates add column token text default 't'").await;
    let profile =
        "extends = \"hithonix\"\nname = \"mine\"\nsecret_columns = [\"repairs.business_dates.token\"]\n";
    std::fs::write(world.file("mine.toml"), profile).unwrap();
    world.configure(&format!(
        "[targets.main]\nurl = \"{}\"\nprofile = \"mine.toml\"\nenvironment = \"demo\"\n",
        world.database.url()
    ));
    let plan = world.plan("p.json", &["backfill", "--set", "strategy=repairs", "--set", "limit=5"]);
    assert_eq!(plan["reversible"], "full");
    let run = world.applied("p.json", &plan);
    let inverse = world.undo("u.json", run["id"].as_str().unwrap());
    assert_eq!(inverse["reversible"], "lossy");
    assert!(
        inverse["undo"].as_str().unwrap().contains("token of repairs.business_dates is secret"),
        "{inverse:#}"
    );
}
