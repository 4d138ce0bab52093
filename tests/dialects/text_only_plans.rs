//! What makes the journal and what undoes a run, planned on a dialect without a server: by the engine's own planner and
//! inverse, from a journal that the dialect's text reads.

use midwatch::engine::model::error::Class;
use midwatch::engine::model::plan::Plan;
use midwatch::engine::model::preflight::Ready;
use midwatch::engine::model::query::Param;
use midwatch::engine::model::step::Action;
use midwatch::engine::plan::request::{Planned, Request};
use midwatch::engine::port::journal_sql::JournalSql as _;

use crate::paper_server::{self, Paper, StoredRun, able};
use crate::recorder::{Sent, Whose};
use crate::text_only::TextOnly;

/// Neither a schema nor PostgreSQL's quotes, casts or placeholders are in what is planned or sent.
fn is_text_only(plan: &Plan, sent: &[Sent]) {
    let steps = plan.steps.iter().flat_map(|s| s.statements.iter().chain(&s.back));
    let texts = steps.chain(plan.verify.iter().map(|v| &v.sql)).chain(sent.iter().map(|s| &s.text));
    for text in texts {
        let foreign = ["midwatch.", "::", "$1", "\"jo", "pg_"].into_iter().find(|f| text.contains(f));
        assert_eq!(foreign, None, "{text}");
    }
    assert!(!sent.is_empty());
}

fn told(planned: &Planned, id: &str) -> Vec<(Ready, String)> {
    let all = planned.plan.preflight.iter().filter(|p| p.id == id);
    all.map(|p| (p.status, p.message.clone())).collect()
}

#[tokio::test]
async fn what_makes_the_journal_is_the_dialect_s() {
    let init = paper_server::request("init", None, &[("operators", "dba, on`call")]);
    let (planned, sent) = paper_server::planned(Paper::new(able()), &init).await;
    let plan = &planned.plan;
    is_text_only(plan, &sent);
    let [step] = plan.steps.as_slice() else { panic!("{:#?}", plan.steps) };
    assert_eq!(step.action, Action::Bootstrap);
    assert_eq!(
        step.statements,
        [
            "create table `midwatch_runs` (id bigint primary key)",
            "create table `midwatch_events` (id bigint primary key)",
            "grant all on `midwatch_runs` to `dba`",
            "grant all on `midwatch_runs` to `on``call`",
        ]
    );
    assert_eq!((plan.rows, plan.unit.word()), (4, "statements"));
    let locks: Vec<_> = step.locks.iter().map(|l| (l.object.as_str(), l.mode.as_str())).collect();
    assert_eq!(locks, [("its new tables", "metadata lock")]);
    let install =
        TextOnly.install(&["001_journal.sql".to_owned()], &["dba".to_owned(), "on`call".to_owned()]).unwrap();
    assert_eq!(plan.verify, install.verify);
    let probes: Vec<_> = install.steps.iter().map(|s| s.probe.clone()).collect();
    assert_eq!(plan.verify, probes, "each part by itself");
    assert!(told(&planned, "journal").contains(&(Ready::Ok, "no schema is needed".into())));
}

#[tokio::test]
async fn who_is_let_into_the_journal_is_let_in_by_the_dialect() {
    let (defined, _) =
        paper_server::planned(Paper::new(able()), &paper_server::request("define", None, &[])).await;
    let kept = || Paper::with(StoredRun::finished(&defined.plan, "5", 0, &[0]));
    let (planned, sent) =
        paper_server::planned(kept(), &paper_server::request("init", None, &[("operators", "dba")])).await;
    is_text_only(&planned.plan, &sent);
    assert_eq!(planned.plan.steps[0].statements, ["grant all on `midwatch_runs` to `dba`"]);
    assert_eq!(planned.plan.undo, "by hand: revoke all on `midwatch_runs` from dba");
    let (refused, _) = paper_server::asked(kept(), &paper_server::request("init", None, &[])).await;
    let refused = refused.err().unwrap();
    assert_eq!(refused.class, Class::Refused);
    assert_eq!(refused.message, "the journal is there already: nothing to do");
}

#[tokio::test]
async fn rows_are_put_back_by_the_dialect_s_text() {
    let states = paper_server::request("backfill", Some("states"), &[]);
    let (done, _) = paper_server::planned(Paper::new(able()), &states).await;
    let kept = StoredRun::finished(&done.plan, "5", 1, &[]);
    let (planned, sent) = paper_server::planned(Paper::with(kept), &Request::Undo { run: "5".into() }).await;
    let plan = &planned.plan;
    is_text_only(plan, &sent);
    assert_eq!((plan.operation.as_str(), plan.undoes.as_deref(), plan.rows), ("undo", Some("5"), 1));
    let [step] = plan.steps.as_slice() else { panic!("{:#?}", plan.steps) };
    assert_eq!(
        step.statements,
        ["START TRANSACTION", "UPDATE `jo``bs` SET `st``ate` = new.`st``ate`", "COMMIT"]
    );
    let verify: Vec<_> = plan.verify.iter().map(|v| v.sql.as_str()).collect();
    assert_eq!(
        verify,
        ["SELECT i.`key` FROM run_rows i LEFT JOIN `jo``bs` t ON t.`id` = JSON_VALUE(i.`key`, '$.\"id\"') \
          WHERE i.step = 0"]
    );
    let locks: Vec<_> = step.locks.iter().map(|l| l.mode.as_str()).collect();
    assert_eq!(locks, ["rows"]);
    let images = "FROM (SELECT * FROM `midwatch_images` WHERE run = ?) i LEFT JOIN `jo``bs` t \
                  ON t.`id` = JSON_VALUE(i.`key`, '$.\"id\"')";
    let one = |start: &str| {
        let found: Vec<_> = sent.iter().filter(|s| s.text.starts_with(start)).collect();
        assert!(
            found.iter().all(|s| s.whose == Whose::Profile && s.params == [Param::from("5")]),
            "{found:#?}"
        );
        found.first().map(|s| s.text.clone()).unwrap_or_default()
    };
    // The row as the run left it becomes the one that it found.
    assert_eq!(
        one("SELECT JSON_OBJECT"),
        format!(
            "SELECT JSON_OBJECT('key', JSON_OBJECT('id', CAST(JSON_VALUE(i.`key`, '$.\"id\"') AS CHAR)), \
             'before', JSON_OBJECT('st`ate', CAST(JSON_VALUE(i.`after`, '$.\"st`ate\"') AS CHAR)), \
             'after', JSON_OBJECT('st`ate', CAST(JSON_VALUE(i.`before`, '$.\"st`ate\"') AS CHAR))) \
             {images} WHERE TRUE ORDER BY JSON_VALUE(i.`key`, '$.\"id\"') LIMIT 100"
        )
    );
    assert_eq!(one("SELECT COUNT(*) AS"), format!("SELECT COUNT(*) AS `rows`, NULL AS named {images}"));
    assert_eq!(
        one("SELECT COUNT(*) FROM `midwatch_images`"),
        "SELECT COUNT(*) FROM `midwatch_images` WHERE run = ? AND NOT (`st``ate` <> '')"
    );
    let since = told(&planned, "since");
    assert!(since[0].0 == Ready::Warn && since[0].1.ends_with("are left alone: id 7"), "{since:?}");
    let read: Vec<_> = sent.iter().filter(|s| s.whose == Whose::Ours).map(|s| s.text.as_str()).collect();
    for ours in
        ["select plan from `midwatch_runs` where id = ?", "select * from `midwatch_runs` where id = ?"]
    {
        assert!(read.contains(&ours), "{read:#?}");
    }
}

#[tokio::test]
async fn statements_are_taken_back_by_those_of_their_step() {
    let (done, _) =
        paper_server::planned(Paper::new(able()), &paper_server::request("define", None, &[])).await;
    let undone = async |steps: &[usize]| {
        let kept = StoredRun::finished(&done.plan, "5", 0, steps);
        paper_server::asked(Paper::with(kept), &Request::Undo { run: "5".into() }).await
    };
    let (planned, sent) = undone(&[0]).await;
    let plan = planned.unwrap().plan;
    is_text_only(&plan, &sent);
    let [step] = plan.steps.as_slice() else { panic!("{:#?}", plan.steps) };
    assert_eq!(step.statements, ["ALTER TABLE `t` DROP y", "ALTER TABLE `t` DROP x"]);
    assert_eq!(step.back, done.plan.steps[0].statements);
    assert_eq!((step.locks[0].object.as_str(), step.locks[0].mode.as_str()), ("t", "metadata lock"));
    // The step is not among those that the journal says were carried out.
    let (nothing, _) = undone(&[]).await;
    let why = nothing.err().unwrap().message;
    assert_eq!(why, "run 5 cannot be taken back: it has changed nothing");
}
