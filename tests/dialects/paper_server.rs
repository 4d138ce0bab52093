//! A server that exists only as far as its answers are here, for the text-only dialect: what is planned on it is the
//! engine's and the dialect's text, whole.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use midwatch::engine::Engine;
use midwatch::engine::model::abilities::{Abilities, Ability};
use midwatch::engine::model::error::{Error, Result};
use midwatch::engine::model::event::Event;
use midwatch::engine::model::load::ServerLoad;
use midwatch::engine::model::param::Params;
use midwatch::engine::model::plan::Plan;
use midwatch::engine::model::preflight::{Reversible, Risk};
use midwatch::engine::model::profile::Profile;
use midwatch::engine::model::query::{Column, Param, ProfileSql, Sql};
use midwatch::engine::model::record::{Outcome, RunRecord};
use midwatch::engine::model::step::{LockStrength, Step};
use midwatch::engine::model::target::ServerInfo;
use midwatch::engine::model::vitals::Vitals;
use midwatch::engine::plan::operation::{Draft, Offer, OpSpec, Operation, PlanCx, lock};
use midwatch::engine::plan::request::{Planned, Request};
use midwatch::engine::port::dialect::Dialect;
use midwatch::engine::port::reader::{Fut, ReadOptions, ReadTx, Reader, RowShape, Take};
use serde_json::json;

use crate::common::{self, Database};
use crate::recorder::{Notes, Sent};
use crate::text_only::TextOnly;

/// A server, and what it answers.
pub(crate) struct Paper {
    server: ServerInfo,
    notes: Notes,
    /// Its journal holds one run; absent: there is no journal.
    journal: Option<StoredRun>,
    /// The answer to a change that it is asked to prepare, where it refuses.
    refusal: Option<Error>,
}

/// A run in the journal.
#[derive(Clone)]
pub(crate) struct StoredRun {
    run: RunRecord,
    plan: String,
    entries: Vec<Event>,
}

impl StoredRun {
    /// A finished run of this plan: so many rows were changed, and the statements of these steps were carried out.
    pub(crate) fn finished(plan: &Plan, id: &str, rows: u64, steps: &[usize]) -> Self {
        let entry = |kind: &str, body: serde_json::Value| Event {
            seq: 1,
            at: String::new(),
            run: Some(id.into()),
            kind: kind.into(),
            body: body.to_string(),
            prev: String::new(),
            hash: String::new(),
            signed: None,
        };
        let intent = entry("intent", json!({ "digest": plan.digest }));
        let done = steps.iter().map(|at| entry("step", json!({ "step": at })));
        let run = RunRecord {
            id: id.into(),
            operation: plan.operation.clone(),
            name: plan.name.clone(),
            target: plan.target.clone(),
            outcome: Outcome::Applied,
            started_at: DateTime::<Utc>::UNIX_EPOCH,
            ended_at: Some(DateTime::<Utc>::UNIX_EPOCH),
            operator: "dana@here".into(),
            resumed_by: None,
            undoes: plan.undoes.clone(),
            undone_by: None,
            overtaken_by: None,
            unit: plan.unit.clone(),
            rows: plan.rows,
            rows_applied: rows,
            rows_drifted: 0,
            batches: 1,
            verified: Some(true),
            resumable: false,
            live: false,
            message: None,
            code: None,
            permanent: false,
            batch_rows: None,
            beat_at: None,
            params: plan.params.clone(),
            undo: plan.undo.clone(),
            reversible: "full".into(),
            digest: plan.digest.clone(),
        };
        let plan = serde_json::to_string(plan).unwrap();
        Self { run, plan, entries: std::iter::once(intent).chain(done).collect() }
    }
}

/// Can all that an engine asks for.
pub(crate) fn able() -> Abilities {
    Abilities {
        session_lock: Ability::Yes,
        transactional_ddl: Ability::Yes,
        write_limit: Ability::Yes,
        shared_snapshot: Ability::Yes,
        lock_holders: Ability::Yes,
    }
}

impl Paper {
    /// It says of itself what every server can: no oid, no log, no cluster.
    pub(crate) fn new(abilities: Abilities) -> Self {
        let server = ServerInfo {
            engine: "text",
            version: "1.0".into(),
            database: "d".into(),
            role: "operator".into(),
            reader: None,
            address: "paper".into(),
            system_identifier: None,
            database_oid: None,
            data_directory: None,
            timeline: None,
            in_recovery: false,
            superuser: false,
            transport: midwatch::engine::model::transport::Transport::Socket,
            skew_ms: 0,
            marker: None,
            abilities,
            notes: vec![],
        };
        Self { server, notes: Arc::new(Mutex::new(vec![])), journal: None, refusal: None }
    }

    /// It refuses every change that it is asked to prepare.
    pub(crate) fn refusing(refusal: Error) -> Self {
        Self { refusal: Some(refusal), ..Self::new(able()) }
    }

    /// With a journal that holds this run.
    pub(crate) fn with(kept: StoredRun) -> Self {
        Self { journal: Some(kept), ..Self::new(able()) }
    }
}

impl Reader for Paper {
    fn dialect(&self) -> &'static dyn Dialect {
        &TextOnly
    }
    fn set_search_path(&self, _: &[String]) {}
    fn begin(&self, _: ReadOptions) -> Fut<'_, Result<Box<dyn ReadTx>>> {
        let notes = Arc::clone(&self.notes);
        let sheet = Sheet { notes, journal: self.journal.clone(), refusal: self.refusal.clone() };
        Box::pin(async move { Ok(Box::new(sheet) as Box<dyn ReadTx>) })
    }
    fn server(&self) -> Fut<'_, Result<ServerInfo>> {
        let server = self.server.clone();
        Box::pin(async move { Ok(server) })
    }
    fn vitals(&self) -> Fut<'_, Result<Vitals>> {
        Box::pin(async { Err(Error::unobserved("paper has no sessions")) })
    }
    fn load(&self) -> Fut<'_, Result<ServerLoad>> {
        Box::pin(async { Err(Error::unobserved("paper has no load")) })
    }
    fn cancel_all(&self) -> Fut<'_, ()> {
        Box::pin(async {})
    }
}

/// A transaction on it.
pub(crate) struct Sheet {
    notes: Notes,
    journal: Option<StoredRun>,
    refusal: Option<Error>,
}

impl Sheet {
    /// Of a server without a journal.
    pub(crate) fn new(notes: &Notes) -> Self {
        Self { notes: Arc::clone(notes), journal: None, refusal: None }
    }

    fn note(&self, sent: Sent) {
        self.notes.lock().unwrap().push(sent);
    }

    /// The journal's answer to a statement of ours, a text for each row.
    fn kept(&self, sql: &Sql) -> Result<Vec<String>> {
        let rows = |kept: &StoredRun| match sql.text() {
            "select file from `midwatch_files`" => vec!["001_journal.sql".to_owned()],
            "select plan from `midwatch_runs` where id = ?" => vec![kept.plan.clone()],
            "select * from `midwatch_runs` where id = ?" => vec![json!(kept.run).to_string()],
            t if t.starts_with("select * from `midwatch_events`") => {
                let of = |e: &&Event| {
                    sql.params() == [&e.run, &Some(e.kind.clone())].map(|t| Param::Text(t.clone()))
                };
                kept.entries.iter().filter(of).map(|e| json!(e).to_string()).collect()
            }
            _ => vec![],
        };
        if sql.text().contains("`midwatch_") {
            return Ok(self.journal.as_ref().map(rows).unwrap_or_default());
        }
        Err(Error::unobserved("not on this sheet"))
    }
}

impl ReadTx for Sheet {
    fn describe<'a>(&'a mut self, sql: &'a ProfileSql) -> Fut<'a, Result<Vec<Column>>> {
        self.note(Sent::profile(sql, true));
        let column = |name: &str| Column {
            name: name.into(),
            type_name: "bigint".into(),
            numeric: true,
            operators: None,
        };
        Box::pin(async move { Ok(vec![column("id"), column("n")]) })
    }
    fn parse<'a>(&'a mut self, sql: &'a ProfileSql) -> Fut<'a, Result<()>> {
        self.note(Sent::profile(sql, true));
        let refusal = self.refusal.clone().filter(|_| sql.text().starts_with("UPDATE"));
        Box::pin(async move { refusal.map_or(Ok(()), Err) })
    }
    fn each<'a>(&'a mut self, sql: &'a Sql, take: Take<'a>) -> Fut<'a, Result<()>> {
        self.note(Sent::ours(sql));
        Box::pin(async move { self.kept(sql)?.into_iter().try_for_each(|t| take(Some(t))) })
    }
    fn profile<'a>(&'a mut self, sql: &'a ProfileSql, _: RowShape, take: Take<'a>) -> Fut<'a, Result<()>> {
        self.note(Sent::profile(sql, false));
        Box::pin(async move {
            match sql.text() {
                t if t.starts_with("SELECT JSON_OBJECT") => {
                    take(Some(r#"{"key":{"id":"7"},"before":{"st`ate":"a"},"after":{"st`ate":"b"}}"#.into()))
                }
                t if t.starts_with("SELECT JSON_ARRAY") => take(Some(r#"[["7","1"],["7"]]"#.into())),
                t if t.starts_with("SELECT CAST(CAST(? AS") => take(Some("7".into())),
                t if t.starts_with("SELECT COUNT(*) AS `rows`") => {
                    take(Some(r#"{"rows":1,"named":"id 7"}"#.into()))
                }
                t if t.contains(" AND NOT (") => take(Some("0".into())),
                t if t.starts_with("SELECT COUNT(*)") => take(Some("1".into())),
                _ => Err(Error::unobserved("not on this sheet")),
            }
        })
    }
    fn objects<'a>(&'a mut self, sql: &'a Sql, take: Take<'a>) -> Fut<'a, Result<()>> {
        self.note(Sent::ours(sql));
        Box::pin(async move { self.kept(sql)?.into_iter().try_for_each(|t| take(Some(t))) })
    }
}

const PROFILE: &str = "name = \"p\"\n[sources.late]\nsql = \"select 1 as id\"\n\
    [[backfills]]\nname = \"states\"\ntable = \"jo`bs\"\nkey = [\"id\"]\nfilter = \"t.n > 1 or t.n is null\"\n\
    set = { \"st`ate\" = \"upper(t.n)\" }\n[[backfills.verify]]\ntitle = \"none is late\"\nsql = \"select * from late\"\n\
    [[backfills]]\nname = \"unseen\"\ntable = \"hidden\"\nkey = [\"id\"]\nfilter = \"true\"\nguard = \"audit\"\n\
    set = { \"st`ate\" = \"1\" }\n\
    [[backfills]]\nname = \"dotted\"\ntable = \"`a.b`\"\nkey = [\"id\"]\nfilter = \"true\"\n\
    set = { \"st`ate\" = \"1\" }\n";

/// What is asked of an operation.
pub(crate) fn request(verb: &str, name: Option<&str>, set: &[(&str, &str)]) -> Request {
    let params = Params(set.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
    Request::Operation { verb: verb.into(), name: name.map(str::to_owned), params }
}

/// An engine on it, and everything that is sent.
pub(crate) async fn engine(paper: Paper, profile: &str) -> (Engine, Notes) {
    let database = Database::empty().await;
    let mut parts = common::engine(&database.url(), profile).await.into_parts();
    let notes = Arc::clone(&paper.notes);
    parts.server = paper.server.clone();
    parts.facts = Arc::new(paper);
    let operations: Vec<&dyn Operation> = parts.operations.iter().copied().chain([&Defines as _]).collect();
    parts.operations = operations.leak();
    (Engine::new(parts), notes)
}

/// The planner's answer, and everything that it sends.
pub(crate) async fn asked(paper: Paper, request: &Request) -> (Result<Planned>, Vec<Sent>) {
    let (engine, notes) = engine(paper, PROFILE).await;
    let planned = engine.plan(request, &|_| ()).await;
    let sent = notes.lock().unwrap().clone();
    (planned, sent)
}

/// The same of what is planned.
pub(crate) async fn planned(paper: Paper, request: &Request) -> (Planned, Vec<Sent>) {
    let (planned, sent) = asked(paper, request).await;
    (planned.unwrap(), sent)
}

/// Changes a definition by a statement.
struct Defines;

/// An operation for tests: it defines something of one thing, `t`.
pub(crate) const DEFINES: OpSpec = OpSpec {
    verb: "define",
    about: "changes a definition",
    risk: Risk::Reversible,
    params: &[],
    example: "t",
    bootstraps: false,
    many: false,
    asks: &[],
};

/// What it offers.
pub(crate) fn defined() -> Offer {
    Offer {
        verb: DEFINES.verb,
        name: "t".into(),
        about: String::new(),
        mends: None,
        risk: DEFINES.risk,
        locks: String::new(),
        disabled: None,
        asks: vec![],
        takes_rows: false,
    }
}

impl Operation for Defines {
    fn spec(&self) -> &'static OpSpec {
        &DEFINES
    }
    fn offers(&self, _: &Profile, _: &dyn Dialect) -> Vec<Offer> {
        vec![defined()]
    }
    fn plan<'a>(&'a self, cx: &'a PlanCx<'a>, _: &'a str, _: &'a Params) -> Fut<'a, Result<Draft>> {
        let mode = cx.dialect().lock_mode(LockStrength::Everyone);
        let statements = vec!["ALTER TABLE `t` ADD x int".into(), "ALTER TABLE `t` ADD y int".into()];
        let back = vec!["ALTER TABLE `t` DROP y".into(), "ALTER TABLE `t` DROP x".into()];
        let step = Step { locks: vec![lock("t", mode)], back, ..Step::new("define", "define", statements) };
        let draft = Draft { steps: vec![step], count: 2, reversible: Reversible::Full, ..Draft::default() };
        Box::pin(async move { Ok(draft) })
    }
}
