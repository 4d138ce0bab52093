//! A network that swallows everything: connections stay open, no byte comes. Every command ends on that silence.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};

use crate::program::until;
use crate::servers::{Template, lasting};
use crate::world::World;

/// Between the program and its server, until it holds everything back.
struct Proxy {
    port: u16,
    holds: Arc<AtomicBool>,
}

impl Proxy {
    async fn start(socket: std::path::PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let holds = Arc::new(AtomicBool::new(false));
        let held = Arc::clone(&holds);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&socket).await.unwrap();
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(pass(from_client, to_server, Arc::clone(&held)));
                tokio::spawn(pass(from_server, to_client, Arc::clone(&held)));
            }
        });
        Self { port, holds }
    }
}

/// Bytes of one direction; what comes while they are held back is kept, and the ends stay open.
async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    holds: Arc<AtomicBool>,
) {
    let mut bytes = vec![0; 65_536];
    while let Ok(n @ 1..) = from.read(&mut bytes).await {
        while holds.load(Ordering::Acquire) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if to.write_all(&bytes[..n]).await.is_err() {
            return;
        }
    }
}

/// A database reached through a proxy; its URL without one comes second.
async fn behind_a_proxy(policy: &str) -> (World, Proxy, String) {
    let world = World::new(lasting(), Template::Ready).await;
    let direct = world.rig.server.url(&world.db);
    let proxy = Proxy::start(world.rig.server.socket_dir().join(".s.PGSQL.5432")).await;
    let user = direct.split("://").nth(1).and_then(|rest| rest.split('@').next()).unwrap();
    let through = format!("postgres://{user}@127.0.0.1:{}/{}?sslmode=disable", proxy.port, world.db);
    world.configure(&through, policy);
    (world, proxy, direct)
}

const POLICY: &str = "batch_rows = 7\nlock_timeout_ms = 500\nreconnect_s = 1\nsilence_s = 3";

/// At 4eabe32 the exit code was 6 (nothing was changed), without the number of the run that stands in the journal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_intent_whose_commit_has_no_answer_names_its_run() {
    let (world, proxy, direct) = behind_a_proxy(POLICY).await;
    let planned = world.plan(&["plan", "backfill", "--set", "limit=24"], "plan.json").await;
    let before = world.last_run().await;
    world.arm("intent_commit", None, None).await;
    let mut program = world.start(&planned.apply());
    world.held(&mut program, "midwatch/run", "wait_event = 'PgSleep'").await;
    proxy.holds.store(true, Ordering::Release);
    world.disarm().await;
    until("the intent is in the journal", async || world.last_run().await > before).await;
    let run = world.last_run().await.to_string();
    let end = program.end().await;
    assert_eq!(end.code, 8, "{end:?}");
    let said = end.json();
    assert_eq!((&said["run"]["id"], &said["run"]["outcome"]), (&run.as_str().into(), &"ambiguous".into()));
    assert_eq!(said["error"]["ambiguous"], true, "{end:?}");
    assert!(said["error"]["message"].as_str().unwrap().contains("look at midwatch runs"), "{end:?}");
    proxy.holds.store(false, Ordering::Release);
    world.configure(&direct, POLICY);
    let resumed = world.midwatch(&["resume", &run, "--json"]).await;
    assert_eq!(
        (resumed.code, &resumed.json()["run"]["rows_applied"]),
        (0, &planned.rows.into()),
        "{resumed:?}"
    );
    world.drop().await;
}

/// At 4eabe32 `apply` ended after 280 s at `reconnect_s = 5`, `check` and `journal verify` not within 75 s, `doctor` after
/// 70 s. With 3 s of silence each must end within some of them, and say so; the run is resumed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_swallows_everything_ends_every_command() {
    let (world, proxy, direct) = behind_a_proxy(POLICY).await;
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
    for args in [&["check", "anomalies"][..], &["journal", "verify"]] {
        let mut other = world.owner().await;
        let lock = "begin; lock table midwatch.runs, attendance_events in access exclusive mode";
        other.execute_script(lock).await.unwrap();
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
