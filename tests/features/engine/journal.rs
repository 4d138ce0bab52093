//! The journal tells what was done, and whether somebody has altered it.

use crate::common::IMAGES;
use crate::world::World;

async fn with_a_run() -> World {
    let world = World::hithonix().await;
    let plan = world.plan("p.json", &["backfill"]);
    world.applied("p.json", &plan);
    let (code, value) = world.json(&["journal", "verify"]);
    assert_eq!(code, 0, "{value:#}");
    world
}

/// Does the owner's tampering show?
async fn found(world: &World, tampering: &str, expected: &str) {
    world
        .sql(&format!(
            "alter table midwatch.events disable trigger user; alter table midwatch.image_blocks disable trigger user;
             alter table midwatch.planned_blocks disable trigger user; {tampering};
             alter table midwatch.planned_blocks enable trigger user;
             alter table midwatch.events enable trigger user; alter table midwatch.image_blocks enable trigger user"
        ))
        .await;
    let (code, value) = world.json(&["journal", "verify"]);
    let findings = value["journal"]["findings"].to_string();
    assert_eq!(code, 1, "{tampering}");
    assert!(findings.contains(expected), "{tampering}: {findings}");
}

#[tokio::test]
async fn a_run_is_told_whole() {
    let world = with_a_run().await;
    let (_, list) = world.json(&["runs"]);
    let run = &list["runs"][0];
    assert_eq!((run["operation"].as_str(), run["outcome"].as_str()), (Some("backfill"), Some("applied")));
    assert!(run["operator"].as_str().unwrap().starts_with("dana@"), "{run:#}");
    let (_, one) = world.json(&["runs", run["id"].as_str().unwrap()]);
    let kinds: Vec<_> =
        one["runs"][0]["events"].as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&"intent"), Some(&"outcome")));
    assert!(kinds.contains(&"batch"));
    let (code, value) = world.json(&["resume", run["id"].as_str().unwrap()]);
    assert_eq!(code, 0, "a finished run has nothing to do: {value:#}");
    let (code, _) = world.json(&["runs", "99"]);
    assert_eq!(code, 2);
}

#[tokio::test]
async fn an_altered_entry_is_found() {
    let world = with_a_run().await;
    found(
        &world,
        "update midwatch.events set body = replace(body, 'dana', 'erin') where kind = 'intent'",
        "was altered",
    )
    .await;
}

#[tokio::test]
async fn a_removed_entry_is_found() {
    let world = with_a_run().await;
    found(&world, "delete from midwatch.events where kind = 'batch'", "missing").await;
}

#[tokio::test]
async fn a_cut_tail_is_found_by_the_mirror_even_when_the_head_is_turned_back() {
    let world = with_a_run().await;
    found(
        &world,
        "delete from midwatch.events where kind = 'outcome';
         update midwatch.head set (seq, hash) = (select seq, hash from midwatch.events order by seq desc limit 1)",
        "is in the copy and not in the journal",
    )
    .await;
}

#[tokio::test]
async fn an_altered_image_is_found() {
    let world = with_a_run().await;
    found(
        &world,
        "update midwatch.image_blocks set before[1] = '{\"business_date_ist\": \"2020-01-01\"}'
         where ctid = (select min(ctid) from midwatch.image_blocks where seqs is not null)",
        "images of run 1 batch 1",
    )
    .await;
}

#[tokio::test]
async fn altered_planned_rows_and_plans_are_found_and_not_gone_on_with() {
    let world = with_a_run().await;
    found(
        &world,
        "update midwatch.planned_blocks set after[2] = '{\"business_date_ist\": \"1999-01-01\"}' where first = 1",
        "planned rows of run 1 are not those",
    )
    .await;
    world.sql("update midwatch.runs set outcome = 'running', lock_pid = null").await;
    let (code, value) = world.json(&["resume", "1"]);
    assert_eq!(code, 3, "{value:#}");
    world.sql("update midwatch.runs set plan_text = replace(plan_text, 'BACKFILL', 'BACKFULL')").await;
    let (code, value) = world.json(&["resume", "1"]);
    assert_eq!(code, 3, "{value:#}");
    found(&world, "select", "the plan of run 1 is not the one").await;
}

#[tokio::test]
async fn an_outcome_made_better_is_found() {
    let world = with_a_run().await;
    found(&world, "update midwatch.runs set outcome = 'failed'", "outcome of run 1 is failed").await;
}

/// Whoever may work with the journal may write into the rows of runs: their entries know better.
#[tokio::test]
async fn whatever_is_written_into_a_run_is_found() {
    let world = with_a_run().await;
    world.sql("create table public.saved as select * from midwatch.runs").await;
    for (sql, finding) in [
        ("name = 'other'", "name of run 1 is other"),
        ("target = 'other'", "target of run 1"),
        ("operator = 'other'", "operator of run 1"),
        ("started_at = '2020-01-01'", "start of run 1"),
        ("applied = applied - 1", "rows changed of run 1"),
        ("drifted = 3", "rows left alone of run 1"),
        ("verified = false", "proof of run 1"),
        ("resumable = true", "way on of run 1"),
        ("outcome = 'running'", "outcome of run 1 is running, its entries say applied"),
        ("plan = jsonb_set(plan, '{undo}', '\"never\"')", "plan of run 1 is altered"),
        ("checkpoint = checkpoint + 1", "position of run 1"),
    ] {
        found(&world, &format!("update midwatch.runs set {sql}"), finding).await;
        let column = sql.split(' ').next().unwrap();
        world.sql(&format!("update midwatch.runs r set {column} = s.{column} from public.saved s")).await;
    }
    assert_eq!(world.json(&["journal", "verify"]).0, 0);
}

#[tokio::test]
async fn entries_cannot_be_changed_in_passing() {
    let world = with_a_run().await;
    for sql in [
        "update midwatch.events set body = ''",
        "delete from midwatch.image_blocks",
        "truncate midwatch.events",
    ] {
        let refused = world.owner().await.execute_script(sql).await.unwrap_err();
        assert!(refused.message.contains("append-only"), "{refused}");
    }
}

#[tokio::test]
async fn secrets_are_in_no_image() {
    let world = World::hithonix().await;
    let profile = "extends = \"hithonix\"\nname = \"mine\"\nsecret_columns = [\"attendance_events.keka_request_body\"]\n";
    std::fs::write(world.file("mine.toml"), profile).unwrap();
    world.configure(&format!(
        "[targets.main]\nurl = \"{}\"\nprofile = \"mine.toml\"\nenvironment = \"demo\"\n",
        world.database.url()
    ));
    // An image of a changed row has what a trigger writes besides.
    world
        .sql(
            "create function rewrite() returns trigger language plpgsql as $$ begin
               new.keka_request_body = '{\"token\": \"t\"}'; new.attempt_count = 99; return new; end $$;
             create trigger rewrite before update on attendance_events for each row execute function rewrite()",
        )
        .await;
    let plan = world.plan("p.json", &["backfill"]);
    world.applied("p.json", &plan);
    let images = async |which: &str| {
        world.value(&format!("select count(*)::text from {IMAGES} i where {which}")).await
    };
    assert_ne!(images("before ? 'attempt_count' and after ->> 'attempt_count' = '99'").await, "0");
    assert_eq!(images("before ? 'keka_request_body' or after ? 'keka_request_body'").await, "0");
    // What was not written is not kept.
    assert_eq!(images("seq is not null and before ? 'event_type'").await, "0");
}

#[tokio::test]
async fn a_list_says_how_many_runs_it_leaves_out() {
    let world = with_a_run().await;
    world
        .sql(
            "insert into midwatch.runs (operation, name, target, plan, plan_text, digest, operator, outcome, fence, planned)
             select operation, name, target, plan, plan_text, digest, operator, 'failed', 0, planned
             from midwatch.runs, generate_series(1, 119)",
        )
        .await;
    let (code, value) = world.json(&["runs"]);
    let count = |v: &serde_json::Value| v["runs"].as_array().unwrap().len();
    assert_eq!((code, count(&value)), (0, 100));
    assert_eq!((value["total"].as_u64(), value["older"].as_u64()), (Some(120), Some(20)));
    let text = world.run(&["runs"]).stdout;
    assert!(
        text.ends_with("… 100 of 120 runs, 20 older ones are not shown: midwatch runs --before 21\n"),
        "{text}"
    );
    let (_, value) = world.json(&["runs", "--before", "21"]);
    assert_eq!(
        (count(&value), value["older"].as_u64(), value["runs"][0]["id"].as_str()),
        (20, Some(0), Some("20"))
    );
    assert_eq!(count(&world.json(&["runs", "--limit", "120"]).1), 120);
    assert!(!world.run(&["runs", "--limit", "120"]).stdout.contains('…'));
    assert_eq!(world.json(&["runs", "--before", "x"]).0, 2);
}
