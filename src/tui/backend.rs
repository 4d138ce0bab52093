//! What the console needs of the engine. The loop's tests put a fake behind it.

use crate::tui::data::{Journal, Resumed, ReviewedPlan, RunDetail, Session, TypedConfirmation};

use crate::engine::check::kind::CheckProgressSink;
use crate::engine::check::paging::{Page, PageRequest, RowSource};
use crate::engine::model::blocker::Blocker;
use crate::engine::model::diff::PlannedRow;
use crate::engine::model::error::Result;
use crate::engine::model::param::Params;
use crate::engine::model::progress::{ControlRequest, Done, ProgressSink};
use crate::engine::model::query::Column;
use crate::engine::model::report::{CheckId, Report};
use crate::engine::model::vitals::Vitals;
use crate::engine::plan::request::{PlanNews, Request};
use crate::engine::port::reader::Fut;
use crate::features::switchover::status::SwitchoverStatus;
use crate::report::table::RowCell;

/// The engine, seen from the console.
pub trait Backend: Send + Sync {
    /// Opens a target; the one in use when `None`.
    fn connect(&self, target: Option<String>) -> Fut<'_, Result<Session>>;
    /// Runs a check in a way of its own. Dropping this cancels it.
    fn observe<'a>(&'a self, id: CheckId, asked: Params, tell: CheckProgressSink<'a>) -> Fut<'a, Report>;
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
    fn context(&self, sql: String, columns: Vec<Column>, cells: Vec<RowCell>) -> Fut<'_, Result<Page>>;
    /// Cancels what runs on the server for us.
    fn cancel(&self) -> Fut<'_, ()>;
    /// Plans and has it reviewed. The plan and its rows are kept until [`Backend::discard`]; dropping this
    /// cancels the planning.
    fn plan<'a>(
        &'a self,
        request: Request,
        news: &'a (dyn Fn(PlanNews) + Send + Sync),
    ) -> Fut<'a, Result<ReviewedPlan>>;
    /// Rows of a kept plan.
    fn planned_rows(&self, plan: String, from: u64, limit: usize) -> Fut<'_, Result<Vec<PlannedRow>>>;
    /// Forgets a plan.
    fn discard(&self, plan: &str);
    /// Confirms a kept plan and does it. An error: it was not confirmed, and can still be.
    fn apply<'a>(
        &'a self,
        plan: String,
        typed: TypedConfirmation,
        watcher: ProgressSink<'a>,
    ) -> Fut<'a, Result<Done>>;
    /// Resumes an unfinished run, or asks for its phrase: that of another installation is confirmed by [`Backend::apply`].
    fn resume<'a>(&'a self, run: String, watcher: ProgressSink<'a>) -> Fut<'a, Result<Resumed>>;
    /// Asks something of the run under way.
    fn control(&self, wish: ControlRequest);
    /// Stops the run under way after its batch, for a signal.
    fn stop(&self, by: &'static str);
    /// Has the run under way write something into its journal.
    fn note(&self, text: String);
    /// How a set of twins stands right now.
    fn room(&self, name: String) -> Fut<'_, Result<SwitchoverStatus>>;
    /// Has the run under way end a session that is in its way, if that is what was typed.
    fn end_session(&self, blocker: Blocker, typed: &str);
    /// The latest runs.
    fn runs(&self) -> Fut<'_, Result<Journal>>;
    /// Everything about one run.
    fn run_detail(&self, run: String) -> Fut<'_, Result<RunDetail>>;
}
