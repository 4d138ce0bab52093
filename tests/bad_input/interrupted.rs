//! Servers that stop, and looks that nobody waits for any more.

use std::time::{Duration, Instant};

use midwatch::dialect::postgres::owner::Owner;
use midwatch::engine::Engine;
use midwatch::engine::model::report::CheckId;
use midwatch::sandbox::{Options, Server};

use crate::common::{Database, engine};

const LIMIT: Duration = Duration::from_mins(1);

fn rule(sql: &str) -> String {
    format!("name = \"p\"\n[[anomalies]]\nname = \"r\"\ntitle = \"r\"\nkey = [\"id\"]\nsql = \"{sql}\"\n")
}

fn id() -> CheckId {
    CheckId { kind: "anomalies", name: "r".into() }
}

/// How many statements holding this text sleep on the server. One that is only prepared is active too, for a moment.
async fn running(owner: &mut Owner, text: &str) -> u32 {
    let sql = "select count(*)::text from pg_stat_activity where state = 'active' and wait_event = 'PgSleep'
               and application_name like 'midwatch/reader%' and query like '%' || $1 || '%'";
    owner.fetch_value(sql, &[text]).await.unwrap().unwrap().parse().unwrap()
}

async fn until(owner: &mut Owner, text: &str, count: u32) {
    let begun = Instant::now();
    while running(owner, text).await != count {
        assert!(begun.elapsed() < LIMIT, "{text}: not {count} within {LIMIT:?}");
    }
}

/// A rule that waits; a profile calls no `pg_sleep` itself.
async fn slow(owner: &mut Owner, url: &str, mark: u32) -> Engine {
    let nap = "create or replace function nap() returns text language sql as 'select pg_sleep(600)::text'";
    owner.execute_script(nap).await.unwrap();
    engine(url, &rule(&format!("select nap() || {mark} as id"))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_in_the_middle() {
    let server = Server::start(Options { memory: true, ..Options::default() }).await.unwrap();
    let mut owner = server.owner("postgres").await.unwrap();
    let engine = std::sync::Arc::new(slow(&mut owner, &server.url("postgres"), 71).await);
    let look = tokio::spawn({
        let engine = std::sync::Arc::clone(&engine);
        async move { engine.observe(&id()).await }
    });
    until(&mut owner, "|| 71", 1).await;
    server.kill9().unwrap();
    let report = tokio::time::timeout(LIMIT, look).await.unwrap().unwrap();
    let why = report.status.why().unwrap();
    assert!(why.starts_with("failed to read: ") && why.contains("hint: "), "{why}");
    let while_down = engine.observe(&id()).await;
    assert!(while_down.status.why().unwrap().contains("failed to connect"), "{while_down:?}");
    server.restart().await.unwrap();
    engine.facts().vitals().await.unwrap();
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_look_ends_on_the_server_and_only_it() {
    let database = Database::empty().await;
    let mut owner = database.owner().await;
    let (one, other) =
        (slow(&mut owner, &database.url(), 72).await, slow(&mut owner, &database.url(), 73).await);
    let stays = tokio::spawn(async move { other.observe(&id()).await });
    let goes = tokio::spawn(async move { one.observe(&id()).await });
    until(&mut owner, "|| 72", 1).await;
    until(&mut owner, "|| 73", 1).await;
    goes.abort();
    until(&mut owner, "|| 72", 0).await;
    assert_eq!(running(&mut owner, "|| 73").await, 1);
    assert!(!stays.is_finished());
    stays.abort();
    until(&mut owner, "|| 73", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_is_reported_as_such() {
    let database = Database::empty().await;
    let mut owner = database.owner().await;
    let engine = std::sync::Arc::new(slow(&mut owner, &database.url(), 74).await);
    let look = tokio::spawn({
        let engine = std::sync::Arc::clone(&engine);
        async move { engine.observe(&id()).await }
    });
    until(&mut owner, "|| 74", 1).await;
    engine.facts().cancel_all().await;
    let report = tokio::time::timeout(LIMIT, look).await.unwrap().unwrap();
    assert!(report.status.why().unwrap().contains("57014"), "{report:?}");
    until(&mut owner, "|| 74", 0).await;
    engine.facts().vitals().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_looks_leave_room_for_others() {
    let database = Database::empty().await;
    let engine = std::sync::Arc::new(slow(&mut database.owner().await, &database.url(), 75).await);
    let mut owner = database.owner().await;
    for _ in 0..4 {
        let looks: Vec<_> = (0..3)
            .map(|_| {
                let engine = std::sync::Arc::clone(&engine);
                tokio::spawn(async move { engine.observe(&id()).await })
            })
            .collect();
        until(&mut owner, "|| 75", 3).await;
        looks.iter().for_each(tokio::task::JoinHandle::abort);
        tokio::time::timeout(LIMIT, engine.facts().vitals()).await.unwrap().unwrap();
    }
}
