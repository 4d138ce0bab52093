//! Marks and colours of text for people, and what keeps it harmless.

use anstyle::AnsiColor;

/// How to mark things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// ANSI colours.
    pub colour: bool,
}

impl Style {
    pub(super) fn paint(self, colour: AnsiColor, text: &str) -> String {
        let style = colour.on_default();
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_the_terminal() {
        assert_eq!(Style { colour: true }.paint(AnsiColor::Red, "no"), "\x1b[31mno\x1b[0m");
        assert_eq!(Style { colour: false }.paint(AnsiColor::Red, "no"), "no");
    }
}
