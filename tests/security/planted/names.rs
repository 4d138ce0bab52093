//! A function of a table's owner that runs in a session of ours gives names of our statements to other texts.
//!
//! At 78860194 what it had prepared was answered in place of our next statement, where a view, an index or a trigger of a table
//! that is compared or changed had called it.

use midwatch::engine::model::query::Sql;
use midwatch::engine::port::reader::ReadOptions;

use super::World;
use crate::common::{Database, engine, midwatch, run};

/// All that the session has prepared answers with something else from now on; what it answers with fits any statement of ours
/// with one column of text.
const TAKES: &str = "create function public.takes_names() returns text language plpgsql as $$ declare s record; begin
        for s in select name, parameter_types from pg_prepared_statements loop
            execute format('deallocate %I', s.name);
            execute format('prepare %I%s as select ''forged''::text', s.name,
                case when cardinality(s.parameter_types) > 0 then '(' || array_to_string(s.parameter_types, ',') || ')' else '' end);
        end loop;
        perform set_config('search_path', 'forged, public', false);
        return 'taken'; end $$;
    create schema forged; create function forged.concat(text) returns text language sql as $$ select 'forged' $$;";

#[tokio::test]
async fn rows_of_others_leave_no_name_and_no_path_behind() {
    let database = Database::empty().await;
    let view = "create view public.taking as select public.takes_names() as t; \
                create function public.sets() returns text language plpgsql as $$ begin
                    perform set_config('search_path', 'forged, public', false); return 'set'; end $$;
                create view public.setting as select public.sets() as t";
    database.owner().await.execute_script(&format!("{TAKES}; {view}")).await.unwrap();
    let engine = engine(&database.url(), "name = \"p\"\nsearch_path = [\"public\"]\n").await;
    let ours = Sql::new("select concat('true')");
    let begin = async || engine.facts().begin(ReadOptions::default()).await.unwrap();
    for _ in 0..2 {
        begin().await.texts(&ours).await.unwrap();
    }
    let mut tx = begin().await;
    for _ in 0..2 {
        let set = tx.texts(&Sql::over_rows("select t from public.setting")).await.unwrap();
        assert_eq!(set, [Some("set".to_owned())]);
        assert_eq!(tx.texts(&ours).await.unwrap(), [Some("true".to_owned())]);
    }
    let taken = Sql::over_rows("select t from public.taking");
    assert_eq!(tx.texts(&taken).await.unwrap(), [Some("taken".to_owned())]);
    let refused = tx.texts(&ours).await.unwrap_err();
    assert!(refused.message.contains("prepared or deallocated"), "{refused:?}");
    drop(tx);
    // Nor is it the last statement of a transaction whose session somebody else has then.
    for _ in 0..3 {
        let mut tx = begin().await;
        assert_eq!(tx.texts(&ours).await.unwrap(), [Some("true".to_owned())]);
        tx.texts(&taken).await.unwrap();
        drop(tx);
        assert_eq!(begin().await.texts(&ours).await.unwrap(), [Some("true".to_owned())]);
    }
}

/// The settings of a comparison hold for all of its statements.
#[tokio::test]
async fn what_we_set_stays_set_between_rows_of_others() {
    let database = Database::empty().await;
    database.owner().await.execute_script("create table public.t as select 1 as id").await.unwrap();
    let engine = engine(&database.url(), "name = \"p\"\nsearch_path = [\"public\"]\n").await;
    let mut tx = engine.facts().begin(ReadOptions::default()).await.unwrap();
    let rows = Sql::over_rows("select id::text from public.t");
    for kb in ["1234kB", "4321kB"] {
        let set = Sql::new(format!("select pg_catalog.set_config('work_mem', '{kb}', true)"));
        tx.texts(&set).await.unwrap();
        for _ in 0..2 {
            tx.texts(&rows).await.unwrap();
            let found = tx.texts(&Sql::new("select pg_catalog.current_setting('work_mem')")).await.unwrap();
            assert_eq!(found, [Some(kb.to_owned())]);
        }
    }
}

/// The condition of an index is simplified while a statement over its table is planned.
#[tokio::test]
async fn an_index_of_a_twin_forges_no_comparison() {
    let world = World::new().await;
    let index = "create function public.never(int) returns bool language plpgsql immutable as $$ begin
            perform public.takes_names(); return false; end $$;
        create index on public.old (v) where public.never(1); create index on public.new (v) where public.never(1)";
    world.database.owner().await.execute_script(&format!("{TAKES}; {index}")).await.unwrap();
    let checked = world.run(&["check", "parity/old", "--json"]);
    let report = &checked.json()["checks"][0];
    let said = report.to_string();
    assert!(!said.contains("forged"), "{report:#}");
    assert!(said.contains("prepared or deallocated"), "{report:#}");
    assert_eq!(report["status"], "unknown", "{report:#}");
}

/// At 78860194 the second batch was answered by what the trigger of the first had prepared: by an answer of another shape the
/// program ended in the driver, one of the same shape was believed. The first batch stood.
#[tokio::test]
async fn a_trigger_forges_no_entry_of_a_run() {
    let world = World::new().await;
    let trigger = "create function public.on_change() returns trigger language plpgsql as $$ begin
            perform public.takes_names(); return new; end $$;
        create trigger t before update on public.bymood for each row execute function public.on_change()";
    world.database.owner().await.execute_script(&format!("{TAKES}; {trigger}")).await.unwrap();
    let file = world.path("midwatch.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("[policy]\nbatch_rows = 20\n{config}")).unwrap();
    world.done(&["init"]);
    let path = world.path("plan.json");
    let plan = world.json(&["plan", "backfill", "bymood", "--out", &path]);
    let phrase = plan["plan"]["phrase"].as_str().unwrap();
    let apply = ["apply", &path, "--confirm", phrase, "--json"];
    let refused = run(midwatch(world.home.path()).env("USER", "dana").args(apply));
    assert!(refused.stdout.contains("prepared or deallocated"), "{refused:?}");
    assert_ne!(refused.code, 0, "{refused:?}");
    let filled = world.value("select count(*)::text from public.bymood where v = 'done'").await;
    assert_eq!(filled, "0", "a batch without its entries stays: {refused:?}");
    world.called();
    let verified = world.json(&["journal", "verify"]);
    assert_eq!(verified["journal"]["findings"], serde_json::json!([]), "{verified:#}");
    let outcome = world.value("select outcome from midwatch.runs order by id desc limit 1").await;
    assert_eq!(outcome, "failed", "{refused:?}");
}
