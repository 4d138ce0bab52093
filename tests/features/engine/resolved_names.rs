//! A name of the profile's is resolved once, when a change is planned: what stands in the way of it later in the search
//! path makes the plan stale, and a run and its undo stay with the tables that were planned for.

use midwatch::engine::model::change::RowChange;
use midwatch::engine::model::name::Relation;
use midwatch::engine::model::plan::Plan;
use midwatch::engine::model::step::Action;
use serde_json::{Value, json};

use crate::common::Database;
use crate::world::{World, of_an_earlier_version};

const PROFILE: &str = r#"
name = "p"
search_path = ["a", "b"]
[[backfills]]
name = "v"
guard = "keep"
[backfills.write]
table = "t"
key = ["k"]
filter = "t.v is null"
set = { v = "1" }
after_batch = "select b.counted() from batch"
[[backfills.write.derived]]
table = "sums"
key = ["one"]
rows = "select 1 as one from batch"
"#;

/// The table has a trigger that forbids the change, and a CHECK that forbids its inverse.
const TABLES: &str = "create schema a; create schema b;
    create table b.t (k int primary key, v int);
    insert into b.t (k) select generate_series(1, 5);
    alter table b.t add constraint filled check (v is not null) not valid;
    create table b.sums (one int primary key, rows int); insert into b.sums values (1, 0);
    create function b.counted() returns void language sql
      as 'update b.sums set rows = (select count(*) from b.t where v is not null) where one = 1';
    create function b.refuse() returns trigger language plpgsql as $$ begin raise 'kept'; end $$;
    create trigger keep before update on b.t for each row execute function b.refuse()";

/// Tables of the same names, which the path finds first.
const OTHERS: &str = "create table a.t as table b.t; create table a.sums as table b.sums";

/// Everything in a schema's tables, and whether the guard is on.
async fn content(world: &World, schema: &str) -> String {
    let rows = format!(
        "select (select string_agg(t::text, ' ' order by k) from {schema}.t) || ' ' || (select string_agg(s::text, ' ') from {schema}.sums s)"
    );
    world.value(&rows).await
}

const GUARD: &str = "select tgenabled::text from pg_trigger where tgname = 'keep'";

async fn world() -> World {
    let world = World::on(Database::empty().await, "profile = \"p.toml\"\nenvironment = \"demo\"");
    world.accept_foreign_plans();
    std::fs::write(world.file("p.toml"), PROFILE).unwrap();
    world.sql(TABLES).await;
    let init = world.plan("init.json", &["init"]);
    world.applied("init.json", &init);
    world
}

#[tokio::test]
async fn a_plan_is_stale_once_its_names_lead_to_other_tables() {
    let world = world().await;
    let before = content(&world, "b").await;
    let plan = world.plan("p.json", &["backfill"]);
    let action = &plan["steps"][0]["action"];
    assert_eq!(action["table"], "t", "images and people have the profile's name");
    assert_eq!(action["resolved"], json!({ "schema": "b", "name": "t" }));
    // One like it, and one that could not even be planned for.
    for others in [OTHERS, "create table a.t (x int); create table a.sums as table b.sums"] {
        world.sql(others).await;
        let others = world.value("select count(*)::text from a.t").await;
        let (code, value) = world.apply("p.json", plan["phrase"].as_str().unwrap());
        assert_eq!((code, value["run"]["outcome"].as_str()), (4, Some("stale")), "{value:#}");
        let said = value["error"]["message"].as_str().unwrap();
        assert!(said.contains("table t: planned b.t, now a.t"), "{said}");
        assert!(said.contains("table sums: planned b.sums, now a.sums"), "{said}");
        assert_eq!(content(&world, "b").await, before);
        assert_eq!(world.value("select count(*)::text from a.t").await, others);
        assert_eq!(world.value(RUNS).await, "0");
        world.sql("drop table a.t, a.sums").await;
    }
    world.applied("p.json", &plan);
    assert_eq!(content(&world, "b").await, "(1,1) (2,1) (3,1) (4,1) (5,1) (1,5)");
}

#[tokio::test]
async fn a_run_and_its_undo_stay_with_the_tables_that_were_planned() {
    let world = world().await;
    let before = content(&world, "b").await;
    let plan = world.plan("p.json", &["backfill"]);
    // Between the comparison with the plan and the first batch.
    world
        .sql(&format!(
            "create function public.meanwhile() returns trigger language plpgsql as $$ begin {OTHERS}; return null; end $$;
             create trigger meanwhile after insert on midwatch.planned_blocks for each statement execute function public.meanwhile()"
        ))
        .await;
    let run = world.applied("p.json", &plan);
    assert_eq!((run["rows_applied"].as_u64(), run["verified"].as_bool()), (Some(5), Some(true)), "{run:#}");
    assert_eq!(content(&world, "b").await, "(1,1) (2,1) (3,1) (4,1) (5,1) (1,5)");
    assert_eq!(content(&world, "a").await, before);
    assert_eq!(world.value(GUARD).await, "O");
    assert_eq!(
        world
            .value("select string_agg(distinct relation, ' ' order by relation) from midwatch.image_blocks")
            .await,
        "sums t"
    );
    // The names lead to the other tables by now, which the run has not touched.
    world.sql("drop trigger meanwhile on midwatch.planned_blocks; update a.t set v = 7").await;
    let others = content(&world, "a").await;
    let undo = world.undo("u.json", run["id"].as_str().unwrap());
    let undone = world.applied("u.json", &undo);
    assert_eq!(undone["verified"], true, "{undone:#}");
    assert_eq!(content(&world, "b").await, before);
    assert_eq!(content(&world, "a").await, others);
    assert_eq!(world.value(GUARD).await, "O");
}

/// The change of the first step.
fn change(plan: &mut Plan) -> &mut RowChange {
    let Action::Rows(change) = &mut plan.steps[0].action else { panic!("no rows are changed") };
    change
}

/// Runs besides the journal's own.
const RUNS: &str = "select count(*)::text from midwatch.runs where operation <> 'init'";

#[tokio::test]
async fn plans_of_an_earlier_version_are_stale_for_the_names_that_they_leave_to_the_path() {
    let world = world().await;
    let before = content(&world, "b").await;
    world.plan("p.json", &["backfill"]);
    let plan = world.altered("p.json", of_an_earlier_version);
    assert!(!plan.to_string().contains("resolved"));
    left_to_the_path(&world, "p.json", &plan);
    assert_eq!(content(&world, "b").await, before);
    let plan = world.plan("p.json", &["backfill"]);
    let run = world.applied("p.json", &plan);
    let after = content(&world, "b").await;
    let undo = world.undo("u.json", run["id"].as_str().unwrap());
    assert_eq!(undo["steps"][0]["action"]["resolved"], json!({ "schema": "b", "name": "t" }));
    let undo = world.altered("u.json", of_an_earlier_version);
    left_to_the_path(&world, "u.json", &undo);
    assert_eq!(content(&world, "b").await, after);
}

/// Nothing else has moved, and still it is refused.
fn left_to_the_path(world: &World, file: &str, plan: &Value) {
    assert!(!plan.to_string().contains("resolved"));
    let (code, value) = world.apply(file, plan["phrase"].as_str().unwrap());
    assert_eq!((code, value["run"]["outcome"].as_str()), (4, Some("stale")), "{value:#}");
    let said = value["error"]["message"].as_str().unwrap();
    assert!(said.contains("left its names to the search path"), "{said}");
}

#[tokio::test]
async fn a_fix_of_an_earlier_version_is_stale_for_that_alone() {
    let world = World::hithonix().await;
    world.accept_foreign_plans();
    world.plan("p.json", &["fix", "status_mismatch"]);
    let plan = world.altered("p.json", of_an_earlier_version);
    left_to_the_path(&world, "p.json", &plan);
}

#[tokio::test]
async fn a_plan_that_leaves_a_name_out_is_asked_for_its_questions_all_the_same() {
    let world = world().await;
    let before = content(&world, "b").await;
    let leaves_out: [fn(&mut Plan); 3] = [
        |plan| change(plan).resolved = None,
        |plan| change(plan).derived[0].resolved = None,
        of_an_earlier_version,
    ];
    for leave_out in leaves_out {
        world.plan("p.json", &["backfill"]);
        let plan = world.altered("p.json", |plan| {
            leave_out(plan);
            plan.verify[0].sql = "select i.key from run_rows i where false".into();
        });
        let (code, value) = world.apply("p.json", plan["phrase"].as_str().unwrap());
        assert_eq!((code, value["run"]["outcome"].as_str()), (4, Some("stale")), "{value:#}");
        assert!(value["error"]["message"].as_str().unwrap().contains("verify"), "{value:#}");
        assert_eq!(content(&world, "b").await, before);
        assert_eq!(world.value(RUNS).await, "0");
    }
}

#[tokio::test]
async fn an_undo_goes_to_no_table_that_its_run_has_not_changed() {
    let world = world().await;
    world.plan("p.json", &["backfill"]);
    let plan = world.altered("p.json", |_| ());
    let run = world.applied("p.json", &plan);
    let run = run["id"].as_str().unwrap();
    world.sql("create table b.other as table b.sums").await;
    let after = content(&world, "b").await;
    let leaves_out: [fn(&mut Plan); 2] = [|_| (), of_an_earlier_version];
    for leave_out in leaves_out {
        world.undo("u.json", run);
        let undo = world.altered("u.json", |plan| {
            leave_out(plan);
            change(plan).derived[0].resolved = Some(Relation::parse("b.other"));
        });
        let (code, value) = world.apply("u.json", undo["phrase"].as_str().unwrap());
        assert_eq!((code, value["run"]["outcome"].as_str()), (4, Some("stale")), "{value:#}");
    }
    // Left to the search path, it would go to the tables that the names lead to by now.
    world.undo("u.json", run);
    let undo = world.altered("u.json", of_an_earlier_version);
    world.sql(OTHERS).await;
    let others = content(&world, "a").await;
    let (code, value) = world.apply("u.json", undo["phrase"].as_str().unwrap());
    assert_eq!((code, value["run"]["outcome"].as_str()), (4, Some("stale")), "{value:#}");
    assert!(
        value["error"]["message"].as_str().unwrap().contains("table t: planned b.t, now a.t"),
        "{value:#}"
    );
    assert_eq!(content(&world, "b").await, after);
    assert_eq!(content(&world, "a").await, others);
    assert_eq!(world.value("select rows::text from b.other").await, "5");
    assert_eq!(world.value(RUNS).await, "1");
}

#[tokio::test]
async fn an_undo_whose_table_was_moved_names_the_table_that_was_changed() {
    let world = world().await;
    let plan = world.plan("p.json", &["backfill"]);
    let run = world.applied("p.json", &plan);
    world.sql("create schema c; alter table b.t set schema c").await;
    let (code, value) = world.json(&["undo", run["id"].as_str().unwrap()]);
    assert_ne!(code, 0);
    let said = value["error"]["message"].as_str().unwrap();
    assert!(said.contains("there is no table b.t any more: t led to it when the run was planned"), "{said}");
    assert_eq!(value["error"]["hint"], "move or rename it back");
}
