//! The list or text on the screen, the row under the cursor, and the statements behind it.

use crate::engine::model::record::RunRecord;
use crate::engine::model::report::CheckId;
use crate::tui::keymap::Scene;
use crate::tui::list::List;
use crate::tui::model::state::Model;
use crate::tui::model::view::View;
use crate::tui::{doc, pane, screen};

/// The run under the cursor, or shown; on the overview the last one.
pub fn record_here(model: &Model) -> Option<&RunRecord> {
    match &model.level().view {
        View::Run(view) => model.record(view),
        View::Pane if screen::scene_of(model) == Scene::Runs => {
            let list = screen::list_of(model);
            let key = &list.rows.get(model.level().state.cursor)?.key;
            model.journal.run(key)
        }
        View::Pane if model.pane == 0 => model.journal.runs().first(),
        _ => None,
    }
}

/// The marked rows, or the one under the cursor.
pub fn chosen(model: &Model) -> Vec<Vec<Option<String>>> {
    let state = &model.level().state;
    if state.marks.is_empty() {
        return screen::list_of(model)
            .rows
            .get(state.cursor)
            .map(crate::tui::list::ListRow::values)
            .into_iter()
            .collect();
    }
    state.marks.values().cloned().collect()
}

/// What was asked of the server for this view.
pub fn statements(model: &Model) -> Vec<(String, String)> {
    let plan = match &model.level().view {
        View::Plan(slot) => model.plans.get(slot).and_then(|v| v.plan()),
        View::Run(view) => model.run_plan(view),
        _ => None,
    };
    if let Some(plan) = plan {
        return doc::plan::statements(plan);
    }
    if let View::Rows(rows) = &model.level().view {
        return rows.source.iter().map(|s| (s.title.clone(), s.sql.clone())).collect();
    }
    let here = screen::check_here(model);
    let kind = pane::ALL.get(model.pane).and_then(|p| p.kind());
    model
        .watches
        .iter()
        .filter(|w| here.as_ref().map_or(kind == Some(w.id.kind), |h| *h == w.id))
        .filter_map(|w| w.report.as_ref())
        .flat_map(|r| r.evidence.iter().map(move |e| (format!("{}: {}", r.id, e.title), e.sql.clone())))
        .collect()
}

/// Which keys mean something of their own here.
pub fn scene_of(model: &Model) -> Scene {
    match &model.level().view {
        View::Plan(_) => Scene::Plan,
        View::Room(_) => Scene::Room,
        View::Run(view) if model.is_switch(view) => Scene::Room,
        View::Run(_) => Scene::Run,
        View::Twin(_) | View::Partitions(_) => Scene::Twin,
        View::Pane => pane::ALL.get(model.pane).map_or(Scene::Any, |p| p.scene()),
        _ => Scene::Any,
    }
}

/// Lines of a view that is read like a text; `None`: the view is a table.
pub fn text_lines(model: &Model) -> Option<usize> {
    match &model.level().view {
        View::Plan(slot) => {
            let view = model.plans.get(slot)?;
            let rows = usize::try_from(view.total()).unwrap_or(usize::MAX);
            Some(doc::plan::lines(model, view).lines.len() + usize::from(rows > 0) + rows)
        }
        View::Run(view) if model.is_switch(view) && view.log => Some(doc::run::log(model, view).len()),
        View::Run(view) if model.is_switch(view) && model.ours(view).is_some_and(|r| r.done.is_none()) => {
            Some(model.blockers().0.len())
        }
        View::Run(view) => Some(doc::run::lines(model, view).len()),
        View::Room(_) => Some(model.blockers().0.len()),
        _ => None,
    }
}

/// The table of the view shown, filtered and sorted.
pub fn list_of(model: &Model) -> List {
    let level = model.level();
    match &level.view {
        View::Pane => {
            pane::ALL.get(model.pane).map(|p| p.list(model)).unwrap_or_default().arranged(&level.state)
        }
        View::Twin(id) => pane::twin_list(model, id).arranged(&level.state),
        View::Partitions(id) => pane::partition_list(model, id).arranged(&level.state),
        // The server filters and sorts these.
        View::Rows(rows) => rows.list(),
        View::Detail { detail, context } => {
            let page = context.as_ref().and_then(|c| c.page.as_ref()?.as_ref().ok());
            pane::detail::whole_detail(detail, &level.state, page)
        }
        // These are read like a text.
        View::Plan(_) | View::Run(_) | View::Room(_) => List::default(),
    }
}

/// The check of the row under the cursor, or of the view.
pub fn check_here(model: &Model) -> Option<CheckId> {
    model.check_in(&screen::list_of(model))
}

/// The number of the planned row under the cursor.
pub fn plan_row_here(model: &Model) -> Option<u64> {
    let view = model.plan_here()?;
    let above = doc::plan::lines(model, view).lines.len() + 1;
    (model.level().state.cursor.checked_sub(above)).map(|n| n as u64).filter(|n| *n < view.total())
}
