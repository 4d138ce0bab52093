//! A paged view: a window of rows around the cursor, the rest stays in the database.

use crate::engine::check::paging::{At, Page, PageRequest};
use crate::engine::model::report::CheckId;
use crate::tui::app::App;
use crate::tui::failure::Failure;
use crate::tui::model::rows::{PAGE, RowsView};
use crate::tui::model::view::View;
use crate::tui::msg::{Effect, Slot};

/// The next page is asked for when the cursor comes this close to an end of the window.
const NEAR: usize = 60;
/// Rows held at most.
const WINDOW: usize = 3 * PAGE;

impl App {
    /// Opens a finding's rows on top of the pane shown.
    pub(super) fn open_rows(&mut self, id: CheckId, finding: String) -> Vec<Effect> {
        let slot = self.slot();
        self.push(View::Rows(Box::new(RowsView::new(slot, id.clone(), finding.clone()))));
        vec![Effect::Open { slot, id, finding, limit: PAGE }]
    }

    fn rows_by_slot(&mut self, slot: Slot) -> Option<(&mut RowsView, &mut usize)> {
        self.model.stacks.iter_mut().flatten().find_map(|l| match &mut l.view {
            View::Rows(r) if r.slot == slot => Some((r.as_mut(), &mut l.state.cursor)),
            _ => None,
        })
    }

    pub(super) fn page(
        &mut self,
        slot: Slot,
        request: Option<PageRequest>,
        result: Result<Box<Page>, Box<Failure>>,
    ) -> Vec<Effect> {
        let now = self.model.now;
        let Some((rows, cursor)) = self.rows_by_slot(slot) else { return vec![] };
        rows.loading = false;
        match (result, request) {
            (Err(f), request) => {
                if rows.source.is_none() {
                    rows.source = request.map(|r| r.source);
                }
                if rows.rows.is_empty() {
                    rows.failure = Some(*f);
                } else {
                    self.complain(f.message);
                }
            }
            (Ok(page), Some(request)) => {
                rows.failure = None;
                rows.read_at = Some(now);
                take(rows, cursor, &request, *page);
            }
            (Ok(_), None) => {}
        }
        vec![]
    }

    /// Asks for the next page when the cursor nears an end of the window.
    pub(super) fn reach(&mut self) -> Vec<Effect> {
        let Some(level) = self.level_mut() else { return vec![] };
        let cursor = level.state.cursor;
        let View::Rows(rows) = &mut level.view else { return vec![] };
        if rows.loading || rows.rows.is_empty() {
            return vec![];
        }
        let below = rows.first + rows.rows.len() as u64;
        let more_below = rows.total.is_none_or(|t| below < t);
        let at = if more_below && rows.rows.len() - cursor < NEAR {
            rows.rows.last().map(|r| At::After(r.position.clone()))
        } else if rows.first > 0 && cursor < NEAR {
            rows.rows.first().map(|r| At::Before(r.position.clone()))
        } else {
            None
        };
        self.ask(at, false)
    }

    /// Jumps to an end of all rows.
    pub(super) fn jump(&mut self, at: At) -> Vec<Effect> {
        self.ask(Some(at), true)
    }

    fn ask(&mut self, at: Option<At>, count: bool) -> Vec<Effect> {
        let Some(at) = at else { return vec![] };
        let Some(level) = self.level_mut() else { return vec![] };
        let View::Rows(rows) = &mut level.view else { return vec![] };
        match rows.request(at, count) {
            Some(request) => {
                rows.loading = true;
                vec![Effect::Page { slot: rows.slot, request: Box::new(request) }]
            }
            None => vec![],
        }
    }

    /// Reads a paged view anew after its filter or order has changed.
    pub(super) fn reload(&mut self) -> Vec<Effect> {
        let Some(level) = self.level_mut() else { return vec![] };
        if let View::Rows(rows) = &mut level.view {
            rows.filter.clone_from(&level.state.filter);
            rows.rows.clear();
            rows.first = 0;
            rows.total = None;
            level.state.cursor = 0;
        }
        self.jump(At::First)
    }
}

/// A page finds its place in the window; the far end falls off.
fn take(rows: &mut RowsView, cursor: &mut usize, request: &PageRequest, page: Page) {
    rows.columns = page.columns;
    rows.source = Some(request.source.clone());
    if page.total.is_some() {
        rows.total = page.total;
    }
    let came = page.rows.len();
    match request.at {
        At::First => {
            rows.rows = page.rows;
            rows.first = 0;
            *cursor = 0;
        }
        At::Last => {
            rows.rows = page.rows;
            rows.first = rows.total.unwrap_or(came as u64).saturating_sub(came as u64);
            *cursor = rows.rows.len().saturating_sub(1);
        }
        At::After(_) => {
            rows.rows.extend(page.rows);
            if page.end {
                rows.total = Some(rows.first + rows.rows.len() as u64);
            }
            let drop = rows.rows.len().saturating_sub(WINDOW);
            rows.rows.drain(..drop);
            rows.first += drop as u64;
            *cursor = cursor.saturating_sub(drop);
        }
        At::Before(_) => {
            rows.rows.splice(0..0, page.rows);
            rows.rows.truncate(WINDOW);
            // Rows may have come or gone meanwhile: at the very first row the numbers are right again.
            rows.first = if page.end { 0 } else { rows.first.saturating_sub(came as u64) };
            *cursor += came;
        }
    }
}
