//! What one feature knows in the plan of another: verdicts, asked for by name.

use midwatch::engine::Engine;
use midwatch::engine::check::verdict::VerdictQuestion;
use midwatch::engine::model::error::Result;
use midwatch::engine::model::preflight::{Ready, Risk};
use midwatch::engine::model::profile::Profile;
use midwatch::engine::model::step::Step;
use midwatch::engine::plan::operation::{Draft, Offer, OpSpec, Operation, Params, PlanCx};
use midwatch::engine::plan::request::Request;
use midwatch::engine::port::reader::Fut;

use crate::common::{Database, engine};

/// An operation that knows nothing of queues but a verdict's name.
struct Purge;

static SPEC: OpSpec = OpSpec {
    verb: "purge",
    about: "empties a table",
    risk: Risk::Irreversible,
    params: &[],
    example: "jobs",
    bootstraps: false,
    many: false,
    asks: &[VerdictQuestion::for_planner("queue/stuck"), VerdictQuestion::in_own_words("queue/exhausted")],
};

impl Operation for Purge {
    fn spec(&self) -> &'static OpSpec {
        &SPEC
    }

    fn offers(&self, _: &Profile) -> Vec<Offer> {
        vec![Offer {
            verb: SPEC.verb,
            name: "jobs".into(),
            about: SPEC.about.into(),
            mends: None,
            risk: SPEC.risk,
            locks: String::new(),
            disabled: None,
            asks: vec![],
            takes_rows: false,
        }]
    }

    fn plan<'a>(&'a self, cx: &'a PlanCx<'a>, name: &'a str, _: &'a Params) -> Fut<'a, Result<Draft>> {
        Box::pin(async move {
            let own = cx.ask(&["queue/exhausted"], name, "looking").await.map(|answers| {
                let (question, answer) = &answers[0];
                format!("{question}: {}", answer.text)
            });
            let undeclared = cx.ask(&["migrations/whole"], "main", "looking").await;
            Ok(Draft {
                why: format!("{} · {}", own.unwrap(), undeclared.unwrap_err()),
                undo: "rows are gone".into(),
                steps: vec![Step::new("purge", "empty it", vec!["delete from jobs".into()])],
                count: 1,
                ..Draft::default()
            })
        })
    }
}

const PROFILE: &str = r#"
name = "jobs"
title = "two table queues"
[[queues]]
name = "jobs"
table = "jobs"
key = "id"
state = "state"
created = "created_at"
attempted = "created_at"
[queues.states]
pending = ["waiting"]
processing = ["working"]
done = ["done"]
failed = ["failed"]
[[queues]]
name = "mails"
table = "mails"
key = "id"
state = "state"
created = "created_at"
[queues.states]
pending = ["waiting"]
processing = ["working"]
done = ["done"]
failed = ["failed"]
"#;

#[tokio::test]
async fn a_plan_shows_what_another_feature_knows() {
    let database = Database::empty().await;
    let mut owner = database.owner().await;
    owner
        .execute_script(
            "create table jobs (id bigint primary key, state text not null, created_at timestamptz not null);
             create table mails (like jobs);
             insert into jobs select n, 'working', now() - interval '1 day' from generate_series(1, 3) n",
        )
        .await
        .unwrap();
    let mut parts = engine(&database.url(), PROFILE).await.into_parts();
    parts.operations = &[&Purge];
    let engine = Engine::new(parts);
    let request = Request::Operation { verb: "purge".into(), name: None, params: Params::default() };
    let plan = engine.plan(&request, &|_| ()).await.unwrap().plan;
    let lines: Vec<_> = plan.preflight.iter().filter(|p| p.id == "stuck").collect();
    // Of the queue that is planned for, and of no other.
    assert_eq!(lines.len(), 1, "{:#?}", plan.preflight);
    assert_eq!(
        (lines[0].status, lines[0].message.as_str()),
        (Ready::Fail, "jobs: 3 rows in progress for too long")
    );
    // What the operation words itself is not said twice; what it did not declare it does not learn.
    assert_eq!(
        plan.why,
        "queue/exhausted: 0 rows failed with all attempts used · migrations/whole is not declared"
    );
    assert!(!plan.preflight.iter().any(|p| p.id == "exhausted"));
}
