//! Looks that somebody asks for: everything read again, one that was cut off gone on with, differences planted.

use crate::engine::check::kind::CheckProgress;
use crate::engine::model::param::Params;
use crate::engine::model::report::{CheckId, Report, Status};
use crate::features::parity::options::AskedComparison;
use crate::tui::app::App;
use crate::tui::format::counted;
use crate::tui::keymap::KeyAction;
use crate::tui::model::asked_check::look_word;
use crate::tui::msg::Effect;
use crate::tui::screen;
use chrono::TimeDelta;

/// A look that was cut off waits so many times as long as it took.
const COST: i32 = 20;

impl App {
    /// Asks for looks; they begin as soon as there is a session for them.
    pub(super) fn ask_look(&mut self, action: KeyAction) -> Vec<Effect> {
        let ids = self.model.twins_chosen(&screen::list_of(&self.model));
        let ids: Vec<CheckId> =
            ids.into_iter().filter(|id| self.model.why_not_one(action, id).is_none()).collect();
        for watch in self.model.watches.iter_mut().filter(|w| ids.contains(&w.id)) {
            watch.asked_check.asked = Some(how_of(action));
        }
        let of = match ids.as_slice() {
            [one] => one.name.clone(),
            several => counted(several.len() as u64, "twin"),
        };
        self.say(format!("{} of {of}; ctrl-c cancels it", look_word(&how_of(action))));
        self.due()
    }

    pub(super) fn check_news(&mut self, id: &CheckId, news: CheckProgress) {
        let now = self.model.now;
        let Some(watch) = self.model.watches.iter_mut().find(|w| &w.id == id) else { return };
        let Some(since) = watch.running else { return };
        let took = u64::try_from((now - since).num_milliseconds()).unwrap_or(0);
        if news.rows > 0 && took > 0 {
            watch.asked_check.rate = Some(news.rows.saturating_mul(1_000) / took);
        }
        watch.asked_check.news = Some(news);
    }

    /// Looks that were asked for end, and those in several pieces; one in a copy would not hear of it from the target's server.
    /// `None`: there were none.
    pub(super) fn cancel_looks(&mut self) -> Option<Vec<Effect>> {
        let now = self.model.now;
        let (mut effects, mut words) = (Vec::new(), Vec::new());
        for watch in &mut self.model.watches {
            if let Some(how) = watch.asked_check.asked.take() {
                words.push(format!("{} of {}", look_word(&how), watch.id.name));
            } else if watch.is_worth_ending() {
                let took = watch.running.map_or_else(TimeDelta::zero, |since| now - since);
                words.push(format!("{} of {}", look_word(&watch.asked_check.how), watch.id.name));
                watch.cut_off(now, true);
                watch.due = now + (took * COST).max(TimeDelta::from_std(watch.every).unwrap_or_default());
                effects.push(Effect::CancelLook(watch.id.clone()));
            }
        }
        if words.is_empty() {
            return None;
        }
        self.say(format!("cancelled: {}; what was known before stands", words.join(", ")));
        Some(effects)
    }

    /// What a look that somebody asked for has told.
    pub(super) fn tell_look(&mut self, how: &Params, report: &Report) {
        if *how == Params::default() {
            return;
        }
        let text = format!("{} of {}: {}", look_word(how), report.id.name, first_line(report));
        if report.status == Status::Ok { self.say(text) } else { self.complain(text) }
    }
}

fn how_of(action: KeyAction) -> Params {
    let asked = match action {
        KeyAction::SelfTest => AskedComparison::SelfTest,
        KeyAction::GoOn => AskedComparison::Resumed,
        _ => AskedComparison::Full,
    };
    Params::yes(asked.param())
}

fn first_line(report: &Report) -> String {
    let text = report.status.why().map_or_else(|| report.one_line(), str::to_owned);
    text.lines().next().unwrap_or_default().to_owned()
}
