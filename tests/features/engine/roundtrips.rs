//! Apply, then undo: everything is as it was, and both ways are on record.

use serde_json::json;

use crate::common::Database;
use crate::world::World;

/// Applies and takes back; gives the plan and the run's number.
pub(crate) async fn there_and_back(world: &World, args: &[&str], audit: &str) -> serde_json::Value {
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
