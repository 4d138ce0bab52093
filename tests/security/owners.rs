//! Functions that midwatch leaves on a target run with the rights of the owner of the table that they write, never with
//! those of the operator who made them.
//!
//! At commit 4eabe32 each of them was a SECURITY DEFINER function of the operator's, here a superuser: whatever the owner
//! of a table had run when it was written (a cast, a trigger) was a superuser's, hours after the operator had left.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use midwatch::dialect::postgres::owner::{Login, Owner};
use serde_json::Value;
use tempfile::TempDir;

use crate::common::{Database, Run, midwatch, run, shared_server};

const TABLES: &str = include_str!("owners/tables.sql");
const PROFILE: &str =
    "name = \"shop\"\n[[twins]]\nlegacy = \"shop.ord\"\npartitioned = \"shop.ord_twin\"\nkey = [\"name\"]\n";

/// An operator who is a superuser, and roles that would like to be one.
pub(crate) struct Shop {
    pub(crate) database: Database,
    home: TempDir,
    /// The server writes here.
    traces: TempDir,
}

impl Shop {
    pub(crate) async fn new() -> Self {
        let shop = Self::without_journal().await;
        shop.done(&["init"]);
        shop
    }

    pub(crate) async fn without_journal() -> Self {
        let database = Database::empty().await;
        let (home, traces) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::set_permissions(traces.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let shop = Self { database, home, traces };
        shop.sql(&shop.told(TABLES)).await;
        std::fs::write(shop.home.path().join("p.toml"), PROFILE).unwrap();
        shop.configure(shared_server().user());
        shop
    }

    /// Who looks and changes.
    fn configure(&self, role: &str) {
        let url = self.database.url().replacen(shared_server().user(), role, 1);
        let target = format!(
            "[targets.main]\nurl = \"{url}\"\nprofile = \"p.toml\"\nenvironment = \"demo\"\n[policy]\nallow_unknown_load = true\n"
        );
        std::fs::write(self.home.path().join("midwatch.toml"), target).unwrap();
    }

    /// As another role than the superuser.
    pub(crate) fn run_as(&self, role: &str, args: &[&str]) -> Run {
        self.configure(role);
        let run = self.run(args);
        self.configure(shared_server().user());
        run
    }

    /// The same of a plan.
    pub(crate) fn plan_as(&self, role: &str, args: &[&str]) -> (i32, Value) {
        self.configure(role);
        let planned = self.plan(args);
        self.configure(shared_server().user());
        planned
    }

    /// Owns the tables.
    pub(crate) fn owner(&self) -> String {
        format!("owner_{}", self.database.name)
    }

    /// Owns none of them.
    pub(crate) fn planter(&self) -> String {
        format!("planter_{}", self.database.name)
    }

    fn trace(&self) -> PathBuf {
        self.traces.path().join("seized")
    }

    fn told(&self, sql: &str) -> String {
        sql.replace("{owner}", &self.owner())
            .replace("{planter}", &self.planter())
            .replace("{database}", &self.database.name)
            .replace("{trace}", &self.trace().display().to_string())
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        run(midwatch(self.home.path()).env("USER", "dana").args(args))
    }

    pub(crate) fn plan(&self, args: &[&str]) -> (i32, Value) {
        let file = self.home.path().join("plan.json");
        let _ = std::fs::remove_file(&file);
        let planned = self.run(&[&["plan"], args, &["--json", "--out", file.to_str().unwrap()]].concat());
        (planned.code, planned.json())
    }

    pub(crate) fn apply(&self, plan: &Value) -> (i32, Value) {
        let file = self.home.path().join("plan.json");
        let phrase = plan["plan"]["phrase"].as_str().unwrap();
        let applied = self.run(&["apply", file.to_str().unwrap(), "--confirm", phrase, "--json"]);
        (applied.code, applied.json())
    }

    /// Plans and applies, and the plan's own questions find nothing.
    pub(crate) fn done(&self, args: &[&str]) -> Value {
        let (code, plan) = self.plan(args);
        assert_eq!(code, 0, "{args:?} {plan:#}");
        let (code, done) = self.apply(&plan);
        assert_eq!((code, done["run"]["verified"].as_bool()), (0, Some(true)), "{args:?} {done:#} {plan:#}");
        done
    }

    fn undone(&self, done: &Value) {
        let file = self.home.path().join("plan.json");
        let _ = std::fs::remove_file(&file);
        let run = done["run"]["id"].as_str().unwrap();
        let plan = self.run(&["undo", run, "--json", "--out", file.to_str().unwrap()]).json();
        let (code, undone) = self.apply(&plan);
        assert_eq!(code, 0, "{undone:#} {plan:#}");
    }

    pub(crate) async fn sql(&self, sql: &str) {
        let done = self.database.owner().await.execute_script(sql).await;
        done.unwrap_or_else(|e| panic!("{e} in {sql}"));
    }

    pub(crate) async fn value(&self, sql: &str) -> String {
        self.database.owner().await.fetch_value(sql, &[]).await.unwrap().unwrap_or_default()
    }

    /// In a session that this role logged in to.
    pub(crate) async fn by(&self, role: String, sql: &str) {
        let login = Login { role, password: None, unprivileged: true };
        let session = Owner::log_in(&shared_server().socket_dir(), &login, &self.database.name).await;
        let done = session.unwrap().execute_script(&self.told(sql)).await;
        done.unwrap_or_else(|e| panic!("{e} in {sql}"));
    }

    /// Nobody has more rights than before, and no program was run.
    pub(crate) async fn unseized(&self, how: &str) {
        let names = format!("'{}', '{}'", self.owner(), self.planter());
        let super_ = self
            .value(&format!(
                "select string_agg(rolname, ' ') from pg_roles where rolsuper and rolname in ({names})"
            ))
            .await;
        let ran = std::fs::read_to_string(self.trace()).unwrap_or_default();
        assert_eq!((super_.as_str(), ran.as_str()), ("", ""), "{how}");
        // Nothing is left that could be tried again.
        let left = "select string_agg(p.oid::regprocedure::text, ' ') from pg_proc p join pg_roles r on r.oid = p.proowner \
                    where p.prosecdef and r.rolsuper and p.oid >= 16384";
        assert_eq!(self.value(left).await, "", "{how}");
    }
}

/// At 4eabe32 the function of `watch` computed `new.name::text` as the superuser: the owner gave the column a type with a
/// cast of its own and inserted a row; the role was a superuser then, and the program had run.
#[tokio::test]
async fn change_capture_runs_no_cast_as_the_operator() {
    let shop = Shop::new().await;
    shop.done(&["watch"]);
    shop.by(
        shop.owner(),
        "create type shop.label as enum (); do $$ begin for i in 1..30 loop
           execute format('alter type shop.label add value %L', 'n' || i); end loop; end $$;",
    )
    .await;
    shop.by(
        shop.owner(),
        "alter table shop.ord alter column name type shop.label using name::shop.label;
         create function shop.text_of(shop.label) returns text language plpgsql as $$
         begin perform shop.seize('{owner}'); return pg_catalog.format('%s', $1); end $$;
         create cast (shop.label as text) with function shop.text_of(shop.label) as assignment;",
    )
    .await;
    shop.by(shop.owner(), "insert into shop.ord values ('n21', '2026-03-01', 1)").await;
    shop.unseized("watch").await;
    assert_eq!(shop.value("select count(*)::text from midwatch.marks where key = '{n21}'").await, "1");
}

/// At 4eabe32 the sync function of `repair-triggers` wrote the partitioned table as the superuser, and the reverse one of
/// `switchover` the retired table: a trigger that the owner made there ran as the superuser.
#[tokio::test]
async fn sync_functions_run_no_trigger_as_the_operator() {
    let shop = Shop::new().await;
    shop.done(&["repair-triggers"]);
    let seizing =
        "create trigger seizing before insert on shop.TABLE for each row execute function shop.seizing();
                   insert into shop.ord values ('NAME', '2026-03-01', 1); drop trigger seizing on shop.TABLE";
    let tried = |table: &str, name: &str| seizing.replace("TABLE", table).replace("NAME", name);
    shop.by(shop.owner(), &tried("ord_twin", "n21")).await;
    shop.unseized("repair-triggers").await;
    assert_eq!(shop.value("select count(*)::text from shop.ord_twin where name = 'n21'").await, "1");
    shop.done(&["switchover", "--set", "monitor=0", "--set", "backup=skip"]);
    shop.by(shop.owner(), &tried("ord_legacy", "n22")).await;
    shop.unseized("switchover").await;
    assert_eq!(shop.value("select count(*)::text from shop.ord_legacy where name = 'n22'").await, "1");
    shop.done(&["rollback", "--set", "monitor=0"]);
    shop.by(shop.owner(), &tried("ord_twin", "n23")).await;
    shop.unseized("rollback").await;
}

/// A function of that name which is there already, and belongs to a role that owns none of the tables.
const PLANTED: &str = "create function shop.midwatch_NAME_ord() returns trigger language plpgsql as $$
                       begin return coalesce(new, old); end $$";
/// What its owner makes of it when the operator has gone.
const REPLACED: &str =
    "create or replace function shop.midwatch_NAME_ord() returns trigger language plpgsql as $$
                        begin perform shop.seize('{planter}'); return coalesce(new, old); end $$";

/// At 4eabe32 `repair-triggers` and `switchover` took over functions that another role had made before them: it stayed
/// their owner, replaced what they did afterwards, and the superuser's next UPDATE ran that.
#[tokio::test]
async fn functions_that_others_planted_are_not_taken_over() {
    for (name, args) in [
        ("sync", &["repair-triggers"][..]),
        ("reverse", &["switchover", "--set", "monitor=0", "--set", "backup=skip"]),
    ] {
        let shop = Shop::new().await;
        if name == "reverse" {
            shop.done(&["repair-triggers"]);
        }
        // Before it is planned, and between plan and apply.
        let (code, plan) = shop.plan(args);
        assert_eq!(code, 0, "{plan:#}");
        shop.by(shop.planter(), &PLANTED.replace("NAME", name)).await;
        let (code, late) = shop.apply(&plan);
        assert_ne!(code, 0, "{late:#}");
        let (code, refused) = shop.plan(args);
        if code == 0 {
            shop.apply(&refused);
        }
        shop.by(shop.planter(), &REPLACED.replace("NAME", name)).await;
        shop.sql("update shop.ord set total = total + 1").await;
        shop.unseized(name).await;
        assert_eq!(code, 3, "{refused:#}");
        let said = refused["error"]["message"].as_str().unwrap();
        assert!(said.contains(&shop.planter()), "{said}");
    }
}

/// A function that the application has made, which mirrors INSERT alone.
const FOUND: &str = "create function shop.synced() returns trigger language plpgsql ATTRIBUTES as $$
                       begin insert into shop.ord_twin values (new.*); return null; end $$;
                     create trigger sync_to_partitioned_ord after insert on shop.ord for each row execute function shop.synced()";
/// Whoever writes the table has their own `=` found first.
const OPERATOR: &str = "create table shop.grabbed (who name); grant insert on shop.grabbed to public;
    create function shop.grab(text, text) returns boolean language plpgsql as $$
      begin insert into shop.grabbed values (current_user); return $1 operator(pg_catalog.=) $2; end $$;
    create operator shop.= (leftarg = text, rightarg = text, function = shop.grab);
    set search_path = shop, pg_catalog; insert into shop.ord values ('n21', '2026-03-01', 1);
    update shop.ord set name = 'n22' where name operator(pg_catalog.=) 'n21'";

/// At 4eabe32, and until the text had all names with their schema, `repair-triggers` gave its text to the function as it was:
/// with the path of whoever writes the row, and the rights of the owner of both tables.
#[tokio::test]
async fn an_existing_function_gets_a_path_of_its_own() {
    for attributes in ["security definer set search_path = shop, pg_catalog", ""] {
        let shop = Shop::new().await;
        shop.by(shop.owner(), &FOUND.replace("ATTRIBUTES", attributes)).await;
        shop.done(&["repair-triggers"]);
        shop.by(shop.planter(), OPERATOR).await;
        let grabbed = "select count(*)::text from shop.grabbed";
        assert_eq!(shop.value(grabbed).await, "0", "{attributes}");
        let mirrored = "select string_agg(name, ' ') from shop.ord_twin where name in ('n21', 'n22')";
        assert_eq!(shop.value(mirrored).await, "n22", "{attributes}");
        let paths = "select count(*)::text from pg_proc where pronamespace = 'shop'::regnamespace and prosrc like '%ord_twin%' \
                     and not 'search_path=pg_catalog, pg_temp' = any (coalesce(proconfig, '{}'))";
        assert_eq!(shop.value(paths).await, "0", "{attributes}");
    }
}

/// At 4eabe32 the undo of `repair-triggers` let everybody execute the function, whoever might before.
#[tokio::test]
async fn an_undo_gives_nobody_more_than_they_had() {
    let closed = "; revoke execute on function shop.synced() from public";
    let executors = "select string_agg(coalesce(nullif(x.grantee, 0)::regrole::text, 'public'), ' ' order by x.grantee) \
                     from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x where p.proname = 'synced'";
    for (more, legacy) in [("", "{owner}"), (closed, "{planter}")] {
        let shop = Shop::new().await;
        shop.by(shop.owner(), &format!("{}{more}", FOUND.replace("ATTRIBUTES", "security definer"))).await;
        shop.sql(&shop.told(&format!("alter table shop.ord owner to {legacy}"))).await;
        let before = shop.value(executors).await;
        let done = shop.done(&["repair-triggers"]);
        shop.undone(&done);
        assert_eq!(shop.value(executors).await, before, "{more}");
    }
}
