//! What hangs on a legacy table: carried over by a switchover, and back to the letter by its rollback.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::common::{Database, shared_server, tool};
use crate::world::World;

/// A shop that no profile of ours knows, its dual writes made by `repair-triggers`.
pub(crate) async fn shop() -> World {
    let database = Database::empty().await;
    database.owner().await.execute_script(include_str!("../world/shop.sql")).await.unwrap();
    let profile = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/features/world/shop.toml");
    let world = World::on(database, &format!("profile = \"{profile}\"\nenvironment = \"demo\""));
    for args in [&["init"][..], &["repair-triggers"]] {
        let plan = world.plan("p.json", args);
        world.applied("p.json", &plan);
    }
    world
}

/// All definitions, as `pg_dump` writes them.
fn definitions(world: &World) -> String {
    let url = world.database.url();
    let args = ["--schema-only", "--exclude-schema=midwatch", url.as_str()];
    let out = tool(shared_server(), "pg_dump", &args);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    // A random token of each dump.
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines().filter(|l| !l.contains("restrict ")).collect::<Vec<_>>().join("\n")
}

pub(crate) fn said<'p>(plan: &'p Value, id: &str) -> Vec<&'p str> {
    let all = plan["preflight"].as_array().unwrap().iter().filter(|p| p["id"] == id);
    all.map(|p| p["message"].as_str().unwrap()).collect()
}

pub(crate) fn applied(world: &World, args: &[&str]) -> Value {
    let plan = world.plan("p.json", args);
    let run = world.applied("p.json", &plan);
    assert_eq!(run["verified"].as_bool(), Some(true), "{run:#}");
    plan
}

#[tokio::test]
#[ignore = "long: make long"]
async fn everything_is_carried_over_and_back_to_the_letter() {
    let world = shop().await;
    // What installs the marker stays: it hides nothing and hangs in the journal's schema.
    let before = definitions(&world);
    let plan = applied(&world, &["switchover", "--set", "monitor=0", "--set", "backup=unverified"]);
    let carried = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c.as_str().unwrap())
        .find(|c| c.starts_with("carried"));
    for what in [
        "privileges of shop_boss, shop_clerk",
        "policy all_of_it",
        "publication shop",
        "view public.open_orders",
        "trigger audited",
        "trigger stamped",
    ] {
        assert!(carried.unwrap().contains(what), "{what}: {carried:?}");
    }
    for (id, what) in [
        ("foreign_key", "lines_order_id_fkey of lines"),
        ("constraint", "orders_total_check"),
        ("unique_key", "unique (number)"),
        ("materialized_view", "totals"),
        ("column_order", "another order"),
        ("publication", "publish_via_partition_root"),
    ] {
        assert!(said(&plan, id).iter().any(|s| s.contains(what)), "{id} {what}: {:#}", plan["preflight"]);
    }
    assert_ne!(definitions(&world), before);
    as_clerk(&world, 30).await;
    for (what, sql, expected) in [
        ("the sequence goes on", "select (max(number) between 1400 and 1500)::text from orders", "true"),
        ("identity goes on", "select (max(id) = 402)::text from orders", "true"),
        ("defaults are carried", "select state || ' ' || note from orders where id = 401", "open none"),
        ("one audit row each", "select count(*)::text from audit where what = 'INSERT' and id = 401", "1"),
        ("views read the partitioned table", "select count(*)::text from open_orders where id = 401", "1"),
        ("views on views too", "select (count(*) > 0)::text from big_orders", "true"),
        ("the twin's old name answers", "select count(*)::text from orders_twin where id = 401", "1"),
        ("comments", "select obj_description('orders'::regclass)", "what was ordered"),
        ("row security", "select relrowsecurity::text from pg_class where oid = 'orders'::regclass", "true"),
        (
            "published",
            "select string_agg(tablename, ',') from pg_publication_tables where pubname = 'shop'",
            "orders",
        ),
        ("children stay", "select count(*)::text from lines where order_id in (5, 10)", "2"),
    ] {
        assert_eq!(world.value(sql).await, expected, "{what}");
    }
    applied(&world, &["rollback", "--set", "monitor=0"]);
    as_clerk(&world, 40).await;
    assert_eq!(world.value("select (max(id) = 404)::text from orders").await, "true");
    for side in ["legacy", "twin"] {
        let drop = format!("do $$ declare f text; begin for f in select p.oid::regprocedure::text from pg_proc p where proname like 'mark_{side}_%' loop
            execute 'drop function ' || f || ' cascade'; end loop; end $$");
        world.sql(&drop).await;
    }
    similar(&definitions(&world), &before);
}

fn similar(now: &str, before: &str) {
    let lines = |t: &str| t.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    let (now, before) = (lines(now), lines(before));
    let differ: Vec<_> = now.symmetric_difference(&before).collect();
    assert!(differ.is_empty(), "{differ:#?}");
}

/// An application's writes, in its own role: two orders, a key that changes with its children, a row that moves.
async fn as_clerk(world: &World, line: i32) {
    world
        .sql(&format!(
            "set role shop_clerk; insert into orders (total, customer, placed) values (12, 3, '2026-03-01'), (7, 4, '2026-03-02');
             update orders set placed = placed + interval '1 year', total = total + 1 where id = 5;
             update orders set placed = placed - interval '1 year' where id = 5; reset role;
             update orders set id = id + 100000 where id = 10; update orders set id = id - 100000 where id = 100010;
             insert into lines select max(id), {line} from orders; delete from orders where id = 11 and total < 0;"
        ))
        .await;
}

#[tokio::test]
async fn reverse_sync_never_deletes_a_row_that_has_children() {
    let world = shop().await;
    applied(&world, &["switchover", "--set", "monitor=0", "--set", "backup=skip"]);
    world
        .sql(
            "update orders set placed = placed + interval '1 year' where id in (5, 10, 15);
             update orders set id = 100020 where id = 20;
             update orders set id = 100025, placed = placed + interval '1 year' where id = 25;
             update orders_2025 set total = 1 where id = 30; delete from orders_2025 where id = 31;
             insert into orders_2026 (placed, id, total, customer, number, state) values ('2026-05-05', 7777, 1, 1, 9999, 'open');
             update orders set data = '{\"a\": 1}' where id = 40;",
        )
        .await;
    let lines = "select string_agg(order_id::text, ',' order by order_id) from lines where order_id in (5, 10, 15, 20, 25, 30, 100020, 100025)";
    assert_eq!(world.value(lines).await, "5,10,15,30,100020,100025");
    let equal = "select count(*)::text from (select id, placed, total, note, state, data, number, customer from orders
                 except select id, placed, total::numeric(14, 2), note, state, data, number, customer from orders_legacy) q";
    assert_eq!(world.value(equal).await, "0");
    assert_eq!(
        world
            .value("select ((select count(*) from orders) = (select count(*) from orders_legacy))::text")
            .await,
        "true"
    );
    world.sql("truncate lines, notes; truncate orders_2027").await;
    assert_eq!(
        world
            .value("select ((select count(*) from orders) = (select count(*) from orders_legacy))::text")
            .await,
        "true"
    );
    world.sql("truncate orders").await;
    assert_eq!(world.value("select count(*)::text from orders_legacy").await, "0");
}

#[tokio::test]
async fn what_depends_on_a_lost_unique_key_is_refused_or_accepted_openly() {
    let world = shop().await;
    world
        .sql(
            "create function upsert_order(n bigint) returns void language sql as $$
               insert into orders (id, customer) values (n, 1) on conflict (id) do nothing $$;
             create function newest() returns setof orders language sql as $$ select * from orders order by id desc limit 1 $$;",
        )
        .await;
    let (code, value) = world.json(&["plan", "switchover", "--set", "backup=skip"]);
    assert_eq!(code, 0);
    let failed = |plan: &Value| -> Vec<String> {
        let bad = plan["preflight"].as_array().unwrap().iter().filter(|p| p["status"] == "fail");
        bad.map(|p| p["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(failed(&value["plan"]), ["on_conflict", "row_type"], "{:#}", value["plan"]["preflight"]);
    let (_, value) =
        world.json(&["plan", "switchover", "--set", "backup=skip", "--set", "accept=on_conflict,row_type"]);
    assert_eq!(failed(&value["plan"]), Vec::<String>::new(), "{:#}", value["plan"]["preflight"]);
}

#[tokio::test]
#[ignore = "long: make long"]
async fn what_a_switch_must_not_do_unseen() {
    let world = shop().await;
    // Bound to the table, not to its name.
    world
        .sql("create function add_order(c int) returns void language sql begin atomic insert into orders (customer) values (c); end")
        .await;
    let (_, value) = world.json(&["plan", "switchover", "--set", "backup=skip"]);
    assert!(
        said(&value["plan"], "bound")[0].contains("function add_order(integer)"),
        "{:#}",
        value["plan"]["preflight"]
    );
    world.sql("drop function add_order(int)").await;
    // Nobody may have our functions write for them.
    let open = "select count(*)::text from pg_proc p where p.prosecdef and p.proname like 'midwatch%' and has_function_privilege('public', p.oid, 'execute')";
    assert_eq!(world.value(open).await, "0");
    applied(&world, &["switchover", "--set", "monitor=0", "--set", "backup=skip"]);
    assert_eq!(world.value(open).await, "0");
    // The old table had the key alone; its second row elsewhere is refused as it was.
    let second = "insert into orders (placed, id, total, customer, number, state) values ('2027-05-05', 7, 1, 1, 4242, 'open')";
    let error = world.owner().await.execute_script(second).await.unwrap_err();
    assert_eq!(error.code.as_deref(), Some("23505"), "{error}");
    assert_eq!(world.value("select count(*)::text from orders where id = 7").await, "1");
    // What came since would stay with the twin.
    world.sql("create view late as select id from orders; grant select on orders to shop_boss").await;
    let (_, value) = world.json(&["plan", "rollback"]);
    let since = said(&value["plan"], "since");
    assert!(since[0].contains("view public.late"), "{since:?}");
    let (_, value) = world.json(&["plan", "rollback", "--set", "accept=since"]);
    assert_eq!(
        value["plan"]["preflight"].as_array().unwrap().iter().filter(|p| p["status"] == "fail").count(),
        0,
        "{value:#}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "long: make long"]
async fn who_reads_through_a_view_notices_neither_the_switch_nor_the_way_back() {
    let world = shop().await;
    world
        .sql(
            "create view late_orders as select id from orders where placed > '2026-06-01';
             create view late_and_open as select l.id from late_orders l join open_orders using (id) join orders using (id);",
        )
        .await;
    // Whoever meets another half-way is told at once, and nobody gives up before.
    world.sql(&format!("alter database {} set deadlock_timeout = 10", world.database.name)).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for view in ["big_orders", "late_and_open", "late_orders", "open_orders"].repeat(2) {
        let (mut reader, stop) = (world.owner().await, Arc::clone(&stop));
        tasks.push(tokio::spawn(async move {
            let (mut reads, mut errors) = (0, vec![]);
            while !stop.load(Ordering::Relaxed) {
                let sql = format!("select count(*) from {view}");
                match reader.execute_script(&sql).await {
                    Ok(()) => reads += 1,
                    Err(e) => errors.push(format!("{} {}", e.code.unwrap_or_default(), e.message)),
                }
            }
            (reads, errors)
        }));
    }
    for operation in [&["switchover", "--set", "backup=skip"][..], &["rollback"]] {
        let args = [
            "--set",
            "monitor=0",
            "--set",
            "lock_timeout=5000",
            "--set",
            "budget=9000",
            "--set",
            "attempts=1",
        ];
        tokio::task::block_in_place(|| applied(&world, &[operation, &args].concat()));
    }
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        let (reads, errors) = task.await.unwrap();
        assert_eq!(errors, Vec::<String>::new());
        assert!(reads > 100, "{reads}");
    }
}
