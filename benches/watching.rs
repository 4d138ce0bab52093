//! What does it cost a database to be watched? pgbench's 99th percentile with the console's engine looking in
//! its own cadence, against without; turn about, so that a busy machine hits both alike.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints, and ends on the first surprise"
)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use midwatch::compose;
use midwatch::engine::Engine;
use midwatch::profile::{Secret, Selected, TargetConfig};
use midwatch::sandbox::demo::{System, load_system};
use midwatch::sandbox::{Options, Server};

const ROUNDS: usize = 3;
// Long enough for the rarest of the checks.
const SECONDS: &str = "30";

fn main() {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(run());
}

async fn open(url: String) -> Arc<Engine> {
    let config = TargetConfig::default();
    let selected = Selected {
        name: "bench".into(),
        config,
        url: Some(Secret::new(url)),
        base: Path::new(".").to_owned(),
        policy: midwatch::engine::model::policy::Policy::default(),
        state_dir: None,
    };
    Arc::new(compose::connect(selected).await.unwrap())
}

async fn run() {
    let server = Server::start(Options { memory: true, ..Options::default() }).await.unwrap();
    let mut engines = Vec::new();
    for system in ["hithonix", "hospitality"] {
        server.create_database(system, None).await.unwrap();
        load_system(&server, system, System::named(system).unwrap(), 50_000).await.unwrap();
        engines.push(open(server.url(system)).await);
    }
    // The console watches the very database that is worked on.
    let target = server.url("hospitality");
    pgbench(&server, &["-i", "-q", "-s", "5", &target]);
    let watching = Arc::new(AtomicBool::new(false));
    let observer = tokio::spawn(observe(Arc::clone(&engines[1]), Arc::clone(&watching)));
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        watching.store(false, Ordering::Relaxed);
        without.push(round(&server, &target).await);
        watching.store(true, Ordering::Relaxed);
        with.push(round(&server, &target).await);
    }
    observer.abort();
    // The spread says whether the machine was quiet enough for the ratio to mean anything.
    println!("pgbench p99 by round, watched {with:.2?} ms, alone {without:.2?} ms");
    let (with, without) = (median(with), median(without));
    println!("pgbench p99, watched {with:.2} ms, alone {without:.2} ms: {:.2}× (goal 1.10×)", with / without);
    server.stop().await.unwrap();
}

/// Every check in its kind's cadence, and the vitals every two seconds, as the console does.
async fn observe(engine: Arc<Engine>, watching: Arc<AtomicBool>) {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let mut second = 0_u64;
    loop {
        tick.tick().await;
        if !watching.load(Ordering::Relaxed) {
            continue;
        }
        second += 1;
        for id in engine.ids() {
            let every =
                engine.checks.iter().find(|c| c.spec().kind == id.kind).unwrap().spec().every.as_secs();
            if second.is_multiple_of(every) {
                engine.observe(&id, false).await;
            }
        }
        if second.is_multiple_of(2) {
            engine.facts.vitals().await.unwrap();
        }
    }
}

async fn round(server: &Server, url: &str) -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("log").display().to_string();
    let mut command = server.binaries().command("pgbench");
    command.args([
        "-n",
        "-c",
        "2",
        "-j",
        "1",
        "-R",
        "400",
        "-T",
        SECONDS,
        "-l",
        "--log-prefix",
        &prefix,
        url,
    ]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut latencies: Vec<f64> = Vec::new();
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        latencies.extend(text.lines().map(|l| l.split(' ').nth(2).unwrap().parse::<f64>().unwrap() / 1000.0));
    }
    latencies.sort_by(f64::total_cmp);
    latencies[latencies.len() * 99 / 100]
}

fn pgbench(server: &Server, args: &[&str]) {
    let output = server.binaries().command("pgbench").args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
