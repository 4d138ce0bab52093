//! Looks that somebody asks for: everything read again, one that was cut off gone on with, differences planted.

use chrono::{DateTime, TimeDelta, Utc};

use super::{App, Link, OurRun, View, Watch, parity_facts};
use crate::engine::check::kind::{CheckNews, How};
use crate::engine::model::report::{CheckId, Finding, Report, Status};
use crate::tui::format::counted;
use crate::tui::keymap::Action;
use crate::tui::list::List;
use crate::tui::msg::Effect;

/// The finding of a self-test that did not find what was planted.
const UNTRUSTED: &str = "self_test";
/// A look that was cut off waits so many times as long as it took.
const COST: i32 = 20;

/// What is known of the looks of a check, besides their reports.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Look {
    /// Asked for at the keys, and not begun yet.
    pub asked: Option<How>,
    /// How the one under way looks, or the last one did.
    pub how: How,
    /// How far the one under way is.
    pub news: Option<CheckNews>,
    /// Rows a second that it reads.
    pub rate: Option<u64>,
    /// One that was cut off, and can be gone on with.
    pub cut: Option<Cut>,
    /// When planted differences were last looked for.
    pub tested: Option<DateTime<Utc>>,
}

/// A comparison that was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// When; `None`: before this console was started.
    pub at: Option<DateTime<Utc>>,
    /// Pieces read, and pieces in all, where that is known.
    pub done: Option<(u64, u64)>,
    /// Somebody wanted it to end: a look by itself would begin anew and lose what is kept, so there is none.
    pub held: bool,
}

/// What a way of looking is called.
pub fn look_word(how: How) -> &'static str {
    match how {
        How { self_test: true, .. } => "self-test",
        How { resume: true, .. } => "resumed comparison",
        How { full: true, .. } => "full comparison",
        _ => "comparison",
    }
}

fn how_of(action: Action) -> How {
    match action {
        Action::SelfTest => How { self_test: true, ..How::default() },
        Action::GoOn => How { resume: true, ..How::default() },
        _ => How { full: true, ..How::default() },
    }
}

impl Watch {
    /// One that is not looked at yet.
    pub(super) fn new(id: CheckId, every: std::time::Duration, due: DateTime<Utc>) -> Self {
        Self {
            id,
            every,
            report: None,
            running: None,
            due,
            failure: None,
            trend: Vec::new(),
            look: Look::default(),
        }
    }

    /// A self-test that did not find what was planted: what is compared tells nothing.
    pub fn untrusted(&self) -> Option<&Finding> {
        self.report.as_ref()?.findings.iter().find(|f| f.what() == UNTRUSTED)
    }

    pub(super) fn begin(&mut self, now: DateTime<Utc>) -> Effect {
        self.running = Some(now);
        self.look.how = self.look.asked.take().unwrap_or_default();
        (self.look.news, self.look.rate) = (None, None);
        Effect::Observe(self.id.clone(), self.look.how)
    }

    fn is_asked(&self) -> bool {
        self.running.is_some() && self.look.how != How::default()
    }

    /// One that its own key ends: others are over soon, or end with all that runs on the server.
    fn is_worth_ending(&self) -> bool {
        let in_pieces = self.look.news.as_ref().is_some_and(|n| n.pieces > 1);
        self.is_asked() || self.running.is_some() && in_pieces
    }

    /// Is it looked at now, by itself unless `paused`?
    pub(super) fn is_due(&self, now: DateTime<Utc>, paused: bool) -> bool {
        let held = self.look.cut.as_ref().is_some_and(|c| c.held);
        self.running.is_none() && (self.look.asked.is_some() || self.due <= now && !paused && !held)
    }

    /// It ended before its report: pieces that were read are kept.
    pub(super) fn cut_off(&mut self, now: DateTime<Utc>, held: bool) {
        self.running = None;
        let news = self.look.news.take();
        if let Some(done) = news.map(|n| (n.done, n.pieces)).filter(|(done, all)| *done > 0 && done < all) {
            self.look.cut = Some(Cut { at: Some(now), done: Some(done), held });
        }
    }

    /// It told something: nothing is left to go on with.
    pub(super) fn looked(&mut self, now: DateTime<Utc>) {
        self.running = None;
        (self.look.news, self.look.cut) = (None, None);
        if self.look.how.self_test {
            self.look.tested = Some(now);
        }
    }

    /// A comparison that was found blind stays untrusted until a self-test finds everything.
    pub(super) fn keep_self_test(&self, new: &mut Report) {
        let test = |r: &Report| r.facts.get("self_test").filter(|t| t.is_object()).cloned();
        let (Some(old), None) = (self.report.as_ref(), test(new)) else { return };
        if let (Some(test), Some(facts)) = (test(old), new.facts.as_object_mut()) {
            facts.insert("self_test".into(), test);
        }
        if let Some(finding) = self.untrusted().filter(|_| new.status.why().is_none()) {
            new.summary.clone_from(&finding.message);
            new.status = Status::Fail;
            new.findings.insert(0, finding.clone());
        }
    }
}

impl App {
    /// The marked twins, or the one under the cursor.
    pub(super) fn twins_chosen(&self, list: &List) -> Vec<CheckId> {
        let marks = &self.level().state.marks;
        let at_pane = matches!(self.level().view, View::Pane) && !marks.is_empty();
        if !at_pane {
            return self.check_in(list).into_iter().filter(|id| id.kind == "parity").collect();
        }
        self.of_kind("parity")
            .map(|w| w.id.clone())
            .filter(|id| marks.contains_key(&id.to_string()))
            .collect()
    }

    /// Why a look is not asked for.
    pub(super) fn why_not_look(&self, action: Action, list: &List) -> Option<String> {
        if self.link != Link::Up {
            return Some("there is no connection".into());
        }
        if self.run_going().is_some_and(OurRun::is_switch) {
            return Some("our switch is going on: a comparison would hold the tables it waits for".into());
        }
        let ids = self.twins_chosen(list);
        let mut reasons = ids.iter().map(|id| self.why_not_one(action, id));
        match reasons.next() {
            None => Some("there is no twin under the cursor".into()),
            Some(first) => first.filter(|_| reasons.all(|why| why.is_some())),
        }
    }

    fn why_not_one(&self, action: Action, id: &CheckId) -> Option<String> {
        let watch = self.watch(id)?;
        if watch.is_asked() {
            return Some(format!("its {} is going on: ctrl-c cancels it", look_word(watch.look.how)));
        }
        if let Some(how) = watch.look.asked {
            return Some(format!("its {} is asked for already", look_word(how)));
        }
        let facts = watch.report.as_ref().and_then(parity_facts);
        if facts.as_ref().is_some_and(|f| f.legacy_rows.is_none()) {
            return Some("there is no legacy table to compare it with".into());
        }
        match action {
            Action::GoOn if watch.look.cut.is_none() => Some("no comparison of it was cut off".into()),
            Action::Full if facts.is_some_and(|f| f.unsealed.is_some()) => {
                Some("nothing of it is sealed: r reads all of it".into())
            }
            _ => None,
        }
    }

    /// Asks for looks; they begin as soon as there is a session for them.
    pub(super) fn ask_look(&mut self, action: Action) -> Vec<Effect> {
        let ids = self.twins_chosen(&self.list());
        let ids: Vec<CheckId> = ids.into_iter().filter(|id| self.why_not_one(action, id).is_none()).collect();
        for watch in self.watches.iter_mut().filter(|w| ids.contains(&w.id)) {
            watch.look.asked = Some(how_of(action));
        }
        let of = match ids.as_slice() {
            [one] => one.name.clone(),
            several => counted(several.len() as u64, "twin"),
        };
        self.say(format!("{} of {of}; ctrl-c cancels it", look_word(how_of(action))));
        self.due()
    }

    pub(super) fn check_news(&mut self, id: &CheckId, news: CheckNews) {
        let now = self.now;
        let Some(watch) = self.watches.iter_mut().find(|w| &w.id == id) else { return };
        let Some(since) = watch.running else { return };
        let took = u64::try_from((now - since).num_milliseconds()).unwrap_or(0);
        if news.rows > 0 && took > 0 {
            watch.look.rate = Some(news.rows.saturating_mul(1_000) / took);
        }
        watch.look.news = Some(news);
    }

    /// Looks that were asked for end, and those in several pieces; one in a copy would not hear of it from the target's server.
    /// `None`: there were none.
    pub(super) fn cancel_looks(&mut self) -> Option<Vec<Effect>> {
        let now = self.now;
        let (mut effects, mut words) = (Vec::new(), Vec::new());
        for watch in &mut self.watches {
            if let Some(how) = watch.look.asked.take() {
                words.push(format!("{} of {}", look_word(how), watch.id.name));
            } else if watch.is_worth_ending() {
                let took = watch.running.map_or_else(TimeDelta::zero, |since| now - since);
                words.push(format!("{} of {}", look_word(watch.look.how), watch.id.name));
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
    pub(super) fn tell_look(&mut self, how: How, report: &Report) {
        if how == How::default() {
            return;
        }
        let text = format!("{} of {}: {}", look_word(how), report.id.name, first_line(report));
        if report.status == Status::Ok { self.say(text) } else { self.complain(text) }
    }
}

fn first_line(report: &Report) -> &str {
    report.status.why().unwrap_or(&report.summary).lines().next().unwrap_or_default()
}
