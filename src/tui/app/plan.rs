//! The plan screen: made while one watches, read row by row, left without a trace.

use chrono::{DateTime, TimeDelta, Utc};

use super::confirm::Confirm;
use super::{App, View};
use crate::engine::model::diff::PlannedRow;
use crate::engine::model::plan::Plan;
use crate::engine::plan::request::{PlanNews, Request};
use crate::tui::backend::Reviewed;
use crate::tui::doc;
use crate::tui::keymap::Action;
use crate::tui::list::{Detail, cell, value};
use crate::tui::msg::{Effect, Failure, PlanColumns, Slot};
use crate::tui::theme::Tone;

/// Rows read at once.
const PAGE: usize = 400;

/// How far a plan is.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// Being made.
    Planning,
    /// Made and reviewed.
    Ready(Box<Reviewed>),
    /// There is none.
    Failed(Failure),
}

/// A plan on the screen. The levels of panes only name it: there is one of it, however one came to it.
#[derive(Debug, Clone)]
pub struct PlanView {
    /// Answers to other slots are not ours.
    pub slot: Slot,
    /// What was asked for.
    pub request: Request,
    /// The same in a few words.
    pub title: String,
    /// How far it is.
    pub stage: Stage,
    /// When it was asked for.
    pub began: DateTime<Utc>,
    /// Rows read so far.
    pub counted: u64,
    /// What takes its time while it is made.
    pub doing: Option<String>,
    /// Rows held.
    pub rows: Vec<PlannedRow>,
    /// The number of the first row held.
    pub from: u64,
    /// Rows from this number on are on their way.
    pub reading: Option<u64>,
    /// Why rows could not be read.
    pub failure: Option<Failure>,
    /// All kinds of change are listed, not only the first.
    pub all_totals: bool,
    /// The line in which the phrase is typed, while it is open.
    pub confirm: Option<Confirm>,
}

impl PlanView {
    fn new(slot: Slot, request: Request, title: String, began: DateTime<Utc>) -> Self {
        Self {
            slot,
            request,
            title,
            stage: Stage::Planning,
            began,
            counted: 0,
            doing: None,
            rows: vec![],
            from: 0,
            reading: None,
            failure: None,
            all_totals: false,
            confirm: None,
        }
    }

    /// The plan, once it is made.
    pub fn plan(&self) -> Option<&Plan> {
        match &self.stage {
            Stage::Ready(reviewed) => Some(&reviewed.plan),
            Stage::Planning | Stage::Failed(_) => None,
        }
    }

    /// Rows that can be looked at: all of them, or those seen so far.
    pub fn total(&self) -> u64 {
        self.plan().map_or(self.rows.len() as u64, |p| p.diff_total)
    }

    /// A row, where it is held.
    pub fn row(&self, number: u64) -> Option<&PlannedRow> {
        let at = usize::try_from(number.checked_sub(self.from)?).ok()?;
        self.rows.get(at)
    }

    fn first_rows(&self) -> &[PlannedRow] {
        self.plan().map_or(self.rows.as_slice(), |p| p.diff.as_slice())
    }

    /// Have its rows an old value, have they a new one? What comes has nothing before, what goes nothing after.
    pub fn sides(&self) -> (bool, bool) {
        let (mut before, mut after) = (false, false);
        for row in self.first_rows() {
            before |= row.before.is_some();
            after |= row.after.is_some();
        }
        (before || !after, after || !before)
    }

    /// The columns of its rows: those its steps write, and those the first rows show.
    pub fn columns(&self) -> PlanColumns {
        let mut out = PlanColumns::default();
        let add = |list: &mut Vec<String>, name: &str| {
            if !list.iter().any(|n| n == name) {
                list.push(name.to_owned());
            }
        };
        for change in self.plan().into_iter().flat_map(Plan::row_changes) {
            change.key.iter().for_each(|c| add(&mut out.key, &c.name));
            change.columns.iter().for_each(|c| add(&mut out.changed, &c.name));
        }
        for row in self.first_rows() {
            row.key.keys().for_each(|n| add(&mut out.key, n));
            row.show.keys().for_each(|n| add(&mut out.show, n));
            [&row.before, &row.after].into_iter().flatten().for_each(|values| {
                values.keys().for_each(|n| add(&mut out.changed, n));
            });
        }
        out
    }
}

impl App {
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

    pub(super) fn plan_here_mut(&mut self) -> Option<&mut PlanView> {
        match self.level().view {
            View::Plan(slot) => self.plans.get_mut(&slot),
            _ => None,
        }
    }

    /// Opens the plan screen and begins to plan.
    pub(super) fn open_plan(&mut self, request: Request, title: String) -> Vec<Effect> {
        let slot = self.slot();
        self.push(View::Plan(slot));
        self.plans.insert(slot, PlanView::new(slot, request.clone(), title, self.now));
        vec![Effect::Plan { slot, request: Box::new(request) }]
    }

    /// The same once more: what was planned before is forgotten.
    pub(super) fn replan(&mut self) -> Vec<Effect> {
        let now = self.now;
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
        let Some(view) = self.plans.get_mut(&slot).filter(|v| v.stage == Stage::Planning) else { return };
        match news {
            PlanNews::First(rows) => view.rows = rows,
            PlanNews::Counted(n) => view.counted = n,
            PlanNews::Doing(what) => view.doing = Some(what),
        }
    }

    pub(super) fn planned(&mut self, slot: Slot, result: Result<Box<Reviewed>, Box<Failure>>) -> Vec<Effect> {
        let Some(view) = self.plans.get_mut(&slot).filter(|v| v.stage == Stage::Planning) else {
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
        let Some(view) = self.plans.get_mut(&slot).filter(|v| v.reading == Some(from)) else { return vec![] };
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

    /// The number of the planned row under the cursor.
    pub fn plan_row_here(&self) -> Option<u64> {
        let view = self.plan_here()?;
        let above = doc::plan::lines(self, view).lines.len() + 1;
        (self.level().state.cursor.checked_sub(above)).map(|n| n as u64).filter(|n| *n < view.total())
    }

    /// Reads the rows around the cursor where they are not held.
    pub(super) fn plan_reach(&mut self) -> Vec<Effect> {
        let around = u64::from(self.size.1);
        let number = self.plan_row_here().unwrap_or(0);
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
        let number = self.plan_row_here();
        let cursor = self.level().state.cursor;
        let Some(view) = self.plan_here() else { return vec![] };
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
        let row = self.plan_here().and_then(|v| v.row(self.plan_row_here()?));
        let Some(text) = row.map(|r| format!("{}\t{}", r.key_text(), r.change_text())) else { return vec![] };
        self.say("1 row copied");
        vec![Effect::Copy(text)]
    }

    /// Why an action cannot be done on the plan shown.
    pub(super) fn why_not_on_plan(&self, view: &PlanView, action: Action) -> Option<String> {
        let not_made = || match &view.stage {
            Stage::Planning => Some("the plan is still being made".to_owned()),
            Stage::Failed(_) => Some("there is no plan".into()),
            Stage::Ready(_) => None,
        };
        match action {
            Action::Confirm => not_made().or_else(|| self.why_not_confirm(view)),
            Action::Sql => not_made(),
            Action::Export => not_made()
                .or_else(|| (view.total() == 0).then(|| "the plan has no rows".into()))
                .or_else(|| self.exporting.then(|| "an export is running".into())),
            Action::Replan => (view.stage == Stage::Planning).then(|| "it is being made".into()),
            Action::Copy => self.plan_row_here().is_none().then(|| "no row is under the cursor".into()),
            Action::Open
            | Action::Escape
            | Action::Close
            | Action::Down
            | Action::Up
            | Action::Top
            | Action::Bottom
            | Action::HalfDown
            | Action::HalfUp
            | Action::PageDown
            | Action::PageUp
            | Action::Left
            | Action::Right => None,
            action if super::everywhere(action) => None,
            _ => Some("not on a plan".into()),
        }
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
