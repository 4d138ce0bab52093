//! What was left half done, or could have been taken back, when the tables have moved on since.

use serde_json::Value;

use crate::switchover::end_to_end::{blocking, done, ready};
use crate::switchover::ownership::told;
use crate::world::World;

const SWITCH: [&str; 6] = ["switchover", "revenues,expenses", "--set", "backup=skip", "--set", "monitor=0"];

fn refused(world: &World, args: &[&str]) -> (i32, String) {
    let (code, value) = world.json(args);
    (code, format!("{} {}", value["error"]["message"], value["error"]["hint"]))
}

#[tokio::test]
async fn a_run_that_later_ones_have_overtaken_is_not_gone_on_with() {
    let world = ready().await;
    done(&world, &SWITCH);
    let said = world.file("said");
    let after = format!("after=echo legacy >> {}; exit 3", said.display());
    let plan =
        world.plan("p.json", &["rollback", "revenues,expenses", "--set", "monitor=0", "--set", &after]);
    let (code, value) = world.apply("p.json", plan["phrase"].as_str().unwrap());
    assert_eq!((code, value["run"]["outcome"].as_str()), (7, Some("partial")), "{value:#}");
    assert!(
        value["error"]["message"].as_str().unwrap().contains("2 of 2 twins are switched back"),
        "{value:#}"
    );
    let run = value["run"]["id"].as_str().unwrap().to_owned();
    // Until then it may be gone on with, and a plan says so.
    let plan = world.plan("p.json", &SWITCH);
    let broken = told(&plan, "warn").into_iter().find(|t| t.starts_with("broken_off: ")).unwrap();
    assert!(broken.contains(&format!("run {run} (rollback revenues,expenses) broke off")), "{broken}");
    let over = world.applied("p.json", &plan);
    let (code, why) = refused(&world, &["resume", &run]);
    let by = format!(
        "run {run} broke off, and run {} (switchover revenues,expenses) has switched",
        over["id"].as_str().unwrap()
    );
    assert!(code == 4 && why.contains(&by), "{code} {why}");
    assert_eq!(std::fs::read_to_string(&said).unwrap(), "legacy\n", "its command was not run again");
    let (_, value) = world.json(&["runs"]);
    let resumable: Vec<&Value> =
        value["runs"].as_array().unwrap().iter().filter(|r| r["resumable"] == true).collect();
    assert_eq!(resumable, Vec::<&Value>::new());
}

#[tokio::test]
async fn what_was_switched_together_loses_its_way_back_only_when_that_is_accepted() {
    let world = ready().await;
    done(&world, &SWITCH);
    let away = ["cleanup", "revenues", "--set", "backup=make", "--set"];
    let plan = world.plan("p.json", &[&away[..], &["accept=foreign_key"]].concat());
    let why = blocking(&plan).join("\n");
    assert!(
        why.contains("switched expenses together with revenues: without revenues they cannot be rolled back"),
        "{why}"
    );
    let (code, why) = refused(&world, &["plan", "switchover", "expenses"]);
    assert!(code == 3 && why.contains("midwatch plan rollback revenues,expenses"), "{code} {why}");
    let run = done(&world, &[&away[..], &["accept=foreign_key,set"]].concat());
    let run = run["id"].as_str().unwrap();
    let (code, why) = refused(&world, &["plan", "rollback", "expenses"]);
    assert!(
        code == 3 && why.contains(&format!("midwatch undo {run} brings the retired table of revenues back")),
        "{why}"
    );
    done(&world, &["cleanup", "revenues", "--set", "quiet=0", "--set", "accept=quiet"]);
    let (code, why) = refused(&world, &["undo", run]);
    assert!(
        code == 3 && why.contains("revenues_to_drop is not there any more: only the backup has it"),
        "{code} {why}"
    );
}
