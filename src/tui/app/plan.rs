//! The plan screen: made while one watches, read row by row, left without a trace.

use crate::engine::model::diff::PlannedRow;
use crate::engine::plan::request::{PlanNews, Request};
use crate::tui::app::App;
use crate::tui::data::ReviewedPlan;
use crate::tui::failure::Failure;
use crate::tui::list::{Detail, cell, value};
use crate::tui::model::plan::{PlanView, Stage};
use crate::tui::model::view::View;
use crate::tui::msg::{Effect, Slot};
use crate::tui::theme::Tone;
use crate::tui::{doc, screen};

/// Rows read at once.
const PAGE: usize = 400;

impl App {
    pub(super) fn plan_here_mut(&mut self) -> Option<&mut PlanView> {
        match self.model.level().view {
            View::Plan(slot) => self.model.plans.get_mut(&slot),
            _ => None,
        }
    }

    /// Opens the plan screen and begins to plan.
    pub(super) fn open_plan(&mut self, request: Request, title: String) -> Vec<Effect> {
        let slot = self.slot();
        self.push(View::Plan(slot));
        self.model.plans.insert(slot, PlanView::new(slot, request.clone(), title, self.model.now));
        vec![Effect::Plan { slot, request: Box::new(request) }]
    }

    /// The same once more: what was planned before is forgotten.
    pub(super) fn replan(&mut self) -> Vec<Effect> {
        let now = self.model.now;
        let Some(view) = self.plan_here_mut() else { return vec![] };
        let old = view.plan().map(|p| Effect::Discard(p.id.clone()));
        *view = PlanView::new(view.slot, view.request.clone(), view.title.clone(), now);
        let again = Effect::Plan { slot: view.slot, request: Box::new(view.request.clone()) };
        if let Some(level) = self.level_mut() {
            level.state.cursor = 0;
        }
        old.into_iter().chain([again]).collect()
    }

    /// Stops the planning of the plan shown, if it is being made; it then says so and can be made again.
    pub(super) fn cancel_planning(&mut self) -> Vec<Effect> {
        let Some(view) = self.plan_here_mut().filter(|v| v.stage == Stage::Planning) else { return vec![] };
        view.stage = Stage::Failed(Failure {
            message: "planning was cancelled: nothing was changed".into(),
            hint: Some("r plans again, Esc leaves".into()),
            cancelled: true,
            fatal: false,
        });
        vec![Effect::CancelPlan(view.slot)]
    }

    pub(super) fn plan_news(&mut self, slot: Slot, news: PlanNews) {
        let Some(view) = self.model.plans.get_mut(&slot).filter(|v| v.stage == Stage::Planning) else {
            return;
        };
        match news {
            PlanNews::First(rows) => view.rows = rows,
            PlanNews::Counted(n) => view.counted = n,
            PlanNews::Doing(what) => view.doing = Some(what),
        }
    }

    pub(super) fn planned(
        &mut self,
        slot: Slot,
        result: Result<Box<ReviewedPlan>, Box<Failure>>,
    ) -> Vec<Effect> {
        let Some(view) = self.model.plans.get_mut(&slot).filter(|v| v.stage == Stage::Planning) else {
            // Nobody waits for it any more.
            return result.ok().map(|r| Effect::Discard(r.plan.id)).into_iter().collect();
        };
        match result {
            Ok(reviewed) => {
                view.rows.clone_from(&reviewed.plan.diff);
                view.counted = reviewed.plan.diff_total;
                view.stage = Stage::Ready(reviewed);
            }
            Err(failure) => view.stage = Stage::Failed(*failure),
        }
        vec![]
    }

    pub(super) fn planned_rows(
        &mut self,
        slot: Slot,
        from: u64,
        result: Result<Vec<PlannedRow>, Box<Failure>>,
    ) -> Vec<Effect> {
        let Some(view) = self.model.plans.get_mut(&slot).filter(|v| v.reading == Some(from)) else {
            return vec![];
        };
        view.reading = None;
        match result {
            Ok(rows) => {
                view.rows = rows;
                view.from = from;
                view.failure = None;
                self.plan_reach()
            }
            Err(failure) => {
                view.failure = Some(*failure);
                vec![]
            }
        }
    }

    /// Reads the rows around the cursor where they are not held.
    pub(super) fn plan_reach(&mut self) -> Vec<Effect> {
        let around = u64::from(self.model.size.1);
        let number = screen::plan_row_here(&self.model).unwrap_or(0);
        let Some(view) = self.plan_here_mut() else { return vec![] };
        let Some(plan) = view.plan() else { return vec![] };
        let (id, total) = (plan.id.clone(), plan.diff_total);
        let held = view.from..view.from + view.rows.len() as u64;
        let (first, last) = (number.saturating_sub(around), (number + around).min(total));
        let all_held = held.contains(&first) && last <= held.end;
        if all_held || total == 0 {
            return vec![];
        }
        let from = number.saturating_sub(PAGE as u64 / 2);
        if view.reading == Some(from) {
            return vec![];
        }
        view.reading = Some(from);
        vec![Effect::PlannedRows { slot: view.slot, plan: id, from, limit: PAGE }]
    }

    /// Enter: the whole row, or all kinds of change. Never more than looking.
    pub(super) fn plan_open(&mut self) -> Vec<Effect> {
        let number = screen::plan_row_here(&self.model);
        let cursor = self.model.level().state.cursor;
        let Some(view) = self.model.plan_here() else { return vec![] };
        if let Some(row) = number.and_then(|n| view.row(n)) {
            let detail = detail(row, number.unwrap_or_default() + 1);
            self.push(View::Detail { detail, context: None });
            return vec![];
        }
        let more = doc::plan::lines(self, view).more_totals == Some(cursor);
        if let Some(view) = self.plan_here_mut().filter(|_| more) {
            view.all_totals = true;
        }
        vec![]
    }

    pub(super) fn plan_copy(&mut self) -> Vec<Effect> {
        let row = self.model.plan_here().and_then(|v| v.row(screen::plan_row_here(&self.model)?));
        let Some(text) = row.map(|r| format!("{}\t{}", r.key_text(), r.change_text())) else { return vec![] };
        self.say("1 row copied");
        vec![Effect::Copy(text)]
    }
}

/// A planned row in full.
fn detail(row: &PlannedRow, number: u64) -> Detail {
    let text = |v: &serde_json::Value| (!v.is_null()).then(|| crate::engine::model::diff::text_of(v));
    let mut pairs = vec![("row".to_owned(), cell(number.to_string(), Tone::Dim))];
    let mut part = |prefix: &str, values: Option<&crate::engine::model::diff::Values>, tone: Tone| {
        for (name, v) in values.into_iter().flatten() {
            pairs.push((format!("{prefix}{name}"), value(text(v).as_ref(), tone)));
        }
    };
    part("", Some(&row.key), Tone::Strong);
    part("", Some(&row.show), Tone::Plain);
    part("- ", row.before.as_ref(), Tone::Bad);
    part("+ ", row.after.as_ref(), Tone::Good);
    Detail { title: format!("{}   {}", row.key_text(), row.change_text()), pairs }
}
