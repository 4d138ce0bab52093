//! Whatever the rows hold: a planned change gives them the values of the plan, its undo those of before, and the undo of
//! that the planned ones again. By the program's own planner, writer and inverse.

use std::collections::BTreeMap;

use midwatch::dialect::postgres::owner::Owner;
use midwatch::engine::Engine;
use midwatch::engine::gate::guard::TypedPhrase;
use midwatch::engine::model::error::Result;
use midwatch::engine::model::param::Params;
use midwatch::engine::model::preflight::{Ready, Reversible};
use midwatch::engine::model::profile::{Profile, Write};
use midwatch::engine::model::progress::Control;
use midwatch::engine::model::record::Outcome;
use midwatch::engine::model::step::Step;
use midwatch::engine::plan::operation::{Draft, Offer, OpSpec, Operation, PlanCx};
use midwatch::engine::plan::request::{Planned, Request};
use midwatch::engine::port::dialect::Dialect;
use midwatch::engine::port::reader::Fut;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::on_each_server;
use crate::paper_server::{DEFINES, defined};
use crate::postgres::Side;

on_each_server! {
    a_change_and_its_inverse_give_the_rows_of_before,
    what_is_asked_before_a_change_is_asked_before_its_undo,
}

/// Sets of rows that are tried.
const SETS: u32 = 32;

/// Columns of every kind; `w` holds what the rows of `t` are to become, `beside` takes corrective rows.
const TABLES: &str = "
create table t (k text primary key, n numeric, i bigint, f float8, x text, j jsonb, b bytea, d timestamptz, a text[]);
create table w (like t including all);
create table beside (like t including all)";

const PROFILE: &str = r#"
name = "p"
[[backfills]]
name = "b"
[backfills.write]
table = "t"
key = ["k"]
filter = "exists (select from w where w.k = t.k)"
[backfills.write.set]
n = "(select w.n from w where w.k = t.k)"
i = "(select w.i from w where w.k = t.k)"
f = "(select w.f from w where w.k = t.k)"
x = "(select w.x from w where w.k = t.k)"
j = "(select w.j from w where w.k = t.k)"
b = "(select w.b from w where w.k = t.k)"
d = "(select w.d from w where w.k = t.k)"
a = "(select w.a from w where w.k = t.k)"
[backfills.instead]
strategy = "rows_beside"
[backfills.instead.write]
table = "beside"
key = ["k"]
join = "join w on w.k = t.k"
set = { k = "t.k", n = "w.n", i = "w.i", f = "w.f", x = "w.x", j = "w.j", b = "w.b", d = "w.d", a = "w.a" }
"#;

const ODD: [&str; 16] = [
    "",
    " ",
    "NULL",
    "null",
    "'",
    "o''b'",
    "\"",
    "\\",
    "\\N",
    "\\x00",
    "$1 {k} %s ?",
    "a\tb\r\nc\n",
    "{\"a\": [1, null]}",
    "ünï — 漢字 \u{202e}\u{feff}",
    "\u{1}\u{1b}[31m",
    "e\u{301} \u{1f600}",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![select(ODD.to_vec()).prop_map(str::to_owned), "[^\u{0}]{0,12}"]
}

fn numeric() -> impl Strategy<Value = String> {
    let odd = vec![
        "0",
        "-0.00",
        "17",
        "17.0",
        "17.000",
        "1e-40",
        "NaN",
        "123456789012345678901234567890.123456789",
    ];
    prop_oneof![
        select(odd).prop_map(str::to_owned),
        any::<i64>().prop_map(|n| format!("{n}.{n:03}").replace(".-", "."))
    ]
}

fn float() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec!["-0", "NaN", "Infinity", "-Infinity", "5e-324", "1e308"]).prop_map(str::to_owned),
        (any::<i32>(), -300_i32..300).prop_map(|(m, e)| format!("{m}e{}", e.clamp(-290, 290)))
    ]
}

fn document() -> impl Strategy<Value = Value> {
    // A JSON null is read as SQL's.
    prop_oneof![
        text().prop_map(Value::String),
        any::<i64>().prop_map(Value::from),
        (text(), option::of(text())).prop_map(|(k, v)| json!({ k: [v, { "deep": null }] })),
    ]
}

fn instant() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec!["infinity", "-infinity", "0044-03-15 12:00:00+00 BC", "2026-03-29 02:30:00.000001+02"])
            .prop_map(str::to_owned),
        (1900_u16..2100, 1_u8..13, 1_u8..29, any::<u32>())
            .prop_map(|(y, m, d, us)| format!("{y}-{m:02}-{d:02} 23:59:59.{:06}Z", us % 1_000_000))
    ]
}

/// A row's columns but its key, as JSON that the server reads by the columns' types.
fn values() -> impl Strategy<Value = Value> {
    let bytes = vec(any::<u8>(), 0..6)
        .prop_map(|b| b.iter().fold("\\x".to_owned(), |text, byte| format!("{text}{byte:02x}")));
    let columns = (
        option::of(numeric()),
        option::of(any::<i64>()),
        option::of(float()),
        option::of(text()),
        option::of(document()),
        option::of(bytes),
        option::of(instant()),
        option::of(vec(option::of(text()), 0..3)),
    );
    columns.prop_map(
        |(n, i, f, x, j, b, d, a)| json!({ "n": n, "i": i, "f": f, "x": x, "j": j, "b": b, "d": d, "a": a }),
    )
}

/// By key: what a row holds, and what it is to become; those without the latter are none of the plan's.
type Rows = BTreeMap<String, (Value, Option<Value>)>;

fn rows() -> impl Strategy<Value = Rows> {
    let wanted = prop_oneof![1 => Just(None), 4 => values().prop_map(Some)];
    btree_map(text(), (values(), wanted), 1..7)
        .prop_filter("a plan has rows", |rows: &Rows| rows.values().any(|(_, wanted)| wanted.is_some()))
}

struct Tables {
    owner: Owner,
    engine: Engine,
}

impl Tables {
    async fn fill(&mut self, rows: &Rows) {
        let keyed = |key: &String, row: &Value| {
            let mut row = row.clone();
            row["k"] = json!(key);
            row
        };
        let held: Vec<Value> = rows.iter().map(|(k, (held, _))| keyed(k, held)).collect();
        let wanted: Vec<Value> =
            rows.iter().filter_map(|(k, (_, wanted))| Some(keyed(k, wanted.as_ref()?))).collect();
        self.owner.execute_script("truncate t, w, beside").await.unwrap();
        for (table, rows) in [("t", held), ("w", wanted)] {
            let sql = format!(
                "with i as (insert into {table} select * from jsonb_populate_recordset(null::{table}, $1::jsonb) returning 1) \
                 select count(*)::text from i"
            );
            let count =
                self.owner.fetch_value(&sql, &[&Value::Array(rows.clone()).to_string()]).await.unwrap();
            assert_eq!(count, Some(rows.len().to_string()));
        }
    }

    /// Every value of a table in the server's text.
    async fn text_of(&mut self, query: &str) -> String {
        let sql = format!(
            "select coalesce(string_agg(r::text, e'\\n' order by r.k collate \"C\"), '') from ({query}) r"
        );
        self.owner.fetch_value(&sql, &[]).await.unwrap().unwrap()
    }

    async fn both(&mut self) -> (String, String) {
        (self.text_of("select * from t").await, self.text_of("select * from beside").await)
    }

    /// Plans and does it: the run's number, and the rows that were planned.
    async fn done(&mut self, request: &Request) -> (String, u64) {
        let planned = self.engine.plan(request, &|_| ()).await.unwrap();
        let plan = planned.plan.clone();
        let gate = self.engine.review(planned, true).await.unwrap();
        let at = self.engine.server_time().await.unwrap();
        let typed = TypedPhrase { phrase: &plan.phrase, database: None, at };
        let approved = gate.confirm(&typed).map_err(|d| d.why).unwrap();
        let done = self.engine.run(approved, &Control::default(), &|_| ()).await;
        assert_eq!((done.outcome, done.failure), (Outcome::Applied, None));
        // Who comes at once is not refused: the lock does not wait for the server to see the end of its session.
        let held = "select l.pid::text as k from pg_locks l where l.locktype = 'advisory' \
            and l.database = (select oid from pg_database where datname = current_database())";
        assert_eq!(self.text_of(held).await, "", "the target's lock");
        (done.run.unwrap(), plan.rows)
    }

    async fn round_trip(&mut self, rows: &Rows, beside: bool) {
        self.fill(rows).await;
        let before = self.both().await;
        let as_wanted =
            "select w.* from w union all select t.* from t where not exists (select from w where w.k = t.k)";
        let after = if beside {
            (before.0.clone(), self.text_of("select * from w").await)
        } else {
            (self.text_of(as_wanted).await, String::new())
        };
        let mut params = Params::default();
        params.0.insert("strategy".into(), if beside { "rows_beside" } else { "in_place" }.into());
        let change = Request::Operation { verb: "backfill".into(), name: Some("b".into()), params };
        let (run, planned) = self.done(&change).await;
        assert_eq!(planned, rows.values().filter(|(_, wanted)| wanted.is_some()).count() as u64);
        assert_eq!(self.both().await, after, "as planned");
        let (undo, _) = self.done(&Request::Undo { run }).await;
        assert_eq!(self.both().await, before, "as before");
        let (_, _) = self.done(&Request::Undo { run: undo }).await;
        assert_eq!(self.both().await, after, "as planned, again");
    }
}

/// What draws the rows is not asynchronous: it has a thread of its own.
async fn a_change_and_its_inverse_give_the_rows_of_before(side: &Side) {
    let (side, runtime) = (side.clone(), tokio::runtime::Handle::current());
    tokio::task::spawn_blocking(move || draw(&side, &runtime)).await.unwrap();
}

fn draw(side: &Side, runtime: &tokio::runtime::Handle) {
    let tables = runtime.block_on(async {
        let mut owner = side.owner().await;
        owner.execute_script(TABLES).await.unwrap();
        let mut made = Tables { owner, engine: side.engine_with(PROFILE).await };
        made.done(&Request::Operation { verb: "init".into(), name: None, params: Params::default() }).await;
        Tables { owner: side.owner().await, engine: side.engine_with(PROFILE).await }
    });
    let tables = std::cell::RefCell::new(tables);
    let config = Config { cases: SETS, max_shrink_iters: 40, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&(rows(), any::<bool>()), |(rows, beside)| {
            runtime.block_on(tables.borrow_mut().round_trip(&rows, beside));
            Ok(())
        })
        .unwrap();
}

/// Changes a definition, and leaves a question to the planner.
struct Defines;

impl Operation for Defines {
    fn spec(&self) -> &'static OpSpec {
        &DEFINES
    }
    fn offers(&self, _: &Profile, _: &dyn Dialect) -> Vec<Offer> {
        vec![defined()]
    }
    fn declared_write<'p>(&self, profile: &'p Profile, _: &str, _: &Params) -> Option<&'p Write> {
        profile.backfills.first().map(|b| &b.write)
    }
    fn plan<'a>(&'a self, _: &'a PlanCx<'a>, _: &'a str, _: &'a Params) -> Fut<'a, Result<Draft>> {
        let step = Step::new("define", "define", vec!["create table public.t (id int)".into()]);
        let step = Step { back: vec!["drop table public.t".into()], ..step };
        let draft = Draft { steps: vec![step], count: 1, reversible: Reversible::Full, ..Draft::default() };
        Box::pin(async move { Ok(draft) })
    }
}

async fn what_is_asked_before_a_change_is_asked_before_its_undo(side: &Side) {
    let with_defines = async || {
        let profile = "name = \"p\"\n[[migrations]]\nname = \"none\"\nhistory = \"none\"\n\
            [[backfills]]\nname = \"t\"\n[backfills.write]\ntable = \"t\"\nkey = [\"id\"]\n\
            filter = \"true\"\nset = { v = \"1\" }\nverdicts = [\"migrations/applied\"]\n";
        let mut parts = side.engine_with(profile).await.into_parts();
        let operations: Vec<&dyn Operation> =
            parts.operations.iter().copied().chain([&Defines as _]).collect();
        parts.operations = operations.leak();
        Tables { owner: side.owner().await, engine: Engine::new(parts) }
    };
    let request =
        |verb: &str| Request::Operation { verb: verb.into(), name: None, params: Params::default() };
    with_defines().await.done(&request("init")).await;
    let mut tables = with_defines().await;
    let told = |planned: &Planned| -> Vec<(Ready, String)> {
        let pending = planned.plan.preflight.iter().filter(|p| p.id == "pending");
        pending.map(|p| (p.status, p.message.clone())).collect()
    };
    let expected = [(Ready::Ok, "none: 0 files pending".to_owned())];
    assert_eq!(told(&tables.engine.plan(&request("define"), &|_| ()).await.unwrap()), expected);
    let (run, _) = tables.done(&request("define")).await;
    let undo = tables.engine.plan(&Request::Undo { run }, &|_| ()).await.unwrap();
    assert_eq!(told(&undo), expected);
}
