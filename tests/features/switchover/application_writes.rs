//! What the applications do with the three tables, whichever of them has the name: insert, update, upsert, bulk insert,
//! delete, and all at once from several sessions. Nothing of it may depend on a switch.

use crate::switchover::end_to_end::blocking;
use crate::world::World;

/// Table, the columns that an insert must name with their values for row `i`, a column that changes.
const TABLES: [(&str, &str, &str, &str); 3] = [
    (
        "revenues",
        "org_id, property_id, amount_cents, occurred_at, created_by_user_id",
        "7007, 1, i, date_trunc('day', now()) - i % 90 * interval '1 day', 1",
        "amount_cents",
    ),
    (
        "expenses",
        "org_id, property_id, amount_cents, occurred_at, created_by_user_id",
        "7007, 1, i, date_trunc('day', now()) - i % 90 * interval '1 day', 1",
        "amount_cents",
    ),
    (
        "daily_cash_balances",
        "org_id, property_id, balance_date",
        "7007, 1 + i / 365, '2024-01-01'::date + i % 365",
        "closing_balance_cents",
    ),
];

/// Rows of a bulk insert, and of each session.
const BULK: usize = 1_000;
const SESSIONS: usize = 4;
const EACH: usize = 40;

/// What follows what the applications write.
async fn mirror(world: &World, table: &str) -> String {
    let sql =
        format!("select coalesce(to_regclass('{table}_legacy'), to_regclass('{table}_partitioned'))::text");
    world.value(&sql).await
}

/// Rows that only one of both has, by all columns that both have.
async fn differ(world: &World, table: &str) -> String {
    let mirror = mirror(world, table).await;
    let columns = world
        .value(&format!(
            "select string_agg(quote_ident(attname), ', ' order by attname) from pg_attribute where attrelid = '{table}'::regclass and attnum > 0 and not attisdropped"
        ))
        .await;
    world
        .value(&format!(
            "select ((select count(*) from (select {columns} from {table} except select {columns} from {mirror}) a)
                   + (select count(*) from (select {columns} from {mirror} except select {columns} from {table}) b))::text"
        ))
        .await
}

async fn mine(world: &World, table: &str) -> usize {
    world.value(&format!("select count(*)::text from {table} where org_id = 7007")).await.parse().unwrap()
}

async fn work(world: &World) {
    for (table, columns, values, changes) in TABLES {
        let bulk =
            format!("insert into {table} ({columns}) select {values} from generate_series(1, {BULK}) i");
        world.sql(&bulk).await;
        assert_eq!(
            (mine(world, table).await, differ(world, table).await.as_str()),
            (BULK, "0"),
            "{table}: bulk insert"
        );
        world.sql(&format!("update {table} set {changes} = -id where org_id = 7007 and id % 3 = 0")).await;
        assert_eq!(differ(world, table).await, "0", "{table}: update");
        world.sql(&format!("delete from {table} where org_id = 7007 and id % 5 = 0")).await;
        assert_eq!(differ(world, table).await, "0", "{table}: delete");
    }
    let balance = |cents: i32| {
        format!(
            "insert into daily_cash_balances (org_id, property_id, balance_date, closing_balance_cents) values (7007, 900, '2026-05-05', {cents})
             on conflict (org_id, property_id, balance_date) do update set closing_balance_cents = excluded.closing_balance_cents"
        )
    };
    world.sql(&format!("{}; {}", balance(1), balance(2))).await;
    assert_eq!(differ(world, "daily_cash_balances").await, "0", "upsert");
    let mirror = mirror(world, "daily_cash_balances").await;
    let upserted = format!(
        "select string_agg(closing_balance_cents::text, ',') from {mirror} where org_id = 7007 and property_id = 900"
    );
    assert_eq!(world.value(&upserted).await, "2");
    at_once(world).await;
    for (table, ..) in TABLES {
        assert_eq!(differ(world, table).await, "0", "{table}: concurrent writes");
        world.sql(&format!("delete from {table} where org_id = 7007")).await;
        assert_eq!((mine(world, table).await, differ(world, table).await.as_str()), (0, "0"), "{table}");
    }
}

/// Several sessions on rows of their own, and all of them on one row.
async fn at_once(world: &World) {
    world.sql("insert into revenues (org_id, property_id, amount_cents, occurred_at, created_by_user_id) values (7007, 99, 0, now(), 1)").await;
    let mut sessions = tokio::task::JoinSet::new();
    for s in 0..SESSIONS {
        let mut owner = world.owner().await;
        sessions.spawn(async move {
            for n in 0..EACH {
                for (table, columns, values, changes) in TABLES {
                    let i = 50_000 + s * EACH + n;
                    let values = values.replace("i /", &format!("{i} /")).replace("i %", &format!("{i} %")).replace(" i,", &format!(" {i},"));
                    let sql = format!(
                        "begin; insert into {table} ({columns}) values ({values}); update {table} set {changes} = {n} where id = (select max(id) from {table} where org_id = 7007); commit"
                    );
                    owner.execute_script(&sql).await.unwrap();
                }
                owner.execute_script("update revenues set amount_cents = amount_cents + 1 where org_id = 7007 and property_id = 99").await.unwrap();
            }
        });
    }
    sessions.join_all().await;
    let total = "select max(amount_cents)::text from revenues where org_id = 7007 and property_id = 99";
    assert_eq!(world.value(total).await, (SESSIONS * EACH).to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "long: make long"]
async fn applications_work_the_same_before_a_switch_after_it_and_after_the_way_back() {
    let world = World::mended().await;
    work(&world).await;
    for operation in ["switchover", "rollback"] {
        let args: &[&str] = match operation {
            "switchover" => &[operation, "--set", "monitor=0", "--set", "backup=skip"],
            _ => &[operation, "--set", "monitor=0"],
        };
        let plan = world.plan("p.json", args);
        assert_eq!(blocking(&plan), Vec::<String>::new(), "{operation}");
        world.applied("p.json", &plan);
        work(&world).await;
    }
}
