//! What does it cost a database to be watched? pgbench's 99th percentile with the console's engine looking in
//! its own cadence, against without; turn about, so that a busy machine hits both alike.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench prints, and ends on the first surprise"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use midwatch::engine::Engine;
use midwatch::profile::TargetConfig;
use midwatch::sandbox::demo::{System, load_system};
use midwatch::sandbox::{Options, Server};

#[expect(dead_code, reason = "other benches use the rest")]
mod common;

use common::{median, p99, pgbench};

const ROUNDS: usize = 3;
// Long enough for the rarest of the checks.
const SECONDS: &str = "30";

fn main() {
    common::run(run());
}

async fn run() {
    let server = Server::start(Options { memory: true, ..Options::default() }).await.unwrap();
    let mut engines = Vec::new();
    for system in ["hithonix", "hospitality"] {
        server.create_database(system, None).await.unwrap();
        load_system(&server, system, System::named(system).unwrap(), 50_000).await.unwrap();
        engines.push(Arc::new(common::open(server.url(system), TargetConfig::default(), None).await));
    }
    // The console watches the very database that is worked on.
    let target = server.url("hospitality");
    pgbench(&server, &["-i", "-q", "-s", "5", &target]);
    let watching = Arc::new(AtomicBool::new(false));
    let observer = tokio::spawn(observe(Arc::clone(&engines[1]), Arc::clone(&watching)));
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        watching.store(false, Ordering::Relaxed);
        without.push(p99(&server, &target, "400", SECONDS).await);
        watching.store(true, Ordering::Relaxed);
        with.push(p99(&server, &target, "400", SECONDS).await);
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
                engine.checks().iter().find(|c| c.spec().kind == id.kind).unwrap().spec().every.as_secs();
            if second.is_multiple_of(every) {
                engine.observe(&id).await;
            }
        }
        if second.is_multiple_of(2) {
            engine.facts().vitals().await.unwrap();
        }
    }
}
