//! Parity of large tables beside the two bare digests it replaces, sealed partitions, and what writers feel; all in one
//! run, as ratios. `PARITY_ROWS` makes it smaller.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench prints, and ends on the first surprise"
)]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use midwatch::engine::Engine;
use midwatch::engine::model::report::{CheckId, Report};
use midwatch::profile::TargetConfig;
use midwatch::sandbox::{Options, Server};

mod common;

use common::{median, p99, pgbench};

const ROUNDS: usize = 5;
const SECONDS: &str = "20";
const AT_WORK: &str = "select (count(*) > 0)::text from pg_stat_activity where application_name = 'pgbench'";
const NAMES: &str = "id, org_id, property_id, amount_cents, occurred_at, description, category, status, created_by, updated_at";

fn main() {
    common::run(run());
}

fn rows() -> u64 {
    common::number("PARITY_ROWS", 4_000_000)
}

const PROFILE: &str = "name = \"p\"
[[twins]]
legacy = \"l\"
partitioned = \"p\"
key = [\"id\"]
sums = [\"amount_cents\"]
[[twins]]
legacy = \"sl\"
partitioned = \"sp\"
key = [\"id\"]
";

async fn open(server: &Server, state: &Path) -> Engine {
    let profile = state.join("p.toml");
    std::fs::write(&profile, PROFILE).unwrap();
    let config = TargetConfig { profile: Some(profile.display().to_string()), ..TargetConfig::default() };
    common::open(server.url("bench"), config, Some(state)).await
}

fn tables(rows: u64) -> String {
    let columns = "org_id int not null, property_id int not null, amount_cents int not null, occurred_at timestamp not null, \
                   description text, category text, status text, created_by int, updated_at timestamp";
    format!(
        "create table l (id bigint primary key, {columns});
         create table p ({columns}, id bigint not null, primary key (id, occurred_at)) partition by range (occurred_at);
         do $$ begin for m in 0..11 loop
           execute format('create table p_%s partition of p for values from (%L) to (%L)', m,
             timestamp '2025-01-01' + m * interval '1 month', timestamp '2025-01-01' + (m + 1) * interval '1 month');
         end loop; end $$;
         insert into l select i, i % 50, i % 500, i % 100000, timestamp '2025-01-01' + i * (interval '1 year' / {rows}) - interval '1 second',
           'row number ' || i, (array['rooms', 'food', 'bar'])[i % 3 + 1], case when i % 7 > 0 then 'paid' end, i % 9,
           timestamp '2025-06-01' + i * interval '1 second' from generate_series(1, {rows}) i;
         insert into p ({NAMES}) select {NAMES} from l"
    )
}

async fn run() {
    let state = tempfile::tempdir().unwrap();
    let server = Server::start(Options { memory: true, ..Options::default() }).await.unwrap();
    server.create_database("bench", None).await.unwrap();
    let mut owner = server.owner("bench").await.unwrap();
    owner.execute_script(&tables(rows())).await.unwrap();
    owner.execute_script("create table sl (id int primary key, v int); create table sp (id int, v int) partition by range (id)").await.unwrap();
    let journal = midwatch::dialect::postgres::journal::install::script().unwrap();
    owner.execute_script(&journal).await.unwrap();
    for table in ["l", "p"] {
        owner.execute_script(&format!("vacuum analyze {table}")).await.unwrap();
    }
    let engine = Arc::new(open(&server, state.path()).await);
    if std::env::var("PARITY_ONLY").as_deref() != Ok("gentle") {
        speed(&server, &engine).await;
        sealed(&server, &engine).await;
    }
    gentle(&server, &engine).await;
    server.stop().await.unwrap();
}

async fn look(engine: &Engine, name: &str) -> (f64, Report) {
    let begun = Instant::now();
    let report = engine.observe(&CheckId { kind: "parity", name: name.into() }).await;
    (begun.elapsed().as_secs_f64(), report)
}

fn differences(report: &Report) -> u64 {
    ["different", "missing_in_partitioned", "missing_in_legacy", "stale", "duplicate"]
        .iter()
        .map(|c| report.facts[c].as_u64().unwrap())
        .sum()
}

async fn digest(server: &Server, table: &str) {
    let sql = format!("select count(*) || '/' || sum(hash_record_extended(row({NAMES}), 0)) from {table}");
    server.owner("bench").await.unwrap().fetch_value(&sql, &[]).await.unwrap();
}

/// Turn about with the bare digests, so that a busy machine hurts both.
async fn speed(server: &Server, engine: &Engine) {
    for (what, change, goal) in
        [("equal", String::new(), 1.4), ("with ten differences, found and named", plant(), 1.7)]
    {
        let mut owner = server.owner("bench").await.unwrap();
        owner.execute_script(&format!("select 1; {change}")).await.unwrap();
        let (mut raw, mut ours) = (vec![], vec![]);
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            tokio::join!(digest(server, "l"), digest(server, "p"));
            raw.push(begun.elapsed().as_secs_f64());
            let (seconds, report) = look(engine, "l").await;
            assert_eq!(differences(&report), if change.is_empty() { 0 } else { 10 }, "{report:?}");
            ours.push(seconds);
        }
        let (ours, raw) = (median(ours), median(raw));
        println!(
            "parity of {} rows, {what}: {ours:.2} s, two bare digests side by side {raw:.2} s: {:.2}× (goal {goal}×)",
            rows(),
            ours / raw
        );
    }
}

fn plant() -> String {
    let mut sql = String::new();
    for i in 1..=10 {
        let id = rows() * i / 11;
        let change = match i % 3 {
            0 => format!("delete from p where id = {id};"),
            1 => format!("update p set status = 'odd' where id = {id};"),
            _ => format!("update p set description = null where id = {id};"),
        };
        let _ = write!(sql, "{change}");
    }
    sql
}

async fn sealed(server: &Server, engine: &Engine) {
    let mut owner = server.owner("bench").await.unwrap();
    owner
        .execute_script(
            "do $$ begin for n in 0..499 loop
               execute format('create table sp_%s partition of sp for values from (%s) to (%s)', n, n * 1000, (n + 1) * 1000);
             end loop; end $$;
             insert into sl select i, i from generate_series(0, 499999) i; insert into sp select * from sl",
        )
        .await
        .unwrap();
    let request = midwatch::engine::plan::request::Request::Operation {
        verb: "watch".into(),
        name: Some("sl".into()),
        params: midwatch::engine::model::param::Params::default(),
    };
    let planned = engine.plan(&request, &|_| ()).await.unwrap();
    for step in &planned.plan.steps {
        owner.execute_script(&step.statements.join(";\n")).await.unwrap();
    }
    let (first, _) = look(engine, "sl").await;
    let mut again = vec![];
    for _ in 0..ROUNDS {
        let (seconds, report) = look(engine, "sl").await;
        assert_eq!(report.facts["sealed"], 500, "{report:?}");
        again.push(seconds);
    }
    println!("500 partitions: read {first:.2} s, sealed {:.3} s (goal 1 s)", median(again));
}

/// Writers of their own table, with and without comparisons one after another.
async fn gentle(server: &Server, engine: &Arc<Engine>) {
    let url = server.url("bench");
    pgbench(server, &["-i", "-q", "-s", "2", &url]);
    let (mut with, mut without) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        without.push(p99(server, &url, "200", SECONDS).await);
        let running = Arc::new(AtomicBool::new(true));
        let (flag, theirs) = (Arc::clone(&running), Arc::clone(engine));
        let mut owner = server.owner("bench").await.unwrap();
        let looking = tokio::spawn(async move {
            // A comparison beside writers, not writers that come in the middle of one.
            while owner.fetch_value(AT_WORK, &[]).await.unwrap().as_deref() != Some("true") {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let mut count = 0;
            while flag.load(Ordering::Relaxed) {
                look(&theirs, "l").await;
                count += 1;
            }
            count
        });
        with.push(p99(server, &url, "200", SECONDS).await);
        running.store(false, Ordering::Relaxed);
        assert!(looking.await.unwrap() > 0);
    }
    println!("pgbench p99 by round, beside parity {with:.2?} ms, alone {without:.2?} ms");
    let (with, without) = (median(with), median(without));
    println!(
        "pgbench p99, beside parity {with:.2} ms, alone {without:.2} ms: {:.2}× (goal 1.3×)",
        with / without
    );
}
