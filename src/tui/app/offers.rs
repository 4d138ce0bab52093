//! What can be done here, what not and why; and the way from there to a plan.

use std::collections::BTreeMap;

use tui_input::Input;

use super::overlay::Kind;
use super::{App, Link, Overlay, View};
use crate::engine::plan::operation::{Offer, Params};
use crate::engine::plan::request::Request;
use crate::tui::backend::Journal;
use crate::tui::keymap::Scene;
use crate::tui::list::{Goto, List};
use crate::tui::msg::Effect;

/// A line of the action list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What it leads to.
    pub deed: Deed,
    /// The verb.
    pub verb: String,
    /// On what.
    pub name: String,
    /// What it would do.
    pub about: String,
    /// What a mistake would cost.
    pub risk: &'static str,
    /// The strongest lock it takes.
    pub locks: String,
    /// Why not.
    pub disabled: Option<String>,
    /// It is about what is under the cursor.
    pub here: bool,
}

/// What a line of the action list leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// A plan of an operation.
    Plan(Box<Offer>),
    /// A plan of the way back of a run.
    Undo(String),
    /// The question whether to go on with a run.
    Resume(String),
}

/// What must be known before planning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// What will be planned.
    pub offer: Box<Offer>,
    /// What is known already.
    pub params: BTreeMap<String, String>,
    /// What is asked.
    pub fields: Vec<Field>,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The parameter.
    pub key: &'static str,
    /// For people.
    pub question: String,
    /// The answer so far.
    pub answer: String,
}

impl Ask {
    fn new(offer: Offer, params: BTreeMap<String, String>) -> Self {
        let fields = offer.asks.iter().map(|(key, question)| {
            // `to whom? [nobody]`: what stands in brackets at the end is the answer unless another is given.
            let preset =
                question.strip_suffix(']').and_then(|q| q.rsplit_once('[')).map(|(_, d)| d.to_owned());
            Field { key, question: question.clone(), answer: preset.unwrap_or_default() }
        });
        let fields = fields.collect();
        Self { offer: Box::new(offer), params, fields }
    }
}

impl App {
    /// The finding under the cursor, where it narrows the check down.
    fn finding_in(&self, list: &List) -> Option<String> {
        let row = || list.rows.get(self.level().state.cursor);
        let finding = match &self.level().view {
            View::Rows(rows) => Some(rows.finding.clone()),
            View::Pane => match &row()?.goto {
                Goto::Rows { finding, .. } => Some(finding.clone()),
                Goto::Pane { id, row: Some(row) } if id.kind == "queue" => {
                    row.strip_prefix(&format!("{id}/")).filter(|f| *f != "unknown").map(str::to_owned)
                }
                _ => None,
            },
            _ => None,
        };
        // A rule has one finding: its rows.
        finding.filter(|f| f != "rows")
    }

    /// The operations that would mend what is under the cursor.
    fn mending(&self, list: &List) -> Vec<&Offer> {
        let offers = || self.session.iter().flat_map(|s| &s.operations);
        if self.scene() == Scene::Runs {
            let missing = self.journal.seen == Some(Journal::Missing);
            return offers().filter(|o| missing && o.verb == "init").collect();
        }
        let here = self.check_in(list);
        offers().filter(|o| here.is_some() && o.mends == here).collect()
    }

    /// Why nothing can be planned here; several operations open the list, where each has its own reason.
    pub(super) fn why_not_plan(&self, list: &List) -> Option<String> {
        match self.mending(list).as_slice() {
            [] if self.session.is_none() => Some("no target is open".into()),
            [] => Some("no operation mends this; a lists what there is".into()),
            [one] => self.why_not_offer(one),
            _ => None,
        }
    }

    fn why_not_offer(&self, offer: &Offer) -> Option<String> {
        if let Some(why) = &offer.disabled {
            return Some(why.clone());
        }
        if self.link != Link::Up {
            return Some("there is no connection".into());
        }
        let twin = offer.mends.as_ref().is_none_or(|id| id.kind == "parity");
        twin.then(|| self.why_not_stands(offer.verb, &offer.name)).flatten()
    }

    /// `d`: the plan of the one operation that mends this, or the choice among several.
    pub(super) fn dry_run(&mut self) -> Vec<Effect> {
        let list = self.list();
        let mending: Vec<Offer> = self.mending(&list).into_iter().cloned().collect();
        if let Ok([one]) = <[Offer; 1]>::try_from(mending) {
            return self.plan_offer(one);
        }
        self.overlay = Some(Overlay::of(Kind::Actions));
        vec![]
    }

    /// Lines of the action list: about the run under the cursor, about its check, the rest.
    pub fn choices(&self) -> Vec<Choice> {
        let list = self.list();
        let here = self.check_in(&list);
        let missing = self.scene() == Scene::Runs && self.journal.seen == Some(Journal::Missing);
        let mut out: Vec<Choice> = self.run_choices();
        // The set of the room as a whole, before its twins one by one.
        let set = ["switchover", "rollback"].into_iter().filter_map(|verb| self.room_offer(verb));
        let set: Vec<Offer> = set.collect();
        let whole = |o: &Offer| set.contains(o);
        let offers = set.iter().chain(self.session.iter().flat_map(|s| &s.operations)).map(|o| Choice {
            deed: Deed::Plan(Box::new(o.clone())),
            verb: o.verb.to_owned(),
            name: o.name.clone(),
            about: o.about.clone(),
            risk: o.risk.word(),
            locks: o.locks.clone(),
            disabled: self.why_not_offer(o),
            here: whole(o) || here.is_some() && o.mends == here || missing && o.verb == "init",
        });
        out.extend(offers);
        out.sort_by_key(|c| !c.here);
        out
    }

    fn run_choices(&self) -> Vec<Choice> {
        let at_runs = matches!(self.scene(), Scene::Runs | Scene::Run | Scene::Room);
        let here = self.record_here().or_else(|| self.broken_off_here().map(|r| &r.record));
        let Some(run) = here.filter(|_| at_runs) else { return vec![] };
        let choice = |deed, verb: &str, about: String, disabled| Choice {
            deed,
            verb: verb.into(),
            name: format!("run {}", run.id),
            about,
            risk: "",
            locks: String::new(),
            disabled,
            here: true,
        };
        let rest = run.rows.saturating_sub(super::journal::done(run));
        let resume =
            format!("go on with the {rest} {} that are left of it, after a question", run.unit.of(rest));
        vec![
            choice(Deed::Resume(run.id.clone()), "resume", resume, self.why_not_resume(run)),
            choice(Deed::Undo(run.id.clone()), "undo", run.undo.clone(), self.why_not_undo(Some(run))),
        ]
    }

    /// Enter in the action list. A disabled line says why, and the list stays.
    pub(super) fn choose(&mut self, cursor: usize) -> Vec<Effect> {
        let Some(choice) = self.choices().into_iter().nth(cursor) else { return vec![] };
        if let Some(why) = choice.disabled {
            self.refuse(format!("{} {}: {why}", choice.verb, choice.name), None);
            let mut overlay = Overlay::of(Kind::Actions);
            overlay.cursor = cursor;
            self.overlay = Some(overlay);
            return vec![];
        }
        match choice.deed {
            Deed::Plan(offer) => self.plan_offer(*offer),
            Deed::Undo(_) => self.undo(),
            Deed::Resume(id) => {
                self.overlay = Some(Overlay::of(Kind::Resume(id)));
                vec![]
            }
        }
    }

    /// Plans an offer for what is under the cursor; what it must know is asked for first.
    pub(super) fn plan_offer(&mut self, offer: Offer) -> Vec<Effect> {
        let list = self.list();
        let mut params = BTreeMap::new();
        // Only what it mends can be narrowed down by what is shown.
        if offer.mends.is_some() && offer.mends == self.check_in(&list) {
            if let Some(finding) = self.finding_in(&list) {
                params.insert("finding".to_owned(), finding);
            }
            match self.marked_ids(&offer) {
                Ok(Some(ids)) => drop(params.insert("ids".to_owned(), ids)),
                Ok(None) => {}
                Err(why) => {
                    self.refuse(format!("{} {}: {why}", offer.verb, offer.name), None);
                    return vec![];
                }
            }
        }
        let ask = Ask::new(offer, params);
        match ask.fields.first() {
            None => self.plan_asked(&ask),
            Some(first) => {
                let input = Input::new(first.answer.clone());
                self.overlay = Some(Overlay { input, ..Overlay::of(Kind::Ask(ask)) });
                vec![]
            }
        }
    }

    pub(super) fn plan_asked(&mut self, ask: &Ask) -> Vec<Effect> {
        let mut params = ask.params.clone();
        params.extend(ask.fields.iter().map(|f| (f.key.to_owned(), f.answer.clone())));
        let (verb, name) = (ask.offer.verb.to_owned(), ask.offer.name.clone());
        let title = format!("{verb} {name}");
        self.open_plan(Request::Operation { verb, name: Some(name), params: Params(params) }, title)
    }

    /// Keys of the marked rows, for operations that take single rows.
    fn marked_ids(&self, offer: &Offer) -> Result<Option<String>, String> {
        let level = self.level();
        let View::Rows(rows) = &level.view else { return Ok(None) };
        if level.state.marks.is_empty() {
            return Ok(None);
        }
        if !offer.takes_rows {
            return Err("it takes no single rows; Esc clears the marks, then it plans them all".into());
        }
        let key = rows.source.as_ref().map(|s| s.key.as_slice()).unwrap_or_default();
        let [name] = key else {
            return Err("rows with a key of several columns cannot be chosen one by one".into());
        };
        let at = rows.columns.iter().position(|c| &c.name == name);
        let value = |cells: &Vec<Option<String>>| at.and_then(|i| cells.get(i).cloned().flatten());
        let ids: Option<Vec<String>> = level.state.marks.values().map(value).collect();
        let ids = ids.ok_or_else(|| format!("the key column {name} is not among the columns shown"))?;
        if ids.iter().any(|id| id.contains(',')) {
            return Err("a key with a comma cannot be chosen by itself".into());
        }
        Ok(Some(ids.join(",")))
    }

    /// Keys of the question dialog that are not text: Enter and the arrows.
    pub(super) fn ask_move(&mut self, by: isize) {
        let Some(overlay) = &mut self.overlay else { return };
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
        let Some(overlay) = &self.overlay else { return vec![] };
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
        self.overlay = None;
        self.plan_asked(&ask)
    }
}
