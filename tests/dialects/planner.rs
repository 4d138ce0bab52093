//! Planning and paging on a dialect without a server: the engine adds no text of its own.

use std::sync::{Arc, Mutex};

use midwatch::engine::check::paging::{self, At, PageRequest, RowSource};
use midwatch::engine::model::abilities::{Abilities, Ability};
use midwatch::engine::model::cause::Cause;
use midwatch::engine::model::error::{Error, Result};
use midwatch::engine::model::preflight::Ready;
use midwatch::engine::model::query::Param;
use midwatch::engine::plan::request::Planned;

use crate::paper_server::{self, Paper, Sheet, able};
use crate::recorder::{Notes, Sent, Whose};
use crate::text_only::TextOnly;

/// Everything that the planner sends and says of a backfill.
async fn planned(name: &str, set: &[(&str, &str)]) -> (Planned, Vec<Sent>) {
    planned_with(able(), "backfill", name, set).await
}

/// The same of a server with these abilities.
async fn planned_with(
    abilities: Abilities,
    verb: &str,
    name: &str,
    set: &[(&str, &str)],
) -> (Planned, Vec<Sent>) {
    paper_server::planned(Paper::new(abilities), &paper_server::request(verb, Some(name), set)).await
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

/// A backfill of `jobs`, which has the secret column `pin`.
async fn of_jobs(written: &str, more: &str) -> (Result<Planned>, Vec<Sent>) {
    let profile = format!(
        "name = \"p\"\n{more}\n[[backfills]]\nname = \"b\"\ntable = \"`jobs`\"\nkey = [\"id\"]\nfilter = \"true\"\nset = {{ {written} }}\n"
    );
    let (engine, notes) = paper_server::engine(Paper::new(able()), &profile).await;
    let planned = engine.plan(&paper_server::request("backfill", None, &[]), &|_| ()).await;
    let sent = notes.lock().unwrap().clone();
    (planned, sent)
}

#[tokio::test]
async fn a_secret_column_is_named_by_the_rules_of_the_dialect() {
    for entry in ["jobs.pin", "`jobs`.pin", "`jobs`.`pin`", "pin"] {
        let more = format!("secret_columns = [\"{entry}\"]");
        let (planned, _) = of_jobs("\"st`ate\" = \"1\"", &more).await;
        let action = serde_json::to_value(&planned.unwrap().plan.steps[0].action).unwrap();
        let kept: Vec<_> = action["kept"].as_array().unwrap().iter().map(|c| c["name"].clone()).collect();
        assert_eq!(kept, ["id", "st`ate"], "{entry}");
    }
    // What the profile's own check at load cannot know the planner refuses, before it reads a row.
    for entry in ["jobs.pin", "`jobs`.`pin`"] {
        let more = format!("secret_columns = [\"{entry}\"]");
        let (planned, sent) = of_jobs("pin = \"1\"", &more).await;
        let refused = planned.err().unwrap().message;
        assert!(refused.ends_with(".pin is secret: a change of it would be shown and kept"), "{refused}");
        assert!(sent.iter().all(|s| !s.text.starts_with("SELECT JSON_OBJECT")), "no row was read");
    }
    let (planned, _) = of_jobs("pin = \"1\"", "secret_columns = [\"other.pin\"]").await;
    assert!(planned.is_ok());
}

#[tokio::test]
async fn a_known_trigger_is_named_by_the_rules_of_the_dialect() {
    let triggers = async |known: &str| {
        let (planned, _) = of_jobs("\"st`ate\" = \"1\"", &format!("known_triggers = [\"{known}\"]")).await;
        planned.unwrap().plan.preflight.iter().filter(|p| p.id == "trigger").count()
    };
    for (known, told) in [("jobs.audit", 0), ("`jobs`.`audit`", 0), ("*.au*", 0), ("other.audit", 1)] {
        assert_eq!(triggers(known).await, told, "{known}");
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
            "a session whose client is stopped can keep its locks: there is no limit for writes",
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
    let mut sheet = Sheet::new(&notes);
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

#[tokio::test]
async fn what_the_server_refuses_is_told_from_what_it_could_not_be_asked() {
    let told = async |refusal: Error| {
        let paper = Paper::refusing(refusal);
        let (planned, _) =
            paper_server::planned(paper, &paper_server::request("backfill", Some("states"), &[])).await;
        let told = planned.plan.preflight.into_iter().find(|p| p.id == "statements").unwrap();
        (told.status, told.message)
    };
    let refused = || Error::unobserved("no");
    let expected = (Ready::Fail, "the change of jo`bs: no".to_owned());
    // Whatever its code, and also without one: what it means decides.
    assert_eq!(told(refused().code("a code", (Cause::NotAllowed, true))).await, expected);
    assert_eq!(told(Error { permanent: true, ..refused() }).await, expected);
    let expected = (Ready::Unknown, "the change of jo`bs: cannot be looked at: no".to_owned());
    assert_eq!(told(refused().code("a code", (Cause::ConnectionLost, false))).await, expected);
    assert_eq!(told(refused().cause(Cause::ConnectionLost)).await, expected);
}
