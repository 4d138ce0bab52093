//! What lies on top: help, palette, targets, actions, export, SQL, locks, log, leaving.

use crate::report::table::{self, Format};
use crate::tui::app::App;
use crate::tui::keymap::{self, DialogAction};
use crate::tui::model::journal::JournalModel;
use crate::tui::model::overlay::{Kind, Overlay, PaletteTarget};
use crate::tui::model::state::{Link, Model};
use crate::tui::model::switchover::RoomState;
use crate::tui::model::view::{Level, View};
use crate::tui::msg::{Effect, Export, ExportRows, Keystroke};
use crate::tui::{dialog, pane, screen};
use crossterm::event::Event;
use tui_input::backend::crossterm::EventHandler as _;

impl App {
    pub(super) fn overlay_key(&mut self, stroke: Keystroke) -> Vec<Effect> {
        let Some(overlay) = &mut self.model.overlay else { return vec![] };
        let typing = overlay.takes_text() || overlay.confirms();
        let Some(action) = keymap::dialog(&keymap::name(stroke.key), typing) else {
            if overlay.confirms() {
                overlay.confirm.key(stroke);
            } else if typing {
                overlay.input.handle_event(&Event::Key(stroke.key));
                if !matches!(overlay.kind, Kind::Ask(_)) {
                    overlay.cursor = 0;
                }
            }
            return vec![];
        };
        // While a run of ours goes on, leaving is a line to choose, not a key to hit.
        let leaving = overlay.kind == Kind::Quit && self.model.run.as_ref().is_none_or(|r| r.done.is_some());
        match action {
            DialogAction::Choose => return self.overlay_enter(stroke),
            DialogAction::Down(by) if matches!(overlay.kind, Kind::Ask(_)) => self.ask_move(by.clamp(-1, 1)),
            DialogAction::Down(by) => self.overlay_move(by),
            DialogAction::Yes | DialogAction::Quit if leaving => return vec![Effect::Quit],
            DialogAction::Close | DialogAction::Quit => self.model.overlay = None,
            DialogAction::Yes => {
                if let Kind::Sql(statements) = &overlay.kind {
                    let text: Vec<_> = statements.iter().map(|(_, sql)| format!("{sql};")).collect();
                    self.say("statements copied");
                    return vec![Effect::Copy(text.join("\n\n"))];
                }
            }
        }
        vec![]
    }

    fn overlay_move(&mut self, by: isize) {
        let last = dialog::overlay_len(&self.model).saturating_sub(1);
        if let Some(overlay) = &mut self.model.overlay {
            overlay.cursor = overlay.cursor.saturating_add_signed(by).min(last);
        }
    }

    fn overlay_enter(&mut self, stroke: Keystroke) -> Vec<Effect> {
        if matches!(self.model.overlay.as_ref().map(|o| &o.kind), Some(Kind::Ask(_))) {
            return self.ask_enter();
        }
        let Some(overlay) = self.model.overlay.take() else { return vec![] };
        match &overlay.kind {
            Kind::Quit => return self.leave(overlay.cursor),
            Kind::Stop => return self.stop_run(false),
            Kind::Unfinished(id) => {
                let id = id.clone();
                match overlay.cursor {
                    0 => return self.open_run(id),
                    1 => self.model.overlay = Some(Overlay::new(Kind::Resume(id))),
                    _ => {}
                }
            }
            Kind::Resume(_) => return self.resume_typed(overlay, stroke),
            Kind::End(_) => return self.end_typed(overlay, stroke),
            Kind::Note => return self.note_typed(overlay.input.value()),
            Kind::Targets => {
                let chosen =
                    self.model.target_choices_for(overlay.input.value()).get(overlay.cursor).cloned();
                return chosen.map(|name| self.switch(name)).unwrap_or_default();
            }
            Kind::Export => {
                let format = table::ALL.get(overlay.cursor).copied();
                return format.and_then(|f| self.export(f)).into_iter().collect();
            }
            Kind::Palette => {
                let chosen =
                    dialog::palette_for(&self.model, overlay.input.value()).into_iter().nth(overlay.cursor);
                return chosen.map(|item| self.follow(item.leads)).unwrap_or_default();
            }
            Kind::Actions => return self.choose(overlay.cursor),
            Kind::Help | Kind::Locks | Kind::Log | Kind::Sql(_) | Kind::Ask(_) => {}
        }
        vec![]
    }

    /// A line of the question whether to leave.
    fn leave(&mut self, chosen: usize) -> Vec<Effect> {
        if self.model.run_going().is_none() {
            return vec![Effect::Quit];
        }
        match chosen {
            1 => self.stop_run(true),
            2 => vec![Effect::Quit],
            _ => vec![],
        }
    }

    fn note_typed(&mut self, text: &str) -> Vec<Effect> {
        let text = text.trim();
        if text.is_empty() {
            return vec![];
        }
        // The run may have ended while it was written.
        if self.model.run_going().is_none() {
            self.complain("the run has ended: the note is not written");
            return vec![];
        }
        self.say("noted in the run's journal");
        vec![Effect::Note(text.to_owned())]
    }

    /// A run goes on when its number was typed, and only then.
    fn resume_typed(&mut self, mut overlay: Overlay, stroke: Keystroke) -> Vec<Effect> {
        let Kind::Resume(id) = &overlay.kind else { return vec![] };
        let id = id.clone();
        if let Some(why) = self.model.journal.run(&id).and_then(|r| self.model.why_not_resume(r)) {
            self.refuse(format!("resume {id}: {why}"), None);
            return vec![];
        }
        let words = Model::resume_words(&id);
        if let Err(why) = overlay.confirm.confirmed(stroke, self.model.input_mode, &words) {
            self.complain(why.replacen("the phrase", "it", 1));
            self.model.overlay = Some(overlay);
            return vec![];
        }
        self.begin_resume(&id)
    }

    fn follow(&mut self, leads: PaletteTarget) -> Vec<Effect> {
        match leads {
            PaletteTarget::Action(action) => self.act(action, ""),
            PaletteTarget::Pane(index) => {
                self.go(index);
                vec![]
            }
            PaletteTarget::Check(id) => self.go_to_check(&id, None),
            PaletteTarget::Target(name) => self.switch(name),
            PaletteTarget::Offer(offer) => match &offer.disabled {
                Some(why) => {
                    self.refuse(format!("{} {}: {why}", offer.verb, offer.name), None);
                    vec![]
                }
                None => self.plan_offer(*offer),
            },
        }
    }

    fn switch(&mut self, name: String) -> Vec<Effect> {
        if let Some(run) = self.model.run_going() {
            let why = format!("target: a run is going on here ({}): it is not left alone", run.title);
            self.complain(why);
            return vec![];
        }
        self.model.run = None;
        self.model.journal = JournalModel::default();
        self.model.room = RoomState::default();
        self.model.link = Link::Opening;
        self.model.session = None;
        self.model.vitals_running = false;
        self.model.exporting = false;
        self.model.vitals = None;
        self.model.watches.clear();
        self.model.stacks = pane::ALL.iter().map(|_| vec![Level::pane()]).collect();
        self.model.wanted = Some(name.clone());
        self.say(format!("opening {name}"));
        vec![Effect::Connect(Some(name))]
    }

    fn export(&mut self, format: Format) -> Option<Effect> {
        let stamp = self.model.now.format("%Y%m%dT%H%M%SZ");
        let list = screen::list_of(&self.model);
        let marked = !self.model.level().state.marks.is_empty();
        let planned = self.model.plan_here().and_then(|v| Some((v.plan()?, v.columns())));
        let (name, rows) = match &self.model.level().view {
            View::Plan(_) => {
                let (plan, columns) = planned?;
                let name = format!("plan-{}-{}", plan.operation, plan.name);
                (name, ExportRows::Planned { plan: plan.id.clone(), columns })
            }
            View::Rows(rows) if !marked => {
                let request = rows.request(crate::engine::check::paging::At::First, false)?;
                (format!("{}-{}", rows.id.kind, rows.id.name), ExportRows::Paged(Box::new(request)))
            }
            view => {
                let name = match view {
                    View::Rows(r) => format!("{}-{}", r.id.kind, r.id.name),
                    View::Twin(id) | View::Partitions(id) => format!("{}-{}", id.kind, id.name),
                    _ => pane::ALL.get(self.model.pane).map_or("midwatch", |p| p.title()).to_lowercase(),
                };
                // The columns' own names, as an export of all rows has them.
                let columns = match view {
                    View::Rows(r) => r.columns.iter().map(|c| c.name.clone()).collect(),
                    _ => list.cols.iter().map(|c| c.title.clone()).collect(),
                };
                let rows = if marked {
                    screen::chosen(&self.model)
                } else {
                    list.rows.iter().map(crate::tui::list::ListRow::values).collect()
                };
                (name, ExportRows::Given { columns, rows })
            }
        };
        self.model.exporting = true;
        self.say("exporting…");
        let safe: String =
            name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
        Some(Effect::Export(Box::new(Export { name: format!("midwatch-{safe}-{stamp}"), format, rows })))
    }
}
