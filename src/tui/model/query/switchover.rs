//! The switchover room: its pairs, its run, its blockers, and why an action is refused.

use crate::engine::model::blocker::Blocker;
use crate::engine::model::progress::ControlRequest;
use crate::engine::model::record::RunRecord;
use crate::engine::plan::operation::{ALL, Offer};
use crate::engine::plan::request::UNDO;
use crate::features::parity::pair::SwitchState;
use crate::features::switchover::status::{RoomRun, SwitchoverStatus};
use crate::features::switchover::verbs;
use crate::tui::keymap::KeyAction;
use crate::tui::list::List;
use crate::tui::model::run::{OurRun, RunView, title_of};
use crate::tui::model::state::{Link, Model};
use crate::tui::model::switchover::{RoomView, SWITCHES, swap_of};
use crate::tui::model::view::View;
use chrono::{DateTime, Utc};

impl Model {
    /// Twins that can be switched over.
    pub fn twins(&self) -> Vec<&str> {
        let offers = self.session.iter().flat_map(|s| &s.operations);
        offers.filter(|o| o.verb == verbs::SWITCHOVER).map(|o| o.name.as_str()).collect()
    }

    /// The twins of a set.
    pub fn twins_of(&self, name: &str) -> Vec<&str> {
        let mut all = self.twins();
        all.retain(|t| name == ALL || name.split(',').any(|n| n == *t));
        all
    }

    /// Does a run swap tables? By its plan, or where that is not known by its name.
    pub fn is_switch(&self, view: &RunView) -> bool {
        if let Some(plan) = self.run_plan(view) {
            return swap_of(plan).is_some();
        }
        if let Some(run) = self.ours(view).filter(|r| r.progress.is_some()) {
            return run.is_switch();
        }
        let undoes = |r: &RunRecord| r.undoes.as_ref().and_then(|id| self.journal.run(id)).cloned();
        self.record(view).is_some_and(|r| {
            let of = undoes(r).filter(|_| r.operation == UNDO);
            SWITCHES.contains(&of.as_ref().unwrap_or(r).operation.as_str())
        })
    }

    /// The set that the room shown is about.
    pub fn room_name(&self) -> Option<String> {
        match &self.level().view {
            View::Room(view) => Some(view.name.clone()),
            View::Run(view) if self.is_switch(view) => {
                let plan = self.run_plan(view).map(|p| &p.name);
                plan.or_else(|| self.record(view).map(|r| &r.name)).cloned()
            }
            _ => None,
        }
    }

    /// Our run, where the room shown is about it: also before one has gone to the run itself.
    pub fn run_in_room(&self) -> Option<&OurRun> {
        match &self.level().view {
            View::Run(view) => self.ours(view),
            View::Room(_) => self.run_going().filter(|r| r.is_switch()),
            _ => None,
        }
    }

    /// What was last seen of the room shown.
    pub fn room_facts(&self) -> Option<(&SwitchoverStatus, DateTime<Utc>)> {
        let name = self.room_name()?;
        let state = Some(&self.room).filter(|r| r.name == name)?;
        Some((state.facts.as_deref()?, state.at?))
    }

    /// Who stands in the way, and when that was seen: by the run or by a look of our own, whichever is newer.
    pub fn blockers(&self) -> (&[Blocker], Option<DateTime<Utc>>) {
        let seen = self.room_facts().map(|(f, at)| (f.blockers.as_slice(), at));
        let run = self.run_in_room().and_then(|r| r.progress.as_ref()).and_then(|p| {
            let at = DateTime::from_timestamp_millis(p.locks.looked_at?)?;
            Some((p.locks.blockers.as_slice(), at))
        });
        match (seen, run) {
            (Some((_, at)), Some((told, looked))) if looked > at => (told, Some(looked)),
            (Some((told, at)), _) | (None, Some((told, at))) => (told, Some(at)),
            (None, None) => (&[], None),
        }
    }

    /// The one under the cursor.
    pub fn blocker_here(&self) -> Option<&Blocker> {
        let (all, _) = self.blockers();
        all.get(self.level().state.cursor.min(all.len().saturating_sub(1)))
    }

    /// Why there is no room to open.
    pub(in crate::tui) fn why_not_room(&self) -> Option<String> {
        if self.session.is_none() {
            return Some("no target is open".into());
        }
        self.twins().is_empty().then(|| "the profile declares no twin that could be switched over".into())
    }

    /// The marked twins as one set, where they are not all.
    pub(in crate::tui) fn marked_set(&self, list: &List) -> Option<String> {
        if self.level().state.marks.is_empty() {
            return None;
        }
        let chosen = self.twins_chosen(list);
        let mut twins = self.twins();
        let all = twins.len();
        twins.retain(|t| chosen.iter().any(|id| id.name == *t));
        (!twins.is_empty() && twins.len() < all).then(|| twins.join(","))
    }

    /// A switch of these twins, or its way back, that others are at.
    pub fn run_elsewhere(&self) -> Option<&RoomRun> {
        let (facts, at) = self.room_facts()?;
        // A look from before its end still tells of ours as going on.
        let ours = self.run.as_ref().filter(|r| r.ended.is_none_or(|ended| at <= ended));
        let ours = ours.and_then(OurRun::number);
        facts.last.as_ref().filter(|r| r.record.live && ours != Some(r.record.id.as_str()))
    }

    /// The latest run of these twins, where it stopped half-way and nobody is at it.
    pub fn broken_off_here(&self) -> Option<&RoomRun> {
        if !matches!(self.level().view, View::Room(_)) || self.run_in_room().is_some() {
            return None;
        }
        let (facts, _) = self.room_facts()?;
        facts.last.as_ref().filter(|r| r.record.resumable && !r.record.live)
    }

    /// Does one of the room's twins stand so? `None`: not known.
    pub(in crate::tui) fn has_pair_in(&self, standing: SwitchState) -> Option<bool> {
        let (facts, _) = self.room_facts()?;
        Some(facts.twins.iter().any(|t| t.standing == standing))
    }

    /// What the room leads to: over as long as a twin is not, else back.
    pub fn room_verb(&self) -> &'static str {
        let over = self.has_pair_in(SwitchState::Before) == Some(false);
        if over && self.has_pair_in(SwitchState::Switched) == Some(true) {
            verbs::ROLLBACK
        } else {
            verbs::SWITCHOVER
        }
    }

    /// The twins of the room that it is about: those still to be switched, or those that are.
    pub fn room_set(&self, verb: &str) -> Option<String> {
        let name = self.room_name()?;
        let wanted = if verb == verbs::SWITCHOVER { SwitchState::Before } else { SwitchState::Switched };
        let Some((facts, _)) = self.room_facts() else { return Some(name) };
        let such: Vec<&str> =
            facts.twins.iter().filter(|t| t.standing == wanted).map(|t| t.name.as_str()).collect();
        let all = such.is_empty() || such.len() == facts.twins.len();
        Some(if all { name } else { such.join(",") })
    }

    /// The operation as it would be planned for the set of the room.
    pub(in crate::tui) fn room_offer(&self, verb: &str) -> Option<Offer> {
        let name = self.room_set(verb)?;
        let offers = || self.session.iter().flat_map(|s| &s.operations).filter(|o| o.verb == verb);
        let twins = self.twins_of(&name);
        let disabled = offers().filter(|o| twins.contains(&o.name.as_str())).find_map(|o| o.disabled.clone());
        let mut offer = offers().next()?.clone();
        let of = if name == ALL { format!("all {} twins, at once", twins.len()) } else { name.clone() };
        offer.about = format!("{} {of}", if verb == verbs::SWITCHOVER { "switch over" } else { "take back" });
        (offer.mends, offer.disabled, offer.name) = (None, disabled, name);
        Some(offer)
    }

    /// Why a switch, or its way back, is not planned from the room.
    fn why_not_planned(&self, verb: &str) -> Option<String> {
        if let Some(run) = self.run_in_room().filter(|r| r.done.is_none()) {
            return Some(format!("it is going on ({})", run.title));
        }
        if let Some(run) = self.run_elsewhere() {
            let (r, at) = (&run.record, run.stage.as_deref().unwrap_or("its end"));
            let title = title_of(r);
            return Some(format!("run {} ({title}) is going on, by {}, at {at}: l shows it", r.id, r.by()));
        }
        let Some(offer) = self.room_offer(verb) else { return Some(format!("there is no {verb} here")) };
        if let Some(why) = offer.disabled {
            return Some(why);
        }
        if self.link != Link::Up {
            return Some("there is no connection".into());
        }
        let (Some(before), Some(over)) =
            (self.has_pair_in(SwitchState::Before), self.has_pair_in(SwitchState::Switched))
        else {
            return Some("the room has not been looked at yet".into());
        };
        match (verb == verbs::SWITCHOVER, before, over) {
            (true, true, _) => self.why_not_ready(),
            (true, false, true) => Some("it is switched over already: z plans the way back".into()),
            (true, false, false) => Some("it is switched over and cleaned up".into()),
            (false, _, true) => None,
            (false, true, false) => Some("nothing is switched over".into()),
            (false, false, false) => {
                let name = self.room_name().unwrap_or_default();
                let (why, _) =
                    self.outlook_words(&self.rollback_outlook_of(&name, self.room_facts().map(|(f, _)| f)));
                Some(why)
            }
        }
    }

    /// Why an action cannot be done in the room.
    pub(in crate::tui) fn why_not_in_room(&self, view: &RoomView, action: KeyAction) -> Option<String> {
        let going = self.run_in_room();
        match action {
            KeyAction::Hold => match going {
                Some(run) if run.wish == ControlRequest::Cancel => Some("it is being stopped".into()),
                Some(_) => None,
                None => Some("no switchover of ours is going on".into()),
            },
            KeyAction::Cancel => going.is_none().then(|| "no switchover of ours is going on".into()),
            KeyAction::EndBlocker => self.why_not_end(),
            KeyAction::DryRun => self.why_not_planned(self.room_verb()),
            KeyAction::Undo => self.why_not_planned(verbs::ROLLBACK),
            KeyAction::Entries => {
                let last = self.room_facts().and_then(|(f, _)| f.last.as_ref());
                (last.is_none() && going.is_none())
                    .then(|| "the journal has no switchover of these twins".into())
            }
            KeyAction::Whole if view.twin.is_none() => Some("it was not opened from a twin's page".into()),
            KeyAction::Whole if self.twins().len() < 2 => Some("there is one twin only".into()),
            KeyAction::Replan if self.link != Link::Up => Some("there is no connection".into()),
            KeyAction::Sql | KeyAction::Export | KeyAction::Copy => {
                Some("not in the room: its runs have them".into())
            }
            KeyAction::Open
            | KeyAction::Mark
            | KeyAction::MarkAll
            | KeyAction::Range
            | KeyAction::Sort
            | KeyAction::Filter
            | KeyAction::Next
            | KeyAction::Previous => Some("not in the room".into()),
            _ => None,
        }
    }

    /// The same on the run of a switch, for what is not as on any run.
    pub(in crate::tui) fn why_not_on_switch(&self, action: KeyAction) -> Option<String> {
        match action {
            KeyAction::EndBlocker => self.why_not_end(),
            KeyAction::DryRun => self.why_not_planned(self.room_verb()),
            KeyAction::Whole => Some("not on a run".into()),
            _ => None,
        }
    }

    /// Why nobody's session is ended: only a run of ours does that, and writes it down first.
    pub(in crate::tui) fn why_not_end(&self) -> Option<String> {
        let Some(run) = self.run_in_room().filter(|r| r.done.is_none() && r.is_switch()) else {
            return Some("only a switchover of ours ends a session: none is going on".into());
        };
        if run.wish == ControlRequest::Cancel {
            return Some("it is being stopped".into());
        }
        if run.has_swapped() {
            return Some("the tables have changed places: nobody is in the way any more".into());
        }
        self.blockers().0.is_empty().then(|| "nobody is in the way".into())
    }
}
