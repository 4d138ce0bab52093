//! A comparison in several snapshots: each range names its own, and what was cancelled goes on.

use std::process::Stdio;
use std::sync::Mutex;

use midwatch::engine::check::kind::{CheckProgress, SILENT};
use midwatch::engine::model::param::Params;
use midwatch::engine::model::report::Status;
use midwatch::features::parity::options::RESUME;
use rustix::process::{Pid, Signal, kill_process};

use crate::common::{Database, midwatch, run};
use crate::parity::unchanged::open;

const TWIN: &str = "
    create table t (id int primary key, v text); create table p (id int primary key, v text) partition by range (id);
    do $$ begin for n in 0..9 loop
      execute format('create table p%s partition of p for values from (%s) to (%s)', n, n * 2000, (n + 1) * 2000); end loop; end $$;
    insert into t select i, 'v' || i from generate_series(0, 19999) i; insert into p select * from t; analyze t; analyze p;";

fn profile(limit: u64) -> String {
    format!(
        "name = \"p\"\n[[twins]]\nlegacy = \"t\"\npartitioned = \"p\"\nkey = [\"id\"]\nchunk_rows = 5000\nsnapshot_limit_s = {limit}\n"
    )
}

async fn database() -> Database {
    let database = Database::empty().await;
    database.owner().await.execute_script(TWIN).await.unwrap();
    database
}

#[tokio::test]
async fn a_snapshot_that_is_too_old_is_let_go_and_each_range_names_its_own() {
    let (database, dir) = (database().await, tempfile::tempdir().unwrap());
    database.owner().await.execute_script("update p set v = 'x' where id in (3, 19000)").await.unwrap();
    let engine = open(&database.url(), &profile(0), dir.path()).await;
    let report = engine.observe(&engine.ids()[0]).await;
    let readings = report.facts["readings"].as_array().unwrap();
    assert!(readings.len() >= 3, "{readings:?}");
    let mut snapshots: Vec<_> = readings.iter().map(|r| r["snapshot"].as_str().unwrap()).collect();
    snapshots.dedup();
    assert_eq!(snapshots.len(), readings.len());
    assert!(readings[0]["range"].as_str().unwrap().contains("id up to"), "{readings:?}");
    assert_eq!((&report.facts["different"], &report.facts["legacy_rows"]), (&2.into(), &20_000.into()));
    let young = open(&database.url(), &profile(600), dir.path()).await;
    let report = young.observe(&young.ids()[0]).await;
    assert_eq!(report.facts["readings"].as_array().unwrap().len(), 0);
    assert_eq!(report.facts["different"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_comparison_goes_on_and_names_both_snapshots() {
    let (database, dir) = (database().await, tempfile::tempdir().unwrap());
    let engine = open(&database.url(), &profile(600), dir.path()).await;
    let id = engine.ids()[0].clone();
    let unfinished = || {
        let kept = |f: std::io::Result<std::fs::DirEntry>| {
            f.unwrap().file_name().to_string_lossy().ends_with("unfinished.json")
        };
        std::fs::read_dir(dir.path().join("parity"))
            .map_or(0, |d| d.filter_map(|f| kept(f).then_some(())).count())
    };
    let mut done = false;
    for _ in 0..50 {
        let kept = async {
            while unfinished() == 0 {
                tokio::task::yield_now().await;
            }
        };
        // Dropped as soon as its first piece is kept, as a cancelled one is.
        tokio::select! {
            () = kept => { done = true; break; }
            _ = engine.observe(&id) => {}
        }
    }
    assert!(done, "it was never stopped between two pieces");
    database.owner().await.execute_script("update p set v = 'x' where id = 19999").await.unwrap();
    let report = engine.observe_with(&id, &Params::yes(&RESUME), SILENT).await;
    let readings = report.facts["readings"].as_array().unwrap();
    assert!(readings.len() >= 2, "{report:?}");
    assert_eq!(
        (&readings[0]["resumed"], &readings[readings.len() - 1]["resumed"]),
        (&true.into(), &false.into())
    );
    assert_ne!(readings[0]["snapshot"], readings[readings.len() - 1]["snapshot"]);
    assert_eq!(
        (&report.facts["different"], &report.facts["legacy_rows"]),
        (&1.into(), &20_000.into()),
        "{report:?}"
    );
    assert_eq!(unfinished(), 0);
}

#[tokio::test]
async fn a_check_that_a_signal_cut_off_says_how_it_goes_on() {
    let (database, home) = (database().await, tempfile::tempdir().unwrap());
    let more = "create table p10 partition of p for values from (20000) to (1000000);
                insert into t select i, 'v' from generate_series(20000, 199999) i; insert into p select * from t where id >= 20000; analyze";
    database.owner().await.execute_script(more).await.unwrap();
    std::fs::write(home.path().join("p.toml"), profile(600).replace("5000", "1000")).unwrap();
    let config = format!(
        "state_dir = \"state\"\n[targets.main]\nurl = \"{}\"\nprofile = \"p.toml\"\nenvironment = \"demo\"\n",
        database.url()
    );
    std::fs::write(home.path().join("midwatch.toml"), config).unwrap();
    let kept = || {
        std::fs::read_dir(home.path().join("state/parity")).is_ok_and(|mut d| {
            d.any(|f| f.unwrap().file_name().to_string_lossy().ends_with("unfinished.json"))
        })
    };
    let cut_off = || {
        let mut command = midwatch(home.path());
        let mut child = command.args(["check", "parity", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
        while !kept() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        // It may be over by now.
        let _ = kill_process(Pid::from_child(&child), Signal::INT);
        let output = child.wait_with_output().unwrap();
        (output.status.code() == Some(5))
            .then(|| serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap())
    };
    let value = (0..20).find_map(|_| cut_off()).expect("it was never stopped between two pieces");
    let (message, hint) =
        (value["error"]["message"].as_str().unwrap(), value["error"]["hint"].as_str().unwrap());
    assert!(message.starts_with("cancelled by SIGINT (^C): 0 of 1 checks were done"), "{value:#}");
    assert_eq!(hint, "what was compared is kept: midwatch check parity/t --resume goes on", "{value:#}");
    let resumed = run(midwatch(home.path()).args(["check", "parity/t", "--resume", "--json"])).json();
    let facts = &resumed["checks"][0]["facts"];
    assert_eq!((&facts["different"], &facts["legacy_rows"]), (&0.into(), &200_000.into()), "{resumed:#}");
    assert_eq!(facts["readings"][0]["resumed"], true, "{resumed:#}");
    assert!(!kept());
}

#[tokio::test]
async fn a_comparison_tells_how_far_it_is() {
    let (database, dir) = (database().await, tempfile::tempdir().unwrap());
    database.owner().await.execute_script("update p set v = 'x' where id = 3").await.unwrap();
    let engine = open(&database.url(), &profile(600), dir.path()).await;
    let told = Mutex::new(Vec::new());
    let tell = |news| told.lock().unwrap().push(news);
    engine.observe_with(&engine.ids()[0], &Params::default(), &tell).await;
    let told = told.into_inner().unwrap();
    let (last, reading) = told.split_last().unwrap();
    assert_eq!((last.doing, last.pieces), ("naming the rows that differ", 0));
    let pieces = reading[0].pieces;
    assert!(pieces >= 4, "{told:?}");
    assert!(reading.iter().map(|n| n.done).eq(0..=pieces), "{told:?}");
    assert!(reading.is_sorted_by_key(|n| n.rows) && reading.iter().all(|n| n.pieces == pieces), "{told:?}");
    assert_eq!((reading[0].rows, reading.last().unwrap().rows), (0, 40_000), "of both sides");
    assert!(told.iter().all(|n| n.snapshot_at.parse::<chrono::DateTime<chrono::Utc>>().is_ok()), "{told:?}");
}

/// At 4eabe32 the check was *unknown*, and nothing said that rows differ.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_differ_are_not_hidden_where_naming_them_fails() {
    let (database, dir) = (database().await, tempfile::tempdir().unwrap());
    database.owner().await.execute_script("update p set v = 'x' where id = 3").await.unwrap();
    let engine = open(&database.url(), &profile(1_000_000), dir.path()).await;
    let cut = |news: CheckProgress| {
        if news.doing != "naming the rows that differ" {
            return;
        }
        // The server ends our sessions before the rows are read.
        let end = "select count(pg_terminate_backend(pid, 5000))::text from pg_stat_activity \
                   where datname = current_database() and application_name like 'midwatch/reader%'";
        let ended = async { database.owner().await.fetch_value(end, &[]).await.unwrap() };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(ended));
    };
    let report = engine.observe_with(&engine.ids()[0], &Params::default(), &cut).await;
    assert_eq!(report.status, Status::Fail, "{report:#?}");
    let found: Vec<_> = report.findings.iter().map(|f| f.id.as_str()).collect();
    assert!(found.contains(&"parity/t/digests") && !found.contains(&"parity/t/no-key"), "{found:?}");
    assert!(report.unknown_parts.iter().any(|p| p.starts_with("which rows differ: ")), "{report:#?}");
}
