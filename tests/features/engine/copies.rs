//! Throwaway copies of a target.

use midwatch::engine::model::query::Sql;
use midwatch::engine::port::copies::{CopyRequest, KeyedSample, Rows};
use midwatch::engine::port::reader::ReadOptions;

use crate::common::{Database, demo_database, engine, open};

#[tokio::test]
async fn a_copy_has_the_definitions_and_the_rows_of_the_same_keys() {
    let (database, _) = demo_database("hospitality", 1_000).await;
    let engine = open(&database.url(), Some("hospitality"), std::path::Path::new(".")).await.unwrap();
    let copy = CopyRequest {
        relations: vec!["public.revenues".into(), "public.revenues_partitioned".into()],
        rows: Rows::Sample(50),
        follow: vec![KeyedSample {
            relation: "public.revenues_partitioned".into(),
            like: "public.revenues".into(),
            key: vec!["id".into()],
        }],
        whole_schema: true,
    };
    let made = engine.copies().open(&copy).await.unwrap();
    assert!(made.summary().contains("50 of \"public\".\"revenues\""), "{}", made.summary());
    assert!(!made.summary().contains("could not be made"), "{}", made.summary());
    made.execute("delete from revenues where id = (select max(id) from revenues)").await.unwrap();
    let mut tx = made.facts().begin(ReadOptions::default()).await.unwrap();
    let count = "select count(*)::text from public.revenues";
    assert_eq!(tx.texts(&Sql::new(count)).await.unwrap(), [Some("49".to_owned())]);
    let keys = "select count(*)::text from public.revenues_partitioned p where not exists (select from public.revenues r where r.id = p.id)";
    let orphans: u32 = tx.texts(&Sql::new(keys)).await.unwrap()[0].clone().unwrap().parse().unwrap();
    assert!(orphans <= 2, "{orphans}");
    let mut tx = engine.facts().begin(ReadOptions::default()).await.unwrap();
    assert_ne!(tx.texts(&Sql::new(count)).await.unwrap(), [Some("49".to_owned())]);
}

#[tokio::test]
async fn what_a_copy_lacks_is_named() {
    let database = Database::empty().await;
    database.owner().await.execute_script("create table t (id int)").await.unwrap();
    let engine = engine(&database.url(), "name = \"p\"\n").await;
    let copy = CopyRequest { relations: vec!["public.t".into(), "nowhere".into()], ..CopyRequest::default() };
    let error = engine.copies().open(&copy).await.err().unwrap();
    assert!(error.message.contains("failed to copy nowhere into the sandbox"), "{error}");
}

/// A console makes copies for hours: nothing of one may stay on the target.
#[tokio::test]
async fn copies_leave_no_sessions_behind() {
    let database = Database::empty().await;
    database.owner().await.execute_script("create table t (id int primary key)").await.unwrap();
    let engine = engine(&database.url(), "name = \"p\"\n").await;
    let copy =
        CopyRequest { relations: vec!["public.t".into()], rows: Rows::Sample(1), ..CopyRequest::default() };
    for _ in 0..4 {
        drop(engine.copies().open(&copy).await.unwrap());
        // Asked anew by every plan.
        engine.facts().server().await.unwrap();
    }
    let sessions = "select count(*)::text from pg_stat_activity where datname = current_database() and application_name = 'midwatch/reader'";
    let mut owner = database.owner().await;
    for _ in 0..200 {
        // Those of the engine itself stay: three to look with, one that follows, one heartbeat.
        let n: u32 = owner.fetch_value(sessions, &[]).await.unwrap().unwrap().parse().unwrap();
        if n <= 5 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let left = "select string_agg(state || ' ' || left(query, 40), '; ') from pg_stat_activity where datname = current_database()";
    panic!("{:?}", owner.fetch_value(left, &[]).await.unwrap());
}
