//! When to look, and what comes of it: ticks, reports, lost and found connections.

use crate::engine::model::param::Params;
use crate::engine::model::report::{CheckId, Report, Severity};
use crate::engine::model::vitals::Vitals;
use crate::features::parity::facts::KIND as PARITY;
use crate::tui::app::App;
use crate::tui::data::Session;
use crate::tui::failure::Failure;
use crate::tui::model::asked_check::InterruptedCheck;
use crate::tui::model::journal::JournalModel;
use crate::tui::model::run::OurRun;
use crate::tui::model::state::Link;
use crate::tui::model::switchover::RoomState;
use crate::tui::model::view::Level;
use crate::tui::model::watch::Watch;
use crate::tui::msg::{Effect, Key};
use crate::tui::{pane, screen};
use chrono::{DateTime, TimeDelta, Utc};

/// A notice stays this long.
const NOTICE_S: i64 = 20;
/// Points of a trend kept.
const TREND: usize = 32;
/// Waits between attempts to reconnect, in seconds.
const BACK_OFF: [i64; 4] = [1, 2, 4, 8];
/// Seconds before every attempt after those.
const LONGEST_BACK_OFF: i64 = 15;
/// A check may take at most a twentieth of the time.
const COST: u64 = 20;
/// The server is looked at this often; it also tells whether it is there.
const VITALS_EVERY_MS: i64 = 2_000;
/// Checks at once: one reader session stays free for the person at the keys.
const AT_ONCE: usize = 2;

impl App {
    pub(super) fn tick(&mut self, now: DateTime<Utc>) -> Vec<Effect> {
        self.model.now = now;
        if self.model.notice.as_ref().is_some_and(|n| (now - n.at).num_seconds() > NOTICE_S) {
            self.model.notice = None;
        }
        match &self.model.link {
            Link::Opening => vec![],
            Link::Down { failure, .. } if failure.fatal => vec![],
            Link::Down { retry_at, .. } if *retry_at > now => vec![],
            Link::Down { .. } => {
                // Not again before this attempt has ended.
                if let Link::Down { retry_at, .. } = &mut self.model.link {
                    *retry_at = now + TimeDelta::seconds(30);
                }
                vec![Effect::Connect(self.model.wanted.clone())]
            }
            Link::Up => self.due(),
        }
    }

    /// Starts what is due, the pane shown first.
    pub(super) fn due(&mut self) -> Vec<Effect> {
        let mut out = Vec::new();
        let fresh = |t: DateTime<Utc>| (self.model.now - t).num_milliseconds() < VITALS_EVERY_MS - 100;
        if !self.model.vitals_running && !self.model.vitals.as_ref().is_some_and(|(_, t)| fresh(*t)) {
            self.model.vitals_running = true;
            out.push(Effect::Vitals);
        }
        if !self.model.paused || self.model.any_run_live() {
            out.extend(self.poll_runs());
            out.extend(self.poll_room());
        }
        let running = self.model.watches.iter().filter(|w| w.running.is_some()).count();
        let kind = pane::ALL.get(self.model.pane).and_then(|p| p.kind());
        let now = self.model.now;
        // A comparison of ours would hold the very tables that a switch of ours waits for.
        let aside = self.model.run_going().is_some_and(OurRun::is_switch);
        let paused = self.model.paused;
        let due = |w: &&mut Watch| w.is_due(now, paused) && !(aside && w.id.kind == PARITY);
        let mut waiting: Vec<&mut Watch> = self.model.watches.iter_mut().filter(due).collect();
        waiting.sort_by_key(|w| {
            (w.asked_check.asked.is_none(), w.report.is_some(), Some(w.id.kind) != kind, w.due)
        });
        out.extend(waiting.into_iter().take(AT_ONCE.saturating_sub(running)).map(|w| w.begin(now)));
        out
    }

    pub(super) fn connected(&mut self, session: Session) -> Vec<Effect> {
        let same = self
            .model
            .session
            .as_ref()
            .is_some_and(|s| s.target == session.target && s.profile == session.profile);
        let back = matches!(self.model.link, Link::Down { .. });
        self.model.link = Link::Up;
        self.model.vitals_running = false;
        self.model.journal.reading = false;
        self.model.room.reading = false;
        let kept: Vec<Watch> = if same { std::mem::take(&mut self.model.watches) } else { Vec::new() };
        self.model.watches = session
            .checks
            .iter()
            .map(|(id, every)| {
                let fresh = || Watch::new(id.clone(), *every, self.model.now);
                let old = kept.iter().find(|w| &w.id == id).cloned();
                let mut watch = Watch { due: self.model.now, ..old.unwrap_or_else(fresh) };
                if watch.asked_check.cut.is_none() && session.unfinished.contains(id) {
                    watch.asked_check.cut = Some(InterruptedCheck { at: None, done: None, held: true });
                }
                watch
            })
            .collect();
        if !same {
            self.model.vitals = None;
            self.model.baseline.clear();
            self.model.seen.clear();
            self.model.stacks = pane::ALL.iter().map(|_| vec![Level::pane()]).collect();
            self.model.history.clear();
            self.model.future.clear();
            self.model.journal = JournalModel::default();
            self.model.room = RoomState::default();
        }
        let place = format!("{} on {}", session.target.name, session.server.address);
        self.say(if back { format!("connected again to {place}") } else { format!("connected to {place}") });
        if let Some(note) = &session.environment_note {
            self.say(note.clone());
        }
        self.model.session = Some(session);
        self.due()
    }

    /// The connection is gone, or was refused: what is shown stays, as old.
    pub(super) fn lost(&mut self, failure: Failure) {
        let (since, attempts) = match &self.model.link {
            Link::Down { since, attempts, .. } => (*since, attempts + 1),
            Link::Opening | Link::Up => (self.model.now, 1),
        };
        let step = usize::try_from(attempts).unwrap_or(usize::MAX).saturating_sub(1);
        let pause = BACK_OFF.get(step).copied().unwrap_or(LONGEST_BACK_OFF);
        let retry_at = self.model.now + TimeDelta::seconds(pause);
        self.model.vitals_running = false;
        self.model.journal.reading = false;
        self.model.room.reading = false;
        let now = self.model.now;
        self.model.watches.iter_mut().filter(|w| w.running.is_some()).for_each(|w| w.cut_off(now, false));
        self.model.link = Link::Down { since, failure, attempts, retry_at };
    }

    pub(super) fn seen_vitals(&mut self, result: Result<Box<Vitals>, Box<Failure>>) -> Vec<Effect> {
        self.model.vitals_running = false;
        match result {
            Ok(vitals) => {
                self.model.vitals = Some((*vitals, self.model.now));
                vec![]
            }
            // Cancelled by ctrl-c: says nothing about the connection.
            Err(f) if f.cancelled => vec![],
            Err(f) => {
                if self.model.link == Link::Up {
                    self.lost(*f);
                }
                vec![]
            }
        }
    }

    pub(super) fn observed(&mut self, mut report: Report) -> Vec<Effect> {
        let now = self.model.now;
        let Some(watch) = self.model.watches.iter_mut().find(|w| w.id == report.id) else { return vec![] };
        let how = watch.asked_check.how.clone();
        let pause =
            (report.elapsed_ms * COST).max(u64::try_from(watch.every.as_millis()).unwrap_or(u64::MAX));
        watch.due = now + TimeDelta::milliseconds(i64::try_from(pause).unwrap_or(i64::MAX / 4));
        // A look that told nothing does not wipe out what the one before told.
        let told_nothing = report.status.why().filter(|_| report.findings.is_empty()).map(str::to_owned);
        let knew = watch.report.as_ref().is_some_and(|r| r.status.why().is_none() || !r.findings.is_empty());
        match told_nothing {
            Some(_) => watch.cut_off(now, false),
            None => watch.looked(now),
        }
        if let (Some(why), true) = (&told_nothing, knew) {
            watch.failure = Some(why.clone());
            self.tell_look(&how, &report);
        } else {
            watch.failure = None;
            watch.keep_self_test(&mut report);
            if told_nothing.is_none() {
                watch.trend.push(report.rows());
                let surplus = watch.trend.len().saturating_sub(TREND);
                watch.trend.drain(..surplus);
            }
            self.note_baseline(&report);
            self.tell_look(&how, &report);
            if let Some(watch) = self.model.watches.iter_mut().find(|w| w.id == report.id) {
                watch.take(report);
            }
        }
        self.follow_key();
        if self.model.link == Link::Up { self.due() } else { vec![] }
    }

    /// The first look is the measure; what a later look adds is new.
    fn note_baseline(&mut self, report: &Report) {
        let first = self.model.seen.insert(report.id.clone());
        for finding in report.findings.iter().filter(|f| f.severity > Severity::Info) {
            let rows = finding.rows.unwrap_or(1);
            let measure = if first { rows } else { 0 };
            self.model.baseline.entry(finding.id.clone()).or_insert((measure, self.model.now));
        }
    }

    /// After a refresh the cursor stays on its row, wherever that went.
    pub(super) fn follow_key(&mut self) {
        if screen::text_lines(&self.model).is_some() {
            return;
        }
        let list = screen::list_of(&self.model);
        if let Some(level) = self.level_mut() {
            level.state.cursor = list.position(&level.state);
        }
    }

    /// Only what the dead task was doing has failed.
    pub(super) fn panicked(&mut self, text: &str, key: Key) -> Vec<Effect> {
        let failure = Failure {
            message: format!("a part of the console failed: {text}"),
            hint: Some("this is a defect of midwatch: the log (o) says where".into()),
            cancelled: false,
            fatal: false,
        };
        match key {
            Key::Connect => self.lost(failure.clone()),
            Key::Vitals => self.model.vitals_running = false,
            Key::Check(id) => {
                let now = self.model.now;
                if let Some(watch) = self.model.watches.iter_mut().find(|w| w.id == id) {
                    watch.cut_off(now, false);
                    watch.due = now + TimeDelta::from_std(watch.every).unwrap_or(TimeDelta::minutes(1));
                    watch.failure = Some(failure.message.clone());
                }
            }
            Key::Rows(slot) => {
                self.page(slot, None, Err(Box::new(failure.clone())));
                self.run_detail(slot, Err(Box::new(failure.clone())));
                if let Some(view) = self.model.plans.get_mut(&slot) {
                    view.reading = None;
                    view.failure = Some(failure.clone());
                }
            }
            Key::Plan(slot) => drop(self.planned(slot, Err(Box::new(failure.clone())))),
            Key::Runs => drop(self.seen_runs(Err(Box::new(failure.clone())))),
            Key::Room => {
                let name = self.model.room.name.clone();
                self.seen_room(&name, Err(Box::new(failure.clone())));
            }
            Key::Run => return self.run_lost(failure),
            Key::Export => self.model.exporting = false,
            Key::Once => {}
        }
        self.complain(failure.message);
        vec![]
    }

    /// Looks again at a check now.
    pub(super) fn refresh(&mut self, ids: &[CheckId]) -> Vec<Effect> {
        let now = self.model.now;
        for watch in self.model.watches.iter_mut().filter(|w| ids.contains(&w.id)) {
            watch.due = now;
            // Asked for, it begins anew though one that was cut off is kept.
            if watch.asked_check.cut.is_some() && watch.running.is_none() && watch.asked_check.asked.is_none()
            {
                watch.asked_check.asked = Some(Params::default());
            }
        }
        if self.model.link != Link::Up {
            return vec![];
        }
        let paused = std::mem::replace(&mut self.model.paused, false);
        let effects = self.due();
        self.model.paused = paused;
        effects
    }
}
