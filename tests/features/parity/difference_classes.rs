//! Every class of difference and every kind of type, told apart exactly; while writers work as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use midwatch::engine::model::report::Report;
use serde_json::Value;

use crate::common::{Database, engine};

const CLASSES: [&str; 5] = ["different", "missing_in_partitioned", "missing_in_legacy", "stale", "duplicate"];

fn counts(report: &Report) -> [u64; 5] {
    CLASSES.map(|c| report.facts[c].as_u64().unwrap_or_else(|| panic!("{c} of {report:?}")))
}

fn sample<'r>(report: &'r Report, what: &str) -> &'r [serde_json::Map<String, Value>] {
    report.findings.iter().find(|f| f.what() == what).map_or(&[], |f| &f.sample)
}

async fn look(database: &Database, key: &str) -> Report {
    look_at(&database.url(), key).await
}

async fn look_at(url: &str, key: &str) -> Report {
    let profile = format!("name = \"p\"\n[[twins]]\nlegacy = \"t\"\npartitioned = \"p\"\nkey = [{key}]\n");
    let engine = engine(url, &profile).await;
    engine.observe(&engine.ids()[0]).await
}

async fn database(sql: &str) -> Database {
    let database = Database::empty().await;
    database.owner().await.execute_script(sql).await.unwrap();
    database
}

const MONTHS: &str = "
    create table t (id bigint primary key, d timestamp not null, a int, b text);
    create table p (b text, id bigint not null, d timestamp not null, a int) partition by range (d);
    do $$ begin for m in 1..12 loop
      execute format('create table p%s partition of p for values from (%L) to (%L)', m,
        timestamp '2025-01-01' + (m - 1) * interval '1 month', timestamp '2025-01-01' + m * interval '1 month');
    end loop; end $$;
    create index on p (id);
    insert into t select i, timestamp '2025-01-01' + i * interval '17 minutes', i, 'b' || i from generate_series(1, 30000) i;
    insert into p (id, d, a, b) select id, d, a, b from t; analyze t;";

#[tokio::test]
async fn each_class_is_what_it_is() {
    let sql = format!(
        "{MONTHS}
         delete from p where id in (5, 20000);
         insert into p (id, d) values (-7, '2025-03-03'), (40000, '2025-07-07');
         update p set a = null where id = 77; update t set b = null where id = 15000;
         insert into p (id, d, a, b) select id, d - interval '2 months', a, b from t where id = 25000;
         insert into p (id, d, a, b) select id, d, a, b from t where id = 8000;
         insert into t (id, d) values (50000, '2027-01-01');"
    );
    let report = look(&database(&sql).await, "\"id\"").await;
    assert_eq!(counts(&report), [2, 3, 2, 1, 1], "{report:?}");
    let keys = |what| {
        let mut keys: Vec<_> = sample(&report, what).iter().map(|s| s["key"].as_i64().unwrap()).collect();
        keys.sort_unstable();
        keys
    };
    assert_eq!(keys("missing_in_partitioned"), [5, 20000, 50000]);
    assert_eq!(keys("missing_in_legacy"), [-7, 40000]);
    assert_eq!((keys("stale"), keys("duplicate")), (vec![25000], vec![8000]));
    let of = |key: i64| sample(&report, "different").iter().find(|s| s["key"] == key).unwrap();
    assert_eq!(of(77)["columns"], serde_json::json!(["a"]));
    assert_eq!(of(77)["partitioned"]["a"], Value::Null);
    assert_eq!(of(15_000)["row"]["partitioned"]["b"], "b15000");
}

#[tokio::test]
async fn without_a_unique_index_on_the_key_no_row_is_named() {
    let make = "create table t (id int, v int); create table p (id int, v int) partition by range (id);
        create table p1 partition of p for values from (0) to (5); create table p2 partition of p for values from (5) to (20);
        create index on t (id); create index on p (id);
        insert into t select i % 10, i from generate_series(1, 30) i; insert into p select * from t; analyze t;";
    let change = "insert into p select i % 4 + 5, i from generate_series(1, 20) i;";
    for (change, rows) in [("", None), (change, Some([15, 35]))] {
        let database = database(&format!("{make}{change}")).await;
        let report = look(&database, "\"id\"").await;
        let said = |what: &str| report.findings.iter().find(|f| f.what() == what);
        assert!(CLASSES.iter().all(|c| report.facts[*c].is_null()), "{report:?}");
        assert!(said("key").unwrap().message.contains("count and digest only"), "{report:?}");
        assert!(report.facts["compared"].as_str().unwrap().contains("no unique key"), "{report:?}");
        let differ = report.facts["digests_differ"].as_array().unwrap();
        if let Some([legacy, twin]) = rows {
            assert!(differ[0]["keys"].as_str().unwrap().contains("id"), "{report:?}");
            assert_eq!((differ[0]["partition"].as_str(), differ.len()), (Some("p2"), 1), "{report:?}");
            assert_eq!(
                (&differ[0]["legacy_rows"], &differ[0]["partitioned_rows"]),
                (&legacy.into(), &twin.into())
            );
            assert!(
                said("digests").unwrap().message.contains("15 legacy rows there, 35 in the twin"),
                "{report:?}"
            );
        } else {
            assert!(differ.is_empty() && said("digests").is_none(), "{report:?}");
            assert!(
                report.summary.starts_with("30 rows equal by count and 64-bit digests"),
                "{}",
                report.summary
            );
        }
    }
    // A unique index, and rows are told apart again.
    let database = database(make).await;
    let unique = "delete from t where v > 10; delete from p where v > 10; create unique index on t (id); delete from p where v = 7";
    database.owner().await.execute_script(unique).await.unwrap();
    let report = look(&database, "\"id\"").await;
    assert_eq!(counts(&report), [0, 1, 0, 0, 0], "{report:?}");
    assert!(
        report.facts["digests_differ"].is_null() && report.facts["key_not_unique"].is_null(),
        "{report:?}"
    );
}

/// New partitions come without the grants of the old ones. Such a role does not see who is at work either, so that it
/// reads with pauses.
#[tokio::test]
async fn whoever_may_read_the_table_but_not_its_partitions_sees_the_same() {
    let sql = format!(
        "{MONTHS}
         create table rest partition of p default;
         insert into p (id, d) values (60000, '2030-01-01'); insert into t (id, d, a) values (60000, '2030-01-01', 4);
         delete from p where id in (5, 20000); update p set a = null where id = 77;
         insert into p (id, d, a, b) select id, d - interval '2 months', a, b from t where id = 25000;
         do $$ begin create role whole_reader login; exception when duplicate_object or unique_violation then null; end $$;
         grant select on t, p to whole_reader;"
    );
    let database = database(&sql).await;
    let report = look_at(&database.url().replace("keeper@", "whole_reader@"), "\"id\"").await;
    assert_eq!(counts(&report), [2, 2, 0, 1, 0], "{report:?}");
    assert_eq!(counts(&look(&database, "\"id\"").await), [2, 2, 0, 1, 0]);
}

/// A sum of the server's own record hashes is the same here in two of three cases.
#[tokio::test]
async fn values_that_two_rows_swapped_are_found() {
    let sql = format!(
        "{MONTHS}
         update p set a = x.a from p x where (p.id, x.id) in ((100, 101), (101, 100), (9000, 9001), (9001, 9000));"
    );
    let report = look(&database(&sql).await, "\"id\"").await;
    assert_eq!(counts(&report), [4, 0, 0, 0, 0], "{report:?}");
}

#[tokio::test]
async fn types_are_compared_by_identity() {
    // Column's type, the legacy value, a value that its own equality or hash takes for the same.
    for (kind, one, other) in [
        ("citext", "'Ab'", "'aB'"),
        ("interval", "'1 month'", "'30 days'"),
        ("numeric", "1.0", "1.00"),
        ("float8", "0", "'-0'"),
        ("text collate lax", "'straße'", "'STRASSE'"),
        ("json", "'{\"a\": 1}'", "'{\"a\":1}'"),
        ("jsonb", "'1.0'", "'1.00'"),
        ("point", "'(1,2)'", "'(1,3)'"),
        ("xml", "'<a/>'", "'<b/>'"),
        ("bigint", "1", "4294967296"),
        ("bigint", "-1", "4294967295"),
        ("timestamp", "'infinity'", "'-infinity'"),
        ("timestamp", "'2025-01-01'", "'2025-01-01 00:00:00.000001'"),
        ("timestamptz", "'2025-01-01Z'", "'2025-01-01 00:00:00.000001Z'"),
        ("date", "'2025-01-01'", "'2025-01-02'"),
        ("bytea", "'\\x00'", "'\\x0000'"),
        ("uuid", "'00000000-0000-0000-0000-000000000000'", "null"),
        ("bool", "false", "null"),
        ("int2", "0", "null"),
        ("text", "''", "null"),
        ("text", "'a'", "'a '"),
        ("int4range", "'[1,2)'", "'[1,3)'"),
        ("text[]", "array['a,b']", "array['a','b']"),
        ("mood", "'sad'", "'glad'"),
        ("price", "1", "2"),
    ] {
        let sql = format!(
            "create extension if not exists citext; create collation lax (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
             create type mood as enum ('sad', 'glad'); create domain price as numeric;
             create table t (id int primary key, v {kind}); create table p (v {kind}, id int) partition by hash (id);
             create table p0 partition of p for values with (modulus 1, remainder 0);
             insert into t values (1, {one}), (2, {one}), (3, null); insert into p (id, v) values (1, {one}), (2, {other}), (3, null);"
        );
        let report = look(&database(&sql).await, "\"id\"").await;
        assert_eq!(counts(&report), [1, 0, 0, 0, 0], "{kind} {one} {other}: {report:?}");
        assert_eq!(sample(&report, "different")[0]["key"], 2, "{kind}");
    }
}

#[tokio::test]
async fn other_types_are_said_and_compared_after_a_cast() {
    for (legacy, twin, value, other) in [
        ("int", "bigint", "7", "8"),
        ("int", "numeric(10,2)", "7", "7.01"),
        ("varchar(9)", "text", "'x'", "'y'"),
        ("timestamp", "timestamptz", "'2025-01-01'", "'2025-01-02'"),
        ("date", "timestamp", "'2025-01-01'", "'2025-01-01 00:00:01'"),
        ("uuid", "text", "'00000000-0000-0000-0000-000000000001'", "'x'"),
    ] {
        let sql = format!(
            "create table t (id int primary key, gone int, v {legacy}); alter table t drop column gone;
             create table p (v {twin}, id int, w int generated always as (id * 2) stored) partition by range (id);
             create table p0 partition of p for values from (0) to (100);
             insert into t values (1, {value}), (2, {value}); insert into p (id, v) values (1, {value}), (2, {other});
             alter table t add column w int generated always as (id * 2) stored;"
        );
        let report = look(&database(&sql).await, "\"id\"").await;
        assert_eq!(counts(&report), [1, 0, 0, 0, 0], "{legacy} {twin}: {report:?}");
        assert!(report.findings.iter().any(|f| f.what() == "columns_type"), "{report:?}");
    }
}

#[tokio::test]
async fn keys_of_any_kind_and_rows_without_one() {
    for (kind, make) in [
        ("text", "'k' || i"),
        ("uuid", "md5(i::text)::uuid"),
        ("citext", "'K' || i"),
        ("numeric", "i + 0.5"),
        ("smallint", "(i - 500)::smallint"),
    ] {
        let sql = format!(
            "create extension if not exists citext; create table t (id {kind}, d int, v int); create table p (id {kind}, d int, v int) partition by list (d);
             create table p0 partition of p for values in (0, 1); create table p1 partition of p default;
             insert into t select {make}, i % 4, i from generate_series(1, 1000) i; insert into p select * from t;
             create unique index on t (id); create index on p (id); analyze t;
             update p set v = -1 where v = 500; delete from p where v = 900;"
        );
        let report = look(&database(&sql).await, "\"id\"").await;
        assert_eq!(counts(&report), [1, 1, 0, 0, 0], "{kind}: {report:?}");
    }
}

#[tokio::test]
async fn very_many_differences_are_counted_and_the_first_shown() {
    let sql = format!("{MONTHS} update p set a = a + 1;");
    let report = look(&database(&sql).await, "\"id\"").await;
    let looked_at = report.facts["different"].as_u64().unwrap();
    let rest = report.facts["not_classified"].as_u64().unwrap();
    assert_eq!((looked_at, looked_at + rest), (20_000, 30_000), "{:?}", report.summary);
    assert_eq!(sample(&report, "different").len(), 200);
    let said = report.findings.iter().find(|f| f.what() == "not_classified").unwrap();
    assert_eq!(said.rows, Some(10_000));
}

/// Applications that write the legacy table, whose trigger writes the twin in the same transaction.
#[tokio::test(flavor = "multi_thread")]
async fn writers_at_work_make_no_difference() {
    let sql = format!(
        "{MONTHS}
         create function mirror() returns trigger language plpgsql as $$ begin
           if tg_op <> 'INSERT' then delete from p where id = old.id and d = old.d; end if;
           if tg_op <> 'DELETE' then insert into p (id, d, a, b) values (new.id, new.d, new.a, new.b); end if; return null; end $$;
         create trigger mirror after insert or update or delete on t for each row execute function mirror();"
    );
    let database = Arc::new(database(&sql).await);
    let (running, written) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (0..3_u64)
        .map(|w| {
            let (database, running, written) = (Arc::clone(&database), Arc::clone(&running), Arc::clone(&written));
            tokio::spawn(async move {
                let mut owner = database.owner().await;
                let mut n = w;
                while running.load(Ordering::Relaxed) {
                    n += 3;
                    let id = n * 7919 % 30_000;
                    let sql = match n % 4 {
                        0 => format!("update t set d = timestamp '2025-01-01' + {n} % 365 * interval '1 day' where id = {id}"),
                        1 => format!("update t set a = {n} where id = {id}"),
                        2 => format!("delete from t where id = {id}"),
                        _ => format!("insert into t values ({}, '2025-02-02', 1, 'w')", 100_000 + n),
                    };
                    owner.execute_script(&sql).await.unwrap();
                    written.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let begun = Instant::now();
    let mut rounds = 0;
    while rounds < 5 || written.load(Ordering::Relaxed) < 500 {
        let report = look(&database, "\"id\"").await;
        assert_eq!(counts(&report), [0; 5], "{report:?}");
        rounds += 1;
        assert!(begun.elapsed() < Duration::from_mins(2), "nobody writes");
    }
    running.store(false, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn without_a_common_key_counts_and_digests_are_compared_and_that_is_said() {
    let make = "create table t (code text, v int); create table p (v int, id int, code text) partition by list (v);
        create table p1 partition of p for values in (1); create table p2 partition of p for values in (2);
        insert into t select 'c' || i, 1 + i % 2 from generate_series(1, 100) i; insert into p (code, v) select code, v from t;";
    for (change, differs) in [("", None), ("update p set code = 'x' where code = 'c7'", Some("p2"))] {
        let report = look(&database(&format!("{make}{change}")).await, "\"id\"").await;
        let said = |what: &str| report.findings.iter().find(|f| f.what() == what).map(|f| f.message.as_str());
        assert!(said("no_key").unwrap().contains("no common key"), "{report:?}");
        assert_eq!(report.facts["different"], Value::Null);
        match differs {
            None => assert_eq!(said("digests"), None, "{report:?}"),
            Some(partition) => assert!(said("digests").unwrap().contains(partition), "{report:?}"),
        }
    }
}
