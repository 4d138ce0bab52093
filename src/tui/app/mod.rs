//! The console's whole state, and how messages change it. No handle, no clock, no I/O.

mod confirm;
mod journal;
mod keys;
mod look;
mod navigate;
mod notice;
mod offers;
mod overlay;
mod plan;
mod ready;
mod room;
mod rows;
mod run;
mod schedule;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::backend::Session;
use super::keymap::{Action, Scene};
use super::list::{Detail, List, ListState};
use super::msg::{Effect, Failure, Msg, Slot};
use super::theme::Theme;
use super::{doc, pane};
use crate::cli::LogLine;
use crate::engine::model::report::{CheckId, Report, Severity, Status};
use crate::engine::model::vitals::Vitals;

pub use confirm::{Confirm, expired, wait};
pub use journal::{JournalState, Pace, done};
pub use look::{Cut, Look, look_word};
pub use notice::{About, Notice};
pub use offers::{Ask, Choice, Deed, Field};
pub use overlay::{Kind as OverlayKind, LEAVING, Overlay, PaletteItem, UNFINISHED};
pub use plan::{PlanView, Stage};
pub use ready::{Light, Readiness, parity_facts};
pub use room::{RoomState, RoomView, is_swap, swap_of};
pub use rows::RowsView;
pub use run::{OurRun, RunView, title_of};

/// The connection to the target.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Link {
    /// Being opened, since the first tick after the start or a switch.
    #[default]
    Opening,
    /// Open.
    Up,
    /// Lost or refused.
    Down {
        /// Since when.
        since: DateTime<Utc>,
        /// Why.
        failure: Failure,
        /// Tried so often.
        attempts: u32,
        /// Tried again then.
        retry_at: DateTime<Utc>,
    },
}

/// What is known of one check.
#[derive(Debug, Clone, PartialEq)]
pub struct Watch {
    /// Which.
    pub id: CheckId,
    /// How often it is run.
    pub every: std::time::Duration,
    /// The latest report.
    pub report: Option<Report>,
    /// Running since.
    pub running: Option<DateTime<Utc>>,
    /// Run again then.
    pub due: DateTime<Utc>,
    /// Why the last run told nothing, where an earlier one did; its report is kept, as old.
    pub failure: Option<String>,
    /// Wrong rows at each of the last runs, oldest first.
    pub trend: Vec<u64>,
    /// Looks asked for, and how far the one under way is.
    pub look: Look,
}

/// One view of a pane's stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// What it shows.
    pub view: View,
    /// Cursor, filter, marks.
    pub state: ListState,
}

/// What a level shows.
#[derive(Debug, Clone, PartialEq)]
pub enum View {
    /// The pane itself.
    Pane,
    /// A twin.
    Twin(CheckId),
    /// Its partitions.
    Partitions(CheckId),
    /// Rows of the database, paged.
    Rows(Box<RowsView>),
    /// Everything about one row.
    Detail {
        /// It.
        detail: Detail,
        /// Its surroundings, where declared.
        context: Option<Surroundings>,
    },
    /// A plan, by its slot.
    Plan(Slot),
    /// A run, ours or another's.
    Run(Box<RunView>),
    /// The switchover room, where no run is shown.
    Room(RoomView),
}

/// A row's surroundings.
#[derive(Debug, Clone, PartialEq)]
pub struct Surroundings {
    /// For which answer this waits.
    pub slot: Slot,
    /// One line for people.
    pub title: String,
    /// The rows, or why not, or not yet.
    pub page: Option<Result<crate::engine::check::paging::Page, Failure>>,
}

/// A place in the view history: a pane and the way down in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    pane: usize,
    levels: Vec<Level>,
}

/// The state.
#[derive(Debug, Clone)]
pub struct App {
    /// The time.
    pub now: DateTime<Utc>,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// How things look.
    pub theme: Theme,
    /// The connection.
    pub link: Link,
    /// The open target.
    pub session: Option<Session>,
    /// The target that is wanted, where it is not the one of the start: also while it cannot be opened.
    pub wanted: Option<String>,
    /// Targets that can be switched to.
    pub targets: Vec<String>,
    /// What is known, in order.
    pub watches: Vec<Watch>,
    /// The server's state and when it was seen.
    pub vitals: Option<(Vitals, DateTime<Utc>)>,
    /// The server is being looked at.
    vitals_running: bool,
    /// The pane shown.
    pub pane: usize,
    /// Per pane the way down.
    pub stacks: Vec<Vec<Level>>,
    /// On top of everything.
    pub overlay: Option<Overlay>,
    /// What is typed after `/`, while it is typed.
    pub filter_input: Option<tui_input::Input>,
    /// The last filter, for `n` and `N`.
    pub last_filter: String,
    /// The last event, its tone by whether it is a failure.
    pub notice: Option<Notice>,
    /// Not looking by itself.
    pub paused: bool,
    /// The log's latest lines.
    pub log: Vec<LogLine>,
    /// First key of a sequence.
    pub pending: Option<char>,
    /// Findings as first seen, to tell what is new.
    pub baseline: HashMap<String, (u64, DateTime<Utc>)>,
    /// Checks that have been run once: what comes later is new.
    seen: BTreeSet<CheckId>,
    history: Vec<Place>,
    future: Vec<Place>,
    next_slot: Slot,
    cancelled_at: Option<DateTime<Utc>>,
    exporting: bool,
    /// Plans on the screen; one that no pane shows any more is forgotten.
    pub plans: BTreeMap<Slot, PlanView>,
    /// The run that this console has begun, going on or over.
    pub run: Option<OurRun>,
    /// What is known of the journal.
    pub journal: JournalState,
    /// What is known of the switchover room that was looked at last.
    pub room: RoomState,
}

impl App {
    /// A console that has not connected yet.
    pub fn new(now: DateTime<Utc>, size: (u16, u16), theme: Theme) -> Self {
        let stacks = pane::ALL.iter().map(|_| vec![Level::pane()]).collect();
        Self {
            now,
            size,
            theme,
            link: Link::Opening,
            session: None,
            wanted: None,
            targets: Vec::new(),
            watches: Vec::new(),
            vitals: None,
            vitals_running: false,
            pane: 0,
            stacks,
            overlay: None,
            filter_input: None,
            last_filter: String::new(),
            notice: None,
            paused: false,
            log: Vec::new(),
            pending: None,
            baseline: HashMap::new(),
            seen: BTreeSet::new(),
            history: Vec::new(),
            future: Vec::new(),
            next_slot: 1,
            cancelled_at: None,
            exporting: false,
            plans: BTreeMap::new(),
            run: None,
            journal: JournalState::default(),
            room: RoomState::default(),
        }
    }

    /// With targets to switch to.
    #[must_use]
    pub fn with_targets(mut self, targets: Vec<String>) -> Self {
        self.targets = targets;
        self
    }

    /// What to do first.
    pub fn start(&mut self) -> Vec<Effect> {
        vec![Effect::Connect(None)]
    }

    /// The one place where the state changes.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        let mut effects = self.change(msg);
        effects.extend(self.forget_plans());
        self.forget_notice();
        effects
    }

    fn change(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::Key(key) => self.key(key),
            Msg::Paste(text) => self.paste(&text),
            Msg::Mouse(mouse) => self.mouse(mouse),
            Msg::Resize(columns, rows) => {
                self.size = (columns, rows);
                vec![]
            }
            Msg::Tick(now) => self.tick(now),
            Msg::Connected(session) => self.connected(*session),
            Msg::Refused(failure) => {
                self.lost(*failure);
                vec![]
            }
            Msg::Observed(report) => self.observed(*report),
            Msg::Vitals(result) => self.seen_vitals(result),
            Msg::Page { slot, request, result } => self.page(slot, *request, result),
            Msg::Context { slot, result } => {
                self.context(slot, result);
                vec![]
            }
            Msg::Exported(result) => {
                self.exporting = false;
                match result {
                    Ok(path) => self.say(format!("exported to {path}")),
                    Err(f) => self.complain(f.message),
                }
                vec![]
            }
            Msg::Log(lines) => {
                self.log = lines;
                vec![]
            }
            Msg::Terminate(by) => self.told_to_end(Some(by)),
            Msg::HungUp => self.told_to_end(None),
            Msg::Panic { text, key } => self.panicked(&text, key),
            Msg::Exporting(rows) => {
                self.say(format!("exporting… {} rows; ctrl-c cancels", super::format::count(rows)));
                vec![]
            }
            other => self.change_maintenance(other),
        }
    }

    /// The messages of plans and runs.
    fn change_maintenance(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::PlanNews { slot, news } => self.plan_news(slot, news),
            Msg::Planned { slot, result } => return self.planned(slot, result),
            Msg::PlannedRows { slot, from, result } => return self.planned_rows(slot, from, result),
            Msg::Progress(progress) => self.progress(*progress),
            Msg::RunDone(result) => return self.run_done(result),
            Msg::Runs(result) => return self.seen_runs(result),
            Msg::RunDetail { slot, result } => self.run_detail(slot, result),
            Msg::CheckNews { id, news } => self.check_news(&id, news),
            Msg::Room { name, result } => self.seen_room(&name, result),
            _ => {}
        }
        vec![]
    }

    /// A plan that no pane shows any more is not kept; but for the one that is being applied, which its run may
    /// give back.
    fn forget_plans(&mut self) -> Vec<Effect> {
        if self.plans.is_empty() {
            return vec![];
        }
        let applied = self.run_going().map(|r| r.slot);
        let shown: BTreeSet<Slot> = self
            .stacks
            .iter()
            .flatten()
            .filter_map(|l| if let View::Plan(slot) = l.view { Some(slot) } else { None })
            .chain(applied)
            .collect();
        let (kept, gone) = std::mem::take(&mut self.plans).into_iter().partition(|(s, _)| shown.contains(s));
        self.plans = kept;
        let forget = |(slot, view): (Slot, PlanView)| match view.plan() {
            Some(plan) => Effect::Discard(plan.id.clone()),
            None => Effect::CancelPlan(slot),
        };
        let gone: BTreeMap<Slot, PlanView> = gone;
        gone.into_iter().map(forget).collect()
    }

    /// Which keys mean something of their own here.
    pub fn scene(&self) -> Scene {
        match &self.level().view {
            View::Plan(_) => Scene::Plan,
            View::Room(_) => Scene::Room,
            View::Run(view) if self.is_switch(view) => Scene::Room,
            View::Run(_) => Scene::Run,
            View::Twin(_) | View::Partitions(_) => Scene::Twin,
            View::Pane => pane::ALL.get(self.pane).map_or(Scene::Any, |p| p.scene()),
            _ => Scene::Any,
        }
    }

    /// Lines of a view that is read like a text; `None`: the view is a table.
    pub fn text_lines(&self) -> Option<usize> {
        match &self.level().view {
            View::Plan(slot) => {
                let view = self.plans.get(slot)?;
                let rows = usize::try_from(view.total()).unwrap_or(usize::MAX);
                Some(doc::plan::lines(self, view).lines.len() + usize::from(rows > 0) + rows)
            }
            View::Run(view) if self.is_switch(view) && view.log => Some(doc::run::log(self, view).len()),
            View::Run(view) if self.is_switch(view) && self.ours(view).is_some_and(|r| r.done.is_none()) => {
                Some(self.blockers().0.len())
            }
            View::Run(view) => Some(doc::run::lines(self, view).len()),
            View::Room(_) => Some(self.blockers().0.len()),
            _ => None,
        }
    }

    fn slot(&mut self) -> Slot {
        self.next_slot += 1;
        self.next_slot
    }

    /// The view on top of the pane shown.
    pub fn level(&self) -> &Level {
        static NONE: std::sync::OnceLock<Level> = std::sync::OnceLock::new();
        let top = self.stacks.get(self.pane).and_then(|s| s.last());
        top.unwrap_or_else(|| NONE.get_or_init(Level::pane))
    }

    fn level_mut(&mut self) -> Option<&mut Level> {
        self.stacks.get_mut(self.pane)?.last_mut()
    }

    /// The table of the view shown, filtered and sorted.
    pub fn list(&self) -> List {
        let level = self.level();
        match &level.view {
            View::Pane => {
                pane::ALL.get(self.pane).map(|p| p.list(self)).unwrap_or_default().arranged(&level.state)
            }
            View::Twin(id) => pane::twin_list(self, id).arranged(&level.state),
            View::Partitions(id) => pane::partition_list(self, id).arranged(&level.state),
            // The server filters and sorts these.
            View::Rows(rows) => rows.list(),
            View::Detail { detail, context } => {
                let page = context.as_ref().and_then(|c| c.page.as_ref()?.as_ref().ok());
                pane::whole_detail(detail, &level.state, page)
            }
            // These are read like a text.
            View::Plan(_) | View::Run(_) | View::Room(_) => List::default(),
        }
    }

    /// What is known of a check.
    pub fn watch(&self, id: &CheckId) -> Option<&Watch> {
        self.watches.iter().find(|w| &w.id == id)
    }

    /// The checks of a kind.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Watch> {
        self.watches.iter().filter(move |w| w.id.kind == kind)
    }

    /// Worst status and number of findings of a kind, for its tab; `None`: nothing known yet.
    pub fn tally(&self, kind: &str) -> Option<(Status, usize)> {
        let reports: Vec<&Report> = self.of_kind(kind).filter_map(|w| w.report.as_ref()).collect();
        let mut worst = reports.iter().map(|r| &r.status).min_by_key(|s| s.rank())?.clone();
        if self.of_kind(kind).any(|w| w.failure.is_some()) {
            worst = Status::Unknown { why: String::new() };
        }
        let count = reports.iter().flat_map(|r| &r.findings).filter(|f| f.severity > Severity::Info).count();
        let unknown = reports.iter().filter(|r| r.status.why().is_some() && r.findings.is_empty()).count();
        Some((worst, count + unknown))
    }

    /// Is a report too old to be drawn as fresh? A lost connection makes everything old.
    pub fn is_stale(&self, watch: &Watch) -> bool {
        let Some(report) = &watch.report else { return false };
        if matches!(self.link, Link::Down { .. }) || watch.failure.is_some() {
            return true;
        }
        let age = (self.now - report.observed_at).num_milliseconds().max(0);
        let patience = watch.every.as_millis().saturating_mul(3) + u128::from(report.elapsed_ms) * 40;
        u128::try_from(age).is_ok_and(|a| a > patience)
    }

    /// How many rows a finding has gained since this console first saw it, and since when.
    pub fn growth(&self, finding: &str, rows: Option<u64>) -> Option<(u64, DateTime<Utc>)> {
        let (before, since) = self.baseline.get(finding)?;
        let gained = rows?.checked_sub(*before)?;
        (gained > 0).then_some((gained, *since))
    }

    /// Reports by check, for panes.
    pub fn reports(&self) -> BTreeMap<&CheckId, &Report> {
        self.watches.iter().filter_map(|w| Some((&w.id, w.report.as_ref()?))).collect()
    }
}

/// Actions that are the same wherever one is.
fn everywhere(action: Action) -> bool {
    matches!(
        action,
        Action::NextPane
            | Action::PrevPane
            | Action::Pane
            | Action::Back
            | Action::Forward
            | Action::RefreshAll
            | Action::Pause
            | Action::Locks
            | Action::Log
            | Action::Target
            | Action::Palette
            | Action::Help
            | Action::Cancel
    )
}

impl Watch {
    /// Why nothing is known now, or only something old.
    pub fn why(&self) -> Option<&str> {
        self.failure.as_deref().or_else(|| self.report.as_ref()?.status.why())
    }
}

impl Level {
    /// The bottom of every stack.
    pub fn pane() -> Self {
        Self::of(View::Pane)
    }

    /// A fresh level.
    pub fn of(view: View) -> Self {
        Self { view, state: ListState::default() }
    }
}
