//! What this machine keeps of a journal (its copy, and the highest entry that was seen) against other states of it: cut,
//! restored under another oid, copied; and what becomes of it when two processes write it, or when it is damaged or gone.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::common::{run, shared_server};
use crate::desk::Desk;

const EIGHT: [&str; 4] = ["plan", "backfill", "--set", "limit=8"];
const RUNS: &str = "select count(*)::text from midwatch.runs";
const ENTRIES: &str = "select count(*) || ' ' || max(counter) from midwatch.events";

/// The journal as it was before its last run, as a restore leaves it: the chain and its head are in order.
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

fn mark(desk: &Desk) -> PathBuf {
    desk.copy().with_extension("mark.json")
}

/// Nothing was changed, and the refusal names what mends it.
fn refused(answer: &(i32, Value), why: &str) {
    let (code, value) = answer;
    let error = &value["error"];
    let (message, hint) = (error["message"].as_str().unwrap_or_default(), error["hint"].as_str());
    assert!(*code == 3 && message.contains(why), "{value:#}");
    assert!(hint.is_some_and(|h| h.contains("midwatch plan journal-accept")), "{value:#}");
}

fn verified(desk: &Desk, wanted: i32) -> Value {
    let (code, value) = desk.json(&["journal", "verify"]);
    assert_eq!(code, wanted, "{value:#}");
    value["journal"].clone()
}

/// A midwatch that was started, and is waited for.
fn started(desk: &Desk, args: &[&str]) -> Child {
    let mut command = desk.command();
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Has this process the file open?
fn has_open(process: &Child, file: &Path) -> bool {
    let open = std::fs::read_dir(format!("/proc/{}/fd", process.id())).into_iter().flatten().flatten();
    open.filter_map(|fd| std::fs::read_link(fd.path()).ok()).any(|of| of == file)
}

/// At ec6755a (4eabe32 asked for no room) a second `apply`, refused a moment later, wrote 64 KiB of blanks behind the live
/// run's copy and cut the file back to the length it had found: six entries of that run were gone from it, and it said
/// *applied*. And nothing kept a mend, which renames a file over the copy, from losing what was added meanwhile.
#[tokio::test]
async fn two_processes_lose_no_entry_of_the_copy() {
    let desk = Desk::new().await;
    desk.applied("first.json", &EIGHT);
    let config = desk.file("midwatch.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("lock_timeout_ms = 50", "lock_timeout_ms = 30000")).unwrap();
    let plan = desk.plan("plan.json", &["plan", "backfill", "--set", "limit=24"]);
    let other = desk.plan("other.json", &EIGHT);
    // Its second batch waits for a row.
    let table = plan["steps"][0]["action"]["table"].as_str().unwrap();
    let id = &plan["diff"][10]["key"]["id"];
    let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    let mut holder = desk.owner().await;
    holder.execute_script(&format!("begin; select from {table} where id = '{id}' for update")).await.unwrap();
    let file = desk.file("plan.json");
    let phrase = plan["phrase"].as_str().unwrap();
    let mut live = started(&desk, &["apply", file.to_str().unwrap(), "--confirm", phrase, "--json"]);
    let waits = "select count(*)::text from pg_stat_activity where wait_event_type = 'Lock'
                 and application_name like 'midwatch/run%' and datname = current_database()";
    while desk.value(waits).await == "0" {
        assert!(live.try_wait().unwrap().is_none(), "it ended: {:?}", live.wait_with_output());
    }
    // A second operator is refused before anything of the copy is touched.
    let copy = desk.copy();
    let written = |path: &Path| {
        let meta = path.metadata().unwrap();
        (meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec())
    };
    let before = written(&copy);
    let (code, value) = desk.apply("other.json", &other);
    assert_eq!((code, written(&copy)), (3, before), "the live run's copy was written: {value:#}");
    // While another process mends the copy, the run waits with its next entry.
    let lock = std::fs::File::open(copy.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    holder.execute_script("rollback").await.unwrap();
    while !has_open(&live, &copy.with_extension("lock")) {
        assert!(live.try_wait().unwrap().is_none(), "it did not wait: {:?}", live.wait_with_output());
    }
    let mended = desk.file("mended");
    std::fs::copy(&copy, &mended).unwrap();
    std::fs::rename(&mended, &copy).unwrap();
    drop(lock);
    let ended = live.wait_with_output().unwrap();
    let answer: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(
        (ended.status.code(), answer["run"]["outcome"].as_str()),
        (Some(0), Some("applied")),
        "{answer:#}"
    );
    let lines = std::fs::read_to_string(&copy).unwrap().lines().count();
    let own = desk.value("select max(counter)::text from midwatch.events").await;
    assert_eq!(lines.to_string(), own, "entries of the run are not in the copy");
    verified(&desk, 0);
}

/// At ec6755a `journal verify` alone said that the journal was cut (at 4eabe32 nothing did, without its copy): the next run
/// was applied, gave the removed entries' numbers out again, and after it the mark had moved on. At either commit no
/// command accepted a state that was restored on purpose: verify failed for ever.
#[tokio::test]
async fn nothing_is_changed_over_a_journal_that_was_cut_until_that_is_accepted() {
    let desk = Desk::new().await;
    desk.applied("first.json", &EIGHT);
    let second = desk.applied("second.json", &EIGHT);
    let plan = desk.plan("third.json", &EIGHT);
    let kept = std::fs::read_to_string(desk.copy()).unwrap();
    older(&desk, &second).await;
    let before = desk.value(ENTRIES).await;
    refused(&desk.apply("third.json", &plan), "it was cut, or an older state was restored");
    desk.configure("allow_without_copy = true\n");
    refused(&desk.apply("third.json", &plan), "it was cut, or an older state was restored");
    desk.configure("");
    assert_eq!(desk.value(ENTRIES).await, before, "an entry was written over the ones that are gone");
    assert_eq!(std::fs::read_to_string(desk.copy()).unwrap(), kept);
    // Only the plan's own phrase accepts it.
    let accept = desk.plan("accept.json", &["plan", "journal-accept"]);
    let file = desk.file("accept.json");
    let wrong = ["apply", file.to_str().unwrap(), "--confirm", "journal-accept main"];
    assert_eq!((desk.json(&wrong).0, desk.value(ENTRIES).await), (3, before));
    let (code, value) = desk.apply("accept.json", &accept);
    assert_eq!((code, value["run"]["outcome"].as_str()), (0, Some("applied")), "{value:#}");
    // What was known of the other state is not lost.
    let aside = |f: &PathBuf| f.to_string_lossy().contains(".jsonl.accepted-");
    let folder = std::fs::read_dir(desk.state().join("journal")).unwrap();
    let aside = folder.map(|f| f.unwrap().path()).find(aside).expect("the copy was set aside");
    assert!(std::fs::read_to_string(aside).unwrap().starts_with(&kept));
    let accepted = |journal: &Value| {
        let all = journal["accepted"].as_array().unwrap();
        assert_eq!(all.len(), 1, "{journal:#}");
        assert!(all[0].as_str().unwrap().contains("an older state was restored"), "{journal:#}");
    };
    accepted(&verified(&desk, 0));
    desk.applied("fourth.json", &EIGHT);
    accepted(&verified(&desk, 0));
    let shown = desk.run(&["journal", "verify"]).stdout;
    assert!(shown.contains("accepted  entry "), "{shown}");
    let (code, value) = desk.json(&["plan", "journal-accept"]);
    assert!(code == 3 && value["error"]["message"].to_string().contains("nothing to accept"), "{value:#}");
}

/// Gives the first database the name of the second, which is kept under another name.
async fn takes_the_name(from: &str, to: &str, kept: &str) {
    let mut admin = shared_server().owner("postgres").await.unwrap();
    for (from, to) in [(to, kept), (from, to)] {
        admin.execute_script(&format!("alter database {from} rename to {to}")).await.unwrap();
    }
    admin.close().await;
}

async fn copied(from: &str, to: &str) {
    let mut admin = shared_server().owner("postgres").await.unwrap();
    admin.execute_script(&format!("create database {to} template {from}")).await.unwrap();
    admin.close().await;
}

/// At ec6755a what is kept was named by the database's oid alone, which createdb and a rename change: `journal verify` ended
/// with 0 on the older state, and the run in between was gone without a word.
#[tokio::test]
async fn a_restored_database_is_known_by_its_name_and_a_copy_of_it_is_another() {
    let desk = Desk::new().await;
    let name = desk.database.clone();
    let [older, newer, same] = ["older", "newer", "same"].map(|state| format!("{name}_{state}"));
    desk.applied("first.json", &EIGHT);
    copied(&name, &older).await;
    desk.applied("second.json", &EIGHT);
    takes_the_name(&older, &name, &newer).await;
    let found = verified(&desk, 1);
    assert!(
        found["findings"].to_string().contains("it was cut, or an older state was restored"),
        "{found:#}"
    );
    let (plan, before) = (desk.plan("third.json", &EIGHT), desk.value(RUNS).await);
    refused(&desk.apply("third.json", &plan), "it was cut, or an older state was restored");
    assert_eq!(desk.value(RUNS).await, before);
    // The true one again; the older state under another name is a copy: unknown, and nobody is kept from working in it.
    takes_the_name(&newer, &name, &older).await;
    verified(&desk, 0);
    let config = desk.file("midwatch.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace(&desk.url, &shared_server().url(&older))).unwrap();
    assert_eq!(verified(&desk, 5)["findings"], json!([]));
    desk.applied("copy.json", &EIGHT);
    assert_eq!(verified(&desk, 5)["findings"], json!([]));
    std::fs::write(&config, text).unwrap();
    // A restore that lost nothing has another oid too, and goes on as before.
    verified(&desk, 0);
    copied(&name, &same).await;
    takes_the_name(&same, &name, &newer).await;
    verified(&desk, 0);
    desk.applied("fourth.json", &EIGHT);
    verified(&desk, 0);
}

/// At ec6755a both were gone without a finding: *no copy on this machine*, exit 0, and a journal that was cut looked whole.
#[tokio::test]
async fn what_is_kept_here_is_missed_when_it_is_gone() {
    let desk = Desk::new().await;
    desk.applied("first.json", &EIGHT);
    let (folder, key) = (desk.state().join("journal"), desk.state().join("installation.key"));
    let why = "neither the journal's copy nor the highest entry seen";
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(verified(&desk, 1)["findings"].to_string().contains(why));
    let plan = desk.plan("second.json", &EIGHT);
    refused(&desk.apply("second.json", &plan), why);
    assert_eq!(desk.value(RUNS).await, "1");
    // Where only the key lasts there is nothing to be missed: it is unknown, and work goes on.
    let named = desk.file("named.key");
    std::fs::rename(&key, &named).unwrap();
    let with_key = |args: &[&str]| {
        let run = run(desk.command().env("MIDWATCH_KEY_FILE", &named).args(args).arg("--json"));
        (run.code, run.json())
    };
    let (code, value) = with_key(&["journal", "verify"]);
    assert_eq!((code, &value["journal"]["findings"]), (5, &json!([])), "{value:#}");
    assert!(value["journal"]["unknown"].to_string().contains("MIDWATCH_KEY_FILE"), "{value:#}");
    let (file, phrase) = (desk.file("second.json"), plan["phrase"].as_str().unwrap());
    let (code, value) = with_key(&["apply", file.to_str().unwrap(), "--confirm", phrase]);
    assert_eq!(code, 0, "{value:#}");
    // Elsewhere the operator accepts what nobody can check any more.
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::rename(&named, &key).unwrap();
    desk.applied("accept.json", &["plan", "journal-accept"]);
    desk.applied("third.json", &EIGHT);
    assert_eq!(verified(&desk, 0)["accepted"].as_array().unwrap().len(), 1);
}

/// At ec6755a (4eabe32 kept no mark) an empty one refused every change for ever, with the advice to make room, and no command
/// mended it.
#[tokio::test]
async fn a_mark_that_cannot_be_read_is_taken_from_the_copy() {
    let desk = Desk::new().await;
    desk.applied("first.json", &EIGHT);
    std::fs::write(mark(&desk), "").unwrap();
    let found = verified(&desk, 1);
    assert!(found["findings"].to_string().contains("the next run takes it from the copy"), "{found:#}");
    let second = desk.applied("second.json", &EIGHT);
    assert!(
        second["copy"].to_string().contains("how far the journal was seen could not be read"),
        "{second:#}"
    );
    verified(&desk, 0);
    // It is no way around what was seen.
    let plan = desk.plan("third.json", &EIGHT);
    std::fs::write(mark(&desk), "{").unwrap();
    older(&desk, &second).await;
    refused(&desk.apply("third.json", &plan), "it was cut, or an older state was restored");
    assert_eq!(desk.value(RUNS).await, "1");
}

/// At ec6755a (4eabe32 had no list of keys) the chain was not read, and every entry of the copy was said to be *in the copy and
/// not in the journal*.
#[tokio::test]
async fn a_list_of_keys_that_cannot_be_read_hides_nothing_and_accuses_nobody() {
    let desk = Desk::new().await;
    desk.applied("first.json", &EIGHT);
    verified(&desk, 0);
    let keys = desk.state().join("keys.json");
    let whole = std::fs::read(&keys).unwrap();
    std::fs::write(&keys, "[").unwrap();
    let found = verified(&desk, 5);
    assert_eq!(
        (&found["findings"], found["unobserved"].as_array().unwrap().len()),
        (&json!([]), 1),
        "{found:#}"
    );
    assert_eq!(found["mirrored"], 3, "{found:#}");
    let shown = desk.run(&["journal", "verify"]).stdout;
    assert!(shown.contains("? not read: ") && !shown.contains('✓'), "{shown}");
    // A chain that cannot be read accuses no entry of the copy either.
    std::fs::write(&keys, whole).unwrap();
    desk.sql("alter table midwatch.events rename column body to gone").await;
    let found = verified(&desk, 1);
    assert!(!found["findings"].to_string().contains("in the copy and not in the journal"), "{found:#}");
}
