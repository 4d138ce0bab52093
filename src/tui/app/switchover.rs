//! The switchover room: looked at every second while it is open, left without a trace.

use crate::engine::model::param::Params;
use crate::engine::model::report::CheckId;
use crate::engine::plan::operation::ALL;
use crate::engine::plan::request::Request;
use crate::features::parity::facts::KIND as PARITY;
use crate::features::switchover::status::SwitchoverStatus;
use crate::tui::app::App;
use crate::tui::failure::Failure;
use crate::tui::model::overlay::{Kind, Overlay};
use crate::tui::model::state::Link;
use crate::tui::model::switchover::{RoomState, RoomView, is_swap};
use crate::tui::model::view::View;
use crate::tui::msg::{Effect, Keystroke};
use crate::tui::screen;
use chrono::TimeDelta;

/// Ticks come a little early.
const EARLY_MS: i64 = 100;
/// Looked at so often.
const EVERY_MS: i64 = 1_000;

impl App {
    /// Looks at the room shown when that is due.
    pub(super) fn poll_room(&mut self) -> Vec<Effect> {
        let Some(name) = self.model.room_name().filter(|_| self.model.link == Link::Up) else {
            return vec![];
        };
        if self.model.room.name != name {
            self.model.room = RoomState { name: name.clone(), ..RoomState::default() };
        }
        let soon = self.model.now + TimeDelta::milliseconds(EARLY_MS);
        if self.model.room.reading || self.model.room.due.is_some_and(|due| due > soon) {
            return vec![];
        }
        self.model.room.reading = true;
        vec![Effect::Room(name)]
    }

    pub(super) fn seen_room(&mut self, name: &str, result: Result<Box<SwitchoverStatus>, Box<Failure>>) {
        if self.model.room.name != name {
            return;
        }
        self.model.room.reading = false;
        self.model.room.due = Some(self.model.now + TimeDelta::milliseconds(EVERY_MS));
        match result {
            Ok(mut facts) => {
                // What our own run compares before it swaps stands in nobody's way.
                let progress = self.model.run_going().and_then(|r| r.progress.as_ref());
                if progress.is_some_and(|p| !is_swap(&p.stage)) {
                    facts.blockers.retain(|b| !b.application.starts_with("midwatch/"));
                }
                self.model.room.facts = Some(facts);
                self.model.room.at = Some(self.model.now);
                self.model.room.failure = None;
            }
            // Cancelled by ctrl-c: says nothing about the room.
            Err(failure) if failure.cancelled => {}
            Err(failure) => self.model.room.failure = Some(*failure),
        }
    }

    /// Opens the room of the marked twins, else of all; a switch of ours that goes on is the room.
    pub(super) fn open_room(&mut self) -> Vec<Effect> {
        if let Some(run) = self.model.run_going().filter(|r| r.is_switch()) {
            let number = run.number().unwrap_or_default().to_owned();
            return self.open_run(number);
        }
        let list = screen::list_of(&self.model);
        let known = |id: &CheckId| self.model.twins().contains(&id.name.as_str());
        let twin = self.model.check_in(&list).filter(known);
        let name = self.model.marked_set(&list).unwrap_or_else(|| match self.model.twins().as_slice() {
            [one] => (*one).to_owned(),
            _ => ALL.to_owned(),
        });
        self.push(View::Room(RoomView { name, twin }));
        self.poll_room()
    }

    /// `w`: only the twin it was opened from, or all of them.
    pub(super) fn other_set(&mut self) -> Vec<Effect> {
        if let Some(level) = self.level_mut()
            && let View::Room(view) = &mut level.view
            && let Some(twin) = &view.twin
        {
            view.name = if view.name == ALL { twin.name.clone() } else { ALL.to_owned() };
        }
        self.poll_room()
    }

    /// Asks for the phrase that ends the session under the cursor.
    pub(super) fn ask_to_end(&mut self) {
        if let Some(blocker) = self.model.blocker_here().cloned() {
            self.model.overlay = Some(Overlay::new(Kind::End(Box::new(blocker))));
        }
    }

    /// The phrase, or nothing happens.
    pub(super) fn end_typed(&mut self, mut overlay: Overlay, stroke: Keystroke) -> Vec<Effect> {
        let Kind::End(blocker) = &overlay.kind else { return vec![] };
        let entered = overlay.confirm.confirmed(stroke, self.model.input_mode, &blocker.phrase());
        if let Err(why) = entered {
            self.complain(why);
            self.model.overlay = Some(overlay);
            return vec![];
        }
        // The run may have ended while it was typed.
        if self.model.run_going().is_none_or(|r| !r.is_switch() || r.has_swapped()) {
            self.complain(format!("pid {} is left alone: no switch waits for it any more", blocker.pid));
            return vec![];
        }
        self.say(format!("asked the run to end pid {}: it is written down first", blocker.pid));
        vec![Effect::EndSession { blocker: blocker.clone(), typed: overlay.confirm.value().to_owned() }]
    }

    /// `d`: the plan of what comes next; `z`: of the way back.
    pub(super) fn plan_in_room(&mut self, verb: &'static str) -> Vec<Effect> {
        let Some(name) = self.model.room_set(verb) else { return vec![] };
        let title = format!("{verb} {name}");
        let request =
            Request::Operation { verb: verb.to_owned(), name: Some(name), params: Params::default() };
        self.open_plan(request, title)
    }

    /// The room's last run, its entries in sight; on a run: its entries, or the room again.
    pub(super) fn entries(&mut self) -> Vec<Effect> {
        if matches!(self.model.level().view, View::Room(_)) {
            let last =
                self.model.room_facts().and_then(|(f, _)| f.last.as_ref()).map(|r| r.record.id.clone());
            let ours = self.model.run_in_room().map(|r| r.number().unwrap_or_default().to_owned());
            let effects = ours.or(last).map(|id| self.open_run(id)).unwrap_or_default();
            self.show_entries(true);
            return effects;
        }
        let shown = self.model.run_here().is_some_and(|v| v.log);
        self.show_entries(!shown);
        self.reread_run()
    }

    fn show_entries(&mut self, log: bool) {
        if let Some(level) = self.level_mut()
            && let View::Run(view) = &mut level.view
        {
            view.log = log;
            level.state.cursor = 0;
        }
    }

    /// Everything of the room, again.
    pub(super) fn refresh_room(&mut self) -> Vec<Effect> {
        let twins: Vec<String> = self
            .model
            .room_name()
            .map(|n| self.model.twins_of(&n).into_iter().map(str::to_owned).collect())
            .unwrap_or_default();
        let ids: Vec<CheckId> = self
            .model
            .watches
            .iter()
            .filter(|w| w.id.kind == PARITY && twins.contains(&w.id.name))
            .map(|w| w.id.clone())
            .collect();
        self.model.room.due = None;
        let mut effects = self.poll_room();
        effects.extend(self.refresh(&ids));
        effects
    }
}
