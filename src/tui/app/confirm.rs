//! The typed phrase. Nothing else applies a plan: not Enter, not y, not a paste, not another plan's phrase.

use chrono::{DateTime, Utc};
use crossterm::event::{Event, KeyEvent};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler as _;

use super::App;
use super::plan::{PlanView, Stage};
use crate::engine::gate::guard::Ladder;
use crate::engine::model::phrase::differs;
use crate::tui::backend::Typed;
use crate::tui::keymap::{self, DialogAction};
use crate::tui::msg::Effect;

/// The open line.
#[derive(Debug, Clone, Default)]
pub struct Confirm {
    /// The phrase.
    pub phrase: Input,
    /// The database's name, where that is asked for.
    pub database: Input,
    /// The phrase is right; the name is being typed.
    pub at_database: bool,
    /// Why the last Enter did nothing.
    pub said: Option<String>,
}

impl App {
    /// Why the plan's phrase is not asked for.
    pub fn why_not_confirm(&self, view: &PlanView) -> Option<String> {
        let Stage::Ready(reviewed) = &view.stage else { return None };
        if let Err(why) = &reviewed.gate {
            return Some(why.message.clone());
        }
        self.run_going().map(|run| format!("a run is going on ({}): one at a time", run.title)).or_else(
            || {
                expired(reviewed.plan.expires_at, self.server_now())
                    .then(|| "it has expired: r plans again".to_owned())
            },
        )
    }

    pub(super) fn open_confirm(&mut self) {
        if let Some(view) = self.plan_here_mut() {
            view.confirm = Some(Confirm::default());
        }
    }

    /// Is the line for the phrase open?
    pub fn typing_phrase(&self) -> bool {
        self.plan_here().is_some_and(|v| v.confirm.is_some())
    }

    pub(super) fn confirm_key(&mut self, key: KeyEvent) -> Vec<Effect> {
        match keymap::dialog(&keymap::name(key), true) {
            Some(DialogAction::Close) => {
                if let Some(view) = self.plan_here_mut() {
                    view.confirm = None;
                }
                vec![]
            }
            Some(DialogAction::Choose) => self.confirm_enter(),
            Some(_) => vec![],
            None => {
                if let Some(line) = self.plan_here_mut().and_then(|v| v.confirm.as_mut()) {
                    let input = if line.at_database { &mut line.database } else { &mut line.phrase };
                    input.handle_event(&Event::Key(key));
                    line.said = None;
                }
                vec![]
            }
        }
    }

    pub(super) fn refuse_paste(&mut self) {
        const WHY: &str = "pasted text is not taken here: the phrase is typed";
        if let Some(line) = self.plan_here_mut().and_then(|v| v.confirm.as_mut()) {
            line.said = Some(WHY.into());
        }
        self.complain(WHY);
    }

    /// The right words, or nothing happens.
    fn confirm_enter(&mut self) -> Vec<Effect> {
        let (now, server_now) = (self.now, self.server_now());
        let Some(view) = self.plan_here() else { return vec![] };
        let (Stage::Ready(reviewed), Some(line)) = (&view.stage, &view.confirm) else { return vec![] };
        let Ok(ladder) = &reviewed.gate else { return vec![] };
        let plan = &reviewed.plan;
        let why = self.why_not_confirm(view).or_else(|| {
            let typed = line.phrase.value();
            (typed != plan.phrase)
                .then(|| differs(&plan.phrase, typed))
                .or_else(|| too_early(ladder, server_now))
        });
        let asks_more = ladder.database.as_deref().filter(|_| why.is_none());
        let name_differs = asks_more.filter(|name| line.at_database && *name != line.database.value());
        let why = why.or_else(|| {
            let text = name_differs.map(|n| differs(n, line.database.value()));
            text.map(|t| t.replacen("the phrase", "the database's name", 1))
        });
        let next = asks_more.is_some() && !line.at_database;
        if why.is_some() || next {
            if let Some(line) = self.plan_here_mut().and_then(|v| v.confirm.as_mut()) {
                line.at_database = next || line.at_database;
                line.said = why;
            }
            return vec![];
        }
        let typed = Typed {
            phrase: line.phrase.value().to_owned(),
            database: ladder.database.as_ref().map(|_| line.database.value().to_owned()),
        };
        let effect = Effect::Apply { plan: plan.id.clone(), typed };
        self.begin_run(now);
        vec![effect]
    }
}

/// By the server's clock.
pub fn expired(at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now >= at
}

fn too_early(ladder: &Ladder, now: DateTime<Utc>) -> Option<String> {
    let wait = wait(ladder, now)?;
    Some(format!("read it first: it can be confirmed in {wait} s"))
}

/// Seconds until it can be confirmed.
pub fn wait(ladder: &Ladder, now: DateTime<Utc>) -> Option<i64> {
    let left = (ladder.opens_at? - now).num_milliseconds();
    (left > 0).then_some((left + 999) / 1000)
}
