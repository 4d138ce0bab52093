//! Tables: columns as wide as what is seen needs, the growing one takes the rest.

use crate::tui::list::{Col, List, ListRow, ListState};
use crate::tui::model::state::Model;
use crate::tui::theme::Tone;
use crate::tui::widget::paint::{fit, put};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use unicode_width::UnicodeWidthStr as _;

const GAP: usize = 2;
/// Where room is short the widest columns give way first, but not below this.
const NARROW: usize = 18;
/// The growing column is not squeezed below this.
const NARROWEST: usize = 40;

/// Draws a table with its cursor.
pub(in crate::tui) fn draw(model: &Model, buffer: &mut Buffer, area: Rect, list: &List, state: &ListState) {
    if area.height < 2 {
        return;
    }
    if list.rows.is_empty() {
        return empty(model, buffer, area, list);
    }
    let height = usize::from(area.height - 1);
    let cursor = state.cursor.min(list.rows.len() - 1);
    let offset = offset(list, state, height);
    let seen: Vec<&ListRow> = list.rows.iter().skip(offset).take(height).collect();
    let first = state.column.min(list.cols.len().saturating_sub(1));
    let widths = widths(list, &seen, first, usize::from(area.width).saturating_sub(3));
    head(model, buffer, area, list, state, &widths);
    for (i, r) in seen.iter().enumerate() {
        let y = area.y + 1 + u16::try_from(i).unwrap_or(u16::MAX);
        let here = offset + i == cursor;
        line(
            model,
            buffer,
            Rect { y, height: 1, ..area },
            list,
            r,
            &widths,
            (state.marks.contains_key(&r.key), here),
        );
        let in_range = state.anchor.is_some_and(|a| (a.min(cursor)..=a.max(cursor)).contains(&(offset + i)));
        if in_range && !here {
            put(buffer, area.x, y, area.right(), "~", model.theme.tone(Tone::Accent));
        }
    }
}

/// The row at a line of the screen.
pub(in crate::tui) fn row_at(area: Rect, list: &List, state: &ListState, y: u16) -> Option<usize> {
    let height = usize::from(area.height.checked_sub(1)?);
    let line = usize::from(y.checked_sub(area.y + 1)?);
    let row = offset(list, state, height) + line;
    (line < height && row < list.rows.len()).then_some(row)
}

/// The first row shown: the cursor is kept in the middle.
fn offset(list: &List, state: &ListState, height: usize) -> usize {
    let cursor = state.cursor.min(list.rows.len().saturating_sub(1));
    cursor.saturating_sub(height / 2).min(list.rows.len().saturating_sub(height))
}

fn empty(model: &Model, buffer: &mut Buffer, area: Rect, list: &List) {
    for (i, text) in list.empty.lines().enumerate().take(usize::from(area.height)) {
        let y = area.y + u16::try_from(i).unwrap_or(0) + u16::from(area.height > 3);
        let tone = if i == 0 { list.empty_tone } else { Tone::Plain };
        put(
            buffer,
            area.x + 2,
            y,
            area.right(),
            &fit(text, usize::from(area.width.saturating_sub(3))),
            model.theme.tone(tone),
        );
    }
}

/// Width by column, from the first one shown. Columns that are empty in every row, and those that do not
/// fit, have none; the latter are told.
struct Widths {
    of: Vec<Option<usize>>,
    cut: bool,
}

fn widths(list: &List, seen: &[&ListRow], first: usize, room: usize) -> Widths {
    let natural = |i: usize, c: &Col| {
        let cells = seen.iter().filter_map(|r| r.cells.get(i)).map(|c| c.text.width());
        cells.chain([c.title.width()]).max().unwrap_or(0)
    };
    let used = |i: usize| list.rows.iter().any(|r| r.cells.get(i).is_some_and(|c| !c.text.is_empty()));
    let mut out: Vec<Option<usize>> = list
        .cols
        .iter()
        .enumerate()
        .map(|(i, c)| (i >= first && (c.grow || used(i))).then(|| natural(i, c)))
        .collect();
    let mut cut = false;
    let total =
        |out: &[Option<usize>]| out.iter().flatten().map(|w| w + GAP).sum::<usize>().saturating_sub(GAP);
    let grow = list.cols.iter().position(|c| c.grow).filter(|g| *g >= first);
    // Both sides of a comparison in part are worth more than one of them in full.
    let least = |i: usize| if Some(i) == grow { NARROWEST } else { NARROW };
    while total(&out) > room {
        let roomy = out.iter_mut().enumerate().filter(|(i, w)| w.is_some_and(|w| w > least(*i)));
        let Some((_, widest)) = roomy.max_by_key(|(i, w)| (**w, *i)) else { break };
        *widest = widest.map(|w| w - 1);
    }
    let whole = total(&out);
    if let Some(growing) = grow.and_then(|g| out.get_mut(g)) {
        let wide = growing.unwrap_or(0);
        *growing = Some(room.saturating_sub(whole - wide).max(NARROWEST.min(wide)));
    }
    // What still does not fit goes from the right; the last one that does is cut, not dropped.
    while total(&out) > room {
        let Some(rightmost) = out.iter().rposition(Option::is_some).filter(|l| *l > first) else { break };
        let Some((before, [width, ..])) = out.split_at_mut_checked(rightmost) else { break };
        cut = true;
        let rest = room.saturating_sub(total(before) + GAP);
        if rest >= 8 && width.is_some_and(|w| w > rest) {
            *width = Some(rest);
            break;
        }
        *width = None;
    }
    let whole = total(&out);
    if let Some(growing) = grow.filter(|_| whole < room).and_then(|g| out.get_mut(g)) {
        *growing = growing.map(|w| w + room - whole);
    }
    Widths { of: out, cut }
}

fn head(model: &Model, buffer: &mut Buffer, area: Rect, list: &List, state: &ListState, widths: &Widths) {
    let style = model.theme.tone(Tone::Dim).add_modifier(Modifier::BOLD);
    let mut x = area.x + 2;
    for (i, (col, width)) in list.cols.iter().zip(&widths.of).enumerate() {
        let Some(width) = width else { continue };
        let sorted = match state.sort {
            Some((c, descending)) if c == i => {
                if descending {
                    "v"
                } else {
                    "^"
                }
            }
            _ => "",
        };
        let title = format!("{sorted}{}", col.title);
        put(buffer, x, area.y, area.right(), &align(&title, *width, col.right), style);
        x = x.saturating_add(u16::try_from(width + GAP).unwrap_or(u16::MAX));
    }
    if widths.cut {
        let at = area.right().saturating_sub(1);
        put(buffer, at, area.y, area.right(), model.theme.glyphs.more, model.theme.tone(Tone::Accent));
    }
}

fn align(text: &str, width: usize, right: bool) -> String {
    let text = fit(text, width);
    let pad = " ".repeat(width.saturating_sub(text.width()));
    if right { pad + &text } else { text + &pad }
}

fn line(
    model: &Model,
    buffer: &mut Buffer,
    area: Rect,
    list: &List,
    row: &ListRow,
    widths: &Widths,
    (marked, here): (bool, bool),
) {
    let lead = if marked {
        model.theme.glyphs.mark
    } else if here {
        model.theme.glyphs.cursor
    } else {
        " "
    };
    put(buffer, area.x, area.y, area.right(), lead, model.theme.tone(Tone::Accent));
    let mut x = area.x + 2;
    for ((col, width), c) in list.cols.iter().zip(&widths.of).zip(&row.cells) {
        let Some(width) = width else { continue };
        put(buffer, x, area.y, area.right(), &align(&c.text, *width, col.right), model.theme.tone(c.tone));
        x = x.saturating_add(u16::try_from(width + GAP).unwrap_or(u16::MAX));
    }
    if here {
        buffer.set_style(area, model.theme.cursor());
    }
}

/// A table without a cursor, from its top and from the first column shown.
pub(in crate::tui) fn draw_still(
    model: &Model,
    buffer: &mut Buffer,
    area: Rect,
    list: &List,
    state: &ListState,
) {
    if list.rows.is_empty() {
        return empty(model, buffer, area, list);
    }
    let height = usize::from(area.height.saturating_sub(1));
    let seen: Vec<&ListRow> = list.rows.iter().take(height).collect();
    let first = state.column.min(list.cols.len().saturating_sub(1));
    let widths = widths(list, &seen, first, usize::from(area.width).saturating_sub(3));
    head(model, buffer, area, list, state, &widths);
    for (i, r) in seen.iter().enumerate() {
        let y = area.y + 1 + u16::try_from(i).unwrap_or(u16::MAX);
        line(model, buffer, Rect { y, height: 1, ..area }, list, r, &widths, (false, false));
    }
}
