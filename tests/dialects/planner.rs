//! Planning and paging on a dialect without a server: the engine adds no text of its own.

use std::sync::{Arc, Mutex};

use midwatch::engine::Engine;
use midwatch::engine::check::paging::{self, At, PageRequest, RowSource};
use midwatch::engine::model::abilities::{Abilities, Ability};
use midwatch::engine::model::change::{RowChange, RowKind, TypedColumn};
use midwatch::engine::model::error::{Error, Result};
use midwatch::engine::model::load::ServerLoad;
use midwatch::engine::model::param::Params;
use midwatch::engine::model::preflight::{Ready, Risk};
use midwatch::engine::model::profile::Profile;
use midwatch::engine::model::query::{Column, Param, ProfileSql, Sql};
use midwatch::engine::model::row_query::ImagesOf;
use midwatch::engine::model::step::{LockStrength, Step};
use midwatch::engine::model::target::ServerInfo;
use midwatch::engine::model::vitals::Vitals;
use midwatch::engine::plan::operation::{Draft, Offer, OpSpec, Operation, PlanCx, lock};
use midwatch::engine::plan::request::{Planned, Request};
use midwatch::engine::port::dialect::Dialect;
use midwatch::engine::port::reader::{Fut, ReadOptions, ReadTx, Reader, RowShape, Take};
use midwatch::engine::port::row_sql::RowSql as _;

use crate::common;
use crate::common::Database;
use crate::recorder::{Notes, Sent, Whose};
use crate::text_only::TextOnly;

/// A server that exists only as far as its answers are here.
struct Paper {
    server: ServerInfo,
    notes: Notes,
}

struct Sheet(Notes);

impl Reader for Paper {
    fn dialect(&self) -> &'static dyn Dialect {
        &TextOnly
    }
    fn set_search_path(&self, _: &[String]) {}
    fn begin(&self, _: ReadOptions) -> Fut<'_, Result<Box<dyn ReadTx>>> {
        let tx = Box::new(Sheet(Arc::clone(&self.notes))) as Box<dyn ReadTx>;
        Box::pin(async move { Ok(tx) })
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

impl ReadTx for Sheet {
    fn describe<'a>(&'a mut self, sql: &'a ProfileSql) -> Fut<'a, Result<Vec<Column>>> {
        self.0.lock().unwrap().push(Sent::profile(sql, true));
        let column = |name: &str| Column { name: name.into(), type_name: "bigint".into(), numeric: true };
        Box::pin(async move { Ok(vec![column("id"), column("n")]) })
    }
    fn each<'a>(&'a mut self, sql: &'a Sql, _: Take<'a>) -> Fut<'a, Result<()>> {
        self.0.lock().unwrap().push(Sent::ours(sql));
        Box::pin(async { Err(Error::unobserved("not on this sheet")) })
    }
    fn profile<'a>(&'a mut self, sql: &'a ProfileSql, _: RowShape, take: Take<'a>) -> Fut<'a, Result<()>> {
        self.0.lock().unwrap().push(Sent::profile(sql, false));
        Box::pin(async move {
            match sql.text() {
                t if t.starts_with("SELECT JSON_OBJECT") => {
                    take(Some(r#"{"key":{"id":"7"},"before":{"st`ate":"a"},"after":{"st`ate":"b"}}"#.into()))
                }
                t if t.starts_with("SELECT JSON_ARRAY") => take(Some(r#"[["7","1"],["7"]]"#.into())),
                t if t.starts_with("SELECT CAST(CAST(? AS") => take(Some("7".into())),
                t if t.starts_with("SELECT COUNT(*)") => take(Some("1".into())),
                _ => Err(Error::unobserved("not on this sheet")),
            }
        })
    }
    fn objects<'a>(&'a mut self, _: &'a Sql, _: Take<'a>) -> Fut<'a, Result<()>> {
        Box::pin(async { Err(Error::unobserved("not on this sheet")) })
    }
}

const PROFILE: &str = "name = \"p\"\n[sources.late]\nsql = \"select 1 as id\"\n\
    [[backfills]]\nname = \"states\"\ntable = \"jo`bs\"\nkey = [\"id\"]\nfilter = \"t.n > 1 or t.n is null\"\n\
    set = { \"st`ate\" = \"upper(t.n)\" }\n[[backfills.verify]]\ntitle = \"none is late\"\nsql = \"select * from late\"\n\
    [[backfills]]\nname = \"unseen\"\ntable = \"hidden\"\nkey = [\"id\"]\nfilter = \"true\"\nguard = \"audit\"\n\
    set = { \"st`ate\" = \"1\" }\n\
    [[backfills]]\nname = \"dotted\"\ntable = \"`a.b`\"\nkey = [\"id\"]\nfilter = \"true\"\n\
    set = { \"st`ate\" = \"1\" }\n";

/// A server that says of itself what every server can: no oid, no log, no cluster.
fn paper(abilities: Abilities) -> ServerInfo {
    ServerInfo {
        engine: "text",
        version: "1.0".into(),
        database: "d".into(),
        role: "operator".into(),
        address: "paper".into(),
        system_identifier: None,
        database_oid: None,
        data_directory: None,
        timeline: None,
        in_recovery: false,
        superuser: false,
        skew_ms: 0,
        marker: None,
        abilities,
        notes: vec![],
    }
}

/// Everything that the planner sends and says.
async fn planned(name: &str, set: &[(&str, &str)]) -> (Planned, Vec<Sent>) {
    let able = Abilities {
        session_lock: Ability::Yes,
        transactional_ddl: Ability::Yes,
        write_limit: Ability::Yes,
        shared_snapshot: Ability::Yes,
        lock_holders: Ability::Yes,
    };
    planned_with(able, "backfill", name, set).await
}

/// The same of a server with these abilities.
async fn planned_with(
    abilities: Abilities,
    verb: &str,
    name: &str,
    set: &[(&str, &str)],
) -> (Planned, Vec<Sent>) {
    let database = Database::empty().await;
    let mut parts = common::engine(&database.url(), PROFILE).await.into_parts();
    let notes: Notes = Arc::new(Mutex::new(vec![]));
    let server = paper(abilities);
    parts.server = server.clone();
    parts.facts = Arc::new(Paper { server, notes: Arc::clone(&notes) });
    let operations: Vec<&dyn Operation> = parts.operations.iter().copied().chain([&Defines as _]).collect();
    parts.operations = operations.leak();
    let engine = Engine::new(parts);
    let params = Params(set.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
    let request = Request::Operation { verb: verb.into(), name: Some(name.into()), params };
    let planned = engine.plan(&request, &|_| ()).await.unwrap();
    let statements = notes.lock().unwrap().clone();
    (planned, statements)
}

#[tokio::test]
async fn a_plan_is_made_in_the_dialect_s_text_alone() {
    let (planned, sent) = planned("states", &[("ids", "007"), ("limit", "3")]).await;
    let plan = &planned.plan;
    assert_eq!((plan.rows, plan.frozen), (1, true));
    let identity = serde_json::to_string(&plan.identity).unwrap();
    assert!(!identity.contains("database_oid"), "{identity}");
    assert_eq!(
        plan.steps[0].statements,
        ["START TRANSACTION", "UPDATE `jo``bs` SET `st``ate` = new.`st``ate`", "COMMIT"]
    );
    let rows = sent.iter().find(|s| s.text.starts_with("SELECT JSON_OBJECT")).unwrap();
    assert_eq!(
        rows.text,
        "SELECT JSON_OBJECT('key', JSON_OBJECT('id', CAST(t.`id` AS CHAR)), \
         'before', JSON_OBJECT('st`ate', CAST(t.`st``ate` AS CHAR)), \
         'after', JSON_OBJECT('st`ate', CAST(CAST((upper(t.n)) AS varchar(20)) AS CHAR))) FROM `jo``bs` t  \
         WHERE (t.n > 1 or t.n is null) AND CAST(t.`id` AS CHAR) IN (?) ORDER BY t.`id` LIMIT 100"
    );
    assert_eq!((&rows.params[..], rows.whose), (&[Param::from("7")][..], Whose::Profile));
    let update: Vec<_> = sent.iter().filter(|s| s.text.starts_with("UPDATE `jo``bs`")).collect();
    assert!(
        !update.is_empty() && update.iter().all(|s| s.prepared),
        "it is prepared and never run: {sent:#?}"
    );
    let questions: Vec<_> = plan.verify.iter().map(|v| v.sql.as_str()).collect();
    assert!(questions[1].starts_with("WITH `late` AS (select 1 as id\n)"), "{questions:#?}");
    // Neither double quotes nor casts of PostgreSQL are in anything that is for rows.
    let for_rows =
        sent.iter().filter(|s| s.whose == Whose::Profile).map(|s| s.text.as_str()).chain(questions);
    for text in for_rows {
        assert!(!(text.contains("::") || text.contains("\"st") || text.contains("$1")), "{text}");
    }
    // That of the journal fires as well, and is known by what the catalog says of it.
    let told: Vec<_> = plan.preflight.iter().filter(|p| p.id == "trigger").collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].message.starts_with("trigger audit of jo`bs fires"), "{told:#?}");
}

#[tokio::test]
async fn what_a_role_may_not_see_blocks_the_plan() {
    let (planned, _) = planned("unseen", &[]).await;
    let block = planned.plan.preflight.iter().find(|p| p.id == "trigger").unwrap();
    assert!(block.status.blocks(), "{block:?}");
    assert_eq!(block.message, "triggers of hidden are not visible to this role: needs TRIGGER");
    // What is not visible is not taken for a trigger that is not there.
    let guard = planned.plan.preflight.iter().find(|p| p.id == "guard").unwrap();
    assert!(guard.status.blocks(), "{guard:?}");
    assert_eq!(guard.message, "trigger audit of hidden is not visible to this role: needs TRIGGER");
    let checks = planned.plan.preflight.iter().find(|p| p.id == "check").unwrap();
    assert_eq!(checks.message, "CHECKs of hidden are not visible to this role: needs a privilege");
}

#[tokio::test]
async fn a_name_is_read_by_the_rules_of_its_dialect() {
    let (planned, sent) = planned("dotted", &[]).await;
    // The dot is part of the name: `a.b` is the table whose triggers are not shown.
    let block = planned.plan.preflight.iter().find(|p| p.id == "trigger").unwrap();
    assert_eq!(block.message, "triggers of `a.b` are not visible to this role: needs TRIGGER");
    let rows = sent.iter().find(|s| s.text.starts_with("SELECT JSON_OBJECT")).unwrap();
    assert!(rows.text.contains(" FROM `a.b` t "), "{}", rows.text);
    let action = serde_json::to_value(&planned.plan.steps[0].action).unwrap();
    assert_eq!(action["resolved"], serde_json::json!({ "name": "a.b" }), "no schema where there are none");
}

/// Changes a definition by a statement.
struct Defines;

const DEFINES: OpSpec = OpSpec {
    verb: "define",
    about: "changes a definition",
    risk: Risk::Reversible,
    params: &[],
    example: "t",
    bootstraps: false,
    many: false,
    asks: &[],
};

impl Operation for Defines {
    fn spec(&self) -> &'static OpSpec {
        &DEFINES
    }
    fn offers(&self, _: &Profile, _: &dyn Dialect) -> Vec<Offer> {
        vec![Offer {
            verb: DEFINES.verb,
            name: "t".into(),
            about: String::new(),
            mends: None,
            risk: DEFINES.risk,
            locks: String::new(),
            disabled: None,
            asks: vec![],
            takes_rows: false,
        }]
    }
    fn plan<'a>(&'a self, cx: &'a PlanCx<'a>, _: &'a str, _: &'a Params) -> Fut<'a, Result<Draft>> {
        let mode = cx.dialect().lock_mode(LockStrength::Everyone);
        let statements = vec!["ALTER TABLE `t` ADD x int".into(), "ALTER TABLE `t` ADD y int".into()];
        let step = Step { locks: vec![lock("t", mode)], ..Step::new("define", "define", statements) };
        let draft = Draft { steps: vec![step], count: 2, ..Draft::default() };
        Box::pin(async move { Ok(draft) })
    }
}

#[tokio::test]
async fn what_the_server_cannot_do_blocks_a_plan_that_needs_it() {
    let lacks = Abilities {
        session_lock: Ability::no("named locks are refused here", ""),
        transactional_ddl: Ability::no("each of them commits by itself", ""),
        write_limit: Ability::no("there is no limit for writes", ""),
        shared_snapshot: Ability::no("each session has its own", ""),
        lock_holders: Ability::no("needs PROCESS", ""),
    };
    let told = |p: &Planned| -> Vec<(String, Ready, String)> {
        let ids = ["connection", "transaction", "limits", "blockers"];
        let all = p.plan.preflight.iter().filter(|p| ids.contains(&p.id.as_str()));
        all.map(|p| (p.id.clone(), p.status, p.message.clone())).collect()
    };
    let line = |id: &str, ready, text: &str| (id.to_owned(), ready, text.to_owned());
    let (planned, _) = planned_with(lacks.clone(), "define", "t", &[]).await;
    let together =
        "step define: its statements could not be rolled back together: each of them commits by itself";
    let expected = [
        line("connection", Ready::Fail, "named locks are refused here"),
        line("transaction", Ready::Fail, together),
        line(
            "limits",
            Ready::Warn,
            "a statement whose client is gone runs to its end: there is no limit for writes",
        ),
        line("blockers", Ready::Warn, "sessions that hold a lock are not shown: needs PROCESS"),
    ];
    assert_eq!(told(&planned), expected);
    assert_eq!(planned.plan.steps[0].locks[0].mode, "metadata lock");
    // Rows are changed in batches, each a transaction of its own.
    let (planned, _) = planned_with(lacks, "backfill", "states", &[]).await;
    assert!(told(&planned).iter().all(|(id, ..)| id != "transaction"));
    assert_eq!(planned.plan.steps[0].locks[0].mode, "rows");
}

#[tokio::test]
async fn pages_are_the_dialect_s() {
    let source = RowSource {
        id: "x".into(),
        title: "x".into(),
        sql: "SELECT id, n FROM t".into(),
        params: vec![],
        key: vec!["id".into(), "n".into()],
        labels: [].into(),
        context: None,
    };
    let notes: Notes = Arc::new(Mutex::new(vec![]));
    let mut sheet = Sheet(Arc::clone(&notes));
    let at = At::Before(vec![Some("7".into()), Some("1".into())]);
    let request = PageRequest { at, count: true, ..PageRequest::first(source, 5) };
    let page = paging::read(&mut sheet, &TextOnly, &request).await.unwrap();
    assert_eq!((page.total, page.rows.len()), (Some(1), 1));
    let sent = notes.lock().unwrap().clone();
    let text = &sent.last().unwrap().text;
    assert!(text.contains("WHERE (q.`id` <= ? AND (q.`id` < ? OR (q.`id` = ? AND (q.`n` <= ?"), "{text}");
    assert!(text.ends_with("ORDER BY q.`id` DESC, q.`n` DESC\nLIMIT 5"), "{text}");
    let context = paging::bind_context(&TextOnly, "SELECT {id}", &|_| Some(Some("7".into()))).unwrap();
    assert_eq!((context.text(), context.params()), ("SELECT ?", &[Param::from("7")][..]));
}

#[test]
fn an_inverse_is_data_until_the_dialect_writes_it() {
    let column = |name: &str| TypedColumn { name: name.into(), type_name: "bigint".into(), numbered: false };
    let inverse = RowChange {
        table: "jo`bs".into(),
        resolved: None,
        kind: RowKind::Update,
        key: vec![column("id")],
        columns: vec![column("n")],
        kept: vec![column("id"), column("n")],
        before_batch: vec![],
        after_change: vec![],
        excludes_writers: false,
        audit: None,
        after_batch: None,
        derived: vec![],
        referrers: vec![],
        source: None,
        rewritten: false,
        restores: Some("5".into()),
        canary: None,
        reason: "undo of run 5".into(),
    };
    let images = ImagesOf { run: "5".into(), step: 0, inverse };
    let sql = TextOnly.changed_since(&images, 10);
    assert_eq!(
        sql.text(),
        "SELECT COUNT(*) AS `rows`, NULL AS named FROM midwatch.images i LEFT JOIN `jo``bs` t \
         ON t.`id` = JSON_VALUE(i.`key`, '$.\"id\"') WHERE i.run = ?"
    );
    assert!(TextOnly.bypassed(&images.inverse).is_empty());
}
