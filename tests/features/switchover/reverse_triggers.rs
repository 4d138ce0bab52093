//! Reverse triggers that do not fire any more: found, made anew, proved in a copy, put back as they were.

use crate::switchover::dependents_carried::{said, shop};
use crate::switchover::ownership::{SWITCH, done, told};
use crate::world::World;

async fn states(world: &World) -> String {
    let sql = "select string_agg(format('%s %s %s %s', tgrelid::regclass, tgname, tgenabled, md5(prosrc)), e'\\n' order by tgrelid::regclass::text, tgname)
               from pg_trigger t join pg_proc p on p.oid = t.tgfoid where tgname ~ 'midwatch_reverse'";
    world.value(sql).await
}

#[tokio::test]
#[ignore = "long: make long"]
async fn reverse_triggers_that_were_disabled_dropped_or_emptied_fire_again() {
    let world = shop().await;
    done(&world, &SWITCH);
    let whole = states(&world).await;
    let plan = world.plan("p.json", &["repair-triggers"]);
    assert_eq!((plan["rows"].as_u64(), told(&plan, "warn")), (Some(0), vec![]), "{plan:#}");
    for broken in [
        "alter table orders disable trigger midwatch_reverse; drop trigger midwatch_reverse_truncate on orders_2026",
        "alter table orders_2026 disable trigger midwatch_reverse; drop trigger zz_midwatch_reverse_moves on orders",
        "create or replace function midwatch_reverse_orders() returns trigger language plpgsql as $$ begin return new; end $$",
    ] {
        world.sql(broken).await;
        let was = states(&world).await;
        assert_ne!(was, whole, "{broken}");
        let plan = done(&world, &["repair-triggers"]);
        let proof = said(&plan, "proof");
        assert!(
            proof[0].starts_with("orders: fired in a copy as planned, mirrored: UPDATE to NULL"),
            "{proof:?}"
        );
        assert!(proof[0].contains("TRUNCATE of a partition"), "{proof:?}");
        assert!(said(&plan, "missed")[0].contains("midwatch plan repair orders afterwards"), "{plan:#}");
        assert_eq!(states(&world).await, whole, "{broken}");
        let (_, value) = world.json(&["runs"]);
        let undo = world.undo("u.json", value["runs"][0]["id"].as_str().unwrap());
        world.applied("u.json", &undo);
        assert_eq!(states(&world).await, was, "{broken}");
        done(&world, &["repair-triggers"]);
    }
    world.sql("delete from orders where id = 7").await;
    assert_eq!(world.value("select count(*)::text from orders_legacy where id = 7").await, "0");
}

#[tokio::test]
#[ignore = "long: make long"]
async fn each_twin_of_a_set_switched_in_part_gets_its_own_triggers_back() {
    let world = World::mended().await;
    done(&world, &["switchover", "expenses", "--set", "monitor=0", "--set", "backup=skip"]);
    world
        .sql(
            "alter table expenses disable trigger midwatch_reverse;
             alter table revenues disable trigger sync_to_partitioned_revenues",
        )
        .await;
    // Who goes back is told what has to be mended, and by what.
    let (_, value) = world.json(&["plan", "rollback"]);
    let warned = told(&value["plan"], "warn");
    assert!(
        warned.iter().any(|w| w.contains("midwatch_reverse") && w.ends_with("repair-triggers expenses")),
        "{warned:#?}"
    );
    let plan = done(&world, &["repair-triggers"]);
    let steps: Vec<_> = plan["steps"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap()).collect();
    assert_eq!(steps, ["revenues", "expenses"], "{plan:#}");
    let off = "select count(*)::text from pg_trigger where tgenabled = 'D' and not tgisinternal and tgrelid in ('expenses'::regclass, 'revenues'::regclass)";
    assert_eq!(world.value(off).await, "0");
    done(&world, &["rollback", "--set", "monitor=0"]);
}
