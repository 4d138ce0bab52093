//! Makes a fixture with this build: `make golden`. The one that is kept is only read: a new one would prove less.

use std::fs;
use std::path::{Path, PathBuf};

use midwatch::dialect::postgres::owner::Owner;
use midwatch::sandbox::Server;
use midwatch::sandbox::demo::{System, load_system};
use serde_json::{Value, json};

use crate::cluster::OPERATOR;
use crate::home::Home;
use crate::program::until;
use crate::{cluster, state};

/// How the states before and after an undo compare.
#[derive(Clone, Copy, PartialEq)]
enum Back {
    /// Undo is refused.
    No,
    /// Undo gives the state before the run.
    Exact,
    /// Undo works; other runs or sessions changed rows meanwhile.
    Mixed,
}

/// The runs of one database so far.
struct Runs<'s> {
    home: Home<'s>,
    made: Vec<Value>,
    saved: Vec<Value>,
}

impl<'s> Runs<'s> {
    async fn new(home: Home<'s>, plants: &str) -> Self {
        let system = home.database();
        home.server.create_database(system, None).await.unwrap();
        load_system(home.server, system, System::named(system).unwrap(), 1_000).await.unwrap();
        for sql in [plants, include_str!("owner.sql")] {
            home.sql(sql).await;
        }
        Self { home, made: vec![], saved: vec![] }
    }

    /// The file of the next run's plan.
    fn file(&self, args: &[&str]) -> String {
        let number = self.made.len() + 1;
        format!(
            "{}-{number:02}-{}.json",
            self.home.database(),
            if args[0] == "undo" { "undo" } else { args[1] }
        )
    }

    /// Notes a run that is over, or that was killed.
    async fn note(&mut self, file: &str, before: [String; 2], back: Back) {
        let id = self.made.len() + 1;
        let (code, value) = self.home.json(&["runs", &id.to_string()]);
        assert_eq!(code, 0, "{value:#}");
        let sha = format!(
            "select encode(sha256(convert_to(plan_text, 'UTF8')), 'hex') from midwatch.runs where id = {id}"
        );
        let [rows, objects] = before;
        let word = match back {
            Back::No => "no",
            Back::Exact => "exact",
            Back::Mixed => "mixed",
        };
        let target = self.home.target;
        self.made.push(json!({
            "file": file, "target": target, "plan_sha256": self.home.value(&sha).await, "undo": word,
            "rows": rows, "objects": state::sum(&objects),
        }));
        eprintln!(
            "{} {id}: {} {}",
            self.home.database(),
            value["runs"][0]["operation"],
            value["runs"][0]["outcome"]
        );
    }

    async fn state(&self) -> [String; 2] {
        [state::rows(&self.home).await, state::objects(&self.home).await]
    }

    /// Plans, applies, expects this outcome.
    async fn ends(&mut self, args: &[&str], outcome: &str, back: Back) -> Value {
        let (file, before) = (self.file(args), self.state().await);
        let plan = self.home.plan(&file, args);
        let (code, value) = self.home.apply(&file, &plan);
        assert_eq!(value["run"]["outcome"], outcome, "{args:?}: {code} {value:#}");
        self.note(&file, before, back).await;
        value["run"].clone()
    }

    async fn applied(&mut self, args: &[&str], back: Back) -> Value {
        self.ends(args, "applied", back).await
    }

    /// Fails at the entry of this batch, with the server's code for a full disk.
    async fn fails(&mut self, args: &[&str], batch: u32, outcome: &str, back: Back) {
        let (file, before) = (self.file(args), self.state().await);
        let plan = self.home.plan(&file, args);
        self.home
            .sql(&format!(
                "create function public.golden() returns trigger language plpgsql as
                   $$ begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$;
                 create trigger golden before insert on midwatch.events for each row
                   when (new.kind = 'batch' and (new.body::jsonb ->> 'batch') = '{batch}') execute function public.golden()"
            ))
            .await;
        let (code, value) = self.home.apply(&file, &plan);
        assert_eq!(value["run"]["outcome"], outcome, "{args:?}: {code} {value:#}");
        self.home.sql("drop trigger golden on midwatch.events; drop function public.golden()").await;
        self.note(&file, before, back).await;
    }

    /// Held where it locks this planned row of a table; `then` gets the program's session and the lock's.
    async fn held(&mut self, args: &[&str], table: &str, row: usize, end: End, back: Back) {
        let (file, before) = (self.file(args), self.state().await);
        let plan = self.home.plan(&file, args);
        let id = plan["diff"][row]["key"]["id"].as_str().unwrap().to_owned();
        let mut holder = self.home.owner().await;
        holder
            .execute_script(&format!("begin; select from {table} where id = '{id}' for update"))
            .await
            .unwrap();
        let path = self.home.plan_file(&file);
        let mut program =
            self.home.start(&["apply", &path, "--confirm", plan["phrase"].as_str().unwrap(), "--json"]);
        let waits = "select count(*)::text from pg_stat_activity where datname = current_database()
                     and application_name like 'midwatch/run%' and wait_event_type = 'Lock'";
        until("the run waits for a row", async || {
            assert!(!program.is_over(), "{}", program.said());
            self.home.value(waits).await == "1"
        })
        .await;
        match end {
            End::Killed => {
                program.kill9();
                holder.execute_script("rollback").await.unwrap();
            }
            End::Interrupted => {
                program.interrupt();
                holder.execute_script("rollback").await.unwrap();
                assert_eq!(program.end().await.code, 7);
            }
            End::Drifts(sql) => {
                holder.execute_script(&format!("{}; commit", sql.replace("{id}", &id))).await.unwrap();
                assert_eq!(program.end().await.code, 7);
            }
        }
        self.sessions_end(holder).await;
        self.note(&file, before, back).await;
    }

    async fn sessions_end(&self, holder: Owner) {
        holder.close().await;
        let sql = "select count(*)::text from pg_stat_activity
                   where datname = current_database() and application_name ~ '^midwatch/(run|lock|reader)'";
        until("sessions end", async || self.home.value(sql).await == "0").await;
    }

    /// Killed while it waits for a session that holds the table.
    async fn killed_before_the_swap(&mut self, args: &[&str], table: &str, back: Back) {
        let (file, before) = (self.file(args), self.state().await);
        let plan = self.home.plan(&file, args);
        let mut holder = self.home.owner().await;
        holder.execute_script(&format!("begin; lock table {table} in access share mode")).await.unwrap();
        let path = self.home.plan_file(&file);
        let mut program =
            self.home.start(&["apply", &path, "--confirm", plan["phrase"].as_str().unwrap(), "--json"]);
        let waits = "select coalesce((select message like 'not tried yet%' from midwatch.runs order by id desc limit 1), false)::text";
        until("the swap waits", async || {
            assert!(!program.is_over(), "{}", program.said());
            self.home.value(waits).await == "true"
        })
        .await;
        program.kill9();
        holder.execute_script("rollback").await.unwrap();
        self.sessions_end(holder).await;
        self.note(&file, before, back).await;
    }

    /// Rows that a plan would change, as `ids=…`: four times sixteen, no employee in two of them.
    async fn ids_apart(&self, args: &[&str]) -> [String; 4] {
        let (code, value) = self.home.json(args);
        assert_eq!(code, 0, "{value:#}");
        let rows = value["plan"]["diff"].as_array().unwrap();
        let ids: Vec<_> = rows.iter().map(|r| r["key"]["id"].as_str().unwrap()).collect();
        let mut out = [const { String::new() }; 4];
        for (at, out) in out.iter_mut().enumerate() {
            let sql = format!(
                "select string_agg(id::text, ',') from (select e.id from attendance_events e
                   join (select id, row_number() over (order by id) % 4 as part from employees) x on x.id = e.employee_id
                   where x.part = {at} and e.id = any('{{{}}}') order by e.id limit 16) q",
                ids.join(",")
            );
            *out = format!("ids={}", self.home.value(&sql).await);
            assert_eq!(out.split(',').count(), 16, "{out}");
        }
        out
    }

    /// A plan file that is never applied.
    fn save(&mut self, file: &str, args: &[&str]) {
        self.home.plan(file, args);
        self.saved.push(json!({ "file": file, "target": self.home.target }));
    }

    fn at(&mut self, target: &'static str) {
        self.home = self.home.at(target);
    }

    /// What the program says of each run now, and the number of entries.
    async fn expected(mut self) -> Value {
        let (_, listed) = self.home.json(&["runs"]);
        for run in listed["runs"].as_array().unwrap() {
            let at: usize = run["id"].as_str().unwrap().parse().unwrap();
            self.made[at - 1]["record"] = run.clone();
        }
        let entries: u64 =
            self.home.value("select count(*)::text from midwatch.events").await.parse().unwrap();
        json!({ "entries": entries, "runs": self.made, "saved": self.saved })
    }
}

enum End {
    Killed,
    Interrupted,
    Drifts(&'static str),
}

/// Takes what is requeued, which the run waits for.
fn worker(socket: &Path) {
    let take = async {
        let mut owner = Owner::connect(socket, "keeper", "hithonix").await.unwrap();
        let mut taken = 0;
        until("all jobs are taken", async || {
            taken +=
                owner.execute("update jobs set state = 'done' where state = 'waiting'", &[]).await.unwrap();
            taken == 9
        })
        .await;
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(take);
}

async fn hithonix(server: &Server, dir: &Path) -> Value {
    let mut runs = Runs::new(Home::new(server, dir, "hithonix"), include_str!("hithonix.sql")).await;
    let backfill = |limit: &'static str| ["plan", "backfill", "--set", limit];
    runs.applied(&["plan", "init"], Back::No).await;
    runs.at("jobs");
    let socket = server.socket_dir();
    let worker = std::thread::spawn(move || worker(&socket));
    let requeue = ["plan", "requeue", "jobs", "--set", "finding=state/failed", "--set", "limit=9"];
    runs.applied(&requeue, Back::Mixed).await;
    worker.join().unwrap();
    // Some are as the run left them again: those can be undone.
    runs.home.sql("update jobs set state = 'waiting' where tries = 0 and id % 2 = 1").await;
    runs.at("hithonix");
    let resolve = [
        "plan",
        "resolve",
        "keka-sync",
        "--set",
        "finding=state/FAILED",
        "--set",
        "to=SKIPPED",
        "--set",
        "reason=golden",
        "--set",
        "limit=12",
    ];
    let drift = "set session_replication_role = replica; update attendance_events set sync_status = 'SUCCESS' where id = '{id}'";
    runs.held(&resolve, "attendance_events", 9, End::Drifts(drift), Back::Mixed).await;
    // Its undo appends: lossy.
    runs.applied(&["plan", "fix", "duplicate_clock_in", "--set", "limit=9"], Back::Mixed).await;
    runs.applied(&backfill("limit=16"), Back::Exact).await;
    runs.applied(&["plan", "backfill", "--set", "strategy=repairs", "--set", "limit=9"], Back::Exact).await;
    runs.applied(&["plan", "fix", "status_mismatch", "--set", "limit=9"], Back::Exact).await;
    let undone = runs.applied(&backfill("limit=10"), Back::No).await;
    runs.applied(&["undo", undone["id"].as_str().unwrap()], Back::No).await;
    // Each has employees of its own, so that all of them can be resumed and verified.
    let [first, second, third, fourth] = runs.ids_apart(&backfill("limit=200")).await;
    let backfill_of = |ids| ["plan", "backfill", "--set", ids];
    runs.fails(&backfill_of(&first), 1, "failed", Back::Exact).await;
    runs.held(&backfill_of(&second), "attendance_events", 9, End::Killed, Back::Mixed).await;
    runs.held(&backfill_of(&third), "attendance_events", 9, End::Interrupted, Back::Mixed).await;
    runs.fails(&backfill_of(&fourth), 2, "partial", Back::Mixed).await;
    runs.save("saved-backfill.json", &backfill("limit=3"));
    runs.expected().await
}

async fn hospitality(server: &Server, dir: &Path) -> Value {
    let mut runs = Runs::new(Home::new(server, dir, "hospitality"), include_str!("hospitality.sql")).await;
    let plain = ["--set", "monitor=0", "--set", "backup=skip"];
    let on = |verb: &'static str, name: &'static str| ["plan", verb, name];
    let switchover = |name: &'static str| [&["plan", "switchover", name][..], &plain].concat();
    runs.applied(&["plan", "init"], Back::No).await;
    runs.applied(&on("repair-triggers", "daily_cash_balances"), Back::Exact).await;
    let undone = runs.applied(&on("repair", "daily_cash_balances"), Back::No).await;
    runs.applied(&["undo", undone["id"].as_str().unwrap()], Back::No).await;
    runs.applied(&on("repair", "daily_cash_balances"), Back::Exact).await;
    runs.applied(&on("repair", "expenses"), Back::No).await;
    runs.applied(&on("copy-missing", "revenues"), Back::Exact).await;
    runs.held(&on("repair", "revenues"), "revenues_partitioned", 9, End::Killed, Back::Exact).await;
    runs.applied(&on("repair", "revenues"), Back::Exact).await;
    runs.applied(&on("watch", "daily_cash_balances"), Back::Exact).await;
    runs.applied(&["plan", "rehearse", "--set", "seconds=1s", "--set", "writers=2"], Back::No).await;
    runs.applied(&switchover("expenses"), Back::No).await;
    let retire = ["plan", "cleanup", "expenses", "--set", "accept=foreign_key", "--set", "backup=make"];
    let retired = runs.applied(&retire, Back::No).await;
    runs.applied(&["undo", retired["id"].as_str().unwrap()], Back::No).await;
    runs.applied(&retire, Back::No).await;
    runs.applied(&["plan", "cleanup", "expenses", "--set", "quiet=0", "--set", "accept=quiet"], Back::No)
        .await;
    let hooks = [
        "plan",
        "switchover",
        "revenues",
        "--set",
        "monitor=1s",
        "--set",
        "before=echo off",
        "--set",
        "after=echo on",
    ];
    runs.applied(&hooks, Back::No).await;
    runs.applied(&["plan", "rollback", "revenues", "--set", "monitor=0"], Back::No).await;
    runs.applied(&switchover("daily_cash_balances"), Back::Mixed).await;
    runs.killed_before_the_swap(&switchover("revenues"), "revenues", Back::Mixed).await;
    runs.save("saved-rollback.json", &["plan", "rollback", "daily_cash_balances", "--set", "monitor=0"]);
    runs.expected().await
}

#[tokio::test]
#[ignore = "make golden: writes tests/fixtures/golden"]
async fn the_fixture_is_made() {
    let server = tokio::task::spawn_blocking(cluster::start).await.unwrap();
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("plans")).unwrap();
    fs::write(home.path().join("jobs.toml"), include_str!("jobs.toml")).unwrap();
    let mut postgres = server.owner("postgres").await.unwrap();
    postgres.execute_script(&format!("create role {OPERATOR} login")).await.unwrap();
    let databases = json!({
        "hithonix": hithonix(&server, home.path()).await,
        "hospitality": hospitality(&server, home.path()).await,
    });
    // Small: a server of its own needs no other database to start.
    for database in ["hithonix", "hospitality"] {
        let mut owner = server.owner(database).await.unwrap();
        owner.execute_script("vacuum full").await.unwrap();
        owner.close().await;
    }
    postgres.execute_script("alter database template0 is_template false").await.unwrap();
    postgres.execute_script("drop database template0").await.unwrap();
    postgres.execute_script("checkpoint").await.unwrap();
    postgres.close().await;
    let out = PathBuf::from(std::env::var_os("MIDWATCH_GOLDEN").expect("MIDWATCH_GOLDEN: a directory"));
    fs::create_dir_all(&out).unwrap();
    cluster::pack(&server, &out.join("data.tar.xz"));
    // Backups and programs' output are no part of what is read later.
    let _ = fs::remove_dir_all(home.path().join(".local/state/midwatch/backups"));
    for entry in fs::read_dir(home.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "out" || e == "err") {
            fs::remove_file(path).unwrap();
        }
    }
    fs::remove_file(home.path().join("midwatch.toml")).unwrap();
    cluster::pack_dir(home.path(), &out.join("home.tar.xz"));
    fs::write(out.join("expected.json"), format!("{databases:#}\n")).unwrap();
}
