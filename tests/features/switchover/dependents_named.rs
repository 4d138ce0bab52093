//! What uses one of the two names, or bears one that is taken: named before a switchover, never changed unseen.

use serde_json::Value;

use crate::switchover::dependents_carried::{applied, said, shop};
use crate::world::World;

const SKIP: [&str; 3] = ["switchover", "--set", "backup=skip"];

pub(crate) fn planned(world: &World, accept: &str) -> Value {
    let accept = format!("accept={accept}");
    let (code, value) = world.json(&[&["plan"], &SKIP[..], &["--set", &accept]].concat());
    assert_eq!(code, 0, "{value:#}");
    value["plan"].clone()
}

pub(crate) fn failed(plan: &Value) -> Vec<&str> {
    let all = plan["preflight"].as_array().unwrap().iter().filter(|p| p["status"] == "fail");
    all.map(|p| p["id"].as_str().unwrap()).collect()
}

#[tokio::test]
#[ignore = "long: make long"]
async fn a_trigger_whose_name_is_taken_is_told_from_one_that_is_there_already() {
    let world = shop().await;
    world
        .sql("create trigger audited after insert or update or delete on orders_twin for each row execute function audited()")
        .await;
    let plan = planned(&world, "");
    assert_eq!(failed(&plan), Vec::<&str>::new(), "{:#}", plan["preflight"]);
    // The same name for something else, on a partition.
    world
        .sql("create trigger stamped before update on orders_2026 for each row execute function stamped()")
        .await;
    let plan = planned(&world, "");
    assert_eq!(failed(&plan), ["trigger_name"], "{:#}", plan["preflight"]);
    assert!(
        said(&plan, "trigger_name")[0]
            .contains("trigger stamped is not carried over: another of that name is on orders_2026")
    );
    applied(&world, &[&SKIP[..], &["--set", "monitor=0", "--set", "accept=trigger_name"]].concat());
    world.sql("truncate audit; update orders set total = 5 where id = 12").await;
    assert_eq!(world.value("select count(*)::text from audit").await, "1");
    // What the twin had of its own did not come since.
    let (_, value) = world.json(&["plan", "rollback"]);
    assert_eq!(failed(&value["plan"]), Vec::<&str>::new(), "{:#}", value["plan"]["preflight"]);
}

#[tokio::test]
async fn who_only_mentions_the_twin_does_not_mirror_it() {
    let world = shop().await;
    world
        .sql(
            "create function noted() returns trigger language plpgsql as $$
             begin /* not for orders_twin */ insert into audit (what, id) values ('noted', new.id); return new; end $$;
             create trigger noted before insert on orders for each row execute function noted();",
        )
        .await;
    applied(&world, &[&SKIP[..], &["--set", "monitor=0"]].concat());
    world.sql("insert into orders (customer, placed) values (1, '2026-03-03')").await;
    assert_eq!(world.value("select count(*)::text from audit where what = 'noted'").await, "1");
}

#[tokio::test]
async fn what_reads_both_tables_or_names_a_constraint_is_refused_or_accepted_openly() {
    let world = shop().await;
    world
        .sql(
            "create view all_orders as select id from open_orders union all select id from orders_2025;
             create function once(n bigint) returns void language sql as $$
               insert into orders (id, customer) values (n, 1) on conflict on constraint orders_pkey do nothing $$;
             alter table orders replica identity full; alter table orders set (fillfactor = 70);
             alter table orders alter column total set statistics 500; cluster orders using orders_pkey;
             create statistics by_customer on customer, state from orders;",
        )
        .await;
    let plan = planned(&world, "");
    let mut ids = failed(&plan);
    ids.sort_unstable();
    assert_eq!(ids, ["on_conflict", "reads_both"], "{:#}", plan["preflight"]);
    assert!(said(&plan, "reads_both")[0].contains("all_orders read both tables"));
    assert!(
        said(&plan, "on_conflict")[0]
            .contains("ON CONFLICT ON CONSTRAINT orders_pkey in once(bigint) would fail")
    );
    let stays = said(&plan, "not_carried")[0];
    for what in [
        "REPLICA IDENTITY FULL",
        "fillfactor=70",
        "statistics target of column total",
        "cluster mark on orders_pkey",
        "extended statistics by_customer",
    ] {
        assert!(stays.contains(what), "{what}: {stays}");
    }
    assert_eq!(failed(&planned(&world, "reads_both,on_conflict")), Vec::<&str>::new());
}

/// Who may do what with which relation or column, and whose it is.
const PRIVILEGES: &str = "
select string_agg(what, e'\\n' order by what) from (
  select format('%s of %s: %s', c.relname, pg_get_userbyid(c.relowner),
                (select string_agg(a::text, ' ' order by a::text) from unnest(coalesce(c.relacl, acldefault(case c.relkind when 'S' then 's' else 'r' end::\"char\", c.relowner))) a)) as what
  from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'S')
  union all
  select format('%s.%s: %s', a.attrelid::regclass, a.attname, a.attacl) from pg_attribute a where a.attacl is not null
  union all
  select format('%s on %s', p.polname, p.polrelid::regclass) from pg_policy p) q";

#[tokio::test]
#[ignore = "long: make long"]
async fn privileges_are_after_the_way_back_what_they_were_before() {
    let world = shop().await;
    world
        .sql(
            "do $$ begin create role shop_twin_owner; exception when duplicate_object or unique_violation then null; end $$;
             grant create on schema public to shop_twin_owner; alter table orders_twin owner to shop_twin_owner;
             alter table orders_2027 owner to shop_twin_owner;
             grant select, truncate on orders_twin to keeper; grant insert on orders_twin to shop_clerk;
             grant usage on sequence orders_id_seq to shop_clerk;
             grant select on orders to shop_clerk with grant option; grant select on orders_twin to shop_clerk;
             grant update on orders_twin to shop_clerk with grant option;
             create policy all_of_it on orders_twin to shop_clerk using (true) with check (total < 1000000);",
        )
        .await;
    let plan = planned(&world, "");
    assert_eq!(failed(&plan), ["privileges"], "{:#}", plan["preflight"]);
    assert!(
        said(&plan, "privileges")[0].contains("UPDATE for shop_clerk"),
        "{:?}",
        said(&plan, "privileges")
    );
    assert!(
        said(&plan, "owner")[0].contains("partitions belong to shop_twin_owner, the table to keeper"),
        "{:#}",
        plan["preflight"]
    );
    world.sql("revoke grant option for update on orders_twin from shop_clerk").await;
    let before = world.value(PRIVILEGES).await;
    applied(&world, &[&SKIP[..], &["--set", "monitor=0"]].concat());
    let owner = "select pg_get_userbyid(relowner) || ' ' || relkind::text from pg_class where relname = 'orders_twin'";
    assert_eq!(world.value(owner).await, "shop_twin_owner v");
    let clerk = "select has_table_privilege('shop_clerk', 'orders', 'select with grant option')::text";
    assert_eq!(world.value(clerk).await, "true");
    applied(&world, &["rollback", "--set", "monitor=0"]);
    assert_eq!(world.value(PRIVILEGES).await, before);
}

#[tokio::test]
async fn whom_only_the_twin_lets_in_and_what_only_it_hides_is_named() {
    let world = shop().await;
    world
        .sql(
            "do $$ begin create role shop_stranger; exception when duplicate_object or unique_violation then null; end $$;
             grant select on orders_twin to shop_stranger; grant select (id) on orders_twin to shop_clerk;
             create policy all_of_it on orders_twin to shop_clerk using (total < 5);",
        )
        .await;
    let plan = planned(&world, "");
    assert_eq!(failed(&plan), ["privileges", "policy"], "{:#}", plan["preflight"]);
    let (widened, policy) = (said(&plan, "privileges")[0], said(&plan, "policy")[0]);
    assert!(
        widened.contains("the live name lets in whom only the twin did: SELECT for shop_stranger;"),
        "{widened}"
    );
    assert!(policy.contains("policy all_of_it of the twin"), "{policy}");
    assert_eq!(failed(&planned(&world, "privileges,policy")), Vec::<&str>::new());
}

#[tokio::test]
async fn statements_that_cannot_be_searched_are_unknown() {
    let world = shop().await;
    let told = |plan: &Value| {
        let all = plan["preflight"].as_array().unwrap().iter();
        all.filter(|p| p["id"] == "statements")
            .map(|p| format!("{} {}", p["status"].as_str().unwrap(), p["message"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    let unknown = "warn orders: unknown whether applications send ON CONFLICT that would fail: ";
    assert_eq!(told(&planned(&world, "")), [format!("{unknown}pg_stat_statements is not here")]);
    world.sql("create schema ext; create extension pg_stat_statements schema ext").await;
    let told = told(&planned(&world, ""));
    assert!(told[0].starts_with(unknown) && told[0].contains("shared_preload_libraries"), "{told:?}");
}

#[tokio::test]
#[ignore = "long: make long"]
async fn a_trigger_that_would_come_after_reverse_sync_is_refused() {
    let world = shop().await;
    world
        .sql(
            "create function postponed() returns trigger language plpgsql as $$
             begin new.placed := new.placed + interval '1 year'; return new; end $$;
             create trigger zzz_postponed before update of note on orders for each row execute function postponed()",
        )
        .await;
    let plan = planned(&world, "");
    assert_eq!(failed(&plan), ["trigger_order"], "{:#}", plan["preflight"]);
    assert!(said(&plan, "trigger_order")[0].contains("zzz_postponed of orders would come after"));
    world.sql("alter trigger zzz_postponed on orders rename to postponed").await;
    applied(&world, &[&SKIP[..], &["--set", "monitor=0"]].concat());
    // Moved on by its trigger, with children that a delete would take along.
    world.sql("update orders set note = 'later' where id = 5").await;
    let told =
        "select ((select placed from orders where id = 5) = (select placed from orders_legacy where id = 5)
                        and exists (select from lines where order_id = 5))::text";
    assert_eq!(world.value(told).await, "true");
}
