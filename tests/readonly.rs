//! The write-proof: whatever is looked at, and whatever a profile asks for, nothing changes.

#![cfg(test)]

mod common;

use common::{Database, all_rows, demo_database, engine, on, open};
use midwatch::dialect::postgres::owner::Owner;
use midwatch::engine::Engine;
use midwatch::engine::check::kind::SILENT;
use midwatch::engine::check::paging::{At, Filter, PageRequest, Sort};
use midwatch::engine::model::param::Params;
use midwatch::engine::model::report::CheckId;
use midwatch::features::parity::options::QUICK;
use midwatch::sandbox::demo::{System, load_system};
use midwatch::sandbox::{Options, Server};

/// Every row of every table, every sequence, every object's catalog entry.
const STATE: &str = "
select md5(string_agg(part, '|' order by part)) from (
  select c.oid::regclass || (xpath('//h/text()', query_to_xml(format(
    'select count(*) || coalesce(sum(hashtextextended(t::text, 0)), 0)::text as h from (select * from %s) t', c.oid::regclass), true, true, '')))[1]::text as part
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'S') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_'
  union all select 'objects ' || count(*) from pg_class union all select 'functions ' || count(*) from pg_proc
  union all select 'large objects ' || count(*) from pg_largeobject_metadata
  union all select 'settings ' || count(*) from pg_db_role_setting) s";

/// The next transaction id: had anything written, even in vain, it would have moved.
const NEXT_XID: &str = "select pg_snapshot_xmax(pg_current_snapshot())::text";

async fn value(owner: &mut Owner, sql: &str) -> String {
    owner.fetch_value(sql, &[]).await.unwrap().unwrap()
}

/// Runs everything that an engine offers.
async fn everything(engine: &Engine) {
    for id in engine.ids() {
        for params in [Params::yes(&QUICK), Params::default()] {
            let report = engine.observe_with(&id, &params, SILENT).await;
            assert!(!report.facts.as_object().unwrap().is_empty(), "{id}: {:?}", report.status);
            for finding in &report.findings {
                let Some(source) = engine.rows(&id, finding.what()) else { continue };
                let rows = all_rows(engine, source.clone()).await;
                let filter = Some(Filter { text: "a".into(), inverse: true });
                let sort = source.key.first().map(|k| Sort { column: k.clone(), descending: true });
                let last =
                    PageRequest { source, filter, sort, at: At::Last, limit: 5, count: true, whole: false };
                let page = engine.page(&last).await.unwrap();
                if let (Some((_, sql)), Some(row)) = (&last.source.context, rows.first()) {
                    engine.context(sql, &page.columns, &row.cells).await.unwrap();
                }
            }
        }
    }
    engine.facts().server().await.unwrap();
    engine.facts().vitals().await.unwrap();
    engine.facts().cancel_all().await;
}

#[tokio::test]
async fn a_role_with_select_only_sees_everything_and_changes_nothing() {
    let settings = vec![("autovacuum".to_owned(), "off".to_owned())];
    let server = Server::start(Options { memory: true, settings, ..Options::default() }).await.unwrap();
    let mut owner = server.owner("postgres").await.unwrap();
    owner.execute_script("create role onlooker login").await.unwrap();
    for system in ["hithonix", "hospitality"] {
        server.create_database(system, None).await.unwrap();
        load_system(&server, system, System::named(system).unwrap(), 1_000).await.unwrap();
        let mut there = server.owner(system).await.unwrap();
        let grants = "grant select on all tables in schema public to onlooker; grant select on all sequences in schema public to onlooker;
                      do $$ begin if to_regnamespace('repairs') is not null then
                        grant usage on schema repairs to onlooker; grant select on all tables in schema repairs to onlooker; end if; end $$";
        there.execute_script(grants).await.unwrap();
        let before = (value(&mut there, STATE).await, value(&mut owner, NEXT_XID).await);

        let url = server.url(system).replacen(server.user(), "onlooker", 1);
        let engine = open(&url, None, std::path::Path::new(".")).await.unwrap();
        assert_eq!((engine.server().role.as_str(), engine.profile().name.as_str()), ("onlooker", system));
        everything(&engine).await;
        let run = on(&url, &["check", "--profile", system, "--json"]);
        assert_eq!(run.json()["target"]["database"], system, "{run:?}");
        assert!(on(&url, &["doctor", "--json"]).json()["doctor"].is_array());

        let after = (value(&mut there, STATE).await, value(&mut owner, NEXT_XID).await);
        assert_eq!(before, after, "{system}");
    }
    server.stop().await.unwrap();
}

/// As the owner, who would be allowed to.
async fn tempted() -> (Database, Owner) {
    let database = Database::empty().await;
    let mut owner = database.owner().await;
    owner
        .execute_script(
            "create table t (id int primary key); insert into t values (1), (2); create sequence s;
             create function writes() returns int language plpgsql volatile as $$ begin delete from t; return 1; end $$;
             create function hidden() returns int language plpgsql stable as $$ begin perform writes(); return 1; end $$;
             create function makes() returns int language sql as 'select lo_create(0)::int'",
        )
        .await
        .unwrap();
    (database, owner)
}

#[tokio::test]
async fn a_rule_cannot_write() {
    let (database, mut owner) = tempted().await;
    let before = value(&mut owner, STATE).await;
    for (sql, code) in [
        ("select writes() as id", "25006"),
        ("select hidden() as id", "25006"),
        ("select nextval('s') as id", "calls nextval"),
        ("select setval('s', 9) as id", "calls setval"),
        ("select id from t for update", "25006"),
        ("with d as (delete from t returning id) select id from d", ""),
        ("select 1 as id) q; delete from t; select * from (select 1 as id", "42601"),
        ("select 1 as id) q; commit; delete from t; select * from (select 1 as id", "42601"),
        ("select set_config('transaction_read_only', 'off', true)::int as id", ""),
        (
            "select case when set_config('transaction_read_only', 'off', false) = 'off' then writes() end as id",
            "",
        ),
        (
            "select case when set_config('session_authorization', 'midwatch', false) > '' then writes() end as id",
            "",
        ),
    ] {
        let profile = format!(
            "name = \"p\"\n[[anomalies]]\nname = \"r\"\ntitle = \"r\"\nkey = [\"id\"]\nsql = '''{sql}'''\n"
        );
        let engine = engine(&database.url(), &profile).await;
        let id = CheckId { kind: "anomalies", name: "r".into() };
        let report = engine.observe(&id).await;
        let why = report.status.why().unwrap_or_else(|| panic!("{sql}: {report:?}")).to_owned();
        assert!(why.contains(code), "{sql}: {why}");
        let source = engine.rows(&id, "rows").unwrap();
        let request = PageRequest {
            source,
            filter: None,
            sort: None,
            at: At::First,
            limit: 5,
            count: true,
            whole: false,
        };
        engine.page(&request).await.unwrap_err();
        engine.context(sql, &[], &[]).await.unwrap_err();
        // The session that was tempted is used again.
        assert_eq!(value(&mut owner, STATE).await, before, "{sql}");
    }
}

/// A setting that a rule leaves behind in its session must not open the next transaction.
#[tokio::test]
async fn a_rule_cannot_prepare_a_write() {
    let (database, mut owner) = tempted().await;
    let before = value(&mut owner, STATE).await;
    let rule = |name: &str, sql: &str| {
        format!("[[anomalies]]\nname = \"{name}\"\ntitle = \"{name}\"\nkey = [\"id\"]\nsql = '''{sql}'''\n")
    };
    let sql = "select length(set_config('default_transaction_read_only', 'off', false)) as id";
    let profile = format!("name = \"p\"\n{}{}", rule("loosen", sql), rule("write", "select writes() as id"));
    let engine = engine(&database.url(), &profile).await;
    for _ in 0..4 {
        engine.observe(&CheckId { kind: "anomalies", name: "loosen".into() }).await;
        let report = engine.observe(&CheckId { kind: "anomalies", name: "write".into() }).await;
        assert!(report.status.why().is_some_and(|w| w.contains("25006")), "{report:?}");
    }
    assert_eq!(value(&mut owner, STATE).await, before);
}

/// Before version 16 a read-only transaction may make large objects: ours always ends in a rollback.
#[tokio::test]
async fn what_the_server_lets_through_is_rolled_back() {
    let (database, mut owner) = tempted().await;
    let before = value(&mut owner, STATE).await;
    let profile = "name = \"p\"\n[[anomalies]]\nname = \"r\"\ntitle = \"r\"\nkey = [\"id\"]\nsql = 'select makes() as id'\n";
    let engine = engine(&database.url(), profile).await;
    let report = engine.observe(&CheckId { kind: "anomalies", name: "r".into() }).await;
    let refused = report.status.why().is_some_and(|w| w.contains("25006"));
    let version: u32 = engine.server().version.split('.').next().unwrap().parse().unwrap();
    assert_eq!(refused, version >= 16, "{report:?}");
    assert_eq!(value(&mut owner, STATE).await, before);
}

#[tokio::test]
async fn a_missing_history_stays_missing() {
    let (database, _) = demo_database("hospitality", 1_000).await;
    let mut owner = database.owner().await;
    owner.execute_script("drop table schema_migrations; drop schema midwatch cascade").await.unwrap();
    let before = value(&mut owner, STATE).await;
    for history in ["versions", "sqlx", "drizzle", "midwatch"] {
        let profile = format!("name = \"p\"\n[[migrations]]\nname = \"m\"\nhistory = \"{history}\"\n");
        let engine = engine(&database.url(), &profile).await;
        let report = engine.observe(&CheckId { kind: "migrations", name: "m".into() }).await;
        assert!(report.status.why().is_some_and(|w| w.contains("no history table")), "{history} {report:?}");
    }
    assert_eq!(value(&mut owner, STATE).await, before);
}
