//! A line of the status bar, and what it speaks of.

use crate::tui::keymap::KeyAction;
use crate::tui::model::view::View;
use chrono::{DateTime, Utc};
use std::mem::Discriminant;

/// A line for the status bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What happened.
    pub text: String,
    /// It is a failure.
    pub bad: bool,
    /// When it was shown.
    pub at: DateTime<Utc>,
    /// What it speaks of, where that can change before it is forgotten.
    pub about: Option<NoticeSubject>,
}

/// What a notice speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeSubject {
    /// Pane, depth and kind of the view.
    pub(in crate::tui) place: NoticePlace,
    /// A key that does not work there, and why.
    pub(in crate::tui) refused: Option<(KeyAction, String)>,
}

pub(in crate::tui) type NoticePlace = (usize, usize, Discriminant<View>);
