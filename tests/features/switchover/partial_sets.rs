//! A set that is switched in part: each twin is mended on the side that applications do not write.

use crate::switchover::ownership::{done, told};
use crate::world::World;

/// The demo's twins, one of the three switched over.
async fn in_part() -> World {
    let world = World::mended().await;
    done(&world, &["switchover", "expenses", "--set", "monitor=0", "--set", "backup=skip"]);
    world
}

const FREE: &str = "not exists (select from expense_deletion_requests r where r.expense_id = e.id)";

#[tokio::test]
async fn repair_never_takes_the_live_side_for_the_copy() {
    let world = in_part().await;
    world
        .sql(
            "alter table revenues disable trigger sync_to_partitioned_revenues;
             insert into revenues (org_id, property_id, amount_cents, occurred_at, created_by_user_id) values (1, 1, 7, now(), 1), (1, 1, 8, now(), 1);
             alter table revenues enable trigger sync_to_partitioned_revenues;
             update expenses_legacy set vendor_name = 'nobody' where id = (select max(id) from expenses_legacy)",
        )
        .await;
    let live = "select count(*) || ' ' || (select md5(string_agg(e::text, '' order by id)) from expenses e) from revenues";
    let before = world.value(live).await;
    // Said openly, and accepted: only then.
    let (_, value) = world.json(&["plan", "repair", "revenues", "--set", "from=twin"]);
    let failed = told(&value["plan"], "fail");
    assert!(
        failed[0].starts_with("live_table: revenues: public.revenues is what applications write"),
        "{failed:?}"
    );
    let accept = ["plan", "repair", "revenues", "--set", "from=twin", "--set", "accept=live_table"];
    assert_eq!(told(&world.json(&accept).1["plan"], "fail"), Vec::<String>::new());
    let (_, value) = world.json(&["plan", "repair", "--set", "from=legacy"]);
    assert!(told(&value["plan"], "fail")[0].contains("expenses: public.expenses is what"), "{value:#}");
    let plan = done(&world, &["repair"]);
    assert_eq!(
        plan["why"],
        "the twin of daily_cash_balances, revenues shall hold what the legacy table holds; \
         the legacy table of expenses shall hold what the twin holds"
    );
    assert_eq!(plan["rows"], 3, "{:#}", plan["diff"]);
    assert_eq!(world.value(live).await, before);
    let differ = "select count(*)::text from expenses_legacy where vendor_name = 'nobody'";
    assert_eq!(world.value(differ).await, "0");
}

#[tokio::test]
async fn copy_missing_brings_no_deleted_row_back_into_the_live_table() {
    let world = in_part().await;
    world
        .sql(&format!(
            "alter table expenses disable trigger midwatch_reverse;
             delete from expenses e where id in (select e.id from expenses e where {FREE} order by id limit 3);
             insert into expenses (id, org_id, property_id, amount_cents, occurred_at, created_by_user_id)
               select 900001, org_id, property_id, amount_cents, occurred_at, created_by_user_id from expenses limit 1;
             alter table expenses enable always trigger midwatch_reverse"
        ))
        .await;
    let live = "select md5(string_agg(e::text, '' order by id)) from expenses e";
    let before = world.value(live).await;
    let plan = done(&world, &["copy-missing"]);
    assert_eq!(plan["rows"], 1, "{:#}", plan["diff"]);
    assert_eq!(world.value(live).await, before);
    assert_eq!(world.value("select count(*)::text from expenses_legacy where id = 900001").await, "1");
    // Three rows still differ: only what was asked about is said to be proved.
    let proofs: Vec<_> =
        plan["verify"].as_array().unwrap().iter().map(|v| v["title"].as_str().unwrap()).collect();
    assert!(proofs.contains(&"no row of public.expenses is missing in public.expenses_legacy"), "{proofs:?}");
    assert!(!proofs.iter().any(|p| p.contains("differs")), "{proofs:?}");
    assert_eq!(
        world.value("select count(*)::text from expenses_legacy l where not exists (select from expenses e where e.id = l.id)").await,
        "3"
    );
}

#[tokio::test]
#[ignore = "long: make long"]
async fn what_was_done_before_a_switch_is_not_taken_back_from_another_table() {
    let world = in_part().await;
    let (_, value) = world.json(&["runs"]);
    let runs = value["runs"].as_array().unwrap();
    let of = |operation: &str| {
        let run = runs.iter().find(|r| r["operation"] == operation).unwrap();
        run["id"].as_str().unwrap().to_owned()
    };
    let switch = of("switchover");
    let (code, value) = world.json(&["undo", &of("repair")]);
    let said = value["error"]["message"].as_str().unwrap();
    let why = format!("run {switch} (switchover expenses) has switched tables since");
    assert!(code == 3 && said.contains(&why) && said.contains("plan rollback expenses first"), "{said}");
    // Those triggers were another twin's, whose tables are what they were.
    assert_eq!(world.json(&["undo", &of("repair-triggers")]).0, 0);
    world.sql("alter table expenses disable trigger midwatch_reverse").await;
    done(&world, &["repair-triggers"]);
    done(&world, &["rollback", "--set", "monitor=0"]);
    assert_eq!(world.json(&["undo", &of("repair")]).0, 0);
    // And the other way round: what was done to a switched table has gone back with it.
    let (_, value) = world.json(&["runs"]);
    let (code, value) = world.json(&["undo", value["runs"][1]["id"].as_str().unwrap()]);
    let said = value["error"]["message"].as_str().unwrap();
    assert!(code == 3 && said.contains("(rollback all) has switched tables since"), "{said}");
}
