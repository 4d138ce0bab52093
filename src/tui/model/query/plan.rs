//! The plan on the screen, and the time of its server.

use crate::tui::model::plan::PlanView;
use crate::tui::model::state::Model;
use crate::tui::model::view::View;
use chrono::{DateTime, TimeDelta, Utc};

impl Model {
    /// The time by the server's clock: plans expire by it.
    pub fn server_now(&self) -> DateTime<Utc> {
        let skew = self.session.as_ref().map_or(0, |s| s.server.skew_ms);
        self.now + TimeDelta::milliseconds(skew)
    }

    /// The plan shown.
    pub fn plan_here(&self) -> Option<&PlanView> {
        match self.level().view {
            View::Plan(slot) => self.plans.get(&slot),
            _ => None,
        }
    }
}
