//! The switchover room: what always stands, who is in the way in what is left of it, the run's text below.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{lossless, rule, spans, text};
use crate::tui::app::{App, View};
use crate::tui::doc;
use crate::tui::list::cell;
use crate::tui::pane::Spans;
use crate::tui::theme::Tone;

/// Fewer lines of a text are not worth a rule.
const LEAST: u16 = 3;

pub(super) fn draw(app: &App, buffer: &mut Buffer, area: Rect) {
    let Some(room) = doc::room::room(app) else { return };
    let mut area = lines(app, buffer, area, &room.head);
    area = ruled(app, buffer, area);
    let view = match &app.level().view {
        View::Run(view) if view.log => {
            return text(app, buffer, area, &doc::run::log(app, view), app.level().state.cursor);
        }
        View::Run(view) => Some(view),
        _ => None,
    };
    area = lines(app, buffer, area, &room.wanted);
    let room_for = usize::from(area.height).saturating_sub(room.rest.len());
    area = lines(app, buffer, area, &fitting(&room.blockers, room_for));
    area = lines(app, buffer, area, &room.rest);
    let Some(view) = view.filter(|_| area.height > LEAST) else { return };
    area = ruled(app, buffer, area);
    if app.ours(view).is_some_and(|r| r.done.is_none()) {
        let log = doc::run::log(app, view);
        let from = log.len().saturating_sub(usize::from(area.height));
        for (i, line) in log[from..].iter().enumerate() {
            let at = Rect { x: area.x + 1, y: area.y + lossless(i), height: 1, width: area.width - 1 };
            spans(app, buffer, at, line);
        }
        return;
    }
    text(app, buffer, area, &doc::run::lines(app, view), app.level().state.cursor);
}

/// As many of them as fit, whole; how many there are besides.
fn fitting(blockers: &[Vec<Spans>], height: usize) -> Vec<Spans> {
    let mut out: Vec<Spans> = Vec::new();
    for (i, lines) in blockers.iter().enumerate() {
        let more = blockers.len() - i;
        if i > 0 && out.len() + lines.len() + usize::from(more > 1) > height {
            out.push(vec![cell(format!("   and {more} more (L: locks)"), Tone::Warn)]);
            break;
        }
        out.extend(lines.iter().cloned());
    }
    out
}

fn lines(app: &App, buffer: &mut Buffer, area: Rect, lines: &[Spans]) -> Rect {
    let shown = lines.len().min(usize::from(area.height));
    for (i, line) in lines[..shown].iter().enumerate() {
        spans(app, buffer, Rect { y: area.y + lossless(i), height: 1, ..area }, line);
    }
    below(area, lossless(shown))
}

fn ruled(app: &App, buffer: &mut Buffer, area: Rect) -> Rect {
    if area.height > 1 {
        rule(app, buffer, Rect { height: 1, ..area });
    }
    below(area, 1)
}

fn below(area: Rect, lines: u16) -> Rect {
    let lines = lines.min(area.height);
    Rect { y: area.y + lines, height: area.height - lines, ..area }
}
