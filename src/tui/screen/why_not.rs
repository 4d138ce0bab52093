//! Why a key does not work now.

use crate::engine::plan::init;
use crate::engine::plan::operation::Offer;
use crate::tui::data::Journal;
use crate::tui::keymap::{KeyAction, Scene};
use crate::tui::list::List;
use crate::tui::model::plan::{PlanView, Stage};
use crate::tui::model::state::{Link, Model};
use crate::tui::model::view::View;
use crate::tui::screen;

/// Why an action cannot be done here and now; `None`: it can.
pub fn why_not(model: &Model, action: KeyAction) -> Option<String> {
    screen::why_not_in(model, action, &screen::list_of(model))
}

/// The same for a table already at hand: drawing asks for many actions.
pub fn why_not_in(model: &Model, action: KeyAction, list: &List) -> Option<String> {
    match (&model.level().view, action) {
        (_, KeyAction::Target) => return model.why_not_switch(),
        (_, KeyAction::Note) => return model.why_not_note(),
        (View::Plan(slot), _) => {
            return model.plans.get(slot).and_then(|v| why_not_on_plan(model, v, action));
        }
        (View::Run(view), _) => return model.why_not_on_run(view, action),
        (View::Room(view), _) => return model.why_not_in_room(view, action),
        _ => {}
    }
    match action {
        KeyAction::DryRun => why_not_plan(model, list),
        KeyAction::Undo => model.why_not_undo(screen::record_here(model)),
        KeyAction::Confirm | KeyAction::Replan => Some("not here: d makes a plan".into()),
        KeyAction::Room => model.why_not_room(),
        KeyAction::Full | KeyAction::GoOn | KeyAction::SelfTest => model.why_not_look(action, list),
        KeyAction::EndBlocker | KeyAction::Entries | KeyAction::Whole => {
            Some("in the switchover room only".into())
        }
        KeyAction::Hold => Some("not here: the Runs pane leads to the run".into()),
        KeyAction::Open
        | KeyAction::Copy
        | KeyAction::Export
        | KeyAction::Mark
        | KeyAction::MarkAll
        | KeyAction::Sort
            if list.rows.is_empty() =>
        {
            Some("there are no rows".into())
        }
        KeyAction::Export if model.exporting => Some("an export is running".into()),
        KeyAction::Refresh | KeyAction::RefreshAll if model.link != Link::Up => {
            Some("there is no connection".into())
        }
        KeyAction::Sql if screen::statements(model).is_empty() => {
            Some("nothing was asked for this view yet".into())
        }
        KeyAction::Next | KeyAction::Previous if model.last_filter.is_empty() => {
            Some("nothing was searched for: / first".into())
        }
        _ => None,
    }
}

/// The operations that would mend what is under the cursor.
pub fn mending<'a>(model: &'a Model, list: &List) -> Vec<&'a Offer> {
    let offers = || model.session.iter().flat_map(|s| &s.operations);
    if screen::scene_of(model) == Scene::Runs {
        let missing = model.journal.seen == Some(Journal::Missing);
        return offers().filter(|o| missing && o.verb == init::VERB).collect();
    }
    let here = model.check_in(list);
    offers().filter(|o| here.is_some() && o.mends == here).collect()
}

/// Why nothing can be planned here; several operations open the list, where each has its own reason.
fn why_not_plan(model: &Model, list: &List) -> Option<String> {
    match screen::mending(model, list).as_slice() {
        [] if model.session.is_none() => Some("no target is open".into()),
        [] => Some("no operation mends this; a lists what there is".into()),
        [one] => model.why_not_offer(one),
        _ => None,
    }
}

/// Why an action cannot be done on the plan shown.
fn why_not_on_plan(model: &Model, view: &PlanView, action: KeyAction) -> Option<String> {
    let not_made = || match &view.stage {
        Stage::Planning => Some("the plan is still being made".to_owned()),
        Stage::Failed(_) => Some("there is no plan".into()),
        Stage::Ready(_) => None,
    };
    match action {
        KeyAction::Confirm => not_made().or_else(|| model.why_not_confirm(view)),
        KeyAction::Sql => not_made(),
        KeyAction::Export => not_made()
            .or_else(|| (view.total() == 0).then(|| "the plan has no rows".into()))
            .or_else(|| model.exporting.then(|| "an export is running".into())),
        KeyAction::Replan => {
            (view.stage == Stage::Planning).then(|| "it is being made".into()).or_else(|| {
                let run = view.resumes.as_ref()?;
                Some(format!("it is the plan of run {run}, which is resumed as it was planned"))
            })
        }
        KeyAction::Copy => {
            screen::plan_row_here(model).is_none().then(|| "no row is under the cursor".into())
        }
        KeyAction::Open
        | KeyAction::Escape
        | KeyAction::Close
        | KeyAction::Down
        | KeyAction::Up
        | KeyAction::Top
        | KeyAction::Bottom
        | KeyAction::HalfDown
        | KeyAction::HalfUp
        | KeyAction::PageDown
        | KeyAction::PageUp
        | KeyAction::Left
        | KeyAction::Right => None,
        action if everywhere(action) => None,
        _ => Some("not on a plan".into()),
    }
}

/// Actions that are the same wherever one is.
fn everywhere(action: KeyAction) -> bool {
    matches!(
        action,
        KeyAction::NextPane
            | KeyAction::PrevPane
            | KeyAction::Pane
            | KeyAction::Back
            | KeyAction::Forward
            | KeyAction::RefreshAll
            | KeyAction::Pause
            | KeyAction::Locks
            | KeyAction::Log
            | KeyAction::Target
            | KeyAction::Palette
            | KeyAction::Help
            | KeyAction::Cancel
    )
}
