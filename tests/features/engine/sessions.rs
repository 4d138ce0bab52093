//! A reader has few sessions: who holds one and waits for another waits for ever once all do. So every check and every
//! plan gets by with a single one, in every state of a switchover.

use std::sync::Arc;
use std::time::Duration;

use midwatch::engine::model::error::{Error, Result};
use midwatch::engine::model::load::ServerLoad;
use midwatch::engine::model::param::Params;
use midwatch::engine::model::query::{Column, ProfileSql, Sql};
use midwatch::engine::model::target::ServerInfo;
use midwatch::engine::model::vitals::Vitals;
use midwatch::engine::plan::request::Request;
use midwatch::engine::port::dialect::Dialect;
use midwatch::engine::port::reader::{Fut, ReadOptions, ReadTx, Reader, RowShape, Snapshot, Take};
use midwatch::engine::{Engine, EngineParts};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::common;
use crate::switchover::end_to_end::{done, ready};
use crate::world::World;

/// Longer than any of it takes.
const NEVER: Duration = Duration::from_mins(1);

/// One session at a time.
struct Single {
    facts: Arc<dyn Reader>,
    session: Arc<Semaphore>,
}

struct Held {
    tx: Box<dyn ReadTx>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Reader for Single {
    fn dialect(&self) -> &'static dyn Dialect {
        self.facts.dialect()
    }
    fn set_search_path(&self, schemas: &[String]) {
        self.facts.set_search_path(schemas);
    }
    fn begin(&self, options: ReadOptions) -> Fut<'_, Result<Box<dyn ReadTx>>> {
        Box::pin(async move {
            // Those that share a snapshot have sessions of their own.
            let own = options.heartbeat || matches!(options.snapshot, Snapshot::Import(_));
            let permit = if own {
                None
            } else {
                let waited = tokio::time::timeout(NEVER, Arc::clone(&self.session).acquire_owned()).await;
                Some(waited.map_err(|_| Error::unobserved("a second session is waited for"))?.unwrap())
            };
            Ok(Box::new(Held { tx: self.facts.begin(options).await?, _permit: permit }) as Box<dyn ReadTx>)
        })
    }
    fn server(&self) -> Fut<'_, Result<ServerInfo>> {
        self.facts.server()
    }
    fn vitals(&self) -> Fut<'_, Result<Vitals>> {
        self.facts.vitals()
    }
    fn pressure(&self) -> Fut<'_, Result<ServerLoad>> {
        self.facts.pressure()
    }
    fn cancel_all(&self) -> Fut<'_, ()> {
        self.facts.cancel_all()
    }
}

impl ReadTx for Held {
    fn describe<'a>(&'a mut self, sql: &'a ProfileSql) -> Fut<'a, Result<Vec<Column>>> {
        self.tx.describe(sql)
    }
    fn profile<'a>(
        &'a mut self,
        sql: &'a ProfileSql,
        shape: RowShape,
        take: Take<'a>,
    ) -> Fut<'a, Result<()>> {
        self.tx.profile(sql, shape, take)
    }
    fn each<'a>(&'a mut self, sql: &'a Sql, take: Take<'a>) -> Fut<'a, Result<()>> {
        self.tx.each(sql, take)
    }
    fn objects<'a>(&'a mut self, sql: &'a Sql, take: Take<'a>) -> Fut<'a, Result<()>> {
        self.tx.objects(sql, take)
    }
}

async fn single(world: &World) -> Engine {
    let engine = common::open(&world.database.url(), Some("hospitality"), world.home.path()).await.unwrap();
    let parts = engine.into_parts();
    let facts = Arc::new(Single { facts: Arc::clone(&parts.facts), session: Arc::new(Semaphore::new(1)) });
    Engine::new(EngineParts { facts, ..parts })
}

async fn gets_by(world: &World, state: &str) {
    let engine = single(world).await;
    let told = |what: &str, why: &str| {
        assert!(!why.contains("a second session is waited for"), "{state}: {what}: {why}");
    };
    for id in engine.ids() {
        told(&id.to_string(), &format!("{:?}", engine.observe(&id).await));
    }
    for operation in
        ["repair-triggers", "repair", "copy-missing", "watch", "switchover", "rollback", "cleanup"]
    {
        let request = Request::Operation { verb: operation.into(), name: None, params: Params::default() };
        // It may be refused in this state.
        match engine.plan(&request, &|_| ()).await {
            Ok(planned) => told(operation, &format!("{:?}", planned.plan.preflight)),
            Err(e) => told(operation, &e.to_string()),
        }
    }
}

#[tokio::test]
async fn a_single_session_is_enough_for_every_check_and_plan() {
    let world = ready().await;
    gets_by(&world, "before").await;
    done(&world, &["switchover", "--set", "backup=skip", "--set", "monitor=0"]);
    gets_by(&world, "switched").await;
    done(&world, &["cleanup", "--set", "accept=foreign_key", "--set", "backup=make"]);
    gets_by(&world, "put away").await;
    done(&world, &["cleanup", "--set", "quiet=0", "--set", "accept=quiet"]);
    gets_by(&world, "dropped").await;
}
