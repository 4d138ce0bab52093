//! Rows on real servers of both versions: names and texts that try to leave their quotes, pages both ways over NULLs and
//! composite keys, changes and their inverses.

use std::path::Path;

use midwatch::engine::Engine;
use midwatch::engine::check::paging::{At, PageRequest, Row, RowSource, Sort};
use midwatch::engine::model::name::{Ident, Relation, literal};
use midwatch::engine::model::query::ProfileSql;
use midwatch::engine::port::reader::ReadOptions;
use midwatch::sandbox::{Options, Server};
use serde_json::Value;

use crate::common::{self, binaries_18, midwatch, run};

/// Names and texts that are trouble somewhere.
const ODD: [&str; 12] = [
    "plain",
    "UPPER",
    "sp ace",
    "do.t",
    "\"",
    "a\"b\"\"c",
    "'",
    "o'b''c",
    "\\",
    "a\\'b\\",
    "$1 ? `x`",
    "ünï — 漢字",
];

const TABLE: &str = "create schema \"Odd.Schema\";
create table \"Odd.Schema\".\"Th\"\"ings\" (\"A b\" text, b int, n int, \"the \"\"te'xt\" text, primary key (\"A b\", b));
insert into \"Odd.Schema\".\"Th\"\"ings\" select chr(97 + i % 3) || '\\''', i, nullif(i % 7, 3), case when i % 4 > 0 then 'v' || i end
from generate_series(1, 60) i";

const PROFILE: &str = r#"
name = "p"
[[backfills]]
name = "texts"
table = '"Odd.Schema"."Th""ings"'
key = ["A b", "b"]
filter = "t.n is null or t.n > 4"
set = { "the \"te'xt" = "coalesce(t.n::text, 'none')", n = "t.b" }
"#;

async fn both(what: impl AsyncFn(&Server, &str)) {
    for (version, binaries) in [("15.", None), ("18.", Some(binaries_18()))] {
        let server = Server::start(Options { memory: true, binaries, ..Options::default() }).await.unwrap();
        server.create_database("t", None).await.unwrap();
        what(&server, version).await;
        server.stop().await.unwrap();
    }
}

async fn engine(server: &Server, version: &str) -> Engine {
    let engine = common::engine(&server.url("t"), PROFILE).await;
    assert!(engine.server().version.starts_with(version), "{}", engine.server().version);
    engine
}

#[tokio::test]
async fn names_and_texts_come_back_as_they_were() {
    both(async |server, version| {
        let engine = engine(server, version).await;
        let dialect = engine.facts().dialect();
        let mut tx = engine.facts().begin(ReadOptions::default()).await.unwrap();
        for odd in ODD {
            let (text, name) = (literal(odd), Ident(odd));
            let sql = ProfileSql::new(format!("select {name} from (select {text}::text as {name}) q"));
            assert_eq!(tx.describe(&sql).await.unwrap()[0].name, odd, "{version}");
            assert_eq!(tx.texts(&sql).await.unwrap(), [Some(odd.to_owned())], "{version}");
            for schema in [None, Some("s".to_owned()), Some(odd.to_owned())] {
                let relation = Relation { schema, name: odd.to_owned() };
                assert_eq!(dialect.parse(&dialect.relation(&relation)), relation, "{version}");
            }
        }
        drop(tx);
        let mut owner = server.owner("t").await.unwrap();
        owner.execute_script(TABLE).await.unwrap();
        let mut tx = engine.facts().begin(ReadOptions::default()).await.unwrap();
        let names = [
            dialect.parse("\"Odd.Schema\".\"Th\"\"ings\""),
            dialect.parse("nowhere"),
            dialect.parse("things"),
        ];
        let tables = dialect.tables(&mut *tx, &names).await.unwrap();
        assert_eq!(
            tables.iter().map(|t| &t.name).collect::<Vec<_>>(),
            [&names[0]],
            "resolved with its schema, the others are not there"
        );
        assert_eq!(tables[0].unique_keys, [["A b", "b"]]);
    })
    .await;
}

async fn walk(engine: &Engine, request: &PageRequest, backwards: bool) -> Vec<Row> {
    let mut rows: Vec<Row> = vec![];
    let mut request = PageRequest { at: if backwards { At::Last } else { At::First }, ..request.clone() };
    loop {
        let page = engine.page(&request).await.unwrap();
        let end = page.end;
        if backwards {
            rows.splice(0..0, page.rows);
            request.at = At::Before(rows[0].position.clone());
        } else {
            rows.extend(page.rows);
            request.at = At::After(rows[rows.len() - 1].position.clone());
        }
        if end {
            return rows;
        }
        assert!(rows.len() <= 60, "goes round");
    }
}

#[tokio::test]
async fn pages_both_ways_are_all_rows_once_in_order() {
    both(async |server, version| {
        server.owner("t").await.unwrap().execute_script(TABLE).await.unwrap();
        let engine = engine(server, version).await;
        let source = RowSource {
            id: "x".into(),
            title: "x".into(),
            sql: "select * from \"Odd.Schema\".\"Th\"\"ings\"".into(),
            params: vec![],
            key: vec!["A b".into(), "b".into()],
            labels: [].into(),
            context: None,
        };
        let sorts = [("n", false), ("n", true), ("the \"te'xt", true), ("b", true)];
        let sorts = sorts.map(|(c, descending)| Some(Sort { column: c.into(), descending }));
        for sort in sorts.into_iter().chain([None]) {
            let request = PageRequest { sort: sort.clone(), ..PageRequest::first(source.clone(), 7) };
            let (forward, backward) =
                (walk(&engine, &request, false).await, walk(&engine, &request, true).await);
            assert_eq!(forward, backward, "{version} {sort:?}");
            let mut keys: Vec<_> = forward.iter().map(|r| r.cells[1].clone()).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), 60, "{version} {sort:?}");
            let nulls = |rows: &[Row]| rows.iter().map(|r| r.position[0].is_none()).collect::<Vec<_>>();
            assert!(nulls(&forward).is_sorted(), "NULLs are last: {version} {sort:?}");
        }
    })
    .await;
}

fn json(home: &Path, args: &[&str]) -> Value {
    let run = run(midwatch(home).env("USER", "dana").args(args).arg("--json"));
    assert_eq!(run.code, 0, "{run:?}");
    run.json()
}

fn applied(home: &Path, args: &[&str]) -> (Value, Value) {
    let plan = json(home, &[args, &["--out", "p.json"]].concat())["plan"].clone();
    let run = json(home, &["apply", "p.json", "--confirm", plan["phrase"].as_str().unwrap()])["run"].clone();
    assert_eq!(
        (run["outcome"].as_str(), run["verified"].as_bool()),
        (Some("applied"), Some(true)),
        "{run:#}"
    );
    (plan, run)
}

#[tokio::test]
async fn a_change_and_its_inverse_leave_everything_as_it_was() {
    both(async |server, version| {
        let mut owner = server.owner("t").await.unwrap();
        owner.execute_script(TABLE).await.unwrap();
        let home = tempfile::tempdir().unwrap();
        let config = format!(
            "[targets.main]\nurl = \"{}\"\nprofile = \"p.toml\"\nenvironment = \"demo\"\n",
            server.url("t")
        );
        std::fs::write(home.path().join("midwatch.toml"), config).unwrap();
        std::fs::write(home.path().join("p.toml"), PROFILE).unwrap();
        let content =
            "select md5(string_agg(t::text, e'\\n' order by t::text)) from \"Odd.Schema\".\"Th\"\"ings\" t";
        applied(home.path(), &["plan", "init"]);
        let before = owner.fetch_value(content, &[]).await.unwrap();
        let (plan, done) = applied(home.path(), &["plan", "backfill", "texts"]);
        assert!(plan["rows"].as_u64().unwrap() > 10, "{version}");
        assert_ne!(owner.fetch_value(content, &[]).await.unwrap(), before, "{version}");
        applied(home.path(), &["undo", done["id"].as_str().unwrap()]);
        assert_eq!(owner.fetch_value(content, &[]).await.unwrap(), before, "{version}");
    })
    .await;
}
