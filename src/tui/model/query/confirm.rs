//! Why the phrase of a plan is not asked for.

use crate::tui::model::plan::{PlanView, Stage};
use crate::tui::model::state::Model;

impl Model {
    /// Why the plan's phrase is not asked for.
    pub fn why_not_confirm(&self, view: &PlanView) -> Option<String> {
        let Stage::Ready(reviewed) = &view.stage else { return None };
        if let Err(why) = &reviewed.gate {
            return Some(why.message.clone());
        }
        let expired =
            || view.has_expired(self.server_now()).then(|| "it has expired: r plans again".to_owned());
        self.run_going()
            .map(|run| format!("a run is going on ({}): one at a time", run.title))
            .or_else(expired)
    }

    /// Is the line for the phrase open?
    pub fn typing_phrase(&self) -> bool {
        self.plan_here().is_some_and(|v| v.confirm.is_some())
    }
}
