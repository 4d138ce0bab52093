//! Apply, then undo: everything is as it was, and both ways are on record.

use serde_json::json;

use midwatch::engine::model::query::Sql;
use midwatch::engine::port::reader::ReadOptions;

use crate::common::{Database, engine, shared_server};
use crate::world::World;

/// Applies and takes back; gives the plan and the run's number.
pub(crate) async fn there_and_back(world: &World, args: &[&str], audit: &str) -> serde_json::Value {
    let before = world.snapshot().await;
    let plan = world.plan("plan.json", args);
    assert_eq!(plan["reversible"], "full", "{plan:#}");
    let done = world.applied("plan.json", &plan);
    let rows = plan["rows"].as_u64().unwrap();
    assert!(rows > 0);
    assert_eq!((&done["rows_applied"], &done["verified"]), (&json!(rows), &json!(true)));
    assert_ne!(world.snapshot().await, before);
    let written = format!("select count(*)::text from audit_logs where action = '{audit}'");
    assert_eq!(world.value(&written).await, rows.to_string());

    let run = done["id"].as_str().unwrap();
    let inverse = world.undo("undo.json", run);
    assert_eq!((&inverse["operation"], &inverse["undoes"]), (&json!("undo"), &json!(run)));
    world.applied("undo.json", &inverse);
    assert_eq!(world.snapshot().await, before);
    assert_eq!(world.value(&written).await, (2 * rows).to_string(), "both ways leave audit rows");

    // The undo of the undo is the change again.
    let (_, runs) = world.json(&["runs"]);
    let undo_run = runs["runs"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(runs["runs"][1]["undone_by"], json!(undo_run));
    let again = world.undo("again.json", &undo_run);
    assert_eq!(again["rows"], json!(rows));
    world.applied("again.json", &again);
    plan
}

#[tokio::test]
async fn init_cannot_be_taken_back_and_says_so() {
    let world = World::on(Database::empty().await, "environment = \"demo\"");
    world.sql("create table t (id int primary key)").await;
    let plan = world.plan("init.json", &["init"]);
    assert_eq!((&plan["reversible"], &plan["unit"]), (&json!("no"), &json!("statements")));
    assert!(plan["undo"].as_str().unwrap().starts_with("impossible"));
    let done = world.applied("init.json", &plan);
    assert_eq!(world.value("select count(*)::text from midwatch.runs").await, "1");
    let (code, refused) = world.json(&["undo", done["id"].as_str().unwrap()]);
    assert_eq!(code, 3, "{refused:#}");
    let (code, _) = world.json(&["plan", "init"]);
    assert_eq!(code, 3, "there is nothing to do a second time");
}

/// What one transaction has sent, by the session's process: from its beginning to its COMMIT.
fn transactions(log: &str, of: &str) -> Vec<Vec<String>> {
    let mut open: std::collections::HashMap<&str, Vec<String>> = std::collections::HashMap::new();
    let mut out = vec![];
    for line in log.lines() {
        let Some((pid, entry)) = line.split_once(" [").and_then(|(_, rest)| rest.split_once("] ")) else {
            continue;
        };
        let Some(sent) = entry.strip_prefix("LOG:  ") else { continue };
        let sent = sent.split_once(": ").filter(|(k, _)| *k == "statement" || k.starts_with("execute "));
        let Some((_, text)) = sent else { continue };
        if text.starts_with("begin ") {
            open.insert(pid, vec![]);
        }
        let Some(all) = open.get_mut(pid) else { continue };
        all.push(text.to_owned());
        if text.ends_with("commit") {
            out.extend(open.remove(pid));
        }
    }
    out.into_iter().filter(|all| all.iter().any(|text| text.contains(of))).collect()
}

/// At 03c73d6 the fence, the path of each part of the profile and the way back from it were messages of their own.
#[tokio::test]
async fn a_batch_sends_no_message_for_its_fence_and_its_own_path() {
    let world = World::hithonix().await;
    world.sql(&format!("alter database {} set log_statement = 'all'", world.database.name)).await;
    let plan = world.plan("plan.json", &["backfill", "--set", "limit=5"]);
    world.applied("plan.json", &plan);
    let log = std::fs::read_to_string(shared_server().log_file()).unwrap();
    let batches = transactions(&log, "insert into midwatch.image_blocks");
    let [batch] = batches.as_slice() else { panic!("{batches:#?}") };
    // Whether its names are ours is asked in the same message.
    let names = "from pg_catalog.pg_prepared_statements";
    assert!(batch[0].contains("for update; select case") && batch[0].ends_with(names), "{}", batch[0]);
    let alone = |own: bool| {
        let alone = |t: &str| t.ends_with(names) && t.matches(';').count() == 1;
        let of = |t: &&String| t.starts_with("set local search_path = ") && alone(t);
        batch.iter().filter(of).filter(|t| t.contains("= pg_catalog") == own).count()
    };
    // Derived rows are read, rows changed, what follows and the audit written, and checks made, each under a path that the one
    // before cannot have set; the way back comes before derived rows are kept, and before the guard is restored.
    assert_eq!((alone(false), alone(true)), (5, 2), "{batch:#?}");
    assert!(
        batch
            .iter()
            .any(|t| t.starts_with("set local search_path = pg_catalog, pg_temp; update midwatch.runs"))
    );
}

/// A transaction that is over waits a moment for the next one of its session, and no longer.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "tests ask the server themselves")]
async fn readings_one_after_the_other_share_a_session_and_leave_no_transaction() {
    let database = Database::empty().await;
    let engine = engine(&database.url(), "name = \"p\"\n").await;
    let mut pids = std::collections::BTreeSet::new();
    for _ in 0..10 {
        let mut tx = engine.facts().begin(ReadOptions::default()).await.unwrap();
        pids.extend(tx.texts(&Sql::new("select pg_backend_pid()::text")).await.unwrap());
    }
    assert_eq!(pids.len(), 1, "{pids:?}");
    let open = format!(
        "select count(*)::text from pg_stat_activity where datname = '{}' and state like 'idle in transaction%'",
        database.name
    );
    let mut owner = database.owner().await;
    let mut left = String::new();
    for _ in 0..200 {
        left = owner.fetch_value(&open, &[]).await.unwrap().unwrap_or_default();
        if left == "0" {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{left} transactions are still open");
}
