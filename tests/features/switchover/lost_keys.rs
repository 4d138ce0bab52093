//! What a switchover takes from the live name: keys, identities, what a trigger does besides.

use serde_json::Value;

use crate::switchover::dependents_carried::{said, shop};
use crate::switchover::dependents_named::{failed, planned};

fn told(plan: &Value, id: &str, what: &str) {
    let all = said(plan, id);
    assert!(all.iter().any(|t| t.contains(what)), "{what}: {all:?}");
}

#[tokio::test]
async fn keys_that_may_hold_null_or_hold_in_part_are_named_and_hinder_nothing() {
    let world = shop().await;
    world
        .sql(
            "alter table orders add code text unique, add alias text; alter table orders_twin add code text, add alias text;
             create unique index orders_alias on orders (lower(alias)); create unique index orders_note on orders (note) where state = 'void' and id < 0;
             update orders set code = 'c' || id, alias = 'a' || id;",
        )
        .await;
    let repair = world.plan("p.json", &["repair-triggers"]);
    world.applied("p.json", &repair);
    let repair = world.plan("p.json", &["repair"]);
    world.applied("p.json", &repair);
    let plan = planned(&world, "");
    assert_eq!(failed(&plan), Vec::<&str>::new(), "{:#}", plan["preflight"]);
    told(&plan, "unique_key", "unique (code) is not on the twin");
    told(&plan, "unique_key", "orders_alias");
    told(&plan, "unique_key", "orders_note");
    told(&plan, "reverse_sync", "UPDATE,");
}

#[tokio::test]
async fn whoever_depends_on_a_lost_key_is_named_however_it_is_written() {
    let world = shop().await;
    world
        .sql(
            "alter table orders add \"RefNo\" int unique; alter table orders_twin add \"RefNo\" int;
             create unique index orders_note on orders (lower(note)) where id < 0;
             create function quiet() returns void language sql as $$
               insert into orders (number, customer) values (1, 1) on conflict do nothing $$;
             create function mixed() returns void language sql as $$
               insert into orders (\"RefNo\", customer) values (1, 1) on conflict (\"RefNo\") do nothing $$;
             create function expressed() returns void language sql as $$
               insert into orders (note, customer) values ('a', 1) on conflict (lower(note)) where id < 0 do nothing $$;",
        )
        .await;
    let repair = world.plan("p.json", &["repair-triggers"]);
    world.applied("p.json", &repair);
    let plan = planned(&world, "");
    assert_eq!(failed(&plan), ["on_conflict"; 3], "{:#}", plan["preflight"]);
    told(&plan, "on_conflict", "ON CONFLICT DO NOTHING in quiet() would fail");
    told(&plan, "on_conflict", "ON CONFLICT (RefNo) in mixed() would fail");
    told(&plan, "on_conflict", "ON CONFLICT on it in expressed() would fail");
    assert_eq!(failed(&planned(&world, "on_conflict")), Vec::<&str>::new());
}

#[tokio::test]
#[ignore = "long: make long"]
async fn an_identity_that_takes_no_number_is_refused_and_what_tells_the_table_is_named() {
    let world = shop().await;
    let plan = planned(&world, "");
    told(&plan, "serial_sequence", "the identity of column id becomes a default");
    world
        .sql(
            "alter table orders_twin alter column id add generated always as identity;
             create function named() returns trigger language plpgsql as $$
             begin insert into audit (what) values (TG_TABLE_NAME); return null; end $$;
             create trigger named after insert on orders for each row execute function named()",
        )
        .await;
    let repair = world.plan("p.json", &["repair-triggers"]);
    world.applied("p.json", &repair);
    let plan = planned(&world, "");
    assert_eq!(failed(&plan), ["identity"], "{:#}", plan["preflight"]);
    told(&plan, "identity", "column id of the twin is GENERATED ALWAYS AS IDENTITY");
    told(&plan, "trigger_table", "trigger named asks for its table's name");
    assert_eq!(failed(&planned(&world, "identity")), Vec::<&str>::new());
}

#[tokio::test]
async fn what_a_mirroring_function_does_besides_is_not_lost_in_silence() {
    let world = shop().await;
    let function = "public.midwatch_sync_orders";
    let with = |rest: &str| {
        format!(
            "do $do$ begin execute replace(replace(pg_get_functiondef('{function}'::regproc),
               'BEGIN', 'begin'), 'begin', 'begin {rest}'); end $do$;
             alter function {function}() set work_mem = '64MB'; alter function {function}() set search_path = '';"
        )
    };
    world.sql(&with("insert into public.audit (what) values (''mirrored'');")).await;
    let plan = planned(&world, "");
    assert_eq!(failed(&plan), ["trigger_body"], "{:#}", plan["preflight"]);
    told(&plan, "trigger_body", "does more, which ends with the switch: writes audit");
    assert_eq!(failed(&planned(&world, "trigger_body")), Vec::<&str>::new());
    // Incomplete besides: its text would be replaced.
    world.sql("drop trigger sync_to_partitioned_orders on orders;
               create trigger sync_to_partitioned_orders after insert or update on orders for each row execute function midwatch_sync_orders()").await;
    let (_, value) = world.json(&["plan", "repair-triggers"]);
    assert_eq!(failed(&value["plan"]), ["trigger_body"], "{:#}", value["plan"]["preflight"]);
    let plan = world.plan("p.json", &["repair-triggers", "--set", "accept=trigger_body"]);
    world.applied("p.json", &plan);
    let settings =
        "select array_to_string(proconfig, ' ') from pg_proc where proname = 'midwatch_sync_orders'";
    assert!(world.value(settings).await.contains("work_mem=64MB"));
}

#[tokio::test]
async fn a_function_that_is_anothers_is_not_planned_to_be_replaced() {
    let world = shop().await;
    world
        .sql(
            "do $$ begin create role lost_fitter login; exception when duplicate_object or unique_violation then null; end $$;
             grant usage, create on schema public to lost_fitter; grant usage on schema midwatch to lost_fitter;
             grant select on all tables in schema public, midwatch to lost_fitter; alter table orders owner to lost_fitter;
             drop trigger sync_to_partitioned_orders on orders;
             create trigger sync_to_partitioned_orders after insert or update on orders for each row execute function midwatch_sync_orders()",
        )
        .await;
    let url = world.database.url().replace("keeper@", "lost_fitter@");
    let profile = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/features/world/shop.toml");
    world.configure(&format!(
        "[targets.main]\nurl = \"{url}\"\nprofile = \"{profile}\"\nenvironment = \"demo\"\n[policy]\nallow_unknown_load = true\n"
    ));
    let (_, value) = world.json(&["plan", "repair-triggers"]);
    told(
        &value["plan"],
        "privilege",
        "role lost_fitter may not replace function public.midwatch_sync_orders: it belongs to keeper",
    );
}
