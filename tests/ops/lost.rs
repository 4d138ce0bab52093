//! What a switchover takes from the live name: keys, identities, what a trigger does besides.

use serde_json::Value;

use crate::carried::{said, shop};
use crate::dependants::{failed, planned};

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
