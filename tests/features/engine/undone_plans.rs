//! Whose plans are undone: those that this version knows in full, in the order in which runs were made.

use serde_json::Value;

use crate::world::World;

/// Ledger dates computed again, and that undone.
async fn undone_once() -> World {
    let world = World::hithonix().await;
    let plan = world.plan("p.json", &["backfill"]);
    let run = world.applied("p.json", &plan);
    let inverse = world.undo("u.json", run["id"].as_str().unwrap());
    world.applied("u.json", &inverse);
    world
}

#[tokio::test]
async fn a_run_whose_plan_is_not_known_in_full_is_not_undone() {
    let world = undone_once().await;
    let inverse = world.undo("u.json", "2");
    assert!(inverse["rows"].as_u64().unwrap() > 0);
    world.replace_plan("2", |plan| plan["steps"][0]["later"] = true.into()).await;
    let (code, value) = world.json(&["undo", "2"]);
    let error = &value["error"];
    let said = "run 2: the plan was made by another version of midwatch: it has fields that this version does not know";
    assert_eq!((code, error["message"].as_str()), (2, Some(said)), "{value:#}");
    assert_eq!(error["hint"].as_str(), Some("use the version that made the plan"));
}

/// By its operation, where that undoes a run in its own way.
#[tokio::test]
async fn nor_is_one_that_another_row_would_revoke() {
    let world = World::hithonix().await;
    let plan = world.plan("p.json", &["fix", "duplicate_clock_in"]);
    let run = world.applied("p.json", &plan)["id"].as_str().unwrap().to_owned();
    world.replace_plan(&run, |plan| plan["steps"][0]["later"] = true.into()).await;
    let (code, value) = world.json(&["undo", &run]);
    let said = value["error"]["message"].as_str().unwrap();
    assert!(code == 2 && said.contains("made by another version of midwatch"), "{value:#}");
}

#[tokio::test]
async fn a_run_that_claims_to_undo_itself_is_followed_once() {
    let world = undone_once().await;
    let before = world.undo("u.json", "2");
    world.replace_plan("2", |plan| plan["undoes"] = "2".into()).await;
    let after = world.undo("u.json", "2");
    assert_eq!((&after["operation"], &after["rows"]), (&before["operation"], &before["rows"]));
}

#[tokio::test]
async fn a_switch_that_is_not_understood_is_not_called_no_switch() {
    let world = World::mended().await;
    let plan = world.plan("p.json", &["switchover", "--set", "backup=skip", "--set", "monitor=0s"]);
    let run = world.applied("p.json", &plan)["id"].as_str().unwrap().to_owned();
    let swap = |plan: &mut Value| {
        let steps = plan["steps"].as_array_mut().unwrap();
        steps.iter_mut().find(|s| s["action"]["do"] == "swap").unwrap()["action"]["later"] = true.into();
    };
    world.replace_plan(&run, swap).await;
    for way in [&["plan", "rollback"][..], &["undo", &run]] {
        let (code, value) = world.json(way);
        let said = value["error"]["message"].as_str().unwrap();
        assert!(code == 2 && said.contains("made by another version of midwatch"), "{way:?}: {value:#}");
        assert!(said.contains("later"), "{said}");
    }
}
