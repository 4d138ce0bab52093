//! The action list: what can be done here, and why not the rest.

use crate::engine::plan::init;
use crate::engine::plan::operation::Offer;
use crate::tui::data::Journal;
use crate::tui::keymap::Scene;
use crate::tui::model::journal::rows_handled;
use crate::tui::model::offers::{ActionLine, ActionTarget};
use crate::tui::model::state::Model;
use crate::tui::model::switchover::SWITCHES;
use crate::tui::screen;

/// Lines of the action list: about the run under the cursor, about its check, the rest.
pub fn choices(model: &Model) -> Vec<ActionLine> {
    let list = screen::list_of(model);
    let here = model.check_in(&list);
    let missing = screen::scene_of(model) == Scene::Runs && model.journal.seen == Some(Journal::Missing);
    let mut out: Vec<ActionLine> = run_choices(model);
    // The set of the room as a whole, before its twins one by one.
    let set = SWITCHES.into_iter().filter_map(|verb| model.room_offer(verb));
    let set: Vec<Offer> = set.collect();
    let whole = |o: &Offer| set.contains(o);
    let offers = set.iter().chain(model.session.iter().flat_map(|s| &s.operations)).map(|o| ActionLine {
        target: ActionTarget::Plan(Box::new(o.clone())),
        verb: o.verb.to_owned(),
        name: o.name.clone(),
        about: o.about.clone(),
        risk: Some(o.risk),
        locks: o.locks.clone(),
        disabled: model.why_not_offer(o),
        here: whole(o) || here.is_some() && o.mends == here || missing && o.verb == init::VERB,
    });
    out.extend(offers);
    out.sort_by_key(|c| !c.here);
    out
}

fn run_choices(model: &Model) -> Vec<ActionLine> {
    let at_runs = matches!(screen::scene_of(model), Scene::Runs | Scene::Run | Scene::Room);
    let here = screen::record_here(model).or_else(|| model.broken_off_here().map(|r| &r.record));
    let Some(run) = here.filter(|_| at_runs) else { return vec![] };
    let choice = |target, verb: &str, about: String, disabled| ActionLine {
        target,
        verb: verb.into(),
        name: format!("run {}", run.id),
        about,
        risk: None,
        locks: String::new(),
        disabled,
        here: true,
    };
    let rest = run.rows.saturating_sub(rows_handled(run));
    let resume =
        format!("go on with the {rest} {} that are left of it, after a question", run.unit.for_count(rest));
    vec![
        choice(ActionTarget::Resume(run.id.clone()), "resume", resume, model.why_not_resume(run)),
        choice(ActionTarget::Undo(run.id.clone()), "undo", run.undo.clone(), model.why_not_undo(Some(run))),
    ]
}
