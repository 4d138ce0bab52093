//! Switched over by a role that is no superuser: what it may do decides, in the copy as on the server.

use serde_json::Value;

use crate::common::Database;
use crate::world::World;

const PROFILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/features/world/sales.toml");

/// Tables of `sales_owner`, looked after by that role.
pub(crate) async fn sales() -> World {
    let database = Database::empty().await;
    database.owner().await.execute_script(include_str!("../world/sales.sql")).await.unwrap();
    let url = database.url().replace("keeper@", "sales_owner@");
    let world = World::on(database, "");
    world.configure(&format!(
        "[targets.main]\nurl = \"{url}\"\nprofile = \"{PROFILE}\"\nenvironment = \"demo\"\n[policy]\nallow_unknown_load = true\n"
    ));
    for args in [&["init"][..], &["repair-triggers"]] {
        let plan = world.plan("p.json", args);
        world.applied("p.json", &plan);
    }
    world
}

pub(crate) fn told(plan: &Value, status: &str) -> Vec<String> {
    let all = plan["preflight"].as_array().unwrap().iter().filter(|p| p["status"] == status);
    all.map(|p| format!("{}: {}", p["id"].as_str().unwrap(), p["message"].as_str().unwrap())).collect()
}

fn says(plan: &Value, status: &str, what: &str) {
    let told = told(plan, status);
    assert!(told.iter().any(|t| t.contains(what)), "{what}: {told:#?}");
}

pub(crate) fn done(world: &World, args: &[&str]) -> Value {
    let plan = world.plan("p.json", args);
    assert_eq!((told(&plan, "fail"), told(&plan, "unknown")), (vec![], vec![]), "{args:?}");
    let run = world.applied("p.json", &plan);
    assert_eq!(run["verified"].as_bool(), Some(true), "{run:#}");
    plan
}

pub(crate) const SWITCH: [&str; 5] = ["switchover", "--set", "monitor=0", "--set", "backup=skip"];

#[tokio::test]
async fn owners_of_tables_and_schemas_may_in_the_copy_what_they_may_here() {
    let world = sales().await;
    let plan = done(&world, &SWITCH);
    says(
        &plan,
        "ok",
        "triggers: sales.orders: dual writes, fired in a copy, mirrored: UPDATE to NULL, UPDATE, UPDATE of the partition key, UPDATE of the key, DELETE, INSERT",
    );
    says(&plan, "ok", "trial: switched and taken back in a copy");
    world.sql("delete from sales.orders where id = 7; update sales.orders set id = 1008 where id = 8").await;
    assert_eq!(
        world
            .value("select string_agg(order_id::text, ' ' order by id) from stock.parts where id in (7, 8)")
            .await,
        "1008"
    );
    done(&world, &["rollback", "--set", "monitor=0"]);
}

#[tokio::test]
async fn a_table_that_may_not_be_read_is_left_out_of_the_copy_and_named() {
    let world = sales().await;
    world.sql("create table stock.secrets (id int); alter table stock.secrets owner to stock_keeper").await;
    let plan = done(&world, &SWITCH);
    says(&plan, "ok", "without stock.secrets, which this role may not read");
    // What needs it cannot be tried: nobody can tell whether it works.
    world
        .sql(
            "create function stock.counted() returns trigger language plpgsql security definer as $$
             begin insert into stock.secrets values (1); return null; end $$;
             alter function stock.counted() owner to stock_keeper;
             create trigger counted after update on sales.orders_legacy for each statement execute function stock.counted();",
        )
        .await;
    let (_, value) = world.json(&["plan", "rollback"]);
    says(&value["plan"], "unknown", "untried: in a copy, the way back fails");
    says(&value["plan"], "unknown", "the copy is without stock.secrets");
    let (_, value) = world.json(&["plan", "rollback", "--set", "accept=untried"]);
    assert_eq!(told(&value["plan"], "fail"), Vec::<String>::new());
}
