//! What else goes on around the tables of a switchover: looked at, and said where it cannot be.

use midwatch::dialect::postgres::owner::Owner;
use midwatch::sandbox::{Options, Server};
use serde_json::Value;

use crate::common::Database;
use crate::switchover::ownership::{SWITCH, done, sales, told};
use crate::world::World;

/// The shop on a server of its own, with these settings.
async fn apart(settings: &[(&str, &str)]) -> (World, Server) {
    let settings = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let server = Server::start(Options { memory: true, settings, ..Options::default() }).await.unwrap();
    server.create_database("apart", None).await.unwrap();
    server.owner("apart").await.unwrap().execute_script(include_str!("../world/shop.sql")).await.unwrap();
    let world = World::on(Database::empty().await, "");
    let profile = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/features/world/shop.toml");
    world.configure(&format!(
        "[targets.main]\nurl = \"{}\"\nprofile = \"{profile}\"\nenvironment = \"demo\"\n",
        server.url("apart")
    ));
    for args in [&["init"][..], &["repair-triggers"]] {
        let plan = world.plan("p.json", args);
        world.applied("p.json", &plan);
    }
    (world, server)
}

fn planned(world: &World) -> Value {
    let (code, value) = world.json(&["plan", "switchover", "--set", "backup=skip"]);
    assert_eq!(code, 0, "{value:#}");
    value["plan"].clone()
}

fn is(plan: &Value, status: &str, id: &str) -> String {
    let told = told(plan, status);
    let found = told.iter().find_map(|t| t.strip_prefix(&format!("{id}: ")));
    found.unwrap_or_else(|| panic!("{status} {id}: {:#}", plan["preflight"])).to_owned()
}

async fn partitions(owner: &mut Owner, of: &str, from: u32, to: u32) {
    owner
        .execute_script(&format!(
            "do $$ begin for y in {from}..{to} loop execute format(
               'create table {of}_y%s partition of {of} for values from (%L) to (%L)', y, y || '-01-01', y + 1 || '-01-01');
             end loop; end $$"
        ))
        .await
        .unwrap();
}

#[tokio::test]
#[ignore = "long: make long"]
async fn a_lock_table_too_small_is_known_before() {
    let (world, server) = apart(&[("max_locks_per_transaction", "10"), ("max_connections", "16")]).await;
    let room = "this server has room for 160";
    assert!(is(&planned(&world), "ok", "locks").contains(room));
    let mut owner = server.owner("apart").await.unwrap();
    // Other tables' partitions are nobody's concern: the copy does without them, and rows still have a place there.
    owner
        .execute_script(
            "create table log (at date not null, id bigint) partition by range (at);
             create function logged() returns trigger language plpgsql as $$ begin insert into log values ('2026-05-05', new.id); return null; end $$;
             create trigger logged after insert on orders for each row execute function logged();",
        )
        .await
        .unwrap();
    partitions(&mut owner, "log", 2026, 2110).await;
    let plan = planned(&world);
    assert!(is(&plan, "ok", "locks").contains(room));
    assert!(
        is(&plan, "ok", "trial")
            .contains("without 85 partitions of other tables (the server has room for 160 locks)")
    );
    assert_eq!(told(&plan, "fail"), Vec::<String>::new());
    partitions(&mut owner, "orders_twin", 2028, 2110).await;
    let text = is(&planned(&world), "fail", "locks");
    assert!(text.contains(room) && text.contains("raise max_locks_per_transaction"), "{text}");
}

#[tokio::test]
async fn prepared_transactions_stop_it_where_they_hold_a_table() {
    let (world, server) =
        apart(&[("max_prepared_transactions", "5"), ("shared_preload_libraries", "pg_stat_statements")])
            .await;
    let mut owner = server.owner("apart").await.unwrap();
    owner.execute_script("create schema ext; create extension pg_stat_statements schema ext").await.unwrap();
    owner
        .execute_script("begin; insert into audit (what) values ('x'); prepare transaction 'elsewhere'")
        .await
        .unwrap();
    let plan = planned(&world);
    assert_eq!(is(&plan, "ok", "prepared_transaction"), "1 prepared transactions hold none of the tables");
    assert_eq!(told(&plan, "fail"), Vec::<String>::new());
    let upsert = "insert into orders (number, customer) values (1001, 1) on conflict on constraint orders_number_key do nothing";
    owner.execute(upsert, &[]).await.unwrap();
    owner
        .execute_script("begin; delete from orders_2026 where id < 0; prepare transaction 'in_a_leaf'")
        .await
        .unwrap();
    let plan = planned(&world);
    let text = is(&plan, "fail", "prepared_transaction");
    assert!(text.contains("in_a_leaf since") && !text.contains("elsewhere"), "{text}");
    let sent = is(&plan, "fail", "on_conflict");
    assert!(sent.contains("applications send ON CONFLICT ON CONSTRAINT orders_number_key"), "{sent}");
    owner
        .execute_script("insert into orders (number, customer) values (1002, 1) on conflict do nothing")
        .await
        .unwrap();
    let failed = told(&planned(&world), "fail");
    assert!(failed.iter().any(|t| t.contains("applications send ON CONFLICT DO NOTHING")), "{failed:?}");
    for gid in ["elsewhere", "in_a_leaf"] {
        owner.execute_script(&format!("rollback prepared '{gid}'")).await.unwrap();
    }
}

#[tokio::test]
async fn a_session_that_is_not_shown_is_not_taken_for_none() {
    let world = sales().await;
    assert!(is(&planned(&world), "ok", "long_transaction").contains("no transaction has held"));
    let mut other = world.owner().await;
    other.execute_script("begin; lock table sales.orders_2026 in row share mode").await.unwrap();
    let text = is(&planned(&world), "warn", "long_transaction");
    assert!(
        text.contains("unknown since when 1 sessions have held") && text.contains("sales_owner"),
        "{text}"
    );
    other.execute_script("rollback").await.unwrap();
}

#[tokio::test]
#[ignore = "long: make long"]
async fn the_age_of_the_last_verified_backup_is_shown() {
    let world = sales().await;
    assert_eq!(
        is(&planned(&world), "warn", "last_backup"),
        "there is no verified backup of sales.orders yet"
    );
    done(&world, &SWITCH[..3]);
    done(&world, &["rollback", "--set", "monitor=0"]);
    let text = is(&planned(&world), "ok", "last_backup");
    assert!(text.contains(" 0 min old, verified and intact"), "{text}");
    let file = text.split(" of run ").next().unwrap();
    std::fs::write(file, "not what it was").unwrap();
    assert!(is(&planned(&world), "warn", "last_backup").contains("is not as it was made"));
}
