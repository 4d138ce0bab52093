//! What the console needs of the engine. The loop's tests put a fake behind it.

use std::time::Duration;

use super::msg::Failure;
use crate::engine::check::kind::{How, Tell};
use crate::engine::check::paging::{Page, PageRequest, RowSource};
use crate::engine::gate::guard::Ladder;
use crate::engine::model::blocker::Blocker;
use crate::engine::model::diff::PlannedRow;
use crate::engine::model::error::Result;
use crate::engine::model::event::Event;
use crate::engine::model::plan::Plan;
use crate::engine::model::progress::{Done, Watcher, Wish};
use crate::engine::model::query::Column;
use crate::engine::model::record::{Listed, RunRecord};
use crate::engine::model::report::{CheckId, Report};
use crate::engine::model::target::{Server, TargetInfo};
use crate::engine::model::vitals::Vitals;
use crate::engine::plan::operation::Offer;
use crate::engine::plan::request::{PlanNews, Request};
use crate::engine::port::reader::Fut;
use crate::features::switchover::status::RoomFacts;
use crate::profile::Window;
use crate::report::table::Cell;

/// Runs listed.
pub const RUNS: u32 = 200;
/// Drifted rows read with a run.
pub const DRIFTED: u32 = 200;

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
    /// Those of which a comparison is kept that was cut off.
    pub unfinished: Vec<CheckId>,
    /// What can be done here, and why not the rest.
    pub operations: Vec<Offer>,
}

/// A plan, and what the guard says of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Reviewed {
    /// The plan.
    pub plan: Plan,
    /// How it is confirmed, or why it cannot be.
    pub gate: std::result::Result<Ladder, Failure>,
}

/// What was typed to confirm a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Typed {
    /// The phrase.
    pub phrase: String,
    /// The database's name, where that is asked for.
    pub database: Option<String>,
}

/// The journal, as far as it can be read.
#[derive(Debug, Clone, PartialEq)]
pub enum Journal {
    /// Its latest runs, newest first.
    Runs(Listed),
    /// It has never been made here.
    Missing,
}

/// Everything about one run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunDetail {
    /// Its record.
    pub record: RunRecord,
    /// What was approved, where it can be read.
    pub plan: Option<Plan>,
    /// The step of it that the run is at; past the last one: all are done.
    pub at: Option<usize>,
    /// Its entries, oldest first.
    pub events: Vec<Event>,
    /// Rows left alone, the first [`DRIFTED`] of them.
    pub drifted: Vec<PlannedRow>,
}

/// The engine, seen from the console.
pub trait Backend: Send + Sync {
    /// Opens a target; the one in use when `None`.
    fn connect(&self, target: Option<String>) -> Fut<'_, Result<Session>>;
    /// Runs a check in a way of its own. Dropping this cancels it.
    fn observe<'a>(&'a self, id: CheckId, how: How, tell: Tell<'a>) -> Fut<'a, Report>;
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
    /// Plans and has it reviewed. The plan and its rows are kept until [`Backend::discard`]; dropping this
    /// cancels the planning.
    fn plan<'a>(
        &'a self,
        request: Request,
        news: &'a (dyn Fn(PlanNews) + Send + Sync),
    ) -> Fut<'a, Result<Reviewed>>;
    /// Rows of a kept plan.
    fn planned_rows(&self, plan: String, from: u64, limit: usize) -> Fut<'_, Result<Vec<PlannedRow>>>;
    /// Forgets a plan.
    fn discard(&self, plan: &str);
    /// Confirms a kept plan and does it. An error: it was not confirmed, and can still be.
    fn apply<'a>(&'a self, plan: String, typed: Typed, watcher: Watcher<'a>) -> Fut<'a, Result<Done>>;
    /// Goes on with an unfinished run; `None`: there was nothing left to do.
    fn resume<'a>(&'a self, run: String, watcher: Watcher<'a>) -> Fut<'a, Result<Option<Done>>>;
    /// Asks something of the run under way.
    fn control(&self, wish: Wish);
    /// Stops the run under way after its batch, for a signal.
    fn stop(&self, by: &'static str);
    /// Has the run under way write something into its journal.
    fn note(&self, text: String);
    /// How a set of twins stands right now.
    fn room(&self, name: String) -> Fut<'_, Result<RoomFacts>>;
    /// Has the run under way end a session that is in its way, if that is what was typed.
    fn end_session(&self, blocker: Blocker, typed: &str);
    /// The latest runs.
    fn runs(&self) -> Fut<'_, Result<Journal>>;
    /// Everything about one run.
    fn run_detail(&self, run: String) -> Fut<'_, Result<RunDetail>>;
}
