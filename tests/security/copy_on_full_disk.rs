//! No journal, no action: that holds for its copy on the operator's machine as well.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::desk::Desk;

/// A file system with no more room than this (KiB); gone with the value.
struct Small<'p>(&'p Path);

impl<'p> Small<'p> {
    fn mounted(at: &'p Path, kib: u32) -> Option<Self> {
        let size = format!("size={kib}k");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output();
        mounted.is_ok_and(|o| o.status.success()).then_some(Self(at))
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

/// The copy's folder on a small disk that holds what was in it; none where this machine lets nobody mount one.
fn on_small_disk(folder: &Path, kib: u32) -> Option<Small<'_>> {
    let kept: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    let contents: Vec<_> = kept.iter().map(|p| std::fs::read(p).unwrap()).collect();
    let small = Small::mounted(folder, kib)?;
    for (path, bytes) in kept.iter().zip(contents) {
        std::fs::write(path, bytes).unwrap();
    }
    Some(small)
}

fn said(value: &Value) -> String {
    format!("{} {}", value["error"]["message"], value["run"]["copy"])
}

/// At 4eabe32 the run said *applied*, exit 0, and nothing in JSON told that its entries were not in the copy.
#[tokio::test]
async fn a_run_does_not_begin_without_room_for_its_copy() {
    let desk = Desk::new().await;
    desk.applied("first.json", &["plan", "backfill", "--set", "limit=1"]);
    let folder = desk.copy().parent().unwrap().to_owned();
    let plan = desk.plan("plan.json", &["plan", "backfill", "--set", "limit=24"]);
    let small = on_small_disk(&folder, 48);
    if small.is_none() {
        // Where nobody may mount one: a folder that is a file.
        std::fs::rename(&folder, desk.file("aside")).unwrap();
        std::fs::write(&folder, "").unwrap();
    }
    let (code, value) = desk.apply("plan.json", &plan);
    assert_eq!(desk.value("select count(*)::text from midwatch.runs").await, "1", "a run was begun");
    assert_eq!((code, value["run"]["outcome"].as_str()), (3, Some("refused")), "{value:#}");
    assert!(said(&value).contains("no journal, no action"), "{value:#}");
    // Who wants that says so, and is told what is lacking.
    desk.configure("allow_without_copy = true\n");
    let plan = desk.plan("plan.json", &["plan", "backfill", "--set", "limit=24"]);
    let (code, value) = desk.apply("plan.json", &plan);
    assert_eq!((code, value["run"]["outcome"].as_str()), (0, Some("applied")), "{value:#}");
    drop(small);
    if folder.is_file() {
        std::fs::remove_file(&folder).unwrap();
        std::fs::rename(desk.file("aside"), &folder).unwrap();
    }
    desk.configure("");
    let run = desk.applied("next.json", &["plan", "backfill", "--set", "limit=8"]);
    assert!(run["copy"].to_string().contains("written again"), "{run:#}");
    let (code, value) = desk.json(&["journal", "verify"]);
    assert_eq!(code, 0, "{value:#}");
}

/// The same at 4eabe32 where the disk filled up while the run went on.
#[tokio::test]
async fn a_run_stops_after_the_batch_whose_entry_cannot_be_copied() {
    let desk = Desk::new().await;
    desk.applied("first.json", &["plan", "backfill", "--set", "limit=1"]);
    let folder = desk.copy().parent().unwrap().to_owned();
    let config = std::fs::read_to_string(desk.file("midwatch.toml")).unwrap();
    std::fs::write(
        desk.file("midwatch.toml"),
        config.replace("lock_timeout_ms = 50", "lock_timeout_ms = 30000"),
    )
    .unwrap();
    let plan = desk.plan("plan.json", &["plan", "backfill", "--set", "limit=24"]);
    // Its second batch waits for a row until the copy cannot be written.
    let table = plan["steps"][0]["action"]["table"].as_str().unwrap().to_owned();
    let id = &plan["diff"][10]["key"]["id"];
    let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    let mut holder = desk.owner().await;
    holder.execute_script(&format!("begin; select from {table} where id = '{id}' for update")).await.unwrap();
    let (file, phrase) = (desk.file("plan.json"), plan["phrase"].as_str().unwrap().to_owned());
    let mut command = desk.command();
    command.args(["apply", file.to_str().unwrap(), "--confirm", &phrase, "--json"]);
    let running = std::thread::spawn(move || crate::common::run(&mut command));
    let waits = "select count(*)::text from pg_stat_activity where wait_event_type = 'Lock' and application_name like 'midwatch/run%'
                 and datname = current_database()";
    while desk.value(waits).await == "0" {
        assert!(!running.is_finished(), "{:?}", running.join());
    }
    // A directory in the place of the file: nobody can write it, root neither.
    let copy = desk.copy();
    let aside = desk.file("aside.jsonl");
    std::fs::rename(&copy, &aside).unwrap();
    std::fs::create_dir(&copy).unwrap();
    holder.execute_script("rollback").await.unwrap();
    let run = running.join().unwrap();
    let value = run.json();
    let changed = desk.value("select applied::text from midwatch.runs order by id desc limit 1").await;
    assert_eq!((run.code, changed.as_str()), (7, "16"), "{value:#}");
    assert!(said(&value).contains("the journal's copy lacks the last entries"), "{value:#}");
    std::fs::remove_dir(&copy).unwrap();
    std::fs::rename(&aside, &copy).unwrap();
    let (code, value) = desk.json(&["resume", value["run"]["id"].as_str().unwrap()]);
    assert_eq!((code, value["run"]["outcome"].as_str()), (0, Some("applied")), "{value:#}");
    assert!(value["run"]["copy"].to_string().contains("written again"), "{value:#}");
    assert!(folder.is_dir());
    let (code, value) = desk.json(&["journal", "verify"]);
    assert_eq!(code, 0, "{value:#}");
}

/// At 78860194 a run that could not ask how far the journal had been seen wrote into a copy that nobody had looked at: its first
/// entry went behind half a line.
#[tokio::test]
async fn a_copy_that_was_not_looked_at_is_not_written() {
    let desk = Desk::new().await;
    desk.applied("first.json", &["plan", "backfill", "--set", "limit=1"]);
    let (copy, mark) = (desk.copy(), desk.copy().with_extension("mark.json"));
    let half = std::fs::read_to_string(&copy).unwrap() + "{\"seq\": 9";
    std::fs::write(&copy, &half).unwrap();
    let kept = std::fs::read(&mark).unwrap();
    std::fs::remove_file(&mark).unwrap();
    std::fs::create_dir(&mark).unwrap();
    desk.configure("allow_without_copy = true\n");
    let run = desk.applied("second.json", &["plan", "backfill", "--set", "limit=8"]);
    let told = "lacks the last entries: not checked whether the journal is as it was last seen";
    assert!(run["copy"].to_string().contains(told), "{run:#}");
    assert_eq!(std::fs::read_to_string(&copy).unwrap(), half);
    std::fs::remove_dir(&mark).unwrap();
    std::fs::write(&mark, kept).unwrap();
    desk.configure("");
    let run = desk.applied("third.json", &["plan", "backfill", "--set", "limit=8"]);
    assert!(run["copy"].to_string().contains("written again"), "{run:#}");
    let (code, value) = desk.json(&["journal", "verify"]);
    assert_eq!(code, 0, "{value:#}");
}
