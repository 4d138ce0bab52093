//! Runs that stop half-way: what is said of going on with them.

use serde_json::Value;

use crate::world::World;

/// Batches of five rows; the load of other tests on the same server does not count.
fn small_batches(world: &World, more: &str) {
    world.configure(&format!(
        "[targets.main]\nurl = \"{}\"\nprofile = \"hithonix\"\nenvironment = \"demo\"\n{more}\n\
         [policy]\nbatch_rows = 5\nmax_active_sessions = 1000\nmax_lock_waits = 1000\n",
        world.database.url()
    ));
}

/// The second batch and those that follow do this.
async fn second_batch(world: &World, action: &str) {
    world
        .sql(&format!(
            "create or replace function public.strike() returns trigger language plpgsql as $$ begin
               if exists (select from midwatch.runs r where r.outcome = 'running' and r.batch > 0) then {action} end if;
               return new; end $$;
             create or replace trigger aaa_strike before insert on midwatch.image_blocks for each row execute function public.strike()"
        ))
        .await;
}

/// A backfill that stopped in its second batch, and what it said.
async fn half_way(action: &str) -> (World, Value) {
    let world = World::hithonix().await;
    small_batches(&world, "");
    second_batch(&world, action).await;
    let plan = world.plan("p.json", &["backfill"]);
    let (code, value) = world.apply("p.json", plan["phrase"].as_str().unwrap());
    assert_eq!(code, 7, "{value:#}");
    (world, value)
}

#[tokio::test]
async fn what_would_fail_again_must_be_mended_first() {
    let (world, value) = half_way("raise exception 'the ledger is closed';").await;
    let hint = value["error"]["hint"].as_str().unwrap();
    assert!(
        hint.ends_with("mend that first; midwatch resume 1 then goes on with the rest, or midwatch undo 1 takes back what was done"),
        "{hint}"
    );
    let (_, list) = world.json(&["runs"]);
    let run = &list["runs"][0];
    assert_eq!((run["resumable"].as_bool(), run["code"].as_str()), (Some(true), Some("P0001")), "{run:#}");
    let text = world.run(&["runs"]).stdout;
    assert!(text.contains("mend what stopped it, then resume goes on"), "{text}");
    assert_eq!(world.json(&["resume", "1"]).0, 7, "nobody has mended it");
    world.sql("drop trigger aaa_strike on midwatch.image_blocks").await;
    assert_eq!(world.json(&["resume", "1"]).0, 0);
    assert_eq!(world.json(&["runs"]).1["runs"][0]["code"].as_str(), None);
}

#[tokio::test]
async fn what_was_of_the_moment_is_gone_on_with_as_it_is() {
    let (_world, value) = half_way("raise exception 'no space' using errcode = '53100';").await;
    let hint = value["error"]["hint"].as_str().unwrap();
    assert!(hint.ends_with("midwatch resume 1 goes on with the rest") && !hint.contains("mend"), "{hint}");
}

#[tokio::test]
async fn a_window_that_closes_stops_the_run_after_its_batch() {
    let world = World::hithonix().await;
    // The server's clock, which a row can put forward.
    world
        .sql(
            "create table public.clock (shift interval); insert into public.clock values ('0');
             alter function pg_catalog.clock_timestamp() rename to clock_timestamp_builtin;
             create function pg_catalog.clock_timestamp() returns timestamptz language sql volatile as
               'select pg_catalog.clock_timestamp_builtin() + (select shift from public.clock)';
             -- A default keeps the function, not its name.
             alter table midwatch.runs alter started_at set default pg_catalog.clock_timestamp(), alter beat_at set default pg_catalog.clock_timestamp()",
        )
        .await;
    second_batch(&world, "update public.clock set shift = '3 hours'; perform pg_sleep(0.1);").await;
    let hour: u32 =
        world.value("select extract(hour from now() at time zone 'UTC')::int::text").await.parse().unwrap();
    let (from, to) = ((hour + 23) % 24, (hour + 2) % 24);
    small_batches(&world, &format!("window = {{ start = \"{from:02}:00Z\", end = \"{to:02}:00Z\" }}"));
    let plan = world.plan("p.json", &["backfill"]);
    let (code, value) = world.apply("p.json", plan["phrase"].as_str().unwrap());
    assert_eq!(code, 7, "{value:#}");
    assert_eq!(
        (value["run"]["outcome"].as_str(), value["run"]["rows_applied"].as_u64()),
        (Some("partial"), Some(10)),
        "{value:#}"
    );
    let said = value["error"]["message"].as_str().unwrap();
    assert!(said.starts_with(&format!("the maintenance window closed at {to:02}:00Z; 10 of ")), "{said}");
    assert_eq!(
        value["error"]["hint"].as_str(),
        Some("midwatch resume 1 goes on with the rest when it is open again")
    );
    assert_eq!(world.json(&["resume", "1"]).0, 3, "it is still closed");
    world.sql("update public.clock set shift = '0'; drop trigger aaa_strike on midwatch.image_blocks").await;
    assert_eq!(world.json(&["resume", "1"]).0, 0);
}

#[tokio::test]
async fn what_was_taken_back_is_not_gone_on_with() {
    let (world, _) = half_way("raise exception 'the ledger is closed';").await;
    let fence = world.value("select fence::text from midwatch.runs where id = 1").await;
    world.sql("drop trigger aaa_strike on midwatch.image_blocks").await;
    let inverse = world.undo("u.json", "1");
    world.applied("u.json", &inverse);
    let (code, value) = world.json(&["resume", "1"]);
    assert_eq!(code, 3, "{value:#}");
    assert!(value["error"]["message"].as_str().unwrap().contains("taken back by run 2"), "{value:#}");
    // Its own client, come back after a cut, is told the same by its fence.
    assert_ne!(world.value("select fence::text from midwatch.runs where id = 1").await, fence);
}

#[tokio::test]
async fn a_forged_position_is_not_gone_on_from() {
    let (world, _) = half_way("raise exception 'the ledger is closed';").await;
    world.sql("drop trigger aaa_strike on midwatch.image_blocks").await;
    world.sql("update midwatch.runs set checkpoint = planned").await;
    let (code, value) = world.json(&["resume", "1"]);
    assert_eq!(code, 3, "{value:#}");
    assert!(value["error"]["message"].as_str().unwrap().contains("position of run 1"), "{value:#}");
    world.sql("update midwatch.runs set checkpoint = 5").await;
    assert_eq!(world.json(&["resume", "1"]).0, 0);
}
