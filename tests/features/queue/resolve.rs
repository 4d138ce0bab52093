//! Failed work given another state, and that undone.

use crate::engine::roundtrips::there_and_back;
use crate::world::World;

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
