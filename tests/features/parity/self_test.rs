//! The comparison proves itself on a copy with planted differences.

use std::path::Path;

use midwatch::engine::check::kind::SILENT;
use midwatch::engine::model::param::Params;
use midwatch::engine::model::report::Report;
use midwatch::features::parity::options::SELF_TEST;

use crate::common::{Database, demo_database, engine, open};

fn all_found(report: &Report, at_least: u64) {
    let test = &report.facts["self_test"];
    let planted =
        test["planted"].as_u64().unwrap_or_else(|| panic!("{:?} {}", report.status, report.summary));
    assert_eq!(test["missed"].as_array().unwrap().len(), 0, "{test}");
    assert_eq!(test["found"], planted, "{test}");
    assert!(planted >= at_least, "{test}");
    assert!(report.one_line().contains("self-test"), "{}", report.one_line());
}

#[tokio::test]
async fn everything_planted_is_found_on_the_demos_twins() {
    let (database, _) = demo_database("hospitality", 1_000).await;
    let engine = open(&database.url(), Some("hospitality"), Path::new(".")).await.unwrap();
    for id in engine.select(&["parity".into()]).unwrap() {
        let report = engine.observe_with(&id, &Params::yes(&SELF_TEST), SILENT).await;
        all_found(&report, 30);
        assert_eq!(report.status.word(), "fail", "the target itself still differs: {}", report.summary);
    }
}

#[tokio::test]
async fn an_empty_table_is_tested_with_rows_made_for_it() {
    let database = Database::empty().await;
    let sql = "create table t (id uuid primary key, org text not null, n numeric check (n < 5), at timestamptz, tags text[], p point);
               create table p (org text not null, id uuid, n numeric, at timestamptz, tags text[], p point, primary key (id, org)) partition by list (org);
               create table p1 partition of p for values in ('a');";
    database.owner().await.execute_script(sql).await.unwrap();
    let profile = "name = \"p\"\n[[twins]]\nlegacy = \"t\"\npartitioned = \"p\"\nkey = [\"id\"]\n";
    let engine = engine(&database.url(), profile).await;
    let report = engine.observe_with(&engine.ids()[0], &Params::yes(&SELF_TEST), SILENT).await;
    all_found(&report, 12);
    let not = report.facts["self_test"]["not_planted"].to_string();
    assert!(not.contains("point"), "{not}");
}

#[tokio::test]
async fn rows_of_one_key_do_not_blind_the_test_of_the_comparison() {
    let database = Database::empty().await;
    let sql = "create table t (id int, v int, d date not null);
               create table p (id int, v int, d date not null) partition by range (d);
               create table p1 partition of p for values from ('2026-01-01') to ('2027-01-01');
               insert into t select i % 10, i, '2026-02-01' from generate_series(1, 30) i; insert into p select * from t;";
    database.owner().await.execute_script(sql).await.unwrap();
    let profile = "name = \"p\"\n[[twins]]\nlegacy = \"t\"\npartitioned = \"p\"\nkey = [\"id\"]\n";
    let engine = engine(&database.url(), profile).await;
    let report = engine.observe_with(&engine.ids()[0], &Params::yes(&SELF_TEST), SILENT).await;
    all_found(&report, 6);
    assert_eq!(report.facts["key_not_unique"], "id", "{report:?}");
}
