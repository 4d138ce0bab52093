//! Everything that can happen to the console, and everything it can ask for. Plain data.

use chrono::{DateTime, Utc};
use crossterm::event::{KeyEvent, MouseEvent};

use crate::cli::LogLine;
use crate::engine::paging::{Page, PageRequest};
use crate::engine::ports::Column;
use crate::engine::report::CheckId;
use crate::engine::vitals::Vitals;
use crate::engine::{Error, Report};
use crate::report::table::{Cell, Format};

use super::backend::Session;

/// Which paged view a page belongs to.
pub type Slot = u64;

/// Something happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Msg {
    /// A key.
    Key(KeyEvent),
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
    /// The server's state.
    Vitals(Result<Box<Vitals>, Box<Failure>>),
    /// Rows.
    Page {
        /// For which view.
        slot: Slot,
        /// The request they answer.
        request: Box<Option<PageRequest>>,
        /// The rows.
        result: Result<Box<Page>, Box<Failure>>,
    },
    /// A row's surroundings.
    Context {
        /// For which view.
        slot: Slot,
        /// They.
        result: Result<Box<Page>, Box<Failure>>,
    },
    /// An export has come this far.
    Exporting(u64),
    /// An export is written, or not.
    Exported(Result<String, Box<Failure>>),
    /// The log's latest lines.
    Log(Vec<LogLine>),
    /// A task died.
    Panic {
        /// What it said.
        text: String,
        /// What it was doing.
        key: Key,
    },
    /// The process is told to end, or the terminal is gone.
    Terminate,
}

/// An error as data that can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What failed.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The statement was cancelled, as asked.
    pub cancelled: bool,
    /// Trying again cannot help: configuration.
    pub fatal: bool,
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        use crate::engine::Class;
        Self {
            cancelled: e.class == Class::Cancelled,
            fatal: e.class == Class::Usage,
            message: e.message,
            hint: e.hint,
        }
    }
}

/// Something is wanted.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Open a target (the one in use when `None`).
    Connect(Option<String>),
    /// Run a check.
    Observe(CheckId),
    /// Look at the server.
    Vitals,
    /// Find a finding's rows and read the first page.
    Open {
        /// For which view.
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
        /// For which view.
        slot: Slot,
        /// Which.
        request: Box<PageRequest>,
    },
    /// Read a row's surroundings.
    Context {
        /// For which view.
        slot: Slot,
        /// The query, with `{column}`.
        sql: String,
        /// The row's columns.
        columns: Vec<Column>,
        /// The row.
        cells: Vec<Cell>,
    },
    /// Cancel on the server what is running there for us.
    Cancel,
    /// Put text on the terminal's clipboard (OSC 52).
    Copy(String),
    /// Write rows to a file.
    Export(Box<Export>),
    /// Read the log.
    Log,
    /// Leave.
    Quit,
}

/// What to export.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// File name without extension.
    pub name: String,
    /// How.
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
        rows: Vec<Vec<Cell>>,
    },
    /// All rows of a paged view, read page by page.
    Paged(Box<PageRequest>),
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
    /// Not coalesced.
    Once,
}

impl Effect {
    /// Its key.
    pub fn key(&self) -> Key {
        match self {
            Self::Connect(_) => Key::Connect,
            Self::Observe(id) => Key::Check(id.clone()),
            Self::Vitals => Key::Vitals,
            Self::Open { slot, .. } | Self::Page { slot, .. } | Self::Context { slot, .. } => {
                Key::Rows(*slot)
            }
            Self::Export(_) => Key::Export,
            Self::Cancel | Self::Copy(_) | Self::Log | Self::Quit => Key::Once,
        }
    }
}
