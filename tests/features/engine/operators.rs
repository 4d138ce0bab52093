//! Who may work with the journal, and a journal that is not as this version made it.

use std::process::Stdio;

use crate::common::{Database, midwatch, open};
use crate::world::World;

/// A table whose rows anybody with the privilege can mend.
const PROFILE: &str = "name = \"p\"\n[[backfills]]\nname = \"v\"\ntable = \"t\"\nkey = [\"k\"]\nfilter = \"t.v is null\"\nset = { v = \"1\" }\n";

async fn small() -> World {
    let world = World::on(Database::empty().await, "profile = \"p.toml\"\nenvironment = \"demo\"");
    std::fs::write(world.file("p.toml"), PROFILE).unwrap();
    world.sql("create table t (k int primary key, v int); insert into t (k) values (1), (2)").await;
    world
}

/// The same world, seen by another role.
fn seen_by(world: &World, role: &str) {
    let url = world.database.url().replace("keeper@", &format!("{role}@"));
    world.configure(&format!(
        "[targets.main]\nurl = \"{url}\"\nprofile = \"p.toml\"\nenvironment = \"demo\"\n\
         [policy]\nallow_unknown_load = true\nallow_unknown_lag = true\n"
    ));
}

fn journal_preflight(plan: &serde_json::Value) -> String {
    let all = plan["preflight"].as_array().unwrap();
    let journal = all.iter().find(|p| p["id"] == "journal").unwrap();
    format!("{} {}", journal["status"].as_str().unwrap(), journal["message"].as_str().unwrap())
}

/// The same words in plan, apply, doctor, offers and `runs`.
async fn refused(world: &World, what: &str, doctor: i32) {
    let plan = world.plan("refused.json", &["backfill"]);
    let said = journal_preflight(&plan);
    assert!(said.starts_with("fail ") && said.contains(what), "{said}");
    let (code, value) = world.apply("refused.json", plan["phrase"].as_str().unwrap());
    assert_eq!(code, 3, "{value:#}");
    assert!(value["error"]["message"].as_str().unwrap().contains(what), "{value:#}");
    let run = world.run(&["doctor"]);
    assert_eq!(run.code, doctor, "{run:?}");
    assert!(run.stdout.contains(what), "{run:?}");
    let engine = open(&world.database.url(), Some("p.toml"), world.home.path()).await.unwrap();
    let offers = engine.offers();
    assert!(offers.iter().all(|o| o.disabled.as_ref().is_some_and(|d| d.contains(what))), "{offers:#?}");
    let run = world.run(&["runs"]);
    assert_eq!(run.code, 5, "{run:?}");
    assert!(run.stderr.contains(what), "{run:?}");
}

#[tokio::test]
async fn a_journal_of_a_newer_version_is_not_touched() {
    let world = small().await;
    let init = world.plan("init.json", &["init"]);
    world.applied("init.json", &init);
    world.sql("insert into midwatch.migrations values ('midwatch', '900_later.sql', '', '')").await;
    refused(&world, "made by a newer midwatch (it has migrations 900_later.sql)", 1).await;
    assert_eq!(world.json(&["plan", "init"]).0, 3);
}

#[tokio::test]
async fn a_damaged_journal_is_not_taken_for_none() {
    let world = small().await;
    let init = world.plan("init.json", &["init"]);
    world.applied("init.json", &init);
    world.sql("drop table midwatch.images cascade").await;
    refused(&world, "the journal is damaged: table midwatch.images", 5).await;
    world.sql("drop table midwatch.image_blocks").await;
    refused(&world, "table midwatch.image_blocks", 5).await;
    world.sql("drop trigger events_append_only on midwatch.events").await;
    refused(&world, "trigger midwatch.events_append_only", 5).await;
    world.sql("drop table midwatch.migrations").await;
    refused(&world, "table midwatch.migrations is missing", 5).await;
    assert_eq!(world.json(&["plan", "init"]).0, 3, "making it anew would fail half-way");
}

#[tokio::test]
async fn a_second_role_is_let_in_by_a_plan() {
    let world = small().await;
    let second = format!("second \"{}\"", world.database.name);
    let quoted = format!("\"second \"\"{}\"\"\"", world.database.name);
    world.sql(&format!("create role {quoted} login; grant select, update on t to {quoted}")).await;
    let init = world.plan("init.json", &["init"]);
    world.applied("init.json", &init);

    let url_name = second.replace(' ', "%20").replace('"', "%22");
    seen_by(&world, &url_name);
    let plan = world.plan("p.json", &["backfill"]);
    let said = journal_preflight(&plan);
    assert!(said.contains("lacks USAGE on schema midwatch"), "{said}");
    assert!(said.contains(&format!("plans init --set operators={second}")), "{said}");
    assert_eq!(world.apply("p.json", plan["phrase"].as_str().unwrap()).0, 3);

    seen_by(&world, "keeper");
    let (code, value) = world.json(&["plan", "init", "--set", "operators=nobody_here"]);
    assert_eq!(code, 2, "{value:#}");
    assert!(value["error"]["message"].as_str().unwrap().contains("no role nobody_here"), "{value:#}");
    assert_eq!(world.json(&["plan", "init"]).0, 3, "there is nothing else to do");
    let operators = format!("operators={second}");
    let grants = world.plan("g.json", &["init", "--set", &operators]);
    let statements = grants["steps"][0]["statements"].as_array().unwrap();
    assert_eq!(statements.len(), 12, "{grants:#}");
    assert!(statements.iter().all(|s| s.as_str().unwrap().ends_with(&format!(" TO {quoted}"))), "{grants:#}");
    world.applied("g.json", &grants);

    seen_by(&world, &url_name);
    let plan = world.plan("p.json", &["backfill"]);
    assert!(journal_preflight(&plan).starts_with("ok"), "{plan:#}");
    let run = world.applied("p.json", &plan);
    let inverse = world.undo("u.json", run["id"].as_str().unwrap());
    world.applied("u.json", &inverse);
    for table in ["events", "image_blocks", "images", "planned_blocks", "planned_rows"] {
        let may = "has_table_privilege(r.oid, 'midwatch.' || t, 'update, delete, truncate')";
        let sql = format!(
            "select ({may})::text from (values ('{table}')) v(t), pg_roles r where r.rolname like 'second%{}%'",
            world.database.name
        );
        assert_eq!(world.value(&sql).await, "false", "{table}");
    }
    world.sql(&format!("drop owned by {quoted}; drop role {quoted}")).await;
}

#[tokio::test]
async fn a_new_journal_lets_its_operators_in_at_once() {
    let world = small().await;
    let second = format!("second_{}", world.database.name);
    world.sql(&format!("create role {second} login; grant select, update on t to {second}")).await;
    let init = world.plan("init.json", &["init", "--set", &format!("operators={second}")]);
    world.applied("init.json", &init);
    seen_by(&world, &second);
    let plan = world.plan("p.json", &["backfill"]);
    world.applied("p.json", &plan);
    // Less is enough, and what is missing is named.
    world
        .sql(&format!(
            "revoke insert on midwatch.migrations, midwatch.head from {second}; \
             revoke usage on sequence midwatch.runs_id_seq from {second}; update t set v = null"
        ))
        .await;
    let plan = world.plan("p.json", &["backfill"]);
    world.applied("p.json", &plan);
    world.sql(&format!("revoke insert on midwatch.image_blocks from {second}")).await;
    let said = journal_preflight(&world.plan("p.json", &["backfill"]));
    assert!(said.contains("it lacks INSERT on midwatch.image_blocks: "), "{said}");
    assert_eq!(world.run(&["runs"]).code, 0, "it may still be read");
    world.sql(&format!("drop owned by {second}; drop role {second}")).await;
}

#[tokio::test]
async fn the_second_is_told_what_may_be_shown_and_no_more() {
    let world = small().await;
    let second = format!("second_{}", world.database.name);
    world.sql(&format!("create role {second} login; grant select, update on t to {second}")).await;
    let init = world.plan("init.json", &["init", "--set", &format!("operators={second}")]);
    world.applied("init.json", &init);
    // The first run waits in its batch until the row is gone.
    world
        .sql(
            "create table gate (shut bool); insert into gate values (true);
             create function wait() returns trigger language plpgsql as $$ begin
               while exists (select from public.gate) loop perform pg_sleep(0.01); end loop; return new; end $$;
             create trigger wait before insert on midwatch.image_blocks for each row execute function public.wait()",
        )
        .await;
    let plan = world.plan("p.json", &["backfill"]);
    let phrase = plan["phrase"].as_str().unwrap();
    let file = world.file("p.json");
    let mut first = midwatch(world.home.path())
        .env("USER", "dana")
        .args(["apply", file.to_str().unwrap(), "--confirm", phrase])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let waits = "select count(*)::text from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'";
    while world.value(waits).await == "0" {
        assert!(first.try_wait().unwrap().is_none(), "it has ended");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let refused = || {
        let plan = world.plan("second.json", &["backfill"]);
        let (code, value) = world.apply("second.json", plan["phrase"].as_str().unwrap());
        assert_eq!(code, 3, "{value:#}");
        value["error"]["message"].as_str().unwrap().to_owned()
    };
    let said = refused();
    assert!(said.contains("dana@") && said.contains("from the server's own machine"), "{said}");
    seen_by(&world, &second);
    let said = refused();
    assert!(said.contains("another operator is at work on this target: dana@"), "{said}");
    assert!(said.contains("an address that is not shown") && !said.contains("own machine"), "{said}");
    assert!(said.contains(", since 20") && said.ends_with("with run 2: backfill v"), "{said}");
    // Somebody else goes on with it: the run keeps its first name, the entry has theirs.
    world
        .sql(
            "set session_replication_role = replica; insert into midwatch.events select 900, '2026-11-21T00:00:00Z', 2, 'resumed', '{\"by\": \"erin@hall\"}', '', ''",
        )
        .await;
    let said = refused();
    assert!(said.contains("erin@hall") && said.contains("since 2026-11-21 00:00:00Z"), "{said}");
    assert!(world.json(&["runs"]).1["runs"][0]["resumed_by"].as_str() == Some("erin@hall"));
    world.sql("delete from gate").await;
    assert!(first.wait().unwrap().success());
    world.sql(&format!("drop owned by {second}; drop role {second}")).await;
}

#[tokio::test]
async fn an_operator_without_a_name_in_the_environment_is_looked_up() {
    let world = small().await;
    let plan = world.plan("init.json", &["init"]);
    let file = world.file("init.json");
    let args = ["apply", file.to_str().unwrap(), "--confirm", plan["phrase"].as_str().unwrap()];
    let run = crate::common::run(midwatch(world.home.path()).args(args));
    assert_eq!(run.code, 0, "{run:?}");
    let name = std::process::Command::new("id").arg("-un").output().unwrap();
    let name = String::from_utf8(name.stdout).unwrap();
    let operator = world.value("select operator from midwatch.runs").await;
    assert_eq!(operator.split('@').next(), Some(name.trim()), "{operator}");
}
