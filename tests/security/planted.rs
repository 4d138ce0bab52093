//! What the database's owner plants in `public` is called by no statement of ours.
//!
//! At commit 4eabe32 our statements ran under the profile's search path. Called by a superuser, `doctor` called
//! `public.unnest(text[])`; `check` `public.format(text, name, name)`, `public.json_build_array(…)` and the operators of the
//! enum; `plan` `public.format(…)` and `public.json_build_object(text, text)`; and `init` failed in `public.->>`. Each call ran
//! a program on the server.
#![expect(clippy::disallowed_methods, reason = "tests ask the server themselves")]

mod backup;
mod casts;
mod names;
mod statements;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use midwatch::engine::check::paging::{At, PageRequest};
use midwatch::engine::model::error::Result;
use midwatch::engine::model::plan::Plan;
use midwatch::engine::model::query::{ProfileSql, Sql};
use midwatch::engine::port::reader::ReadOptions;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{Database, Run, engine, midwatch, open, run};

const PLANT: &str = include_str!("planted/plant.sql");
const TABLES: &str = include_str!("planted/tables.sql");
const PROFILE: &str = include_str!("planted/profile.toml");

const OWNED: &str = "alter type public.mood owner to ROLE; alter type public.pair owner to ROLE; \
                     alter type public.moment owner to ROLE";

/// A database whose owner is hostile, and an operator who is a superuser.
struct World {
    database: Database,
    home: TempDir,
    /// The server writes here.
    traces: TempDir,
}

impl World {
    async fn new() -> Self {
        let database = Database::empty().await;
        let (home, traces) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::set_permissions(traces.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let world = Self { database, home, traces };
        let plant = PLANT.replace("{trace}", &world.trace().display().to_string());
        let mut owner = world.database.owner().await;
        let role = world.role();
        owner.execute_script(TABLES).await.unwrap();
        owner
            .execute_script(&format!(
                "create role {role}; alter schema public owner to {role}; {}",
                OWNED.replace("ROLE", &role)
            ))
            .await
            .unwrap();
        world.plant(&plant).await;
        std::fs::write(world.home.path().join("p.toml"), PROFILE).unwrap();
        let target = format!(
            "[targets.main]\nurl = \"{}\"\nprofile = \"p.toml\"\nenvironment = \"demo\"\n",
            world.database.url()
        );
        std::fs::write(world.home.path().join("midwatch.toml"), target).unwrap();
        world
    }

    fn role(&self) -> String {
        format!("hostile_{}", self.database.name)
    }

    /// As the role that owns the schema and its types, and is no superuser.
    async fn plant(&self, script: &str) {
        let script = format!("set role {}; {script}; reset role", self.role());
        self.database.owner().await.execute_script(&script).await.unwrap();
    }

    fn trace(&self) -> PathBuf {
        self.traces.path().join("called")
    }

    /// What was called since the last time.
    fn called(&self) -> String {
        let said = std::fs::read_to_string(self.trace()).unwrap_or_default();
        let _ = std::fs::remove_file(self.trace());
        let mut names: Vec<&str> = said.lines().collect();
        names.sort_unstable();
        names.dedup();
        names.join(" ")
    }

    /// A command that must call nothing of others.
    fn run(&self, args: &[&str]) -> Run {
        let run = run(midwatch(self.home.path()).env("USER", "dana").args(args));
        assert_eq!(self.called(), "", "{args:?} {run:?}");
        run
    }

    fn json(&self, args: &[&str]) -> Value {
        let run = self.run(&[args, &["--json"]].concat());
        assert!(run.code <= 1, "{args:?} {run:?}");
        run.json()
    }

    fn path(&self, name: &str) -> String {
        Path::new(self.home.path()).join(name).display().to_string()
    }

    fn applied(&self, file: &str, plan: &Value) -> String {
        let phrase = plan["plan"]["phrase"].as_str().unwrap_or_else(|| panic!("{plan:#}"));
        let run = self.json(&["apply", &self.path(file), "--confirm", phrase]);
        assert_eq!(run["run"]["outcome"], "applied", "{run:#}");
        run["run"]["id"].as_str().unwrap_or_else(|| panic!("{plan:#}")).to_owned()
    }

    /// Plans, applies; the run.
    fn done(&self, args: &[&str]) -> String {
        let file = self.path("plan.json");
        let plan = self.json(&[&["plan"], args, &["--out", &file]].concat());
        let run = self.applied("plan.json", &plan);
        std::fs::remove_file(file).unwrap();
        run
    }

    fn undone(&self, run: &str) {
        let file = self.path("undo.json");
        let plan = self.json(&["undo", run, "--out", &file]);
        self.applied("undo.json", &plan);
        std::fs::remove_file(file).unwrap();
    }

    /// How many rows the console would show for a finding.
    async fn rows(&self, kind: &str, name: &str) -> Result<usize> {
        let engine = open(&self.database.url(), Some("p.toml"), self.home.path()).await?;
        let id = engine.select(&[format!("{kind}/{name}")])?.remove(0);
        let source = engine.rows(&id, name).unwrap();
        let mut request = PageRequest { count: true, ..PageRequest::first(source, 7) };
        let mut rows = 0;
        loop {
            let page = engine.page(&request).await?;
            rows += page.rows.len();
            let Some(last) = page.rows.last().filter(|_| !page.end) else { return Ok(rows) };
            request.at = At::After(last.position.clone());
        }
    }

    async fn value(&self, sql: &str) -> String {
        self.database.owner().await.fetch_value(sql, &[]).await.unwrap().unwrap_or_default()
    }
}

#[tokio::test]
async fn what_is_planted_is_called_where_nothing_is_pinned() {
    let world = World::new().await;
    world.value("select count(*)::text from public.unnest(array['a'])").await;
    assert_eq!(world.called(), "unnest");
    world.value("set search_path = public").await;
    let found =
        "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on true limit 1";
    world.value(found).await;
    assert_eq!(world.called(), "format3");
}

#[tokio::test]
async fn looking_calls_nothing_of_others() {
    let world = World::new().await;
    // One is unknown: nothing says how old a row of `stamped` is.
    let commands = [&["doctor"][..], &["check"], &["runs"], &["config", "check"], &["config", "show"]];
    let codes = commands.map(|args| world.run(args).code);
    assert_eq!(codes, [1, 5, 5, 0, 0]);
    let report = world.json(&["check", "queue/jobs"]);
    assert!(report.to_string().contains("60"), "{report:#}");
    let report = world.json(&["check", "parity"]).to_string();
    assert!(["Name 7", "Name 9", "sad", "glad"].iter().all(|found| report.contains(found)), "{report}");
    for (finding, rows) in [("sad_jobs", 60), ("moods", 40), ("names", 40)] {
        assert_eq!(world.rows("anomalies", finding).await.unwrap(), rows, "{finding}");
        assert_eq!(world.called(), "", "{finding}");
    }
}

/// Keys of an enum, of citext, ltree and hstore, whose equality the path of our statements does not find.
#[tokio::test]
async fn rows_of_any_key_are_changed_and_changed_back() {
    let world = World::new().await;
    world.done(&["init"]);
    for table in ["byname", "bypath", "byattrs", "bymood"] {
        let all = format!("select md5(string_agg(t::text, ' ' order by t::text)) from public.{table} t");
        let before = world.value(&all).await;
        let run = world.done(&["backfill", table]);
        let filled = format!("select count(*)::text from public.{table} where v = 'done'::text");
        assert_eq!(world.value(&filled).await, "40", "{table}");
        world.called();
        world.undone(&run);
        assert_eq!(world.value(&all).await, before, "{table}");
    }
    world.run(&["runs"]);
    let verified = world.json(&["journal", "verify"]);
    let none = Value::Array(vec![]);
    let found = ["findings", "unknown", "unobserved"].map(|part| &verified["journal"][part]);
    assert_eq!(found, [&none; 3], "{verified:#}");
    assert_eq!(verified["journal"]["runs"], 8, "{verified:#}");
}

/// Sessions of such a run had the profile's path from their first statement on: `||` of the one that names its process ran.
#[tokio::test]
async fn a_plan_of_an_earlier_version_has_our_statements_under_our_path() {
    let world = World::new().await;
    world.done(&["init"]);
    let file = world.path("midwatch.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("[policy]\naccept_foreign_plans = true\n{config}")).unwrap();
    let path = world.path("plan.json");
    let mut envelope = world.json(&["plan", "backfill", "bymood", "--out", &path]);
    let mut plan: Plan = serde_json::from_value(envelope["plan"].take()).unwrap();
    plan.names_with_schema = false;
    plan.signature = Some("elsewhere:none".into());
    plan.seal();
    let phrase = plan.phrase.clone();
    envelope["plan"] = serde_json::to_value(plan).unwrap();
    std::fs::write(&path, envelope.to_string()).unwrap();
    // It is stale for that, once the sessions are there.
    let refused = world.run(&["apply", &path, "--confirm", &phrase]);
    assert_eq!(refused.code, 4, "{refused:?}");
}

#[tokio::test]
async fn twins_with_a_key_of_citext_are_made_equal() {
    let world = World::new().await;
    world.done(&["init"]);
    world.done(&["copy-missing", "old"]);
    world.done(&["repair", "old"]);
    let unequal = "select count(*)::text from public.old o full join public.new n \
                   on o.name operator(public.=) n.name and o.d = n.d where o.v::text is distinct from n.v::text";
    assert_eq!(world.value(unequal).await, "0");
    world.called();
    world.done(&["watch", "old"]);
    world.json(&["check", "parity"]);
}

/// At commit 4eabe32, and later under our path, a value was looked for by the `=` that the path had: rows of `a` had no partition
/// where one takes `A` (citext), and a list of ltree was an error.
#[tokio::test]
async fn rows_find_their_partition_by_the_equality_of_its_key() {
    let world = World::new().await;
    for (name, rows) in [("lold", 30), ("told", 30)] {
        let report = &world.json(&["check", &format!("parity/{name}")])["checks"][0];
        let found = ["missing_in_partitioned", "different"].map(|what| report["facts"][what].as_u64());
        assert_eq!(found, [Some(0); 2], "{report:#}");
        assert_eq!(report["facts"]["legacy_rows"].as_u64(), Some(rows), "{report:#}");
        assert!(!report.to_string().contains("no partition"), "{report:#}");
        assert!(report.get("unknown").is_none_or(|u| *u == json!([])), "{report:#}");
    }
}

/// The first mend of what is said above left a bare `=` and `row(…) is distinct from row(…)` in the statements that read the
/// rows of `copy-missing` and `repair`: both called the planted operators of varchar and of the enum.
#[tokio::test]
async fn twins_with_a_key_of_varchar_and_a_value_of_an_enum_are_made_equal() {
    let world = World::new().await;
    world.done(&["init"]);
    world.done(&["copy-missing", "vold"]);
    let run = world.done(&["repair", "vold"]);
    let unequal = "select count(*)::text from (select o::text from public.vold o except all select n::text from public.vnew n) d";
    assert_eq!(world.value(unequal).await, "0");
    world.called();
    world.undone(&run);
    assert_eq!(world.value(unequal).await, "2");
    world.called();
    world.json(&["check", "parity"]);
}

/// At 6fa06dc2 what a function of the target set while one statement of a transaction was looked at held for the next one: its
/// names meant others' tables, and another role was asked for its rights. Locks were kept until the last one. (At 4eabe32 as well.)
#[tokio::test]
async fn what_a_function_of_the_target_sets_ends_with_its_statement() {
    let database = Database::empty().await;
    let script = "create role planted_set nologin; create table public.locked (id int);
        create function public.sets() returns text language plpgsql as $$ begin
            perform set_config('search_path', 'planted', false), set_config('role', 'planted_set', false),
                set_config('statement_timeout', '0', false);
            return 'set'; end $$";
    database.owner().await.execute_script(script).await.unwrap();
    let engine = engine(&database.url(), "name = \"p\"\nsearch_path = [\"public\"]\n").await;
    let set = "select concat_ws(' ', current_setting('search_path'), current_setting('role'),
        current_setting('statement_timeout') = '0',
        (select count(*) from pg_locks where relation = 'public.locked'::regclass))";
    let mut tx = engine.facts().begin(ReadOptions::default()).await.unwrap();
    for _ in 0..2 {
        tx.texts(&ProfileSql::new("select public.sets() from (select count(*) from public.locked) l"))
            .await
            .unwrap();
        let found = tx.texts(&ProfileSql::new(set)).await.unwrap();
        assert_eq!(found, [Some("public, pg_temp none f 0".to_owned())]);
    }
    // An error of one is not one of the next.
    tx.texts(&ProfileSql::new("select 1 / 0")).await.unwrap_err();
    assert_eq!(tx.texts(&ProfileSql::new("select 'on'")).await.unwrap(), [Some("on".to_owned())]);
    let own = "select pg_catalog.current_setting('search_path')";
    assert_eq!(tx.texts(&Sql::new(own)).await.unwrap(), [Some("pg_catalog, pg_temp".to_owned())]);
}

/// At 53053b2f a function of the target that was looked at prepared another text under the name of a statement of ours, which
/// had run before in that session: what it answered was taken for the catalog's. (At 4eabe32 as well.)
#[tokio::test]
async fn a_statement_of_ours_is_never_another_text_under_its_name() {
    let database = Database::empty().await;
    let script =
        "create function public.takes_names() returns text language plpgsql as $$ declare s record; begin
            for s in select name, parameter_types from pg_prepared_statements loop
                execute format('deallocate %I', s.name);
                execute format('prepare %I as select ''forged''::text', s.name);
            end loop;
            return 'taken'; end $$";
    database.owner().await.execute_script(script).await.unwrap();
    let engine = engine(&database.url(), "name = \"p\"\nsearch_path = [\"public\"]\n").await;
    let ours = Sql::new("select pg_catalog.concat('true')");
    let of_ours = ProfileSql::names("select concat('of ours')");
    // Prepared in this session by earlier transactions of ours, and in this one.
    for _ in 0..2 {
        engine.facts().begin(ReadOptions::default()).await.unwrap().texts(&ours).await.unwrap();
    }
    let mut tx = engine.facts().begin(ReadOptions::default()).await.unwrap();
    tx.texts(&ours).await.unwrap();
    tx.texts(&of_ours).await.unwrap();
    for _ in 0..2 {
        let takes = ProfileSql::new("select public.takes_names()");
        assert_eq!(tx.texts(&takes).await.unwrap(), [Some("taken".to_owned())]);
        assert_eq!(tx.texts(&ours).await.unwrap(), [Some("true".to_owned())]);
        assert_eq!(tx.texts(&of_ours).await.unwrap(), [Some("of ours".to_owned())]);
        tx.parse(&takes).await.unwrap();
    }
}

/// At 53053b2f what ran as the columns of a query were looked up had its role for our own question after that, to which its own
/// casts were nobody else's.
#[tokio::test]
async fn casts_are_asked_for_as_who_we_are() {
    let database = Database::empty().await;
    let script = "create role planted_cast nologin; grant create, usage on schema public to planted_cast; set role planted_cast;
        create type public.odd as (v int);
        create function public.shown(public.odd) returns int language sql as 'select 7';
        create cast (public.odd as int) with function public.shown(public.odd);
        create function public.sets(text) returns text language sql immutable as $$
            select set_config('role', 'planted_cast', true) $$;
        create table public.odds (id int primary key, o public.odd); reset role";
    database.owner().await.execute_script(script).await.unwrap();
    let engine = engine(&database.url(), "name = \"p\"\nsearch_path = [\"public\"]\n").await;
    let mut tx = engine.facts().begin(ReadOptions::default()).await.unwrap();
    let plain = tx.describe(&ProfileSql::new("select o from odds")).await.unwrap_err();
    assert!(plain.message.contains("of role planted_cast"), "{plain:?}");
    let set = tx
        .describe(&ProfileSql::new("select o from odds where public.sets('a') is not null"))
        .await
        .unwrap_err();
    assert_eq!(set.message, plain.message);
}

/// At commit 4eabe32 the session went back into the pool, with what a profile's statement had left in it.
#[tokio::test]
async fn a_session_that_ran_a_profiles_statement_is_not_used_again() {
    let database = Database::empty().await;
    let engine = engine(&database.url(), "name = \"p\"\nsearch_path = [\"public\"]\n").await;
    let pid = async |profile: bool| {
        let mut tx = engine.facts().begin(ReadOptions::default()).await.unwrap();
        let path = "select pg_catalog.current_setting('search_path')";
        if profile {
            let found = tx.texts(&ProfileSql::new(path)).await.unwrap();
            assert_eq!(found, [Some("public, pg_temp".to_owned())]);
            // What it changes is ours again before our next statement.
            let left = ProfileSql::names("select set_config('search_path', 'public', true)");
            tx.texts(&left).await.unwrap();
        }
        assert_eq!(tx.texts(&Sql::new(path)).await.unwrap(), [Some("pg_catalog, pg_temp".to_owned())]);
        tx.texts(&Sql::new("select pg_backend_pid()::text")).await.unwrap()
    };
    let foreign = pid(true).await;
    let mut ours = vec![];
    for _ in 0..20 {
        ours.push(pid(false).await);
    }
    assert!(!ours.contains(&foreign), "{foreign:?} {ours:?}");
    let mut all = ours.clone();
    all.sort();
    all.dedup();
    assert!(all.len() < ours.len(), "sessions of ours are used again: {ours:?}");
}
