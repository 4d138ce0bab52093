//! A run: how it stands above, what there is to say of it below.

use crate::tui::doc;
use crate::tui::model::run::RunView;
use crate::tui::model::state::Model;
use crate::tui::widget::paint::{rule, spans, text};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub(super) fn draw(model: &Model, buffer: &mut Buffer, area: Rect, view: &RunView) {
    let mut y = area.y;
    for line in doc::live::head(model, view) {
        if y < area.bottom() {
            spans(model, buffer, Rect { y, height: 1, ..area }, &line);
            y += 1;
        }
    }
    if y + 1 < area.bottom() {
        rule(model, buffer, Rect { y, height: 1, ..area });
        y += 1;
    }
    let rest = Rect { y, height: area.bottom().saturating_sub(y), ..area };
    text(model, buffer, rest, &doc::run::lines(model, view), model.level().state.cursor);
}
