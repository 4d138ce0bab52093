//! The engine: what is observed, planned, allowed, run and recorded. It has no SQL text, driver, terminal, clock or
//! environment, and names no operation and no kind of check: those come from features, the rest through [`port`].
//!
//! [`Engine`] is one target; console and command line use it and nothing else. `changes` adds what changes something.

pub mod changes;
pub mod check;
pub mod compare;
pub mod gate;
pub mod journal;
pub mod model;
pub mod plan;
pub mod port;
pub mod run;

use std::sync::Arc;

use crate::engine::check::kind::{Check, CheckCx, CheckProgressSink, SILENT};
use crate::engine::check::paging::{self, At, Page, PageRequest, RowSource};
use crate::engine::check::verdict::VerdictSpec;
use crate::engine::gate::guard::Guard;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::identity::Identity;
use crate::engine::model::journal_state::JournalState;
use crate::engine::model::param::{ParamSpec, Params};
use crate::engine::model::profile::Profile;
use crate::engine::model::query::Column;
use crate::engine::model::record::Operator;
use crate::engine::model::report::{CheckId, Report};
use crate::engine::model::target::{Environment, ServerInfo, TargetInfo};
use crate::engine::plan::operation::Operation;
use crate::engine::port::adapters::Adapters;
use crate::engine::port::clock::Clock;
use crate::engine::port::copies::Copies;
use crate::engine::port::files::Files;
use crate::engine::port::reader::{ReadOptions, Reader, Snapshot};
use crate::engine::port::runner::Runners;
use crate::engine::port::state::State;

/// What an engine is made of: compose puts it together, nothing changes it afterwards.
pub struct EngineParts {
    /// The target's name in the configuration.
    pub name: String,
    /// Read-only access.
    pub facts: Arc<dyn Reader>,
    /// Files named by the profile.
    pub files: Arc<dyn Files>,
    /// What to watch.
    pub profile: Profile,
    /// Who the server is.
    pub server: ServerInfo,
    /// Resolved environment and, on doubt, why.
    pub environment: (Environment, Option<String>),
    /// Nothing may be changed through this target.
    pub read_only: bool,
    /// All kinds of checks.
    pub checks: &'static [&'static dyn Check],
    /// What features answer about their reports, a list for each.
    pub verdicts: &'static [&'static [VerdictSpec]],
    /// All kinds of operations.
    pub operations: &'static [&'static dyn Operation],
    /// Who carries out the tasks of plans.
    pub runners: Runners<'static>,
    /// What is kept of the target between two runs of the program.
    pub state: Arc<dyn State>,
    /// Throwaway copies of the target.
    pub copies: Arc<dyn Copies>,
    /// What is allowed.
    pub guard: Guard,
    /// When maintenance is allowed: minutes of the UTC day, from and to.
    pub window: Option<(u32, u32)>,
    /// Who is at the keys.
    pub operator: Operator,
    /// The journal, as it was when the target was opened.
    pub journal: JournalState,
    /// What changing needs.
    pub adapters: Adapters,
    /// The time.
    pub clock: Clock,
}

/// One target, looked at. Console and command line both work through this and nothing else.
pub struct Engine {
    parts: EngineParts,
}

impl Engine {
    /// Of these parts.
    pub fn new(parts: EngineParts) -> Self {
        Self { parts }
    }

    /// The parts, to make another engine of them.
    pub fn into_parts(self) -> EngineParts {
        self.parts
    }

    /// Read-only access.
    pub fn facts(&self) -> &dyn Reader {
        &*self.parts.facts
    }

    /// What to watch.
    pub fn profile(&self) -> &Profile {
        &self.parts.profile
    }

    /// Who the server was when it was opened.
    pub fn server(&self) -> &ServerInfo {
        &self.parts.server
    }

    /// Resolved environment.
    pub fn environment(&self) -> Environment {
        self.parts.environment.0
    }

    /// Why the environment is in doubt.
    pub fn environment_note(&self) -> Option<&str> {
        self.parts.environment.1.as_deref()
    }

    /// Nothing may be changed through this target.
    pub fn is_read_only(&self) -> bool {
        self.parts.read_only
    }

    /// All kinds of checks.
    pub fn checks(&self) -> &'static [&'static dyn Check] {
        self.parts.checks
    }

    /// All kinds of operations.
    pub fn operations(&self) -> &'static [&'static dyn Operation] {
        self.parts.operations
    }

    /// Throwaway copies of the target.
    pub fn copies(&self) -> &dyn Copies {
        &*self.parts.copies
    }

    /// What changing needs.
    pub fn adapters(&self) -> &Adapters {
        &self.parts.adapters
    }

    /// The target as reports name it.
    pub fn target(&self) -> TargetInfo {
        TargetInfo {
            name: self.parts.name.clone(),
            environment: self.parts.environment.0,
            engine: self.parts.server.engine.to_owned(),
            version: self.parts.server.version.clone(),
            database: self.parts.server.database.clone(),
            transport: self.parts.server.transport,
        }
    }

    /// Every check of the profile, in the registry's and the profile's order.
    pub fn ids(&self) -> Vec<CheckId> {
        self.parts
            .checks
            .iter()
            .flat_map(|c| {
                let kind = c.spec().kind;
                c.names(&self.parts.profile).into_iter().map(move |name| CheckId { kind, name })
            })
            .collect()
    }

    /// The checks named by `KIND` or `KIND/NAME` selectors; all when there are none.
    pub fn select(&self, selectors: &[String]) -> Result<Vec<CheckId>> {
        let all = self.ids();
        if selectors.is_empty() {
            return if all.is_empty() { Err(self.declares_none("")) } else { Ok(all) };
        }
        let mut chosen: Vec<CheckId> = Vec::new();
        for selector in selectors {
            let hits: Vec<_> =
                all.iter().filter(|id| id.kind == selector || id.to_string() == *selector).cloned().collect();
            if hits.is_empty() {
                // Nothing looked at must not read as nothing found.
                return Err(match self.check(selector) {
                    Some(_) => self.declares_none(&format!("{selector} ")),
                    None => self.unknown_selector(selector, &all),
                });
            }
            chosen.extend(hits);
        }
        chosen.sort_by_key(|id| all.iter().position(|a| a == id));
        chosen.dedup();
        Ok(chosen)
    }

    fn declares_none(&self, kind: &str) -> Error {
        Error::usage(format!("profile {} declares no {kind}checks", self.parts.profile.name))
            .hint("another --profile? midwatch config example profile prints one to begin with")
    }

    fn unknown_selector(&self, selector: &str, all: &[CheckId]) -> Error {
        let kinds: Vec<_> = self.parts.checks.iter().map(|c| c.spec().kind).collect();
        let kind = selector.split('/').next().unwrap_or_default();
        if !kinds.contains(&kind) {
            return Error::usage(format!("check {kind} is not in this version"))
                .hint(format!("kinds: {}", kinds.join(" ")));
        }
        let known: Vec<_> = all.iter().filter(|id| id.kind == kind).map(CheckId::to_string).collect();
        let hint = if known.is_empty() {
            format!("kinds: {}", kinds.join(" "))
        } else {
            format!("this profile has: {}", known.join(" "))
        };
        Error::usage(format!("no check {selector} for profile {}", self.parts.profile.name)).hint(hint)
    }

    fn check(&self, kind: &str) -> Option<&'static dyn Check> {
        self.parts.checks.iter().copied().find(|c| c.spec().kind == kind)
    }

    /// The keys of the kinds of these checks.
    pub fn check_params(&self, ids: &[CheckId]) -> Vec<ParamSpec> {
        let chosen = |c: &&&dyn Check| ids.iter().any(|id| id.kind == c.spec().kind);
        self.parts.checks.iter().filter(chosen).flat_map(|c| c.spec().params).copied().collect()
    }

    /// Refuses keys that exclude each other for one of these checks.
    pub fn accept_params(&self, ids: &[CheckId], params: &Params) -> Result<()> {
        ids.iter().filter_map(|id| self.check(id.kind)).try_for_each(|check| check.accept(params))
    }

    /// The target's configuration accepts a connection that can be read and altered.
    pub fn insecure(&self) -> bool {
        self.parts.guard.insecure
    }

    /// Runs one check. What cannot be observed is a report too: unknown, with the reason.
    pub async fn observe(&self, id: &CheckId) -> Report {
        self.observe_with(id, &Params::default(), SILENT).await
    }

    /// The same with keys of the check; it says how far it is.
    pub async fn observe_with(&self, id: &CheckId, params: &Params, tell: CheckProgressSink<'_>) -> Report {
        let started = (self.parts.clock)();
        let cx = CheckCx {
            facts: &*self.parts.facts,
            files: &*self.parts.files,
            profile: &self.parts.profile,
            server: &self.parts.server,
            environment: self.parts.environment.0,
            insecure: self.insecure(),
            copies: &*self.parts.copies,
            state: &*self.parts.state,
            tell,
            names: &self.parts.operations,
            checks: self.parts.checks,
        };
        let check = self.check(id.kind);
        let result = match check {
            Some(check) => check.observe(&cx, id, params).await,
            None => Err(Error::usage(format!("no check of kind {}", id.kind))),
        };
        let mut report = result.unwrap_or_else(|e| Report::unknown(id.clone(), e.to_string()));
        let now = (self.parts.clock)();
        report.observed_at = started;
        report.elapsed_ms = (now - started).num_milliseconds().try_into().unwrap_or(0);
        report.notes = check.map(|c| c.notes(&report)).unwrap_or_default();
        report
    }

    /// Is what a check read before it was interrupted kept, so that it can be resumed?
    pub fn is_unfinished(&self, id: &CheckId) -> bool {
        let target = Identity::from_server(&self.parts.server);
        self.check(id.kind).is_some_and(|c| c.unfinished(&*self.parts.state, &target, &id.name))
    }

    /// The rows behind a finding.
    pub fn rows(&self, id: &CheckId, finding: &str) -> Option<RowSource> {
        self.check(id.kind)?.rows(self.parts.facts.dialect(), &self.parts.profile, &id.name, finding)
    }

    /// One page of rows.
    pub async fn page(&self, request: &PageRequest) -> Result<Page> {
        let options = ReadOptions { of_profile: true, ..ReadOptions::default() };
        let mut tx = self.parts.facts.begin(options).await?;
        paging::read(&mut *tx, self.parts.facts.dialect(), request).await
    }

    /// All rows of a request, page by page, in one snapshot.
    pub async fn pages(
        &self,
        mut request: PageRequest,
        each: &mut (dyn FnMut(Page) -> Result<()> + Send),
    ) -> Result<()> {
        let options =
            ReadOptions { snapshot: Snapshot::Transaction, of_profile: true, ..ReadOptions::default() };
        let mut tx = self.parts.facts.begin(options).await?;
        request.at = At::First;
        loop {
            let page = paging::read(&mut *tx, self.parts.facts.dialect(), &request).await?;
            let next = page.rows.last().filter(|_| !page.end).map(|r| At::After(r.position.clone()));
            each(page)?;
            match next {
                Some(at) => request.at = at,
                None => return Ok(()),
            }
        }
    }

    /// A row's surroundings: `{column}` in the query stands for the row's value.
    pub async fn context(&self, sql: &str, columns: &[Column], cells: &[Option<String>]) -> Result<Page> {
        let value_of =
            |name: &str| columns.iter().position(|c| c.name == name).and_then(|i| cells.get(i).cloned());
        let dialect = self.parts.facts.dialect();
        let sql = paging::bind_context(dialect, sql, &value_of)?;
        let mut tx = self.parts.facts.begin(ReadOptions::default()).await?;
        paging::all(&mut *tx, dialect, &sql, 200).await
    }
}
