//! Keys to changes, by the one key table.

use crossterm::event::{Event, KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler as _;

use super::overlay::Kind;
use super::{App, Link, Overlay, View};
use crate::engine::check::paging::{At, Sort};
use crate::engine::model::report::CheckId;
use crate::tui::format::counted;
use crate::tui::keymap::{self, Action, Lookup, Scene};
use crate::tui::list::{List, matches};
use crate::tui::msg::Effect;
use crate::tui::view::{self, Hit};
use crate::tui::{doc, pane};

impl App {
    pub(super) fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        if key.kind == KeyEventKind::Release {
            return vec![];
        }
        let name = keymap::name(key);
        if name == "ctrl-c" {
            return self.cancel();
        }
        if self.overlay.is_some() {
            return self.overlay_key(key);
        }
        if self.filter_input.is_some() {
            return self.filter_key(key, &name);
        }
        if self.typing_phrase() {
            return self.confirm_key(key);
        }
        match keymap::lookup(self.scene(), self.pending.take(), &name) {
            Lookup::Action(action) => self.act(action, &name),
            Lookup::Pending(first) => {
                self.pending = Some(first);
                vec![]
            }
            Lookup::Nothing => vec![],
        }
    }

    /// Text between the terminal's paste marks goes where text is typed, and is no keys anywhere else.
    pub(super) fn paste(&mut self, text: &str) -> Vec<Effect> {
        let line: String = text.chars().filter(|c| !c.is_control()).collect();
        let put = |input: &mut Input| *input = Input::new(format!("{}{line}", input.value()));
        if let Some(overlay) = &mut self.overlay {
            if matches!(overlay.kind, Kind::Help | Kind::Palette | Kind::Targets | Kind::Ask(_) | Kind::Note)
            {
                put(&mut overlay.input);
            } else if matches!(overlay.kind, Kind::Resume(_) | Kind::End(_)) {
                self.complain("pasted text is not taken here: the words are typed");
            }
        } else if self.typing_phrase() {
            self.refuse_paste();
        } else if let Some(input) = &mut self.filter_input {
            put(input);
        } else {
            self.complain("pasted text is not taken for keys");
        }
        vec![]
    }

    pub(super) fn mouse(&mut self, mouse: MouseEvent) -> Vec<Effect> {
        match mouse.kind {
            MouseEventKind::ScrollDown => self.move_cursor(3),
            MouseEventKind::ScrollUp => self.move_cursor(-3),
            MouseEventKind::Down(MouseButton::Left) if self.overlay.is_none() => self.click(mouse),
            _ => vec![],
        }
    }

    /// A click chooses; a second one on the same row opens.
    fn click(&mut self, mouse: MouseEvent) -> Vec<Effect> {
        match view::hit(self, (mouse.column, mouse.row)) {
            Some(Hit::Pane(index)) => {
                self.go(index);
                vec![]
            }
            Some(Hit::Row(row)) if row == self.level().state.cursor => self.open(),
            Some(Hit::Row(row)) => {
                let by = isize::try_from(row).unwrap_or(0)
                    - isize::try_from(self.level().state.cursor).unwrap_or(0);
                self.move_cursor(by)
            }
            None => vec![],
        }
    }

    /// Why an action cannot be done here and now; `None`: it can.
    pub fn why_not(&self, action: Action) -> Option<String> {
        self.why_not_in(action, &self.list())
    }

    /// The same for a table already at hand: drawing asks for many actions.
    pub fn why_not_in(&self, action: Action, list: &List) -> Option<String> {
        match (&self.level().view, action) {
            (_, Action::Target) => return self.why_not_switch(),
            (_, Action::Note) => return self.why_not_note(),
            (View::Plan(slot), _) => {
                return self.plans.get(slot).and_then(|v| self.why_not_on_plan(v, action));
            }
            (View::Run(view), _) => return self.why_not_on_run(view, action),
            (View::Room(view), _) => return self.why_not_in_room(view, action),
            _ => {}
        }
        match action {
            Action::DryRun => self.why_not_plan(list),
            Action::Undo => self.why_not_undo(self.record_here()),
            Action::Confirm | Action::Replan => Some("not here: d makes a plan".into()),
            Action::Room => self.why_not_room(),
            Action::Full | Action::GoOn | Action::SelfTest => self.why_not_look(action, list),
            Action::EndBlocker | Action::Entries | Action::Whole => {
                Some("in the switchover room only".into())
            }
            Action::Hold => Some("not here: the Runs pane leads to the run".into()),
            Action::Open | Action::Copy | Action::Export | Action::Mark | Action::MarkAll | Action::Sort
                if list.rows.is_empty() =>
            {
                Some("there are no rows".into())
            }
            Action::Export if self.exporting => Some("an export is running".into()),
            Action::Refresh | Action::RefreshAll if self.link != Link::Up => {
                Some("there is no connection".into())
            }
            Action::Sql if self.statements().is_empty() => Some("nothing was asked for this view yet".into()),
            Action::Next | Action::Previous if self.last_filter.is_empty() => {
                Some("nothing was searched for: / first".into())
            }
            _ => None,
        }
    }

    /// Another target while something of ours goes on would leave it out of sight.
    fn why_not_switch(&self) -> Option<String> {
        if self.targets.is_empty() {
            return Some("the configuration has no other target".into());
        }
        self.run_going().map(|r| format!("a run is going on here ({}): it is not left alone", r.title))
    }

    pub(super) fn act(&mut self, action: Action, name: &str) -> Vec<Effect> {
        if let Some(why) = self.why_not(action) {
            let binding = keymap::binding(self.scene(), action);
            let short = binding.map(|b| b.short).filter(|s| !s.is_empty());
            let name = short.map_or_else(|| super::overlay::words(action), str::to_owned);
            self.refuse(format!("{name}: {why}"), Some((action, why)));
            return vec![];
        }
        let page = isize::from(i16::try_from(self.size.1.saturating_sub(8)).unwrap_or(10)).max(1);
        match action {
            Action::Open => return self.open(),
            Action::Escape => return self.escape(),
            Action::Close => {
                if !self.pop() {
                    self.overlay = Some(Overlay::of(Kind::Quit));
                }
            }
            Action::Down => return self.move_cursor(1),
            Action::Up => return self.move_cursor(-1),
            Action::HalfDown => return self.move_cursor(page / 2),
            Action::HalfUp => return self.move_cursor(-(page / 2)),
            Action::PageDown => return self.move_cursor(page),
            Action::PageUp => return self.move_cursor(-page),
            Action::Top => return self.jump_to_end(At::First),
            Action::Bottom => return self.jump_to_end(At::Last),
            Action::Left | Action::Right => self.shift_columns(action == Action::Right),
            Action::NextPane => self.go((self.pane + 1) % pane::ALL.len()),
            Action::PrevPane => self.go((self.pane + pane::ALL.len() - 1) % pane::ALL.len()),
            Action::Pane => self.go(name.parse::<usize>().unwrap_or(1).saturating_sub(1)),
            Action::Back => self.back(),
            Action::Forward => self.forward(),
            Action::Filter => {
                self.filter_input = Some(Input::new(self.level().state.filter.clone()));
            }
            Action::Next => return self.next_match(1),
            Action::Previous => return self.next_match(-1),
            Action::Sort => return self.sort(),
            Action::Mark => {
                self.mark_row();
                return self.move_cursor(1);
            }
            Action::Range => self.range(),
            Action::MarkAll => self.mark_all(),
            Action::Copy if matches!(self.level().view, View::Plan(_)) => return self.plan_copy(),
            Action::Copy => return self.copy(),
            Action::Export => self.overlay = Some(Overlay::of(Kind::Export)),
            Action::Sql => self.overlay = Some(Overlay::of(Kind::Sql(self.statements()))),
            Action::Refresh => return self.refresh_here(),
            Action::RefreshAll => {
                let all: Vec<CheckId> = self.watches.iter().map(|w| w.id.clone()).collect();
                return self.refresh(&all);
            }
            Action::Pause => {
                self.paused = !self.paused;
                self.say(if self.paused {
                    "paused: looking only when asked (r)"
                } else {
                    "looking by itself again"
                });
            }
            Action::Locks => self.overlay = Some(Overlay::of(Kind::Locks)),
            Action::Log => {
                self.overlay = Some(Overlay::of(Kind::Log));
                return vec![Effect::Log];
            }
            Action::Target => self.overlay = Some(Overlay::of(Kind::Targets)),
            Action::Palette => self.overlay = Some(Overlay::of(Kind::Palette)),
            Action::Help => self.overlay = Some(Overlay::of(Kind::Help)),
            Action::Actions => self.overlay = Some(Overlay::of(Kind::Actions)),
            Action::Cancel => return self.cancel(),
            Action::Room => return self.open_room(),
            Action::Whole => return self.other_set(),
            Action::Full | Action::GoOn | Action::SelfTest => return self.ask_look(action),
            Action::Entries => return self.entries(),
            Action::EndBlocker => self.ask_to_end(),
            Action::DryRun if self.scene() == Scene::Room => return self.plan_in_room(self.room_verb()),
            Action::Undo if matches!(self.level().view, View::Room(_)) => {
                return self.plan_in_room("rollback");
            }
            Action::Replan if matches!(self.level().view, View::Room(_)) => return self.refresh_room(),
            Action::DryRun => return self.dry_run(),
            Action::Undo => return self.undo(),
            Action::Confirm => self.open_confirm(),
            Action::Replan if matches!(self.level().view, View::Run(_)) => return self.run_again(),
            Action::Replan => return self.replan(),
            Action::Hold => return self.hold(),
            Action::Note => self.overlay = Some(Overlay::of(Kind::Note)),
        }
        vec![]
    }

    /// The first press cancels what runs on the server; a second one asks to leave.
    fn cancel(&mut self) -> Vec<Effect> {
        if self.scene() == Scene::Twin
            && let Some(ended) = self.cancel_looks()
        {
            return ended;
        }
        if self.run_going().is_some() {
            return self.ask_to_stop();
        }
        let planning = self.cancel_planning();
        if !planning.is_empty() {
            return planning;
        }
        if let Some(ended) = self.cancel_looks() {
            return ended;
        }
        let recent = self.cancelled_at.is_some_and(|t| (self.now - t).num_seconds() < 3);
        let rows = matches!(&self.level().view, View::Rows(r) if r.loading);
        let busy =
            rows || self.exporting || self.vitals_running || self.watches.iter().any(|w| w.running.is_some());
        if recent || !busy {
            self.overlay = Some(Overlay::of(Kind::Quit));
            return vec![];
        }
        self.cancelled_at = Some(self.now);
        self.say("cancelling what runs on the server; ctrl-c again asks to leave");
        vec![Effect::Cancel]
    }

    fn escape(&mut self) -> Vec<Effect> {
        let Some(level) = self.level_mut() else { return vec![] };
        if level.state.anchor.take().is_some() {
            return vec![];
        }
        if !level.state.marks.is_empty() {
            level.state.marks.clear();
            return vec![];
        }
        if !level.state.filter.is_empty() {
            level.state.filter.clear();
            return self.refilter();
        }
        self.pop();
        vec![]
    }

    fn filter_key(&mut self, key: KeyEvent, name: &str) -> Vec<Effect> {
        let Some(input) = &mut self.filter_input else { return vec![] };
        match name {
            "esc" => {
                self.filter_input = None;
                return vec![];
            }
            "enter" => {
                let text = input.value().to_owned();
                self.filter_input = None;
                if !text.is_empty() {
                    self.last_filter.clone_from(&text);
                }
                let Some(level) = self.level_mut() else { return vec![] };
                level.state.filter = text;
                return self.refilter();
            }
            _ => {}
        }
        input.handle_event(&Event::Key(key));
        let text = input.value().to_owned();
        // Local tables narrow while one types; the database is asked when it is settled.
        if let Some(level) = self.level_mut()
            && !matches!(level.view, View::Rows(_))
        {
            level.state.filter = text;
            level.state.cursor = 0;
            level.state.key = None;
        }
        vec![]
    }

    fn refilter(&mut self) -> Vec<Effect> {
        if matches!(self.level().view, View::Rows(_)) {
            return self.reload();
        }
        let list = self.list();
        if let Some(level) = self.level_mut() {
            level.state.cursor = list.position(&level.state);
        }
        vec![]
    }

    pub(super) fn move_cursor(&mut self, by: isize) -> Vec<Effect> {
        let list = self.list();
        let bottom = self.text_lines().unwrap_or(list.rows.len()).saturating_sub(1);
        if let Some(level) = self.level_mut() {
            let to = level.state.cursor.saturating_add_signed(by).min(bottom);
            level.state.cursor = to;
            level.state.key = list.rows.get(to).map(|r| r.key.clone());
        }
        if matches!(self.level().view, View::Plan(_)) { self.plan_reach() } else { self.reach() }
    }

    fn jump_to_end(&mut self, at: At) -> Vec<Effect> {
        if let View::Rows(rows) = &self.level().view {
            let whole = rows.first == 0 && rows.total == Some(rows.rows.len() as u64);
            if !whole && !rows.loading {
                return self.jump(at);
            }
        }
        self.move_cursor(if at == At::First { isize::MIN } else { isize::MAX })
    }

    fn shift_columns(&mut self, right: bool) {
        let last = match self.plan_here() {
            Some(view) => doc::plan::columns(view).saturating_sub(1),
            None => self.list().cols.len().saturating_sub(1),
        };
        if let Some(level) = self.level_mut() {
            let column = &mut level.state.column;
            *column = if right { (*column + 1).min(last) } else { column.saturating_sub(1) };
        }
    }

    fn next_match(&mut self, step: isize) -> Vec<Effect> {
        let list = self.list();
        let count = list.rows.len();
        let from = self.level().state.cursor;
        for i in 1..=count {
            let offset = if step > 0 { i } else { count - i };
            let at = (from + offset) % count;
            if list.rows.get(at).is_some_and(|r| matches(&self.last_filter, &r.text())) {
                let by = isize::try_from(at).unwrap_or(0) - isize::try_from(from).unwrap_or(0);
                return self.move_cursor(by);
            }
        }
        self.complain(format!("no row here matches {}", self.last_filter));
        vec![]
    }

    fn sort(&mut self) -> Vec<Effect> {
        let list = self.list();
        let Some(level) = self.level_mut() else { return vec![] };
        let column = level.state.column;
        level.state.sort = match level.state.sort {
            Some((c, false)) if c == column => Some((c, true)),
            Some((c, true)) if c == column => None,
            _ => Some((column, false)),
        };
        let sort = level.state.sort;
        if let View::Rows(rows) = &mut level.view {
            rows.sort = sort.and_then(|(c, descending)| {
                Some(Sort { column: rows.columns.get(c)?.name.clone(), descending })
            });
        }
        let title = list.cols.get(column).map(|c| c.title.clone()).unwrap_or_default();
        self.say(match sort {
            Some((_, false)) => format!("sorted by {title}"),
            Some((_, true)) => format!("sorted by {title}, largest first"),
            None => "in the usual order".into(),
        });
        if matches!(self.level().view, View::Rows(_)) { self.reload() } else { vec![] }
    }

    fn mark_row(&mut self) {
        let row = self.list().rows.into_iter().nth(self.level().state.cursor);
        if let (Some(row), Some(level)) = (row, self.level_mut())
            && level.state.marks.remove(&row.key).is_none()
        {
            level.state.marks.insert(row.key.clone(), row.values());
        }
    }

    fn range(&mut self) {
        let rows = self.list().rows;
        let Some(level) = self.level_mut() else { return };
        let cursor = level.state.cursor;
        match level.state.anchor.take() {
            None => {
                level.state.anchor = Some(cursor);
                self.say("range begun: move, then v marks it");
            }
            Some(anchor) => {
                let (from, to) = (anchor.min(cursor), anchor.max(cursor));
                let chosen = rows.into_iter().skip(from).take(to - from + 1);
                level.state.marks.extend(chosen.map(|r| (r.key.clone(), r.values())));
            }
        }
    }

    /// Only what is held can be marked by key; for the rest it is said.
    fn mark_all(&mut self) {
        let rows = self.list().rows;
        let total = match &self.level().view {
            View::Rows(r) => r.total,
            _ => None,
        };
        let held = rows.len() as u64;
        if let Some(level) = self.level_mut() {
            level.state.marks.extend(rows.into_iter().map(|r| (r.key.clone(), r.values())));
        }
        match total {
            Some(total) if total > held => {
                self.say(format!(
                    "marked the {held} rows at hand of {total}; export without marks takes all"
                ));
            }
            _ => self.say(format!("{held} rows marked")),
        }
    }

    /// The marked rows, or the one under the cursor.
    pub(super) fn chosen(&self) -> Vec<Vec<Option<String>>> {
        let state = &self.level().state;
        if state.marks.is_empty() {
            return self
                .list()
                .rows
                .get(state.cursor)
                .map(crate::tui::list::Row::values)
                .into_iter()
                .collect();
        }
        state.marks.values().cloned().collect()
    }

    fn copy(&mut self) -> Vec<Effect> {
        let rows = self.chosen();
        let line = |row: &Vec<Option<String>>| {
            row.iter()
                .map(|c| c.as_deref().unwrap_or("NULL").replace(['\t', '\n', '\r'], " "))
                .collect::<Vec<_>>()
                .join("\t")
        };
        self.say(format!("{} copied", counted(rows.len() as u64, "row")));
        vec![Effect::Copy(rows.iter().map(line).collect::<Vec<_>>().join("\n"))]
    }

    fn refresh_here(&mut self) -> Vec<Effect> {
        if self.scene() == Scene::Runs {
            self.journal.due = self.now;
            return self.poll_runs();
        }
        let mut effects = if let Some(id) = self.check_here() {
            self.refresh(&[id])
        } else {
            let kind = pane::ALL.get(self.pane).and_then(|p| p.kind());
            let ids: Vec<CheckId> = self
                .watches
                .iter()
                .filter(|w| kind.is_none_or(|k| k == w.id.kind))
                .map(|w| w.id.clone())
                .collect();
            self.refresh(&ids)
        };
        if matches!(self.level().view, View::Rows(_)) {
            effects.extend(self.reload());
        }
        effects
    }

    /// What was asked of the server for this view.
    pub fn statements(&self) -> Vec<(String, String)> {
        let plan = match &self.level().view {
            View::Plan(slot) => self.plans.get(slot).and_then(|v| v.plan()),
            View::Run(view) => self.run_plan(view),
            _ => None,
        };
        if let Some(plan) = plan {
            return doc::plan::statements(plan);
        }
        if let View::Rows(rows) = &self.level().view {
            return rows.source.iter().map(|s| (s.title.clone(), s.sql.clone())).collect();
        }
        let here = self.check_here();
        let kind = pane::ALL.get(self.pane).and_then(|p| p.kind());
        self.watches
            .iter()
            .filter(|w| here.as_ref().map_or(kind == Some(w.id.kind), |h| *h == w.id))
            .filter_map(|w| w.report.as_ref())
            .flat_map(|r| r.evidence.iter().map(move |e| (format!("{}: {}", r.id, e.title), e.sql.clone())))
            .collect()
    }
}
