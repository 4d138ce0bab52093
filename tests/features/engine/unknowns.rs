//! What cannot be known of a change is said, with the reason.

use crate::common::Database;
use crate::world::World;

#[tokio::test]
async fn what_follows_and_cannot_be_counted_is_unknown() {
    let world = World::on(Database::empty().await, "profile = \"p.toml\"\nenvironment = \"demo\"");
    world
        .sql("create table t (k int primary key, v int); create table d (k int primary key); insert into t values (1, 0)")
        .await;
    let profile = |rows: &str| {
        format!(
            "name = \"p\"\n[[backfills]]\nname = \"v\"\ntable = \"t\"\nkey = [\"k\"]\nfilter = \"t.v = 0\"\nset = {{ v = \"1\" }}\n\
             [[backfills.derived]]\ntable = \"d\"\nkey = [\"k\"]\nrows = \"{rows}\"\n"
        )
    };
    std::fs::write(world.file("p.toml"), profile("select b.k / b.old_v as k from batch b")).unwrap();
    let plan = world.plan("p.json", &["backfill"]);
    let follow = &plan["follow"][0];
    assert_eq!((follow["change"].as_str(), follow["rows"].as_u64()), (Some("d"), None), "{follow}");
    assert!(follow["unknown"].as_str().unwrap().contains("division by zero"), "{follow}");
    let text = world.run(&["plan", "backfill"]).stdout;
    assert!(text.contains("rows of d that follow: how many is unknown: "), "{text}");
    std::fs::write(world.file("p.toml"), profile("select b.k as k from batch b")).unwrap();
    let plan = world.plan("p.json", &["backfill"]);
    assert_eq!(plan["follow"][0]["rows"].as_u64(), Some(1), "{plan:#}");
}

#[tokio::test]
async fn rows_that_a_worker_may_take_are_counted_before_they_are_resolved() {
    let world = World::hithonix().await;
    let resolve = |finding: &str| {
        let finding = format!("finding={finding}");
        let plan = world.plan("p.json", &["resolve", "--set", "reason=gone", "--set", &finding]);
        let found = plan["preflight"].as_array().unwrap().iter().find(|p| p["id"] == "workers").cloned();
        (plan["rows"].as_u64().unwrap(), found)
    };
    let state = |state: &str, n: u32| {
        format!(
            "update attendance_events set sync_status = '{state}' where id in
             (select id from attendance_events where sync_status = 'SUCCESS' order by id limit {n})"
        )
    };
    world.sql(&format!("update attendance_events set sync_status = 'SUCCESS' where sync_status in ('PENDING', 'PROCESSING'); {}; {}", state("PENDING", 4), state("PROCESSING", 2))).await;
    let (rows, warned) = resolve("state/PENDING");
    let warned = warned.unwrap();
    assert_eq!((rows, warned["status"].as_str()), (4, Some("warn")), "{warned}");
    assert!(warned["message"].as_str().unwrap().starts_with("4 PENDING of the rows chosen: "), "{warned}");
    assert!(resolve("state/PROCESSING").1.unwrap()["message"].as_str().unwrap().starts_with("2 PROCESSING"));
    assert_eq!(resolve("exhausted").1, None, "nobody takes what has failed for good");
}

#[tokio::test]
async fn secrets_of_a_table_that_follows_make_the_way_back_lossy() {
    let world = World::hithonix().await;
    assert_eq!(world.plan("p.json", &["backfill"])["reversible"], "full");
    let profile = "extends = \"hithonix\"\nname = \"mine\"\nsecret_columns = [\"daily_status.notes\"]\n";
    std::fs::write(world.file("mine.toml"), profile).unwrap();
    world.configure(&format!(
        "[targets.main]\nurl = \"{}\"\nprofile = \"mine.toml\"\nenvironment = \"demo\"\n",
        world.database.url()
    ));
    let plan = world.plan("p.json", &["backfill"]);
    assert_eq!(plan["reversible"], "lossy", "{plan:#}");
    let undo = plan["undo"].as_str().unwrap();
    assert!(undo.contains("notes of daily_status is secret") && !undo.contains("full"), "{undo}");
    let run = world.applied("p.json", &plan);
    let inverse = world.undo("u.json", run["id"].as_str().unwrap());
    assert_eq!(inverse["reversible"], "lossy");
    world.applied("u.json", &inverse);
}

#[tokio::test]
async fn a_secret_column_with_a_quoted_name_is_in_no_image() {
    let world = World::on(Database::empty().await, "profile = \"p.toml\"\nenvironment = \"demo\"");
    world
        .sql("create table t (k int primary key, v text, \"Pin\" text, \"a.b\" text); insert into t values (1, 'x', 'p', 'p')")
        .await;
    let backfill = "[[backfills]]\nname = \"v\"\ntable = \"t\"\nkey = [\"k\"]\nfilter = \"true\"\nset = { v = \"'y'\" }\n";
    let secrets = "secret_columns = ['t.\"Pin\"', 'public.t.\"a.b\"']";
    std::fs::write(world.file("p.toml"), format!("name = \"p\"\n{secrets}\n{backfill}")).unwrap();
    let plan = world.plan("p.json", &["backfill"]);
    let kept = plan["steps"][0]["action"]["kept"].as_array().unwrap();
    let names: Vec<_> = kept.iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["k", "v"], "{plan:#}");
    // And it cannot be written.
    let writes = backfill.replace("{ v =", "{ \"Pin\" =");
    std::fs::write(world.file("p.toml"), format!("name = \"p\"\n{secrets}\n{writes}")).unwrap();
    let refused = world.run(&["plan", "backfill"]);
    assert!(refused.code != 0 && refused.stderr.contains("t.Pin is secret"), "{}", refused.stderr);
    // An entry that names nothing is none.
    std::fs::write(world.file("p.toml"), format!("name = \"p\"\nsecret_columns = ['t.']\n{backfill}"))
        .unwrap();
    let refused = world.run(&["plan", "backfill"]);
    assert!(refused.stderr.contains("secret_columns: \"t.\" names no column"), "{}", refused.stderr);
}

#[tokio::test]
async fn a_change_of_long_texts_is_cut_and_said_to_be() {
    let world = World::on(Database::empty().await, "profile = \"p.toml\"\nenvironment = \"demo\"");
    world
        .sql("create table t (k int primary key, v text); insert into t values (1, repeat('x', 5000))")
        .await;
    let profile = "name = \"p\"\n[[backfills]]\nname = \"v\"\ntable = \"t\"\nkey = [\"k\"]\nfilter = \"t.v like 'x%'\"\nset = { v = \"'y'\" }\n";
    std::fs::write(world.file("p.toml"), profile).unwrap();
    let plan = world.plan("p.json", &["backfill"]);
    let change = plan["totals"][0]["change"].as_str().unwrap();
    assert!(change.ends_with("… (cut)") && change.len() < 300, "{change}");
    let text = world.run(&["plan", "backfill"]).stdout;
    assert!(text.contains("rows whose change is cut are counted by its beginning"), "{text}");
}
