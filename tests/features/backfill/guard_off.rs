//! How long a batch may keep other writers out: rows are tried again, fewer at a time, and what goes as a whole needs a policy
//! that lets it.

use serde_json::Value;

use crate::world::World;

/// Each row takes 30 ms.
const SLOW: &str = "
create function slow() returns trigger language plpgsql as $$ begin
  if current_setting('application_name') like 'midwatch/run%' then perform pg_sleep(0.03); end if;
  return new;
end $$;
create trigger slow before update on attendance_events for each row execute function slow();";

const BATCHES: &str = "select count(*)::text from midwatch.events where kind = 'batch'";

fn allow(world: &World, ms: u64) {
    world.configure(&format!(
        "[targets.main]\nurl = \"{}\"\nprofile = \"hithonix\"\nenvironment = \"demo\"\n[policy]\nguard_off_ms = {ms}\n",
        world.database.url()
    ));
}

fn price(plan: &Value) -> Option<&str> {
    let all = plan["preflight"].as_array().unwrap();
    all.iter().find(|p| p["id"] == "guard_off").and_then(|p| p["message"].as_str())
}

/// At 03c73d6 a batch had 5 s whatever the policy said, and the run failed.
#[tokio::test]
async fn a_batch_that_keeps_writers_out_for_too_long_is_tried_again_with_fewer_rows() {
    let world = World::hithonix().await;
    world.sql(SLOW).await;
    allow(&world, 300);
    let plan = world.plan("plan.json", &["backfill", "--set", "limit=24"]);
    assert_eq!(price(&plan), None, "{plan:#}");
    world.applied("plan.json", &plan);
    assert!(world.value(BATCHES).await.parse::<u32>().unwrap() > 1);
}

/// At 03c73d6 such a batch could never be taken back: an undo takes it as a whole, and nothing gave it more than 5 s.
#[tokio::test]
async fn what_goes_as_a_whole_says_which_policy_lets_it_and_is_taken_back_with_it() {
    let world = World::hithonix().await;
    world.sql(SLOW).await;
    let before = world.snapshot().await;
    allow(&world, 6_000);
    let plan = world.plan("plan.json", &["backfill", "--set", "limit=24"]);
    assert!(price(&plan).unwrap().contains("up to 6000 ms"), "{plan:#}");
    let run = world.applied("plan.json", &plan)["id"].as_str().unwrap().to_owned();
    assert_eq!(world.value(BATCHES).await, "1");
    let changed = world.snapshot().await;

    allow(&world, 300);
    let undo = world.undo("undo.json", &run);
    let (code, failed) = world.apply("undo.json", undo["phrase"].as_str().unwrap());
    let error = &failed["error"];
    assert_eq!(code, 6, "{failed:#}");
    assert!(error["message"].as_str().unwrap().contains("with its guard off has 300 ms"), "{failed:#}");
    assert!(error["hint"].as_str().unwrap().contains("a longer guard_off_ms in [policy]"), "{failed:#}");
    assert_eq!(world.snapshot().await, changed);

    allow(&world, 6_000);
    let undo = world.undo("undo.json", &run);
    assert!(price(&undo).is_some(), "{undo:#}");
    world.applied("undo.json", &undo);
    assert_eq!(world.snapshot().await, before);
}
