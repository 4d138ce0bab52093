//! Queues whose rows are not as the profile's author thought.

use std::collections::BTreeSet;

use midwatch::engine::Engine;
use serde_json::json;

use crate::common::{Database, all_rows, engine, observe};

const PROFILE: &str = r#"
name = "p"
[[queues]]
name = "q"
table = "q"
key = "id"
state = "state"
attempts = "attempts"
created = "created"
attempted = "attempted"
message = "message"
code = "code"
permanent_when = "code = 'BAD'"
states = { pending = ["PENDING"], processing = ["PROCESSING"], done = ["DONE"], failed = ["FAILED"] }
days = { table = "days", flag = "wrong", key = ["person", "day"] }
"#;

async fn queue(rows: &str) -> (Database, Engine) {
    let database = Database::empty().await;
    let sql = format!(
        "create table q (id int primary key generated always as identity, state text, attempts int,
           created timestamptz default now() - interval '1 h', attempted timestamptz, message text, code text);
         create table days (person int, day date, wrong boolean, primary key (person, day));
         insert into days values (1, '2026-01-01', true), (1, '2026-01-02', false), (2, '2026-01-01', true);
         insert into q (state, attempts, message, code) values {rows}"
    );
    database.owner().await.execute_script(&sql).await.unwrap();
    let engine = engine(&database.url(), PROFILE).await;
    (database, engine)
}

async fn ids(engine: &Engine, finding: &str) -> Vec<String> {
    let source = engine.rows(&engine.ids()[0], finding).unwrap_or_else(|| panic!("{finding} has no rows"));
    let key = |r: midwatch::engine::check::paging::Row| {
        r.position.into_iter().flatten().collect::<Vec<_>>().join("|")
    };
    all_rows(engine, source).await.into_iter().map(key).collect()
}

#[tokio::test]
async fn nulls_and_unnamed_states_are_told() {
    let rows = "('PROCESSING', null, null, null), (null, 0, null, null), ('PAUSED', 0, null, null),
                ('PAUSED', 0, null, null), ('FAILED', null, 'late', null), ('DONE', 1, null, null)";
    let (_database, engine) = queue(rows).await;
    let report = observe(&engine, "queue/q").await;
    assert_eq!(
        report.facts["states"],
        json!({ "(null)": 1, "DONE": 1, "FAILED": 1, "PAUSED": 2, "PROCESSING": 1 }),
        "{report:?}"
    );
    assert_eq!((&report.facts["stuck"], &report.facts["exhausted"]), (&json!(1), &json!(0)));
    let unknown = report.findings.iter().find(|f| f.what() == "unknown_states").unwrap();
    assert!(unknown.message.ends_with("(null) (1), PAUSED (2)"), "{unknown:?}");
    assert_eq!((unknown.rows, unknown.sample.len()), (Some(3), 3));
    assert_eq!(ids(&engine, "unknown_states").await, ["2", "3", "4"]);
    assert_eq!(ids(&engine, "stuck").await, ["1"]);
    assert_eq!(ids(&engine, "state/(null)").await, ["2"]);
    assert!(report.facts["failed"][0]["last"].is_string(), "{report:?}");
}

#[tokio::test]
async fn flagged_days_can_be_opened() {
    let (_database, engine) = queue("('DONE', 1, null, null)").await;
    let report = observe(&engine, "queue/q").await;
    assert_eq!((report.status.word(), &report.facts["sync_error_days"]), ("ok", &json!(2)));
    assert_eq!(ids(&engine, "sync_error_days").await, ["1|2026-01-01", "2|2026-01-01"]);
    assert_eq!(report.findings[0].sample.len(), 2, "{report:?}");
}

#[tokio::test]
async fn causes_are_told_apart_by_class_and_status() {
    let rows = "('FAILED', 1, 'same words', 'BAD'), ('FAILED', 1, 'same words', 'WORSE'), ('FAILED', 1, 'same words', null),
      ('FAILED', 1, 'HTTP 404 for 17', null), ('FAILED', 1, 'HTTP 404 for 18', null), ('FAILED', 1, 'HTTP 500 for 17', null),
      ('FAILED', 1, '429 Too Many, wait 30', null), ('FAILED', 1, '503 Unavailable', null), ('FAILED', 1, 'status 401', null),
      ('FAILED', 1, 'code 4041', null), ('FAILED', 1, 'code 4042', null), ('FAILED', 1, 'exit code 200 after 1.5 s', null),
      ('FAILED', 1, 'room 404', null), ('FAILED', 1, 'room 405', null), ('FAILED', 1, '17 rows', null)";
    let (database, engine) = queue(rows).await;
    let report = observe(&engine, "queue/q").await;
    let causes = report.facts["failed"].as_array().unwrap();
    let told: BTreeSet<_> =
        causes.iter().map(|c| (c["fingerprint"].as_str().unwrap(), c["rows"].as_u64().unwrap())).collect();
    let expected = [
        ("BAD same words", 1),
        ("WORSE same words", 1),
        ("same words", 1),
        ("HTTP 404 for <n>", 2),
        ("HTTP 500 for <n>", 1),
        ("429 Too Many, wait <n>", 1),
        ("503 Unavailable", 1),
        ("status 401", 1),
        ("code <n>", 2),
        ("exit code 200 after <n> s", 1),
        ("room <n>", 2),
        ("<n> rows", 1),
    ];
    assert_eq!(told, expected.into());

    // One message of both classes is two causes, each with its own rows.
    let mixed = PROFILE.replace("code = 'BAD'", "attempts > 1").replace("code = \"code\"\n", "");
    database
        .owner()
        .await
        .execute_script(
            "truncate q; insert into q (state, attempts, message)
      values ('FAILED', 1, 'x'), ('FAILED', 2, 'x'), ('FAILED', 3, 'x')",
        )
        .await
        .unwrap();
    let engine = crate::common::engine(&database.url(), &mixed).await;
    let report = observe(&engine, "queue/q").await;
    let failed: Vec<_> = report.findings.iter().filter(|f| f.what().starts_with("failed/")).collect();
    assert_eq!(failed.len(), 2);
    assert_ne!(failed[0].id, failed[1].id);
    for finding in failed {
        assert_eq!(Some(finding.sample.len() as u64), finding.rows, "{finding:?}");
        assert_eq!(Some(ids(&engine, finding.what()).await.len() as u64), finding.rows);
    }
}

/// At 03c73d6 the whole check was unknown then, and nothing said that rows are lost.
#[tokio::test]
async fn a_proved_failure_stands_whatever_is_read_after_it() {
    let lost = "('FAILED', 9, 'x', null), ('PROCESSING', 1, null, null)";
    let proved = |report: &midwatch::engine::model::report::Report, unread: &str| {
        assert_eq!(report.status.word(), "fail", "{report:?}");
        let critical = ["exhausted", "stuck"].map(|what| report.findings.iter().any(|f| f.what() == what));
        assert_eq!(critical, [true, true], "{report:?}");
        let why = report.unobserved().unwrap();
        assert!(why.starts_with(unread) && why.contains("division by zero"), "{why}");
    };
    // The causes cannot be told apart.
    let (database, _) = queue(lost).await;
    let bad = PROFILE.replace("message = \"message\"", "message = \"(1 / (id - id))::text\"");
    proved(
        &observe(&crate::common::engine(&database.url(), &bad).await, "queue/q").await,
        "failures by cause",
    );
    // The key of the rows cannot be shown: nothing but a sample asks for it.
    let view = "create view v as select 1 / (id - id) as id, state, attempts, created, attempted, message, code from q";
    database.owner().await.execute_script(view).await.unwrap();
    let bad = PROFILE.replace("table = \"q\"", "table = \"v\"");
    let report = observe(&crate::common::engine(&database.url(), &bad).await, "queue/q").await;
    proved(&report, "all attempts used");
    assert_eq!((&report.facts["causes"], report.findings[0].sample.len()), (&json!(1), 0), "{report:?}");
}
