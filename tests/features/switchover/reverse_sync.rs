//! Reverse sync where writers, owners and partitions do what they always did.

use crate::switchover::dependents_carried::{applied, shop};
use crate::world::World;

const QUIET: [&str; 5] = ["switchover", "--set", "monitor=0", "--set", "backup=skip"];
const EQUAL: &str = "select ((select count(*) from orders) = (select count(*) from orders_legacy)
  and not exists (select id, number, placed, total::numeric(12, 2) from orders except select id, number, placed, total from orders_legacy))::text";

/// Two sessions each add a child and then change its parent: the second waits for the first, none is thrown out.
async fn two_of_a_family(world: &World, line: i32) {
    let mut one = world.owner().await;
    let mut other = world.owner().await;
    let child = |n: i32| format!("begin; insert into lines values (5, {n})");
    one.execute_script(&child(line)).await.unwrap();
    other.execute_script(&child(line + 1)).await.unwrap();
    let change = "update orders set total = total + 1 where id = 5";
    one.execute_script(change).await.unwrap();
    let waiting = tokio::spawn(async move {
        other.execute_script(change).await?;
        other.execute_script("commit").await
    });
    one.execute_script("commit").await.unwrap();
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn who_adds_a_child_and_changes_its_parent_meets_no_deadlock() {
    let world = shop().await;
    two_of_a_family(&world, 100).await;
    applied(&world, &QUIET);
    two_of_a_family(&world, 200).await;
    // Also one that moves its row to another partition.
    let mut one = world.owner().await;
    let mut other = world.owner().await;
    one.execute_script("begin; insert into lines values (5, 300)").await.unwrap();
    other.execute_script("update orders set placed = placed + interval '1 year' where id = 5").await.unwrap();
    one.execute_script("commit").await.unwrap();
    assert_eq!(world.value(EQUAL).await, "true");
    assert_eq!(world.value("select count(*)::text from lines where order_id = 5").await, "6");
}

#[tokio::test]
async fn partitions_come_and_go_and_the_way_back_is_open() {
    let world = shop().await;
    world
        .sql(
            "do $$ begin create role shop_owner; exception when duplicate_object or unique_violation then null; end $$;
             grant usage, create on schema public to shop_owner;
             alter table orders owner to shop_owner; alter table orders_twin owner to shop_owner;
             alter table orders_2025 owner to shop_owner; alter table orders_2026 owner to shop_owner; alter table orders_2027 owner to shop_owner;
             create table orders_2059 partition of orders_twin for values from ('2059-01-01') to ('2060-01-01');
             alter table orders_2059 owner to shop_owner;",
        )
        .await;
    applied(&world, &QUIET);
    // The nightly job of the application's own role.
    world
        .sql(
            "set role shop_owner;
             create table orders_2061 partition of orders for values from ('2061-01-01') to ('2062-01-01');
             create table orders_2062 (like orders including defaults including constraints including generated);
             alter table orders attach partition orders_2062 for values from ('2062-01-01') to ('2063-01-01');",
        )
        .await;
    world.sql("insert into orders (placed, customer) values ('2061-05-05', 1), ('2062-05-05', 2)").await;
    assert_eq!(world.value(EQUAL).await, "true");
    applied(&world, &["copy-missing", "--set", "ahead=26"]);
    // Detached and kept: what becomes of it is no longer ours.
    world.sql("alter table orders detach partition orders_2059; truncate orders_2059").await;
    assert_eq!(world.value(EQUAL).await, "true");
    applied(&world, &["watch"]);
    applied(&world, &["rollback", "--set", "monitor=0"]);
    let left = "select count(*)::text from pg_trigger where tgname like '%midwatch_reverse%'";
    assert_eq!(world.value(left).await, "0");
}

#[tokio::test]
async fn a_truncate_that_would_take_children_along_is_refused_as_it_was() {
    let world = shop().await;
    let refused = async || world.owner().await.execute_script("truncate orders").await.unwrap_err().code;
    assert_eq!(refused().await.as_deref(), Some("0A000"));
    applied(&world, &QUIET);
    let children = world.value("select count(*)::text from lines").await;
    assert_eq!(refused().await.as_deref(), Some("0A000"));
    assert_eq!(world.value("select count(*)::text from lines").await, children);
}

#[tokio::test]
#[ignore = "long: make long"]
async fn what_is_cast_on_its_way_does_not_depend_on_who_writes_it() {
    let world = shop().await;
    world
        .sql(
            "create type kind as enum ('a', 'b');
             alter table orders add column seen timestamp, add column kind kind default 'a';
             alter table orders_twin add column seen timestamptz, add column kind text;
             update orders set seen = placed, kind = 'b' where id % 2 = 0;",
        )
        .await;
    for operation in ["repair-triggers", "repair"] {
        applied(&world, &[operation]);
    }
    let write = "set timezone = 'Asia/Kolkata'; update orders set seen = '2026-05-05 10:00', kind = 'a' where id in (4, 6)";
    let equal = async |legacy: &str, twin: &str| {
        let sql = format!(
            "select count(*)::text from {legacy} l join {twin} t using (id) where l.seen is distinct from t.seen at time zone 'UTC' or l.kind::text is distinct from t.kind"
        );
        world.value(&sql).await
    };
    world.sql(write).await;
    assert_eq!(equal("orders", "orders_twin").await, "0");
    applied(&world, &QUIET);
    world.sql(write).await;
    assert_eq!(equal("orders_legacy", "orders").await, "0");
}
