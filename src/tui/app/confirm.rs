//! The typed phrase. Nothing else applies a plan: not Enter, not y, not a paste, not another plan's phrase.

use crate::engine::model::phrase::differs;
use crate::tui::app::App;
use crate::tui::data::TypedConfirmation;
use crate::tui::keymap::{self, DialogAction};
use crate::tui::model::confirm::Confirm;
use crate::tui::model::plan::{Stage, too_early};
use crate::tui::msg::{Effect, Keystroke};

impl App {
    pub(super) fn open_confirm(&mut self) {
        if let Some(view) = self.plan_here_mut() {
            view.confirm = Some(Confirm::default());
        }
    }

    pub(super) fn confirm_key(&mut self, stroke: Keystroke) -> Vec<Effect> {
        match keymap::dialog(&keymap::name(stroke.key), true) {
            Some(DialogAction::Close) => {
                if let Some(view) = self.plan_here_mut() {
                    view.confirm = None;
                }
                vec![]
            }
            Some(DialogAction::Choose) => self.confirm_enter(stroke),
            Some(_) => vec![],
            None => {
                if let Some(line) = self.plan_here_mut().and_then(|v| v.confirm.as_mut()) {
                    let input = if line.at_database { &mut line.database } else { &mut line.phrase };
                    input.key(stroke);
                    line.said = None;
                }
                vec![]
            }
        }
    }

    pub(super) fn refuse_paste(&mut self) {
        const WHY: &str = "pasted text is not taken here: the phrase is typed";
        if let Some(line) = self.plan_here_mut().and_then(|v| v.confirm.as_mut()) {
            line.phrase.clear();
            line.database.clear();
            line.at_database = false;
            line.said = Some(WHY.into());
        }
        self.complain(WHY);
    }

    /// Why Enter does not count: the words were pasted, or it came with other keys.
    fn not_typed(&mut self, stroke: Keystroke) -> Option<&'static str> {
        let mode = self.model.input_mode;
        let view = self.plan_here_mut()?;
        let Stage::Ready(reviewed) = &view.stage else { return None };
        let name = reviewed.gate.as_ref().ok().and_then(|ladder| ladder.database.as_deref());
        let line = view.confirm.as_mut()?;
        let (typed, wanted) = match name {
            Some(name) if line.at_database => (&mut line.database, name),
            _ => (&mut line.phrase, reviewed.plan.phrase.as_str()),
        };
        typed.enter(stroke, mode, wanted).why_not()
    }

    /// The right words, or nothing happens.
    fn confirm_enter(&mut self, stroke: Keystroke) -> Vec<Effect> {
        if let Some(why) = self.not_typed(stroke) {
            if let Some(line) = self.plan_here_mut().and_then(|v| v.confirm.as_mut()) {
                line.said = Some(why.into());
            }
            return vec![];
        }
        let (now, server_now) = (self.model.now, self.model.server_now());
        let Some(view) = self.model.plan_here() else { return vec![] };
        let (Stage::Ready(reviewed), Some(line)) = (&view.stage, &view.confirm) else { return vec![] };
        let Ok(ladder) = &reviewed.gate else { return vec![] };
        let plan = &reviewed.plan;
        let why = self.model.why_not_confirm(view).or_else(|| {
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
        let typed = TypedConfirmation {
            phrase: line.phrase.value().to_owned(),
            database: ladder.database.as_ref().map(|_| line.database.value().to_owned()),
        };
        let effect = Effect::Apply { plan: plan.id.clone(), typed };
        self.begin_run(now);
        vec![effect]
    }
}
