//! An operator's desk: a home with a configuration, keys and the journal's copy, on a database that others can write.

use std::path::PathBuf;
use std::process::Command;

use midwatch::compose;
use midwatch::dialect::postgres::owner::Owner;
use midwatch::engine::Engine;
use midwatch::engine::model::policy::Policy;
use midwatch::profile::{Secret, Selected, TargetConfig};
use serde_json::Value;

use crate::common::{Run, demo_database, midwatch, run};

/// Batches of eight; a lock is given up at once.
const POLICY: &str = "batch_rows = 8\nlock_timeout_ms = 50\nlock_attempts = 1\nallow_unknown_lag = true\n";

pub(crate) struct Desk {
    pub(crate) home: tempfile::TempDir,
    pub(crate) database: String,
    pub(crate) url: String,
    policy: String,
}

impl Desk {
    /// On a system of its own, which has a journal.
    pub(crate) async fn new() -> Self {
        let (database, _) = demo_database("hithonix", 4_000).await;
        Self::at(&database.name, &database.url())
    }

    fn at(database: &str, url: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let desk = Self { home, database: database.into(), url: url.into(), policy: POLICY.into() };
        desk.configure("");
        desk
    }

    /// Another operator's, on the same database: another installation.
    pub(crate) fn another(&self) -> Self {
        Self::at(&self.database, &self.url)
    }

    /// With more of a policy.
    pub(crate) fn configure(&self, more: &str) {
        self.configure_as("demo", more);
    }

    /// The same of an environment.
    pub(crate) fn configure_as(&self, environment: &str, more: &str) {
        let text = format!(
            "[policy]\n{}{more}\n[targets.main]\nurl = \"{}\"\nprofile = \"hithonix\"\nenvironment = \"{environment}\"\n",
            self.policy, self.url
        );
        std::fs::write(self.home.path().join("midwatch.toml"), text).unwrap();
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = midwatch(self.home.path());
        command.env("USER", "dana");
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        run(self.command().args(args))
    }

    pub(crate) fn json(&self, args: &[&str]) -> (i32, Value) {
        let run = self.run(&[args, &["--json"]].concat());
        (run.code, run.json())
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Where its key, its list of keys and the journal's copy are.
    pub(crate) fn state(&self) -> PathBuf {
        self.file(".local/state/midwatch")
    }

    /// The journal's copy.
    pub(crate) fn copy(&self) -> PathBuf {
        let all = std::fs::read_dir(self.state().join("journal")).unwrap().map(|f| f.unwrap().path());
        let copies: Vec<_> = all.filter(|p| p.extension().is_some_and(|e| e == "jsonl")).collect();
        assert_eq!(copies.len(), 1, "{copies:?}");
        copies[0].clone()
    }

    pub(crate) fn plan(&self, name: &str, args: &[&str]) -> Value {
        let file = self.file(name);
        let (code, value) = self.json(&[args, &["--out", file.to_str().unwrap()]].concat());
        assert_eq!(code, 0, "{value:#}");
        value["plan"].clone()
    }

    pub(crate) fn apply(&self, name: &str, plan: &Value) -> (i32, Value) {
        self.json(&[
            "apply",
            self.file(name).to_str().unwrap(),
            "--confirm",
            plan["phrase"].as_str().unwrap(),
        ])
    }

    /// Plans and applies; the run.
    pub(crate) fn applied(&self, name: &str, args: &[&str]) -> Value {
        let plan = self.plan(name, args);
        let (code, value) = self.apply(name, &plan);
        assert_eq!((code, value["run"]["outcome"].as_str()), (0, Some("applied")), "{value:#}");
        value["run"].clone()
    }

    /// Applies a plan while another session holds something; the run, which stopped there.
    pub(crate) async fn stopped_by(&self, hold: &str, file: &str, plan: &Value, more: &[&str]) -> String {
        let mut holder = self.owner().await;
        holder.execute_script(&format!("begin; {hold}")).await.unwrap();
        let file = self.file(file);
        let apply = ["apply", file.to_str().unwrap(), "--confirm", plan["phrase"].as_str().unwrap()];
        let (code, value) = self.json(&[&apply, more].concat());
        holder.execute_script("rollback").await.unwrap();
        holder.close().await;
        // Before its first batch, or after one.
        assert!([6, 7].contains(&code) && value["run"]["resumable"] == true, "{value:#}");
        value["run"]["id"].as_str().unwrap().to_owned()
    }

    /// A run of three batches that stopped before its second, on a row that another session held.
    pub(crate) async fn interrupted(&self, name: &str) -> (String, Value) {
        let plan = self.plan(name, &["plan", "backfill", "--set", "limit=24"]);
        let table = plan["steps"][0]["action"]["table"].as_str().unwrap();
        let id = &plan["diff"][10]["key"]["id"];
        let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        let hold = format!("select from {table} where id = '{id}' for update");
        (self.stopped_by(&hold, name, &plan, &[]).await, plan)
    }

    pub(crate) async fn owner(&self) -> Owner {
        crate::common::shared_server().owner(&self.database).await.unwrap()
    }

    pub(crate) async fn value(&self, sql: &str) -> String {
        let mut owner = self.owner().await;
        let value =
            owner.fetch_value(sql, &[]).await.unwrap_or_else(|e| panic!("{e} in {sql}")).unwrap_or_default();
        owner.close().await;
        value
    }

    pub(crate) async fn sql(&self, sql: &str) {
        let mut owner = self.owner().await;
        owner.execute_script(sql).await.unwrap_or_else(|e| panic!("{e} in {sql}"));
        owner.close().await;
    }

    /// What the program would see, without starting it.
    pub(crate) async fn engine(&self) -> Engine {
        let config = TargetConfig { profile: Some("hithonix".into()), ..TargetConfig::default() };
        let selected = Selected {
            name: "main".into(),
            config,
            url: Some(Secret::new(&self.url)),
            base: self.home.path().to_owned(),
            policy: Policy::default(),
            state_dir: Some(self.state()),
        };
        compose::connect(selected).await.unwrap()
    }
}
