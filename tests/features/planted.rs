//! The demo's manifest against what the checks say: the same keys, nothing more.

use midwatch::engine::model::query::ProfileSql;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use midwatch::engine::Engine;
use midwatch::engine::model::report::{CheckId, Report, Sample};
use midwatch::sandbox::demo::{Demo, DemoOptions, Manifest, System, load_system};
use midwatch::sandbox::{Options, Server};
use serde_json::Value;

use crate::common::{all_rows, binaries_18, demo_database, midwatch, observe, open, run};

const RULES: [&str; 6] = [
    "duplicate_clock_in",
    "unclosed_break",
    "unpaired_lunch",
    "never_clocked_out",
    "date_mismatch",
    "status_mismatch",
];
const TWINS: [&str; 3] = ["revenues", "expenses", "daily_cash_balances"];

type Keys = BTreeSet<String>;

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn keys_of(entry: &Value) -> Keys {
    entry["keys"].as_array().into_iter().flatten().map(text).collect()
}

fn planted(manifest: &Manifest, check: &str, findings: &[&str]) -> Keys {
    let keys: Keys = findings.iter().flat_map(|f| keys_of(&manifest[check][*f])).collect();
    assert!(!keys.is_empty(), "{check} {findings:?} is not in the manifest");
    keys
}

fn id(kind: &'static str, name: &str) -> CheckId {
    CheckId { kind, name: name.into() }
}

/// The key cells of every row behind a finding.
async fn found(engine: &Engine, id: &CheckId, finding: &str) -> Keys {
    let source = engine.rows(id, finding).unwrap_or_else(|| panic!("{id} {finding} has no rows"));
    let rows = all_rows(engine, source).await;
    let keys: Keys = rows
        .iter()
        .map(|r| r.position.iter().map(|p| p.clone().unwrap()).collect::<Vec<_>>().join("|"))
        .collect();
    assert_eq!(keys.len(), rows.len(), "{id} {finding}: a row came twice");
    keys
}

async fn anomalies_as_planted(engine: &Engine, manifest: &Manifest) {
    for rule in RULES {
        let id = id("anomalies", rule);
        let check = id.to_string();
        let kinds = ["missing_row", "wrong_last_event", "wrong_minutes", "wrong_sync_errors"];
        let findings: &[&str] = if rule == "status_mismatch" { &kinds } else { &["found"] };
        let expected = planted(manifest, &check, findings);
        assert_eq!(found(engine, &id, "rows").await, expected, "{rule}");
        let report = observe(engine, &check).await;
        assert_eq!(report.facts["rows"], expected.len(), "{rule}");
        assert_eq!(report.findings.len(), 1);
        assert_eq!(report.findings[0].sample.len(), expected.len().min(20));
    }
}

/// Each kind of disagreement is named as it was planted.
async fn problems_as_planted(engine: &Engine, manifest: &Manifest) {
    let id = id("anomalies", "status_mismatch");
    let source = engine.rows(&id, "rows").unwrap();
    let columns: Vec<String> = {
        let mut tx =
            engine.facts().begin(midwatch::engine::port::reader::ReadOptions::default()).await.unwrap();
        tx.describe(&ProfileSql::new(&source.sql)).await.unwrap().into_iter().map(|c| c.name).collect()
    };
    let problem = columns.iter().position(|c| c == "problem").unwrap();
    let mut by_problem: BTreeMap<String, Keys> = BTreeMap::new();
    for row in all_rows(engine, source).await {
        let key: Vec<String> = row.position.iter().flatten().cloned().collect();
        let problem = row.cells[problem].clone().unwrap().replace(' ', "_");
        by_problem.entry(problem).or_default().insert(key.join("|"));
    }
    let expected: BTreeMap<String, Keys> =
        ["missing_row", "wrong_last_event", "wrong_minutes", "wrong_sync_errors"]
            .map(|f| (f.to_owned(), planted(manifest, "anomalies/status_mismatch", &[f])))
            .into();
    assert_eq!(by_problem, expected);
}

async fn queue_as_planted(engine: &Engine, manifest: &Manifest) {
    let id = id("queue", "keka-sync");
    let expected = &manifest["queue/keka-sync"];
    let report = observe(engine, "queue/keka-sync").await;
    assert_eq!(report.status.word(), "fail");
    let facts = &report.facts;
    assert_eq!(facts["states"], sorted(&expected["states"]));
    assert_eq!(facts["sync_error_days"], expected["sync_error_days"]);
    for unknown in ["lost", "ghost", "duplicate", "silent"] {
        assert_eq!(facts[unknown], Value::Null, "{unknown}");
    }
    for (finding, planted_as) in [("exhausted", "exhausted"), ("stuck", "stuck"), ("late", "pending")] {
        let keys = planted(manifest, "queue/keka-sync", &[planted_as]);
        assert_eq!(facts[finding], keys.len(), "{finding}");
        assert_eq!(found(engine, &id, finding).await, keys, "{finding}");
    }
    let skipped = planted(manifest, "queue/keka-sync", &["skipped"]);
    assert_eq!(found(engine, &id, "state/SKIPPED").await, skipped);
    causes_as_planted(engine, manifest, facts).await;
}

async fn causes_as_planted(engine: &Engine, manifest: &Manifest, facts: &Value) {
    let id = id("queue", "keka-sync");
    let cause = |f: &Value| (text(&f["code"]), text(&f["class"]), f["rows"].as_u64().unwrap());
    let list = |v: &Value| {
        let mut all: Vec<_> = v.as_array().unwrap().iter().map(cause).collect();
        all.sort();
        all
    };
    assert_eq!(list(&facts["failed"]), list(&manifest["queue/keka-sync"]["failures"]));
    let mut failed = Keys::new();
    for cause in facts["failed"].as_array().unwrap() {
        let rows = found(engine, &id, &format!("failed/{}", text(&cause["id"]))).await;
        assert_eq!(cause["rows"], rows.len());
        failed.extend(rows);
    }
    assert_eq!(failed, planted(manifest, "queue/keka-sync", &["retry", "exhausted", "permanent"]));
}

fn sorted(value: &Value) -> Value {
    let map: BTreeMap<_, _> =
        value.as_object().unwrap().iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    serde_json::to_value(map).unwrap()
}

async fn twins_as_planted(engine: &Engine, manifest: &Manifest) {
    for table in TWINS {
        let check = format!("parity/{table}");
        let expected = manifest[&check].as_object().unwrap();
        let report = observe(engine, &check).await;
        let mut wanted = Keys::new();
        for (finding, entry) in expected {
            let keys = keys_of(entry);
            wanted.insert(match finding.as_str() {
                "trigger" => format!("{check}/trigger/{}", keys.first().unwrap()),
                other => format!("{check}/{other}"),
            });
            if ["missing_in_partitioned", "missing_in_legacy", "different", "stale"]
                .contains(&finding.as_str())
            {
                assert_eq!(report.facts[finding], keys.len(), "{check} {finding}");
                assert_eq!(sample_keys(&report, finding), keys, "{check} {finding}");
            }
        }
        assert_eq!(report.facts["duplicate"], 0);
        assert_eq!(report.facts["not_classified"], 0);
        let got: Keys = report.findings.iter().map(|f| f.id.clone()).collect();
        assert_eq!(got, wanted, "{check}");
        columns_as_planted(&report, &expected["different"]["columns"]);
    }
}

fn samples<'r>(report: &'r Report, finding: &str) -> &'r [Sample] {
    let id = format!("{}/{finding}", report.id);
    report.findings.iter().find(|f| f.id == id).map_or(&[], |f| &f.sample)
}

fn sample_keys(report: &Report, finding: &str) -> Keys {
    samples(report, finding).iter().map(|s| text(&s["key"])).collect()
}

fn columns_as_planted(report: &Report, expected: &Value) {
    let sort = |v: &Value| v.as_array().unwrap().iter().map(text).collect::<Keys>();
    for sample in samples(report, "different") {
        let key = text(&sample["key"]);
        assert_eq!(sort(&sample["columns"]), sort(&expected[&key]), "{} {key}", report.id);
        for column in sample["columns"].as_array().unwrap() {
            let column = text(column);
            assert_ne!(sample["legacy"][&column], sample["partitioned"][&column], "{} {key}", report.id);
        }
    }
}

async fn migrations_as_planted(hithonix: &Engine, manifest: &Manifest, hospitality: &Engine) {
    let report = observe(hithonix, "migrations").await;
    let pending: Keys = report.facts["files"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["state"] == "pending")
        .map(|f| text(&f["file"]))
        .collect();
    assert_eq!(pending, planted(manifest, "migrations/hithonix", &["pending"]));
    assert_eq!(report.facts["applied"], 3);
    assert_eq!(report.findings.iter().map(|f| f.what().to_owned()).collect::<Vec<_>>(), ["pending"]);
    let report = observe(hospitality, "migrations").await;
    assert_eq!((report.status.word(), &report.facts["applied"]), ("ok", &Value::from(3)));
}

/// Every rule's row has surroundings, and the row is in them.
async fn contexts_answer(engine: &Engine) {
    for rule in RULES {
        let source = engine.rows(&id("anomalies", rule), "rows").unwrap();
        let (_, sql) = source.context.clone().unwrap();
        let request = midwatch::engine::check::paging::PageRequest {
            source,
            filter: None,
            sort: None,
            at: midwatch::engine::check::paging::At::First,
            limit: 500,
            count: false,
            whole: false,
        };
        let page = engine.page(&request).await.unwrap();
        let event = page.columns.iter().position(|c| c.name == "event_id");
        for row in &page.rows {
            let context = engine.context(&sql, &page.columns, &row.cells).await.unwrap();
            let here = context.columns.iter().position(|c| c.name == "id").unwrap();
            match event {
                Some(event) => {
                    assert!(context.rows.iter().any(|r| r.cells[here] == row.cells[event]), "{rule}");
                }
                None => assert!(!context.rows.is_empty(), "{rule}"),
            }
        }
    }
}

async fn both(hithonix: (&str, &Manifest), hospitality: (&str, &Manifest)) {
    let one = demo_engine(hithonix.0, "hithonix").await;
    let other = demo_engine(hospitality.0, "hospitality").await;
    anomalies_as_planted(&one, hithonix.1).await;
    problems_as_planted(&one, hithonix.1).await;
    queue_as_planted(&one, hithonix.1).await;
    contexts_answer(&one).await;
    twins_as_planted(&other, hospitality.1).await;
    migrations_as_planted(&one, hithonix.1, &other).await;
}

/// The profile is found out by itself; only the folder of the repository's migrations is named.
async fn demo_engine(url: &str, system: &str) -> Engine {
    let folder = format!("{}/migrations/{system}", env!("CARGO_MANIFEST_DIR"));
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "extends = \"{system}\"\nname = \"mine\"\n[[migrations]]\nname = \"{system}\"\nfolder = \"{folder}\"\nhistory = \"{}\"\n",
        if system == "hithonix" { "none" } else { "versions" }
    );
    std::fs::write(dir.path().join("p.toml"), text).unwrap();
    let detected = open(url, None, dir.path()).await.unwrap();
    assert_eq!(detected.profile().name, system);
    open(url, Some("p.toml"), dir.path()).await.unwrap()
}

#[tokio::test]
async fn exactly_the_planted_is_found() {
    for rows in [1_000, 5_000] {
        let (one, planted_one) = demo_database("hithonix", rows).await;
        let (other, planted_other) = demo_database("hospitality", rows).await;
        both((&one.url(), &planted_one), (&other.url(), &planted_other)).await;
    }
}

#[tokio::test]
async fn on_postgresql_18_as_well() {
    let binaries = Some(binaries_18());
    let server = Server::start(Options { memory: true, binaries, ..Options::default() }).await.unwrap();
    let mut manifests = Vec::new();
    for system in ["hithonix", "hospitality"] {
        server.create_database(system, None).await.unwrap();
        manifests.push(load_system(&server, system, System::named(system).unwrap(), 1_000).await.unwrap());
    }
    let (one, other) = (server.url("hithonix"), server.url("hospitality"));
    both((&one, &manifests[0]), (&other, &manifests[1])).await;
    let engine = demo_engine(&one, "hithonix").await;
    assert!(engine.server().version.starts_with("18."), "{}", engine.server().version);
    server.stop().await.unwrap();
}

/// What may differ from one run to the next of the same data.
fn steady(mut envelope: Value) -> Value {
    for check in envelope["checks"].as_array_mut().unwrap() {
        for moving in ["observed_at", "elapsed_ms"] {
            check[moving] = Value::Null;
        }
        for moving in
            ["snapshot", "oldest_pending_s", "age_p50_s", "age_p95_s", "arrived", "finished", "failed"]
        {
            check["facts"][moving] = Value::Null;
        }
        for partition in check["facts"]["partitions"].as_array_mut().into_iter().flatten() {
            partition["proof_snapshot"] = Value::Null;
            partition["proved_at"] = Value::Null;
        }
        if check["kind"] == "queue" {
            check["summary"] = Value::Null;
        }
    }
    envelope
}

#[tokio::test]
async fn the_operators_time_zone_changes_nothing() {
    for system in ["hithonix", "hospitality"] {
        let (database, _) = demo_database(system, 1_000).await;
        let home = tempfile::tempdir().unwrap();
        let under = |zone: Option<&str>| {
            let mut command = midwatch(home.path());
            command.env("DATABASE_URL", database.url()).args(["check", "--json", "--out", "out.json"]);
            if let Some(zone) = zone {
                command.env("TZ", zone).env("PGTZ", zone);
            }
            let run = run(&mut command);
            // The migrations' folder is not in this directory: not everything could be looked at.
            assert_eq!(run.code, 5, "{run:?}");
            let written = std::fs::read_to_string(home.path().join("out.json")).unwrap();
            assert_eq!(run.json(), serde_json::from_str::<Value>(&written).unwrap());
            steady(run.json())
        };
        let here = under(None);
        assert_eq!(here, under(Some("America/Los_Angeles")));
        assert_eq!(here, under(Some("Pacific/Kiritimati")));
    }
}

/// Rows that the applications have written so far.
async fn written(demo: &Demo) -> [u64; 2] {
    let mut out = [0; 2];
    for (at, system) in ["hithonix", "hospitality"].into_iter().enumerate() {
        let mut owner = demo.server().owner(system).await.unwrap();
        let sql = "select (xact_commit + tup_inserted + tup_updated)::text from pg_stat_database
                   where datname = current_database()";
        out[at] = owner.fetch_value(sql, &[]).await.unwrap().unwrap().parse().unwrap();
    }
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_applications_work_too() {
    let demo =
        Demo::start(DemoOptions { rows: 2_000, ..DemoOptions::default() }, Arc::new(|_| ())).await.unwrap();
    let one = demo_engine(&demo.server().url("hithonix"), "hithonix").await;
    let other = demo_engine(&demo.server().url("hospitality"), "hospitality").await;
    let (begun, first) = (Instant::now(), written(&demo).await);
    let mut rounds = 0;
    loop {
        anomalies_as_planted(&one, &demo.manifest()["hithonix"]).await;
        twins_as_planted(&other, &demo.manifest()["hospitality"]).await;
        rounds += 1;
        let now = written(&demo).await;
        if rounds >= 5 && now.iter().zip(first).all(|(n, f)| *n > f + 100) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_mins(3), "the traffic does not move: {first:?} {now:?}");
    }
    demo.stop().await.unwrap();
}
