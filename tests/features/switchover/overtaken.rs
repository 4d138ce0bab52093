//! What was left half done, or could have been taken back, when the tables have moved on since.

use std::sync::Arc;

use midwatch::engine::gate::guard::TypedPhrase;
use midwatch::engine::model::name::Relation;
use midwatch::engine::model::name_change::NameChange;
use midwatch::engine::model::param::Params;
use midwatch::engine::model::plan::Plan;
use midwatch::engine::model::progress::Control;
use midwatch::engine::model::record::Outcome;
use midwatch::engine::model::report::{Report, Severity, Status};
use midwatch::engine::plan::operation::Operation;
use midwatch::engine::plan::request::Request;
use midwatch::engine::port::name_changes::NameChanges as _;
use midwatch::engine::{Engine, EngineParts};
use midwatch::features::switchover::status::SwitchoverStatus;
use serde_json::Value;

use crate::common::own_path::own_path;
use crate::common::{observe, open};
use crate::switchover::end_to_end::{blocking, done};
use crate::switchover::ownership::told;
use crate::world::World;

const SWITCH: [&str; 6] = ["switchover", "revenues,expenses", "--set", "backup=skip", "--set", "monitor=0"];

fn refused(world: &World, args: &[&str]) -> (i32, String) {
    let (code, value) = world.json(args);
    (code, format!("{} {}", value["error"]["message"], value["error"]["hint"]))
}

#[tokio::test]
#[ignore = "long: make long"]
async fn a_run_that_later_ones_have_overtaken_is_not_gone_on_with() {
    let world = World::mended().await;
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
    let world = World::mended().await;
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

/// The room and the plan of a drop ask by statements of ours that know no search path.
async fn no_path_is_needed(world: &World) {
    let parts = open(&world.database.url(), None, world.home.path()).await.unwrap().into_parts();
    let facts = Arc::new(own_path(Arc::clone(&parts.facts)));
    let engine = Engine::new(EngineParts { facts, ..parts });
    let room = SwitchoverStatus::read(&engine, "revenues,expenses").await.unwrap();
    assert_eq!((room.twins.len(), room.hidden), (2, 0));
    let name = Some("revenues,expenses".to_owned());
    let request = Request::Operation { verb: "cleanup".into(), name, params: Params::default() };
    let drop = engine.plan(&request, &|_| ()).await.unwrap().plan;
    assert!(drop.changes.iter().all(|c| c.contains(" goes for good: about ")), "{:?}", drop.changes);
}

/// What a plan declares is what its statements do: as plans of older versions are read, which declared nothing.
fn agrees(plan: &Value) {
    static OPERATIONS: &[&dyn Operation] = midwatch::features::OPERATIONS;
    let mut plan: Plan = serde_json::from_value(plan.clone()).unwrap();
    let declared = std::mem::take(&mut plan.renames);
    assert!(!declared.is_empty());
    // A statement may leave the schema to the search path, and quotes where there need be none.
    let bare = |changes: &[NameChange]| -> Vec<(String, Option<String>)> {
        let bare = |name: &String| Relation::parse(name).name;
        changes.iter().map(|c| (bare(&c.from), c.to.as_ref().map(bare))).collect()
    };
    assert_eq!(bare(&OPERATIONS.in_plan(&plan)), bare(&declared), "{}", plan.operation);
}

/// The undo of a run, planned as an older version did, which declared no names, and carried out.
async fn undone_by_an_older_version(world: &World, run: &str) -> String {
    let engine = open(&world.database.url(), None, world.home.path()).await.unwrap();
    let mut planned = engine.plan(&Request::Undo { run: run.to_owned() }, &|_| ()).await.unwrap();
    planned.plan.renames.clear();
    planned.plan.seal();
    let phrase = planned.plan.phrase.clone();
    let gate = engine.review(planned, true).await.unwrap();
    let at = engine.server_time().await.unwrap();
    let typed = TypedPhrase { phrase: &phrase, database: None, at };
    let done =
        engine.run(gate.confirm(&typed).map_err(|d| d.why).unwrap(), &Control::default(), &|_| ()).await;
    assert_eq!((done.outcome, done.failure), (Outcome::Applied, None));
    done.run.unwrap()
}

#[tokio::test]
async fn the_undo_of_an_older_undo_declares_the_names_that_it_changes() {
    let world = World::mended().await;
    done(&world, &SWITCH);
    let away = ["cleanup", "revenues,expenses", "--set", "backup=make", "--set", "accept=foreign_key"];
    let cleaned = done(&world, &away)["id"].as_str().unwrap().to_owned();
    let back = undone_by_an_older_version(&world, &cleaned).await;
    agrees(&world.undo("u.json", &back));
    let again = undone_by_an_older_version(&world, &back).await;
    agrees(&world.undo("u.json", &again));
}

/// What the migrations check says under a profile of this name, which knows no twins.
async fn report_of(world: &World, name: &str) -> Report {
    let engine = open(&world.database.url(), Some(&format!("{name}.toml")), world.home.path()).await.unwrap();
    observe(&engine, &format!("migrations/{name}")).await
}

/// State and note of a file that made a constraint of the legacy table.
async fn file_of(world: &World) -> (String, String) {
    let report = report_of(world, "mine").await;
    let file = &report.facts["files"][0];
    (file["state"].as_str().unwrap().to_owned(), file["note"].as_str().unwrap_or_default().to_owned())
}

/// Why something is not known, where that is so.
async fn unknown_of(world: &World) -> String {
    match report_of(world, "mine").await.status {
        Status::Unknown { why } => why,
        _ => String::new(),
    }
}

/// Findings about files with a history, by kind and severity, without what is told of indexes.
async fn found(world: &World) -> Vec<(String, Severity, String)> {
    let report = report_of(world, "later").await;
    let findings = report.findings.into_iter().filter_map(|f| {
        let kind = f.id.strip_prefix("migrations/later/")?.to_owned();
        Some((kind, f.severity, f.message))
    });
    findings.collect()
}

/// The table of these names was dropped by a run, and another has its name: files from before mean the dropped one, later
/// ones the other.
async fn later_files_mean_the_living_table(world: &World) {
    std::fs::create_dir(world.file("later")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(world.file("later").join(name), text).unwrap();
    write("001_key.sql", "alter table revenues add constraint revenues_pkey primary key (id);");
    write("002_x.sql", "alter table revenues add column x int;");
    write("003_y.sql", "create table later_y (id int); alter table revenues add column y int;");
    let profile = "name = \"later\"\n[[migrations]]\nname = \"later\"\nfolder = \"later\"\nhistory = \"versions\"\ntable = \"later_history\"\n";
    std::fs::write(world.file("later.toml"), profile).unwrap();
    world
        .sql(
            "create table later_history (version text primary key, applied_at timestamptz not null);
             insert into later_history values ('001', '2020-01-01 00:00:00+00')",
        )
        .await;
    let pending = |text: &str| ("pending".to_owned(), Severity::Warning, text.to_owned());
    assert_eq!(found(world).await, [pending("2 files pending: 002_x.sql, 003_y.sql")], "neither has run");

    world.sql("create table later_y (id int)").await;
    let partial = "003_y.sql (lacks column y of revenues): in part in the database, not recorded";
    assert_eq!(
        found(world).await,
        [
            ("partial".to_owned(), Severity::Critical, partial.to_owned()),
            pending("2 files pending: 002_x.sql, 003_y.sql")
        ]
    );
    world.sql("alter table revenues add column y int").await;
    world.sql("insert into later_history values ('002', now()), ('003', now())").await;
    let absent = "002_x.sql: recorded as applied, but nothing of it is in the database";
    assert_eq!(
        found(world).await,
        [("recorded_but_absent".to_owned(), Severity::Critical, absent.to_owned())],
        "001 went with its table, 002 did not"
    );
    world.sql("alter table revenues add column x int").await;
    assert_eq!(found(world).await, []);
}

/// A journal that is there, but cannot be read, or not all of it, leaves a doubt.
async fn what_the_journal_does_not_tell_is_not_known(world: &World, dropped: &str) {
    let unreadable = format!(
        "set session_replication_role = replica; update midwatch.runs set plan_text = '{{}}' where id = {dropped}"
    );
    world.sql(&unreadable).await;
    let why =
        format!("names that runs have changed: the plan of run {dropped} cannot be read by this version");
    assert_eq!(unknown_of(world).await, why);
    world.sql("alter table midwatch.events rename to events_elsewhere").await;
    assert_eq!(
        unknown_of(world).await,
        "names that runs have changed: the journal is damaged: table midwatch.events is missing"
    );
    // Where a declared probe answers for the file, nobody has to ask it.
    let profile =
        "name = \"probed\"\n[[migrations]]\nname = \"probed\"\nfolder = \"files\"\nhistory = \"none\"\n";
    let probes = "[migrations.probes]\n001 = \"select true\"\n";
    std::fs::write(world.file("probed.toml"), format!("{profile}{probes}")).unwrap();
    let report = report_of(world, "probed").await;
    assert_eq!((report.status, &report.facts["files"][0]["state"]), (Status::Ok, &Value::from("applied")));
}

#[tokio::test]
#[ignore = "long: make long"]
async fn a_file_whose_table_a_run_has_renamed_or_dropped_is_not_missing() {
    let world = World::mended().await;
    std::fs::create_dir(world.file("files")).unwrap();
    std::fs::write(
        world.file("files").join("001_key.sql"),
        "alter table revenues add constraint revenues_pkey primary key (id);",
    )
    .unwrap();
    let profile =
        "name = \"mine\"\n[[migrations]]\nname = \"mine\"\nfolder = \"files\"\nhistory = \"none\"\n";
    std::fs::write(world.file("mine.toml"), profile).unwrap();
    let applied = |since: &str| ("applied".to_owned(), format!("by the catalog{since}"));
    assert_eq!(file_of(&world).await, applied(""));

    agrees(&world.plan("p.json", &SWITCH));
    let switched = done(&world, &SWITCH)["id"].as_str().unwrap().to_owned();
    let since = format!("; revenues renamed to revenues_legacy by run {switched}");
    assert_eq!(file_of(&world).await, applied(&since));
    agrees(&world.plan("p.json", &["rollback", "revenues,expenses", "--set", "monitor=0"]));

    let away = ["cleanup", "revenues,expenses", "--set", "backup=make", "--set", "accept=foreign_key"];
    agrees(&world.plan("p.json", &away));
    let cleaned = done(&world, &away)["id"].as_str().unwrap().to_owned();
    agrees(&world.undo("u.json", &cleaned));
    let since = format!("; revenues renamed to revenues_to_drop by run {cleaned}");
    assert_eq!(file_of(&world).await, applied(&since));

    no_path_is_needed(&world).await;
    let away = ["cleanup", "revenues,expenses", "--set", "quiet=0", "--set", "accept=quiet"];
    agrees(&world.plan("p.json", &away));
    let dropped = done(&world, &away)["id"].as_str().unwrap().to_owned();
    let gone = format!("revenues dropped by run {dropped}");
    assert_eq!(file_of(&world).await, ("unknown".to_owned(), gone.clone()), "if it was there");
    assert_eq!(unknown_of(&world).await, format!("whether 001_key.sql was applied: {gone}"));
    later_files_mean_the_living_table(&world).await;
    what_the_journal_does_not_tell_is_not_known(&world, &dropped).await;

    // Without a journal the check answers by the catalog alone.
    world.sql("drop schema midwatch cascade").await;
    assert_eq!(file_of(&world).await, ("pending".to_owned(), "by the catalog".to_owned()));
}
