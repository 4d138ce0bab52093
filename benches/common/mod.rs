//! What benches share: the runtime, sizes from the environment, an engine on a throwaway server, pgbench, medians and
//! percentiles.

use std::future::Future;
use std::path::Path;

use midwatch::compose;
use midwatch::engine::Engine;
use midwatch::engine::model::policy::Policy;
use midwatch::profile::{Secret, Selected, TargetConfig};
use midwatch::sandbox::Server;

/// Runs a bench on two threads.
pub(crate) fn run(bench: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(bench);
}

/// A size from the environment.
pub(crate) fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// The value in the middle.
pub(crate) fn median(values: Vec<f64>) -> f64 {
    let values = sorted(values);
    values[values.len() / 2]
}

/// Smallest first.
pub(crate) fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut out: Vec<f64> = values.into_iter().collect();
    out.sort_by(f64::total_cmp);
    out
}

/// The value that so many of 100 do not exceed; 0 where there is none.
pub(crate) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0.0)
}

/// The console's engine on a database; `state`: where it keeps its own files.
pub(crate) async fn open(url: String, config: TargetConfig, state: Option<&Path>) -> Engine {
    let selected = Selected {
        name: "bench".into(),
        config,
        url: Some(Secret::new(url)),
        base: Path::new(".").to_owned(),
        policy: Policy::default(),
        state_dir: state.map(Path::to_owned),
    };
    compose::connect(selected).await.unwrap()
}

/// pgbench to its end.
pub(crate) fn pgbench(server: &Server, args: &[&str]) {
    let output = server.binaries().command("pgbench").args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The 99th percentile of two clients' transactions, in milliseconds.
pub(crate) async fn p99(server: &Server, url: &str, rate: &str, seconds: &str) -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("log").display().to_string();
    let mut command = server.binaries().command("pgbench");
    command.args(["-n", "-c", "2", "-j", "1", "-l", "-R", rate, "-T", seconds]);
    command.args(["--log-prefix", &prefix, url]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut latencies: Vec<f64> = Vec::new();
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        latencies.extend(text.lines().map(|l| l.split(' ').nth(2).unwrap().parse::<f64>().unwrap() / 1000.0));
    }
    percentile(&sorted(latencies), 99)
}
