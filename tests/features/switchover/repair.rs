//! Twins mended: from rows that differ, are missing or left over to equal, and back.

use serde_json::Value;

use crate::world::World;

const TWINS: [&str; 3] = ["daily_cash_balances", "revenues", "expenses"];

/// A sum over every row of both sides.
async fn snapshot(world: &World) -> Vec<String> {
    let mut out = vec![];
    for twin in TWINS {
        for table in [twin.to_owned(), format!("{twin}_partitioned")] {
            let sql = format!(
                "select '{table} ' || count(*) || ' ' || coalesce(md5(string_agg(t::text, e'\\n' order by t::text)), '') from {table} t"
            );
            out.push(world.value(&sql).await);
        }
    }
    out
}

/// Rows that are not equal, over all twins.
fn differences(world: &World) -> u64 {
    let (_, value) = world.json(&["check", "parity"]);
    let of = |check: &Value| {
        ["missing_in_partitioned", "missing_in_legacy", "different", "stale", "duplicate"]
            .iter()
            .map(|f| check["facts"][f].as_u64().unwrap())
            .sum::<u64>()
    };
    value["checks"].as_array().unwrap().iter().map(of).sum()
}

#[tokio::test]
async fn repair_makes_twins_equal_and_its_undo_brings_every_row_back() {
    let world = World::hospitality().await;
    let (before, wrong) = (snapshot(&world).await, differences(&world));
    assert!(wrong > 0);
    let plan = world.plan("p.json", &["repair"]);
    assert_eq!((&plan["name"], plan["reversible"].as_str()), (&Value::from("all"), Some("full")));
    assert_eq!(plan["rows"].as_u64(), Some(wrong), "{:#}", plan["totals"]);
    let run = world.applied("p.json", &plan);
    assert_eq!((run["rows_applied"].as_u64(), run["verified"].as_bool()), (Some(wrong), Some(true)));
    assert_eq!(differences(&world), 0);
    let undo = world.undo("u.json", run["id"].as_str().unwrap());
    assert_eq!(undo["rows"].as_u64(), Some(wrong));
    world.applied("u.json", &undo);
    assert_eq!(snapshot(&world).await, before);
}

/// A secret of one table is a secret of its copy: neither side's values are in a plan.
#[tokio::test]
async fn a_secret_column_is_not_repaired() {
    let world = World::hospitality().await;
    let wrong = "alter table revenues disable trigger user; update revenues set reference_number = 'hunter2' where id = 1;
                 delete from revenues_partitioned where id = 2; alter table revenues enable trigger user";
    world.sql(wrong).await;
    for (secret, verb) in [
        ("revenues.reference_number", "repair"),
        ("revenues.reference_number", "copy-missing"),
        ("revenues_partitioned.reference_number", "repair"),
    ] {
        let profile =
            format!("extends = \"hospitality\"\nname = \"mine\"\nsecret_columns = [\"{secret}\"]\n");
        std::fs::write(world.file("mine.toml"), profile).unwrap();
        world.configure(&format!(
            "[targets.main]\nurl = \"{}\"\nprofile = \"mine.toml\"\nenvironment = \"demo\"\n",
            world.database.url()
        ));
        let out = world.file("p.json");
        let (code, value) = world.json(&["plan", verb, "revenues", "--out", out.to_str().unwrap()]);
        let message = value["error"]["message"].as_str().unwrap();
        assert!(code == 3 && message.contains("reference_number is secret"), "{secret}: {value:#}");
        assert!(!value.to_string().contains("hunter2") && !out.exists(), "{secret}: {value:#}");
    }
}

/// Triggers and functions of the legacy tables, with their states.
async fn mirrors(world: &World) -> String {
    let sql = "select string_agg(x, e'\\n' order by x) from (
        select t.tgrelid::regclass || ' ' || t.tgenabled::text || ' ' || pg_get_triggerdef(t.oid) || md5(pg_get_functiondef(t.tgfoid)) as x
        from pg_trigger t where not t.tgisinternal and t.tgrelid in ('revenues'::regclass, 'expenses'::regclass, 'daily_cash_balances'::regclass)
        union all select p.proname::text from pg_proc p where p.pronamespace = 'public'::regnamespace) q";
    world.value(sql).await
}

fn preflight<'p>(plan: &'p Value, id: &str) -> Vec<&'p str> {
    let all = plan["preflight"].as_array().unwrap();
    all.iter().filter(|p| p["id"] == id).map(|p| p["message"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_disabled_trigger_that_would_work_is_only_enabled() {
    let world = World::hospitality().await;
    let before = mirrors(&world).await;
    let plan = world.plan("p.json", &["repair-triggers"]);
    assert_eq!((plan["rows"].as_u64(), plan["steps"].as_array().unwrap().len()), (Some(1), 1), "{plan:#}");
    let statement = plan["steps"][0]["statements"][0].as_str().unwrap();
    assert!(
        statement.contains("enable trigger \"sync_to_partitioned_daily_cash_balances_delete\""),
        "{statement}"
    );
    let proofs = preflight(&plan, "proof");
    assert_eq!(proofs.len(), 3, "{proofs:?}");
    for proof in proofs {
        assert!(
            proof.contains("as they are, mirrored: UPDATE to NULL, UPDATE, UPDATE of the partition key"),
            "{proof}"
        );
        assert!(proof.contains("UPDATE of the key, DELETE, INSERT"), "{proof}");
    }
    let run = world.applied("p.json", &plan);
    assert_eq!(run["verified"].as_bool(), Some(true));
    assert_ne!(mirrors(&world).await, before);
    let undo = world.undo("u.json", run["id"].as_str().unwrap());
    let undone = world.applied("u.json", &undo);
    assert_eq!(mirrors(&world).await, before);
    // An undo names what it takes back; the undo of it names the same, done again; its undo takes that back.
    let titles = |plan: &Value| -> Vec<String> {
        plan["steps"].as_array().unwrap().iter().map(|s| s["title"].as_str().unwrap().to_owned()).collect()
    };
    let own = titles(&plan);
    let back: Vec<_> =
        titles(&undo).iter().map(|t| t.strip_prefix("take back: ").unwrap().to_owned()).collect();
    assert!(!back.is_empty() && back.iter().all(|t| own.contains(t)), "{own:?} {back:?}");
    let again = world.undo("again.json", undone["id"].as_str().unwrap());
    let expected: Vec<_> = back.iter().rev().map(|t| format!("again: {t}")).collect();
    assert_eq!(titles(&again), expected);
    let done = world.applied("again.json", &again);
    let third = titles(&world.undo("third.json", done["id"].as_str().unwrap()));
    assert_eq!(third, expected.iter().rev().map(|t| format!("take back: {t}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn triggers_that_are_broken_in_every_way_are_made_complete_and_put_back() {
    let world = World::hospitality().await;
    world
        .sql(
            "drop trigger sync_to_partitioned_revenues_delete on revenues;
             alter table revenues enable replica trigger sync_to_partitioned_revenues;
             create or replace function sync_expenses_to_partitioned() returns trigger language plpgsql as $$ begin
               insert into expenses_partitioned (id, org_id, supplier) values (new.id, new.org_id, new.vendor_name); return null; end $$;
             drop trigger sync_to_partitioned_daily_cash_balances on daily_cash_balances;
             create trigger sync_to_partitioned_daily_cash_balances after insert or update of closing_balance_cents on daily_cash_balances
               for each row execute function sync_daily_cash_balances_to_partitioned();",
        )
        .await;
    let before = mirrors(&world).await;
    let plan = world.plan("p.json", &["repair-triggers"]);
    let found = preflight(&plan, "found").join("\n");
    assert!(
        found.contains("column \"supplier\" of relation \"expenses_partitioned\" does not exist"),
        "{found} {:#}",
        plan["preflight"]
    );
    assert_eq!(preflight(&plan, "proof").len(), 3, "{plan:#}");
    let run = world.applied("p.json", &plan);
    assert_eq!(run["verified"].as_bool(), Some(true));
    let plan = world.plan("r.json", &["repair"]);
    world.applied("r.json", &plan);
    world
        .sql(
            "update revenues set occurred_at = occurred_at - interval '40 days', status = null where id in (100, 200, 300);
             update expenses set vendor_name = 'x', id = id + 1000000 where id = 150; delete from revenues where id = 7;
             insert into revenues (org_id, property_id, amount_cents, occurred_at, created_by_user_id) values (1, 1, 1, now(), 1);
             update daily_cash_balances set org_id = org_id + 30 where id = 5; delete from expenses where id = 151;",
        )
        .await;
    assert_eq!(differences(&world), 0);
    let undo = world.undo("u.json", run["id"].as_str().unwrap());
    world.applied("u.json", &undo);
    assert_eq!(mirrors(&world).await, before);
}

#[tokio::test]
async fn a_plan_without_anything_to_do_says_so_and_names_what_is_behind_once() {
    let world = World::mended().await;
    for operation in ["copy-missing", "repair"] {
        let plan = world.plan("p.json", &[operation]);
        assert_eq!((plan["rows"].as_u64(), plan["unit"].as_str()), (Some(0), Some("rows")), "{plan:#}");
        assert_eq!(plan["why"], "no row needs it: nothing to do");
        let text = world.run(&["plan", operation]).stdout;
        assert!(text.contains("changes    nothing\n") && !text.contains("0 rows"), "{text}");
    }
    // One that both sides take their numbers from is put forward once.
    let shared = "alter table expenses_partitioned alter id set default nextval('expenses_id_seq')";
    world.sql(&format!("{shared}; select setval('expenses_id_seq', 5)")).await;
    let plan = world.plan("p.json", &["repair"]);
    assert_eq!((plan["rows"].as_u64(), plan["unit"].as_str()), (Some(1), Some("statements")), "{plan:#}");
    let left = "no row needs it; what is left to do: sequences past the rows of both sides: expenses_id_seq";
    assert_eq!(plan["why"], left);
    world.applied("p.json", &plan);
    let past = "select (nextval('expenses_id_seq') > (select max(id) from expenses))::text";
    assert_eq!(world.value(past).await, "true");
    assert_eq!(world.plan("p.json", &["repair"])["why"], "no row needs it: nothing to do");
}

#[tokio::test]
async fn a_sequence_that_writers_leave_behind_makes_no_plan_stale() {
    let world = World::mended().await;
    let insert = "insert into revenues (org_id, property_id, amount_cents, occurred_at, created_by_user_id) values (1, 1, 1, now(), 1)";
    let level = world.plan("p.json", &["repair"]);
    world.applied("p.json", &level);
    let behind = "revenues: sequences past the rows of both sides: revenues_partitioned_id_seq";
    let steps = |plan: &Value| -> Vec<String> {
        let moving = plan["steps"].as_array().unwrap().iter().filter(|s| s["moving"] == true);
        moving
            .map(|s| {
                format!(
                    "{}: {}",
                    s["id"].as_str().unwrap().trim_end_matches("/sequences"),
                    s["title"].as_str().unwrap()
                )
            })
            .collect()
    };
    world.sql("delete from revenues_partitioned where id = 5").await;
    let plan = world.plan("p.json", &["repair"]);
    assert_eq!(steps(&plan), [""; 0]);
    world.sql(insert).await;
    world.applied("p.json", &plan);
    assert_eq!(differences(&world), 0);
    world.sql("delete from revenues_partitioned where id = 5").await;
    let plan = world.plan("p.json", &["repair"]);
    assert_eq!(steps(&plan), [behind]);
    // Where nothing else is to be done, what is behind is all that a plan is about.
    world.applied("p.json", &plan);
    world.sql(insert).await;
    let plan = world.plan("p.json", &["copy-missing"]);
    assert_eq!(plan["unit"], "statements", "{plan:#}");
    world.sql(&insert.replace("revenues", "expenses")).await;
    world.applied("p.json", &plan);
    world.sql("delete from revenues_partitioned where id = 5").await;
    world.sql(insert).await;
    let plan = world.plan("p.json", &["repair"]);
    world.sql("select setval('revenues_partitioned_id_seq', 90000000)").await;
    world.applied("p.json", &plan);
    assert_eq!(
        world.value("select last_value::text from revenues_partitioned_id_seq").await,
        "90000000",
        "never back"
    );
}

#[tokio::test]
async fn what_only_its_collation_takes_for_equal_is_mended() {
    let database = crate::common::Database::empty().await;
    let tables = "create collation lax (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
        create table a (id int primary key, t text collate lax, d date not null default '2026-01-01');
        create table a_part (id int, t text collate lax, d date not null, primary key (id, d)) partition by range (d);
        create table a_1 partition of a_part for values from ('2026-01-01') to ('2100-01-01');
        insert into a select i, 'Foo' from generate_series(1, 5) i; insert into a_part select id, case id when 3 then 'foo' else t end, d from a";
    database.owner().await.execute_script(tables).await.unwrap();
    let world = World::on(database, "profile = \"p.toml\"\nenvironment = \"demo\"");
    std::fs::write(
        world.file("p.toml"),
        "name = \"p\"\n[[twins]]\nlegacy = \"a\"\npartitioned = \"a_part\"\nkey = [\"id\"]\n",
    )
    .unwrap();
    for operation in ["init", "repair-triggers"] {
        let plan = world.plan("p.json", &[operation]);
        world.applied("p.json", &plan);
    }
    assert_eq!(differences(&world), 1);
    let plan = world.plan("p.json", &["repair"]);
    assert_eq!(plan["rows"].as_u64(), Some(1), "{plan:#}");
    world.applied("p.json", &plan);
    assert_eq!(differences(&world), 0);
    assert_eq!(world.value("select t from a_part where id = 3").await, "Foo");
}
