//! A database with problems to mend, an operator's home, and the program.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use midwatch::dialect::postgres::owner::Owner;
use midwatch::engine::model::digest::digest_of;
use midwatch::engine::model::name::Relation;
use midwatch::engine::model::plan::Plan;
use midwatch::engine::model::step::Action;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::common::{Database, Run, demo_copy, demo_database, midwatch, run};
use crate::schema;

pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) home: tempfile::TempDir,
}

/// A plan as an earlier version would have written it: its names, and the questions about them, are left to the search
/// path.
pub(crate) fn of_an_earlier_version(plan: &mut Plan) {
    plan.names_with_schema = false;
    for step in &mut plan.steps {
        let Action::Rows(change) = &mut step.action else { continue };
        let mut names = vec![(change.relation(&Relation::parse), Relation::parse(&change.table))];
        change.resolved = None;
        for derived in &mut change.derived {
            names.push((derived.relation(&Relation::parse), Relation::parse(&derived.table)));
            derived.resolved = None;
        }
        let questions = plan.verify.iter_mut().map(|v| &mut v.sql);
        for text in questions.chain(change.canary.iter_mut().map(|c| &mut c.sql)) {
            for (resolved, name) in &names {
                *text = text.replace(&resolved.to_string(), &name.to_string());
            }
        }
    }
}

/// A home's key of the installation.
const KEY: &str = ".local/state/midwatch/installation.key";

/// Tables whose content a change and its undo must leave as it was.
const TABLES: [&str; 3] = ["attendance_events", "daily_status", "repairs.business_dates"];

impl World {
    /// A copy of the demo's hithonix, as target `main`.
    pub(crate) async fn hithonix() -> Self {
        let (database, _) = demo_database("hithonix", 2_000).await;
        Self::on(database, "profile = \"hithonix\"\nenvironment = \"demo\"")
    }

    /// A copy of the demo's hospitality, as target `main`, its journal there.
    pub(crate) async fn hospitality() -> Self {
        Self::on_hospitality(demo_database("hospitality", 2_000).await.0)
    }

    /// The same with its twins mended by the program: a copy of one, with the key of the installation that mended it.
    pub(crate) async fn mended() -> Self {
        static MENDED: OnceCell<(String, Vec<u8>)> = OnceCell::const_new();
        let (template, key) = MENDED
            .get_or_init(|| async {
                let world = Self::hospitality().await;
                for operation in ["repair-triggers", "repair", "copy-missing"] {
                    let plan = world.plan("p.json", &[operation]);
                    world.applied("p.json", &plan);
                }
                (world.database.name.clone(), std::fs::read(world.file(KEY)).unwrap())
            })
            .await;
        let world = Self::on_hospitality(demo_copy(template).await);
        let file = world.file(KEY);
        DirBuilder::new().recursive(true).mode(0o700).create(file.parent().unwrap()).unwrap();
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(file)
            .unwrap()
            .write_all(key)
            .unwrap();
        world
    }

    fn on_hospitality(database: Database) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/hospitality");
        Self::on(
            database,
            &format!("profile = \"hospitality\"\nenvironment = \"demo\"\nmigrations = \"{folder}\""),
        )
    }

    pub(crate) fn on(database: Database, target: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let world = Self { database, home };
        world.configure(&format!("[targets.main]\nurl = \"{}\"\n{target}\n", world.database.url()));
        world
    }

    pub(crate) fn configure(&self, text: &str) {
        std::fs::write(self.home.path().join("midwatch.toml"), text).unwrap();
    }

    /// From now on plans of other installations are accepted.
    pub(crate) fn accept_foreign_plans(&self) {
        let text = std::fs::read_to_string(self.file("midwatch.toml")).unwrap();
        self.configure(&format!("[policy]\naccept_foreign_plans = true\n{text}"));
    }

    /// Alters the plan in a file as another installation could, which signs with its own key.
    pub(crate) fn altered(&self, name: &str, alter: impl FnOnce(&mut Plan)) -> Value {
        let path = self.file(name);
        let mut envelope: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let mut plan: Plan = serde_json::from_value(envelope["plan"].take()).unwrap();
        alter(&mut plan);
        plan.signature = Some("elsewhere:none".into());
        plan.seal();
        envelope["plan"] = serde_json::to_value(plan).unwrap();
        std::fs::write(&path, envelope.to_string()).unwrap();
        envelope["plan"].clone()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        run(midwatch(self.home.path()).env("USER", "dana").args(args))
    }

    /// With `--json`, held against the schema.
    pub(crate) fn json(&self, args: &[&str]) -> (i32, Value) {
        let run = self.run(&[args, &["--json"]].concat());
        let value = run.json();
        schema::assert_valid(&value);
        (run.code, value)
    }

    /// Plans into `name` and gives the plan.
    pub(crate) fn plan(&self, name: &str, args: &[&str]) -> Value {
        let file = self.file(name);
        let (code, value) = self.json(&[&["plan"], args, &["--out", file.to_str().unwrap()]].concat());
        assert_eq!(code, 0, "{value:#}");
        value["plan"].clone()
    }

    pub(crate) fn undo(&self, name: &str, run: &str) -> Value {
        let file = self.file(name);
        let (code, value) = self.json(&["undo", run, "--out", file.to_str().unwrap()]);
        assert_eq!(code, 0, "{value:#}");
        value["plan"].clone()
    }

    pub(crate) fn apply(&self, name: &str, phrase: &str) -> (i32, Value) {
        self.json(&["apply", self.file(name).to_str().unwrap(), "--confirm", phrase])
    }

    /// Applies a plan with its own phrase; it must succeed.
    pub(crate) fn applied(&self, name: &str, plan: &Value) -> Value {
        let (code, value) = self.apply(name, plan["phrase"].as_str().unwrap());
        assert_eq!((code, value["run"]["outcome"].as_str()), (0, Some("applied")), "{value:#}");
        value["run"].clone()
    }

    pub(crate) async fn owner(&self) -> Owner {
        self.database.owner().await
    }

    pub(crate) async fn value(&self, sql: &str) -> String {
        self.owner().await.fetch_value(sql, &[]).await.unwrap().unwrap_or_default()
    }

    /// From now on as a role that may look at everything, and has these grants besides.
    pub(crate) async fn as_role(&self, role: &str, grants: &str) {
        self.sql(&format!(
            "do $$ begin create role {role} login; exception when duplicate_object then null; end $$;
             grant usage on schema public, repairs, midwatch to {role};
             grant select on all tables in schema public, repairs, midwatch to {role}; {grants}"
        ))
        .await;
        let url = self.database.url().replace("keeper@", &format!("{role}@"));
        self.configure(&format!(
            "[targets.main]\nurl = \"{url}\"\nprofile = \"hithonix\"\nenvironment = \"demo\"\n[policy]\nallow_unknown_load = true\n"
        ));
    }

    pub(crate) async fn sql(&self, sql: &str) {
        self.owner().await.execute_script(sql).await.unwrap();
    }

    /// The journal's owner writes another plan in the place of a run's, and its digest into the intent: what a later version
    /// could have written, and what a forger would.
    pub(crate) async fn replace_plan(&self, run: &str, change: impl FnOnce(&mut Value)) {
        let text = self.value(&format!("select plan_text from midwatch.runs where id = {run}")).await;
        let mut plan: Value = serde_json::from_str(&text).unwrap();
        let before = plan["digest"].as_str().unwrap().to_owned();
        change(&mut plan);
        let after = digest_of(plan.clone());
        assert_ne!(before, after);
        plan["digest"] = after.clone().into();
        self.sql(&format!(
            "alter table midwatch.events disable trigger user;
                 update midwatch.runs set plan_text = $plan${plan}$plan$ where id = {run};
                 update midwatch.events set body = replace(body, '{before}', '{after}') where kind = 'intent';
                 alter table midwatch.events enable trigger user"
        ))
        .await;
    }

    /// A sum over everything in the tables.
    pub(crate) async fn snapshot(&self) -> Vec<String> {
        let mut out = vec![];
        for table in TABLES {
            let sql = format!(
                "select '{table} ' || count(*) || ' ' || coalesce(md5(string_agg(t::text, e'\\n' order by t::text)), '') from {table} t"
            );
            out.push(self.value(&sql).await);
        }
        out
    }
}
