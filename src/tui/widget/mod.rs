//! What panes, dialogs and the view draw with. Knows lists, tones and the model, no pane and no screen.

pub(super) mod paint;
pub(super) mod table;
