//! What a connected server says that it can do, how a target is opened, and what its words for locks mean.

use std::sync::{Arc, Mutex};

use midwatch::dialect;
use midwatch::engine::Engine;
use midwatch::engine::model::abilities::{Abilities, Ability};
use midwatch::engine::model::query::{ProfileSql, Sql};
use midwatch::engine::model::report::Status;
use midwatch::engine::model::step::LockStrength;
use midwatch::engine::port::reader::{ReadOptions, Reader as _};
use serde_json::{Value, json};

use crate::common::{self, observe};
use crate::on_each_server;
use crate::postgres::Side;
use crate::recorder::{Notes, recorder};

on_each_server! {
    a_target_is_opened_by_its_url,
    everything_the_engine_asks_for_can_be_done,
    a_profile_s_rows_arrive_as_texts_and_as_objects,
    the_words_of_locks_are_the_server_s,
    a_comparison_without_a_shared_snapshot_reads_alone,
}

async fn a_target_is_opened_by_its_url(side: &Side) {
    let url = side.url();
    let target = dialect::by_url(Some(&url))
        .unwrap()
        .connect(Some(&url), std::time::Duration::from_secs(15), &[], None)
        .unwrap();
    let server = target.reader.server().await.unwrap();
    assert_eq!(server.database, target.database);
    assert_eq!(target.reader.dialect().id(), "postgres");
    // The profile's names are searched where it says, from the next transaction on.
    side.run(&["create schema s; create table s.only_there ()".into()]).await;
    let there = ProfileSql::new("select to_regclass('only_there')::text");
    let ask = async || {
        target
            .reader
            .begin(ReadOptions::default())
            .await
            .unwrap()
            .texts(&there)
            .await
            .unwrap()
            .pop()
            .flatten()
    };
    assert_eq!(ask().await, None);
    target.reader.set_search_path(&["s".to_owned()]);
    assert_eq!(ask().await.as_deref(), Some("only_there"));
}

async fn everything_the_engine_asks_for_can_be_done(side: &Side) {
    let can = Abilities {
        session_lock: Ability::Yes,
        transactional_ddl: Ability::Yes,
        write_limit: Ability::Yes,
        shared_snapshot: Ability::Yes,
        lock_holders: Ability::Yes,
    };
    assert_eq!(side.reader().server().await.unwrap().abilities, can);
}

async fn a_profile_s_rows_arrive_as_texts_and_as_objects(side: &Side) {
    let reader = side.reader();
    let mut tx = reader.begin(ReadOptions::default()).await.unwrap();
    let sql = "select $1::text as a union all select 'y' order by 1";
    let (ours, theirs) = (Sql::new(sql).bind(["x".into()]), ProfileSql::new(sql).bind(["x".into()]));
    let texts = [Some("x".to_owned()), Some("y".to_owned())];
    assert_eq!(tx.texts(&ours).await.unwrap(), texts);
    assert_eq!(tx.texts(&theirs).await.unwrap(), texts);
    let objects = [json!({ "a": "x" }), json!({ "a": "y" })];
    assert_eq!(tx.fetch::<Value>(&ours).await.unwrap(), objects);
    assert_eq!(tx.fetch::<Value>(&theirs).await.unwrap(), objects);
    assert_eq!(tx.describe(&theirs).await.unwrap()[0].name, "a");
    let described =
        tx.describe(&ProfileSql::new("select 1.5 as n, 1::oid as o, '1' as t, true as b")).await.unwrap();
    let numbers: Vec<_> = described.iter().map(|c| (c.name.as_str(), c.numeric)).collect();
    assert_eq!(numbers, [("n", true), ("o", true), ("t", false), ("b", false)]);
}

async fn the_words_of_locks_are_the_server_s(side: &Side) {
    let reader = side.reader();
    side.run(&["create table t ()".into()]).await;
    for strength in [LockStrength::Rows, LockStrength::Everyone] {
        let mode = reader.dialect().lock_mode(strength);
        side.run(&["begin".into(), format!("lock table t in {mode} mode"), "commit".into()]).await;
    }
}

async fn a_comparison_without_a_shared_snapshot_reads_alone(side: &Side) {
    side.run(&[
        "create table t (id bigint primary key, n int)".into(),
        "create table p (id bigint primary key, n int) partition by range (id)".into(),
        "create table p1 partition of p for values from (0) to (50)".into(),
        "create table p2 partition of p for values from (50) to (100)".into(),
        "insert into t select i, i from generate_series(1, 99) i".into(),
        "insert into p select * from t where id <> 77".into(),
    ])
    .await;
    let profile = "name = \"p\"\n[[twins]]\nlegacy = \"t\"\npartitioned = \"p\"\nkey = [\"id\"]\n";
    let engine = common::engine(&side.url(), profile).await;
    let notes: Notes = Arc::new(Mutex::new(vec![]));
    let mut parts = engine.into_parts();
    parts.facts = Arc::new(recorder(Arc::clone(&parts.facts), &notes));
    for (ability, exported) in [(Ability::Yes, true), (Ability::no("no such thing here", ""), false)] {
        parts.server.abilities.shared_snapshot = ability;
        let engine = Engine::new(parts);
        let report = observe(&engine, "parity").await;
        assert_eq!(report.status, Status::Fail, "one row is missing: {report:?}");
        let sent = std::mem::take(&mut *notes.lock().unwrap());
        assert_eq!(sent.iter().any(|s| s.text.contains("pg_export_snapshot")), exported);
        parts = engine.into_parts();
    }
}
