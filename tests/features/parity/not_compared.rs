//! Parity where rows were not compared, sums are not plain numbers, and what keeps the twin in step does so in part.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use midwatch::engine::check::kind::SILENT;
use midwatch::engine::model::param::Params;
use midwatch::engine::model::report::{Report, Severity};
use midwatch::engine::port::reader::ReadTx;
use midwatch::engine::{Engine, EngineParts};
use midwatch::features::parity::options::QUICK;
use serde_json::{Value, json};

use crate::common::wrapped_reader::{ReaderAround, Sending, TxAround};
use crate::common::{Database, engine};

const PLAIN: &str = "name = \"p\"\n[[twins]]\nname = \"pair\"\nlegacy = \"t\"\npartitioned = \"p\"\nkey = [\"id\"]\nsums = [\"v\"]\n";

async fn look(database: &Database, quick: bool) -> Report {
    let engine = engine(&database.url(), PLAIN).await;
    let params = if quick { Params::yes(&QUICK) } else { Params::default() };
    engine.observe_with(&engine.ids()[0], &params, SILENT).await
}

async fn pair(sql: &str) -> Database {
    let database = Database::empty().await;
    database.owner().await.execute_script(sql).await.unwrap();
    database
}

/// What is said of the rows and sums; these twins have no triggers, which is said as well.
fn found(report: &Report) -> Vec<&str> {
    report
        .findings
        .iter()
        .map(midwatch::engine::model::report::Finding::what)
        .filter(|w| !w.starts_with("unmirrored"))
        .collect()
}

const TWIN: &str = "
    create table t (id int primary key, v int); create table p (id int, v int) partition by range (id);
    create table p1 partition of p for values from (0) to (10); create table p2 partition of p for values from (10) to (20);
    insert into t select i, i from generate_series(1, 19) i; insert into p select * from t;
    create function mirror() returns trigger language plpgsql as $$ begin insert into p values (new.*); return null; end $$;
    create trigger mirror after insert or update or delete on t for each row execute function mirror();";

#[tokio::test]
async fn what_was_not_compared_is_not_equal() {
    let database = pair(TWIN).await;
    assert_eq!(look(&database, false).await.status.word(), "ok");
    let quick = look(&database, true).await;
    assert_eq!((quick.status.word(), found(&quick)), ("warn", vec!["not_compared"]), "{quick:?}");
    assert_eq!(quick.summary, "counts and sums agree; rows were not compared (--quick)");
    for fact in ["missing_in_partitioned", "missing_in_legacy", "different", "stale", "duplicate"] {
        assert_eq!(quick.facts[fact], Value::Null, "{fact}");
    }
    assert_eq!(quick.facts["partitions"][0]["status"], "counts equal");

    database.owner().await.execute_script("delete from p where id = 12").await.unwrap();
    let quick = look(&database, true).await;
    assert_eq!(found(&quick), ["counts", "not_compared", "sums/v"], "{quick:?}");
    assert_eq!((quick.status.word(), &quick.facts["partitions"][1]["status"]), ("fail", &json!("differs")));
    assert!(quick.findings[0].message.contains("in p2"), "{:?}", quick.findings[0]);
    assert!(quick.summary.ends_with("; rows were not compared (--quick)"), "{}", quick.summary);
    assert_eq!(quick.findings[0].severity, Severity::Critical);
}

#[tokio::test]
async fn sums_are_exact_whatever_the_column_holds() {
    // The same floats in another order, added as floats, give another sum.
    let sql = "
        create table t (id int primary key, v float8); create table p (id int, v float8) partition by hash (id);
        create table p0 partition of p for values with (modulus 3, remainder 0);
        create table p1 partition of p for values with (modulus 3, remainder 1);
        create table p2 partition of p for values with (modulus 3, remainder 2);
        insert into t select i, case when i % 2 = 0 then 1e15 else 0.1 end / i from generate_series(1, 300) i;
        insert into p select * from t order by id desc;";
    let database = pair(sql).await;
    let report = look(&database, false).await;
    assert_eq!(found(&report), Vec::<&str>::new(), "{report:?}");
    for odd in ["'NaN'", "'Infinity'", "1e200", "'-Infinity'"] {
        let sql = format!("update t set v = {odd} where id = 7; update p set v = {odd} where id = 7");
        database.owner().await.execute_script(&sql).await.unwrap();
        let report = look(&database, false).await;
        assert_eq!((report.status.why(), found(&report)), (None, vec![]), "{odd} {report:?}");
        let sums = &report.facts["sums"]["v"];
        assert!(sums["legacy"].is_string() && sums["legacy"] == sums["partitioned"], "{sums}");
    }
    let text = "alter table t alter v type text; alter table p alter v type text";
    database.owner().await.execute_script(text).await.unwrap();
    let report = look(&database, false).await;
    assert_eq!((report.status.why(), found(&report)), (None, vec!["not_summed/v"]), "{report:?}");
}

#[tokio::test]
async fn every_sequence_of_the_twin_is_looked_at() {
    let sql = "
        create sequence s1; create sequence s2; create sequence s3;
        create table t (n int, id int primary key, v int, m numeric);
        create table p (n int default nextval('s2'), id int default nextval('s1'), v int, m numeric default nextval('s3') + 1)
          partition by range (id);
        create table p1 partition of p for values from (0) to (10); create table p2 partition of p for values from (10) to (20);
        insert into t select i * 10, i, i, i * 100 from generate_series(1, 19) i; insert into p select * from t;
        select setval('s1', 19), setval('s2', 189);";
    let database = pair(sql).await;
    let report = look(&database, false).await;
    assert_eq!(found(&report), ["sequence/n", "sequence/m"], "{report:?}");
    assert_eq!(report.facts["sequence"]["name"], "s1");
    let of = |i: usize, fact: &str| report.facts["sequences"][i][fact].clone();
    assert_eq!([of(0, "max"), of(1, "max"), of(2, "max")], [json!(19), json!(190), json!(1900)]);
    assert_eq!((of(1, "column"), of(1, "last"), of(2, "last")), (json!("n"), json!(189), Value::Null));
}

/// What the twin is told of, by trigger and event.
async fn mirrored(database: &Database, triggers: &str) -> (Vec<String>, Report) {
    let reset =
        "drop trigger if exists a on t; drop trigger if exists b on t; drop trigger if exists mirror on t;";
    database.owner().await.execute_script(&format!("{reset}{triggers}")).await.unwrap();
    let report = look(database, false).await;
    (report.findings.iter().map(|f| f.what().to_owned()).collect(), report)
}

#[tokio::test]
async fn a_trigger_that_fires_in_part_does_not_mirror() {
    let database = pair(TWIN).await;
    let (found, report) = mirrored(
        &database,
        "create trigger a after insert or update of v on t for each row execute function mirror();
         create trigger b after delete on t for each row when (old.v > 3) execute function mirror();",
    )
    .await;
    assert_eq!(found, ["trigger/a", "trigger/b", "unmirrored/UPDATE", "unmirrored/DELETE"], "{report:?}");
    assert_eq!(report.findings[0].message, "trigger a fires only for updates of v");
    assert_eq!(report.findings[1].message, "trigger b fires only when (old.v > 3)");
    assert_eq!(report.findings[0].severity, Severity::Warning);
    assert_eq!(report.facts["triggers"][0]["state"], "conditional");
    // All columns are no restriction, and what changes nothing need not be mirrored.
    let (found, report) = mirrored(
        &database,
        "create trigger a after insert or delete or update of id, v on t for each row execute function mirror();
         create trigger b after update on t for each row when (old.* is distinct from new.*) execute function mirror();",
    )
    .await;
    assert_eq!((found, report.status.word()), (vec![], "ok"), "{report:?}");
}

#[tokio::test]
async fn a_trigger_that_writes_what_the_twin_lacks_is_found() {
    let database = pair(TWIN).await;
    let function = "create or replace function mirror() returns trigger language plpgsql as $$ begin
        if tg_op = 'DELETE' then delete from p where id = old.id; return null; end if;
        insert into public.p (id, v, note) values (new.id, new.v, new.note) on conflict (id, month) do update set v = excluded.v;
        return null; end $$;
        create trigger mirror after insert or update or delete on t for each row execute function mirror();";
    let (found, report) = mirrored(&database, function).await;
    assert_eq!(found, ["trigger_columns/mirror"], "{report:?}");
    assert!(report.findings[0].message.contains("(note, month)"), "{report:?}");
    assert_eq!(report.status.word(), "fail");
}

/// The partitioned table has the legacy one's name; what keeps the retired table in step hangs on it.
#[tokio::test]
async fn after_a_switchover_the_reverse_triggers_are_looked_at() {
    let tables = TWIN.split("create function mirror").next().unwrap();
    let sql = format!(
        "{tables} alter table t rename to t_legacy; alter table p rename to t;
         create function back() returns trigger language plpgsql as $$ begin
           if tg_op <> 'INSERT' then delete from t_legacy where id = old.id; end if;
           if tg_op <> 'DELETE' then insert into t_legacy (id, v) values (new.id, new.v); end if; return null; end $$;"
    );
    let database = pair(&sql).await;
    let all = |report: &Report| report.findings.iter().map(|f| f.what().to_owned()).collect::<Vec<_>>();
    let report = look(&database, false).await;
    assert_eq!(report.facts["standing"], "switched", "{report:?}");
    assert_eq!(all(&report), ["unmirrored/INSERT", "unmirrored/UPDATE", "unmirrored/DELETE"]);
    let reverse =
        "create trigger back after insert or update or delete on t for each row execute function back()";
    database.owner().await.execute_script(reverse).await.unwrap();
    let report = look(&database, false).await;
    assert_eq!((all(&report), report.status.word()), (vec![], "ok"), "{report:?}");
    assert_eq!(report.facts["triggers"][0]["name"], "back");
    database
        .owner()
        .await
        .execute_script(
            "update t set v = 30 where id = 3; insert into t values (0, 1); delete from t where id = 5",
        )
        .await
        .unwrap();
    assert_eq!(look(&database, false).await.facts["different"], 0);
}

#[tokio::test]
async fn a_column_of_one_side_is_a_finding() {
    let database = pair(TWIN).await;
    let mut owner = database.owner().await;
    let found = |report: &Report| {
        let columns = report.findings.iter().filter(|f| f.what().starts_with("columns_"));
        columns.map(|f| (f.what().to_owned(), f.severity, f.message.clone())).collect::<Vec<_>>()
    };
    assert_eq!(found(&look(&database, false).await), []);
    owner.execute_script("alter table t add a text, add b int").await.unwrap();
    let report = look(&database, false).await;
    let missing =
        ("columns_missing".to_owned(), Severity::Critical, "the twin lacks columns: a, b".to_owned());
    assert_eq!((report.status.word(), found(&report)), ("fail", vec![missing.clone()]), "{report:?}");
    owner.execute_script("alter table p add c text").await.unwrap();
    let extra =
        ("columns_extra".to_owned(), Severity::Warning, "the twin has columns of its own: c".to_owned());
    assert_eq!(found(&look(&database, false).await), [missing, extra]);
}

#[tokio::test]
async fn a_key_that_one_side_lacks_names_no_row() {
    let tables = "create table t (id int primary key, v int); insert into t values (1, 1);
        create table p (number int, v int) partition by range (v); create table p1 partition of p default;";
    let database = pair(tables).await;
    let report = look(&database, false).await;
    let said: Vec<_> = report.findings.iter().map(|f| (f.what(), f.message.as_str())).collect();
    assert!(said.contains(&("columns_missing", "the twin lacks columns: id")), "{said:?}");
    assert!(said.iter().any(|(what, _)| *what == "no_key"), "{said:?}");
    assert_eq!((report.status.word(), report.facts["different"].clone()), ("fail", Value::Null));
}

/// A comparison whose session the server ends, so many times, as soon as it asks which times have a partition.
async fn cut_off(database: &Database, times: usize) -> Report {
    let both = PLAIN.replace("[\"id\"]", "[\"id\", \"at\"]");
    let parts = engine(&database.url(), &both).await.into_parts();
    let (name, left) = (database.name.clone(), Arc::new(AtomicUsize::new(times)));
    let around = ReaderAround::new(
        parts.facts,
        Box::new(move |facts, options| {
            let (name, left) = (name.clone(), Arc::clone(&left));
            Box::pin(async move {
                let inside = facts.begin(options).await?;
                let before = move |sending: Sending<'_>| {
                    let asked = matches!(sending, Sending::Ours(sql) if sql.text().contains("now_month"));
                    let cut = |n: usize| n.checked_sub(1);
                    if !asked || left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, cut).is_err() {
                        return;
                    }
                    let end = "select pg_terminate_backend(pid, 5000) from pg_stat_activity \
                               where datname = current_database() and application_name like 'midwatch/reader%'";
                    let ended = async {
                        let mut owner = crate::common::shared_server().owner(&name).await.unwrap();
                        owner.execute_script(end).await.unwrap();
                    };
                    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(ended));
                };
                Ok(Box::new(TxAround { inside, before }) as Box<dyn ReadTx>)
            })
        }),
    );
    let engine = Engine::new(EngineParts { facts: Arc::new(around), ..parts });
    engine.observe(&engine.ids()[0]).await
}

/// At 03c73d6 rows that had been found and named were given up then. The session idles while they are named, which a server
/// ends after a minute: another one says it too.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_differ_are_told_whether_or_not_partitions_can_be_looked_at() {
    let sql = "create table t (id int, at date, v int, primary key (id, at));
               create table p (id int, at date, v int, primary key (id, at)) partition by range (at);
               create table p1 partition of p for values from ('2020-01-01') to ('2020-02-01');
               insert into t values (1, '2020-01-02', 1); insert into p values (1, '2020-01-02', 2);";
    let database = pair(sql).await;
    for times in 0..3 {
        let report = cut_off(&database, times).await;
        assert_eq!(
            (report.status.word(), &report.facts["different"]),
            ("fail", &json!(1)),
            "{times}: {report:?}"
        );
        let told = report.unobserved().is_some_and(|why| why.starts_with("which partitions are missing: "));
        assert_eq!(told, times == 2, "{times}: {report:?}");
        let uncovered = found(&report).contains(&"coverage");
        assert_eq!(uncovered, times < 2, "{times}: {report:?}");
    }
}
