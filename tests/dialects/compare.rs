//! Two tables in two databases, compared: every planted difference is found as what it is, and nothing else.

use midwatch::engine::compare::classify::DifferenceClass::{self, *};
use midwatch::engine::compare::tables::{CompareRequest, TableComparison, TableSide, compare};
use midwatch::engine::model::error::Result;
use midwatch::engine::model::name::Relation;
use midwatch::engine::port::reader::{ReadOptions, Reader, Snapshot};

use crate::on_each_server;
use crate::postgres::Side;

on_each_server! {
    every_class_of_difference_is_found_between_two_databases,
    keys_that_no_number_leads_are_compared_by_hash,
    without_a_key_tables_are_compared_by_digest,
    what_is_not_there_is_said,
}

const ROWS: i64 = 20_000;

/// The same rows in both. Labels of the enum have other numbers in each database.
fn rows(table: &str, key: &str, wide: &str, more: &str) -> Vec<String> {
    vec![
        "create type mood as enum ('sad', 'ok', 'glad')".into(),
        format!(
            "create table {table} (id bigint {key}, n int, w {wide}, v text, amount numeric, m mood, at timestamptz{more})"
        ),
        format!(
            "insert into {table} (id, n, w, v, amount, m, at) select i, i % 97, -i, 'v' || i, i::numeric / 4, \
             (array['sad', 'ok', 'glad'])[1 + i % 3]::mood, '2025-01-01 UTC'::timestamptz + i * interval '1 minute' \
             from generate_series(1, {ROWS}) i"
        ),
        format!("analyze {table}"),
    ]
}

async fn compared(
    left: (&Side, &str),
    right: (&Side, &str),
    key: &[&str],
    sums: &[&str],
) -> Result<TableComparison> {
    let owned = |all: &[&str]| all.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let (key, sums) = (owned(key), owned(sums));
    let options = || ReadOptions { snapshot: Snapshot::Transaction, ..ReadOptions::default() };
    let (ours, theirs) = (left.0.reader(), right.0.reader());
    let mut txs = (ours.begin(options()).await.unwrap(), theirs.begin(options()).await.unwrap());
    let names = (Relation::parse(left.1), Relation::parse(right.1));
    compare(
        TableSide { tx: &mut *txs.0, dialect: ours.dialect(), table: &names.0 },
        TableSide { tx: &mut *txs.1, dialect: theirs.dialect(), table: &names.1 },
        CompareRequest { key: &key, sums: &sums, examples: 50 },
    )
    .await
}

/// Class, key and columns of what was found, by class and key.
fn found(comparison: &TableComparison) -> Vec<(DifferenceClass, String, Vec<&str>)> {
    let rows = comparison.rows.as_ref().unwrap();
    let text = |key: &[Option<String>]| key.iter().flatten().cloned().collect::<Vec<_>>().join("|");
    let columns = |all: &'_ [String]| all.len();
    let mut out: Vec<_> = rows
        .examples
        .iter()
        .map(|e| (e.class, text(&e.key), e.columns.iter().map(String::as_str).collect::<Vec<_>>()))
        .collect();
    assert_eq!(rows.counts.values().sum::<u64>(), out.len() as u64, "every one is an example");
    assert!(
        rows.examples.iter().all(|e| columns(&e.columns) == 0 || (e.left.is_some() && e.right.is_some()))
    );
    out.sort();
    out
}

/// Differences of every class.
async fn plant(side: &Side, other: &Side) {
    other
        .run(&[
            "delete from s.u where id in (17, 4500)".into(),
            "insert into s.u (id, v) values (30001, 'extra'), (-5, 'extra')".into(),
            "update s.u set n = n + 1 where id = 100".into(),
            "update s.u set v = '' where id = 200".into(),
            "update s.u set amount = 75.0 where id = 300".into(),
            "update s.u set amount = 100.000, m = 'glad' where id = 400 and m <> 'glad'".into(),
            "update s.u set w = w - 1 where id = 600".into(),
            "insert into s.u select * from s.u where id = 500".into(),
            "update s.u set v = repeat('x', 9000) || 'y' where id = 700".into(),
            "update s.u set at = at + interval '1 microsecond' where id = 20000".into(),
        ])
        .await;
    side.run(&[
        "update t set v = null where id = 200".into(),
        "update t set v = repeat('x', 9000) || 'z' where id = 700".into(),
    ])
    .await;
}

/// What [`plant`] has planted, by class and key.
fn planted() -> Vec<(DifferenceClass, String, Vec<&'static str>)> {
    let expected: Vec<(DifferenceClass, &str, &'static [&'static str])> = vec![
        (OnlyLeft, "17", &[]),
        (OnlyLeft, "4500", &[]),
        (OnlyRight, "-5", &[]),
        (OnlyRight, "30001", &[]),
        (Different, "100", &["n"]),
        (Different, "200", &["v"]),
        (Different, "20000", &["at"]),
        (Different, "400", &["amount", "m"]),
        (Different, "600", &["w"]),
        (Different, "700", &["v"]),
        (TextOnly, "300", &["amount"]),
        (Duplicate, "500", &[]),
    ];
    expected.into_iter().map(|(c, k, n)| (c, k.to_owned(), n.to_vec())).collect()
}

async fn every_class_of_difference_is_found_between_two_databases(side: &Side) {
    let other = side.beside().await;
    side.run(&rows("t", "primary key", "int", "")).await;
    let mut there = rows("s.u", "", "bigint", ", more int default 7");
    there.splice(0..0, ["create schema s".to_owned(), "create type before as enum ('x')".to_owned()]);
    there.push("create index on s.u (id)".into());
    other.run(&there).await;

    let same = compared((side, "public.t"), (&other, "s.u"), &["id"], &["n", "amount", "v"]).await.unwrap();
    assert!(same.equal(), "{same:?}");
    assert_eq!(found(&same), []);
    assert_eq!((same.left.rows, same.right.rows), (20_000, 20_000));
    let sums = |of: &TableComparison| {
        let text = |a: &midwatch::engine::compare::totals::Aggregate| {
            a.sums.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        (text(&of.left), text(&of.right))
    };
    let (ours, theirs) = sums(&same);
    assert_eq!((ours[1].as_str(), ours[2].as_str()), ("50002500", "0"));
    assert_eq!(ours, theirs);
    assert_eq!((same.columns.only_left.len(), &*same.columns.only_right), (0, &["more".to_owned()][..]));
    assert_eq!(same.columns.retyped, [("w".to_owned(), "integer".to_owned(), "bigint".to_owned())]);

    plant(side, &other).await;
    let differs =
        compared((side, "public.t"), (&other, "s.u"), &["id"], &["n", "amount", "v"]).await.unwrap();
    assert!(!differs.equal());
    assert_eq!(found(&differs), planted());
    let all = differs.rows.as_ref().unwrap();
    assert_eq!(all.not_classified, 0);
    let at = |key: &str| all.examples.iter().find(|e| e.key == [Some(key.to_owned())]).unwrap();
    let v = differs.columns.common.iter().position(|c| c.name == "v").unwrap();
    assert_eq!(
        (&at("200").left.as_ref().unwrap()[v], &at("200").right.as_ref().unwrap()[v]),
        (&None, &Some(String::new()))
    );
    assert!(differs.differing_ranges > 1, "read again are only ranges that differ, of several");
    assert_ne!(sums(&differs).0, sums(&differs).1);
}

async fn keys_that_no_number_leads_are_compared_by_hash(side: &Side) {
    let other = side.beside().await;
    let table = |key: &str| {
        [
            "create type kind as enum ('a', 'b', 'c')".to_owned(),
            format!("create table p (code kind, part text, v int{key})"),
            "insert into p select (array['a', 'b', 'c'])[1 + i % 3]::kind, 'p' || i, i from generate_series(1, 9000) i"
                .to_owned(),
            "analyze p".to_owned(),
        ]
    };
    side.run(&table(", primary key (code, part)")).await;
    other.run(&["create type first as enum ('z')".to_owned()]).await;
    other.run(&table("")).await;
    let same = compared((side, "public.p"), (&other, "public.p"), &["code", "part"], &[]).await.unwrap();
    assert!(same.equal(), "{same:?}");
    other
        .run(&["update p set v = -1 where part = 'p3000'".into(), "delete from p where part = 'p10'".into()])
        .await;
    other.run(&["insert into p values ('a', null, 1)".into()]).await;
    let differs = compared((side, "public.p"), (&other, "public.p"), &["code", "part"], &[]).await.unwrap();
    assert_eq!(
        found(&differs),
        [(OnlyLeft, "b|p10".to_owned(), vec![]), (Different, "a|p3000".to_owned(), vec!["v"])]
    );
    assert_eq!(differs.rows.as_ref().unwrap().not_classified, 1, "no row is looked up by NULL");
}

async fn without_a_key_tables_are_compared_by_digest(side: &Side) {
    let other = side.beside().await;
    side.run(&rows("t", "", "int", "")).await;
    other.run(&rows("t", "primary key", "int", "")).await;
    for key in [&["id"][..], &[]] {
        let same = compared((side, "public.t"), (&other, "public.t"), key, &[]).await.unwrap();
        assert!(same.equal() && same.rows.is_none(), "{same:?}");
    }
    other
        .run(&["update t set v = 'v2' where id = 1".into(), "update t set v = 'v1' where id = 2".into()])
        .await;
    let swapped = compared((side, "public.t"), (&other, "public.t"), &["id"], &[]).await.unwrap();
    assert!(!swapped.equal() && swapped.rows.is_none());
    assert_eq!(swapped.left.rows, swapped.right.rows);
}

async fn what_is_not_there_is_said(side: &Side) {
    let other = side.beside().await;
    side.run(&["create table t (id int primary key, a int)".into()]).await;
    let missing = compared((side, "public.t"), (&other, "public.t"), &["id"], &[]).await.unwrap_err();
    assert_eq!(missing.message, "this database has no table \"public\".\"t\"");
    other.run(&["create table t (a int, b int)".into()]).await;
    let keyless = compared((side, "public.t"), (&other, "public.t"), &["id"], &[]).await.unwrap_err();
    assert_eq!(keyless.message, "the key column id is not in both \"public\".\"t\" and \"public\".\"t\"");
}

#[tokio::test]
async fn a_database_is_compared_with_its_copy_on_a_newer_server() {
    let (old, new) = (Side::fifteen().await, Side::eighteen().await);
    let all = rows("t", "primary key", "int", "");
    old.run(&all).await;
    new.run(&all).await;
    let same = compared((&old, "public.t"), (&new, "public.t"), &["id"], &["n"]).await.unwrap();
    assert!(same.equal(), "{same:?}");
    new.run(&["update t set at = null where id = 77".into()]).await;
    let differs = compared((&old, "public.t"), (&new, "public.t"), &["id"], &["n"]).await.unwrap();
    assert_eq!(found(&differs), [(Different, "77".to_owned(), vec!["at"])]);
}
