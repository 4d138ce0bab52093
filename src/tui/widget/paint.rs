//! Drawing text into a buffer: what does not fit is cut, what would harm is replaced.

use crate::engine::model::clean::harms;
use crate::tui::list::{Cell, Spans};
use crate::tui::model::state::Model;
use crate::tui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

pub(in crate::tui) fn rule(model: &Model, buffer: &mut Buffer, area: Rect) {
    let line = model.theme.glyphs.rule.repeat(usize::from(area.width));
    put(buffer, area.x, area.y, area.right(), &line, model.theme.tone(Tone::Dim));
}

/// Draws lines that are read like a text, the cursor's in the middle where it can be.
pub(in crate::tui) fn text(model: &Model, buffer: &mut Buffer, area: Rect, lines: &[Spans], cursor: usize) {
    let offset = first_line(cursor, lines.len(), area.height);
    for (i, line) in lines.iter().enumerate().skip(offset).take(usize::from(area.height)) {
        text_line(
            model,
            buffer,
            Rect { y: area.y + lossless(i - offset), height: 1, ..area },
            line,
            i == cursor,
        );
    }
}

/// The first line shown of a text.
pub(in crate::tui) fn first_line(cursor: usize, lines: usize, height: u16) -> usize {
    let height = usize::from(height);
    cursor.saturating_sub(height / 2).min(lines.saturating_sub(height))
}

pub(in crate::tui) fn text_line(model: &Model, buffer: &mut Buffer, area: Rect, line: &[Cell], here: bool) {
    let inner = Rect { x: area.x + 2, width: area.width.saturating_sub(2), ..area };
    spans(model, buffer, inner, line);
    if here {
        put(buffer, area.x, area.y, area.right(), model.theme.glyphs.cursor, model.theme.tone(Tone::Accent));
        buffer.set_style(area, model.theme.cursor());
    }
}

pub(in crate::tui) fn lossless(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

/// Draws a line of cells; what does not fit is cut, with an ellipsis.
pub(in crate::tui) fn spans(model: &Model, buffer: &mut Buffer, area: Rect, line: &[Cell]) {
    let mut x = area.x;
    for part in line {
        let room = usize::from(area.right().saturating_sub(x));
        x = put(buffer, x, area.y, area.right(), &fit(&part.text, room), model.theme.tone(part.tone));
    }
}

/// Draws text up to `right`; returns where it ended. Control characters of a database stay harmless.
pub(in crate::tui) fn put(buffer: &mut Buffer, x: u16, y: u16, right: u16, text: &str, style: Style) -> u16 {
    if x >= right || y >= buffer.area.bottom() {
        return x;
    }
    let text = printable(text);
    buffer.set_stringn(x, y, &text, usize::from(right - x), style).0
}

/// What harms becomes visible, line ends and tabs become blanks.
pub(in crate::tui) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            c if harms(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// A text in at most so many columns, with an ellipsis where it was cut.
pub(in crate::tui) fn fit(text: &str, width: usize) -> String {
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
