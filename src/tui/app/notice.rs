//! What the status line says: it stays for a while, and no longer than it is true.

use crate::tui::app::App;
use crate::tui::keymap::KeyAction;
use crate::tui::model::notice::{Notice, NoticeSubject};
use crate::tui::screen;

impl App {
    pub(super) fn say(&mut self, text: impl Into<String>) {
        self.model.notice = Some(Notice { text: text.into(), bad: false, at: self.model.now, about: None });
    }

    pub(super) fn complain(&mut self, text: impl Into<String>) {
        self.model.notice = Some(Notice { text: text.into(), bad: true, at: self.model.now, about: None });
    }

    /// Why something cannot be done with what is shown.
    pub(super) fn refuse(&mut self, text: impl Into<String>, refused: Option<(KeyAction, String)>) {
        let about = Some(NoticeSubject { place: self.model.notice_place(), refused });
        self.model.notice = Some(Notice { text: text.into(), bad: true, at: self.model.now, about });
    }

    /// Elsewhere, or once the reason is another, a refusal says nothing true any more.
    pub(super) fn forget_notice(&mut self) {
        let Some(about) = self.model.notice.as_ref().and_then(|n| n.about.as_ref()) else { return };
        let stands = about.place == self.model.notice_place()
            && about
                .refused
                .as_ref()
                .is_none_or(|(action, why)| screen::why_not(&self.model, *action).as_ref() == Some(why));
        if !stands {
            self.model.notice = None;
        }
    }
}
