//! The fixes of a profile: rows projected again, and compensations that another row revokes.

use crate::engine::roundtrips::there_and_back;
use crate::world::World;

#[tokio::test]
async fn days_projected_again() {
    let world = World::hithonix().await;
    there_and_back(&world, &["fix", "status_mismatch"], "REBUILD_DAILY_STATUS").await;
    assert_eq!(world.run(&["check", "anomalies/status_mismatch"]).code, 0);
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
