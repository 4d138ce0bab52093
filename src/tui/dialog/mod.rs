//! What lies on top of a screen: help, palette, actions, questions, confirmations. What it lists and how it is drawn.

mod change;
pub(super) mod draw;
mod lists;
mod sheet;

pub use lists::{help_lines, overlay_len, palette, palette_for};
