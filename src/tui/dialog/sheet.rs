//! What a dialog is drawn from.

use crate::tui::list::Spans;

/// A title, lines, and whether the cursor chooses one of them.
#[derive(Default)]
pub(super) struct Sheet {
    pub(super) title: String,
    pub(super) lines: Vec<Spans>,
    pub(super) choose: bool,
    pub(super) prompt: Option<String>,
    pub(super) hint: String,
    /// Below the lines, always in sight: about the chosen one.
    pub(super) foot: Vec<Spans>,
}
