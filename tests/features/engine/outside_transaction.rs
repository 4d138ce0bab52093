//! Statements that cannot share a transaction: no plan has them, none is opened, confirmed, begun or resumed with them.

use std::sync::Arc;

use midwatch::engine::Engine;
use midwatch::engine::gate::guard::{Approved, Circumstances, Guard, TypedPhrase, UnfinishedRun};
use midwatch::engine::model::error::{Class, Error};
use midwatch::engine::model::identity::Identity;
use midwatch::engine::model::journal_state::JournalState;
use midwatch::engine::model::plan::Plan;
use midwatch::engine::model::preflight::Risk;
use midwatch::engine::model::progress::Control;
use midwatch::engine::model::record::Outcome;
use midwatch::engine::model::row_store::RowSet;
use midwatch::engine::model::window::Window;
use midwatch::engine::plan::request::Planned;
use midwatch::engine::port::writer::RunLimits;
use serde_json::json;

use crate::engine::makes::{engine, request, step};
use crate::world::World;

/// A plan that is in order, and the same as an earlier version could have made it.
async fn plans(engine: &Engine) -> (Plan, Plan, Arc<dyn RowSet>) {
    let Planned { plan, rows } = engine.plan(&request("together"), &|_| ()).await.unwrap();
    let mut alone = plan.clone();
    alone.steps = vec![step(false)];
    alone.seal();
    (plan, alone, rows)
}

/// Entries and runs of the journal, and the table.
async fn written(world: &World) -> (String, bool) {
    let counts =
        "select (select count(*) from midwatch.runs) || ' ' || (select count(*) from midwatch.events)";
    let made = world.value("select to_regclass('public.made')::text").await;
    (world.value(counts).await, !made.is_empty())
}

fn is_refused(error: &Error) {
    assert_eq!((error.class, error.exit_code()), (Class::Refused, 3), "{error:?}");
    assert_eq!(error.message, "step make has statements that cannot share a transaction");
}

/// By the guard alone, past the engine's own question.
async fn with_guard<T>(engine: Engine, ask: impl FnOnce(&Circumstances<'_>) -> T) -> (Engine, T) {
    let server = engine.server().clone();
    let now = Circumstances {
        environment: engine.environment(),
        read_only: false,
        window: Window::Always,
        server: &server,
        now: engine.server_time().await.unwrap(),
        journal: JournalState::Ready,
        headless: true,
    };
    let answer = ask(&now);
    (engine, answer)
}

/// Approved by the guard, which asks nothing of steps.
async fn approved(engine: Engine, plan: &Plan, rows: &Arc<dyn RowSet>) -> (Engine, Approved) {
    let guard = Guard::default();
    with_guard(engine, |now| {
        let gate = guard.review(plan.clone(), Arc::clone(rows), Risk::Reversible, false, now).unwrap();
        let phrase = gate.phrase().to_owned();
        let typed = TypedPhrase { phrase: &phrase, database: None, at: now.now };
        gate.confirm(&typed).map_err(|d| d.why).unwrap()
    })
    .await
}

#[tokio::test]
async fn no_plan_is_drafted_with_them() {
    let world = World::hithonix().await;
    let engine = engine(&world).await;
    is_refused(&engine.plan(&request("alone"), &|_| ()).await.err().unwrap());
    let planned = engine.plan(&request("together"), &|_| ()).await.unwrap();
    assert!(planned.plan.steps[0].in_transaction);
}

#[tokio::test]
async fn a_sealed_plan_with_them_is_refused_before_its_phrase() {
    let world = World::hithonix().await;
    world.accept_foreign_plans();
    let (before, rows) = (written(&world).await, world.snapshot().await);
    world.plan("p.json", &["backfill"]);
    let plan = world.altered("p.json", |plan| plan.steps.insert(0, step(false)));
    for phrase in [plan["phrase"].as_str().unwrap(), "not the phrase"] {
        let (code, value) = world.apply("p.json", phrase);
        assert_eq!((code, value["run"]["outcome"].as_str()), (3, Some("refused")), "{value:#}");
        let told = value["error"]["message"].as_str().unwrap();
        assert_eq!(told, "step make has statements that cannot share a transaction");
    }
    assert_eq!((written(&world).await, world.snapshot().await), (before, rows));
    // In a transaction the very same step is carried out: nothing else of the plan was refused.
    world.plan("p.json", &["backfill"]);
    let plan = world.altered("p.json", |plan| plan.steps.insert(0, step(true)));
    let (_, value) = world.apply("p.json", plan["phrase"].as_str().unwrap());
    let told = value["error"]["message"].as_str().unwrap_or_default();
    assert!(!told.contains("transaction"), "{value:#}");
}

#[tokio::test]
async fn neither_the_review_nor_the_executor_lets_them_through() {
    let world = World::hithonix().await;
    let engine = engine(&world).await;
    let (_, alone, rows) = plans(&engine).await;
    let before = written(&world).await;
    let planned = Planned { plan: alone.clone(), rows: Arc::clone(&rows) };
    is_refused(&engine.review(planned, true).await.err().unwrap());
    let (engine, approved) = approved(engine, &alone, &rows).await;
    let done = engine.run(approved, &Control::default(), &|_| ()).await;
    assert_eq!((done.outcome, done.run), (Outcome::Refused, None));
    is_refused(&done.failure.unwrap());
    assert_eq!(written(&world).await, before);
}

/// A run in the journal that was cut off before its first step; what the writer says of the step.
async fn cut_off(engine: Engine, plan: &Plan, rows: &Arc<dyn RowSet>) -> (Engine, String, Option<Error>) {
    let (engine, approved) = approved(engine, plan, rows).await;
    let parts = engine.into_parts();
    let limits = RunLimits {
        signer: Arc::clone(&parts.adapters.signer),
        operator: parts.operator.clone(),
        lock_timeout_ms: 1_000,
        statement_timeout_ms: 10_000,
        guard_off_ms: 5_000,
        search_path: vec![],
        names_with_schema: true,
    };
    let mut writer = parts.adapters.writers.open(&approved, &limits).await.unwrap();
    let at = writer.begin(plan, &[]).await.unwrap();
    let body = json!({ "operation": plan.operation, "name": plan.name, "target": plan.target,
        "digest": plan.digest, "plan": plan.id, "rows": plan.rows, "rows_sha256": plan.rows_sha256,
        "undoes": null, "by": parts.operator.to_string(), "phrase": plan.phrase });
    let entry = writer.staged(&at, &body).await.unwrap();
    let target = Identity::from_server(&parts.server);
    parts.adapters.journal_copy.append(&target, &entry).unwrap();
    let step = &plan.steps[0];
    let refused = if step.in_transaction { None } else { writer.statements(&at, step, true).await.err() };
    writer.close().await;
    (Engine::new(parts), at.run, refused)
}

#[tokio::test]
async fn a_run_whose_plan_has_them_is_not_resumed() {
    let world = World::hithonix().await;
    let engine = engine(&world).await;
    let (together, alone, rows) = plans(&engine).await;
    let (engine, run, refused) = cut_off(engine, &alone, &rows).await;
    let refused = refused.expect("the writer carries no such step out");
    assert_eq!(
        (refused.class, refused.message.as_str()),
        (Class::Refused, "step make is not one transaction")
    );
    let before = written(&world).await;
    assert!(!before.1);
    assert!(engine.run_record(&run).await.unwrap().resumable, "as far as the journal can tell");
    is_refused(&engine.review_resume(&run).await.err().unwrap());
    let (code, value) = world.json(&["resume", &run]);
    assert_eq!(code, 3, "{value:#}");
    let told = value["error"]["message"].as_str().unwrap();
    assert_eq!(told, "step make has statements that cannot share a transaction");
    let unfinished = UnfinishedRun { run: run.clone(), plan: alone, entries: String::new() };
    let (engine, approved) =
        with_guard(engine, |now| Guard::default().resume(unfinished, now).unwrap()).await;
    let done = engine.run(approved, &Control::default(), &|_| ()).await;
    is_refused(&done.failure.unwrap());
    assert_eq!(written(&world).await, before, "nothing is taken over, nothing is written");
    // The same in a transaction goes on.
    let (engine, run, _) = cut_off(engine, &together, &rows).await;
    let approved = engine.review_resume(&run).await.unwrap().unwrap();
    let done = engine.run(approved, &Control::default(), &|_| ()).await;
    assert_eq!((done.outcome, done.failure), (Outcome::Applied, None));
    assert!(written(&world).await.1);
}
