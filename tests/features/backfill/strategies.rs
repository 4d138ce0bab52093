//! Each strategy of a backfill, applied and undone.

use crate::engine::roundtrips::there_and_back;
use crate::world::World;

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
