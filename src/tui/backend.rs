//! What the console needs of the engine. The loop's tests put a fake behind it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::engine::check::CheckSpec;
use crate::engine::paging::{Page, PageRequest, RowSource};
use crate::engine::ports::{Column, Fut};
use crate::engine::report::CheckId;
use crate::engine::target::{Server, TargetInfo};
use crate::engine::vitals::Vitals;
use crate::engine::{Class, Engine, Error, Report, Result};
use crate::launch::{Connect, Overrides};
use crate::profile::{Config, Selected, Window};
use crate::report::table::Cell;

/// An open target, as the console shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// The target.
    pub target: TargetInfo,
    /// The server.
    pub server: Server,
    /// Why the environment is what it is, on doubt.
    pub environment_note: Option<String>,
    /// Nothing may be changed.
    pub read_only: bool,
    /// When maintenance is allowed.
    pub window: Option<Window>,
    /// The profile's name.
    pub profile: String,
    /// Every check, with how often to run it.
    pub checks: Vec<(CheckId, Duration)>,
    /// What can be done here, and why not yet.
    pub operations: Vec<Operation>,
}

/// An operation as the action list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The verb.
    pub verb: &'static str,
    /// On what.
    pub name: String,
    /// What it would do.
    pub about: String,
    /// The check whose findings it mends.
    pub mends: Option<CheckId>,
    /// Why it cannot be done now.
    pub disabled: String,
}

/// The engine, seen from the console.
pub trait Backend: Send + Sync {
    /// Opens a target; the one in use when `None`.
    fn connect(&self, target: Option<String>) -> Fut<'_, Result<Session>>;
    /// Runs a check.
    fn observe(&self, id: CheckId) -> Fut<'_, Report>;
    /// Looks at the server.
    fn vitals(&self) -> Fut<'_, Result<Vitals>>;
    /// The rows behind a finding.
    fn rows(&self, id: &CheckId, finding: &str) -> Option<RowSource>;
    /// One page.
    fn page(&self, request: PageRequest) -> Fut<'_, Result<Page>>;
    /// All rows of a request, page by page, in one snapshot.
    fn pages<'a>(
        &'a self,
        request: PageRequest,
        each: &'a mut (dyn FnMut(Page) -> Result<()> + Send),
    ) -> Fut<'a, Result<()>>;
    /// A row's surroundings.
    fn context(&self, sql: String, columns: Vec<Column>, cells: Vec<Cell>) -> Fut<'_, Result<Page>>;
    /// Cancels what runs on the server for us.
    fn cancel(&self) -> Fut<'_, ()>;
}

/// The real one.
pub struct Live {
    connect: Connect,
    config: Config,
    overrides: Overrides,
    selected: Mutex<Selected>,
    engine: Mutex<Option<Arc<Engine>>>,
}

impl Live {
    /// Does not connect yet.
    pub fn new(connect: Connect, config: Config, overrides: Overrides, selected: Selected) -> Self {
        Self { connect, config, overrides, selected: Mutex::new(selected), engine: Mutex::new(None) }
    }

    fn engine(&self) -> Result<Arc<Engine>> {
        let engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner).clone();
        engine.ok_or_else(|| Error::new(Class::Unobserved, "failed to look: no target is open yet"))
    }

    fn session(engine: &Engine, selected: &Selected) -> Session {
        let every = |id: &CheckId| {
            let spec = engine.checks.iter().map(|c| c.spec()).find(|s: &&CheckSpec| s.kind == id.kind);
            spec.map_or(Duration::from_mins(1), |s| s.every)
        };
        Session {
            target: engine.target(),
            server: engine.server.clone(),
            environment_note: engine.environment.1.clone(),
            read_only: engine.read_only,
            window: selected.config.window.clone(),
            profile: engine.profile.name.clone(),
            checks: engine.ids().into_iter().map(|id| (id.clone(), every(&id))).collect(),
            operations: super::operations::of(engine),
        }
    }
}

impl Backend for Live {
    fn connect(&self, target: Option<String>) -> Fut<'_, Result<Session>> {
        Box::pin(async move {
            let selected = match &target {
                Some(name) => self.overrides.apply(self.config.select(Some(name))?),
                None => self.selected.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            };
            let engine = Arc::new((self.connect)(selected.clone()).await?);
            let session = Self::session(&engine, &selected);
            *self.engine.lock().unwrap_or_else(PoisonError::into_inner) = Some(engine);
            *self.selected.lock().unwrap_or_else(PoisonError::into_inner) = selected;
            Ok(session)
        })
    }

    fn observe(&self, id: CheckId) -> Fut<'_, Report> {
        Box::pin(async move {
            match self.engine() {
                Ok(engine) => engine.observe(&id, false).await,
                Err(e) => Report::unknown(id, e.message),
            }
        })
    }

    fn vitals(&self) -> Fut<'_, Result<Vitals>> {
        Box::pin(async move { self.engine()?.facts.vitals().await })
    }

    fn rows(&self, id: &CheckId, finding: &str) -> Option<RowSource> {
        self.engine().ok()?.rows(id, finding)
    }

    fn page(&self, request: PageRequest) -> Fut<'_, Result<Page>> {
        Box::pin(async move { self.engine()?.page(&request).await })
    }

    fn pages<'a>(
        &'a self,
        request: PageRequest,
        each: &'a mut (dyn FnMut(Page) -> Result<()> + Send),
    ) -> Fut<'a, Result<()>> {
        Box::pin(async move { self.engine()?.pages(request, each).await })
    }

    fn context(&self, sql: String, columns: Vec<Column>, cells: Vec<Cell>) -> Fut<'_, Result<Page>> {
        Box::pin(async move { self.engine()?.context(&sql, &columns, &cells).await })
    }

    fn cancel(&self) -> Fut<'_, ()> {
        Box::pin(async move {
            if let Ok(engine) = self.engine() {
                engine.facts.cancel_all().await;
            }
        })
    }
}
