//! Text that is pasted into the phrase's line applies nothing, at whatever speed the terminal hands it over.
//!
//! At 4eabe32 a terminal without paste marks applied a plan when the clipboard held the phrase and a line end: a single write
//! of `backfill hithonix 11 a3f9\r` was enough, and the run stood in the journal as applied.

use std::time::Duration;

use crate::common::pty::Console;
use crate::common::{Database, demo_database};

const BINARY: &str = env!("CARGO_BIN_EXE_midwatch");

struct World {
    database: Database,
    _home: tempfile::TempDir,
    console: Console,
    phrase: String,
}

impl World {
    /// The console with a plan on the screen and its phrase asked for. The user's own file has this text.
    async fn asked(own_file: &str) -> Self {
        let (database, _) = demo_database("hithonix", 2_000).await;
        let home = tempfile::tempdir().unwrap();
        let own = home.path().join(".config/midwatch");
        std::fs::create_dir_all(&own).unwrap();
        std::fs::write(own.join("midwatch.toml"), own_file).unwrap();
        let config = home.path().join("used.toml");
        let text = format!(
            "[targets.main]\nurl = \"{}\"\nprofile = \"hithonix\"\nenvironment = \"demo\"\n\
             [policy]\nmax_active_sessions = 1000\nmax_lock_waits = 1000\n[console]\ninput = \"bursts\"\n",
            database.url()
        );
        std::fs::write(&config, text).unwrap();
        let path = home.path().to_str().unwrap().to_owned();
        let own = format!("{path}/.config");
        let env = [("HOME", path.as_str()), ("XDG_CONFIG_HOME", &own), ("XDG_STATE_HOME", &path)];
        let mut console = Console::start(BINARY, (110, 40), &["--config", config.to_str().unwrap()], &env);
        console.shows("anomalies/date_mismatch");
        console.press(":backfill\r");
        console.shows("c opens the line");
        console.press("c");
        let asked = |s: &vt100::Screen| {
            let text = s.contents();
            let line = text.lines().find_map(|l| l.trim().strip_prefix("type "))?.trim();
            Some(line.split("  ").next()?.to_owned())
        };
        let screen = console.wait("the phrase", |s| asked(s).is_some());
        let phrase = asked(&screen).unwrap();
        Self { database, _home: home, console, phrase }
    }

    /// The phrase in parts, each written at once, with a pause after it.
    fn arrives(&mut self, parts: &[usize], pause: Duration) {
        let phrase = self.phrase.clone();
        let mut rest = phrase.as_str();
        for size in parts.iter().copied().cycle() {
            let (part, after) = rest.split_at(size.min(rest.len()));
            self.console.press(part);
            std::thread::sleep(pause);
            rest = after;
            if rest.is_empty() {
                return;
            }
        }
    }

    async fn applied(&self) -> String {
        let mut owner = self.database.owner().await;
        let sql = "select count(*)::text from midwatch.runs where outcome = 'applied'";
        owner.fetch_value(sql, &[]).await.unwrap().unwrap()
    }
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Later than 4eabe32, and until now: a clipboard that ends in ^U ^Y deleted the phrase and had the line bring it back as one key.
#[tokio::test(flavor = "multi_thread")]
async fn a_phrase_that_the_line_brings_back_applies_nothing() {
    for (back, forth) in
        [("\u{15}", "\u{19}"), ("\u{17}\u{17}\u{17}\u{17}", "\u{19}"), ("\u{1}\u{b}", "\u{19}")]
    {
        let mut world = World::asked("").await;
        let text = format!("{}{back}{forth}", world.phrase);
        world.console.press(&text);
        std::thread::sleep(ms(1_000));
        world.console.press("\r");
        std::thread::sleep(ms(1_000));
        assert_eq!(world.applied().await, "0", "{back:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pasted_text_is_cleared_and_applies_nothing() {
    let mut world = World::asked("").await;
    let words = world.phrase.clone();
    // One write with its line end, as every terminal without paste marks gives it.
    world.console.press(&format!("{words}\r"));
    world.console.shows("pasted text is not accepted");
    // Between paste marks.
    world.console.press(&format!("\u{1b}[200~{words}\r\u{1b}[201~"));
    world.console.shows("pasted text is not taken here");
    for pause in [2, 12] {
        world.arrives(&[1], ms(pause));
        world.console.press("\r");
        world.console.shows("pasted text is not accepted");
        // Gone from the line: a later Enter finds nothing.
        world.console.enter();
        world.console.shows("the phrase is missing");
        world.console.press("x\u{15}");
        world.console.wait("an empty line", |s| !s.contents().contains("the phrase is missing"));
    }
    assert_eq!(world.applied().await, "0");
}

async fn accepted(parts: &[usize], pause: u64) {
    let mut world = World::asked("").await;
    world.arrives(parts, ms(pause));
    world.console.enter();
    world.console.shows("applied and proved");
    assert_eq!(world.applied().await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn fifteen_keys_a_second_are_typed() {
    accepted(&[1], 67).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_keys_a_second_are_typed() {
    accepted(&[1], 50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_keys_in_each_packet_of_a_slow_link_are_typed() {
    accepted(&[4], 250).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_keys_after_a_stall_are_typed() {
    accepted(&[12], 1_000).await;
}

/// What the file in use says of bursts has no effect; what the user's own file says has.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_kept_where_its_user_says_so_and_ends_in_one_more_word() {
    let mut world = World::asked("[console]\ninput = \"bursts\"\n").await;
    let words = world.phrase.clone();
    world.console.press(&words);
    world.console.enter();
    world.console.shows("type its last word once more");
    assert_eq!(world.applied().await, "0");
    world.console.press(words.rsplit(' ').next().unwrap());
    world.console.enter();
    world.console.shows("applied and proved");
    assert_eq!(world.applied().await, "1");
}
