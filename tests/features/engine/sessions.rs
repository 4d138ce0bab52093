//! A reader has few sessions: who holds one and waits for another waits for ever once all do. So every check and every
//! plan gets by with a single one, in every state of a switchover.

use std::sync::Arc;
use std::time::Duration;

use midwatch::engine::model::error::{Error, Result};
use midwatch::engine::model::param::Params;
use midwatch::engine::plan::request::Request;
use midwatch::engine::port::reader::{Fut, ReadOptions, ReadTx, Reader, Snapshot};
use midwatch::engine::{Engine, EngineParts};
use tokio::sync::Semaphore;

use crate::common;
use crate::common::wrapped_reader::{ReaderAround, Sending, TxAround};
use crate::switchover::end_to_end::done;
use crate::world::World;

/// Longer than any of it takes.
const NEVER: Duration = Duration::from_mins(1);

/// A reader that has one session.
fn one_session(facts: Arc<dyn Reader>) -> ReaderAround {
    let session = Arc::new(Semaphore::new(1));
    let begin =
        move |facts: Arc<dyn Reader>, options: ReadOptions| -> Fut<'static, Result<Box<dyn ReadTx>>> {
            let session = Arc::clone(&session);
            Box::pin(async move {
                // Those that share a snapshot have sessions of their own.
                let own = options.heartbeat || matches!(options.snapshot, Snapshot::Import(_));
                let permit = if own {
                    None
                } else {
                    let waited = tokio::time::timeout(NEVER, session.acquire_owned()).await;
                    Some(waited.map_err(|_| Error::unobserved("a second session is waited for"))?.unwrap())
                };
                let inside = facts.begin(options).await?;
                // The session is given back when the transaction goes.
                let before = move |_: Sending<'_>| {
                    let _held = &permit;
                };
                Ok(Box::new(TxAround { inside, before }) as Box<dyn ReadTx>)
            })
        };
    ReaderAround::new(facts, Box::new(begin))
}

async fn single(world: &World) -> Engine {
    let engine = common::open(&world.database.url(), Some("hospitality"), world.home.path()).await.unwrap();
    let parts = engine.into_parts();
    let facts = Arc::new(one_session(Arc::clone(&parts.facts)));
    Engine::new(EngineParts { facts, ..parts })
}

async fn gets_by(world: &World, state: &str) {
    let engine = single(world).await;
    let check = |what: &str, why: &str| {
        assert!(!why.contains("a second session is waited for"), "{state}: {what}: {why}");
    };
    for id in engine.ids() {
        check(&id.to_string(), &format!("{:?}", engine.observe(&id).await));
    }
    for operation in
        ["repair-triggers", "repair", "copy-missing", "watch", "switchover", "rollback", "cleanup"]
    {
        let request = Request::Operation { verb: operation.into(), name: None, params: Params::default() };
        // It may be refused in this state.
        match engine.plan(&request, &|_| ()).await {
            Ok(planned) => check(operation, &format!("{:?}", planned.plan.preflight)),
            Err(e) => check(operation, &e.to_string()),
        }
    }
}

#[tokio::test]
#[ignore = "long: make long"]
async fn a_single_session_is_enough_for_every_check_and_plan() {
    let world = World::mended().await;
    gets_by(&world, "before").await;
    done(&world, &["switchover", "--set", "backup=skip", "--set", "monitor=0"]);
    gets_by(&world, "switched").await;
    done(&world, &["cleanup", "--set", "accept=foreign_key", "--set", "backup=make"]);
    gets_by(&world, "put away").await;
    done(&world, &["cleanup", "--set", "quiet=0", "--set", "accept=quiet"]);
    gets_by(&world, "dropped").await;
}
