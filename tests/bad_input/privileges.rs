//! What the role may not see is unknown, never fewer rows.

use midwatch::dialect::postgres::owner::Owner;
use serde_json::Value;

use crate::common::{Database, demo_database, engine, observe, on, shared_server};

async fn role(owner: &mut Owner, name: &str) {
    let sql = format!(
        "do $$ begin create role {name} login; exception when duplicate_object or unique_violation then null; end $$"
    );
    owner.execute_script(&sql).await.unwrap();
}

fn as_role(database: &Database, role: &str) -> String {
    database.url().replacen(shared_server().user(), role, 1)
}

fn check<'e>(envelope: &'e Value, id: &str) -> &'e Value {
    envelope["checks"].as_array().unwrap().iter().find(|c| c["id"] == id).unwrap()
}

#[tokio::test]
async fn a_table_that_may_not_be_read() {
    let (database, _) = demo_database("hithonix", 1_000).await;
    let mut owner = database.owner().await;
    role(&mut owner, "half").await;
    owner.execute_script("grant select on daily_status, employees to half").await.unwrap();
    let url = as_role(&database, "half");
    let run = on(&url, &["check", "--json"]);
    assert_eq!(run.code, 5, "{run:?}");
    for id in ["queue/keka-sync", "anomalies/date_mismatch", "anomalies/status_mismatch"] {
        let check = check(&run.json(), id).clone();
        assert_eq!(check["status"], "unknown", "{check}");
        let why = check["why"].as_str().unwrap();
        assert!(
            why.contains("permission denied for ")
                && why.contains("[42501]")
                && why.contains("doctor --grants"),
            "{why}"
        );
    }
    let doctor = on(&url, &["doctor"]);
    assert!(doctor.stdout.contains("role half cannot read \"attendance_events\""), "{doctor:?}");
}

#[tokio::test]
async fn row_security_does_not_thin_out_rows() {
    let database = Database::empty().await;
    let mut owner = database.owner().await;
    role(&mut owner, "tenant").await;
    owner
        .execute_script(
            "create table t (id int primary key, v int); insert into t select i, i from generate_series(1, 10) i;
             create table p (id int, v int) partition by range (id); create table p1 partition of p for values from (1) to (100);
             insert into p select * from t; alter table t enable row level security;
             create policy few on t using (id < 3); grant select on t, p, p1 to tenant",
        )
        .await
        .unwrap();
    let profile = "name = \"p\"\n[[twins]]\nlegacy = \"t\"\npartitioned = \"p\"\nkey = [\"id\"]\n
        [[anomalies]]\nname = \"r\"\ntitle = \"r\"\nkey = [\"id\"]\nsql = \"select id from t\"\n";
    let engine = engine(&as_role(&database, "tenant"), profile).await;
    for id in ["parity/t", "anomalies/r"] {
        let report = observe(&engine, id).await;
        let why = report.status.why().unwrap_or_else(|| panic!("{report:?}"));
        assert!(why.contains("row-level security") && why.contains("BYPASSRLS"), "{why}");
        assert_eq!(report.facts.as_object().unwrap().len(), 0);
    }
}

#[tokio::test]
async fn a_sequence_that_may_not_be_read_is_not_behind() {
    let (database, _) = demo_database("hospitality", 1_000).await;
    let mut owner = database.owner().await;
    role(&mut owner, "no_sequences").await;
    owner
        .execute_script(
            "grant select on all tables in schema public to no_sequences;
             select setval('revenues_partitioned_id_seq', 100000)",
        )
        .await
        .unwrap();
    let run = on(&as_role(&database, "no_sequences"), &["check", "parity/revenues", "--json"]);
    let check = check(&run.json(), "parity/revenues").clone();
    let sequence =
        check["findings"].as_array().unwrap().iter().any(|f| f["id"] == "parity/revenues/sequence");
    assert!(!sequence, "{check}");
    // 24 rows differ, whatever the sequence says: a failure, and what is not known beside it.
    assert_eq!((run.code, &check["status"]), (5, &"fail".into()), "{check}");
    assert!(check["unknown"][0].as_str().unwrap().contains("revenues_partitioned_id_seq"), "{check}");
    assert!(check["why"].is_null(), "{check}");
    assert_eq!(check["facts"]["different"], 8);
}

#[tokio::test]
async fn tables_that_are_not_there() {
    let database = Database::empty().await;
    for profile in ["hospitality", "hithonix"] {
        let run = on(&database.url(), &["check", "--profile", profile, "--json"]);
        assert_eq!(run.code, 5, "{run:?}");
        // Who looks is known without a table.
        for check in run.json()["checks"].as_array().unwrap().iter().filter(|c| c["kind"] != "roles") {
            assert_eq!(check["status"], "unknown", "{check}");
            assert!(!check["why"].as_str().unwrap().is_empty());
        }
    }
    let run = on(&database.url(), &["check", "parity", "--profile", "hospitality"]);
    assert!(run.stdout.contains("this database has no table \"revenues\""), "{run:?}");
    assert!(run.stdout.contains("hint: the profile names it"), "{run:?}");
}
