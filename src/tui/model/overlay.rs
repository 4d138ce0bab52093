//! What lies on top of the panes: its kind, what is typed in it, its cursor.

use crate::engine::model::blocker::Blocker;
use crate::engine::model::report::CheckId;
use crate::engine::plan::operation::Offer;
use crate::tui::keymap::KeyAction;
use crate::tui::model::offers::ParameterForm;
use crate::tui::model::typed_line::TypedLine;
use tui_input::Input;

/// What can be done when one wants to leave while a run of ours goes on.
pub const LEAVING: [&str; 3] = [
    "stay",
    "stop after the batch under way, then leave",
    "leave now: the batch under way is rolled back, if not committed already",
];
/// What can be done about a run that broke off.
pub const UNFINISHED: [&str; 3] =
    ["look at it", "go on with it, after a question", "later: it stays in the Runs pane"];

/// On top of the panes.
#[derive(Debug, Clone, Default)]
pub struct Overlay {
    /// What it is.
    pub kind: Kind,
    /// What is typed in it.
    pub input: Input,
    /// The words that confirm, where they are asked for.
    pub confirm: TypedLine,
    /// The chosen line, or the first line shown.
    pub cursor: usize,
}

/// Which overlay.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Kind {
    /// Keys.
    #[default]
    Help,
    /// Everything by name.
    Palette,
    /// Targets.
    Targets,
    /// What could be done.
    Actions,
    /// Formats to export in.
    Export,
    /// Sessions and locks.
    Locks,
    /// The log.
    Log,
    /// Statements.
    Sql(Vec<(String, String)>),
    /// What must be known before planning.
    Ask(ParameterForm),
    /// A run that broke off, by its number.
    Unfinished(String),
    /// Go on with a run? Its number is typed.
    Resume(String),
    /// End a session that is in the way? Its phrase is typed.
    End(Box<Blocker>),
    /// What is to be remembered of our run.
    Note,
    /// Stop our run?
    Stop,
    /// Leave?
    Quit,
}

/// A line of the palette.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaletteItem {
    /// What is typed to find it.
    pub name: String,
    /// What it does.
    pub about: String,
    /// Its key.
    pub key: String,
    /// What it leads to.
    pub leads: PaletteTarget,
}

/// What a palette line leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaletteTarget {
    /// An action of the key table.
    Action(KeyAction),
    /// A pane.
    Pane(usize),
    /// A check's pane.
    Check(CheckId),
    /// Another target.
    Target(String),
    /// A plan of an operation.
    Offer(Box<Offer>),
}

impl Overlay {
    /// An overlay.
    pub fn new(kind: Kind) -> Self {
        Self { kind, ..Self::default() }
    }

    /// Is text typed in it that confirms nothing?
    pub(in crate::tui) fn takes_text(&self) -> bool {
        matches!(self.kind, Kind::Help | Kind::Palette | Kind::Targets | Kind::Ask(_) | Kind::Note)
    }

    /// Are words typed in it that confirm something?
    pub(in crate::tui) fn confirms(&self) -> bool {
        matches!(self.kind, Kind::Resume(_) | Kind::End(_))
    }

    /// What is typed in it, of either kind.
    pub(in crate::tui) fn typed(&self) -> &str {
        if self.confirms() { self.confirm.value() } else { self.input.value() }
    }
}

/// An action's name as one types it: `HalfDown` is `half down`.
pub(in crate::tui) fn words(action: KeyAction) -> String {
    let mut out = String::new();
    for c in format!("{action:?}").chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push(' ');
        }
        out.extend(c.to_lowercase());
    }
    out
}
