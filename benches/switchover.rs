//! How long do writers wait when tables change places under them? pgbench inserts, updates, deletes and moves rows
//! between partitions while three twins are switched over and back, several times; every transaction's latency is kept,
//! and those that were under way while the locks were held are told apart.
//!
//! `MIDWATCH_BENCH_ROWS` sets the size (200,000), `MIDWATCH_BENCH_ROUNDS` how often it goes there and back (5).
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench prints, and ends on the first surprise"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use midwatch::engine::gate::guard::TypedPhrase;
use midwatch::engine::model::param::Params;
use midwatch::engine::model::progress::Control;
use midwatch::engine::model::target::Environment;
use midwatch::engine::plan::request::Request;
use midwatch::engine::{Engine, journal};
use midwatch::profile::TargetConfig;
use midwatch::sandbox::demo::{System, load_system};
use midwatch::sandbox::{Options, Server};

#[expect(dead_code, reason = "other benches use the rest")]
mod common;

use common::{median, percentile, sorted};

const CLIENTS: &str = "4";
/// Transactions a second: a server with something to do, not one that is drowned.
const RATE: &str = "400";

/// Each client has rows of its own, so that no two move the same row.
const SCRIPTS: [(&str, &str); 4] = [
    (
        "insert",
        "insert into revenues (org_id, property_id, amount_cents, occurred_at, created_by_user_id) values (1, 1, 5, now(), :client_id + 1);",
    ),
    (
        "update",
        "\\set k random(1, :rows)\nupdate revenues set amount_cents = amount_cents + 1 where id = :k;",
    ),
    (
        "move",
        "\\set k 1 + :client_id + 4 * random(1, 2000)\nupdate revenues set occurred_at = occurred_at + interval '31 days' * (case when occurred_at > now() - interval '60 days' then -1 else 1 end) where id = :k;",
    ),
    (
        "delete",
        "insert into revenues (org_id, property_id, amount_cents, occurred_at, created_by_user_id) values (1, 1, 7, now(), :client_id + 1) returning id \\gset\ndelete from revenues where id = :id;",
    ),
];

/// A transaction of pgbench: when it began and how long it took, in milliseconds.
type Seen = (f64, f64);

fn main() {
    common::run(run());
}

async fn run() {
    let rows = common::number("MIDWATCH_BENCH_ROWS", 200_000);
    let rounds = common::number("MIDWATCH_BENCH_ROUNDS", 5);
    let server = Server::start(Options { memory: true, ..Options::default() }).await.unwrap();
    server.create_database("hospitality", None).await.unwrap();
    load_system(&server, "hospitality", System::named("hospitality").unwrap(), rows).await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let config = TargetConfig { environment: Some(Environment::Development), ..TargetConfig::default() };
    let engine = common::open(server.url("hospitality"), config, Some(home.path())).await;
    for operation in ["repair-triggers", "repair"] {
        apply(&engine, operation, &[]).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut child = pgbench(&server, dir.path(), rows);
    let mut locked = Vec::new();
    tokio::time::sleep(Duration::from_secs(3)).await;
    for _ in 0..rounds {
        for (operation, step) in [("switchover", "enable"), ("rollback", "swap-back")] {
            let run = apply(&engine, operation, &[("monitor", "1s"), ("backup", "skip")]).await;
            locked.push((operation, held(&engine, &run, step).await));
        }
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    interrupt(&mut child);
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("ERROR"), "{said}");
    tell(&transactions(dir.path()), &locked);
    server.stop().await.unwrap();
}

/// pgbench ends well on this, its logs whole.
fn interrupt(child: &mut std::process::Child) {
    let pid = child.id().to_string();
    let _ = std::process::Command::new("kill").args(["-INT", &pid]).status();
}

/// Plans, confirms and applies; the run's number.
async fn apply(engine: &Engine, verb: &str, params: &[(&str, &str)]) -> String {
    let params: BTreeMap<String, String> = params
        .iter()
        .filter(|(k, _)| verb == "switchover" || *k != "backup")
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    let params = if matches!(verb, "switchover" | "rollback") { params } else { BTreeMap::new() };
    let request = Request::Operation { verb: verb.to_owned(), name: None, params: Params(params) };
    let planned = engine.plan(&request, &|_| ()).await.unwrap();
    let phrase = planned.plan.phrase.clone();
    let gate = engine.review(planned, true).await.unwrap();
    let at = engine.server_time().await.unwrap();
    let typed = TypedPhrase { phrase: &phrase, database: None, at };
    let approved = gate.confirm(&typed).map_err(|denied| denied.why).unwrap();
    let done = engine.run(approved, &Control::default(), &|_| ()).await;
    assert_eq!((done.outcome.word(), done.failure), ("applied", None), "{verb}");
    done.run.unwrap()
}

/// When the locks were held: from and to, in milliseconds of the day's clock.
async fn held(engine: &Engine, run: &str, step: &str) -> (f64, f64) {
    let events = journal::runs::events(engine.facts(), run).await.unwrap();
    let found = events.iter().find_map(|e| {
        let body: serde_json::Value = serde_json::from_str(&e.body).ok()?;
        (e.kind == "step" && body["id"] == step).then(|| (e.at.clone(), body["held_ms"].as_f64().unwrap()))
    });
    let (at, held) = found.unwrap();
    let at = chrono::DateTime::parse_from_rfc3339(&at).unwrap().timestamp_micros();
    #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
    let to = at as f64 / 1_000.0;
    (to - held, to)
}

fn pgbench(server: &Server, dir: &Path, rows: u64) -> std::process::Child {
    let mut command = server.binaries().command("pgbench");
    command.args(["-n", "-c", CLIENTS, "-j", "2", "-R", RATE, "-T", "3600", "-M", "prepared", "-l"]);
    command.arg(format!("--define=rows={rows}"));
    command.arg("--log-prefix").arg(dir.join("log"));
    for (name, sql) in SCRIPTS {
        let file = dir.join(format!("{name}.sql"));
        std::fs::write(&file, sql).unwrap();
        command.arg("-f").arg(file);
    }
    command.arg(server.url("hospitality"));
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
    command.spawn().unwrap()
}

fn transactions(dir: &Path) -> Vec<Seen> {
    let mut out = Vec::new();
    for file in std::fs::read_dir(dir).unwrap().map(|f| f.unwrap().path()) {
        if !file.file_name().unwrap().to_str().unwrap().starts_with("log") {
            continue;
        }
        for line in std::fs::read_to_string(file).unwrap().lines() {
            let fields: Vec<f64> = line.split(' ').filter_map(|f| f.parse().ok()).collect();
            // The one that was being written when pgbench was ended.
            if fields.len() < 6 {
                continue;
            }
            // With a rate, the latency counts from when it should have begun; the last field is that wait.
            let (latency, ended) = (fields[2] / 1_000.0, fields[4] * 1_000.0 + fields[5] / 1_000.0);
            out.push((ended - latency, latency));
        }
    }
    out
}

fn tell(seen: &[Seen], locked: &[(&str, (f64, f64))]) {
    let all = sorted(seen.iter().map(|s| s.1));
    println!(
        "{} transactions of {CLIENTS} clients at {RATE}/s: p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
        all.len(),
        percentile(&all, 50),
        percentile(&all, 99),
        percentile(&all, 100)
    );
    let (mut holds, mut waits, mut worst) = (Vec::new(), Vec::new(), Vec::new());
    for (operation, (from, to)) in locked {
        let across = sorted(seen.iter().filter(|(at, took)| *at <= *to && at + took >= *from).map(|s| s.1));
        println!(
            "  {operation}: locks held {:.0} ms; {} transactions met them, the longest took {:.1} ms",
            to - from,
            across.len(),
            percentile(&across, 100)
        );
        holds.push(to - from);
        worst.push(percentile(&across, 100));
        waits.extend(across);
    }
    let (holds, waits, worst) = (sorted(holds), sorted(waits), sorted(worst));
    println!(
        "locks held: median {:.0} ms, longest {:.0} ms; longest wait at a switch: median {:.1} ms, longest {:.1} ms",
        median(holds.clone()),
        percentile(&holds, 100),
        median(worst.clone()),
        percentile(&worst, 100)
    );
    println!(
        "stall of the {} transactions that met a switch: p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms (goal 100 ms)",
        waits.len(),
        percentile(&waits, 50),
        percentile(&waits, 90),
        percentile(&waits, 99)
    );
}
