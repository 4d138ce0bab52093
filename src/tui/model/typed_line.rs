//! A line whose words a person types: its text, and whether its keys arrived as typed keys do.
//!
//! Terminals without paste marks hand over pasted text as keys. What tells them apart is time: nobody types 33 keys a second
//! for a whole phrase, and nobody presses Enter in the same instant as the last key. A slow link hands over several keys of
//! one person at once: they have the pause before them, and that counts.

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyModifiers};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler as _;

use crate::engine::model::phrase::differs;
use crate::profile::InputMode;
use crate::tui::msg::Keystroke;

/// Enter counts after a pause of this length.
const PAUSE: Duration = Duration::from_millis(300);
/// Keys that arrived faster than one in this time, on average, are pasted text.
const PER_KEY: Duration = Duration::from_millis(30);
/// The average is taken over the whole text and over so many keys at its end.
const TAIL: usize = 12;

/// The line.
#[derive(Debug, Clone, Default)]
pub struct TypedLine {
    input: Input,
    /// When each character arrived, since the line was last empty.
    arrivals: Vec<Duration>,
    last_input: Option<Duration>,
    /// The last word, typed once more: asked for where keys may arrive in bursts.
    repeated: Option<Input>,
}

/// What Enter means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entered {
    /// The line was typed.
    Typed,
    /// It came with other keys, or too soon after one: it does not count.
    TooSoon,
    /// The line was pasted: it is empty now.
    Pasted,
    /// The line came in a burst: its last word is asked for once more.
    RepeatAsked,
}

impl TypedLine {
    /// Its text.
    pub fn value(&self) -> &str {
        self.input.value()
    }

    /// Its text with the cursor.
    pub fn input(&self) -> &Input {
        &self.input
    }

    /// The last word as it is typed once more, where that is asked for.
    pub fn repeated(&self) -> Option<&Input> {
        self.repeated.as_ref()
    }

    /// Empty again.
    pub fn clear(&mut self) {
        *self = Self { last_input: self.last_input, ..Self::default() };
    }

    /// A key that changes the text.
    pub fn key(&mut self, stroke: Keystroke) {
        self.last_input = Some(stroke.at);
        // The field's own clipboard: what was deleted before comes back as one key.
        let yanks =
            stroke.key.code == KeyCode::Char('y') && stroke.key.modifiers.contains(KeyModifiers::CONTROL);
        if yanks {
            return;
        }
        let event = Event::Key(stroke.key);
        if let Some(word) = &mut self.repeated {
            word.handle_event(&event);
            return;
        }
        let before = self.input.value().chars().count();
        self.input.handle_event(&event);
        match self.input.value().chars().count() {
            0 => self.arrivals.clear(),
            // Whatever one key brings, each of its characters arrived with it.
            after => self.arrivals.extend(std::iter::repeat_n(stroke.at, after.saturating_sub(before))),
        }
    }

    /// Enter, where `wanted` is what must be typed.
    pub fn enter(&mut self, stroke: Keystroke, mode: InputMode, wanted: &str) -> Entered {
        let soon = self.last_input.is_some_and(|last| stroke.at.saturating_sub(last) < PAUSE);
        self.last_input = Some(stroke.at);
        let pasted = self.arrived_pasted();
        if pasted && mode == InputMode::Keys {
            self.clear();
            return Entered::Pasted;
        }
        if soon || !stroke.alone {
            return Entered::TooSoon;
        }
        if !pasted || self.value() != wanted {
            return Entered::Typed;
        }
        let repeats = |word: &Input| wanted.rsplit(' ').next() == Some(word.value());
        if self.repeated.as_ref().is_some_and(repeats) {
            return Entered::Typed;
        }
        self.repeated = Some(Input::default());
        Entered::RepeatAsked
    }

    /// The same for a line that is compared here: why it confirms nothing.
    pub fn confirmed(&mut self, stroke: Keystroke, mode: InputMode, wanted: &str) -> Result<(), String> {
        if let Some(why) = self.enter(stroke, mode, wanted).why_not() {
            return Err(why.into());
        }
        if self.value() == wanted { Ok(()) } else { Err(differs(wanted, self.value())) }
    }

    fn arrived_pasted(&self) -> bool {
        let fast = |arrivals: &[Duration]| match arrivals {
            [first, rest @ .., last] => {
                let keys = u32::try_from(rest.len() + 1).unwrap_or(u32::MAX);
                last.saturating_sub(*first) < PER_KEY.saturating_mul(keys)
            }
            _ => false,
        };
        // The pause before the first of them counts as well.
        let tail = self.arrivals.len().checked_sub(TAIL + 1).and_then(|from| self.arrivals.get(from..));
        fast(&self.arrivals) || tail.is_some_and(fast)
    }
}

impl Entered {
    /// Why nothing happened yet, for the person.
    pub fn why_not(self) -> Option<&'static str> {
        match self {
            Self::Typed => None,
            Self::TooSoon => Some("Enter came less than 300 ms after another key: press Enter again"),
            Self::Pasted => Some("pasted text is not accepted (under 30 ms a key): type the words"),
            Self::RepeatAsked => {
                Some("the text arrived in a burst: type its last word once more, then Enter")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::KeyEvent;

    const PHRASE: &str = "backfill hithonix 1284 a3f9";

    fn stroke(code: KeyCode, ms: u64) -> Keystroke {
        let key = KeyEvent::new(code, KeyModifiers::NONE);
        Keystroke { key, at: Duration::from_millis(ms), alone: true }
    }

    /// A line after these characters arrived at these times, and the time of the last.
    fn line(arrivals: impl Fn(u64) -> u64) -> (TypedLine, u64) {
        let mut line = TypedLine::default();
        let mut last = 0;
        for (i, c) in (0_u64..).zip(PHRASE.chars()) {
            last = arrivals(i);
            line.key(stroke(KeyCode::Char(c), last));
        }
        (line, last)
    }

    fn entered(arrivals: impl Fn(u64) -> u64, pause: u64, mode: InputMode) -> Entered {
        let (mut line, last) = line(arrivals);
        line.enter(stroke(KeyCode::Enter, last + pause), mode, PHRASE)
    }

    #[test]
    fn keys_of_a_person_and_of_a_slow_link_are_typed() {
        let times: [fn(u64) -> u64; 5] = [
            |i| i * 67,
            |i| i * 50,
            |i| i * 30,
            // Four keys with each packet of 250 ms.
            |i| i / 4 * 250,
            // A stall, after which twelve keys come at once.
            |i| if i < 15 { i * 67 } else { 15 * 67 + 800 },
        ];
        for (i, times) in times.into_iter().enumerate() {
            assert_eq!(entered(times, 300, InputMode::Keys), Entered::Typed, "{i}");
        }
    }

    #[test]
    fn pasted_text_is_cleared_whatever_was_typed_before_it() {
        let times: [fn(u64) -> u64; 5] = [
            |_| 0,
            |i| i * 2,
            |i| i * 12,
            |i| i * 29,
            // A few characters by hand, a rest, then the clipboard.
            |i| if i < 3 { i * 500 } else { 10_000 },
        ];
        for (i, times) in times.into_iter().enumerate() {
            for pause in [0, 5, 10_000] {
                let (mut line, last) = line(times);
                let entered = line.enter(stroke(KeyCode::Enter, last + pause), InputMode::Keys, PHRASE);
                assert_eq!((entered, line.value()), (Entered::Pasted, ""), "{i}, {pause} ms");
            }
        }
    }

    #[test]
    fn enter_counts_alone_and_after_a_pause() {
        assert_eq!(entered(|i| i * 67, 299, InputMode::Keys), Entered::TooSoon);
        let (mut line, last) = line(|i| i * 67);
        let together = Keystroke { alone: false, ..stroke(KeyCode::Enter, last + 1_000) };
        assert_eq!(line.enter(together, InputMode::Keys, PHRASE), Entered::TooSoon);
        // Nothing is lost: pressed again it counts.
        let again = stroke(KeyCode::Enter, last + 1_400);
        assert_eq!((line.enter(again, InputMode::Keys, PHRASE), line.value()), (Entered::Typed, PHRASE));
    }

    #[test]
    fn bursts_keep_the_text_and_ask_for_the_last_word() {
        let (mut line, _) = line(|_| 0);
        let enter =
            |line: &mut TypedLine, ms| line.enter(stroke(KeyCode::Enter, ms), InputMode::Bursts, PHRASE);
        assert_eq!(enter(&mut line, 100), Entered::TooSoon);
        assert_eq!(enter(&mut line, 1_000), Entered::RepeatAsked);
        assert_eq!((enter(&mut line, 2_000), line.value()), (Entered::RepeatAsked, PHRASE));
        for c in "a3f9".chars() {
            line.key(stroke(KeyCode::Char(c), 3_000));
        }
        assert_eq!(enter(&mut line, 3_100), Entered::TooSoon);
        assert_eq!(enter(&mut line, 4_000), Entered::Typed);
    }

    #[test]
    fn what_was_deleted_does_not_come_back_by_one_key() {
        for delete in ['u', 'k', 'w'] {
            let (mut line, _) = line(|_| 0);
            let control = |line: &mut TypedLine, c, ms| {
                let key = KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL);
                line.key(Keystroke { key, at: Duration::from_millis(ms), alone: true });
            };
            control(&mut line, 'a', 900);
            if delete != 'k' {
                control(&mut line, 'e', 950);
            }
            control(&mut line, delete, 1_000);
            let left = line.value().to_owned();
            control(&mut line, 'y', 2_000);
            assert_eq!(line.value(), left, "{delete}");
        }
    }

    #[test]
    fn a_line_that_was_emptied_begins_anew() {
        let (mut line, _) = line(|_| 0);
        let ctrl_u = KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL);
        line.key(Keystroke { key: ctrl_u, at: Duration::from_secs(1), alone: true });
        assert_eq!(line.value(), "");
        for (i, c) in (0_u64..).zip(PHRASE.chars()) {
            line.key(stroke(KeyCode::Char(c), 2_000 + i * 67));
        }
        assert_eq!(line.enter(stroke(KeyCode::Enter, 9_000), InputMode::Keys, PHRASE), Entered::Typed);
    }
}
