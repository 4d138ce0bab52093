//! What the journal keeps of rows: the key and what was changed, in few bytes, whatever the types; whole rows where the undo
//! needs them.

use crate::common::{Database, IMAGES};
use crate::world::World;

const PROFILE: &str = r#"
name = "p"
search_path = ["public", "ext"]
[[backfills]]
name = "b"
[backfills.write]
table = "t"
key = ["k"]
filter = "exists (select from w where w.k = t.k)"
set = { e = "(select w.e from w where w.k = t.k)", d = "(select w.d from w where w.k = t.k)", c = "(select w.c from w where w.k = t.k)", ca = "(select w.ca from w where w.k = t.k)", h = "(select w.h from w where w.k = t.k)", m = "(select w.m from w where w.k = t.k)", r = "(select w.r from w where w.k = t.k)", s = "(select w.s from w where w.k = t.k)", x = "(select w.x from w where w.k = t.k)" }
[[anomalies]]
name = "a"
title = "rows without a copy"
key = ["k"]
sql = "select w.* from w where not exists (select from t where t.k = w.k)"
[anomalies.fix]
title = "copy them"
[anomalies.fix.write]
table = "t"
key = ["k"]
set = { k = "r.k", e = "r.e", d = "r.d", c = "r.c", ca = "r.ca", h = "r.h", m = "r.m", r = "r.r", s = "r.s", x = "r.x" }
"#;

/// Enum, domain, rows, arrays of them and of several dimensions, types of extensions; `v` has no array type.
const TABLES: &str = r#"
create schema ext; create extension citext schema ext; create extension hstore schema ext;
set search_path = public, ext;
create type mood as enum ('', 'so so', '{NULL}'); create domain positive as int check (value > 0);
create type pair as (a text, b int[]);
create table t (k citext primary key, e mood, d positive, c pair, ca pair[], h hstore, m int[], r int4range, s bit varying, x text, other int);
create table w (like t including all);
insert into t select 'K' || n, 'so so', n, row('a"\,' || n, array[n, null])::pair, array[row(null, null)::pair], 'a=>NULL', null, 'empty', '101', e'\t\\N\n', n
from generate_series(1, 6) n;
insert into w values
  ('k1', '{NULL}', 1, row('', '{}'), '{}', '', '{}', '[1,)', '', '', 1),
  ('k2', '', null, row('{"(', array[[1, 2], [3, 4]]), array[row('"', '{1}')::pair, null], '"=>"=>"\\"', '[-1:0]={1,2}', '(,)', '0', e'\\', 1),
  ('k3', null, 7, null, '{{NULL,NULL}}', null, '{{1,2},{3,4}}', null, null, null, 1),
  ('k4', 'so so', 4, row(null, null), null, 'x=>y', '{1,NULL,3}', '[5,7)', '1111111111', 'NULL', 1),
  ('k5', 'so so', 5, row('ü — 漢字', '{1}'), null, null, null, null, null, e'{"a": [1, null]}', 1),
  ('New', '', 9, row('n', null), array[row('n', '{}')::pair], 'n=>1', '{{{7}}}', '[1,1]', '01', e'\r', 1)"#;

async fn world() -> World {
    prepared(PROFILE, TABLES).await
}

/// A database with these tables, this profile, and a journal.
async fn prepared(profile: &str, tables: &str) -> World {
    let config = "profile = \"p.toml\"\nenvironment = \"demo\"\n[policy]\nmax_active_sessions = 1000\nmax_lock_waits = 1000";
    let world = World::on(Database::empty().await, config);
    std::fs::write(world.file("p.toml"), profile).unwrap();
    world.sql(tables).await;
    let init = world.plan("init.json", &["init"]);
    world.applied("init.json", &init);
    world
}

/// All of the table, to the byte.
async fn content(world: &World) -> String {
    world.value("select string_agg(t::text, e'\\n' order by k::text) from t").await
}

/// There, back, and there again; every journal is in order.
async fn there_and_back(world: &World, args: &[&str]) {
    let before = content(world).await;
    let plan = world.plan("p.json", args);
    let run = world.applied("p.json", &plan);
    assert_eq!(run["verified"], true, "{run:#}");
    let after = content(world).await;
    assert_ne!(after, before);
    let mut last = run["id"].as_str().unwrap().to_owned();
    for expected in [&before, &after, &before] {
        let inverse = world.undo("u.json", &last);
        let run = world.applied("u.json", &inverse);
        assert_eq!(run["verified"], true, "{run:#}");
        assert_eq!(&content(world).await, expected);
        last = run["id"].as_str().unwrap().to_owned();
    }
    let (code, value) = world.json(&["journal", "verify"]);
    assert_eq!(code, 0, "{value:#}");
}

#[tokio::test]
async fn changed_values_of_every_type_come_back() {
    let world = world().await;
    there_and_back(&world, &["backfill"]).await;
    // The key and the columns that were changed, and no others.
    let kept = format!(
        "select string_agg(distinct (select string_agg(n, ' ' order by n) from jsonb_object_keys(i.before) n), ';') from {IMAGES} i"
    );
    assert_eq!(world.value(&kept).await, "c ca d e h m r s x");
}

#[tokio::test]
async fn whole_rows_of_every_type_come_back() {
    let world = world().await;
    there_and_back(&world, &["fix", "a"]).await;
    let kept = format!("select count(*)::text from {IMAGES} i where coalesce(before, after) ? 'other'");
    assert_ne!(world.value(&kept).await, "0", "a deleted row comes back whole");
}

const DATES: &str = r#"
name = "p"
[[backfills]]
name = "b"
[backfills.write]
table = "t"
key = ["id"]
filter = "t.day < '2026-01-01'"
set = { day = "t.day + 365" }
"#;

/// At 4eabe32 it was 571 bytes for one changed date: the whole row, by name, in a row of its own.
#[tokio::test]
async fn a_changed_date_takes_few_bytes() {
    let world = prepared(
        DATES,
            "create table t (id bigint primary key, day date not null, a text, b text, c uuid, d timestamptz, e int, f numeric);
             insert into t select 7000000 + n, date '2025-01-01' + (n * 7919 % 300)::int, md5(n::text), md5((n + 1)::text),
               md5(n::text)::uuid, now(), n, n / 7.0 from generate_series(1, 20000) n; analyze t",
    )
    .await;
    let plan = world.plan("p.json", &["backfill"]);
    assert_eq!(plan["rows"], 20_000);
    world.applied("p.json", &plan);
    let size = async |table: &str| -> f64 {
        let sql = format!("select (pg_total_relation_size('midwatch.{table}') / 20000.0)::text");
        world.value(&sql).await.parse().unwrap()
    };
    let (images, planned) = (size("image_blocks").await, size("planned_blocks").await);
    println!("bytes a row: {images:.1} in images, {planned:.1} in planned rows");
    assert!(images <= 30.0, "{images} bytes a row");
    assert!(planned <= 30.0, "{planned} bytes a row");
}

const CHECKED: &str = r#"
name = "p"
[[backfills]]
name = "b"
[backfills.write]
table = "t"
key = ["id"]
filter = "t.v < 0"
set = { v = "1" }
"#;

/// Which old values a CHECK refuses depends on columns that no image has.
#[tokio::test]
async fn a_check_is_asked_with_the_columns_that_were_not_changed() {
    let world = prepared(
        CHECKED,
        "create table t (id int primary key, v int, spared bool);
             insert into t values (1, -1, true), (2, -2, false), (3, -3, false), (4, 4, false);
             alter table t add constraint sign check (v > 0 or spared) not valid",
    )
    .await;
    let plan = world.plan("p.json", &["backfill"]);
    let run = world.applied("p.json", &plan);
    let inverse = world.undo("u.json", run["id"].as_str().unwrap());
    let check = inverse["preflight"].as_array().unwrap().iter().find(|p| p["id"] == "check").unwrap();
    let said = check["message"].as_str().unwrap();
    assert!(said.starts_with("CHECK sign refuses 2 of the old values"), "{said}");
    world.applied("u.json", &inverse);
    let rows =
        world.value("select string_agg(id || ' ' || v || ' ' || spared, ', ' order by id) from t").await;
    assert_eq!(rows, "1 -1 true, 2 -2 false, 3 -3 false, 4 4 false");
}

/// An earlier version of the program has left its rows in the tables of then, and the journal has no room for blocks.
#[tokio::test]
async fn a_journal_without_blocks_is_read_and_not_written() {
    let world = World::hithonix().await;
    let plan = world.plan("p.json", &["backfill", "--set", "limit=5"]);
    world.applied("p.json", &plan);
    world
        .sql(
            "drop table midwatch.image_blocks, midwatch.planned_blocks; create view midwatch.drifted as select 1;
             delete from midwatch.migrations where file = '005_blocks.sql'",
        )
        .await;
    let (code, value) = world.json(&["runs", "1"]);
    assert_eq!(code, 0, "{value:#}");
    let (code, value) = world.json(&["undo", "1"]);
    let said = value["error"]["message"].as_str().unwrap();
    assert!(code == 3 && said.contains("it lacks 005_blocks.sql"), "{value:#}");
    // The images that its entries tell of are gone, and that is found.
    let (code, value) = world.json(&["journal", "verify"]);
    let findings = value["journal"]["findings"].to_string();
    assert!(code == 1 && findings.contains("images of run 1 batch 1"), "{value:#}");
}
