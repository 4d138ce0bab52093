//! The SQL that PostgreSQL gets for rows, byte by byte: what is planned, shown, asked afterwards and undone.
//!
//! `MIDWATCH_PIN=write` writes `tests/fixtures/statements` anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{Months, Utc};
use midwatch::engine::check::paging::{At, Filter, PageRequest, RowSource, Sort};
use midwatch::engine::model::param::Params;
use midwatch::engine::model::query::Param;
use midwatch::engine::plan::request::Request;
use midwatch::engine::{Engine, EngineParts};

use crate::common;
use crate::common::Database;
use crate::recorder::{Notes, Sent, Whose, recorder};
use crate::world::World;

struct Pin {
    engine: Engine,
    notes: Notes,
    text: String,
    seen: BTreeSet<String>,
}

impl Pin {
    async fn on(world: &World, profile: &str) -> Self {
        let engine = common::open(&world.database.url(), Some(profile), world.home.path()).await.unwrap();
        let notes = Notes::default();
        let parts = engine.into_parts();
        let facts = Arc::new(recorder(Arc::clone(&parts.facts), &notes));
        let engine = Engine::new(EngineParts { facts, ..parts });
        Self { engine, notes, text: String::new(), seen: BTreeSet::new() }
    }

    /// What was sent since the last time: the catalog, the journal and what features ask are pinned elsewhere.
    fn sent(&mut self, label: &str) {
        // So is where a name leads to.
        let looked_up = |sql: &Sent| sql.text.contains("pg_catalog.pg_table_is_visible");
        let here = |sql: &&Sent| sql.whose == Whose::Profile && !looked_up(sql);
        let sent: Vec<Sent> = self.notes.lock().unwrap().drain(..).collect();
        let sent: BTreeSet<String> = sent.iter().filter(here).map(line).collect();
        for text in &sent {
            self.add(label, text);
        }
    }

    /// Each text once.
    fn add(&mut self, label: &str, text: &str) {
        let text = &without_today(text);
        if self.seen.insert(text.to_owned()) {
            writeln!(self.text, "== {label}\n{text}").unwrap();
        }
    }

    async fn page(&mut self, label: &str, request: &PageRequest) {
        self.engine.page(request).await.unwrap();
        self.sent(label);
    }

    async fn plan(&mut self, label: &str, request: Request) {
        self.notes.lock().unwrap().clear();
        let planned = self.engine.plan(&request, &|_| ()).await.unwrap();
        self.sent(label);
        for step in &planned.plan.steps {
            let action = serde_json::to_value(&step.action).unwrap();
            let text = |v: &serde_json::Value| v.as_str().map(str::to_owned);
            let texts = |field: &str| -> Vec<String> {
                action[field].as_array().into_iter().flatten().filter_map(text).collect()
            };
            for (what, statements) in [
                ("shown", step.statements.clone()),
                ("before_batch", texts("before_batch")),
                ("after_change", texts("after_change")),
                ("canary", text(&action["canary"]["sql"]).into_iter().collect()),
                ("back", step.back.clone()),
            ] {
                for statement in &statements {
                    self.add(&format!("{label}: {what}"), statement);
                }
            }
        }
        for question in &planned.plan.verify {
            self.add(&format!("{label}: verify"), &question.sql);
        }
    }

    async fn operation(&mut self, verb: &str, name: &str, set: &[(&str, &str)]) {
        let params = set.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let keys: Vec<_> =
            set.iter().map(|(k, v)| if *k == "ids" { "ids".into() } else { format!("{k}={v}") }).collect();
        let label = format!("{verb} {name} {}", keys.join(" "));
        let request =
            Request::Operation { verb: verb.into(), name: Some(name.into()), params: Params(params) };
        self.plan(label.trim_end(), request).await;
    }

    fn held(self, name: &str) {
        let path = format!("{}/tests/fixtures/statements/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        if std::env::var("MIDWATCH_PIN").is_ok_and(|v| v == "write") {
            std::fs::write(&path, &self.text).unwrap();
        }
        let pinned = std::fs::read_to_string(&path).unwrap();
        let split = |text: &str| -> Vec<String> { text.split("== ").map(str::to_owned).collect() };
        for (was, is) in split(&pinned).iter().zip(&split(&self.text)) {
            assert_eq!(is, was, "{name}");
        }
        assert_eq!(self.text.len(), pinned.len(), "{name}: more or fewer statements");
    }
}

/// Names and bounds of partitions by how many months they are ahead: what is missing depends on the day.
fn without_today(text: &str) -> String {
    let today = Utc::now().date_naive();
    (1..=4).fold(text.to_owned(), |text, ahead| {
        let month = today + Months::new(ahead);
        text.replace(&month.format("_%Y_%m\"").to_string(), &format!("_month_{ahead}\""))
            .replace(&month.format("'%Y-%m-01").to_string(), &format!("'month {ahead}"))
    })
}

/// A statement with whose it is and how many values it has; values differ from run to run.
fn line(sql: &Sent) -> String {
    let kinds: Vec<_> = sql
        .params
        .iter()
        .map(|p| match p {
            Param::Text(Some(_)) => "text",
            Param::Text(None) => "null",
            Param::Int(_) => "int",
            Param::Texts(_) => "texts",
        })
        .collect();
    format!("{}\n-- {:?} [{}]", sql.text, sql.whose, kinds.join(", "))
}

fn source() -> RowSource {
    RowSource {
        id: "x".into(),
        title: "x".into(),
        sql: "select * from (values ('a', 1, null, 'x%_\\'), ('b', 2, 7, null)) v(\"Odd \"\"name\", b, n, text) where b > $1::int".into(),
        params: vec![Param::from("0")],
        key: vec!["Odd \"name".into(), "b".into()],
        labels: [].into(),
        context: None,
    }
}

#[tokio::test]
async fn pages() {
    let world = World::on(Database::empty().await, "environment = \"demo\"");
    std::fs::write(world.file("p.toml"), "name = \"p\"\n").unwrap();
    let mut pin = Pin::on(&world, "p.toml").await;
    let first = PageRequest { count: true, ..PageRequest::first(source(), 3) };
    let some = |texts: &[&str]| texts.iter().map(|t| Some((*t).to_owned())).collect::<Vec<_>>();
    pin.page("first", &first).await;
    pin.page("last", &PageRequest { at: At::Last, ..first.clone() }).await;
    pin.page("after", &PageRequest { at: At::After(some(&["a", "1"])), ..first.clone() }).await;
    pin.page(
        "before, whole",
        &PageRequest { at: At::Before(some(&["a", "1"])), whole: true, ..first.clone() },
    )
    .await;
    for (inverse, descending) in [(false, false), (true, true)] {
        let request = PageRequest {
            filter: Some(Filter { text: "x%_\\".into(), inverse }),
            sort: Some(Sort { column: "n".into(), descending }),
            ..first.clone()
        };
        let label = |what: &str| format!("{what}, descending {descending}");
        for position in [Some("7".to_owned()), None] {
            let nulls = position.is_none();
            let position = [vec![position], some(&["a", "1"])].concat();
            let at = At::After(position.clone());
            pin.page(
                &label(&format!("sorted, filtered, after, null {nulls}")),
                &PageRequest { at, ..request.clone() },
            )
            .await;
            let at = At::Before(position);
            pin.page(
                &label(&format!("sorted, filtered, before, null {nulls}")),
                &PageRequest { at, ..request.clone() },
            )
            .await;
        }
        pin.page(&label("sorted, filtered, last"), &PageRequest { at: At::Last, ..request }).await;
    }
    let columns = ["a", "b"].map(|n| midwatch::engine::model::query::Column {
        name: n.into(),
        type_name: "TEXT".into(),
        numeric: false,
        operators: None,
    });
    pin.engine
        .context("select {b}::text as b, '{}'::json as j", &columns, &[None, Some("x".into())])
        .await
        .unwrap();
    pin.sent("context");
    pin.held("pages");
}

#[tokio::test]
async fn operations() {
    let world = World::hithonix().await;
    let mut pin = Pin::on(&world, "hithonix").await;
    let id = world
        .value(
            "select id::text from attendance_events where sync_status::text <> 'SUCCESS' order by 1 limit 1",
        )
        .await;
    for check in ["anomalies/date_mismatch", "anomalies/duplicate_clock_in", "queue/keka-sync"] {
        common::observe(&pin.engine, check).await;
        pin.sent(check);
    }
    for strategy in ["in_place", "replica_role", "repairs"] {
        let strategy = ("strategy", strategy);
        pin.operation("backfill", "business_date_ist", &[strategy, ("limit", "5")]).await;
        pin.operation("backfill", "business_date_ist", &[strategy, ("ids", &id)]).await;
    }
    for rule in ["status_mismatch", "duplicate_clock_in"] {
        pin.operation("fix", rule, &[]).await;
    }
    pin.operation("fix", "duplicate_clock_in", &[("ids", &id), ("limit", "2")]).await;
    let reason = ("reason", "gone");
    for finding in ["exhausted", "stuck", "state/FAILED_RETRYABLE"] {
        pin.operation("resolve", "keka-sync", &[reason, ("finding", finding), ("limit", "9")]).await;
    }
    pin.operation("resolve", "keka-sync", &[reason, ("ids", &id)]).await;
    pin.held("operations");
}

#[tokio::test]
async fn inverses() {
    let world = World::hithonix().await;
    let mut pin = Pin::on(&world, "hithonix").await;
    for (at, args) in [
        &["backfill", "--set", "strategy=repairs", "--set", "limit=5"][..],
        &["backfill", "--set", "limit=5"],
        &["fix", "status_mismatch"],
        &["fix", "duplicate_clock_in"],
        &["resolve", "--set", "finding=exhausted", "--set", "reason=gone"],
    ]
    .iter()
    .enumerate()
    {
        let plan = world.plan(&format!("{at}.json"), args);
        let run = world.applied(&format!("{at}.json"), &plan);
        let run = run["id"].as_str().unwrap().to_owned();
        pin.plan(&format!("undo of {}", args.join(" ")), Request::Undo { run }).await;
    }
    pin.held("inverses");
}

#[tokio::test]
async fn a_canary_and_rows_copied_between_twins() {
    let world = World::hospitality().await;
    let mut pin = Pin::on(&world, "hospitality").await;
    for verb in ["copy-missing", "repair"] {
        let params = Params::default();
        pin.plan(verb, Request::Operation { verb: verb.into(), name: None, params }).await;
    }
    pin.held("twins");

    let world = World::on(Database::empty().await, "environment = \"demo\"");
    let profile = "name = \"jobs\"\n[[queues]]\nname = \"jobs\"\ntable = \"jobs\"\nkey = \"id\"\nstate = \"state\"\n\
                   created = \"created_at\"\nmessage = \"failure\"\n[queues.states]\npending = [\"waiting\"]\n\
                   processing = [\"working\"]\ndone = [\"done\"]\nfailed = [\"failed\"]\n[queues.changes]\n\
                   requeue = { failure = \"null::text\" }\ncanary = 3\n";
    std::fs::write(world.file("jobs.toml"), profile).unwrap();
    world
        .sql(
            "create table jobs (id bigint primary key, state text not null, failure text, created_at timestamptz not null);
             insert into jobs select n, 'failed', 'timeout', now() from generate_series(1, 40) n",
        )
        .await;
    let mut pin = Pin::on(&world, "jobs.toml").await;
    pin.operation("requeue", "jobs", &[("finding", "state/failed")]).await;
    pin.operation("requeue", "jobs", &[("ids", "1,2"), ("limit", "1")]).await;
    pin.held("canary");
}
