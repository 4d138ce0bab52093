//! Moving about: panes, levels, view history.

use crate::engine::model::report::CheckId;
use crate::features::anomalies::facts::KIND as ANOMALIES;
use crate::features::parity::facts::KIND as PARITY;
use crate::tui::app::App;
use crate::tui::failure::Failure;
use crate::tui::list::{Detail, Goto, ListRow};
use crate::tui::model::view::{Level, Place, Surroundings, View};
use crate::tui::msg::{Effect, Slot};
use crate::tui::{pane, screen};

/// Places remembered.
const HISTORY: usize = 50;

impl App {
    /// Remembers where we are before we leave it.
    fn remember(&mut self) {
        let place = self.model.place();
        if self.model.history.len() == HISTORY {
            self.model.history.remove(0);
        }
        self.model.history.push(place);
        self.model.future.clear();
    }

    pub(super) fn push(&mut self, view: View) {
        self.remember();
        if let Some(stack) = self.model.stacks.get_mut(self.model.pane) {
            stack.push(Level::new(view));
        }
    }

    /// Something else in the place of the view on top.
    pub(super) fn replace(&mut self, view: View) {
        if let Some(level) = self.level_mut() {
            *level = Level::new(view);
        }
    }

    /// Shows a pane as it was left.
    pub(super) fn go(&mut self, index: usize) {
        if index < self.model.stacks.len() && index != self.model.pane {
            self.remember();
            self.model.pane = index;
        }
    }

    /// One level up; false at the top.
    pub(super) fn pop(&mut self) -> bool {
        if self.model.stacks.get(self.model.pane).is_none_or(|s| s.len() < 2) {
            return false;
        }
        self.remember();
        self.model.stacks.get_mut(self.model.pane).and_then(Vec::pop);
        true
    }

    pub(super) fn back(&mut self) {
        match self.model.history.pop() {
            Some(place) => {
                let here = self.model.place();
                self.model.future.push(here);
                self.restore(place);
            }
            None => self.say("no view before this one"),
        }
    }

    pub(super) fn forward(&mut self) {
        match self.model.future.pop() {
            Some(place) => {
                let here = self.model.place();
                self.model.history.push(here);
                self.restore(place);
            }
            None => self.say("no view after this one"),
        }
    }

    fn restore(&mut self, place: Place) {
        self.model.pane = place.pane;
        let mut levels = place.levels;
        // A plan that was left is gone.
        levels.retain(|l| !matches!(l.view, View::Plan(slot) if !self.model.plans.contains_key(&slot)));
        if let Some(stack) = self.model.stacks.get_mut(place.pane) {
            *stack = levels;
        }
        // What was on its way for the view then has been answered or dropped since.
        for level in self.model.stacks.iter_mut().flatten() {
            match &mut level.view {
                View::Rows(rows) if rows.source.is_some() => rows.loading = false,
                View::Run(view) => view.loading = false,
                _ => {}
            }
        }
    }

    pub(super) fn open(&mut self) -> Vec<Effect> {
        if matches!(self.model.level().view, View::Plan(_)) {
            return self.plan_open();
        }
        let list = screen::list_of(&self.model);
        let cursor = self.model.level().state.cursor;
        let Some(row) = list.rows.into_iter().nth(cursor) else { return vec![] };
        self.enter(row)
    }

    fn enter(&mut self, row: ListRow) -> Vec<Effect> {
        match row.goto {
            Goto::Stay => vec![],
            Goto::Twin(id) => {
                self.push(View::Twin(id));
                vec![]
            }
            Goto::Partitions(id) => {
                self.push(View::Partitions(id));
                vec![]
            }
            Goto::Rows { id, finding } => self.open_rows(id, finding),
            Goto::Detail(detail) => self.open_detail(detail),
            Goto::Run(id) => self.open_run(id),
            Goto::Pane { id, row } => self.go_to_check(&id, row.as_deref()),
        }
    }

    /// A check's own pane, at its row, and one level down where the finding has rows.
    pub(super) fn go_to_check(&mut self, id: &CheckId, row: Option<&str>) -> Vec<Effect> {
        let Some(index) = pane::ALL.iter().position(|p| p.kind() == Some(id.kind)) else { return vec![] };
        self.remember();
        self.model.pane = index;
        if let Some(stack) = self.model.stacks.get_mut(index) {
            *stack = vec![Level::pane()];
        }
        let wanted = row.map_or_else(|| id.to_string(), str::to_owned);
        let list = screen::list_of(&self.model);
        let position = list
            .rows
            .iter()
            .position(|r| r.key == wanted)
            .or_else(|| list.rows.iter().position(|r| r.check.as_ref() == Some(id)));
        if let (Some(position), Some(level)) = (position, self.level_mut()) {
            level.state.cursor = position;
            level.state.key = list.rows.get(position).map(|r| r.key.clone());
        }
        // Twins and rules have their rows one level below; causes and files are rows themselves.
        let effects = match (id.kind, position.and_then(|p| list.rows.into_iter().nth(p))) {
            (PARITY | ANOMALIES, Some(row)) => self.enter(row),
            _ => vec![],
        };
        self.seek(&wanted);
        effects
    }

    /// The cursor onto the first row of a finding, where the view just opened lists it.
    fn seek(&mut self, finding: &str) {
        let list = screen::list_of(&self.model);
        let at = list
            .rows
            .iter()
            .position(|r| r.key.strip_prefix(finding).is_some_and(|rest| rest.starts_with('/')));
        if let (Some(at), Some(level)) = (at, self.level_mut()) {
            level.state.cursor = at;
            level.state.key = list.rows.get(at).map(|r| r.key.clone());
        }
    }

    /// Everything about a row; its declared surroundings are read as well.
    fn open_detail(&mut self, detail: Detail) -> Vec<Effect> {
        let wanted = match &self.model.level().view {
            View::Rows(rows) => {
                rows.source.as_ref().and_then(|s| s.context.clone()).and_then(|(title, sql)| {
                    let row = rows.rows.get(self.model.level().state.cursor)?;
                    Some((title, sql, rows.columns.clone(), row.cells.clone()))
                })
            }
            _ => None,
        };
        match wanted {
            None => {
                self.push(View::Detail { detail, context: None });
                vec![]
            }
            Some((title, sql, columns, cells)) => {
                let slot = self.slot();
                self.push(View::Detail { detail, context: Some(Surroundings { slot, title, page: None }) });
                vec![Effect::Context { slot, sql, columns, cells }]
            }
        }
    }

    pub(super) fn context(
        &mut self,
        slot: Slot,
        result: Result<Box<crate::engine::check::paging::Page>, Box<Failure>>,
    ) {
        for level in self.model.stacks.iter_mut().flatten() {
            if let View::Detail { context: Some(c), .. } = &mut level.view
                && c.slot == slot
            {
                c.page = Some(result.map(|p| *p).map_err(|f| *f));
                return;
            }
        }
    }
}
