//! Keys to changes, by the one key table.

use crate::engine::check::paging::{At, Sort};
use crate::engine::model::report::CheckId;
use crate::features::switchover::verbs;
use crate::tui::app::App;
use crate::tui::format::counted;
use crate::tui::keymap::{self, KeyAction, KeyLookup, Scene};
use crate::tui::list::matches;
use crate::tui::model::overlay::{Kind, Overlay, words};
use crate::tui::model::view::View;
use crate::tui::msg::{Effect, Keystroke};
use crate::tui::view::{self, ClickTarget};
use crate::tui::{doc, pane, screen};
use crossterm::event::{Event, KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler as _;

impl App {
    pub(super) fn key(&mut self, stroke: Keystroke) -> Vec<Effect> {
        let key = stroke.key;
        if key.kind == KeyEventKind::Release {
            return vec![];
        }
        let name = keymap::name(key);
        if name == "ctrl-c" {
            return self.cancel();
        }
        if self.model.overlay.is_some() {
            return self.overlay_key(stroke);
        }
        if self.model.filter_input.is_some() {
            return self.filter_key(key, &name);
        }
        if self.model.typing_phrase() {
            return self.confirm_key(stroke);
        }
        match keymap::lookup(screen::scene_of(&self.model), self.model.pending.take(), &name) {
            KeyLookup::Action(action) => self.act(action, &name),
            KeyLookup::Pending(first) => {
                self.model.pending = Some(first);
                vec![]
            }
            KeyLookup::Nothing => vec![],
        }
    }

    /// Text between the terminal's paste marks goes where text is typed, and is no keys anywhere else.
    pub(super) fn paste(&mut self, text: &str) -> Vec<Effect> {
        let line: String = text.chars().filter(|c| !c.is_control()).collect();
        let put = |input: &mut Input| *input = Input::new(format!("{}{line}", input.value()));
        if let Some(overlay) = &mut self.model.overlay {
            if overlay.takes_text() {
                put(&mut overlay.input);
            } else if overlay.confirms() {
                overlay.confirm.clear();
                self.complain("pasted text is not taken here: the words are typed");
            }
        } else if self.model.typing_phrase() {
            self.refuse_paste();
        } else if let Some(input) = &mut self.model.filter_input {
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
            MouseEventKind::Down(MouseButton::Left) if self.model.overlay.is_none() => self.click(mouse),
            _ => vec![],
        }
    }

    /// A click chooses; a second one on the same row opens.
    fn click(&mut self, mouse: MouseEvent) -> Vec<Effect> {
        match view::hit(self, (mouse.column, mouse.row)) {
            Some(ClickTarget::Pane(index)) => {
                self.go(index);
                vec![]
            }
            Some(ClickTarget::Row(row)) if row == self.model.level().state.cursor => self.open(),
            Some(ClickTarget::Row(row)) => {
                let by = isize::try_from(row).unwrap_or(0)
                    - isize::try_from(self.model.level().state.cursor).unwrap_or(0);
                self.move_cursor(by)
            }
            None => vec![],
        }
    }

    pub(super) fn act(&mut self, action: KeyAction, name: &str) -> Vec<Effect> {
        if let Some(why) = screen::why_not(&self.model, action) {
            let binding = keymap::binding(screen::scene_of(&self.model), action);
            let short = binding.map(|b| b.short).filter(|s| !s.is_empty());
            let name = short.map_or_else(|| words(action), str::to_owned);
            self.refuse(format!("{name}: {why}"), Some((action, why)));
            return vec![];
        }
        self.perform(action, name)
    }

    /// What the key does, which may be used here.
    fn perform(&mut self, action: KeyAction, name: &str) -> Vec<Effect> {
        match action {
            KeyAction::Open => return self.open(),
            KeyAction::Escape => return self.escape(),
            KeyAction::Close => self.close(),
            KeyAction::Down
            | KeyAction::Up
            | KeyAction::HalfDown
            | KeyAction::HalfUp
            | KeyAction::PageDown
            | KeyAction::PageUp => return self.move_cursor(self.lines_of(action)),
            KeyAction::Top => return self.jump_to_end(At::First),
            KeyAction::Bottom => return self.jump_to_end(At::Last),
            KeyAction::Left | KeyAction::Right => self.shift_columns(action == KeyAction::Right),
            KeyAction::NextPane => self.go((self.model.pane + 1) % pane::ALL.len()),
            KeyAction::PrevPane => self.go((self.model.pane + pane::ALL.len() - 1) % pane::ALL.len()),
            KeyAction::Pane => self.go(name.parse::<usize>().unwrap_or(1).saturating_sub(1)),
            KeyAction::Back => self.back(),
            KeyAction::Forward => self.forward(),
            KeyAction::Filter => {
                self.model.filter_input = Some(Input::new(self.model.level().state.filter.clone()));
            }
            KeyAction::Next => return self.next_match(1),
            KeyAction::Previous => return self.next_match(-1),
            KeyAction::Sort => return self.sort(),
            KeyAction::Mark => {
                self.mark_row();
                return self.move_cursor(1);
            }
            KeyAction::Range => self.range(),
            KeyAction::MarkAll => self.mark_all(),
            KeyAction::Copy if matches!(self.model.level().view, View::Plan(_)) => return self.plan_copy(),
            KeyAction::Copy => return self.copy(),
            KeyAction::Refresh => return self.refresh_here(),
            KeyAction::RefreshAll => return self.refresh_all(),
            KeyAction::Pause => self.pause(),
            KeyAction::Log => {
                self.open_overlay(action);
                return vec![Effect::Log];
            }
            KeyAction::Export
            | KeyAction::Sql
            | KeyAction::Locks
            | KeyAction::Target
            | KeyAction::Palette
            | KeyAction::Help
            | KeyAction::Actions
            | KeyAction::Note => self.open_overlay(action),
            KeyAction::Cancel => return self.cancel(),
            KeyAction::Room => return self.open_room(),
            KeyAction::Whole => return self.other_set(),
            KeyAction::Full | KeyAction::GoOn | KeyAction::SelfTest => return self.ask_look(action),
            KeyAction::Entries => return self.entries(),
            KeyAction::EndBlocker => self.ask_to_end(),
            KeyAction::DryRun | KeyAction::Undo | KeyAction::Replan => return self.plan_by(action),
            KeyAction::Confirm => self.open_confirm(),
            KeyAction::Hold => return self.hold(),
        }
        vec![]
    }

    /// How far these keys move the cursor.
    fn lines_of(&self, action: KeyAction) -> isize {
        let page = isize::from(i16::try_from(self.model.size.1.saturating_sub(8)).unwrap_or(10)).max(1);
        match action {
            KeyAction::Down => 1,
            KeyAction::Up => -1,
            KeyAction::HalfDown => page / 2,
            KeyAction::HalfUp => -(page / 2),
            KeyAction::PageDown => page,
            KeyAction::PageUp => -page,
            _ => 0,
        }
    }

    /// Opens the overlay of a key that has one.
    fn open_overlay(&mut self, action: KeyAction) {
        let kind = match action {
            KeyAction::Export => Kind::Export,
            KeyAction::Sql => Kind::Sql(screen::statements(&self.model)),
            KeyAction::Locks => Kind::Locks,
            KeyAction::Log => Kind::Log,
            KeyAction::Target => Kind::Targets,
            KeyAction::Palette => Kind::Palette,
            KeyAction::Help => Kind::Help,
            KeyAction::Actions => Kind::Actions,
            KeyAction::Note => Kind::Note,
            _ => return,
        };
        self.model.overlay = Some(Overlay::new(kind));
    }

    /// Leaves the view; the last one is left by leaving the program.
    fn close(&mut self) {
        if !self.pop() {
            self.model.overlay = Some(Overlay::new(Kind::Quit));
        }
    }

    fn refresh_all(&mut self) -> Vec<Effect> {
        let all: Vec<CheckId> = self.model.watches.iter().map(|w| w.id.clone()).collect();
        self.refresh(&all)
    }

    fn pause(&mut self) {
        self.model.paused = !self.model.paused;
        self.say(if self.model.paused {
            "paused: looking only when asked (r)"
        } else {
            "looking by itself again"
        });
    }

    /// Plans what the key means in this view: in the room it is of the room's set.
    fn plan_by(&mut self, action: KeyAction) -> Vec<Effect> {
        let in_room = matches!(self.model.level().view, View::Room(_));
        match action {
            KeyAction::DryRun if screen::scene_of(&self.model) == Scene::Room => {
                self.plan_in_room(self.model.room_verb())
            }
            KeyAction::DryRun => self.dry_run(),
            KeyAction::Undo if in_room => self.plan_in_room(verbs::ROLLBACK),
            KeyAction::Undo => self.undo(),
            KeyAction::Replan if in_room => self.refresh_room(),
            KeyAction::Replan if matches!(self.model.level().view, View::Run(_)) => self.run_again(),
            KeyAction::Replan => self.replan(),
            _ => vec![],
        }
    }

    /// The first press cancels what runs on the server; a second one asks to leave.
    fn cancel(&mut self) -> Vec<Effect> {
        if screen::scene_of(&self.model) == Scene::Twin
            && let Some(ended) = self.cancel_looks()
        {
            return ended;
        }
        if self.model.run_going().is_some() {
            return self.ask_to_stop();
        }
        let planning = self.cancel_planning();
        if !planning.is_empty() {
            return planning;
        }
        if let Some(ended) = self.cancel_looks() {
            return ended;
        }
        let recent = self.model.cancelled_at.is_some_and(|t| (self.model.now - t).num_seconds() < 3);
        let rows = matches!(&self.model.level().view, View::Rows(r) if r.loading);
        let busy = rows
            || self.model.exporting
            || self.model.vitals_running
            || self.model.watches.iter().any(|w| w.running.is_some());
        if recent || !busy {
            self.model.overlay = Some(Overlay::new(Kind::Quit));
            return vec![];
        }
        self.model.cancelled_at = Some(self.model.now);
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
        let Some(input) = &mut self.model.filter_input else { return vec![] };
        match name {
            "esc" => {
                self.model.filter_input = None;
                return vec![];
            }
            "enter" => {
                let text = input.value().to_owned();
                self.model.filter_input = None;
                if !text.is_empty() {
                    self.model.last_filter.clone_from(&text);
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
        if matches!(self.model.level().view, View::Rows(_)) {
            return self.reload();
        }
        let list = screen::list_of(&self.model);
        if let Some(level) = self.level_mut() {
            level.state.cursor = list.position(&level.state);
        }
        vec![]
    }

    pub(super) fn move_cursor(&mut self, by: isize) -> Vec<Effect> {
        let list = screen::list_of(&self.model);
        let bottom = screen::text_lines(&self.model).unwrap_or(list.rows.len()).saturating_sub(1);
        if let Some(level) = self.level_mut() {
            let to = level.state.cursor.saturating_add_signed(by).min(bottom);
            level.state.cursor = to;
            level.state.key = list.rows.get(to).map(|r| r.key.clone());
        }
        if matches!(self.model.level().view, View::Plan(_)) { self.plan_reach() } else { self.reach() }
    }

    fn jump_to_end(&mut self, at: At) -> Vec<Effect> {
        if let View::Rows(rows) = &self.model.level().view {
            let whole = rows.first == 0 && rows.total == Some(rows.rows.len() as u64);
            if !whole && !rows.loading {
                return self.jump(at);
            }
        }
        self.move_cursor(if at == At::First { isize::MIN } else { isize::MAX })
    }

    fn shift_columns(&mut self, right: bool) {
        let last = match self.model.plan_here() {
            Some(view) => doc::plan::columns(view).saturating_sub(1),
            None => screen::list_of(&self.model).cols.len().saturating_sub(1),
        };
        if let Some(level) = self.level_mut() {
            let column = &mut level.state.column;
            *column = if right { (*column + 1).min(last) } else { column.saturating_sub(1) };
        }
    }

    fn next_match(&mut self, step: isize) -> Vec<Effect> {
        let list = screen::list_of(&self.model);
        let count = list.rows.len();
        let from = self.model.level().state.cursor;
        for i in 1..=count {
            let offset = if step > 0 { i } else { count - i };
            let at = (from + offset) % count;
            if list.rows.get(at).is_some_and(|r| matches(&self.model.last_filter, &r.text())) {
                let by = isize::try_from(at).unwrap_or(0) - isize::try_from(from).unwrap_or(0);
                return self.move_cursor(by);
            }
        }
        self.complain(format!("no row here matches {}", self.model.last_filter));
        vec![]
    }

    fn sort(&mut self) -> Vec<Effect> {
        let list = screen::list_of(&self.model);
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
        if matches!(self.model.level().view, View::Rows(_)) { self.reload() } else { vec![] }
    }

    fn mark_row(&mut self) {
        let row = screen::list_of(&self.model).rows.into_iter().nth(self.model.level().state.cursor);
        if let (Some(row), Some(level)) = (row, self.level_mut())
            && level.state.marks.remove(&row.key).is_none()
        {
            level.state.marks.insert(row.key.clone(), row.values());
        }
    }

    fn range(&mut self) {
        let rows = screen::list_of(&self.model).rows;
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
        let rows = screen::list_of(&self.model).rows;
        let total = match &self.model.level().view {
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

    fn copy(&mut self) -> Vec<Effect> {
        let rows = screen::chosen(&self.model);
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
        if screen::scene_of(&self.model) == Scene::Runs {
            self.model.journal.due = self.model.now;
            return self.poll_runs();
        }
        let mut effects = if let Some(id) = screen::check_here(&self.model) {
            self.refresh(&[id])
        } else {
            let kind = pane::ALL.get(self.model.pane).and_then(|p| p.kind());
            let ids: Vec<CheckId> = self
                .model
                .watches
                .iter()
                .filter(|w| kind.is_none_or(|k| k == w.id.kind))
                .map(|w| w.id.clone())
                .collect();
            self.refresh(&ids)
        };
        if matches!(self.model.level().view, View::Rows(_)) {
            effects.extend(self.reload());
        }
        effects
    }
}
