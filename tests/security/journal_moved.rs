//! What this machine keeps of a journal when its server becomes another: upgraded, restored into a new cluster, copied with its
//! disk, or restored to a state from before its entries were signed.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::desk::Desk;
use crate::intruder::Key;

const EIGHT: [&str; 4] = ["plan", "backfill", "--set", "limit=8"];

fn verified(desk: &Desk, wanted: i32) -> Value {
    let (code, value) = desk.json(&["journal", "verify"]);
    assert_eq!(code, wanted, "{value:#}");
    value["journal"].clone()
}

fn kept(desk: &Desk) -> Vec<PathBuf> {
    std::fs::read_dir(desk.state().join("journal")).unwrap().map(|f| f.unwrap().path()).collect()
}

/// What is kept, as if it had been seen of a server with this identifier, or at this address.
fn as_seen(desk: &Desk, field: &str, value: &str) {
    let system = desk.copy().file_name().unwrap().to_str().unwrap().split('-').next().unwrap().to_owned();
    for path in kept(desk) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.ends_with(".mark.json") {
            let mut mark: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            assert!(mark["seen"][field].is_string(), "{mark:#}");
            mark["seen"][field] = json!(value);
            std::fs::write(&path, mark.to_string()).unwrap();
        }
        if field == "system_identifier" {
            std::fs::rename(&path, path.with_file_name(name.replacen(&system, value, 1))).unwrap();
        }
    }
}

/// A run is planned, and not begun.
async fn refused(desk: &Desk) -> Value {
    let (plan, before) = (desk.plan("third.json", &EIGHT), runs(desk).await);
    let (code, value) = desk.apply("third.json", &plan);
    assert_eq!((code, runs(desk).await), (3, before), "{value:#}");
    value
}

/// What is kept of how far the journal was seen.
fn change_marks(desk: &Desk, change: impl Fn(&mut Value)) {
    for path in kept(desk).iter().filter(|p| p.extension().is_some_and(|e| e == "json")) {
        let mut mark: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        change(&mut mark);
        std::fs::write(path, mark.to_string()).unwrap();
    }
}

/// The journal as it was before its last run.
async fn older(desk: &Desk, run: &Value) {
    let run = run["id"].as_str().unwrap();
    desk.sql(&format!(
        "set session_replication_role = replica;
         delete from midwatch.image_blocks where run = {run}; delete from midwatch.planned_blocks where run = {run};
         delete from midwatch.events where run = {run}; delete from midwatch.runs where id = {run};
         update midwatch.head set (seq, hash) = (select seq, hash from midwatch.events order by seq desc limit 1)"
    ))
    .await;
}

async fn runs(desk: &Desk) -> String {
    desk.value("select count(*)::text from midwatch.runs").await
}

/// At 03c73d6 (and 4eabe32) an older backup that was restored into a new cluster, at the same address and name, was changed
/// without a word, and the run in between was gone.
#[tokio::test]
async fn an_older_state_in_a_new_cluster_is_changed_when_it_is_accepted() {
    let desk = Desk::new().await;
    desk.applied("first.json", &EIGHT);
    let second = desk.applied("second.json", &EIGHT);
    older(&desk, &second).await;
    as_seen(&desk, "system_identifier", "999");
    let found = verified(&desk, 5);
    assert!(found["unknown"].to_string().contains("when its server had system identifier 999"), "{found:#}");
    let value = refused(&desk).await;
    assert!(value["error"]["hint"].as_str().unwrap().contains("plan journal-accept"), "{value:#}");
    // What was seen of the other server stays as it is: it may still be there, behind another address.
    let other = |path: &&PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("999-");
    let others =
        || kept(&desk).iter().filter(other).map(|p| (p.clone(), std::fs::read(p).unwrap())).collect();
    let before: Vec<(PathBuf, Vec<u8>)> = others();
    desk.applied("accept.json", &["plan", "journal-accept"]);
    assert_eq!(before, others());
    desk.applied("fourth.json", &EIGHT);
    assert_eq!(verified(&desk, 0)["accepted"].as_array().unwrap().len(), 1);
}

/// The journal was written in, and seen from here on, a server with another system identifier.
async fn of_another_cluster(desk: &Desk) {
    let key = Key::stolen(&desk.state().join("installation.key"));
    let target = format!("postgres 999 {}", desk.database);
    let entries =
        desk.value("select string_agg(seq || ' ' || counter || ' ' || hash, ',') from midwatch.events").await;
    for entry in entries.split(',') {
        let parts: Vec<_> = entry.split(' ').collect();
        let signed = key.entry(&target, parts[1].parse().unwrap(), parts[2]);
        desk.sql(&format!(
            "set session_replication_role = replica;
             update midwatch.events set signed_for = '{target}', signature = '{signed}' where seq = {}",
            parts[0]
        ))
        .await;
    }
    as_seen(desk, "system_identifier", "999");
}

/// What is kept of the journal was seen first somewhere else, and then as it was seen here; `directory`: of the server then.
fn first_seen_elsewhere(desk: &Desk, directory: Option<&str>) {
    change_marks(desk, |mark| {
        if let Some(directory) = directory {
            mark["seen"]["data_directory"] = json!(directory);
        }
        mark["also_at"] = json!([mark["seen"]]);
        mark["seen"]["address"] = json!("first.example:5432/shop");
    });
}

/// At 6fa06dc2 an older backup, restored into a new cluster at an address that was not the first one used, was changed
/// without a word. (At 4eabe32 at every address.)
#[tokio::test]
async fn an_older_state_in_a_new_cluster_is_noticed_at_each_address_that_was_used() {
    let desk = Desk::new().await;
    desk.applied("first.json", &EIGHT);
    let second = desk.applied("second.json", &EIGHT);
    older(&desk, &second).await;
    of_another_cluster(&desk).await;
    first_seen_elsewhere(&desk, None);
    let found = verified(&desk, 5)["unknown"].to_string();
    assert!(found.contains("when its server had system identifier 999"), "{found}");
    assert!(!found.contains("first.example"), "it was seen here: {found}");
    refused(&desk).await;
}

/// At 53053b2f a copy of the disk in another directory of this machine, reached by a socket like the original, was *this journal,
/// cut*: `journal-accept` set aside what was seen of the original. (At 4eabe32 nothing was refused.)
#[tokio::test]
async fn a_copy_of_the_disk_in_another_directory_is_not_what_was_seen_at_the_socket() {
    for first in [true, false] {
        let desk = Desk::new().await;
        desk.applied("first.json", &EIGHT);
        let second = desk.applied("second.json", &EIGHT);
        older(&desk, &second).await;
        if first {
            as_seen(&desk, "data_directory", "/of/the/original");
        } else {
            first_seen_elsewhere(&desk, Some("/of/the/original"));
        }
        let original: Vec<_> =
            kept(&desk).into_iter().filter(|p| p.extension().is_some_and(|e| e != "lock")).collect();
        let bytes = || original.iter().map(|p| std::fs::read(p).ok()).collect::<Vec<_>>();
        let before = bytes();
        let found = verified(&desk, 5)["unknown"].to_string();
        assert!(
            found.contains("data was in /of/the/original, and is not here: this is a copy of"),
            "{found}"
        );
        let value = refused(&desk).await;
        assert!(value["error"]["hint"].as_str().unwrap().contains("plan journal-accept"), "{value:#}");
        desk.applied("accept.json", &["plan", "journal-accept"]);
        desk.applied("fourth.json", &EIGHT);
        assert_eq!(bytes(), before, "what was seen of the original was written");
        verified(&desk, 0);
    }
}

/// At 53053b2f an entry that was the highest seen, and was taken out of the middle, refused every run where no copy was kept, and
/// `journal-accept` said that there was nothing to accept.
#[tokio::test]
async fn an_entry_that_is_missed_can_be_accepted() {
    let desk = Desk::new().await;
    desk.applied("first.json", &EIGHT);
    let copy = desk.copy();
    let mut seen = 0;
    change_marks(&desk, |mark| mark["copied"] = json!(0));
    for mark in kept(&desk).iter().filter(|p| p.to_str().unwrap().ends_with(".mark.json")) {
        let mark: Value = serde_json::from_slice(&std::fs::read(mark).unwrap()).unwrap();
        seen = mark["seq"].as_i64().unwrap();
    }
    desk.applied("second.json", &EIGHT);
    std::fs::remove_file(copy).unwrap();
    let hash = desk.value(&format!("select hash from midwatch.events where seq = {seen}")).await;
    change_marks(&desk, |mark| {
        mark["seq"] = json!(seen);
        mark["hash"] = json!(hash);
        mark["copied"] = json!(0);
    });
    desk.sql(&format!(
        "set session_replication_role = replica; delete from midwatch.events where seq = {seen}"
    ))
    .await;
    let value = refused(&desk).await;
    let missed = format!("entry {seen} was seen from this machine, and is not in the journal");
    assert!(value["error"]["message"].as_str().unwrap().contains(&missed), "{value:#}");
    assert!(verified(&desk, 1)["findings"].to_string().contains(&missed));
    let plan = desk.plan("accept.json", &["plan", "journal-accept"]);
    assert!(plan["changes"].to_string().contains("stays a finding of every verification"), "{plan:#}");
    let (code, value) = desk.apply("accept.json", &plan);
    assert_eq!(code, 0, "{value:#}");
    desk.applied("third.json", &EIGHT);
    let missing = format!("entries {seen} to {seen} are missing");
    assert!(verified(&desk, 1)["findings"].to_string().contains(&missing));
}

/// At 03c73d6 `journal verify` ended with 5 for ever after `pg_upgrade`, and `journal-accept` said that there was nothing to
/// accept.
#[tokio::test]
async fn entries_from_before_an_upgrade_are_accepted() {
    let desk = Desk::new().await;
    desk.applied("first.json", &EIGHT);
    of_another_cluster(&desk).await;
    let found = verified(&desk, 5);
    assert!(found["unknown"].to_string().contains("signed for another database (postgres 999"), "{found:#}");
    desk.applied("second.json", &EIGHT);
    desk.applied("accept.json", &["plan", "journal-accept"]);
    desk.applied("third.json", &EIGHT);
    assert_eq!(verified(&desk, 0)["unknown"], json!([]));
    // What is copied in after that is told again.
    let (code, value) = desk.json(&["plan", "journal-accept"]);
    assert!(code == 3 && value["error"]["message"].to_string().contains("nothing to accept"), "{value:#}");
}

/// At 03c73d6 a copy of the disk that was started on another host was *this database, cut*; `journal-accept` there set aside
/// what was seen of the true one, which was refused from then on. (4eabe32 kept no mark.)
#[tokio::test]
async fn a_copy_of_the_disk_at_another_address_touches_nothing_of_the_original() {
    let desk = Desk::new().await;
    desk.applied("first.json", &EIGHT);
    let second = desk.applied("second.json", &EIGHT);
    older(&desk, &second).await;
    as_seen(&desk, "address", "true.example:5432/shop");
    let original: Vec<_> =
        kept(&desk).into_iter().filter(|p| p.extension().is_some_and(|e| e != "lock")).collect();
    let bytes = |paths: &[PathBuf]| paths.iter().map(|p| std::fs::read(p).ok()).collect::<Vec<_>>();
    let before = bytes(&original);
    let found = verified(&desk, 5);
    assert_eq!(found["findings"], json!([]), "{found:#}");
    assert!(found["unknown"].to_string().contains("was seen at true.example"), "{found:#}");
    let (code, value) = desk.json(&["plan", "journal-accept"]);
    assert!(code == 3 && value["error"]["message"].to_string().contains("nothing to accept"), "{value:#}");
    desk.applied("third.json", &EIGHT);
    assert_eq!(bytes(&original), before, "what was seen of the original was written");
    // From now on it has a place of its own, where a cut is noticed.
    let fourth = desk.applied("fourth.json", &EIGHT);
    older(&desk, &fourth).await;
    let found = verified(&desk, 1);
    assert!(found["findings"].to_string().contains("it was cut"), "{found:#}");
    desk.applied("accept.json", &["plan", "journal-accept"]);
    assert_eq!(bytes(&original), before, "what was seen of the original was set aside");
}

/// At 62e8be7 a journal that was seen at one address, worked on through another one of the same server (a name, its number, a
/// socket) and cut, was changed there without a word, and `journal verify` said nothing.
#[tokio::test]
async fn a_cut_is_noticed_at_each_address_that_was_used() {
    let desk = Desk::new().await;
    desk.applied("first.json", &EIGHT);
    as_seen(&desk, "address", "first.example:5432/shop");
    let second = desk.applied("second.json", &EIGHT);
    verified(&desk, 0);
    older(&desk, &second).await;
    let found = verified(&desk, 1);
    assert!(found["findings"].to_string().contains("it was cut"), "{found:#}");
    refused(&desk).await;
}

/// At 62e8be7 a machine that had only verified a journal said nothing at another address of the same server when it was cut.
#[tokio::test]
async fn who_only_verifies_notices_a_cut_at_another_address() {
    let desk = Desk::new().await;
    desk.applied("first.json", &EIGHT);
    let second = desk.applied("second.json", &EIGHT);
    let auditor = desk.another();
    verified(&auditor, 5);
    let fingerprint = desk.json(&["key", "export"]).1["keys"][0]["fingerprint"].as_str().unwrap().to_owned();
    assert_eq!(auditor.json(&["key", "trust", &fingerprint]).0, 0);
    verified(&auditor, 0);
    older(&desk, &second).await;
    change_marks(&auditor, |mark| mark["seen"]["address"] = json!("first.example:5432/shop"));
    let found = verified(&auditor, 5);
    assert!(found["unknown"].to_string().contains("was seen at first.example"), "{found:#}");
}

/// At 03c73d6 a backup from before the upgrade that brought signatures, restored and worked on with the old version past the
/// first signed entry, was "not signed any more: altered" for ever, accepted or not.
#[tokio::test]
async fn a_state_from_before_signatures_is_accepted() {
    let desk = Desk::new().await;
    desk.applied("first.json", &EIGHT);
    desk.sql(
        "set session_replication_role = replica; delete from midwatch.installations;
         update midwatch.events set installation = null, signed_for = null, counter = null, signature = null",
    )
    .await;
    let found = verified(&desk, 1);
    assert!(found["findings"].to_string().contains("is not signed any more"), "{found:#}");
    desk.applied("accept.json", &["plan", "journal-accept"]);
    let found = verified(&desk, 0);
    assert_eq!(found["unsigned"], 3, "{found:#}");
    // What loses its signature after that is found as before.
    desk.sql(
        "set session_replication_role = replica; update midwatch.events set installation = null, signed_for = null,
         counter = null, signature = null where kind = 'accepted'",
    )
    .await;
    verified(&desk, 1);
}

/// At 03c73d6 the refusal did not say that a restored state can be accepted, nor that a failover may have brought it.
#[tokio::test]
async fn a_run_of_a_restored_journal_says_what_to_do() {
    let desk = Desk::new().await;
    let (run, _) = desk.interrupted("plan.json").await;
    let last = desk.applied("init.json", &["plan", "init", "--set", "operators=pg_monitor"]);
    older(&desk, &last).await;
    let before = runs(&desk).await;
    let (code, value) = desk.json(&["resume", &run]);
    assert_eq!((code, runs(&desk).await), (3, before), "{value:#}");
    let (message, hint) = (value["error"]["message"].to_string(), value["error"]["hint"].to_string());
    assert!(hint.contains("plan journal-accept") && hint.contains("failover"), "{value:#}");
    assert!(!message.contains("carries no signature"), "{value:#}");
}

/// At 03c73d6 a plan's file from before `key rotate` was called one made elsewhere.
#[tokio::test]
async fn a_plan_from_before_its_key_was_replaced_says_so() {
    let desk = Desk::new().await;
    desk.configure("accept_foreign_plans = true\n");
    let plan = desk.plan("plan.json", &EIGHT);
    assert_eq!(desk.json(&["key", "rotate"]).0, 0);
    let before = runs(&desk).await;
    let (code, value) = desk.apply("plan.json", &plan);
    assert_eq!((code, runs(&desk).await), (4, before), "{value:#}");
    let message = value["error"]["message"].as_str().unwrap();
    assert!(message.contains("was replaced since") && !message.contains("elsewhere"), "{value:#}");
    assert!(Path::new(&desk.state().join("installation.key")).is_file());
}

/// At 6fa06dc2 an init at an address where the journal was not seen before wrote into what is kept of the other one.
#[tokio::test]
async fn a_journal_made_at_another_address_is_kept_apart() {
    let desk = Desk::new().await;
    desk.applied("first.json", &EIGHT);
    as_seen(&desk, "address", "true.example:5432/shop");
    let original: Vec<_> =
        kept(&desk).into_iter().filter(|p| p.extension().is_some_and(|e| e != "lock")).collect();
    let bytes = || original.iter().map(|p| std::fs::read(p).unwrap()).collect::<Vec<_>>();
    let before = bytes();
    desk.sql("drop schema midwatch cascade").await;
    desk.applied("init.json", &["plan", "init"]);
    assert_eq!(bytes(), before, "what was seen of the original was written");
    assert!(kept(&desk).len() > original.len() + 1, "{:?}", kept(&desk));
    desk.applied("second.json", &EIGHT);
    assert_eq!(verified(&desk, 0)["findings"], json!([]));
}

/// At 6fa06dc2 a journal that could not be read before a run was answered with the advice to make room for its copy.
#[tokio::test]
async fn a_journal_that_cannot_be_read_is_no_matter_of_room() {
    let desk = Desk::new().await;
    desk.applied("first.json", &EIGHT);
    let plan = desk.plan("second.json", &EIGHT);
    desk.sql("alter table midwatch.events rename column hash to hashed").await;
    let (code, value) = desk.apply("second.json", &plan);
    assert_ne!(code, 0, "{value:#}");
    assert!(!value["error"].to_string().contains("make room"), "{value:#}");
}

/// At 53053b2f an upgrade of a journal that had been cut went on, and with its entries the highest one seen was passed.
#[tokio::test]
async fn a_journal_that_was_cut_is_not_upgraded() {
    let desk = Desk::new().await;
    desk.applied("first.json", &EIGHT);
    let second = desk.applied("second.json", &EIGHT);
    older(&desk, &second).await;
    // As it was before the last of the journal's own files.
    desk.sql(
        "set session_replication_role = replica; create table midwatch.drifted (run bigint);
         delete from midwatch.migrations where file = (select max(file) from midwatch.migrations where folder = 'midwatch')",
    )
    .await;
    let (plan, before) = (desk.plan("init.json", &["plan", "init"]), runs(&desk).await);
    let (code, value) = desk.apply("init.json", &plan);
    assert_eq!((code, runs(&desk).await), (3, before), "{value:#}");
    assert!(value["error"]["message"].as_str().unwrap().contains("it was cut"), "{value:#}");
    assert!(
        value["error"]["hint"].as_str().unwrap().contains("with the version of midwatch that wrote it"),
        "{value:#}"
    );
    // That version may have no `journal-accept`.
    let copy = desk.copy();
    assert!(value["error"]["hint"].as_str().unwrap().contains(copy.to_str().unwrap()), "{value:#}");
    for file in [copy.clone(), copy.with_extension("mark.json")] {
        std::fs::rename(&file, desk.file("aside").with_extension(file.extension().unwrap())).unwrap();
    }
    // Here only its list of files says that it is of an earlier version.
    let (_, value) = desk.apply("init.json", &plan);
    assert!(value["error"]["message"].as_str().unwrap().contains("already exists"), "{value:#}");
}
