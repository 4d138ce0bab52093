//! Parity where rows were not compared, sums are not plain numbers, and what keeps the twin in step does so in part.

use midwatch::engine::{Report, Severity};
use serde_json::{Value, json};

use crate::common::{Database, engine};

const PLAIN: &str = "name = \"p\"\n[[twins]]\nname = \"pair\"\nlegacy = \"t\"\npartitioned = \"p\"\nkey = [\"id\"]\nsums = [\"v\"]\n";

async fn look(database: &Database, quick: bool) -> Report {
    let engine = engine(&database.url(), PLAIN).await;
    engine.observe(&engine.ids()[0], quick).await
}

async fn pair(sql: &str) -> Database {
    let database = Database::empty().await;
    database.owner().await.execute_script(sql).await.unwrap();
    database
}

/// What is said of the rows and sums; these twins have no triggers, which is said as well.
fn found(report: &Report) -> Vec<&str> {
    report
        .findings
        .iter()
        .map(midwatch::engine::Finding::what)
        .filter(|w| !w.starts_with("unmirrored"))
        .collect()
}

const TWIN: &str = "
    create table t (id int primary key, v int); create table p (id int, v int) partition by range (id);
    create table p1 partition of p for values from (0) to (10); create table p2 partition of p for values from (10) to (20);
    insert into t select i, i from generate_series(1, 19) i; insert into p select * from t;
    create function mirror() returns trigger language plpgsql as $$ begin insert into p values (new.*); return null; end $$;
    create trigger mirror after insert or update or delete on t for each row execute function mirror();";

#[tokio::test]
async fn what_was_not_compared_is_not_equal() {
    let database = pair(TWIN).await;
    assert_eq!(look(&database, false).await.status.word(), "ok");
    let quick = look(&database, true).await;
    assert_eq!((quick.status.word(), found(&quick)), ("warn", vec!["not_compared"]), "{quick:?}");
    assert!(quick.summary.contains("counts and sums agree; rows were not compared"), "{}", quick.summary);
    for fact in ["missing_in_partitioned", "missing_in_legacy", "different", "stale", "duplicate"] {
        assert_eq!(quick.facts[fact], Value::Null, "{fact}");
    }
    assert_eq!(quick.facts["partitions"][0]["status"], "counts equal");

    database.owner().await.execute_script("delete from p where id = 12").await.unwrap();
    let quick = look(&database, true).await;
    assert_eq!(found(&quick), ["counts", "not_compared", "sums/v"], "{quick:?}");
    assert_eq!((quick.status.word(), &quick.facts["partitions"][1]["status"]), ("fail", &json!("differs")));
    assert!(quick.findings[0].message.contains("in p2"), "{:?}", quick.findings[0]);
    assert!(quick.summary.contains("rows were not compared"), "{}", quick.summary);
    assert_eq!(quick.findings[0].severity, Severity::Critical);
}
