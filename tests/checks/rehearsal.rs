//! Throwaway copies of a target.

use midwatch::engine::ports::ReadOptions;
use midwatch::engine::rehearsal::{Copy, Follow, Rows};

use crate::common::{Database, demo_database, engine, open};

#[tokio::test]
async fn a_copy_has_the_definitions_and_the_rows_of_the_same_keys() {
    let (database, _) = demo_database("hospitality", 1_000).await;
    let engine = open(&database.url(), Some("hospitality"), std::path::Path::new(".")).await.unwrap();
    let copy = Copy {
        relations: vec!["revenues".into(), "public.revenues_partitioned".into()],
        rows: Rows::Sample(50),
        follow: vec![Follow {
            relation: "public.revenues_partitioned".into(),
            like: "revenues".into(),
            key: vec!["id".into()],
        }],
        whole_schema: true,
    };
    let made = engine.rehearsals.open(&copy).await.unwrap();
    assert!(made.said().contains("50 of \"revenues\""), "{}", made.said());
    assert!(!made.said().contains("could not be made"), "{}", made.said());
    made.execute("delete from revenues where id = (select max(id) from revenues)").await.unwrap();
    let mut tx = made.facts().begin(ReadOptions::default()).await.unwrap();
    let count = "select count(*)::text from revenues";
    assert_eq!(tx.texts(count, &[]).await.unwrap(), [Some("49".to_owned())]);
    let keys = "select count(*)::text from revenues_partitioned p where not exists (select from revenues r where r.id = p.id)";
    let orphans: u32 = tx.texts(keys, &[]).await.unwrap()[0].clone().unwrap().parse().unwrap();
    assert!(orphans <= 2, "{orphans}");
    let mut tx = engine.facts.begin(ReadOptions::default()).await.unwrap();
    assert_ne!(tx.texts(count, &[]).await.unwrap(), [Some("49".to_owned())]);
}

#[tokio::test]
async fn what_a_copy_lacks_is_named() {
    let database = Database::empty().await;
    database.owner().await.execute_script("create table t (id int)").await.unwrap();
    let engine = engine(&database.url(), "name = \"p\"\n").await;
    let copy = Copy { relations: vec!["t".into(), "nowhere".into()], ..Copy::default() };
    let error = engine.rehearsals.open(&copy).await.err().unwrap();
    assert!(error.message.contains("failed to copy nowhere into the sandbox"), "{error}");
}
