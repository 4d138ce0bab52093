//! Stages of a switchover: the window that binds them, what they say and what they leave behind.

use serde_json::Value;

use crate::switchover::ready;
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
    let world = ready().await;
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
    let world = ready().await;
    let to = window(&world).await;
    let plan = world.plan("p.json", &PLAIN);
    clock(&world, "events", "new.kind = 'stage'").await;
    let (code, value) = world.apply("p.json", plan["phrase"].as_str().unwrap());
    assert_eq!((code, value["run"]["outcome"].as_str()), (3, Some("failed")), "{value:#}");
    closed(&value, to);
}
