//! Anomalies: what their fixes change, and what is left after the undo. What their checks find is in `planted`; here what
//! they find where not everything can be read.

mod fix;

use crate::common::{Database, engine, observe};

/// At 03c73d6 the rule was unknown then, although its rows were counted.
#[tokio::test]
async fn rows_that_are_counted_fail_a_rule_whatever_is_read_after_them() {
    let database = Database::empty().await;
    let tables = "create table t (id int primary key); insert into t values (1), (2);
                  create table empty (id int primary key)";
    database.owner().await.execute_script(tables).await.unwrap();
    let rule = |name: &str, sql: &str| {
        format!(
            "[[anomalies]]\nname = \"{name}\"\ntitle = \"bad rows\"\nseverity = \"critical\"\nkey = [\"id\"]\nsql = \"{sql}\"\n"
        )
    };
    // The page reads a value that cannot be shown; the key of the other is read once the page is.
    let page = rule("page", "select id, 1 / (id - id) as bad from t");
    let none = rule("none", "select id, 1 / (id - id) as bad from empty");
    let engine = engine(&database.url(), &format!("name = \"p\"\n{page}{none}")).await;
    let report = observe(&engine, "anomalies/page").await;
    assert_eq!((report.status.word(), report.facts["rows"].as_u64()), ("fail", Some(2)), "{report:?}");
    assert_eq!((report.findings[0].rows, report.findings[0].sample.len()), (Some(2), 0), "{report:?}");
    assert!(report.unobserved().is_some_and(|why| why.contains("division by zero")), "{report:?}");
    assert_eq!(observe(&engine, "anomalies/none").await.status.word(), "ok");
}
