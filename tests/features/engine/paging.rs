//! Paging any way round: the same rows, each once, in the asked order.

use std::collections::BTreeMap;

use midwatch::engine::Engine;
use midwatch::engine::check::paging::{At, Filter, PageRequest, Row, RowSource, Sort};
use midwatch::engine::model::report::CheckId;
use proptest::collection::btree_map;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

use crate::common::{Database, engine};

const ROWS: usize = 103;
/// Sets of rows that are drawn.
const DRAWS: u32 = 24;

const PROFILE: &str = r#"
name = "p"
[[anomalies]]
name = "rows"
title = "all rows"
key = ["a", "b"]
sql = "select a, b, n, \"Mixed Case\", t, c, m from things"
"#;

async fn things() -> (Database, Engine, RowSource) {
    let database = Database::empty().await;
    let mut owner = database.owner().await;
    // Many equal and many NULL values under the sort; a type of our own with an odd name.
    owner
        .execute_script(&format!(
            "create type \"Odd Kind\" as enum ('second', 'first'); create schema else_where;
             create type else_where.mood as enum ('low', 'high');
             create table things (a text, b int, n int, \"Mixed Case\" \"Odd Kind\", t timestamptz, c char(3), m else_where.mood,
               primary key (a, b));
             insert into things select chr(97 + i % 3), i, nullif(i % 7, 3),
               case i % 4 when 0 then 'first'::\"Odd Kind\" when 1 then 'second' end,
               case when i % 5 > 0 then timestamptz '2026-01-01 00:00Z' + i * interval '7 h 1 us' end,
               'x' || i % 9, case when i % 2 = 0 then 'high' else 'low' end::else_where.mood
             from generate_series(1, {ROWS}) i"
        ))
        .await
        .unwrap();
    let engine = engine(&database.url(), PROFILE).await;
    let source = engine.rows(&CheckId { kind: "anomalies", name: "rows".into() }, "rows").unwrap();
    (database, engine, source)
}

async fn walk(engine: &Engine, request: &PageRequest, backwards: bool) -> Vec<Row> {
    let mut request =
        PageRequest { at: if backwards { At::Last } else { At::First }, count: true, ..request.clone() };
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let page = engine.page(&request).await.unwrap();
        if backwards {
            rows.splice(0..0, page.rows);
            request.at = At::Before(rows.first().map(|r| r.position.clone()).unwrap_or_default());
        } else {
            rows.extend(page.rows);
            request.at = At::After(rows.last().map(|r| r.position.clone()).unwrap_or_default());
        }
        if page.end {
            assert_eq!(page.total, Some(rows.len() as u64), "{request:?}");
            return rows;
        }
        assert!(rows.len() <= ROWS, "{request:?} goes round");
    }
}

/// The database's own order of the same.
async fn expected(database: &Database, order: &str, filter: &str) -> Vec<String> {
    let sql = format!("select a || '|' || b from things where {filter} order by {order}");
    let rows = database.owner().await.fetch_text(&sql, &[]).await.unwrap();
    rows.into_iter().map(|mut r| r.remove(0).unwrap()).collect()
}

fn keys(rows: &[Row]) -> Vec<String> {
    rows.iter()
        .map(|r| format!("{}|{}", r.cells[0].as_ref().unwrap(), r.cells[1].as_ref().unwrap()))
        .collect()
}

fn request(source: &RowSource) -> PageRequest {
    PageRequest {
        source: source.clone(),
        filter: None,
        sort: None,
        at: At::First,
        limit: 8,
        count: true,
        whole: false,
    }
}

#[tokio::test]
async fn every_order_gives_every_row_once_both_ways() {
    let (database, engine, source) = things().await;
    let mut orders = vec![(None, "a, b".to_owned())];
    for column in ["n", "Mixed Case", "t", "c", "m", "a", "b"] {
        for descending in [false, true] {
            let direction = if descending { "desc" } else { "asc" };
            let order = format!("\"{column}\" {direction} nulls last, a, b");
            orders.push((Some(Sort { column: column.into(), descending }), order));
        }
    }
    for (sort, order) in orders {
        let request = PageRequest { sort, ..request(&source) };
        let expected = expected(&database, &order, "true").await;
        assert_eq!(expected.len(), ROWS);
        assert_eq!(keys(&walk(&engine, &request, false).await), expected, "{order}");
        assert_eq!(keys(&walk(&engine, &request, true).await), expected, "{order}, backwards");
    }
}

#[tokio::test]
async fn a_filter_and_its_inverse_share_out_the_rows() {
    let (database, engine, source) = things().await;
    // What LIKE would take for a pattern is text.
    for (text, condition) in [
        ("first", "\"Mixed Case\" = 'first'"),
        ("FIRST", "\"Mixed Case\" = 'first'"),
        ("%", "false"),
        ("_", "false"),
        ("\\", "false"),
        ("nowhere", "false"),
    ] {
        for inverse in [false, true] {
            let filter = Some(Filter { text: text.into(), inverse });
            let sort = Some(Sort { column: "n".into(), descending: true });
            let request = PageRequest { filter, sort, ..request(&source) };
            let not = if inverse { "not" } else { "" };
            let condition = format!("{not} coalesce({condition}, false)");
            let expected = expected(&database, "n desc nulls last, a, b", &condition).await;
            assert_eq!(keys(&walk(&engine, &request, false).await), expected, "{text} {inverse}");
            assert_eq!(keys(&walk(&engine, &request, true).await), expected, "{text} {inverse}");
        }
    }
}

#[tokio::test]
async fn a_position_goes_on_where_rows_have_gone() {
    let (database, engine, source) = things().await;
    let first = engine.page(&request(&source)).await.unwrap();
    let last = first.rows.last().unwrap();
    let sql = "delete from things where (a, b) = ($1, $2::int)";
    let key: Vec<&str> = last.position.iter().flatten().map(String::as_str).collect();
    assert_eq!(database.owner().await.execute(sql, &key).await.unwrap(), 1);
    let next = PageRequest { at: At::After(last.position.clone()), ..request(&source) };
    let page = engine.page(&next).await.unwrap();
    assert_eq!(page.total, Some(ROWS as u64 - 1));
    assert_eq!(keys(&page.rows), expected(&database, "a, b", "true").await[7..15]);
}

#[tokio::test]
async fn an_unknown_column_is_named() {
    let (_database, engine, source) = things().await;
    let sort = Some(Sort { column: "nope".into(), descending: false });
    let error = engine.page(&PageRequest { sort, ..request(&source) }).await.unwrap_err();
    assert!(error.message.contains("no column nope"), "{error}");
}

#[tokio::test]
async fn a_page_of_huge_cells_is_small() {
    let database = Database::empty().await;
    let sql = "create table big (id int primary key, body text);
               insert into big select i, repeat('é', 1048576) from generate_series(1, 10) i";
    database.owner().await.execute_script(sql).await.unwrap();
    let profile = "name = \"p\"\n[[anomalies]]\nname = \"big\"\ntitle = \"big\"\nkey = [\"id\"]\nsql = \"select id, body from big\"\n";
    let engine = engine(&database.url(), profile).await;
    let id = CheckId { kind: "anomalies", name: "big".into() };
    let report = engine.observe(&id).await;
    assert!(serde_json::to_string(&report.findings).unwrap().len() < 20_000);
    let source = engine.rows(&id, "rows").unwrap();
    let page = engine.page(&request(&source)).await.unwrap();
    assert_eq!(page.rows.len(), 8);
    let longest = page.rows.iter().flat_map(|r| &r.cells).flatten().map(|c| c.chars().count()).max();
    let mark = "… (1048576 characters)";
    assert_eq!(longest, Some(midwatch::engine::check::paging::CELL_CHARS + mark.chars().count()));
    let cut = page.rows[0].cells.iter().flatten().find(|c| c.starts_with('é')).unwrap();
    assert!(cut.ends_with(mark), "what was cut is told");
    let whole = engine.page(&PageRequest { whole: true, limit: 1, ..request(&source) }).await.unwrap();
    assert!(whole.rows[0].cells.iter().flatten().any(|c| c.chars().count() == 1_048_576));
}

/// A table as drawn: keys are unique, sort values repeat and may be NULL.
fn drawn() -> impl Strategy<Value = BTreeMap<(String, i32), (Option<i32>, Option<String>)>> {
    let text = || "[abC'\\\\é %_]{0,3}";
    btree_map((text(), -3..3_i32), (option::of(-2..2_i32), option::of(text())), 0..60)
}

/// Rows, an order (a column, and whether it descends), the size of a page.
type Drawn = (BTreeMap<(String, i32), (Option<i32>, Option<String>)>, Option<(&'static str, bool)>, usize);

async fn leads_forward_and_back(
    (database, engine, source): &(Database, Engine, RowSource),
    (rows, sort, limit): Drawn,
) {
    let mut owner = database.owner().await;
    owner.execute_script("truncate things").await.unwrap();
    for ((a, b), (n, c)) in &rows {
        let (b, n) = (b.to_string(), n.map_or_else(String::new, |n| n.to_string()));
        // `\u{1}` is no text of the draw.
        let c = c.as_deref().unwrap_or("\u{1}");
        let sql =
            "insert into things (a, b, n, c) values ($1, $2::int, nullif($3, '')::int, nullif($4, e'\\x01'))";
        owner.execute(sql, &[a, &b, &n, c]).await.unwrap();
    }
    let order = sort.map_or_else(
        || "a, b".to_owned(),
        |(column, descending)| {
            format!("{column} {} nulls last, a, b", if descending { "desc" } else { "asc" })
        },
    );
    let sort = sort.map(|(column, descending)| Sort { column: column.into(), descending });
    let request = PageRequest { sort, limit, ..request(source) };
    let expected = expected(database, &order, "true").await;
    let there = walk(engine, &request, false).await;
    assert_eq!(keys(&there), expected, "{order}");
    assert_eq!(keys(&walk(engine, &request, true).await), expected, "{order}, back");
    for (at, row) in there.iter().enumerate() {
        let back = PageRequest { at: At::Before(row.position.clone()), ..request.clone() };
        let before = keys(&engine.page(&back).await.unwrap().rows);
        assert_eq!(before, expected[at.saturating_sub(limit)..at], "before {at}: {order}");
    }
}

/// Of any rows, in any order, by pages of any size: each once, both ways, and a page back is the page before.
#[test]
fn pages_of_any_rows_lead_forward_and_back() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let things = runtime.block_on(things());
    let sorts = prop_oneof![Just(None), (select(vec!["n", "c", "a", "b"]), any::<bool>()).prop_map(Some)];
    // A seed that failed is kept in `tests/proptest-regressions`, and drawn first the next time.
    let config =
        Config { cases: DRAWS, max_shrink_iters: 100, source_file: Some(file!()), ..Config::default() };
    TestRunner::new(config)
        .run(&(drawn(), sorts, 1..9_usize), |drawn| {
            runtime.block_on(leads_forward_and_back(&things, drawn));
            Ok(())
        })
        .unwrap();
}
