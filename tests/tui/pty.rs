//! The real binary in a pseudo-terminal, on a real server.

use rustix::process::{Signal, kill_process};

use crate::common::demo_database;
use crate::common::pty::Console;

const BINARY: &str = env!("CARGO_BIN_EXE_midwatch");

fn console(env: &[(&str, &str)]) -> Console {
    Console::start(BINARY, (80, 24), &[], env)
}

/// Nothing of the console is left: normal screen, cursor shown, paste marks off.
fn restored(parser: &vt100::Parser) {
    let screen = parser.screen();
    assert!(!screen.alternate_screen(), "the alternate screen is still on");
    assert!(!screen.hide_cursor(), "the cursor is still hidden");
    assert!(!screen.bracketed_paste(), "paste marks are still on");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_resize_and_leaving() {
    let (database, _) = demo_database("hithonix", 2_000).await;
    let mut console = console(&[("DATABASE_URL", &database.url())]);
    console.wait("the first picture", |s| s.alternate_screen() && s.contents().contains("Overview"));
    console.shows("DEMO");
    console.shows("anomalies/date_mismatch");
    console.press("2");
    console.shows("failed to read the migration folder");
    console.press("5");
    console.shows("unclosed_break");
    console.press("/date\r");
    console.wait("the filter", |s| !s.contents().contains("unclosed_break"));
    console.press("\r");
    console.shows("(exact)");
    console.press("\r");
    console.shows("both days of the person");
    console.resize(45, 160);
    console.wait("the larger picture", |s| s.size() == (45, 160) && s.contents().lines().count() >= 45);
    console.resize(5, 20);
    console.shows("midwatch needs");
    console.resize(24, 80);
    console.shows("both days of the person");
    console.press("qqq");
    console.shows("Leave midwatch?");
    console.press("\r");
    let (code, parser) = console.end();
    assert_eq!(code, 0);
    restored(&parser);
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_leaves_a_usable_terminal() {
    let (database, _) = demo_database("hospitality", 2_000).await;
    let console = console(&[("DATABASE_URL", &database.url())]);
    console.shows("parity/revenues");
    kill_process(console.pid(), Signal::TERM).unwrap();
    let (code, parser) = console.end();
    assert_eq!(code, 0);
    restored(&parser);
}

#[test]
fn a_panic_leaves_a_usable_terminal_and_its_message() {
    let env = [("DATABASE_URL", "postgres://u@127.0.0.1:1/x"), ("MIDWATCH_TEST_PANIC", "1")];
    let (code, parser) = console(&env).end();
    assert_eq!(code, 101);
    restored(&parser);
    assert!(
        parser.screen().contents().contains("asked for by MIDWATCH_TEST_PANIC"),
        "{}",
        parser.screen().contents()
    );
}

#[test]
fn a_refused_connection_is_told_with_what_to_do_and_no_password() {
    let mut console = console(&[("DATABASE_URL", "postgres://u:pl4nted@127.0.0.1:1/x")]);
    let screen = console.shows("nothing listens there");
    assert!(!screen.contents().contains("pl4nted"));
    console.press("q");
    console.shows("Leave midwatch?");
    console.press("q");
    let (code, parser) = console.end();
    assert_eq!(code, 0);
    restored(&parser);
}
