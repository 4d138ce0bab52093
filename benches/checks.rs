//! What the checks cost beside the bare statements they stand on; all in one run, as ratios.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench prints, and ends on the first surprise"
)]

use std::time::Instant;

use midwatch::engine::check::kind::SILENT;
use midwatch::engine::check::paging::{At, PageRequest};
use midwatch::engine::model::param::Params;
use midwatch::engine::model::report::CheckId;
use midwatch::features::parity::options::QUICK;
use midwatch::profile::TargetConfig;
use midwatch::sandbox::demo::{System, load_system};
use midwatch::sandbox::{Options, Server};

#[expect(dead_code, reason = "other benches use the rest")]
mod common;

const ROUNDS: usize = 5;
const ROWS: u64 = 500_000;

fn main() {
    common::run(run());
}

/// Median milliseconds.
async fn timed(mut work: impl AsyncFnMut()) -> f64 {
    let mut values = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        work().await;
        values.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    common::median(values)
}

fn tell(what: &str, ours: f64, raw: f64, goal: &str) {
    println!("{what}: {ours:.1} ms, raw {raw:.1} ms: {:.2}×{goal}", ours / raw);
}

async fn run() {
    let server = Server::start(Options { memory: true, ..Options::default() }).await.unwrap();
    server.create_database("hospitality", None).await.unwrap();
    load_system(&server, "hospitality", System::named("hospitality").unwrap(), ROWS).await.unwrap();
    parity(&server).await;
    pages(&server).await;
    template(&server).await;
    server.stop().await.unwrap();
}

async fn parity(server: &Server) {
    let engine = common::open(server.url("hospitality"), TargetConfig::default(), None).await;
    let id = CheckId { kind: "parity", name: "revenues".into() };
    let report = engine.observe(&id).await;
    let columns: Vec<_> =
        report.facts["columns"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
    let digest = format!("sum(hash_record_extended(row({}), 0))::text", columns.join(", "));
    let mut owner = server.owner("hospitality").await.unwrap();
    let raw = timed(async || {
        for table in ["revenues", "revenues_partitioned"] {
            owner.fetch_value(&format!("select count(*) || {digest} from {table}"), &[]).await.unwrap();
        }
    })
    .await;
    let quick = timed(async || drop(engine.observe_with(&id, &Params::yes(&QUICK), SILENT).await)).await;
    let ours = timed(async || drop(engine.observe(&id).await)).await;
    tell(&format!("parity of {ROWS} rows, differing rows read, to two whole-table digests"), ours, raw, "");
    tell("parity, counts and sums only, to the same", quick, raw, "");
    let names = columns.join(", ");
    let mend = format!(
        "alter table revenues disable trigger user; truncate revenues_partitioned;
         insert into revenues_partitioned ({names}) select {names} from revenues"
    );
    owner.execute_script(&mend).await.unwrap();
    owner.execute_script("vacuum analyze revenues_partitioned").await.unwrap();
    let equal = timed(async || drop(engine.observe(&id).await)).await;
    tell("parity of equal tables, to the same", equal, raw, "");
}

async fn pages(server: &Server) {
    let mut owner = server.owner("hospitality").await.unwrap();
    owner.execute_script("analyze revenues").await.unwrap();
    let sql = "select id, description, amount_cents from revenues where amount_cents > 0";
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("p.toml");
    let text = format!(
        "name = \"p\"\n[[anomalies]]\nname = \"r\"\ntitle = \"r\"\nkey = [\"id\"]\nsql = \"{sql}\"\n"
    );
    std::fs::write(&file, text).unwrap();
    let config = TargetConfig { profile: Some(file.display().to_string()), ..TargetConfig::default() };
    let engine = common::open(server.url("hospitality"), config, None).await;
    let source = engine.rows(&CheckId { kind: "anomalies", name: "r".into() }, "rows").unwrap();
    for (name, at, order) in [("first", At::First, "q.id"), ("last", At::Last, "q.id desc")] {
        for count in [false, true] {
            let request = PageRequest {
                source: source.clone(),
                filter: None,
                sort: None,
                at: at.clone(),
                limit: 100,
                count,
                whole: false,
            };
            let ours = timed(async || drop(engine.page(&request).await.unwrap())).await;
            let page = format!("select id::text from ({sql}) q order by {order} limit 100");
            let raw = timed(async || {
                owner.fetch_text(&page, &[]).await.unwrap();
                if count {
                    owner.fetch_value(&format!("select count(*)::text from ({sql}) q"), &[]).await.unwrap();
                }
            })
            .await;
            let with = if count { " with its exact total" } else { "" };
            tell(&format!("{name} page of a rule of {ROWS} rows{with}, to the raw query"), ours, raw, "");
        }
    }
}

async fn template(server: &Server) {
    server.create_database("tpl", None).await.unwrap();
    let mut n = 0;
    let ms = timed(async || {
        n += 1;
        server.create_database(&format!("copy{n}"), Some("tpl")).await.unwrap();
    })
    .await;
    tell("a database from a template, in memory, to its goal", ms, 200.0, " (goal 1.00×)");
}
