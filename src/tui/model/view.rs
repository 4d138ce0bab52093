//! A level of a pane: what it shows, its cursor and filter; and a place in the history of views.

use crate::engine::model::report::CheckId;
use crate::tui::failure::Failure;
use crate::tui::list::{Detail, ListState};
use crate::tui::model::rows::RowsView;
use crate::tui::model::run::RunView;
use crate::tui::model::switchover::RoomView;
use crate::tui::msg::Slot;

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
        /// What is shown of it.
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
    pub(in crate::tui) pane: usize,
    pub(in crate::tui) levels: Vec<Level>,
}

impl Level {
    /// The bottom of every stack.
    pub fn pane() -> Self {
        Self::new(View::Pane)
    }

    /// A fresh level.
    pub fn new(view: View) -> Self {
        Self { view, state: ListState::default() }
    }
}
