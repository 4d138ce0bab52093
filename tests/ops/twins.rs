//! Twins mended: from rows that differ, are missing or left over to equal, and back.

use serde_json::Value;

use crate::world::World;

const TWINS: [&str; 3] = ["daily_cash_balances", "revenues", "expenses"];

/// A sum over every row of both sides.
async fn snapshot(world: &World) -> Vec<String> {
    let mut out = vec![];
    for twin in TWINS {
        for table in [twin.to_owned(), format!("{twin}_partitioned")] {
            let sql = format!(
                "select '{table} ' || count(*) || ' ' || coalesce(md5(string_agg(t::text, e'\\n' order by t::text)), '') from {table} t"
            );
            out.push(world.value(&sql).await);
        }
    }
    out
}

/// Rows that are not equal, over all twins.
fn differences(world: &World) -> u64 {
    let (_, value) = world.json(&["check", "parity"]);
    let of = |check: &Value| {
        ["missing_in_partitioned", "missing_in_legacy", "different", "stale", "duplicate"]
            .iter()
            .map(|f| check["facts"][f].as_u64().unwrap())
            .sum::<u64>()
    };
    value["checks"].as_array().unwrap().iter().map(of).sum()
}

#[tokio::test]
async fn repair_makes_twins_equal_and_its_undo_brings_every_row_back() {
    let world = World::hospitality().await;
    let (before, wrong) = (snapshot(&world).await, differences(&world));
    assert!(wrong > 0);
    let plan = world.plan("p.json", &["repair"]);
    assert_eq!((&plan["name"], plan["reversible"].as_str()), (&Value::from("all"), Some("full")));
    assert_eq!(plan["rows"].as_u64(), Some(wrong), "{:#}", plan["totals"]);
    let run = world.applied("p.json", &plan);
    assert_eq!((run["rows_applied"].as_u64(), run["verified"].as_bool()), (Some(wrong), Some(true)));
    assert_eq!(differences(&world), 0);
    let undo = world.undo("u.json", run["id"].as_str().unwrap());
    assert_eq!(undo["rows"].as_u64(), Some(wrong));
    world.applied("u.json", &undo);
    assert_eq!(snapshot(&world).await, before);
}
