//! What comes after a switch: columns and partitions that the retired table does not know, and the way back all the same.

use serde_json::Value;

use crate::common::{Database, shared_server, tool};
use crate::switchover::dependents_carried::{applied, said, shop};
use crate::world::World;

const QUIET: [&str; 5] = ["switchover", "--set", "monitor=0", "--set", "backup=skip"];

fn findings(world: &World) -> Vec<String> {
    let (_, value) = world.json(&["check", "parity/orders"]);
    let all = value["checks"][0]["findings"].as_array().unwrap();
    all.iter().map(|f| f["message"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_column_that_came_since_is_named_and_hinders_no_repair_of_the_retired_table() {
    let world = shop().await;
    applied(&world, &QUIET);
    world.sql("alter table orders add column channel text default 'web'").await;
    world.sql("delete from orders_legacy where id = 2").await;
    let plan = world.plan("p.json", &["repair", "--set", "from=twin"]);
    assert!(said(&plan, "columns")[0].contains("lacks columns, which are not copied: channel"), "{plan:#}");
    world.applied("p.json", &plan);
    let (_, value) = world.json(&["plan", "rollback"]);
    assert!(said(&value["plan"], "since")[0].contains("column channel"), "{:#}", value["plan"]["preflight"]);
}

/// A plan has them as data: neither what separates names in a text nor how a statement writes them matters.
#[tokio::test]
#[ignore = "long: make long"]
async fn objects_of_any_name_that_were_there_before_the_switch_are_not_taken_for_new() {
    let world = shop().await;
    world
        .sql(
            "create view \"own; view\" as select id from orders_twin;
             create view \"Read; again\" as select id from orders;
             create trigger \"Stamped; twice\" before insert on orders for each row execute function stamped();",
        )
        .await;
    applied(&world, &QUIET);
    let (_, value) = world.json(&["plan", "rollback"]);
    assert_eq!(said(&value["plan"], "since"), Vec::<&str>::new());
    world.sql("create view \"late; view\" as select id from orders").await;
    let (_, value) = world.json(&["plan", "rollback"]);
    let since = said(&value["plan"], "since");
    assert!(since.len() == 1 && since[0].contains("late; view") && !since[0].contains("own"), "{since:?}");
    world.sql("drop view \"late; view\"").await;
    applied(&world, &["rollback", "--set", "monitor=0"]);
}

#[tokio::test]
async fn a_truncate_of_a_partition_that_came_since_is_mirrored_or_said_not_to_be() {
    let world = shop().await;
    applied(&world, &QUIET);
    assert!(!findings(&world).iter().any(|f| f.contains("TRUNCATE")));
    world
        .sql("create table orders_2060 partition of orders for values from ('2060-01-01') to ('2061-01-01')")
        .await;
    let said = findings(&world);
    let wanted = "trigger midwatch_reverse_truncate on orders_2060 is missing: TRUNCATE not mirrored";
    assert!(said.iter().any(|f| f == wanted), "{said:?}");
    world.sql("drop table orders_2060").await;
    // Ours come with theirs.
    applied(&world, &["copy-missing", "--set", "ahead=30"]);
    assert!(!findings(&world).iter().any(|f| f.contains("TRUNCATE")), "{:?}", findings(&world));
    let leaf = world
        .value("select max(inhrelid::regclass::text) from pg_inherits where inhparent = 'orders'::regclass")
        .await;
    assert!(leaf.as_str() > "orders_2027", "{leaf}");
    let counts = "select ((select count(*) from orders) = (select count(*) from orders_legacy))::text";
    world.sql(&format!("insert into orders (placed, customer) select lower::timestamptz, 1 from \
        (select (regexp_match(pg_get_expr(relpartbound, oid), 'FROM \\(''([^'']+)'))[1] as lower from pg_class where oid = '{leaf}'::regclass) b")).await;
    assert_eq!(world.value(&format!("select count(*)::text from {leaf}")).await, "1");
    world.sql(&format!("truncate lines; truncate {leaf}")).await;
    assert_eq!(world.value(counts).await, "true");
}

#[tokio::test]
async fn a_finished_run_that_is_resumed_says_what_it_had_done() {
    let world = shop().await;
    applied(&world, &QUIET);
    let (code, value) = world.json(&["runs"]);
    assert_eq!(code, 0);
    let id = value["runs"][0]["id"].as_str().unwrap();
    let (code, value) = world.json(&["resume", id]);
    assert_eq!((code, &value["run"]["rows_applied"]), (0, &Value::from(1)), "{value:#}");
}

#[tokio::test]
async fn a_verified_backup_needs_nothing_but_itself() {
    let world = shop().await;
    applied(&world, &["switchover", "--set", "monitor=0"]);
    let (_, value) = world.json(&["runs"]);
    let (_, value) = world.json(&["runs", value["runs"][0]["id"].as_str().unwrap()]);
    let made = value["runs"][0]["events"].as_array().unwrap().iter().find(|e| e["kind"] == "backup").unwrap();
    let (file, proof) =
        (made["content"]["file"].as_str().unwrap(), made["content"]["verified"].as_str().unwrap());
    assert!(proof.contains("1 foreign keys to rows that are not in it not tried"), "{proof}");
    let there = Database::empty().await;
    let out = tool(shared_server(), "pg_restore", &["--no-owner", "--dbname", &there.url(), file]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(
        said.matches("ERROR:").count(),
        said.matches("violates foreign key constraint").count(),
        "{said}"
    );
    let mut owner = there.owner().await;
    let mut value = async |sql: &str| owner.fetch_value(sql, &[]).await.unwrap().unwrap();
    let rows = "select count(*) || ' ' || sum(doubled) || ' ' || max(state) from ";
    assert_eq!(value(&format!("{rows} orders")).await, world.value(&format!("{rows} orders_legacy")).await);
    // Rows of others are not in it, and what the table does is.
    assert_eq!(value("select count(*)::text from customers").await, "0");
    value("insert into orders (customer) values (1) returning note").await;
    assert_eq!(value("select count(*)::text from audit").await, "1");
}

#[tokio::test]
async fn the_comparison_proves_itself_after_a_switch_as_before() {
    let world = shop().await;
    applied(&world, &QUIET);
    let (code, value) = world.json(&["check", "parity/orders", "--self-test"]);
    let test = &value["checks"][0]["facts"]["self_test"];
    assert!(code < 2 && test["planted"].as_u64() > Some(20), "{code} {:#}", value["checks"][0]);
    assert_eq!((&test["found"], &test["missed"]), (&test["planted"], &serde_json::json!([])), "{test}");
}

#[tokio::test]
async fn nothing_of_ours_is_left_when_the_retired_table_is_dropped() {
    let world = shop().await;
    let ours = "select count(*)::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace \
                where n.nspname = 'public' and p.proname like 'midwatch%'";
    assert_eq!(world.value(ours).await, "1");
    applied(&world, &QUIET);
    let accepted = ["cleanup", "--set", "backup=make", "--set", "accept=foreign_key,constraint,cascade"];
    applied(&world, &accepted);
    let plan = world.plan("p.json", &["cleanup", "--set", "quiet=0", "--set", "accept=cascade,quiet"]);
    assert_eq!(world.applied("p.json", &plan)["rows_applied"], plan["rows"], "{plan:#}");
    assert_eq!(world.value(ours).await, "0");
}
