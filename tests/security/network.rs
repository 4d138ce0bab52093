//! A network that swallows everything: connections stay open, no byte comes. Every command ends on that silence.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};

use crate::program::{Program, until};
use crate::servers::{Template, lasting};
use crate::world::World;

/// Between the program and its server, until it holds everything back.
struct Proxy {
    port: u16,
    holds: Arc<AtomicBool>,
    /// The next answer that is held back is dropped, and its connection closed.
    cuts: Arc<AtomicBool>,
}

impl Proxy {
    async fn start(socket: std::path::PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let holds = Arc::new(AtomicBool::new(false));
        let cuts = Arc::new(AtomicBool::new(false));
        let (held, cut) = (Arc::clone(&holds), Arc::clone(&cuts));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&socket).await.unwrap();
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(pass(from_client, to_server, Arc::clone(&held), Arc::default()));
                tokio::spawn(pass(from_server, to_client, Arc::clone(&held), Arc::clone(&cut)));
            }
        });
        Self { port, holds, cuts }
    }
}

/// Bytes of one direction; what comes while they are held back is kept, and the ends stay open.
async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    holds: Arc<AtomicBool>,
    cuts: Arc<AtomicBool>,
) {
    let mut bytes = vec![0; 65_536];
    while let Ok(n @ 1..) = from.read(&mut bytes).await {
        while holds.load(Ordering::Acquire) {
            if cuts.swap(false, Ordering::AcqRel) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if to.write_all(&bytes[..n]).await.is_err() {
            return;
        }
    }
}

/// A database reached through a proxy; its URL without one comes second.
async fn behind_a_proxy(template: Template, policy: &str) -> (World, Proxy, String) {
    let world = World::new(lasting(), template).await;
    let direct = world.rig.server.url(&world.db);
    let proxy = Proxy::start(world.rig.server.socket_dir().join(".s.PGSQL.5432")).await;
    let user = direct.split("://").nth(1).and_then(|rest| rest.split('@').next()).unwrap();
    let through = format!("postgres://{user}@127.0.0.1:{}/{}?sslmode=disable", proxy.port, world.db);
    world.configure(&through, policy);
    (world, proxy, direct)
}

const POLICY: &str = "batch_rows = 7\nlock_timeout_ms = 500\nreconnect_s = 1\nsilence_s = 3";

/// It ends without knowing what became of the run; what it said.
async fn ambiguous(program: Program, run: &str) -> Value {
    let end = program.end().await;
    assert_eq!(end.code, 8, "{end:?}");
    let said = end.json();
    assert_eq!((&said["run"]["id"], &said["run"]["outcome"]), (&run.into(), &"ambiguous".into()));
    assert_eq!(said["error"]["ambiguous"], true, "{end:?}");
    said
}

/// All of its rows are applied in the end.
async fn is_resumed(world: &World, run: &str, rows: u64) {
    let resumed = world.midwatch(&["resume", run, "--json"]).await;
    assert_eq!((resumed.code, &resumed.json()["run"]["rows_applied"]), (0, &rows.into()), "{resumed:?}");
}

/// At 4eabe32 the exit code was 6 (nothing was changed), without the number of the run that stands in the journal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_intent_whose_commit_has_no_answer_names_its_run() {
    let (world, proxy, direct) = behind_a_proxy(Template::Ready, POLICY).await;
    let planned = world.plan(&["plan", "backfill", "--set", "limit=24"], "plan.json").await;
    let before = world.last_run().await;
    world.arm("intent_commit", None, None).await;
    let mut program = world.start(&planned.apply());
    world.held(&mut program, "midwatch/run", "wait_event = 'PgSleep'").await;
    proxy.holds.store(true, Ordering::Release);
    world.disarm().await;
    until("the intent is in the journal", async || world.last_run().await > before).await;
    let run = world.last_run().await.to_string();
    let said = ambiguous(program, &run).await;
    assert!(said["error"]["message"].as_str().unwrap().contains("look at midwatch runs"), "{said:#}");
    proxy.holds.store(false, Ordering::Release);
    world.configure(&direct, POLICY);
    is_resumed(&world, &run, planned.rows).await;
    world.drop().await;
}

/// How many entries of a kind a run has.
async fn entries(world: &World, run: &str, kind: &str) -> String {
    let sql = "select count(*)::text from midwatch.events where run =";
    world.value(&format!("{sql} {run} and kind = '{kind}'")).await
}

/// At 03c73d6 the exit code was 8, the outcome `failed`, and no run was named; the run had been taken over all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resume_whose_commit_has_no_answer_names_its_run() {
    let (world, proxy, direct) = behind_a_proxy(Template::Ready, POLICY).await;
    let planned = world.plan(&["plan", "backfill", "--set", "limit=24"], "plan.json").await;
    world.arm("entry", Some(2), Some("53100")).await;
    let applied = world.midwatch(&planned.apply()).await;
    assert_eq!(applied.code, 7, "{applied:?}");
    world.disarm().await;
    let run = world.last_run().await.to_string();
    world.arm("resumed_commit", None, None).await;
    let mut program = world.start(&["resume", &run, "--json"]);
    world.held(&mut program, "midwatch/run", "wait_event = 'PgSleep'").await;
    proxy.holds.store(true, Ordering::Release);
    world.disarm().await;
    until("the run is taken over", async || entries(&world, &run, "resumed").await == "1").await;
    let said = ambiguous(program, &run).await;
    let hint = said["error"]["hint"].as_str().unwrap();
    assert!(hint.contains(&format!("midwatch resume {run}")), "{said:#}");
    proxy.holds.store(false, Ordering::Release);
    world.configure(&direct, POLICY);
    is_resumed(&world, &run, planned.rows).await;
    world.drop().await;
}

/// At 03c73d6 the next attempt met the fence of the one before: the run "was taken over", and its outcome was not written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconnection_whose_commit_has_no_answer_is_not_taken_for_anothers() {
    let (world, proxy, _) =
        behind_a_proxy(Template::Ready, &POLICY.replace("reconnect_s = 1", "reconnect_s = 60")).await;
    let planned = world.plan(&["plan", "backfill", "--set", "limit=24"], "plan.json").await;
    world.arm("entry", Some(2), None).await;
    world.arm("reconnected_commit", None, None).await;
    let mut program = world.start(&planned.apply());
    let pid = world.held(&mut program, "midwatch/run", "wait_event = 'PgSleep'").await;
    world.terminate(&pid).await;
    world.held(&mut program, "midwatch/run", "wait_event = 'PgSleep'").await;
    proxy.holds.store(true, Ordering::Release);
    world.disarm().await;
    let run = world.last_run().await.to_string();
    until("the run is regained", async || entries(&world, &run, "reconnected").await == "1").await;
    proxy.cuts.store(true, Ordering::Release);
    until("the answer is cut off", async || !proxy.cuts.load(Ordering::Acquire)).await;
    proxy.holds.store(false, Ordering::Release);
    let end = program.end().await;
    // Who ended the session may want it to stay so: the run stops there, and says so in the journal.
    assert_eq!((end.code, end.json()["run"]["resumable"].as_bool()), (7, Some(true)), "{end:?}");
    assert!(!end.stdout.contains("taken over") && end.stderr.is_empty(), "{end:?}");
    assert_eq!(entries(&world, &run, "outcome").await, "1");
    assert_eq!(entries(&world, &run, "reconnected").await, "2");
    let verified = world.midwatch(&["journal", "verify"]).await;
    // The triggers are this test's own.
    let found = verified.stdout.lines().filter(|l| l.starts_with('✖') && !l.contains("fault_"));
    assert_eq!(found.collect::<Vec<_>>(), Vec::<&str>::new(), "{verified:?}");
    world.drop().await;
}

/// Reads what another session has locked as the network falls silent, and ends.
async fn ends_on_silence(world: &World, proxy: &Proxy, args: &[&str], locked: &str) {
    let mut other = world.owner().await;
    other.execute_script(&format!("begin; lock table {locked} in access exclusive mode")).await.unwrap();
    let mut program = world.start(args);
    world.held(&mut program, "midwatch/reader", "wait_event_type = 'Lock'").await;
    proxy.holds.store(true, Ordering::Release);
    let since = Instant::now();
    let end = program.end().await;
    assert!(since.elapsed() < Duration::from_secs(20), "{args:?}: {:?}: {end:?}", since.elapsed());
    assert_ne!(end.code, 0, "{args:?}: {end:?}");
    proxy.holds.store(false, Ordering::Release);
    other.execute_script("rollback").await.unwrap();
}

/// At 4eabe32 a comparison did not end within 75 s.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_swallows_everything_ends_a_comparison() {
    let (world, proxy, _) = behind_a_proxy(Template::Twins, POLICY).await;
    ends_on_silence(&world, &proxy, &["check", "parity"], "revenues, expenses, daily_cash_balances").await;
    world.drop().await;
}

/// At 4eabe32 `apply` ended after 280 s at `reconnect_s = 5`, `check` and `journal verify` not within 75 s, `doctor` after
/// 70 s. With 3 s of silence each must end within some of them, and say so; the run is resumed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_swallows_everything_ends_every_command() {
    let (world, proxy, direct) = behind_a_proxy(Template::Ready, POLICY).await;
    let planned = world.plan(&["plan", "backfill", "--set", "limit=24"], "plan.json").await;

    world.arm("entry", Some(2), None).await;
    let mut program = world.start(&planned.apply());
    world.held(&mut program, "midwatch/run", "wait_event = 'PgSleep'").await;
    proxy.holds.store(true, Ordering::Release);
    let since = Instant::now();
    let end = program.end().await;
    assert!(since.elapsed() < Duration::from_secs(25), "apply: {:?}", since.elapsed());
    assert!([7, 8].contains(&end.code), "{end:?}");
    assert_eq!(end.json()["run"]["rows_applied"], 7, "the last batch that is durable: {end:?}");
    world.disarm().await;

    proxy.holds.store(false, Ordering::Release);
    let run = world.last_run().await.to_string();
    for args in [&["check", "anomalies"][..], &["journal", "verify"], &["plan", "backfill"]] {
        ends_on_silence(&world, &proxy, args, "midwatch.runs, attendance_events").await;
    }
    // What it asks for waits for no lock: it meets a network that is silent from its first byte.
    proxy.holds.store(true, Ordering::Release);
    let since = Instant::now();
    let end = world.midwatch(&["doctor"]).await;
    assert!(since.elapsed() < Duration::from_secs(20), "doctor: {:?}: {end:?}", since.elapsed());
    assert_eq!(end.code, 5, "{end:?}");
    proxy.holds.store(false, Ordering::Release);
    world.configure(&direct, POLICY);
    until("the run's old sessions are gone", async || world.waiting("midwatch/run", "true").await.is_empty())
        .await;
    let resumed = world.midwatch(&["resume", &run, "--json"]).await;
    assert_eq!(resumed.code, 0, "{resumed:?}");
    assert_eq!(resumed.json()["run"]["rows_applied"], planned.rows);
    world.drop().await;
}
