//! How messages change the console's state. No handle, no clock, no I/O.

mod asked_check;
mod confirm;
mod journal;
mod keys;
mod navigate;
mod notice;
mod offers;
mod overlay;
mod plan;
mod rows;
mod run;
mod schedule;
mod switchover;

use crate::profile::InputMode;
use crate::tui::model::plan::PlanView;
use crate::tui::model::state::Model;
use crate::tui::model::view::{Level, View};
use crate::tui::msg::{Effect, Msg, Slot};
use crate::tui::pane;
use crate::tui::theme::Theme;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

/// The console: its state, which only [`App::update`] changes.
#[derive(Debug, Clone)]
pub struct App {
    /// The state, as panes and views get it.
    pub model: Model,
}

impl Deref for App {
    type Target = Model;

    fn deref(&self) -> &Model {
        &self.model
    }
}

impl App {
    /// A console that has not connected yet.
    pub fn new(now: DateTime<Utc>, size: (u16, u16), theme: Theme) -> Self {
        Self { model: Model::new(now, size, theme, pane::ALL.len()) }
    }

    /// With targets to switch to.
    #[must_use]
    pub fn with_targets(mut self, targets: Vec<String>) -> Self {
        self.model.targets = targets;
        self
    }

    /// With another way in which keys arrive.
    #[must_use]
    pub fn with_input_mode(mut self, mode: InputMode) -> Self {
        self.model.input_mode = mode;
        self
    }

    /// What to do first.
    pub fn start(&mut self) -> Vec<Effect> {
        vec![Effect::Connect(None)]
    }

    /// The one place where the state changes.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        let mut effects = self.change(msg);
        effects.extend(self.forget_plans());
        self.forget_notice();
        effects
    }

    fn change(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::Key(stroke) => self.key(stroke),
            Msg::Paste(text) => self.paste(&text),
            Msg::Mouse(mouse) => self.mouse(mouse),
            Msg::Resize(columns, rows) => {
                self.model.size = (columns, rows);
                vec![]
            }
            Msg::Tick(now) => self.tick(now),
            Msg::Connected(session) => self.connected(*session),
            Msg::Refused(failure) => {
                self.lost(*failure);
                vec![]
            }
            Msg::Observed(report) => self.observed(*report),
            Msg::Vitals(result) => self.seen_vitals(result),
            Msg::Page { slot, request, result } => self.page(slot, *request, result),
            Msg::Context { slot, result } => {
                self.context(slot, result);
                vec![]
            }
            Msg::Exported(result) => {
                self.model.exporting = false;
                match result {
                    Ok(path) => self.say(format!("exported to {path}")),
                    Err(f) => self.complain(f.message),
                }
                vec![]
            }
            Msg::Log(lines) => {
                self.model.log = lines;
                vec![]
            }
            Msg::Terminate(by) => self.told_to_end(Some(by)),
            Msg::HungUp => self.told_to_end(None),
            Msg::Panic { text, key } => self.panicked(&text, key),
            Msg::Exporting(rows) => {
                self.say(format!("exporting… {} rows; ctrl-c cancels", crate::tui::format::count(rows)));
                vec![]
            }
            other => self.change_maintenance(other),
        }
    }

    /// The messages of plans and runs.
    fn change_maintenance(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::PlanNews { slot, news } => self.plan_news(slot, news),
            Msg::Planned { slot, result } => return self.planned(slot, result),
            Msg::PlannedRows { slot, from, result } => return self.planned_rows(slot, from, result),
            Msg::Progress(progress) => self.progress(*progress),
            Msg::RunDone(result) => return self.run_done(result),
            Msg::AsksForPhrase { reviewed, why } => return self.asks_for_phrase(reviewed, &why),
            Msg::Runs(result) => return self.seen_runs(result),
            Msg::RunDetail { slot, result } => self.run_detail(slot, result),
            Msg::CheckNews { id, news } => self.check_news(&id, news),
            Msg::Room { name, result } => self.seen_room(&name, result),
            _ => {}
        }
        vec![]
    }

    /// A plan that no pane shows any more is not kept; but for the one that is being applied, which its run may
    /// give back.
    fn forget_plans(&mut self) -> Vec<Effect> {
        if self.model.plans.is_empty() {
            return vec![];
        }
        let applied = self.model.run_going().map(|r| r.slot);
        let shown: BTreeSet<Slot> = self
            .model
            .stacks
            .iter()
            .flatten()
            .filter_map(|l| if let View::Plan(slot) = l.view { Some(slot) } else { None })
            .chain(applied)
            .collect();
        let (kept, gone) =
            std::mem::take(&mut self.model.plans).into_iter().partition(|(s, _)| shown.contains(s));
        self.model.plans = kept;
        let forget = |(slot, view): (Slot, PlanView)| match view.plan() {
            Some(plan) => Effect::Discard(plan.id.clone()),
            None => Effect::CancelPlan(slot),
        };
        let gone: BTreeMap<Slot, PlanView> = gone;
        gone.into_iter().map(forget).collect()
    }

    fn slot(&mut self) -> Slot {
        self.model.next_slot += 1;
        self.model.next_slot
    }

    fn level_mut(&mut self) -> Option<&mut Level> {
        self.model.stacks.get_mut(self.model.pane)?.last_mut()
    }
}
