//! What can be done here, what not and why; and the way from there to a plan.

use crate::engine::model::param::Params;
use crate::engine::plan::operation::Offer;
use crate::engine::plan::request::Request;
use crate::tui::app::App;
use crate::tui::model::offers::{ActionTarget, ParameterForm};
use crate::tui::model::overlay::{Kind, Overlay};
use crate::tui::msg::Effect;
use crate::tui::screen;
use std::collections::BTreeMap;
use tui_input::Input;

impl App {
    /// `d`: the plan of the one operation that mends this, or the choice among several.
    pub(super) fn dry_run(&mut self) -> Vec<Effect> {
        let list = screen::list_of(&self.model);
        let mending: Vec<Offer> = screen::mending(&self.model, &list).into_iter().cloned().collect();
        if let Ok([one]) = <[Offer; 1]>::try_from(mending) {
            return self.plan_offer(one);
        }
        self.model.overlay = Some(Overlay::new(Kind::Actions));
        vec![]
    }

    /// Enter in the action list. A disabled line says why, and the list stays.
    pub(super) fn choose(&mut self, cursor: usize) -> Vec<Effect> {
        let Some(choice) = screen::choices(&self.model).into_iter().nth(cursor) else { return vec![] };
        if let Some(why) = choice.disabled {
            self.refuse(format!("{} {}: {why}", choice.verb, choice.name), None);
            let mut overlay = Overlay::new(Kind::Actions);
            overlay.cursor = cursor;
            self.model.overlay = Some(overlay);
            return vec![];
        }
        match choice.target {
            ActionTarget::Plan(offer) => self.plan_offer(*offer),
            ActionTarget::Undo(_) => self.undo(),
            ActionTarget::Resume(id) => {
                self.model.overlay = Some(Overlay::new(Kind::Resume(id)));
                vec![]
            }
        }
    }

    /// Plans an offer for what is under the cursor; what it must know is asked for first.
    pub(super) fn plan_offer(&mut self, offer: Offer) -> Vec<Effect> {
        let list = screen::list_of(&self.model);
        let mut params = BTreeMap::new();
        // Only what it mends can be narrowed down by what is shown.
        if offer.mends.is_some() && offer.mends == self.model.check_in(&list) {
            if let Some(finding) = self.model.finding_in(&list) {
                params.insert("finding".to_owned(), finding);
            }
            match self.model.marked_ids(&offer) {
                Ok(Some(ids)) => drop(params.insert("ids".to_owned(), ids)),
                Ok(None) => {}
                Err(why) => {
                    self.refuse(format!("{} {}: {why}", offer.verb, offer.name), None);
                    return vec![];
                }
            }
        }
        let ask = ParameterForm::new(offer, params);
        match ask.fields.first() {
            None => self.plan_asked(&ask),
            Some(first) => {
                let input = Input::new(first.answer.clone());
                self.model.overlay = Some(Overlay { input, ..Overlay::new(Kind::Ask(ask)) });
                vec![]
            }
        }
    }

    pub(super) fn plan_asked(&mut self, ask: &ParameterForm) -> Vec<Effect> {
        let mut params = ask.params.clone();
        params.extend(ask.fields.iter().map(|f| (f.key.to_owned(), f.answer.clone())));
        let (verb, name) = (ask.offer.verb.to_owned(), ask.offer.name.clone());
        let title = format!("{verb} {name}");
        self.open_plan(Request::Operation { verb, name: Some(name), params: Params(params) }, title)
    }

    /// Keys of the question dialog that are not text: Enter and the arrows.
    pub(super) fn ask_move(&mut self, by: isize) {
        let Some(overlay) = &mut self.model.overlay else { return };
        let Kind::Ask(ask) = &mut overlay.kind else { return };
        let last = ask.fields.len().saturating_sub(1);
        if let Some(field) = ask.fields.get_mut(overlay.cursor) {
            overlay.input.value().trim().clone_into(&mut field.answer);
        }
        overlay.cursor = overlay.cursor.saturating_add_signed(by).min(last);
        overlay.input =
            Input::new(ask.fields.get(overlay.cursor).map(|f| f.answer.clone()).unwrap_or_default());
    }

    /// Enter in the question dialog: the next question, or, when all are answered, the plan.
    pub(super) fn ask_enter(&mut self) -> Vec<Effect> {
        self.ask_move(0);
        let Some(overlay) = &self.model.overlay else { return vec![] };
        let Kind::Ask(ask) = &overlay.kind else { return vec![] };
        let (at, last) = (overlay.cursor, ask.fields.len().saturating_sub(1));
        let open = ask.fields.iter().position(|f| f.answer.is_empty());
        if let Some(field) = ask.fields.get(at).filter(|f| f.answer.is_empty()) {
            let missing = format!("must be given: {}", field.question);
            self.complain(missing);
            return vec![];
        }
        if at < last {
            self.ask_move(1);
            return vec![];
        }
        if let Some(open) = open {
            self.ask_move(isize::try_from(open).unwrap_or(0) - isize::try_from(at).unwrap_or(0));
            return vec![];
        }
        let ask = ask.clone();
        self.model.overlay = None;
        self.plan_asked(&ask)
    }
}
