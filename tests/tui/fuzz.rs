//! Keys, pastes and sizes at random from a fixed seed, in every pane of a session: each leads to a picture, none ends the
//! console. `make fuzz` runs many more than a test does.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use midwatch::tui::msg::Msg;

use crate::fake::{connected, id, later, wrong};
use crate::pictures::draw;
use midwatch::engine::model::report::Severity;

/// Events of a stream.
const EVENTS: usize = 60;
/// Streams, unless `MIDWATCH_FUZZ` says how many events there are in all.
const STREAMS: usize = 25;
const SIZES: [(u16, u16); 8] =
    [(1, 1), (20, 5), (40, 10), (80, 24), (79, 12), (120, 40), (300, 11), (41, 100)];
const CODES: [KeyCode; 15] = [
    KeyCode::Enter,
    KeyCode::Esc,
    KeyCode::Up,
    KeyCode::Down,
    KeyCode::Left,
    KeyCode::Right,
    KeyCode::Home,
    KeyCode::End,
    KeyCode::PageUp,
    KeyCode::PageDown,
    KeyCode::Tab,
    KeyCode::BackTab,
    KeyCode::Backspace,
    KeyCode::Delete,
    KeyCode::F(1),
];
const PASTES: [&str; 5] = ["apply 3 rows\n", "\u{1b}[2J\u{202e}", "日本語", "", "a\0b"];

/// The same numbers in every run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    fn message(&mut self, at: usize) -> Msg {
        match self.below(20) {
            0 => {
                let (width, height) = SIZES[self.below(SIZES.len())];
                Msg::Resize(width, height)
            }
            1 => Msg::Paste(PASTES[self.below(PASTES.len())].into()),
            2 => Msg::Tick(later(i64::try_from(at).unwrap())),
            3 => Msg::Observed(Box::new(wrong(&id("anomalies", "date_mismatch"), Severity::Critical))),
            4..=8 => self.key(|random| CODES[random.below(CODES.len())]),
            _ => self.key(|random| KeyCode::Char(char::from(b' ' + u8::try_from(random.below(95)).unwrap()))),
        }
    }

    fn key(&mut self, code: impl Fn(&mut Self) -> KeyCode) -> Msg {
        let held = [
            KeyModifiers::NONE,
            KeyModifiers::NONE,
            KeyModifiers::NONE,
            KeyModifiers::CONTROL,
            KeyModifiers::ALT,
        ];
        let held = held[self.below(held.len())];
        Msg::Key(crate::fake::stroke(KeyEvent::new(code(self), held)))
    }
}

#[test]
fn any_keys_and_sizes_are_survived() {
    let events = std::env::var("MIDWATCH_FUZZ").map_or(STREAMS * EVENTS, |n| n.parse().unwrap());
    let mut random = Random(0x6d69_6477_6174_6368);
    for _ in 0..events.div_ceil(EVENTS) {
        let mut size = (80, 24);
        let mut app = connected(size);
        for at in 0..EVENTS {
            let message = random.message(at);
            if let Msg::Resize(width, height) = message {
                size = (width, height);
            }
            app.update(message);
            draw(&app, size);
        }
    }
    println!("fuzz keys: {events} events, 0 panics, 0 hangs");
}
