//! Tables: columns as wide as what is seen needs, the growing one takes the rest.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use unicode_width::UnicodeWidthStr as _;

use super::{fit, put};
use crate::tui::app::{App, Surroundings};
use crate::tui::list::{Col, List, ListState, Row, cell};
use crate::tui::theme::Tone;

const GAP: usize = 2;
/// No column but the growing one is wider.
const WIDEST: usize = 44;
/// The growing column is not squeezed below this.
const NARROWEST: usize = 30;

/// Draws a table with its cursor.
pub(super) fn draw(app: &App, buffer: &mut Buffer, area: Rect, list: &List, state: &ListState) {
    if area.height < 2 {
        return;
    }
    if list.rows.is_empty() {
        return empty(app, buffer, area, list);
    }
    let height = usize::from(area.height - 1);
    let cursor = state.cursor.min(list.rows.len() - 1);
    let offset = cursor.saturating_sub(height / 2).min(list.rows.len().saturating_sub(height));
    let seen: Vec<&Row> = list.rows.iter().skip(offset).take(height).collect();
    let first = state.column.min(list.cols.len().saturating_sub(1));
    let widths = widths(list, &seen, first, usize::from(area.width).saturating_sub(3));
    head(app, buffer, area, list, state, &widths);
    for (i, r) in seen.iter().enumerate() {
        let y = area.y + 1 + u16::try_from(i).unwrap_or(u16::MAX);
        let here = offset + i == cursor;
        line(
            app,
            buffer,
            Rect { y, height: 1, ..area },
            list,
            r,
            &widths,
            (state.marks.contains(&r.key), here),
        );
        let in_range = state.anchor.is_some_and(|a| (a.min(cursor)..=a.max(cursor)).contains(&(offset + i)));
        if in_range && !here {
            put(buffer, area.x, y, area.right(), "~", app.theme.tone(Tone::Accent));
        }
    }
}

fn empty(app: &App, buffer: &mut Buffer, area: Rect, list: &List) {
    for (i, text) in list.empty.lines().enumerate().take(usize::from(area.height)) {
        let y = area.y + u16::try_from(i).unwrap_or(0) + u16::from(area.height > 3);
        let tone = if i == 0 { list.empty_tone } else { Tone::Plain };
        put(
            buffer,
            area.x + 2,
            y,
            area.right(),
            &fit(text, usize::from(area.width.saturating_sub(3))),
            app.theme.tone(tone),
        );
    }
}

/// Width by column, from the first one shown. Columns that are empty in every row, and those that do not
/// fit, have none; the latter are told.
struct Widths {
    of: Vec<Option<usize>>,
    cut: bool,
}

fn widths(list: &List, seen: &[&Row], first: usize, room: usize) -> Widths {
    let natural = |i: usize, c: &Col| {
        let cells = seen.iter().filter_map(|r| r.cells.get(i)).map(|c| c.text.width());
        let widest = cells.chain([c.title.width()]).max().unwrap_or(0);
        if c.grow { widest } else { widest.min(WIDEST) }
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
    if let Some(g) = grow {
        let others = total(&out) - out[g].unwrap_or(0);
        out[g] = Some(room.saturating_sub(others).max(NARROWEST.min(out[g].unwrap_or(0))));
    }
    // What still does not fit goes from the right; the last one that does is cut, not dropped.
    while total(&out) > room {
        let Some(rightmost) = out.iter().rposition(Option::is_some).filter(|l| *l > first) else { break };
        cut = true;
        let rest = room.saturating_sub(total(&out[..rightmost]) + GAP);
        if rest >= 8 && out[rightmost].is_some_and(|w| w > rest) {
            out[rightmost] = Some(rest);
            break;
        }
        out[rightmost] = None;
    }
    if let (Some(g), true) = (grow, total(&out) < room) {
        out[g] = out[g].map(|w| w + room - total(&out));
    }
    Widths { of: out, cut }
}

fn head(app: &App, buffer: &mut Buffer, area: Rect, list: &List, state: &ListState, widths: &Widths) {
    let style = app.theme.tone(Tone::Dim).add_modifier(Modifier::BOLD);
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
        put(buffer, at, area.y, area.right(), app.theme.glyphs.more, app.theme.tone(Tone::Accent));
    }
}

fn align(text: &str, width: usize, right: bool) -> String {
    let text = fit(text, width);
    let pad = " ".repeat(width.saturating_sub(text.width()));
    if right { pad + &text } else { text + &pad }
}

fn line(
    app: &App,
    buffer: &mut Buffer,
    area: Rect,
    list: &List,
    row: &Row,
    widths: &Widths,
    (marked, here): (bool, bool),
) {
    let lead = if marked {
        app.theme.glyphs.mark
    } else if here {
        app.theme.glyphs.cursor
    } else {
        " "
    };
    put(buffer, area.x, area.y, area.right(), lead, app.theme.tone(Tone::Accent));
    let mut x = area.x + 2;
    for ((col, width), c) in list.cols.iter().zip(&widths.of).zip(&row.cells) {
        let Some(width) = width else { continue };
        put(buffer, x, area.y, area.right(), &align(&c.text, *width, col.right), app.theme.tone(c.tone));
        x = x.saturating_add(u16::try_from(width + GAP).unwrap_or(u16::MAX));
    }
    if here {
        buffer.set_style(area, app.theme.cursor());
    }
}

/// Names and values, the chosen value in full, and the row's surroundings below.
pub(super) fn detail(
    app: &App,
    buffer: &mut Buffer,
    area: Rect,
    list: &List,
    context: Option<&Surroundings>,
) {
    let state = &app.level().state;
    let wanted = u16::try_from(list.rows.len() + 1).unwrap_or(u16::MAX);
    let pairs = if context.is_some() { wanted.min(area.height / 2) } else { wanted.min(area.height) };
    draw(app, buffer, Rect { height: pairs, ..area }, list, state);
    let mut y = area.y + pairs;
    let long = list
        .rows
        .get(state.cursor)
        .and_then(|r| r.cells.get(1))
        .filter(|c| c.text.width() + 20 > usize::from(area.width));
    if let Some(c) = long {
        let chars: Vec<char> = super::printable(&c.text).chars().collect();
        for piece in chars.chunks(usize::from(area.width.saturating_sub(4)).max(1)).take(6) {
            if y < area.bottom() {
                let text: String = piece.iter().collect();
                put(buffer, area.x + 2, y, area.right(), &text, app.theme.tone(Tone::Accent));
                y += 1;
            }
        }
    }
    if let Some(c) = context
        && y + 1 < area.bottom()
    {
        surroundings(app, buffer, Rect { y: y + 1, height: area.bottom() - y - 1, ..area }, c, list);
    }
}

fn surroundings(app: &App, buffer: &mut Buffer, area: Rect, context: &Surroundings, row: &List) {
    put(buffer, area.x + 1, area.y, area.right(), &context.title, app.theme.tone(Tone::Strong));
    let below = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    match &context.page {
        None => {
            put(buffer, area.x + 2, below.y, area.right(), "reading…", app.theme.tone(Tone::Dim));
        }
        Some(Err(f)) => {
            put(buffer, area.x + 2, below.y, area.right(), &f.message, app.theme.tone(Tone::Bad));
        }
        Some(Ok(page)) => {
            let ours: Vec<&str> = row
                .rows
                .iter()
                .filter(|r| r.key.ends_with("_id") || r.key == "id")
                .filter_map(|r| r.cells.get(1))
                .map(|c| c.text.as_str())
                .collect();
            let rows = page.rows.iter().enumerate().map(|(i, r)| {
                let tone = match r.cells.last().and_then(Option::as_deref) {
                    Some(id) if ours.contains(&id) => Tone::Accent,
                    _ => Tone::Plain,
                };
                Row {
                    key: i.to_string(),
                    cells: r.cells.iter().map(|v| toned(v.as_ref(), tone)).collect(),
                    ..Row::default()
                }
            });
            let cols = page.columns.iter().map(|c| Col {
                title: c.name.replace('_', " "),
                right: c.is_numeric(),
                grow: false,
            });
            let list = List {
                cols: cols.collect(),
                rows: rows.collect(),
                empty: "nothing around it".into(),
                ..List::default()
            };
            let mut height = below.height;
            let room = usize::from(height.saturating_sub(1));
            if height > 2 && (page.rows.len() > room || !page.end) {
                height -= 1;
                let shown = room.saturating_sub(1).min(page.rows.len());
                let all = if page.end {
                    page.rows.len().to_string()
                } else {
                    format!("more than {}", page.rows.len())
                };
                let text = format!("the first {shown} of {all} rows: a taller terminal shows more");
                put(buffer, area.x + 2, below.bottom() - 1, area.right(), &text, app.theme.tone(Tone::Dim));
            }
            // Its rows are for looking, the cursor stays above.
            let state = ListState { cursor: usize::MAX, ..ListState::default() };
            still(app, buffer, Rect { height, ..below }, &list, &state);
        }
    }
}

fn toned(value: Option<&String>, tone: Tone) -> crate::tui::list::Cell {
    match value {
        None => cell("NULL", Tone::Dim),
        Some(t) => cell(t.clone(), tone),
    }
}

/// A table without a cursor, from its top.
fn still(app: &App, buffer: &mut Buffer, area: Rect, list: &List, state: &ListState) {
    if list.rows.is_empty() {
        return empty(app, buffer, area, list);
    }
    let height = usize::from(area.height.saturating_sub(1));
    let seen: Vec<&Row> = list.rows.iter().take(height).collect();
    let widths = widths(list, &seen, 0, usize::from(area.width).saturating_sub(3));
    head(app, buffer, area, list, state, &widths);
    for (i, r) in seen.iter().enumerate() {
        let y = area.y + 1 + u16::try_from(i).unwrap_or(u16::MAX);
        line(app, buffer, Rect { y, height: 1, ..area }, list, r, &widths, (false, false));
    }
}
