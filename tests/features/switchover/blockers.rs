//! Who stands in a switch's way: on a partition, on a sequence, or nobody at all any more.

use midwatch::dialect::postgres::owner::Owner;
use midwatch::engine::model::step::LockStrength;
use midwatch::engine::port::catalog::WantedLocks;
use midwatch::engine::port::reader::ReadOptions;
use serde_json::Value;

use crate::common::open;
use crate::world::World;

/// Applies a plan whose tables somebody holds; what it says when it gives up.
fn postponed(world: &World, plan: &Value) -> String {
    let (code, value) = world.apply("s.json", plan["phrase"].as_str().unwrap());
    assert_eq!((code, value["run"]["outcome"].as_str()), (7, Some("partial")), "{value:#}");
    value["error"]["message"].as_str().unwrap().to_owned()
}

async fn holding(world: &World, sql: &str) -> Owner {
    let mut session = world.owner().await;
    session.execute_script(&format!("begin; {sql}")).await.unwrap();
    session
}

#[tokio::test]
#[ignore = "long: make long"]
async fn whoever_holds_a_partition_or_a_sequence_is_named_and_so_is_a_prepared_transaction() {
    let world = World::mended().await;
    let wait = ["switchover", "--set", "patience=1s", "--set", "backup=skip", "--set", "monitor=0s"];
    let leaf = world
        .value("select min(inhrelid::regclass::text) from pg_inherits where inhparent = 'expenses_partitioned'::regclass")
        .await;
    let held = [
        (format!("lock table only {leaf} in access share mode"), "holds expenses_partitioned"),
        ("select setval('revenues_id_seq', last_value) from revenues_id_seq".to_owned(), "holds revenues"),
    ];
    for (sql, said) in held {
        let plan = world.plan("s.json", &wait);
        let session = holding(&world, &sql).await;
        let message = postponed(&world, &plan);
        assert!(message.contains("idle in transaction") && message.contains(said), "{sql}: {message}");
        // Who was waited for stays in the journal, once.
        let (_, value) = world.json(&["runs"]);
        let (_, value) = world.json(&["runs", value["runs"][0]["id"].as_str().unwrap()]);
        let events = value["runs"][0]["events"].as_array().unwrap();
        let waited: Vec<_> = events.iter().filter(|e| e["kind"] == "waiting").collect();
        assert_eq!(waited.len(), 1, "{events:#?}");
        assert_eq!(waited[0]["content"]["blockers"][0]["role"], "keeper", "{waited:#?}");
        drop(session);
    }
}

#[tokio::test]
async fn a_prepared_transaction_is_told_from_a_session_and_cannot_be_ended_as_one() {
    let world = World::hospitality().await;
    // As a statement has to write it.
    let name = r"E'kid''s \\ bank'";
    let held = format!("lock table only revenues in access share mode; prepare transaction {name}");
    holding(&world, &held).await;
    let engine = open(&world.database.url(), Some("hospitality"), world.home.path()).await.unwrap();
    let mut tx = engine.facts().begin(ReadOptions::default()).await.unwrap();
    let mode = engine.facts().dialect().lock_mode(LockStrength::Everyone);
    let wanted = WantedLocks { tables: &["revenues".to_owned()], mode, older_ms: 0 };
    let found = engine.facts().dialect().blockers(&mut *tx, &wanted).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    let text = found[0].text();
    assert!(
        text.starts_with(&format!("prepared transaction {name} of keeper for "))
            && text.contains("holds revenues")
            && text.contains("ROLLBACK PREPARED"),
        "{text}"
    );
    let phrase = found[0].phrase();
    let refused = found.into_iter().next().unwrap().confirm(&phrase).unwrap_err();
    assert!(refused.contains("no session"), "{refused}");
    world.sql(&format!("rollback prepared {name}")).await;
}

/// The session that holds the target's lock ends at the first rename; a sequence counts on when the rest is taken back.
const ENDED: &str = "
create sequence public.renamed;
create function public.end_the_lock() returns event_trigger language plpgsql as $$
begin
  if to_regclass('public.revenues_legacy') is not null and nextval('public.renamed') = 1 then
    perform pg_terminate_backend(pid, 5000) from pg_stat_activity
      where application_name like 'midwatch/lock%' and datname = current_database();
  end if;
end $$;
create event trigger end_the_lock on ddl_command_end when tag in ('ALTER TABLE') execute function public.end_the_lock()";

#[tokio::test]
async fn a_lock_lost_inside_the_swap_is_noticed_before_the_commit() {
    let world = World::mended().await;
    let args = [
        &["switchover", "--set", "backup=skip", "--set", "monitor=0s", "--set", "budget=60000"][..],
        // No copy has the event trigger that comes after planning.
        &["--set", "accept=untried"],
    ];
    let plan = world.plan("s.json", &args.concat());
    world.sql(ENDED).await;
    let (code, value) = world.apply("s.json", plan["phrase"].as_str().unwrap());
    assert_eq!((code, value["run"]["outcome"].as_str()), (7, Some("partial")), "{value:#}");
    let message = value["error"]["message"].as_str().unwrap();
    assert!(message.contains("lock is gone") && message.contains("nothing is switched"), "{message}");
    assert_eq!(world.value("select to_regclass('revenues_legacy')::text").await, "");
    let (code, value) = world.json(&["resume", value["run"]["id"].as_str().unwrap()]);
    assert_eq!((code, value["run"]["outcome"].as_str()), (0, Some("applied")), "{value:#}");
}

#[tokio::test]
async fn who_keeps_a_step_from_its_locks_is_named_and_every_attempt_is_in_the_journal() {
    let world = World::mended().await;
    world.configure(&format!(
        "[targets.main]\nurl = \"{}\"\nprofile = \"hospitality\"\nenvironment = \"demo\"\n\
         [policy]\nlock_timeout_ms = 20\nlock_attempts = 2\n",
        world.database.url()
    ));
    let plan = world.plan("s.json", &["switchover", "--set", "backup=skip", "--set", "monitor=0s"]);
    // A reader, there for longer, is not what a trigger waits for.
    let reader = holding(&world, "select from expenses limit 1").await;
    let writer = holding(&world, "update expenses set status = status where id = 1").await;
    let message = postponed(&world, &plan);
    assert!(message.contains("lock timeout in 2 attempts; pid "), "{message}");
    assert!(message.contains("holds expenses") && message.contains("update expenses"), "{message}");
    drop((reader, writer));
    let (_, value) = world.json(&["runs"]);
    let id = value["runs"][0]["id"].as_str().unwrap();
    let (_, value) = world.json(&["runs", id]);
    let events = value["runs"][0]["events"].as_array().unwrap();
    let attempts: Vec<_> = events.iter().filter(|e| e["kind"] == "attempt").map(|e| &e["content"]).collect();
    assert_eq!(attempts.len(), 2, "{attempts:#?}");
    for attempt in &attempts {
        assert_eq!(attempt["blockers"][0]["role"], "keeper", "{attempt:#}");
        assert!(attempt["stage"].as_str().unwrap().ends_with("/expenses"), "{attempt:#}");
    }
    let announced = attempts[0]["announced"].as_str().unwrap();
    assert!(announced.starts_with("attempt 1 of 2: ") && announced.contains("; pid "), "{announced}");
    assert!(attempts[1].get("announced").is_none(), "the run ends with another message: {:#}", attempts[1]);
    let (code, value) = world.json(&["resume", id]);
    assert_eq!((code, value["run"]["outcome"].as_str()), (0, Some("applied")), "{value:#}");
}
