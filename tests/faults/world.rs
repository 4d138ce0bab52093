//! A database of its own, an operator's home, and the program on it.

use midwatch::dialect::postgres::owner::{Owner, TextRow};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::common::Run;
use crate::program::{Program, until};
use crate::servers::{Rig, Template};

/// A policy under which two dozen rows are several batches, and waits are short.
pub(crate) const POLICY: &str = "batch_rows = 7\nlock_timeout_ms = 150\nlock_attempts = 3\nreconnect_s = 0";

/// One target.
pub(crate) struct World {
    pub(crate) rig: &'static Rig,
    pub(crate) db: String,
    pub(crate) home: TempDir,
    template: Template,
    /// For looking: a session for each look would cost more than the look.
    eye: Mutex<Option<Owner>>,
}

/// A plan in a file.
pub(crate) struct Planned {
    pub(crate) file: String,
    pub(crate) phrase: String,
    pub(crate) rows: u64,
    pub(crate) plan: Value,
}

impl Planned {
    pub(crate) fn apply(&self) -> [&str; 5] {
        ["apply", &self.file, "--confirm", &self.phrase, "--json"]
    }
}

impl World {
    /// On a database that is there.
    pub(crate) fn on(rig: &'static Rig, db: &str, template: Template) -> Self {
        let world = Self {
            rig,
            db: db.to_owned(),
            home: tempfile::tempdir().unwrap(),
            template,
            eye: Mutex::default(),
        };
        world.policy(POLICY);
        world
    }

    /// On a copy of a template.
    pub(crate) async fn new(rig: &'static Rig, template: Template) -> Self {
        let db = rig.database(template).await;
        let world = Self::on(rig, &db, template);
        // An undo restores nothing that an unknown key tells of.
        if template == Template::Backfilled {
            for key in world.rows("select fingerprint from midwatch.installations").await {
                let trusted = world.midwatch(&["key", "trust", key[0].as_ref().unwrap()]).await;
                assert_eq!(trusted.code, 0, "{trusted:?}");
            }
        }
        world
    }

    /// What is allowed from now on.
    pub(crate) fn policy(&self, policy: &str) {
        self.configure(&self.rig.server.url(&self.db), policy);
    }

    /// The same on another way to the database.
    pub(crate) fn configure(&self, url: &str, policy: &str) {
        let profile = self.template.profile();
        let text = format!(
            "default_target = \"t\"\n[targets.t]\nurl = \"{url}\"\nprofile = \"{profile}\"\nenvironment = \"demo\"\n[policy]\n{policy}\n"
        );
        std::fs::write(self.home.path().join("midwatch.toml"), text).unwrap();
    }

    pub(crate) async fn owner(&self) -> Owner {
        self.rig.owner(&self.db).await
    }

    /// The only value of a query.
    pub(crate) async fn value(&self, sql: &str) -> String {
        let mut rows = self.rows(sql).await;
        if rows.is_empty() { String::new() } else { rows.remove(0).remove(0).unwrap_or_default() }
    }

    /// Rows of a query.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<TextRow> {
        let mut eye = self.eye.lock().await;
        // The server may have been killed since the last look.
        if let Some(owner) = &mut *eye
            && let Ok(rows) = owner.fetch_text(sql, &[]).await
        {
            return rows;
        }
        eye.insert(self.owner().await).fetch_text(sql, &[]).await.unwrap()
    }

    pub(crate) async fn execute(&self, sql: &str) {
        self.owner().await.execute_script(sql).await.unwrap();
    }

    pub(crate) fn start(&self, args: &[&str]) -> Program {
        Program::start(self.home.path(), "first", args)
    }

    /// Another operator, from the same machine.
    pub(crate) fn start_second(&self, args: &[&str]) -> Program {
        Program::start(self.home.path(), "second", args)
    }

    /// To its end.
    pub(crate) async fn midwatch(&self, args: &[&str]) -> Run {
        self.start(args).end().await
    }

    /// `plan …` or `undo …` into a file.
    pub(crate) async fn plan(&self, args: &[&str], file: &str) -> Planned {
        // The event triggers that hold and strike here are in no copy: what was tried without them is accepted.
        let untried: &[&str] = match args.get(1) {
            Some(&"repair-triggers") => &["--set", "unproved=accept"],
            Some(&("switchover" | "rollback")) => &["--set", "accept=untried"],
            _ => &[],
        };
        let all: Vec<&str> = args.iter().chain(untried).copied().chain(["--out", file, "--json"]).collect();
        let run = self.midwatch(&all).await;
        assert_eq!(run.code, 0, "{args:?}: {run:?}");
        let plan = run.json()["plan"].clone();
        let text = |name: &str| plan[name].as_str().unwrap().to_owned();
        Planned { file: file.into(), phrase: text("phrase"), rows: plan["rows"].as_u64().unwrap(), plan }
    }

    /// Plans and applies; nothing is in the way.
    pub(crate) async fn apply_now(&self, args: &[&str]) -> Planned {
        let planned = self.plan(args, "now.json").await;
        let run = self.midwatch(&planned.apply()).await;
        assert_eq!(run.code, 0, "{args:?}: {run:?}");
        planned
    }

    /// Makes a step hold, or fail with a code.
    pub(crate) async fn arm(&self, step: &str, batch: Option<u64>, code: Option<&str>) {
        let batch = batch.map_or_else(|| "null".into(), |b| b.to_string());
        let code = code.map_or_else(|| "null".into(), |c| format!("'{c}'"));
        self.execute(&format!("insert into fault.gate values ('{step}', {batch}, {code})")).await;
    }

    pub(crate) async fn disarm(&self) {
        self.execute("delete from fault.gate").await;
    }

    /// The program stands where a gate holds it, or where it waits for a lock.
    pub(crate) async fn held(&self, program: &mut Program, application: &str, wait: &str) -> String {
        let mut pid = String::new();
        until(&format!("{application} is held"), async || {
            assert!(!program.is_over(), "it ended before it was held: {}", program.said());
            pid = self.waiting(application, wait).await;
            !pid.is_empty()
        })
        .await;
        pid
    }

    /// The session of ours that waits so; empty: there is none.
    pub(crate) async fn waiting(&self, application: &str, wait: &str) -> String {
        let sql = format!(
            "select min(pid)::text from pg_stat_activity where datname = '{}' and application_name like '{application}%' and {wait}",
            self.db
        );
        self.value(&sql).await
    }

    /// All of them end by themselves.
    pub(crate) async fn sessions_end(&self) {
        let sql = format!(
            "select count(*)::text from pg_stat_activity where datname = '{}' and application_name ~ '^midwatch/(run|lock|reader)'",
            self.db
        );
        until("our sessions end", async || self.value(&sql).await == "0").await;
    }

    /// Ends a session and waits until it is gone.
    pub(crate) async fn terminate(&self, pid: &str) {
        self.value(&format!("select pg_terminate_backend({pid})::text")).await;
        let sql = format!("select count(*)::text from pg_stat_activity where pid = {pid}");
        until("the session is gone", async || self.value(&sql).await == "0").await;
    }

    /// Cancels what a session does and waits until it does not do it any more.
    pub(crate) async fn cancel(&self, pid: &str) {
        let asks = format!(
            "select coalesce(max(query_start::text), '') from pg_stat_activity where pid = {pid} and state = 'active'"
        );
        let before = self.value(&asks).await;
        self.value(&format!("select pg_cancel_backend({pid})::text")).await;
        until("the statement is cancelled", async || self.value(&asks).await != before).await;
    }

    /// The latest run in the journal.
    pub(crate) async fn last_run(&self) -> i64 {
        let sql = "select coalesce(max(id), 0)::text from midwatch.runs";
        if self.value("select (to_regclass('midwatch.runs') is not null)::text").await == "false" {
            return 0;
        }
        self.value(sql).await.parse().unwrap()
    }

    /// No session of ours is left: a template has none.
    pub(crate) async fn close(self) {
        if let Some(eye) = self.eye.into_inner() {
            eye.close().await;
        }
    }

    /// Room for the next cases.
    pub(crate) async fn drop(self) {
        self.rig.server.drop_database(&self.db).await.unwrap();
    }
}

/// Nothing of the journal was altered and all of it was read. That its template was made by another installation, whose key
/// is not confirmed here, is all that is not known.
pub(crate) fn unaltered(verified: &Run) {
    let journal = &verified.json()["journal"];
    // The triggers of these tests are there, and it says so.
    let ours = |f: &Value| {
        let text = f.as_str().unwrap_or_default();
        text.starts_with("trigger midwatch.") && text.contains(".fault") && text.ends_with(" was added")
    };
    let findings = journal["findings"].as_array().unwrap();
    assert!(matches!(verified.code, 0 | 1 | 5), "{verified:?}");
    assert!(findings.iter().all(ours), "{verified:?}");
    assert_eq!(journal["unobserved"].as_array().map(Vec::len), Some(0), "{verified:?}");
}
