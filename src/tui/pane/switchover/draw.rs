//! The switchover room: what always stands, who is in the way in what is left of it, the run's text below.

use crate::tui::doc;
use crate::tui::list::{Spans, cell};
use crate::tui::model::state::Model;
use crate::tui::model::view::View;
use crate::tui::pane::switchover;
use crate::tui::theme::Tone;
use crate::tui::widget::paint::{lossless, rule, spans, text};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Fewer lines of a text are not worth a rule.
const LEAST: u16 = 3;

pub(in crate::tui) fn draw(model: &Model, buffer: &mut Buffer, area: Rect) {
    let Some(room) = switchover::room(model) else { return };
    let mut area = lines(model, buffer, area, &room.head);
    area = ruled(model, buffer, area);
    let view = match &model.level().view {
        View::Run(view) if view.log => {
            return text(model, buffer, area, &doc::run::log(model, view), model.level().state.cursor);
        }
        View::Run(view) => Some(view),
        _ => None,
    };
    area = lines(model, buffer, area, &room.wanted);
    let room_for = usize::from(area.height).saturating_sub(room.rest.len());
    area = lines(model, buffer, area, &fitting(&room.blockers, room_for));
    area = lines(model, buffer, area, &room.rest);
    let Some(view) = view.filter(|_| area.height > LEAST) else { return };
    area = ruled(model, buffer, area);
    if model.ours(view).is_some_and(|r| r.done.is_none()) {
        let log = doc::run::log(model, view);
        let from = log.len().saturating_sub(usize::from(area.height));
        for (i, line) in log.iter().skip(from).enumerate() {
            let at = Rect { x: area.x + 1, y: area.y + lossless(i), height: 1, width: area.width - 1 };
            spans(model, buffer, at, line);
        }
        return;
    }
    text(model, buffer, area, &doc::run::lines(model, view), model.level().state.cursor);
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

fn lines(model: &Model, buffer: &mut Buffer, area: Rect, lines: &[Spans]) -> Rect {
    let shown = lines.len().min(usize::from(area.height));
    for (i, line) in lines.iter().take(shown).enumerate() {
        spans(model, buffer, Rect { y: area.y + lossless(i), height: 1, ..area }, line);
    }
    below(area, lossless(shown))
}

fn ruled(model: &Model, buffer: &mut Buffer, area: Rect) -> Rect {
    if area.height > 1 {
        rule(model, buffer, Rect { height: 1, ..area });
    }
    below(area, 1)
}

fn below(area: Rect, lines: u16) -> Rect {
    let lines = lines.min(area.height);
    Rect { y: area.y + lines, height: area.height - lines, ..area }
}
