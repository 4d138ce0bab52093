//! Parity where names, values and sizes are not what one would wish for.

use std::fmt::Write as _;

use midwatch::engine::model::report::Report;
use serde_json::{Value, json};

use crate::common::{Database, engine, observe};

fn profile(legacy: &str, partitioned: &str, key: &str, sums: &str) -> String {
    format!(
        "name = \"p\"\n[[twins]]\nname = \"pair\"\nlegacy = {legacy:?}\npartitioned = {partitioned:?}\nkey = [{key}]\nsums = [{sums}]\n"
    )
}

async fn pair(sql: &str, profile: &str) -> (Database, Report) {
    let database = Database::empty().await;
    database.owner().await.execute_script(sql).await.unwrap();
    let report = again(&database, profile).await;
    (database, report)
}

async fn again(database: &Database, profile: &str) -> Report {
    observe(&engine(&database.url(), profile).await, "parity/pair").await
}

fn counts(report: &Report) -> [u64; 5] {
    ["missing_in_partitioned", "missing_in_legacy", "different", "stale", "duplicate"]
        .map(|f| report.facts[f].as_u64().unwrap_or_else(|| panic!("{f} in {report:?}")))
}

fn sample<'r>(report: &'r Report, what: &str) -> &'r [serde_json::Map<String, Value>] {
    &report
        .findings
        .iter()
        .find(|f| f.what() == what)
        .unwrap_or_else(|| panic!("{what} in {report:?}"))
        .sample
}

#[tokio::test]
async fn odd_names_are_quoted_everywhere() {
    let sql = "
        create schema \"Ö dd\";
        create table \"Ö dd\".\"Le\"\"gacy.T\" (\"Id \"\"x\" int unique, \"größe\nzwei\" text, \"SELECT\" numeric(8,2), \"$1\" date);
        create table \"Ö dd\".\"twin';--\" (\"$1\" date, \"SELECT\" numeric(8,2), \"größe\nzwei\" text, \"Id \"\"x\" int)
          partition by list (\"größe\nzwei\");
        create table \"Ö dd\".\"p a\" partition of \"Ö dd\".\"twin';--\" for values in ('it''s, \\ \"a\"', null);
        create table \"Ö dd\".\"P A\" partition of \"Ö dd\".\"twin';--\" for values in ('NULL', 'b, c');
        create table \"Ö dd\".\"rest\tof\" partition of \"Ö dd\".\"twin';--\" default;
        insert into \"Ö dd\".\"Le\"\"gacy.T\"
          select i, (array['it''s, \\ \"a\"', null, 'NULL', 'b, c', 'else'])[1 + i % 5], i / 3.0, date '2026-01-01' + i
          from generate_series(1, 50) i;
        insert into \"Ö dd\".\"twin';--\" (\"Id \"\"x\", \"größe\nzwei\", \"SELECT\", \"$1\") select * from \"Ö dd\".\"Le\"\"gacy.T\";";
    let profile = profile("\"Ö dd\".\"Le\"\"gacy.T\"", "\"Ö dd\".\"twin';--\"", r#""Id \"x""#, "\"SELECT\"");
    let (database, report) = pair(sql, &profile).await;
    assert_eq!(counts(&report), [0; 5]);
    let statuses: Vec<_> =
        report.facts["partitions"].as_array().unwrap().iter().map(|p| &p["status"]).collect();
    assert_eq!(statuses, ["equal"; 3], "{report:?}");
    assert_eq!(report.facts["sums"]["SELECT"]["legacy"], "425");

    let change = "update \"Ö dd\".\"twin';--\" set \"$1\" = null where \"Id \"\"x\" = 7;
                  delete from \"Ö dd\".\"twin';--\" where \"Id \"\"x\" = 8";
    database.owner().await.execute_script(change).await.unwrap();
    let report = again(&database, &profile).await;
    assert_eq!(counts(&report), [1, 0, 1, 0, 0]);
    assert_eq!(sample(&report, "different")[0]["columns"], json!(["$1"]));
    assert_eq!(sample(&report, "missing_in_partitioned")[0]["key"], 8);
}

#[tokio::test]
async fn bounds_with_quotes_and_backslashes() {
    let sql = r"
        create table t (id int primary key, k text collate pg_catalog.default);
        create table p (id int, k text) partition by range (k);
        create table p1 partition of p for values from (minvalue) to ('a\b''c');
        create table p2 partition of p for values from ('a\b''c') to ('x) TO (y');
        create table p3 partition of p for values from ('x) TO (y') to (maxvalue);
        insert into t select i, (array['a', 'a\b', 'a\b''c', 'b', 'x', 'x) TO (y', 'z', null])[1 + i % 7] from generate_series(1, 70) i;
        insert into p select * from t;";
    let (_database, report) = pair(sql, &profile("t", "p", "\"id\"", "")).await;
    assert_eq!(counts(&report), [0; 5]);
    for partition in report.facts["partitions"].as_array().unwrap() {
        assert_eq!(partition["status"], "equal", "{report:?}");
        assert_eq!(partition["legacy_rows"], partition["partitioned_rows"], "{report:?}");
    }
}

#[tokio::test]
async fn every_type_is_compared_as_it_is_written() {
    let sql = "
        create table t (id int primary key, n numeric, f float8, i interval, j json, jb jsonb, xy point, b bytea, a int[], s text);
        create table p (like t) partition by hash (id);
        create table p0 partition of p for values with (modulus 2, remainder 0);
        create table p1 partition of p for values with (modulus 2, remainder 1);
        insert into t select i, 1.0, 0, '1 mon', '{\"a\":1}', '{\"a\":1}', '(1,2)', '\\x00', '{1,null}', '' from generate_series(1, 9) i;
        insert into p select * from t;
        update p set n = 1.00 where id = 1; update p set f = '-0' where id = 2; update p set i = '30 days' where id = 3;
        update p set j = '{\"a\": 1}' where id = 4; update p set jb = '{\"a\":1.0}' where id = 5; update p set xy = '(1,3)' where id = 6;
        update p set b = '' where id = 7; update p set a = '{1,2}' where id = 8; update p set s = null where id = 9;";
    let (_database, report) = pair(sql, &profile("t", "p", "\"id\"", "")).await;
    assert_eq!(counts(&report), [0, 0, 9, 0, 0]);
    let mut columns: Vec<_> = sample(&report, "different")
        .iter()
        .map(|s| (s["key"].as_i64().unwrap(), s["columns"][0].as_str().unwrap()))
        .collect();
    columns.sort_unstable();
    let names: Vec<_> = columns.iter().map(|(_, c)| *c).collect();
    assert_eq!(names, ["n", "f", "i", "j", "jb", "xy", "b", "a", "s"]);
}

#[tokio::test]
async fn rows_without_a_key_are_not_taken_for_equal() {
    let sql = "
        create table t (id int unique, v text);
        create table p (id int, v text) partition by list (v);
        create table p1 partition of p default;
        insert into t values (1, 'x'), (null, 'legacy only'); insert into p values (1, 'x');";
    let (_database, report) = pair(sql, &profile("t", "p", "\"id\"", "")).await;
    assert_ne!(report.status.word(), "ok", "{report:?}");
    assert!(report.findings.iter().any(|f| f.what() == "not_classified"), "{report:?}");
    assert_eq!(report.facts["not_classified"], 1);
}

#[tokio::test]
async fn a_megabyte_in_a_cell_stays_on_the_server() {
    let sql = "
        create table t (id int primary key, body text); create table p (like t) partition by hash (id);
        create table p0 partition of p for values with (modulus 1, remainder 0);
        insert into t select i, repeat('long ', 209715) || i from generate_series(1, 8) i; insert into p select * from t;
        update p set body = body || '.' where id = 3;";
    let (_database, report) = pair(sql, &profile("t", "p", "\"id\"", "")).await;
    assert_eq!(counts(&report), [0, 0, 1, 0, 0]);
    assert!(serde_json::to_string(&report.findings).unwrap().len() < 5_000);
}

/// Thousands of leaves on a server with its default lock table.
async fn many_partitions() -> Database {
    let database = Database::empty().await;
    let mut owner = database.owner().await;
    owner
        .execute_script("create table t (id int primary key, v int); create table p (id int, v int) partition by range (id);
                         insert into t select i, i from generate_series(1, 10000) i")
        .await
        .unwrap();
    // Each transaction's locks must fit as well. In two levels: the server needs n² to add n to one table.
    let fill = "do $$ begin for n in 0..9 loop
                  execute format('create table p_%s partition of p for values from (%s) to (%s) partition by range (id)',
                    n, n * 1000 + 1, n * 1000 + 1001);
                  for m in 0..499 loop
                    execute format('create table p_%1$s_%2$s partition of p_%1$s for values from (%3$s) to (%4$s)', n, m,
                      n * 1000 + m * 2 + 1, n * 1000 + m * 2 + 3);
                  end loop;
                  insert into p select * from t where id > n * 1000 and id <= (n + 1) * 1000; commit;
                end loop; end $$";
    owner.execute_script(fill).await.unwrap();
    database
}

#[tokio::test]
async fn five_thousand_partitions_on_a_default_server() {
    let database = many_partitions().await;
    let profile = profile("t", "p", "\"id\"", "\"v\"");
    let report = again(&database, &profile).await;
    assert_eq!(counts(&report), [0; 5], "{:?}", report.status);
    let statuses: Vec<_> =
        report.facts["partitions"].as_array().unwrap().iter().map(|p| &p["status"]).collect();
    assert_eq!(statuses, ["equal"; 10]);
    let leaves = "select count(*)::text from pg_inherits i join pg_class c on c.oid = i.inhrelid where c.relkind = 'r'";
    assert_eq!(database.owner().await.fetch_value(leaves, &[]).await.unwrap().as_deref(), Some("5000"));
    assert_eq!(report.facts["sums"]["v"], json!({ "legacy": "50005000", "partitioned": "50005000" }));

    let mut owner = database.owner().await;
    owner.execute_script("update p_3_17 set v = -1 where id = 3035; delete from p_9_499").await.unwrap();
    let report = again(&database, &profile).await;
    assert_eq!(counts(&report), [2, 0, 1, 0, 0], "{:?}", report.status);
    assert_eq!(sample(&report, "different")[0]["partition"], "p_3");
    assert_eq!(report.facts["partitions_not_read"], 0);
    assert_eq!(report.status.word(), "fail");
}

#[tokio::test]
async fn integer_ranges_are_ordered_as_numbers() {
    let sql = "
        create table t (id int primary key, v int); create table p (id int, v int) partition by range (id);
        do $$ begin for n in -3..12 loop
          execute format('create table %I partition of p for values from (%s) to (%s)', 'p' || n, n * 10, n * 10 + 10);
        end loop; end $$;
        insert into t select i, i from generate_series(-30, 129) i; insert into p select * from t;";
    let (_database, report) = pair(sql, &profile("t", "p", "\"id\"", "")).await;
    for partition in report.facts["partitions"].as_array().unwrap() {
        assert_eq!(
            (&partition["status"], &partition["legacy_rows"]),
            (&json!("equal"), &json!(10)),
            "{report:?}"
        );
    }
}

/// Each takes several transactions of one snapshot, and all of them look at once.
#[tokio::test]
async fn several_large_twins_do_not_wait_for_each_other() {
    let database = Database::empty().await;
    let mut text = "name = \"p\"\n".to_owned();
    let mut owner = database.owner().await;
    for twin in ["x", "y", "z"] {
        let sql = format!(
            "create table {twin} (id int primary key); create table {twin}p (id int) partition by range (id);
             insert into {twin} select generate_series(1, 420);
             do $$ begin for n in 0..2 loop
               execute format('create table {twin}p_%s partition of {twin}p for values from (%s) to (%s) partition by range (id)',
                 n, n * 140 + 1, n * 140 + 141);
               for m in n * 140 + 1 .. n * 140 + 140 loop
                 execute format('create table {twin}p_%1$s_%2$s partition of {twin}p_%1$s for values from (%2$s) to (%3$s)', n, m, m + 1);
               end loop; end loop; end $$;
             insert into {twin}p select * from {twin}"
        );
        owner.execute_script(&sql).await.unwrap();
        writeln!(text, "[[twins]]\nlegacy = \"{twin}\"\npartitioned = \"{twin}p\"\nkey = [\"id\"]").unwrap();
    }
    let engine = engine(&database.url(), &text).await;
    let ids: Vec<_> = engine.ids().into_iter().filter(|id| id.kind == "parity").collect();
    let all = futures_util::future::join_all(ids.iter().map(|id| engine.observe(id)));
    let reports =
        tokio::time::timeout(std::time::Duration::from_mins(2), all).await.expect("they wait for each other");
    for report in reports {
        assert_eq!((counts(&report), &report.facts["legacy_rows"]), ([0; 5], &json!(420)), "{report:?}");
    }
}

/// Of an operator the most exact one counts, wherever on the path it is: `pg_catalog` has none for these two types.
#[tokio::test]
async fn an_operator_on_the_profile_s_path_is_not_ours() {
    let sql = "
        create table t (id int primary key);
        create table p (id int primary key) partition by range (id);
        create table p_all partition of p default;
        insert into t values (1), (2); insert into p values (1);
        create function public.planted(oid, regclass) returns boolean language plpgsql as
          $$ begin raise exception 'planted'; end $$;
        create operator public.= (leftarg = oid, rightarg = regclass, function = public.planted);";
    let (_database, report) = pair(sql, &profile("t", "p", "\"id\"", "")).await;
    assert_eq!(counts(&report), [1, 0, 0, 0, 0], "{report:?}");
}
