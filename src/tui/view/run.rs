//! A run: how it stands above, what there is to say of it below.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{rule, spans, text};
use crate::tui::app::{App, RunView};
use crate::tui::doc;

pub(super) fn draw(app: &App, buffer: &mut Buffer, area: Rect, view: &RunView) {
    let mut y = area.y;
    for line in doc::live::head(app, view) {
        if y < area.bottom() {
            spans(app, buffer, Rect { y, height: 1, ..area }, &line);
            y += 1;
        }
    }
    if y + 1 < area.bottom() {
        rule(app, buffer, Rect { y, height: 1, ..area });
        y += 1;
    }
    let rest = Rect { y, height: area.bottom().saturating_sub(y), ..area };
    text(app, buffer, rest, &doc::run::lines(app, view), app.level().state.cursor);
}
