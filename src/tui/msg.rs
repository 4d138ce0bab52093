//! Everything that can happen to the console, and everything it can ask for. Plain data.

use std::time::Duration;

use crate::tui::failure::Failure;
use chrono::{DateTime, Utc};
use crossterm::event::{KeyEvent, MouseEvent};

use crate::engine::check::kind::CheckProgress;
use crate::engine::check::paging::{Page, PageRequest};
use crate::engine::model::blocker::Blocker;
use crate::engine::model::diff::PlannedRow;
use crate::engine::model::param::Params;
use crate::engine::model::progress::{ControlRequest, Done, Progress};
use crate::engine::model::query::Column;
use crate::engine::model::report::{CheckId, Report};
use crate::engine::model::vitals::Vitals;
use crate::engine::plan::request::{PlanNews, Request};
use crate::features::switchover::status::SwitchoverStatus;
use crate::log::LogLine;
use crate::report::table::{Format, RowCell};

use crate::tui::data::{Journal, ReviewedPlan, RunDetail, Session, TypedConfirmation};

/// Which view an answer belongs to.
pub type Slot = u64;

/// A key, and how it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keystroke {
    /// The key.
    pub key: KeyEvent,
    /// When it was read, since the console's start, by a clock that nobody sets.
    pub at: Duration,
    /// Nothing else was read together with it.
    pub alone: bool,
}

/// Something happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Msg {
    /// A key.
    Key(Keystroke),
    /// The mouse, where it is on.
    Mouse(MouseEvent),
    /// Text pasted between the terminal's marks.
    Paste(String),
    /// The terminal's size.
    Resize(u16, u16),
    /// The time; the only clock the console has.
    Tick(DateTime<Utc>),
    /// A target is open.
    Connected(Box<Session>),
    /// It could not be opened.
    Refused(Box<Failure>),
    /// A check has been run.
    Observed(Box<Report>),
    /// A look has come this far.
    CheckNews {
        /// Of which check.
        id: CheckId,
        /// How far.
        news: CheckProgress,
    },
    /// The server's state.
    Vitals(Result<Box<Vitals>, Box<Failure>>),
    /// Rows.
    Page {
        /// The view that it is for.
        slot: Slot,
        /// The request they answer.
        request: Box<Option<PageRequest>>,
        /// The rows.
        result: Result<Box<Page>, Box<Failure>>,
    },
    /// A row's surroundings.
    Context {
        /// The view that it is for.
        slot: Slot,
        /// The page, or why there is none.
        result: Result<Box<Page>, Box<Failure>>,
    },
    /// An export has come this far.
    Exporting(u64),
    /// An export is written, or not.
    Exported(Result<String, Box<Failure>>),
    /// Planning has come this far.
    PlanNews {
        /// The view that it is for.
        slot: Slot,
        /// How far.
        news: PlanNews,
    },
    /// A plan, or why there is none.
    Planned {
        /// The view that it is for.
        slot: Slot,
        /// The plan and what the guard says of it, or why there is none.
        result: Result<Box<ReviewedPlan>, Box<Failure>>,
    },
    /// Rows of a plan.
    PlannedRows {
        /// The view that it is for.
        slot: Slot,
        /// The number of the first one, from zero.
        from: u64,
        /// The rows, or why they cannot be read.
        result: Result<Vec<PlannedRow>, Box<Failure>>,
    },
    /// Our run has come this far.
    Progress(Box<Progress>),
    /// Our run has ended; `None`: there was nothing left to go on with. A failure: it never began.
    RunDone(Result<Option<Box<Done>>, Box<Failure>>),
    /// The run that was to be resumed is another installation's: its plan is shown, and its phrase asked for.
    AsksForPhrase {
        /// The plan and its ladder.
        reviewed: Box<ReviewedPlan>,
        /// Why.
        why: String,
    },
    /// The journal's latest runs.
    Runs(Result<Box<Journal>, Box<Failure>>),
    /// Everything about a run.
    RunDetail {
        /// The view that it is for.
        slot: Slot,
        /// The run and its entries, or why they cannot be read.
        result: Result<Box<RunDetail>, Box<Failure>>,
    },
    /// How the switchover room stands.
    Room {
        /// Of which set.
        name: String,
        /// The status of its tables, or why it is not known.
        result: Result<Box<SwitchoverStatus>, Box<Failure>>,
    },
    /// The log's latest lines.
    Log(Vec<LogLine>),
    /// A task died.
    Panic {
        /// What it said.
        text: String,
        /// What it was doing.
        key: Key,
    },
    /// The process is told to end, by this signal.
    Terminate(&'static str),
    /// The terminal is gone.
    HungUp,
}

/// Something is wanted.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Open a target (the one in use when `None`).
    Connect(Option<String>),
    /// Run a check in a way of its own.
    Observe(CheckId, Params),
    /// Stop running it.
    CancelLook(CheckId),
    /// Look at the server.
    Vitals,
    /// Find a finding's rows and read the first page.
    Open {
        /// The view that it is for.
        slot: Slot,
        /// Of which check.
        id: CheckId,
        /// Which finding.
        finding: String,
        /// How many rows.
        limit: usize,
    },
    /// Read a page.
    Page {
        /// The view that it is for.
        slot: Slot,
        /// The page that is wanted.
        request: Box<PageRequest>,
    },
    /// Read a row's surroundings.
    Context {
        /// The view that it is for.
        slot: Slot,
        /// The query, with `{column}`.
        sql: String,
        /// The row's columns.
        columns: Vec<Column>,
        /// The row.
        cells: Vec<RowCell>,
    },
    /// Cancel on the server what is running there for us.
    Cancel,
    /// Put text on the terminal's clipboard (OSC 52).
    Copy(String),
    /// Write rows to a file.
    Export(Box<Export>),
    /// Read the log.
    Log,
    /// Make a plan.
    Plan {
        /// The view that it is for.
        slot: Slot,
        /// Of what.
        request: Box<Request>,
    },
    /// Stop making it.
    CancelPlan(Slot),
    /// Read rows of a plan.
    PlannedRows {
        /// The view that it is for.
        slot: Slot,
        /// The plan's id.
        plan: String,
        /// The number of the first one, from zero.
        from: u64,
        /// How many.
        limit: usize,
    },
    /// Forget a plan.
    Discard(String),
    /// Do what a plan says, as confirmed.
    Apply {
        /// The plan's id.
        plan: String,
        /// What was typed.
        typed: TypedConfirmation,
    },
    /// Go on with an unfinished run.
    Resume(String),
    /// Ask something of our run.
    Wish(ControlRequest),
    /// Stop our run after its batch, for a signal.
    Stop(&'static str),
    /// Have our run write something down.
    Note(String),
    /// Look at the switchover room of a set.
    Room(String),
    /// Have our run end a session that is in its way.
    EndSession {
        /// The session that holds the lock.
        blocker: Box<Blocker>,
        /// What was typed for it.
        typed: String,
    },
    /// Read the journal's latest runs.
    Runs,
    /// Read everything about a run.
    RunDetail {
        /// The view that it is for.
        slot: Slot,
        /// Its number.
        run: String,
    },
    /// Leave.
    Quit,
}

/// What to export.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// File name without extension.
    pub name: String,
    /// The format of the file.
    pub format: Format,
    /// From where.
    pub rows: ExportRows,
}

/// Rows to export.
#[derive(Debug, Clone, PartialEq)]
pub enum ExportRows {
    /// Those at hand.
    Given {
        /// Headings.
        columns: Vec<String>,
        /// Cells.
        rows: Vec<Vec<RowCell>>,
    },
    /// All rows of a paged view, read page by page.
    Paged(Box<PageRequest>),
    /// All rows of a plan, read page by page.
    Planned {
        /// The plan's id.
        plan: String,
        /// Columns of the key, of what helps to recognise a row, and those that change.
        columns: PlanColumns,
    },
}

/// The columns of a plan's rows, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanColumns {
    /// They identify a row.
    pub key: Vec<String>,
    /// They help to recognise it.
    pub show: Vec<String>,
    /// They change.
    pub changed: Vec<String>,
}

/// One running and one waiting effect per key; the newest wins.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// Opening targets.
    Connect,
    /// A check.
    Check(CheckId),
    /// Looking at the server.
    Vitals,
    /// A view's rows.
    Rows(Slot),
    /// Exports.
    Export,
    /// Making a plan.
    Plan(Slot),
    /// A run of ours. Never replaced, never ended from here.
    Run,
    /// Reading the journal.
    Runs,
    /// Looking at the switchover room.
    Room,
    /// Not coalesced.
    Once,
}

impl Effect {
    /// Its key.
    pub fn key(&self) -> Key {
        match self {
            Self::Connect(_) => Key::Connect,
            Self::Observe(id, _) => Key::Check(id.clone()),
            Self::Vitals => Key::Vitals,
            Self::Open { slot, .. }
            | Self::Page { slot, .. }
            | Self::Context { slot, .. }
            | Self::PlannedRows { slot, .. }
            | Self::RunDetail { slot, .. } => Key::Rows(*slot),
            Self::Export(_) => Key::Export,
            Self::Plan { slot, .. } => Key::Plan(*slot),
            Self::Apply { .. } | Self::Resume(_) => Key::Run,
            Self::Runs => Key::Runs,
            Self::Room(_) => Key::Room,
            Self::Cancel
            | Self::Copy(_)
            | Self::Log
            | Self::CancelLook(_)
            | Self::CancelPlan(_)
            | Self::Discard(_)
            | Self::Wish(_)
            | Self::Stop(_)
            | Self::Note(_)
            | Self::EndSession { .. }
            | Self::Quit => Key::Once,
        }
    }
}
