//! An operator's home: configuration, state directory, plan files; and the program.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use midwatch::dialect::postgres::owner::Owner;
use midwatch::sandbox::Server;
use serde_json::Value;

use crate::cluster;
use crate::cluster::OPERATOR;
use crate::common::{Run, midwatch, run};
use crate::program::Program;

/// Batches of seven, and locks that are waited for long enough to be killed meanwhile.
const POLICY: &str = "batch_rows = 7\nlock_timeout_ms = 60000\nallow_unknown_lag = true\nreconnect_s = 0\n";

/// Target, its database, its profile; a file is looked for beside the configuration.
pub(crate) const TARGETS: [(&str, &str, &str); 3] = [
    ("hithonix", "hithonix", "hithonix"),
    ("jobs", "hithonix", "jobs.toml"),
    ("hospitality", "hospitality", "hospitality"),
];

pub(crate) struct Home<'s> {
    pub(crate) server: &'s Server,
    pub(crate) dir: PathBuf,
    pub(crate) target: &'static str,
}

impl<'s> Home<'s> {
    /// With a configuration that fits the server.
    pub(crate) fn new(server: &'s Server, dir: &Path, target: &'static str) -> Self {
        let mut text = format!("[policy]\n{POLICY}");
        for (name, database, profile) in TARGETS {
            let url = server.url(database).replace("keeper@", &format!("{OPERATOR}@"));
            let _ = write!(
                text,
                "[targets.{name}]\nurl = \"{url}\"\nprofile = \"{profile}\"\nenvironment = \"demo\"\n"
            );
        }
        std::fs::write(dir.join("midwatch.toml"), text).unwrap();
        Self { server, dir: dir.to_owned(), target }
    }

    /// The same home, another target.
    pub(crate) fn at(&self, target: &'static str) -> Self {
        Self { server: self.server, dir: self.dir.clone(), target }
    }

    pub(crate) fn database(&self) -> &'static str {
        TARGETS.iter().find(|t| t.0 == self.target).unwrap().1
    }

    fn command(&self) -> Command {
        let mut command = midwatch(&self.dir);
        command.env("USER", "dana").env("MIDWATCH_PG_BIN", cluster::binaries().dir);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        run(self.command().args(args).args(["--target", self.target]))
    }

    pub(crate) fn json(&self, args: &[&str]) -> (i32, Value) {
        let run = self.run(&[args, &["--json"]].concat());
        (run.code, run.json())
    }

    /// To be killed.
    pub(crate) fn start(&self, args: &[&str]) -> Program {
        Program::start(&self.dir, "dana", &[args, &["--target", self.target]].concat())
    }

    /// `plan …` or `undo …` into a file below `plans`.
    pub(crate) fn plan(&self, file: &str, args: &[&str]) -> Value {
        let file = self.plan_file(file);
        let (code, value) = self.json(&[args, &["--out", &file]].concat());
        assert_eq!(code, 0, "{args:?}: {value:#}");
        let plan = value["plan"].clone();
        let blocks = |p: &&Value| matches!(p["status"].as_str(), Some("fail" | "unknown"));
        let blocking: Vec<_> = plan["preflight"].as_array().unwrap().iter().filter(blocks).collect();
        assert!(blocking.is_empty(), "{args:?}: {blocking:#?}");
        plan
    }

    pub(crate) fn plan_file(&self, name: &str) -> String {
        self.dir.join("plans").join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn apply(&self, file: &str, plan: &Value) -> (i32, Value) {
        self.json(&["apply", &self.plan_file(file), "--confirm", plan["phrase"].as_str().unwrap()])
    }

    pub(crate) async fn owner(&self) -> Owner {
        self.server.owner(self.database()).await.unwrap()
    }

    pub(crate) async fn value(&self, sql: &str) -> String {
        let mut owner = self.owner().await;
        let value = owner.fetch_value(sql, &[]).await.unwrap().unwrap_or_default();
        owner.close().await;
        value
    }

    pub(crate) async fn sql(&self, sql: &str) {
        let mut owner = self.owner().await;
        owner.execute_script(sql).await.unwrap_or_else(|e| panic!("{e} in {sql}"));
        owner.close().await;
    }
}
