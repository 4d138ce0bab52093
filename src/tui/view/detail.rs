//! One row in full: its names and values, and its surroundings below.

use crate::tui::list::{List, ListRow, ListState};
use crate::tui::model::state::Model;
use crate::tui::model::view::Surroundings;
use crate::tui::pane;
use crate::tui::theme::Tone;
use crate::tui::widget::paint::{self, put};
use crate::tui::widget::table::{draw, draw_still};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr as _;

/// Names and values, the chosen value in full, and the row's surroundings below; one cursor for both.
pub(super) fn detail(
    model: &Model,
    buffer: &mut Buffer,
    area: Rect,
    list: &List,
    context: Option<&Surroundings>,
) {
    let cursor = model.level().state.cursor;
    let (pairs, around): (Vec<ListRow>, Vec<ListRow>) =
        list.rows.iter().cloned().partition(|r| !pane::detail::is_context(r));
    let upper = List { rows: pairs, ..list.clone() };
    let wanted = u16::try_from(upper.rows.len() + 1).unwrap_or(u16::MAX);
    let height = if context.is_some() { wanted.min(area.height / 2) } else { wanted.min(area.height) };
    let above = Rect { height, ..area };
    let in_pairs = cursor < upper.rows.len() || around.is_empty();
    part(model, buffer, above, &upper, in_pairs.then_some(cursor));
    let mut y = area.y + height;
    if in_pairs {
        y = in_full(
            model,
            buffer,
            Rect { y, height: area.bottom().saturating_sub(y), ..area },
            &upper,
            cursor,
        );
    }
    let Some(context) = context.filter(|_| y + 2 < area.bottom()) else { return };
    put(buffer, area.x + 1, y + 1, area.right(), &context.title, model.theme.tone(Tone::Strong));
    let below = Rect { y: y + 2, height: area.bottom() - y - 2, ..area };
    match &context.page {
        None => {
            put(buffer, area.x + 2, below.y, area.right(), "reading…", model.theme.tone(Tone::Dim));
        }
        Some(Err(f)) => {
            put(buffer, area.x + 2, below.y, area.right(), &f.message, model.theme.tone(Tone::Bad));
        }
        Some(Ok(page)) => {
            let lower = List { rows: around, ..pane::detail::context_list(page, &[]) };
            part(model, buffer, below, &lower, (!in_pairs).then(|| cursor - upper.rows.len()));
        }
    }
}

/// A part of a view with two tables: with the cursor or, from its top, without; what is hidden is told.
fn part(model: &Model, buffer: &mut Buffer, area: Rect, list: &List, cursor: Option<usize>) {
    let hidden = (list.rows.len() + 1).saturating_sub(usize::from(area.height));
    let Some(cursor) = cursor else {
        let cut = hidden > 0 && area.height > 2;
        draw_without_cursor(model, buffer, Rect { height: area.height - u16::from(cut), ..area }, list);
        if cut {
            let text = format!("{} more: the cursor leads there", hidden + 1);
            put(buffer, area.x + 2, area.bottom() - 1, area.right(), &text, model.theme.tone(Tone::Dim));
        }
        return;
    };
    draw(model, buffer, area, list, &ListState { cursor, ..ListState::default() });
}

/// A value too long for its column, below the table; returns where that ended.
fn in_full(model: &Model, buffer: &mut Buffer, area: Rect, list: &List, cursor: usize) -> u16 {
    let mut y = area.y;
    let value = list.rows.get(cursor).and_then(|r| r.cells.get(1));
    let Some(c) = value.filter(|c| c.text.width() + 20 > usize::from(area.width)) else { return y };
    let chars: Vec<char> = paint::printable(&c.text).chars().collect();
    for piece in chars.chunks(usize::from(area.width.saturating_sub(4)).max(1)).take(6) {
        if y < area.bottom() {
            let text: String = piece.iter().collect();
            put(buffer, area.x + 2, y, area.right(), &text, model.theme.tone(Tone::Accent));
            y += 1;
        }
    }
    y
}

/// A table without a cursor, from its top.
fn draw_without_cursor(model: &Model, buffer: &mut Buffer, area: Rect, list: &List) {
    draw_still(model, buffer, area, list, &ListState::default());
}
