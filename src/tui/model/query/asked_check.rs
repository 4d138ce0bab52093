//! Which comparisons the cursor means, and why none can be asked for.

use crate::engine::model::report::CheckId;
use crate::features::parity::facts::KIND as PARITY;
use crate::tui::keymap::KeyAction;
use crate::tui::list::List;
use crate::tui::model::asked_check::look_word;
use crate::tui::model::run::OurRun;
use crate::tui::model::state::{Link, Model};
use crate::tui::model::view::View;

impl Model {
    /// The marked twins, or the one under the cursor.
    pub(in crate::tui) fn twins_chosen(&self, list: &List) -> Vec<CheckId> {
        let marks = &self.level().state.marks;
        let at_pane = matches!(self.level().view, View::Pane) && !marks.is_empty();
        if !at_pane {
            return self.check_in(list).into_iter().filter(|id| id.kind == PARITY).collect();
        }
        self.of_kind(PARITY).map(|w| w.id.clone()).filter(|id| marks.contains_key(&id.to_string())).collect()
    }

    /// Why a look is not asked for.
    pub(in crate::tui) fn why_not_look(&self, action: KeyAction, list: &List) -> Option<String> {
        if self.link != Link::Up {
            return Some("there is no connection".into());
        }
        if self.run_going().is_some_and(OurRun::is_switch) {
            return Some("our switch is going on: a comparison would hold the tables it waits for".into());
        }
        let ids = self.twins_chosen(list);
        let mut reasons = ids.iter().map(|id| self.why_not_one(action, id));
        match reasons.next() {
            None => Some("there is no twin under the cursor".into()),
            Some(first) => first.filter(|_| reasons.all(|why| why.is_some())),
        }
    }

    pub(in crate::tui) fn why_not_one(&self, action: KeyAction, id: &CheckId) -> Option<String> {
        let watch = self.watch(id)?;
        if watch.is_asked() {
            return Some(format!("its {} is going on: ctrl-c cancels it", look_word(&watch.asked_check.how)));
        }
        if let Some(how) = &watch.asked_check.asked {
            return Some(format!("its {} is asked for already", look_word(how)));
        }
        let facts = watch.parity();
        if facts.is_some_and(|f| f.legacy_rows.is_none()) {
            return Some("there is no legacy table to compare it with".into());
        }
        match action {
            KeyAction::GoOn if watch.asked_check.cut.is_none() => {
                Some("no comparison of it was cut off".into())
            }
            KeyAction::Full if facts.is_some_and(|f| f.unsealed.is_some()) => {
                Some("nothing of it is sealed: r reads all of it".into())
            }
            _ => None,
        }
    }
}
