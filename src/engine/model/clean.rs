//! What keeps a text harmless that others wrote: a server, a file, an argument. A terminal acts on control characters, and
//! what has no width or turns the direction of writing makes a text read as another.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Instead of a character that is not shown.
const REPLACED: char = '\u{fffd}';

/// Would a terminal act on it, or a reader not see it?
pub fn harms(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

fn without(text: &str, kept: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(|c| harms(c) && !kept(c)) {
        return Cow::Borrowed(text);
    }
    text.chars().map(|c| if harms(c) && !kept(c) { REPLACED } else { c }).collect::<String>().into()
}

/// A text for one line: it cannot begin another.
pub fn line(text: &str) -> Cow<'_, str> {
    without(text, |_| false)
}

/// A text of several lines.
pub fn lines(text: &str) -> Cow<'_, str> {
    without(text, |c| matches!(c, '\n' | '\t'))
}

/// A text of several lines with the colours that this program gives to texts, and no other sequence of a terminal.
pub fn coloured(text: &str) -> Cow<'_, str> {
    if !text.contains('\x1b') {
        return lines(text);
    }
    let mut parts = text.split('\x1b');
    let mut out = lines(parts.next().unwrap_or_default()).into_owned();
    for part in parts {
        out.push(if is_colour(part) { '\x1b' } else { REPLACED });
        out.push_str(&lines(part));
    }
    out.into()
}

/// Does what follows an escape set a colour or a weight that leaves text readable?
fn is_colour(after: &str) -> bool {
    let Some((codes, _)) = after.strip_prefix('[').and_then(|rest| rest.split_once('m')) else {
        return false;
    };
    codes.split(';').all(|code| {
        matches!(code.parse::<u8>(), Ok(0..=4 | 22..=24 | 30..=37 | 39 | 90..=97)) && code.len() <= 2
    })
}

/// Each harmful character as `\u` and its number, as JSON writes it; line ends and tabs stay. For what is read by programs
/// and people alike: CSV, the clipboard.
pub fn escaped(text: &str) -> Cow<'_, str> {
    escape(text, |c| harms(c) && !matches!(c, '\n' | '\t'))
}

/// JSON as it was written, with what a terminal must not get escaped within its strings: it is parsed to the same value.
pub fn json(written: &str) -> Cow<'_, str> {
    // Control characters of strings are escaped already: those that are left stand between values.
    escape(written, |c| harms(c) && !matches!(c, '\n' | '\t' | '\r'))
}

fn escape(text: &str, which: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&which) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if which(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_terminal_acts_on_is_replaced() {
        assert_eq!(
            line("a\x1b]0;title\x07b\n\u{9b}31m\u{7f}"),
            "a\u{fffd}]0;title\u{fffd}b\u{fffd}\u{fffd}31m\u{fffd}"
        );
        assert_eq!(lines("a\n\tb\r\u{202e}\u{200b}"), "a\n\tb\u{fffd}\u{fffd}\u{fffd}");
        assert_eq!(line("naïve 日本 → ✓"), "naïve 日本 → ✓");
    }

    #[test]
    fn only_our_colours_pass() {
        let ours = "\x1b[31mno\x1b[0m \x1b[1;4mb\x1b[0m";
        assert_eq!(coloured(ours), ours);
        for theirs in
            ["\x1b[8mx", "\x1b[2J", "\x1b]52;c;eA==\x07", "\x1b[mx", "\x1bc", "\x1b[5;31mx", "\x1b[38;5;1mx"]
        {
            let shown = coloured(theirs);
            assert!(!shown.contains(['\x1b', '\x07']), "{shown:?}");
        }
    }

    #[test]
    fn numbers_stand_for_what_harms() {
        assert_eq!(escaped("a\x1b\r\n\tb\u{e0041}"), "a\\u001b\\u000d\n\tb\\udb40\\udc41");
    }

    proptest! {
        #[test]
        fn escaped_json_is_the_same_value(text in any::<String>(), odd in "[\u{7f}-\u{9f}\u{200b}-\u{202e}\u{feff}]{0,5}") {
            let value = serde_json::json!({ (text.clone()): [odd, text] });
            let written = format!("{value:#}");
            let shown = json(&written);
            prop_assert!(!shown.chars().any(|c| harms(c) && c != '\n'), "{:?}", shown);
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        }

        #[test]
        fn nothing_harmful_is_left(text in any::<String>()) {
            prop_assert!(!line(&text).chars().any(harms));
            prop_assert!(!escaped(&text).chars().any(|c| harms(c) && c != '\n' && c != '\t'));
            prop_assert!(!coloured(&text).replace("\x1b[", "").chars().any(|c| harms(c) && c != '\n' && c != '\t'));
        }
    }
}
