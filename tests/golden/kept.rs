//! The fixture, read by this build, five years later by the server's clock.

use std::io::Read as _;
use std::path::Path;

use midwatch::engine::model::diff::PlannedRow;
use midwatch::engine::model::digest::digest_of;
use midwatch::engine::model::event::Event;
use midwatch::engine::model::identity::Identity;
use midwatch::engine::model::stored::StoredPlan;
use midwatch::engine::port::state::{Document, State as _};
use midwatch::features::parity::evidence::PairEvidence;
use midwatch::sandbox::Server;
use midwatch::store::StateFiles;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::cluster::fixture;
use crate::home::Home;
use crate::{cluster, state};

/// One server for all tests; each has a database and a home of its own.
async fn server() -> &'static Server {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    SERVER.get_or_init(async || cluster::start_packed(&fixture("data.tar.xz")).await).await
}

/// Interrupted runs have no age limit, and a plan file is expired whatever the clock of this machine says.
const LATER: &str = "alter function pg_catalog.clock_timestamp() rename to clock_timestamp_builtin;
    create function pg_catalog.clock_timestamp() returns timestamptz language sql volatile as
      'select pg_catalog.clock_timestamp_builtin() + interval ''5 years''';
    -- A default keeps the function, not its name.
    alter table midwatch.runs alter started_at set default pg_catalog.clock_timestamp(), alter beat_at set default pg_catalog.clock_timestamp()";

/// A database of the fixture, its operator's home, and what the build that made it said of it.
struct Golden {
    home: Home<'static>,
    expected: Value,
    _dir: tempfile::TempDir,
}

impl Golden {
    async fn open(name: &'static str) -> Self {
        let server = server().await;
        let dir = unpacked();
        let home = Home::new(server, dir.path(), name);
        home.sql(LATER).await;
        Self { home, expected: expected()[name].take(), _dir: dir }
    }

    fn runs(&self) -> impl DoubleEndedIterator<Item = (&Value, Home<'static>)> {
        let target = |run: &Value| if run["target"] == "jobs" { "jobs" } else { self.home.target };
        self.expected["runs"].as_array().unwrap().iter().map(move |run| (run, self.home.at(target(run))))
    }

    /// No finding; entries of then are compared with the copy of then.
    fn verifies(&self, least: u64) {
        let (code, value) = self.home.json(&["journal", "verify"]);
        let journal = &value["journal"];
        assert_eq!((code, &journal["findings"]), (0, &Value::Array(vec![])), "{value:#}");
        assert!(journal["entries"].as_u64().unwrap() >= least, "{value:#}");
        assert_eq!(journal["mirrored"], journal["entries"], "{value:#}");
    }

    /// Each with the outcome that it had; later builds may say more.
    fn lists_the_same(&self) {
        let (_, listed) = self.home.json(&["runs"]);
        let listed = listed["runs"].as_array().unwrap();
        assert_eq!(listed.len(), self.runs().count());
        for (run, _) in self.runs() {
            let record = run["record"].as_object().unwrap();
            let now = listed.iter().find(|r| r["id"] == record["id"]).unwrap();
            for (name, value) in record {
                assert_eq!(&now[name], value, "{name} of {now:#}");
            }
        }
    }

    /// In the journal as it was written; the plan's file holds the same text, laid out.
    async fn plans_are_unaltered(&self) {
        for (run, home) in self.runs() {
            let id = run["record"]["id"].as_str().unwrap();
            let text = home.value(&format!("select plan_text from midwatch.runs where id = {id}")).await;
            let sha = format!(
                "select encode(sha256(convert_to(plan_text, 'UTF8')), 'hex') from midwatch.runs where id = {id}"
            );
            assert_eq!(home.value(&sha).await, run["plan_sha256"].as_str().unwrap(), "run {id}");
            let file = std::fs::read_to_string(home.plan_file(run["file"].as_str().unwrap())).unwrap();
            let envelope: Value = serde_json::from_str(&file).unwrap();
            assert_eq!(envelope["plan"].to_string(), text, "run {id}");
        }
    }

    /// They are what they were made as, and too old; one that was edited is told apart.
    fn saved_plans_are_expired(&self) {
        for saved in self.expected["saved"].as_array().unwrap() {
            let file = self.home.plan_file(saved["file"].as_str().unwrap());
            let text = std::fs::read_to_string(&file).unwrap();
            let plan = serde_json::from_str::<Value>(&text).unwrap()["plan"].take();
            let apply = |file: &str, what: &str| {
                let (code, value) =
                    self.home.json(&["apply", file, "--confirm", plan["phrase"].as_str().unwrap()]);
                assert_eq!((code, value["run"]["outcome"].as_str()), (4, Some("stale")), "{value:#}");
                assert!(value["error"]["message"].as_str().unwrap().contains(what), "{what}: {value:#}");
            };
            apply(&file, "the plan has expired");
            let edited = Path::new(&file).with_file_name("edited.json");
            let undo = plan["undo"].as_str().unwrap();
            std::fs::write(&edited, text.replacen(undo, &format!("{undo}."), 1)).unwrap();
            std::fs::copy(format!("{file}.rows"), edited.with_file_name("edited.json.rows")).unwrap();
            apply(edited.to_str().unwrap(), "edited");
        }
    }

    /// A plan of another version is told apart from an edited one, before its phrase is asked for; one whose statements
    /// cannot share a transaction is refused as well.
    fn plans_of_another_version_are_refused(&self) {
        let saved = &self.expected["saved"][0]["file"];
        let file = self.home.plan_file(saved.as_str().unwrap());
        let then: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let sealed = |change: fn(&mut Value)| {
            let mut envelope = then.clone();
            change(&mut envelope["plan"]);
            envelope["plan"]["digest"] = digest_of(envelope["plan"].clone()).into();
            envelope
        };
        let field = sealed(|plan| plan["steps"][0]["later"] = true.into());
        let step = sealed(|plan| plan["steps"][0]["action"]["do"] = "teleport".into());
        let argument = sealed(|plan| {
            plan["steps"][0]["action"] =
                serde_json::json!({ "do": "hook", "command": "true", "timeout_s": 1, "later": true });
        });
        let mut version = then.clone();
        version["schema_version"] = 2.into();
        version["plan"]["undo"] = "edited as well".into();
        let other = "made by another version of midwatch";
        // What ran before the fence was looked at, and started over on resume.
        let alone = sealed(|plan| {
            plan["steps"][0]["action"] = serde_json::json!({ "do": "statements" });
            plan["steps"][0]["in_transaction"] = false.into();
        });
        for (what, envelope, expected, why) in [
            ("field", field, 2, other),
            ("step", step, 2, other),
            ("argument", argument, 2, other),
            ("version", version, 2, other),
            ("alone", alone, 3, "statements that cannot share a transaction"),
        ] {
            let other = Path::new(&file).with_file_name("other.json");
            std::fs::write(&other, envelope.to_string()).unwrap();
            std::fs::copy(format!("{file}.rows"), other.with_file_name("other.json.rows")).unwrap();
            let (code, value) = self.home.json(&["apply", other.to_str().unwrap(), "--confirm", "none"]);
            let said = value["error"]["message"].as_str().unwrap();
            assert!(code == expected && said.contains(why), "{what}: {value:#}");
        }
    }

    /// One byte of a stored plan is enough.
    async fn an_altered_plan_is_found(&self) {
        self.home
            .sql("update midwatch.runs set plan_text = replace(plan_text, '\"rows\":', '\"rows\": ') where id = 1")
            .await;
        let (code, value) = self.home.json(&["journal", "verify"]);
        assert_eq!(code, 0, "a blank between fields is no part of what is digested: {value:#}");
        self.home
            .sql("update midwatch.runs set plan_text = replace(plan_text, '\"frozen\":false', '\"frozen\":true') where id = 1")
            .await;
        let (code, value) = self.home.json(&["journal", "verify"]);
        let found = "the plan of run 1 is not the one of its intent: the journal was altered";
        let findings = value["journal"]["findings"].as_array().unwrap();
        assert!(code == 1 && findings.iter().any(|f| f == found), "{value:#}");
    }

    /// The journal of then is read as it is; it has no signatures, so nothing is done before it has room for them.
    fn nothing_changes_before_the_journal_is_up_to_date(&self) {
        let (run, home) = self.runs().find(|(run, _)| run["record"]["resumable"] == true).unwrap();
        let (code, value) = home.json(&["resume", run["record"]["id"].as_str().unwrap()]);
        let said = value["error"]["message"].as_str().unwrap();
        assert!(code == 3 && said.contains("made by an earlier version of midwatch"), "{value:#}");
        let (code, value) = home.json(&["undo", run["record"]["id"].as_str().unwrap()]);
        assert!(code == 3 && value["error"]["message"] == said, "{value:#}");
        let plan = self.home.plan("up-to-date.json", &["plan", "init"]);
        let (code, value) = self.home.apply("up-to-date.json", &plan);
        assert_eq!((code, value["run"]["outcome"].as_str()), (0, Some("applied")), "{value:#}");
    }

    /// Rows of then stand one by one; a block would be read beside them.
    async fn altered_rows_of_then_are_found(&self) {
        for (table, sql) in [
            ("images", "update midwatch.images set before = '{}' where ctid = (select min(ctid) from midwatch.images where before is not null)"),
            ("images", "delete from midwatch.images where ctid = (select max(ctid) from midwatch.images)"),
            ("planned_rows", "update midwatch.planned_rows set key = '{}' where ctid = (select max(ctid) from midwatch.planned_rows)"),
            (
                "image_blocks",
                "insert into midwatch.image_blocks select run, step, batch, relation, array[seq], array[key::text], array[before::text],
                 array[after::text] from midwatch.images limit 1",
            ),
            (
                "planned_blocks",
                "insert into midwatch.planned_blocks select run, step, seq, seq, unit, array[key::text], array[before::text],
                 array[after::text] from midwatch.planned_rows limit 1",
            ),
        ] {
            self.home
                .sql(&format!(
                    "create table public.kept as table midwatch.{table}; set session_replication_role = replica; {sql}"
                ))
                .await;
            let (code, value) = self.home.json(&["journal", "verify"]);
            let findings = value["journal"]["findings"].as_array().unwrap();
            assert!(code == 1 && !findings.is_empty(), "{sql}: {value:#}");
            self.home
                .sql(&format!(
                    "set session_replication_role = replica; truncate midwatch.{table};
                     insert into midwatch.{table} table public.kept; drop table public.kept"
                ))
                .await;
        }
    }

    fn interrupted_runs_resume(&self) {
        let mut resumed = 0;
        for (run, home) in self.runs().filter(|(run, _)| run["record"]["resumable"] == true) {
            let (code, value) = home.json(&["resume", run["record"]["id"].as_str().unwrap()]);
            assert_eq!((code, value["run"]["outcome"].as_str()), (0, Some("applied")), "{value:#}");
            assert_eq!(value["run"]["verified"], true, "{value:#}");
            resumed += 1;
        }
        assert!(resumed > 0);
        // A later run renamed the tables of this one.
        for (run, home) in self.runs().filter(|(run, _)| !run["record"]["overtaken_by"].is_null()) {
            let (code, value) = home.json(&["resume", run["record"]["id"].as_str().unwrap()]);
            assert_eq!(code, 4, "{value:#}");
        }
    }

    /// The latest first; each gives the state before it, or says why it cannot.
    async fn runs_are_undone(&self) {
        for (run, home) in self.runs().rev() {
            let record = &run["record"];
            let id = record["id"].as_str().unwrap();
            let over = record["operation"] == "undo" || !record["undone_by"].is_null();
            if run["undo"] == "no" {
                if !over {
                    let (code, value) = home.json(&["undo", id]);
                    assert_eq!(code, 3, "run {id}: {value:#}");
                }
                continue;
            }
            let file = format!("now-{}-{id}.json", home.target);
            let plan = home.plan(&file, &["undo", id]);
            let (code, value) = home.apply(&file, &plan);
            assert_eq!((code, value["run"]["outcome"].as_str()), (0, Some("applied")), "run {id}: {value:#}");
            assert!(value["run"]["rows_applied"].as_u64().unwrap() > 0, "run {id}: {value:#}");
            if record["operation"] == "watch" {
                assert_eq!(state::captured(&home, record["name"].as_str().unwrap()).await, "0", "run {id}");
            }
            if run["undo"] == "exact" {
                assert_eq!(state::rows(&home).await, run["rows"].as_str().unwrap(), "run {id}");
                let objects = state::objects(&home).await;
                assert_eq!(state::sum(&objects), run["objects"].as_str().unwrap(), "run {id}: {objects}");
            }
        }
    }

    async fn all(&self) {
        self.verifies(self.expected["entries"].as_u64().unwrap());
        self.lists_the_same();
        self.plans_are_unaltered().await;
        self.nothing_changes_before_the_journal_is_up_to_date();
        self.altered_rows_of_then_are_found().await;
        self.saved_plans_are_expired();
        self.plans_of_another_version_are_refused();
        self.interrupted_runs_resume();
        self.runs_are_undone().await;
        self.verifies(self.expected["entries"].as_u64().unwrap() + 1);
        self.an_altered_plan_is_found().await;
    }
}

/// The operator's home of then.
fn unpacked() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    cluster::unpack(&fixture("home.tar.xz"), dir.path());
    dir
}

fn expected() -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture("expected.json")).unwrap()).unwrap()
}

#[tokio::test]
async fn runs_of_then_verify_resume_and_are_undone() {
    Golden::open("hithonix").await.all().await;
}

#[tokio::test]
async fn switchovers_of_then_verify_resume_and_are_undone() {
    Golden::open("hospitality").await.all().await;
}

/// Fields may be added if they are left out when empty; then what is read is written as it was.
#[test]
fn what_is_parsed_is_printed_as_it_was() {
    let dir = unpacked();
    let files = |folder: &str, end: &str| -> Vec<_> {
        let all = std::fs::read_dir(dir.path().join(folder)).unwrap().map(|e| e.unwrap().path());
        let found: Vec<_> = all.filter(|p| p.to_str().unwrap().ends_with(end)).collect();
        assert!(!found.is_empty(), "{folder} {end}");
        found
    };
    for path in files("plans", ".json") {
        let text = std::fs::read_to_string(&path).unwrap();
        let plan = serde_json::from_str::<Value>(&text).unwrap()["plan"].take();
        let stored = StoredPlan::parse(&plan.to_string()).unwrap();
        assert!(stored.is_unaltered(), "{}", path.display());
        let known = stored.into_known_plan().unwrap();
        assert_eq!(serde_json::to_string(&known).unwrap(), plan.to_string(), "{}", path.display());
        let envelope = midwatch::report::json::plan(&known);
        assert_eq!(format!("{envelope:#}\n"), text, "{}", path.display());
    }
    let mut rows = 0;
    for path in files("plans", ".rows") {
        let mut text = String::new();
        let file = std::fs::File::open(&path).unwrap();
        if file.metadata().unwrap().len() == 0 {
            continue;
        }
        flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
        for line in text.lines() {
            let row: PlannedRow = serde_json::from_str(line).unwrap();
            // The server laid these lines out.
            let then: Value = serde_json::from_str(line).unwrap();
            assert_eq!(serde_json::to_string(&row).unwrap(), then.to_string(), "{}", path.display());
            rows += 1;
        }
    }
    assert!(rows > 100, "{rows}");
    for path in files(".local/state/midwatch/journal", ".jsonl") {
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let event: Event = serde_json::from_str(line).unwrap();
            assert_eq!(event.computed_hash(), event.hash);
            assert_eq!(serde_json::to_string(&event).unwrap(), line, "{}", path.display());
        }
    }
}

/// What a check found equal then is read from the same file, and would be written as it was.
#[test]
fn proofs_of_then_are_read_and_written_alike() {
    let (dir, again) = (unpacked(), tempfile::tempdir().unwrap());
    let then = dir.path().join(".local/state/midwatch");
    std::fs::copy(then.join("plan.key"), again.path().join("plan.key")).unwrap();
    let plan = std::fs::read(dir.path().join("plans/hospitality-01-init.json")).unwrap();
    let target = serde_json::from_slice::<Value>(&plan).unwrap()["plan"]["identity"].take();
    let target: Identity = serde_json::from_value(target).unwrap();
    let (kept, now) = (StateFiles::new(Some(then.clone())), StateFiles::new(Some(again.path().to_owned())));
    for name in ["daily_cash_balances", "expenses", "revenues"] {
        let document = Document { folder: "parity", name, holds: "proof" };
        let text = kept.read(&target, &document).unwrap();
        let evidence: PairEvidence = serde_json::from_str(&text).unwrap();
        assert!(!evidence.partitions.is_empty() && !evidence.fingerprint.0.is_empty(), "{name}: {text}");
        assert_eq!(serde_json::to_string(&evidence).unwrap(), text, "{name}");
        now.write(&target, &document, Some(&text)).unwrap();
    }
    let files: Vec<_> = std::fs::read_dir(then.join("parity")).unwrap().map(|f| f.unwrap()).collect();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        let written = std::fs::read(again.path().join("parity").join(file.file_name())).unwrap();
        assert_eq!(written, std::fs::read(file.path()).unwrap(), "{}", file.path().display());
    }
}

#[test]
fn every_operation_and_every_kind_of_step_is_in_the_fixture() {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let expected = expected();
    let runs: Vec<&Value> =
        ["hithonix", "hospitality"].iter().flat_map(|d| expected[d]["runs"].as_array().unwrap()).collect();
    let verbs: Vec<String> = runs.iter().map(|r| text(&r["record"]["operation"])).collect();
    for operation in midwatch::features::OPERATIONS {
        let verb = operation.spec().verb;
        // One that came later has no run of then.
        assert!(verbs.iter().any(|v| v == verb) || LATER_OPERATIONS.contains(&verb), "{verb}");
    }
    for outcome in ["applied", "partial", "failed", "running"] {
        assert!(runs.iter().any(|r| r["record"]["outcome"] == outcome), "{outcome}");
    }
    let dir = unpacked();
    let plans: String = runs
        .iter()
        .map(|r| std::fs::read_to_string(dir.path().join("plans").join(text(&r["file"]))).unwrap())
        .collect();
    for action in
        ["bootstrap", "statements", "rows", "measure", "dump", "hook", "prove", "swap", "monitor", "rehearse"]
    {
        assert!(plans.contains(&format!("\"do\": \"{action}\"")), "{action}");
    }
}

/// Operations that the build of the fixture did not have.
const LATER_OPERATIONS: [&str; 1] = ["journal-accept"];
