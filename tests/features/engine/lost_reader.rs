//! A reader that gets no answer while a run goes on: the run stops, and asks its own sessions how they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use midwatch::engine::Engine;
use midwatch::engine::gate::guard::{Approved, TypedPhrase};
use midwatch::engine::model::cause::Cause;
use midwatch::engine::model::error::Error;
use midwatch::engine::model::progress::{Control, Phase};
use midwatch::engine::model::record::Outcome;

use crate::common::shared_server;
use crate::common::wrapped_reader::ReaderAround;
use crate::engine::makes::{engine, request};
use crate::world::World;

/// A plan of two steps, confirmed.
async fn approved(engine: &Engine) -> Approved {
    let planned = engine.plan(&request("twice"), &|_| ()).await.unwrap();
    let phrase = planned.plan.phrase.clone();
    let gate = engine.review(planned, true).await.unwrap();
    let at = engine.server_time().await.unwrap();
    gate.confirm(&TypedPhrase { phrase: &phrase, database: None, at }).map_err(|d| d.why).unwrap()
}

/// The kinds of the run's entries, when its reader fails after the first step; `ends`: and its sessions are ended.
async fn entries(ends: bool, cause: Cause) -> Vec<String> {
    let world = World::hithonix().await;
    let mut parts = engine(&world).await.into_parts();
    let minute = "select (extract(hour from now() at time zone 'UTC') * 60 + extract(minute from now() at time zone 'UTC'))::int::text";
    let minute: u32 = world.value(minute).await.parse().unwrap();
    parts.window = Some(((minute + 1_380) % 1_440, (minute + 60) % 1_440));
    let lost = Arc::new(AtomicBool::new(false));
    let (database, gone) = (world.database.name.clone(), Arc::clone(&lost));
    let ended = AtomicBool::new(false);
    let around = ReaderAround::new(
        parts.facts,
        Box::new(move |facts, options| {
            let (database, gone) = (database.clone(), gone.load(Ordering::SeqCst));
            // Once: what is asked when the sessions are renewed does not end these as well.
            let ends = ends && gone && !ended.swap(true, Ordering::SeqCst);
            Box::pin(async move {
                if !gone {
                    return facts.begin(options).await;
                }
                if ends {
                    let sql = "select pg_terminate_backend(pid, 5000) from pg_stat_activity \
                               where datname = current_database() and application_name ~ '^midwatch/(run|lock)'";
                    let mut owner = shared_server().owner(&database).await.unwrap();
                    owner.execute_script(sql).await.unwrap();
                }
                Err(Error::unobserved("no answer").cause(cause))
            })
        }),
    );
    parts.facts = Arc::new(around);
    let engine = Engine::new(parts);
    let approved = approved(&engine).await;
    let done = engine
        .run(approved, &Control::default(), &|p| {
            if p.phase == Phase::Working {
                lost.store(true, Ordering::SeqCst);
            }
        })
        .await;
    assert_eq!((done.outcome, done.resumable), (Outcome::Partial, true), "{done:?}");
    assert!(done.failure.unwrap().message.starts_with("no answer"));
    let made = "select (to_regclass('public.made') is not null and to_regclass('public.more') is null)::text";
    assert_eq!(world.value(made).await, "true");
    let kinds = world.value("select string_agg(kind, ' ' order by seq) from midwatch.events").await;
    kinds.split(' ').map(str::to_owned).collect()
}

#[tokio::test]
async fn sessions_that_are_there_are_not_renewed() {
    assert_eq!(entries(false, Cause::ConnectionLost).await, ["intent", "step", "outcome"]);
}

/// Whatever the reader met: that of the lock is asked, and its own answer counts.
#[tokio::test]
async fn sessions_that_are_gone_are_renewed() {
    for cause in [Cause::ConnectionLost, Cause::Cancelled] {
        assert_eq!(entries(true, cause).await, ["intent", "step", "reconnected", "outcome"], "{cause:?}");
    }
}

#[tokio::test]
async fn a_plan_whose_earlier_runs_cannot_be_read_is_not_applied() {
    let world = World::hithonix().await;
    let mut parts = engine(&world).await.into_parts();
    let lost = Arc::new(AtomicBool::new(false));
    let gone = Arc::clone(&lost);
    let around = ReaderAround::new(
        parts.facts,
        Box::new(move |facts, options| {
            let gone = gone.load(Ordering::SeqCst);
            Box::pin(async move {
                if gone { Err(Error::unobserved("no answer")) } else { facts.begin(options).await }
            })
        }),
    );
    parts.facts = Arc::new(around);
    let engine = Engine::new(parts);
    let approved = approved(&engine).await;
    lost.store(true, Ordering::SeqCst);
    let done = engine.run(approved, &Control::default(), &|_| ()).await;
    assert_eq!((done.outcome, done.run), (Outcome::Failed, None));
    let failure = done.failure.unwrap();
    assert_eq!(
        failure.message,
        "not checked whether the journal is as it was last seen from this machine: no answer"
    );
    assert_eq!(world.value("select count(*)::text from midwatch.runs").await, "0");
}
