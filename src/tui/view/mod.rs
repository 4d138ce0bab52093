//! Draws the state. Pure: no handle, no clock, no I/O.

mod dialog;
mod header;
mod overlay;
mod plan;
mod room;
mod run;
mod status;
mod table;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::app::{App, Level, View};
use super::list::{Cell, List};
use super::pane::{self, Spans};
use super::theme::Tone;

/// Smaller than this there is no use in drawing.
const LEAST: (u16, u16) = (40, 10);

/// Draws everything.
pub fn draw(app: &App, frame: &mut Frame<'_>) {
    let area = frame.area();
    let buffer = frame.buffer_mut();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        return too_small(app, buffer, area);
    }
    header::banner(app, buffer, row(area, 0));
    header::tabs(app, buffer, row(area, 1));
    rule(app, buffer, row(area, 2));
    let body = body(area);
    let list = app.list();
    match &app.level().view {
        View::Plan(slot) => plan::draw(app, buffer, body, *slot),
        View::Room(_) => room::draw(app, buffer, body),
        View::Run(view) if app.is_switch(view) => room::draw(app, buffer, body),
        View::Run(view) => run::draw(app, buffer, body, view),
        _ => draw_body(app, buffer, body, &list),
    }
    status::status(app, buffer, row(area, area.height - 2), &list);
    status::footer(app, buffer, row(area, area.height - 1), &list);
    if app.overlay.is_some() {
        overlay::draw(app, buffer, area);
    }
}

fn row(area: Rect, y: u16) -> Rect {
    Rect { y: area.y + y, height: 1, ..area }
}

fn too_small(app: &App, buffer: &mut Buffer, area: Rect) {
    let text = format!("midwatch needs {}x{}, this is {}x{}", LEAST.0, LEAST.1, area.width, area.height);
    let style = app.theme.tone(Tone::Warn);
    let width = usize::from(area.width).max(1);
    let chars: Vec<char> = text.chars().collect();
    for (y, line) in chars.chunks(width).take(usize::from(area.height)).enumerate() {
        let line: String = line.iter().collect();
        put(buffer, area.x, area.y + u16::try_from(y).unwrap_or(0), area.right(), &line, style);
    }
}

fn rule(app: &App, buffer: &mut Buffer, area: Rect) {
    let line = app.theme.glyphs.rule.repeat(usize::from(area.width));
    put(buffer, area.x, area.y, area.right(), &line, app.theme.tone(Tone::Dim));
}

/// Where a click leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hit {
    /// A tab.
    Pane(usize),
    /// A row of the table shown.
    Row(usize),
}

/// What stands at a place of the screen; by the layout that draws it.
pub fn hit(app: &App, (x, y): (u16, u16)) -> Option<Hit> {
    let area = Rect { x: 0, y: 0, width: app.size.0, height: app.size.1 };
    if area.width < LEAST.0 || area.height < LEAST.1 {
        return None;
    }
    if y == 1 {
        return header::tab_at(app, x).map(Hit::Pane);
    }
    if matches!(app.level().view, View::Detail { .. } | View::Plan(_) | View::Run(_) | View::Room(_)) {
        return None;
    }
    let body = body(area);
    let list = app.list();
    let above = picture_lines(app, body, &list).len();
    let top = body.y + u16::try_from(above + usize::from(above > 0)).unwrap_or(u16::MAX);
    let rest = Rect { y: top, height: body.bottom().saturating_sub(top), ..body };
    table::row_at(rest, &list, &app.level().state, y).map(Hit::Row)
}

fn body(area: Rect) -> Rect {
    Rect { y: area.y + 3, height: area.height - 5, ..area }
}

/// The table keeps at least half of the room where it needs that; what is left out is said.
fn picture_lines(app: &App, body: Rect, list: &List) -> Vec<Spans> {
    let mut picture = picture(app, app.level(), body.width);
    // Rows have a heading, the picture a rule below it.
    let table = list.rows.len().max(1) + 2;
    let height = usize::from(body.height);
    let room = (height / 2).max(height.saturating_sub(table));
    if picture.len() > room {
        let more = picture.len() - room + 1;
        picture.truncate(room.saturating_sub(1));
        let text =
            format!(" {} more: a larger window shows them", super::format::counted(more as u64, "line"));
        picture.extend((room > 0).then(|| vec![super::list::cell(text, Tone::Dim)]));
    }
    picture
}

fn draw_body(app: &App, buffer: &mut Buffer, area: Rect, list: &List) {
    let level = app.level();
    let picture = picture_lines(app, area, list);
    let mut y = area.y;
    for line in &picture {
        spans(app, buffer, Rect { y, height: 1, ..area }, line);
        y += 1;
    }
    if !picture.is_empty() {
        rule(app, buffer, Rect { y, height: 1, ..area });
        y += 1;
    }
    let rest = Rect { y, height: area.bottom().saturating_sub(y), ..area };
    match &level.view {
        View::Detail { context, .. } => table::detail(app, buffer, rest, list, context.as_ref()),
        _ => table::draw(app, buffer, rest, list, &level.state),
    }
}

fn picture(app: &App, level: &Level, width: u16) -> Vec<Spans> {
    match &level.view {
        View::Pane => pane::ALL.get(app.pane).map(|p| p.picture(app, width)).unwrap_or_default(),
        View::Twin(id) => pane::twin_picture(app, id, width),
        View::Partitions(id) => pane::partition_picture(app, id, width),
        View::Rows(rows) => {
            let title = rows.source.as_ref().map_or("reading…", |s| s.title.as_str());
            let count = match rows.total {
                Some(n) => format!("   {} (exact)", super::format::counted(n, "row")),
                None => String::new(),
            };
            let lost = app.link != super::app::Link::Up;
            let age = rows.read_at.map(|t| super::format::ago(t, app.now)).unwrap_or_default();
            let read = if lost { format!("   stale, read {age}") } else { format!("   read {age}") };
            let tone = if lost { Tone::Unknown } else { Tone::Dim };
            vec![vec![
                super::list::cell(format!(" {}", rows.id), Tone::Strong),
                super::list::cell(count, Tone::Accent),
                super::list::plain(format!("   {title}")),
                super::list::cell(if rows.read_at.is_some() { read } else { String::new() }, tone),
            ]]
        }
        View::Detail { detail, .. } => {
            vec![vec![super::list::cell(format!(" {}", detail.title), Tone::Strong)]]
        }
        // These draw themselves.
        View::Plan(_) | View::Run(_) | View::Room(_) => vec![],
    }
}

/// Draws lines that are read like a text, the cursor's in the middle where it can be.
fn text(app: &App, buffer: &mut Buffer, area: Rect, lines: &[Spans], cursor: usize) {
    let offset = first_line(cursor, lines.len(), area.height);
    for (i, line) in lines.iter().enumerate().skip(offset).take(usize::from(area.height)) {
        text_line(
            app,
            buffer,
            Rect { y: area.y + lossless(i - offset), height: 1, ..area },
            line,
            i == cursor,
        );
    }
}

/// The first line shown of a text.
fn first_line(cursor: usize, lines: usize, height: u16) -> usize {
    let height = usize::from(height);
    cursor.saturating_sub(height / 2).min(lines.saturating_sub(height))
}

fn text_line(app: &App, buffer: &mut Buffer, area: Rect, line: &[Cell], here: bool) {
    let inner = Rect { x: area.x + 2, width: area.width.saturating_sub(2), ..area };
    spans(app, buffer, inner, line);
    if here {
        put(buffer, area.x, area.y, area.right(), app.theme.glyphs.cursor, app.theme.tone(Tone::Accent));
        buffer.set_style(area, app.theme.cursor());
    }
}

fn lossless(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

/// Draws a line of cells; what does not fit is cut, with an ellipsis.
fn spans(app: &App, buffer: &mut Buffer, area: Rect, line: &[Cell]) {
    let mut x = area.x;
    for part in line {
        let room = usize::from(area.right().saturating_sub(x));
        x = put(buffer, x, area.y, area.right(), &fit(&part.text, room), app.theme.tone(part.tone));
    }
}

/// Draws text up to `right`; returns where it ended. Control characters of a database stay harmless.
fn put(buffer: &mut Buffer, x: u16, y: u16, right: u16, text: &str, style: Style) -> u16 {
    if x >= right || y >= buffer.area.bottom() {
        return x;
    }
    let text = printable(text);
    buffer.set_stringn(x, y, &text, usize::from(right - x), style).0
}

/// Control characters become visible, line ends and tabs become blanks.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            // These would turn the direction of what follows.
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// A text in at most so many columns, with an ellipsis where it was cut.
fn fit(text: &str, width: usize) -> String {
    let text = printable(text);
    if text.width() <= width {
        return text;
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let w = c.width().unwrap_or(0);
        if used + w + 1 > width {
            break;
        }
        out.push(c);
        used += w;
    }
    if width > 0 {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_and_say_so() {
        assert_eq!(fit("abcdef", 4), "abc…");
        assert_eq!(fit("abc", 4), "abc");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(fit("x", 0), "");
    }

    #[test]
    fn control_characters_are_harmless() {
        assert_eq!(printable("a\x1b[31mb\tc\u{202e}"), "a\u{fffd}[31mb c\u{fffd}");
    }
}
