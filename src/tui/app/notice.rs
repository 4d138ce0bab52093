//! What the status line says: it stays for a while, and no longer than it is true.

use std::mem::Discriminant;

use chrono::{DateTime, Utc};

use super::{App, View};
use crate::tui::keymap::Action;

/// A line for the status bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What happened.
    pub text: String,
    /// It is a failure.
    pub bad: bool,
    /// When.
    pub at: DateTime<Utc>,
    /// What it speaks of, where that can change before it is forgotten.
    pub about: Option<About>,
}

/// What a notice speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Pane, depth and kind of the view.
    place: Whereabouts,
    /// A key that does not work there, and why.
    refused: Option<(Action, String)>,
}

type Whereabouts = (usize, usize, Discriminant<View>);

impl App {
    pub(super) fn say(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice { text: text.into(), bad: false, at: self.now, about: None });
    }

    pub(super) fn complain(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice { text: text.into(), bad: true, at: self.now, about: None });
    }

    /// Why something cannot be done with what is shown.
    pub(super) fn refuse(&mut self, text: impl Into<String>, refused: Option<(Action, String)>) {
        let about = Some(About { place: self.whereabouts(), refused });
        self.notice = Some(Notice { text: text.into(), bad: true, at: self.now, about });
    }

    fn whereabouts(&self) -> Whereabouts {
        let depth = self.stacks.get(self.pane).map_or(0, Vec::len);
        (self.pane, depth, std::mem::discriminant(&self.level().view))
    }

    /// Elsewhere, or once the reason is another, a refusal says nothing true any more.
    pub(super) fn forget_notice(&mut self) {
        let Some(about) = self.notice.as_ref().and_then(|n| n.about.as_ref()) else { return };
        let stands = about.place == self.whereabouts()
            && about.refused.as_ref().is_none_or(|(action, why)| self.why_not(*action).as_ref() == Some(why));
        if !stands {
            self.notice = None;
        }
    }
}
