//! Where the view is, and the check it is about.

use crate::engine::model::report::CheckId;
use crate::tui::list::List;
use crate::tui::model::notice::NoticePlace;
use crate::tui::model::state::Model;
use crate::tui::model::view::{Place, View};

impl Model {
    pub(in crate::tui) fn place(&self) -> Place {
        Place { pane: self.pane, levels: self.stacks.get(self.pane).cloned().unwrap_or_default() }
    }

    pub(in crate::tui) fn check_in(&self, list: &List) -> Option<CheckId> {
        match &self.level().view {
            View::Twin(id) | View::Partitions(id) => Some(id.clone()),
            View::Rows(rows) => Some(rows.id.clone()),
            View::Pane => list.rows.get(self.level().state.cursor).and_then(|r| r.check.clone()),
            View::Detail { .. } => {
                let below = self.stacks.get(self.pane)?.iter().rev().nth(1)?;
                match &below.view {
                    View::Twin(id) => Some(id.clone()),
                    View::Rows(rows) => Some(rows.id.clone()),
                    _ => None,
                }
            }
            View::Room(view) => view.twin.clone(),
            View::Plan(_) | View::Run(_) => None,
        }
    }

    pub(in crate::tui) fn notice_place(&self) -> NoticePlace {
        let depth = self.stacks.get(self.pane).map_or(0, Vec::len);
        (self.pane, depth, std::mem::discriminant(&self.level().view))
    }
}
