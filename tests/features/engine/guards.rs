//! What the guard refuses, whatever the phrase.

use crate::common::Database;
use crate::world::World;

fn target(world: &World, more: &str) {
    world.configure(&format!(
        "[targets.main]\nurl = \"{}\"\nprofile = \"hithonix\"\n{more}",
        world.database.url()
    ));
}

#[tokio::test]
async fn a_read_only_target_plans_and_does_not_apply() {
    let world = World::hithonix().await;
    let plan = world.plan("p.json", &["backfill"]);
    let phrase = plan["phrase"].as_str().unwrap();
    let (code, value) =
        world.json(&["apply", world.file("p.json").to_str().unwrap(), "--confirm", phrase, "--read-only"]);
    assert_eq!(code, 3, "{value:#}");
    target(&world, "environment = \"demo\"\nread_only = true\n");
    let (code, value) = world.apply("p.json", phrase);
    assert_eq!(code, 3, "{value:#}");
    assert!(value["error"]["message"].as_str().unwrap().contains("read-only"));
}

#[tokio::test]
async fn outside_the_window_nothing_is_applied() {
    let world = World::hithonix().await;
    let plan = world.plan("p.json", &["backfill"]);
    let minute: u32 = world
        .value("select (extract(hour from now() at time zone 'UTC') * 60 + extract(minute from now() at time zone 'UTC'))::int::text")
        .await
        .parse()
        .unwrap();
    let at = |m: u32| format!("{:02}:{:02}Z", m / 60 % 24, m % 60);
    let window = |from: u32, to: u32| {
        format!("environment = \"demo\"\nwindow = {{ start = \"{}\", end = \"{}\" }}\n", at(from), at(to))
    };
    target(&world, &window(minute + 120, minute + 180));
    let (code, value) = world.apply("p.json", plan["phrase"].as_str().unwrap());
    assert_eq!(code, 3, "{value:#}");
    assert!(value["error"]["message"].as_str().unwrap().contains("opens in"), "{value:#}");
    target(&world, &window(minute + 1440 - 60, minute + 60));
    world.applied("p.json", &plan);
}

#[tokio::test]
async fn without_a_journal_nothing_is_applied() {
    let world = World::hithonix().await;
    world.sql("drop schema midwatch cascade").await;
    let plan = world.plan("p.json", &["backfill"]);
    let (code, value) = world.apply("p.json", plan["phrase"].as_str().unwrap());
    assert_eq!(code, 3, "{value:#}");
    assert!(value["error"]["message"].as_str().unwrap().contains("no journal, no action"));
    let (code, _) = world.json(&["runs"]);
    assert_eq!(code, 5);
    // The way out is a plan like any other.
    let init = world.plan("init.json", &["init"]);
    world.applied("init.json", &init);
    let plan = world.plan("p.json", &["backfill"]);
    world.applied("p.json", &plan);
}

#[tokio::test]
async fn a_role_without_the_privilege_is_told_before() {
    let world = World::hithonix().await;
    world
        .sql(
            "do $$ begin create role clerk login; exception when duplicate_object then null; end $$;
             grant usage on schema public, repairs, midwatch to clerk; grant select on all tables in schema public, repairs, midwatch to clerk",
        )
        .await;
    let url = world.database.url().replace("keeper@", "clerk@");
    world.configure(&format!(
        "[targets.main]\nurl = \"{url}\"\nprofile = \"hithonix\"\nenvironment = \"demo\"\n"
    ));
    let plan = world.plan("p.json", &["backfill"]);
    let failed: Vec<_> =
        plan["preflight"].as_array().unwrap().iter().filter(|p| p["status"] == "fail").collect();
    assert!(failed.iter().any(|p| p["message"].as_str().unwrap().contains("may not update")), "{failed:#?}");
    let (code, value) = world.apply("p.json", plan["phrase"].as_str().unwrap());
    assert_eq!(code, 3, "{value:#}");
}

#[tokio::test]
async fn what_a_batch_needs_besides_its_rows_is_told_before() {
    let world = World::hithonix().await;
    let grants = "do $$ begin execute format('revoke temporary on database %I from public', current_database()); end $$;
        grant insert, delete on repairs.business_dates to teller";
    world.as_role("teller", grants).await;
    let plan = world.plan("p.json", &["backfill", "--set", "strategy=repairs"]);
    let said = |id: &str| -> Vec<String> {
        let all = plan["preflight"].as_array().unwrap().iter();
        let failed = all.filter(|p| p["id"] == id && p["status"] == "fail");
        failed.map(|p| p["message"].as_str().unwrap().to_owned()).collect()
    };
    assert!(
        said("statements").iter().any(|m| m.contains("audit") && m.contains("audit_logs")),
        "{:#}",
        plan["preflight"]
    );
    assert!(said("statements").iter().any(|m| m.contains("rows of daily_status")), "{:#}", plan["preflight"]);
    assert_eq!(said("temporary").len(), 1, "{:#}", plan["preflight"]);
    assert_eq!(world.apply("p.json", plan["phrase"].as_str().unwrap()).0, 3);
}

#[tokio::test]
async fn irreversible_work_on_production_needs_more() {
    let world = World::hithonix().await;
    let plan = world.plan("p.json", &["fix", "duplicate_clock_in"]);
    let run = world.applied("p.json", &plan);
    let undo = |world: &World| world.undo("u.json", run["id"].as_str().unwrap());
    target(&world, "environment = \"production\"\n");
    let inverse = undo(&world);
    let phrase = inverse["phrase"].as_str().unwrap().to_owned();
    let (code, value) = world.apply("u.json", &phrase);
    assert_eq!(code, 3, "{value:#}");
    assert!(value["error"]["message"].as_str().unwrap().contains("without the console"));
    target(&world, "environment = \"production\"\n[policy]\nheadless_irreversible = true\n");
    let inverse = undo(&world);
    let phrase = inverse["phrase"].as_str().unwrap().to_owned();
    let (code, value) = world.apply("u.json", &phrase);
    assert_eq!(code, 3, "{value:#}");
    assert!(value["error"]["message"].as_str().unwrap().contains("name is asked for"), "{value:#}");
    let file = world.file("u.json");
    let args = ["apply", file.to_str().unwrap(), "--confirm", &phrase, "--confirm-target"];
    assert_eq!(world.json(&[&args[..], &["other"]].concat()).0, 3);
    assert_eq!(world.json(&[&args[..], &[&world.database.name]].concat()).0, 0);
}

#[tokio::test]
async fn a_check_that_would_refuse_the_undo_is_said() {
    let world = World::hithonix().await;
    world
        .sql(
            "alter table attendance_events add constraint india_date check \
             (business_date_ist = (event_timestamp_utc at time zone 'Asia/Kolkata')::date) not valid",
        )
        .await;
    let before = world.snapshot().await;
    let plan = world.plan("p.json", &["backfill"]);
    assert!(plan["undo"].as_str().unwrap().contains("india_date"), "{plan:#}");
    let run = world.applied("p.json", &plan);
    let inverse = world.undo("u.json", run["id"].as_str().unwrap());
    world.applied("u.json", &inverse);
    assert_eq!(world.snapshot().await, before);
    let check = "select convalidated::text from pg_constraint where conname = 'india_date'";
    assert_eq!(world.value(check).await, "false");
}

#[tokio::test]
async fn a_key_that_is_not_unique_is_refused() {
    let world = World::on(Database::empty().await, "profile = \"p.toml\"\nenvironment = \"demo\"");
    world.sql("create table t (k int, v int)").await;
    let profile = "name = \"p\"\n[[backfills]]\nname = \"v\"\ntable = \"t\"\nkey = [\"k\"]\nfilter = \"v is null\"\nset = { v = \"1\" }\n";
    std::fs::write(world.file("p.toml"), profile).unwrap();
    let (code, value) = world.json(&["plan", "backfill"]);
    assert_eq!(code, 3, "{value:#}");
    assert!(value["error"]["message"].as_str().unwrap().contains("unique index"));
}

/// What is missing is said, by whatever is planned first.
#[tokio::test]
async fn without_a_journal_every_operation_says_that_it_lacks_one() {
    let world = World::hospitality().await;
    world.sql("drop schema midwatch cascade").await;
    for what in [
        &["watch", "revenues"][..],
        &["watch", "--set", "forget=yes"],
        &["repair-triggers"],
        &["repair"],
        &["copy-missing"],
        &["rehearse"],
        &["switchover"],
    ] {
        let (code, value) = world.json(&[&["plan"], what].concat());
        let preflight = value["plan"]["preflight"].as_array().cloned().unwrap_or_default();
        let journal = preflight.iter().find(|p| p["id"] == "journal");
        assert!(code == 0 && journal.is_some_and(|p| p["status"] == "fail"), "{what:?}: {value:#}");
    }
}
