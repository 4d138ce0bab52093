//! Apply, then undo: everything is as it was, and both ways are on record.

use serde_json::json;

use crate::common::Database;
use crate::world::World;

/// Applies and takes back; gives the plan and the run's number.
async fn there_and_back(world: &World, args: &[&str], audit: &str) -> serde_json::Value {
    let before = world.snapshot().await;
    let plan = world.plan("plan.json", args);
    assert_eq!(plan["reversible"], "full", "{plan:#}");
    let done = world.applied("plan.json", &plan);
    let rows = plan["rows"].as_u64().unwrap();
    assert!(rows > 0);
    assert_eq!((&done["rows_applied"], &done["verified"]), (&json!(rows), &json!(true)));
    assert_ne!(world.snapshot().await, before);
    let written = format!("select count(*)::text from audit_logs where action = '{audit}'");
    assert_eq!(world.value(&written).await, rows.to_string());

    let run = done["id"].as_str().unwrap();
    let inverse = world.undo("undo.json", run);
    assert_eq!((&inverse["operation"], &inverse["undoes"]), (&json!("undo"), &json!(run)));
    world.applied("undo.json", &inverse);
    assert_eq!(world.snapshot().await, before);
    assert_eq!(world.value(&written).await, (2 * rows).to_string(), "both ways leave audit rows");

    // The undo of the undo is the change again.
    let (_, runs) = world.json(&["runs"]);
    let undo_run = runs["runs"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(runs["runs"][1]["undone_by"], json!(undo_run));
    let again = world.undo("again.json", &undo_run);
    assert_eq!(again["rows"], json!(rows));
    world.applied("again.json", &again);
    plan
}

#[tokio::test]
async fn backfill_in_place() {
    let world = World::hithonix().await;
    let plan = there_and_back(&world, &["backfill", "business_date_ist"], "BACKFILL_BUSINESS_DATE").await;
    assert!(plan["obstacle"].as_str().unwrap().contains("attendance_events_guard"));
    let guard = "select tgenabled::text from pg_trigger where tgname = 'attendance_events_guard'";
    assert_eq!(world.value(guard).await, "O");
    let context = "select (context->>'old_date' <> context->>'new_date')::text from audit_logs \
                   where action = 'BACKFILL_BUSINESS_DATE' limit 1";
    assert_eq!(world.value(context).await, "true");
    let (code, _) = world.json(&["check", "anomalies/date_mismatch"]);
    assert_eq!(code, 0);
}

#[tokio::test]
async fn backfill_with_all_triggers_silent() {
    let world = World::hithonix().await;
    let args = ["backfill", "--set", "strategy=replica_role", "--set", "limit=5"];
    let plan = there_and_back(&world, &args, "BACKFILL_BUSINESS_DATE").await;
    assert_eq!(plan["rows"], 5);
    assert!(plan["obstacle"].as_str().unwrap().contains("ALL ordinary triggers"));
}

#[tokio::test]
async fn backfill_by_corrective_rows() {
    let world = World::hithonix().await;
    let ledger = "select md5(string_agg(e::text, '' order by id)) from attendance_events e";
    let before = world.value(ledger).await;
    there_and_back(&world, &["backfill", "--set", "strategy=repairs"], "REPAIR_BUSINESS_DATE").await;
    assert_eq!(world.value(ledger).await, before, "the ledger itself stays as it is");
    let (code, value) = world.json(&["check", "anomalies/date_mismatch", "anomalies/status_mismatch"]);
    let dates =
        &value["checks"].as_array().unwrap().iter().find(|c| c["id"] == "anomalies/date_mismatch").unwrap();
    assert_eq!(dates["status"], "ok", "{code} {dates:#}");
}

#[tokio::test]
async fn days_projected_again() {
    let world = World::hithonix().await;
    there_and_back(&world, &["fix", "status_mismatch"], "REBUILD_DAILY_STATUS").await;
    assert_eq!(world.run(&["check", "anomalies/status_mismatch"]).code, 0);
}

#[tokio::test]
async fn resolved_rows() {
    let world = World::hithonix().await;
    let args = [
        "resolve",
        "--set",
        "finding=exhausted",
        "--set",
        "to=SKIPPED",
        "--set",
        "reason=the vendor is gone",
    ];
    there_and_back(&world, &args, "RESOLVE_SYNC").await;
    let reason =
        "select distinct reason from audit_logs where action = 'RESOLVE_SYNC' and reason like 'the vendor%'";
    assert_eq!(world.value(reason).await, "the vendor is gone");
}

#[tokio::test]
async fn a_compensation_is_revoked_by_another_row() {
    let world = World::hithonix().await;
    let before: u64 = world.value("select count(*)::text from attendance_events").await.parse().unwrap();
    let plan = world.plan("plan.json", &["fix", "duplicate_clock_in"]);
    assert_eq!(plan["reversible"], "lossy");
    assert!(plan["undo"].as_str().unwrap().contains("both stay in the table"));
    let done = world.applied("plan.json", &plan);
    assert_eq!(world.run(&["check", "anomalies/duplicate_clock_in"]).code, 0);
    let inverse = world.undo("undo.json", done["id"].as_str().unwrap());
    assert_eq!(inverse["reversible"], "no");
    world.applied("undo.json", &inverse);
    let rows = plan["rows"].as_u64().unwrap();
    let after: u64 = world.value("select count(*)::text from attendance_events").await.parse().unwrap();
    assert_eq!(after, before + 2 * rows);
    assert_eq!(world.run(&["check", "anomalies/duplicate_clock_in"]).code, 1, "the anomaly is back");
    // And can be mended again.
    let again = world.plan("again.json", &["fix", "duplicate_clock_in"]);
    assert_eq!(again["rows"].as_u64(), Some(rows));
    world.applied("again.json", &again);
    assert_eq!(world.run(&["check", "anomalies/duplicate_clock_in"]).code, 0);
}

#[tokio::test]
async fn init_cannot_be_taken_back_and_says_so() {
    let world = World::on(Database::empty().await, "environment = \"demo\"");
    world.sql("create table t (id int primary key)").await;
    let plan = world.plan("init.json", &["init"]);
    assert_eq!((&plan["reversible"], &plan["unit"]), (&json!("no"), &json!("statements")));
    assert!(plan["undo"].as_str().unwrap().starts_with("impossible"));
    let done = world.applied("init.json", &plan);
    assert_eq!(world.value("select count(*)::text from midwatch.runs").await, "1");
    let (code, refused) = world.json(&["undo", done["id"].as_str().unwrap()]);
    assert_eq!(code, 3, "{refused:#}");
    let (code, _) = world.json(&["plan", "init"]);
    assert_eq!(code, 3, "there is nothing to do a second time");
}

#[tokio::test]
async fn rows_changed_since_are_left_alone() {
    let world = World::hithonix().await;
    let plan = world.plan("plan.json", &["resolve", "--set", "finding=exhausted", "--set", "reason=gone"]);
    let done = world.applied("plan.json", &plan);
    let id = plan["diff"][0]["key"]["id"].as_str().unwrap();
    world.sql(&format!("update attendance_events set sync_status = 'SUCCESS' where id = '{id}'")).await;
    let inverse = world.undo("undo.json", done["id"].as_str().unwrap());
    assert_eq!(inverse["rows"].as_u64().unwrap(), plan["rows"].as_u64().unwrap() - 1);
    let since = inverse["preflight"].as_array().unwrap().iter().find(|p| p["id"] == "since").unwrap();
    assert!(since["message"].as_str().unwrap().contains(id), "{since:#}");
    world.applied("undo.json", &inverse);
    assert_eq!(
        world.value(&format!("select sync_status::text from attendance_events where id = '{id}'")).await,
        "SUCCESS"
    );
}
