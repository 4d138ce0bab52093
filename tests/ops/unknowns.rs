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
