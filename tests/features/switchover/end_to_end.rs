//! Twins switched over and back, on a real server.

use serde_json::Value;

use crate::switchover::writers::{Writers, judge};
use crate::world::World;

pub(crate) fn blocking(plan: &Value) -> Vec<String> {
    let bad = |p: &&Value| matches!(p["status"].as_str(), Some("fail" | "unknown"));
    plan["preflight"]
        .as_array()
        .unwrap()
        .iter()
        .filter(bad)
        .map(|p| p["message"].as_str().unwrap().to_owned())
        .collect()
}

async fn kinds(world: &World) -> String {
    let sql = "select string_agg(relname || '=' || relkind::text, ' ' order by relname) from pg_class
               where relname ~ '^(revenues|expenses|daily_cash_balances)(_partitioned|_legacy)?$'";
    world.value(sql).await
}

#[tokio::test]
async fn the_demo_is_mended_switched_over_written_to_and_taken_back() {
    let world = World::mended().await;
    let before = kinds(&world).await;
    let plan = world.plan("s.json", &["switchover", "--set", "monitor=1s"]);
    assert_eq!(blocking(&plan), Vec::<String>::new());
    assert_eq!((plan["rows"].as_u64(), plan["name"].as_str()), (Some(3), Some("all")));
    assert!(plan["phrase"].as_str().unwrap().starts_with("switchover main 3 "), "{}", plan["phrase"]);
    let run = world.applied("s.json", &plan);
    assert_eq!(run["verified"].as_bool(), Some(true), "{run:#}");
    assert_eq!(
        kinds(&world).await,
        "daily_cash_balances=p daily_cash_balances_legacy=r daily_cash_balances_partitioned=v \
         expenses=p expenses_legacy=r expenses_partitioned=v revenues=p revenues_legacy=r revenues_partitioned=v"
    );
    let (code, value) = world.json(&["check", "parity"]);
    assert_eq!((code, &value["checks"][1]["facts"]["standing"]), (0, &Value::from("switched")), "{value:#}");
    // What the files made is there under its new names.
    let (code, value) = world.json(&["check", "migrations"]);
    assert!(code < 2 && !value.to_string().contains("recorded_but_absent"), "{value:#}");
    write(&world).await;
    let plan = world.plan("r.json", &["rollback", "--set", "monitor=1s"]);
    assert_eq!(blocking(&plan), Vec::<String>::new());
    let run = world.applied("r.json", &plan);
    assert_eq!(run["verified"].as_bool(), Some(true), "{run:#}");
    assert_eq!(kinds(&world).await, before);
    write(&world).await;
    let (_, value) = world.json(&["check", "parity"]);
    for check in value["checks"].as_array().unwrap() {
        assert_eq!(check["facts"]["different"].as_u64(), Some(0), "{:#}", check["findings"]);
    }
}

#[tokio::test]
async fn of_a_set_switched_in_part_the_rest_can_follow() {
    let world = World::mended().await;
    done(&world, &["switchover", "expenses", "--set", "monitor=0", "--set", "backup=skip"]);
    let (code, value) = world.json(&["plan", "switchover"]);
    assert_eq!((code, value["error"]["message"].as_str()), (3, Some("expenses is switched over already")));
    let hint = value["error"]["hint"].as_str().unwrap();
    let rest = "daily_cash_balances,revenues";
    assert!(hint.contains(&format!("midwatch plan switchover {rest} switches the rest")), "{hint}");
    assert!(hint.contains("midwatch plan rollback expenses"), "{hint}");
    done(&world, &["switchover", rest, "--set", "monitor=0", "--set", "backup=skip"]);
    assert!(!kinds(&world).await.contains("partitioned=p"), "{}", kinds(&world).await);
}

/// What applications do, whichever table has the name.
async fn write(world: &World) {
    world
        .sql(
            "insert into revenues (org_id, property_id, amount_cents, occurred_at, created_by_user_id)
               select 1, 1, i, now() - i * interval '1 day', 1 from generate_series(1, 50) i;
             update revenues set occurred_at = occurred_at - interval '35 days', status = null where id % 91 = 0 and occurred_at > now() - interval '200 days';
             update revenues set amount_cents = amount_cents + 1 where id % 17 = 0;
             delete from expenses where id % 301 = 0 and not exists (select from expense_deletion_requests r where r.expense_id = expenses.id);
             insert into revenue_deletion_requests (revenue_id, requested_by_user_id) select max(id), 1 from revenues;
             insert into daily_cash_balances (org_id, property_id, balance_date) values (77, 1, '2026-01-01')
               on conflict (org_id, property_id, balance_date) do update set closing_balance_cents = 5;",
        )
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_notice_neither_the_switch_nor_the_way_back() {
    let world = World::mended().await;
    let writers = Writers::start(&world.database, 4).await;
    for (operation, tables) in
        [("switchover", ["revenues", "revenues_legacy"]), ("rollback", ["revenues", "revenues_partitioned"])]
    {
        let world = &world;
        let plan = tokio::task::block_in_place(|| world.plan("p.json", &[operation, "--set", "monitor=2s"]));
        let run = tokio::task::block_in_place(|| world.applied("p.json", &plan));
        assert_eq!(run["verified"].as_bool(), Some(true), "{run:#}");
        let counts =
            format!("select (select count(*) from {}) = (select count(*) from {})", tables[0], tables[1]);
        assert_eq!(world.value(&format!("select ({counts})::text")).await, "true");
    }
    let ledgers = writers.stop().await;
    let commits: u64 = ledgers.iter().map(|l| l.commits).sum();
    assert!(commits > 500, "{commits}");
    judge(&mut world.owner().await, &ledgers, ["revenues", "revenues_partitioned"]).await;
    eprintln!("{commits} commits, slowest {:?}", ledgers.iter().map(|l| l.slowest).max());
}

/// Plans with these parameters and applies; gives the run.
pub(crate) fn done(world: &World, args: &[&str]) -> Value {
    let plan = world.plan("p.json", args);
    assert_eq!(blocking(&plan), Vec::<String>::new(), "{args:?}");
    world.applied("p.json", &plan)
}

fn refused(world: &World, args: &[&str]) -> String {
    let (code, value) = world.json(&[&["plan"], args].concat());
    if code == 3 {
        return value["error"]["message"].as_str().unwrap().to_owned();
    }
    assert_eq!(code, 0, "{value:#}");
    blocking(&value["plan"]).join("; ")
}

#[tokio::test]
#[ignore = "long: make long"]
async fn cleanup_puts_away_then_drops_after_a_quiet_time() {
    let world = World::mended().await;
    let accept = ["cleanup", "--set", "accept=foreign_key", "--set", "backup=make"];
    cleanup_waits_for_backup_equal_rows_and_a_free_name(&world, &accept).await;
    let plan = world.plan("c.json", &accept);
    assert_eq!((blocking(&plan), plan["reversible"].as_str()), (vec![], Some("lossy")));
    let away = world.applied("c.json", &plan);
    let id = away["id"].as_str().unwrap();
    a_retired_table_is_named_with_its_undo(&world, id).await;
    an_undone_cleanup_can_be_planned_again(&world, id).await;
    done(&world, &accept);
    dropping_waits_for_what_it_would_take_along(&world).await;
    dropped_tables_are_gone(&world).await;
}

async fn cleanup_waits_for_backup_equal_rows_and_a_free_name(world: &World, accept: &[&str]) {
    assert!(refused(world, &["cleanup"]).contains("not switched over"));
    done(world, &["switchover", "--set", "monitor=0", "--set", "backup=skip"]);
    let why = refused(world, &["cleanup"]);
    assert!(why.contains("no backup of daily_cash_balances, revenues, expenses is in the journal"), "{why}");
    assert!(why.contains("revenue_deletion_requests_revenue_id_fkey"), "{why}");
    world.sql("delete from revenues_legacy where id = 3").await;
    let why = refused(world, accept);
    assert!(why.contains("1 of 2000 rows are in the twin only"), "{why}");
    world.sql("update revenues set status = status where id = 3").await;
    world.sql("create table revenues_to_drop ()").await;
    let why = refused(world, accept);
    assert!(why.contains("revenues_to_drop is taken already"), "{why}");
    world.sql("drop table revenues_to_drop").await;
}

/// By the check, by a rollback, and by a second cleanup that comes too early.
async fn a_retired_table_is_named_with_its_undo(world: &World, run: &str) {
    let way_back = format!("midwatch undo {run} brings it back");
    let (_, value) = world.json(&["check", "parity/revenues"]);
    let check = &value["checks"][0];
    assert_eq!(
        (&check["facts"]["standing"], &check["facts"]["away"]["run"]),
        (&"cleaned".into(), &run.into())
    );
    assert!(check["summary"].as_str().unwrap().contains(&way_back), "{check:#}");
    let (code, value) = world.json(&["plan", "rollback", "revenues"]);
    assert_eq!(code, 3);
    assert!(value.to_string().contains("put away as revenues_to_drop since"), "{value:#}");
    assert!(value.to_string().contains(&way_back), "{value:#}");
    world.sql("update revenues set amount_cents = 1 where id = 5; insert into revenue_deletion_requests (revenue_id, requested_by_user_id) values (5, 1)").await;
    let why = refused(world, &["cleanup"]);
    assert!(why.contains("put away by run") && why.contains("24 h are asked for"), "{why}");
}

async fn an_undone_cleanup_can_be_planned_again(world: &World, run: &str) {
    let undo = world.undo("u.json", run);
    world.applied("u.json", &undo);
    // What applications write is right by itself: the partitioned table.
    let plan = world.plan("p.json", &["repair", "revenues"]);
    assert!(
        plan["why"].as_str().unwrap().contains("the legacy table of revenues shall hold what the twin holds"),
        "{plan:#}"
    );
    world.applied("p.json", &plan);
    world.sql("update revenues set amount_cents = 2 where id = 6").await;
    assert_eq!(world.value("select amount_cents::text from revenues_legacy where id = 6").await, "2");
}

/// All that CASCADE would reach is named, also what hangs on what hangs on it; and the time without use is asked for.
async fn dropping_waits_for_what_it_would_take_along(world: &World) {
    world
        .sql(
            "create view first_of as select id from revenues_to_drop; create view second_of as select * from first_of;
             create table elsewhere (id int); alter table elsewhere enable row level security;
             create policy looked_up on elsewhere using (exists (select from revenues_to_drop r where r.id = elsewhere.id));",
        )
        .await;
    let why = refused(world, &["cleanup", "--set", "quiet=0"]);
    for reached in ["view first_of", "view second_of", "policy looked_up"] {
        assert!(why.contains(reached), "{reached}: {why}");
    }
    assert!(!why.contains("revenues_pkey") && why.contains("accept=cascade"), "{why}");
    world.sql("drop table elsewhere; drop view first_of cascade").await;
    assert!(refused(world, &["cleanup", "--set", "quiet=0"]).contains("accept=quiet goes on with it"));
}

async fn dropped_tables_are_gone(world: &World) {
    let last = ["cleanup", "--set", "quiet=0", "--set", "accept=quiet"];
    // A table that only has the name was never put away.
    world
        .sql("alter table revenues_to_drop rename to aside; create table revenues_to_drop (like aside including all)")
        .await;
    let why = refused(world, &last);
    assert!(why.contains("revenues_to_drop is not the table that run"), "{why}");
    world.sql("drop table revenues_to_drop; alter table aside rename to revenues_to_drop").await;
    let plan = world.plan("d.json", &last);
    assert_eq!((blocking(&plan), plan["reversible"].as_str()), (vec![], Some("no")));
    world.applied("d.json", &plan);
    assert_eq!(world.value("select count(*)::text from pg_class where relname like '%_to_drop' or relname like '%_legacy'").await, "0");
    assert!(refused(world, &["rollback", "revenues"]).contains("the legacy table is gone"));
    let (_, value) = world.json(&["check", "parity/revenues"]);
    assert!(value["checks"][0]["facts"]["away"].is_null(), "{value:#}");
    assert_eq!(value["checks"][0]["facts"]["standing"], "cleaned");
}

#[tokio::test]
async fn stages_are_kept_with_their_counts_and_exported_as_two_logs() {
    let world = World::mended().await;
    let said = world.file("said");
    let (before, after) = (
        format!("before=echo off > {0}; echo flag off", said.display()),
        format!("after=echo on >> {}", said.display()),
    );
    let run = done(&world, &["switchover", "--set", "monitor=1s", "--set", &before, "--set", &after]);
    assert_eq!(std::fs::read_to_string(&said).unwrap(), "off\non\n");
    let dir = world.file("logs");
    let id = run["id"].as_str().unwrap();
    let (code, value) = world.json(&["runs", id, "--logs", dir.to_str().unwrap()]);
    assert_eq!((code, value["logs"].as_array().unwrap().len()), (0, 2), "{value:#}");
    let read = |start: &str| {
        let file = std::fs::read_dir(&dir)
            .unwrap()
            .map(|f| f.unwrap().path())
            .find(|p| p.file_name().unwrap().to_str().unwrap().starts_with(start));
        std::fs::read_to_string(file.unwrap()).unwrap()
    };
    let (log, counts) = (read("switchover_"), read("row_counts_"));
    for said in [
        "PRE-FLIGHT public.daily_cash_balances=",
        "BACKUP ",
        "restored from nothing into a private PostgreSQL",
        "COMPARED",
        "HOOK ",
        "command=echo off",
        "code=0",
        "flag off",
        "STEP enable",
        "held_ms=",
        "MONITOR",
        "DONE public.daily_cash_balances_legacy=",
        "END applied",
    ] {
        assert!(log.contains(said), "{said}: {log}");
    }
    let stages: Vec<_> = counts.lines().filter_map(|l| l.strip_prefix("=== ")?.split(' ').next()).collect();
    assert_eq!(stages, ["PRE-FLIGHT", "POST-BACKUP", "PRE-MIGRATION", "POST-MIGRATION", "DONE"]);
    assert!(counts.contains("sum(amount_cents)"), "{counts}");
    let sums: Vec<&str> =
        counts.lines().filter_map(|l| l.trim().strip_prefix("checksum")).map(str::trim).collect();
    assert_eq!(sums.len(), 30, "{counts}");
    assert!(sums.chunks(2).all(|pair| pair[0] == pair[1] && pair[0] != "0"), "{counts}");
}

#[tokio::test]
async fn a_command_that_fails_stops_it_before_the_switch() {
    let world = World::mended().await;
    let plan = world.plan(
        "p.json",
        &["switchover", "--set", "before=echo no flag service; exit 3", "--set", "backup=skip"],
    );
    let (code, value) = world.apply("p.json", plan["phrase"].as_str().unwrap());
    assert_eq!((code, value["run"]["outcome"].as_str()), (7, Some("partial")), "{value:#}");
    let message = value["run"]["error"]["message"]
        .as_str()
        .or(value["error"]["message"].as_str())
        .unwrap_or_default()
        .to_owned();
    assert!(
        message.contains("ended with 3: no flag service") && message.contains("nothing is switched"),
        "{value:#}"
    );
    assert!(kinds(&world).await.contains("revenues=r"), "{}", kinds(&world).await);
    let undo = world.undo("u.json", value["run"]["id"].as_str().unwrap());
    world.applied("u.json", &undo);
    let left = "select count(*)::text from pg_trigger where tgname like '%midwatch%' and not tgisinternal";
    assert_eq!(world.value(left).await, "0");
}

#[tokio::test]
#[ignore = "long: make long"]
async fn a_rehearsal_measures_what_the_plan_then_shows() {
    let world = World::mended().await;
    let before = kinds(&world).await;
    let rehearse = ["rehearse", "--set", "writers=2", "--set", "seconds=1", "--set", "rows=500"];
    let run = done(&world, &rehearse);
    assert_eq!(kinds(&world).await, before);
    let (_, value) = world.json(&["runs", run["id"].as_str().unwrap()]);
    let events = value["runs"][0]["events"].as_array().or(value["events"].as_array()).unwrap();
    let body = events.iter().find(|e| e["kind"] == "rehearsal").unwrap()["body"].as_str().unwrap().to_owned();
    let played: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(played["failures"], serde_json::json!([]), "{played:#}");
    assert!(played["writes"].as_u64() > Some(20) && played["held_ms"].as_u64() > Some(0), "{played:#}");
    assert!(played["copied"].as_str().unwrap().contains("500 of \"public\".\"revenues\""), "{played:#}");
    let plan = world.plan("s.json", &["switchover", "--set", "backup=skip"]);
    let step = plan["steps"].as_array().unwrap().iter().find(|s| s["id"] == "enable").unwrap();
    assert_eq!(step["locks"][0]["held_ms"], played["held_ms"]);
    // What makes ready for it was measured as well, the dump was not made there.
    for step in
        plan["steps"].as_array().unwrap().iter().filter(|s| s["id"].as_str().unwrap().starts_with("prepare/"))
    {
        let id = step["id"].as_str().unwrap();
        assert!(step["locks"][0]["held_ms"].is_u64(), "{id}: {:#}", step["locks"]);
        assert_eq!(step["locks"][0]["held_ms"], played["steps"][id], "{id}");
    }
    let on = step["locks"][0]["measured_on"].as_str().unwrap();
    assert!(on.starts_with(&format!("rehearsal run {}", run["id"].as_str().unwrap())), "{on}");
    let said = |plan: &Value| {
        plan["preflight"].as_array().unwrap().iter().find(|p| p["id"] == "rehearsal").unwrap().clone()
    };
    assert!(said(&plan)["message"].as_str().unwrap().ends_with("met the same"), "{:#}", said(&plan));
    // Some of those that were rehearsed together were rehearsed too, and what was met of the others is none of theirs.
    let part = said(&world.plan("s.json", &["switchover", "revenues", "--set", "backup=skip"]));
    let message = part["message"].as_str().unwrap();
    assert!(
        message.contains(" with daily_cash_balances, expenses as well, ")
            && message.ends_with("met the same"),
        "{part:#}"
    );
    world.sql("create materialized view m as select count(*) from revenues").await;
    let plan = world.plan("s.json", &["switchover", "--set", "backup=skip"]);
    let said = said(&plan);
    assert_eq!(said["status"], "warn");
    assert!(
        said["message"].as_str().unwrap().contains("not met there: revenues: public.m keeps reading"),
        "{said:#}"
    );
}

#[tokio::test]
async fn over_the_budget_nothing_happens_and_nobody_waits_longer() {
    let world = World::mended().await;
    let before = kinds(&world).await;
    // No comparison of whole tables and no swap fits into this.
    let args = [
        "switchover",
        "--set",
        "backup=skip",
        "--set",
        "marker=no",
        "--set",
        "budget=1",
        "--set",
        "attempts=2",
    ];
    // Planning has measured it, and does not let it pass unseen.
    let told = refused(&world, &args);
    assert!(told.contains("comparing all rows took ") && told.contains("accept=stall"), "{told}");
    let args = [&args[..], &["--set", "accept=stall"]].concat();
    let plan = world.plan("p.json", &args);
    assert!(plan["obstacle"].as_str().unwrap().contains("all rows of 3 twins are compared"), "{plan:#}");
    let (code, value) = world.apply("p.json", plan["phrase"].as_str().unwrap());
    assert_eq!((code, value["run"]["outcome"].as_str()), (7, Some("partial")), "{value:#}");
    assert_eq!(kinds(&world).await, before);
    let (_, value) = world.json(&["runs", value["run"]["id"].as_str().unwrap()]);
    let text = value.to_string();
    assert!(text.contains("budget") && text.contains("postponed after 2 attempts"), "{value:#}");
    assert_eq!(text.matches("\"kind\":\"attempt\"").count(), 2, "{value:#}");
    assert_eq!(value["runs"][0]["code"].as_str(), Some("MW001"), "{value:#}");
}
