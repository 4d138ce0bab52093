//! Views that are read like a text: lines under labels, wrapped to the width of the screen. What scrolls and what
//! is drawn come from the same lines.

pub mod asked_check;
pub mod live;
pub mod plan;
pub mod run;

use std::borrow::Cow;

use textwrap::WordSplitter;
use unicode_width::UnicodeWidthStr as _;

use crate::tui::list::{Spans, cell};
use crate::tui::theme::Tone;

/// Columns of the labels.
const LABEL: usize = 13;

/// Lines under construction.
struct Lines {
    out: Vec<Spans>,
    width: usize,
}

/// A part that is longer than a line takes several; its first cell is a mark, its last one the text.
fn pieces(part: &Spans, width: usize) -> Vec<Spans> {
    let mark: usize = part.iter().rev().skip(1).map(|c| c.text.width()).sum();
    let too_long = part.split_last().filter(|(text, _)| mark + text.text.width() > width);
    let Some((text, before)) = too_long else { return vec![part.clone()] };
    let lines = wrap(&text.text, width.saturating_sub(mark)).into_iter().enumerate();
    lines
        .map(|(i, line)| match i {
            0 => [before, &[cell(line, text.tone)]].concat(),
            _ => vec![cell(format!("{}{line}", " ".repeat(mark)), text.tone)],
        })
        .collect()
}

impl Lines {
    /// For a screen of so many columns; the first one is for the cursor.
    fn new(columns: u16) -> Self {
        Self { out: Vec::new(), width: usize::from(columns).saturating_sub(3 + LABEL).max(20) }
    }

    /// A label and its text; further lines stand below the text.
    fn text(&mut self, label: &str, text: &str, tone: Tone) {
        for (i, line) in wrap(text, self.width).into_iter().enumerate() {
            let label = if i == 0 { label } else { "" };
            self.out.push(vec![cell(format!("{label:<LABEL$}"), Tone::Dim), cell(line, tone)]);
        }
    }

    /// Parts that stay whole, as many to a line as fit.
    fn flow(&mut self, label: &str, parts: &[Spans]) {
        let mut line: Spans = vec![cell(format!("{label:<LABEL$}"), Tone::Dim)];
        let mut used = 0;
        for part in parts.iter().flat_map(|p| pieces(p, self.width)) {
            let width: usize = part.iter().map(|c| c.text.width()).sum();
            if used > 0 && used + 2 + width > self.width {
                self.out.push(std::mem::replace(&mut line, vec![cell(" ".repeat(LABEL), Tone::Dim)]));
                used = 0;
            }
            if used > 0 {
                line.push(cell("  ", Tone::Plain));
                used += 2;
            }
            used += width;
            line.extend(part);
        }
        if used > 0 {
            self.out.push(line);
        }
    }

    /// A heading, or a blank line.
    fn heading(&mut self, text: &str) {
        self.out.push(vec![]);
        if !text.is_empty() {
            self.out.push(vec![cell(text, Tone::Strong)]);
        }
    }
}

/// A text in lines of at most so many columns, broken between words where there are any.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let options = textwrap::Options::new(width).word_splitter(WordSplitter::NoHyphenation);
    let lines = text.lines().flat_map(|paragraph| textwrap::wrap(paragraph.trim_start(), &options));
    lines.map(Cow::into_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_broken_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("a\nb", 9), ["a", "b"]);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
        assert!(wrap("", 5).is_empty());
    }
}
