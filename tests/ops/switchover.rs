//! Twins switched over and back, on a real server.

use serde_json::Value;

use crate::world::World;

/// The demo's hospitality, mended: ready for a switchover.
async fn ready() -> World {
    let world = World::hospitality().await;
    for operation in ["repair-triggers", "repair", "copy-missing"] {
        let plan = world.plan("p.json", &[operation]);
        world.applied("p.json", &plan);
    }
    world
}

fn blocking(plan: &Value) -> Vec<String> {
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
    let world = ready().await;
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
