//! Draws the state. Pure: no handle, no clock, no I/O.

mod detail;
mod header;
mod plan;
mod run;
mod status;

use crate::tui::list::{List, Spans};
use crate::tui::model::state::Model;
use crate::tui::model::view::{Level, View};
use crate::tui::pane::{self, switchover};
use crate::tui::theme::Tone;
use crate::tui::widget::paint::{put, rule, spans};
use crate::tui::widget::table;
use crate::tui::{dialog, screen};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Smaller than this there is no use in drawing.
const LEAST: (u16, u16) = (40, 10);

/// Draws everything.
pub fn draw(model: &Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    let buffer = frame.buffer_mut();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        return too_small(model, buffer, area);
    }
    header::banner(model, buffer, row(area, 0));
    header::tabs(model, buffer, row(area, 1));
    rule(model, buffer, row(area, 2));
    let body = body(area);
    let list = screen::list_of(model);
    match &model.level().view {
        View::Plan(slot) => plan::draw(model, buffer, body, *slot),
        View::Room(_) => switchover::draw::draw(model, buffer, body),
        View::Run(view) if model.is_switch(view) => switchover::draw::draw(model, buffer, body),
        View::Run(view) => run::draw(model, buffer, body, view),
        _ => draw_body(model, buffer, body, &list),
    }
    status::status(model, buffer, row(area, area.height - 2), &list);
    status::footer(model, buffer, row(area, area.height - 1), &list);
    if model.overlay.is_some() {
        dialog::draw::draw(model, buffer, area);
    }
}

fn row(area: Rect, y: u16) -> Rect {
    Rect { y: area.y + y, height: 1, ..area }
}

fn too_small(model: &Model, buffer: &mut Buffer, area: Rect) {
    let text = format!("midwatch needs {}x{}, this is {}x{}", LEAST.0, LEAST.1, area.width, area.height);
    let style = model.theme.tone(Tone::Warn);
    let width = usize::from(area.width).max(1);
    let chars: Vec<char> = text.chars().collect();
    for (y, line) in chars.chunks(width).take(usize::from(area.height)).enumerate() {
        let line: String = line.iter().collect();
        put(buffer, area.x, area.y + u16::try_from(y).unwrap_or(0), area.right(), &line, style);
    }
}

/// Where a click leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClickTarget {
    /// A tab.
    Pane(usize),
    /// A row of the table shown.
    Row(usize),
}

/// What stands at a place of the screen; by the layout that draws it.
pub fn hit(model: &Model, (x, y): (u16, u16)) -> Option<ClickTarget> {
    let area = Rect { x: 0, y: 0, width: model.size.0, height: model.size.1 };
    if area.width < LEAST.0 || area.height < LEAST.1 {
        return None;
    }
    if y == 1 {
        return header::tab_at(model, area.width, x).map(ClickTarget::Pane);
    }
    if matches!(model.level().view, View::Detail { .. } | View::Plan(_) | View::Run(_) | View::Room(_)) {
        return None;
    }
    let body = body(area);
    let list = screen::list_of(model);
    let above = picture_lines(model, body, &list).len();
    let top = body.y + u16::try_from(above + usize::from(above > 0)).unwrap_or(u16::MAX);
    let rest = Rect { y: top, height: body.bottom().saturating_sub(top), ..body };
    table::row_at(rest, &list, &model.level().state, y).map(ClickTarget::Row)
}

fn body(area: Rect) -> Rect {
    Rect { y: area.y + 3, height: area.height - 5, ..area }
}

/// The table keeps at least half of the room where it needs that; what is left out is said.
fn picture_lines(model: &Model, body: Rect, list: &List) -> Vec<Spans> {
    let mut picture = picture(model, model.level(), body.width);
    // Rows have a heading, the picture a rule below it.
    let table = list.rows.len().max(1) + 2;
    let height = usize::from(body.height);
    let room = (height / 2).max(height.saturating_sub(table));
    if picture.len() > room {
        let more = picture.len() - room + 1;
        picture.truncate(room.saturating_sub(1));
        let text =
            format!(" {} more: a larger window shows them", crate::tui::format::counted(more as u64, "line"));
        picture.extend((room > 0).then(|| vec![crate::tui::list::cell(text, Tone::Dim)]));
    }
    picture
}

fn draw_body(model: &Model, buffer: &mut Buffer, area: Rect, list: &List) {
    let level = model.level();
    let picture = picture_lines(model, area, list);
    let mut y = area.y;
    for line in &picture {
        spans(model, buffer, Rect { y, height: 1, ..area }, line);
        y += 1;
    }
    if !picture.is_empty() {
        rule(model, buffer, Rect { y, height: 1, ..area });
        y += 1;
    }
    let rest = Rect { y, height: area.bottom().saturating_sub(y), ..area };
    match &level.view {
        View::Detail { context, .. } => detail::detail(model, buffer, rest, list, context.as_ref()),
        _ => table::draw(model, buffer, rest, list, &level.state),
    }
}

fn picture(model: &Model, level: &Level, width: u16) -> Vec<Spans> {
    match &level.view {
        View::Pane => pane::ALL.get(model.pane).map(|p| p.picture(model, width)).unwrap_or_default(),
        View::Twin(id) => pane::twin_picture(model, id, width),
        View::Partitions(id) => pane::partition_picture(model, id, width),
        View::Rows(rows) => {
            let title = rows.source.as_ref().map_or("reading…", |s| s.title.as_str());
            let count = match rows.total {
                Some(n) => format!("   {} (exact)", crate::tui::format::counted(n, "row")),
                None => String::new(),
            };
            let lost = model.link != crate::tui::model::state::Link::Up;
            let age = rows.read_at.map(|t| crate::tui::format::ago(t, model.now)).unwrap_or_default();
            let read = if lost { format!("   stale, read {age}") } else { format!("   read {age}") };
            let tone = if lost { Tone::Unknown } else { Tone::Dim };
            vec![vec![
                crate::tui::list::cell(format!(" {}", rows.id), Tone::Strong),
                crate::tui::list::cell(count, Tone::Accent),
                crate::tui::list::plain(format!("   {title}")),
                crate::tui::list::cell(if rows.read_at.is_some() { read } else { String::new() }, tone),
            ]]
        }
        View::Detail { detail, .. } => {
            vec![vec![crate::tui::list::cell(format!(" {}", detail.title), Tone::Strong)]]
        }
        // These draw themselves.
        View::Plan(_) | View::Run(_) | View::Room(_) => vec![],
    }
}
