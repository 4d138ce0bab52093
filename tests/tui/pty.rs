//! The real binary in a pseudo-terminal, on a real server.

use std::io::{Read, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::common::demo_database;

/// Generous: it catches hangs, it measures nothing.
const PATIENCE: Duration = Duration::from_secs(30);

struct Screen {
    parser: Mutex<(vt100::Parser, bool)>,
    changed: Condvar,
}

struct Console {
    screen: Arc<Screen>,
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    master: Box<dyn MasterPty + Send>,
}

impl Console {
    fn start(args: &[&str], env: &[(&str, &str)]) -> Self {
        let pair = native_pty_system().openpty(size(24, 80)).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_midwatch"));
        command.args(args);
        command.env("TERM", "xterm-256color");
        command.env("COLORTERM", "truecolor");
        command.env("LANG", "C.UTF-8");
        command.env_remove("NO_COLOR");
        // A backtrace would scroll the message away.
        command.env("RUST_BACKTRACE", "0");
        for (name, value) in env {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let screen = Arc::new(Screen {
            parser: Mutex::new((vt100::Parser::new(24, 80, 0), false)),
            changed: Condvar::new(),
        });
        let mut reader = pair.master.try_clone_reader().unwrap();
        let shared = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                shared.parser.lock().unwrap().0.process(&buffer[..n]);
                shared.changed.notify_all();
            }
            shared.parser.lock().unwrap().1 = true;
            shared.changed.notify_all();
        });
        let writer = pair.master.take_writer().unwrap();
        Self { screen, child, writer, master: pair.master }
    }

    fn on(url: &str) -> Self {
        Self::start(&[], &[("DATABASE_URL", url)])
    }

    fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    fn resize(&self, rows: u16, columns: u16) {
        self.screen.parser.lock().unwrap().0.screen_mut().set_size(rows, columns);
        self.master.resize(size(rows, columns)).unwrap();
    }

    /// Blocks until the screen is as wanted; fails with the screen.
    fn wait(&self, what: &str, wanted: impl Fn(&vt100::Screen) -> bool) -> String {
        let until = Instant::now() + PATIENCE;
        let mut parser = self.screen.parser.lock().unwrap();
        while !wanted(parser.0.screen()) {
            let left = until.saturating_duration_since(Instant::now());
            let ended = parser.1;
            assert!(
                !left.is_zero() && !ended,
                "{what} did not come; the screen:\n{}",
                parser.0.screen().contents()
            );
            parser = self.screen.changed.wait_timeout(parser, left).unwrap().0;
        }
        parser.0.screen().contents()
    }

    fn shows(&self, text: &str) -> String {
        self.wait(text, |s| s.contents().contains(text))
    }

    /// Its exit code, after everything it wrote has been read.
    fn end(mut self) -> (u32, vt100::Parser) {
        let code = self.child.wait().unwrap().exit_code();
        let until = Instant::now() + PATIENCE;
        let mut parser = self.screen.parser.lock().unwrap();
        while !parser.1 {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the terminal was not closed");
            parser = self.screen.changed.wait_timeout(parser, left).unwrap().0;
        }
        let parser = std::mem::replace(&mut parser.0, vt100::Parser::new(1, 1, 0));
        (code, parser)
    }
}

fn size(rows: u16, cols: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
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
    let mut console = Console::on(&database.url());
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
    let console = Console::on(&database.url());
    console.shows("parity/revenues");
    let pid =
        rustix::process::Pid::from_raw(i32::try_from(console.child.process_id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let (code, parser) = console.end();
    assert_eq!(code, 0);
    restored(&parser);
}

#[test]
fn a_panic_leaves_a_usable_terminal_and_its_message() {
    let env = [("DATABASE_URL", "postgres://u@127.0.0.1:1/x"), ("MIDWATCH_TEST_PANIC", "1")];
    let (code, parser) = Console::start(&[], &env).end();
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
    let console = Console::start(&[], &[("DATABASE_URL", "postgres://u:pl4nted@127.0.0.1:1/x")]);
    let screen = console.shows("nothing listens there");
    assert!(!screen.contains("pl4nted"));
    let mut console = console;
    console.press("q");
    console.shows("Leave midwatch?");
    console.press("q");
    let (code, parser) = console.end();
    assert_eq!(code, 0);
    restored(&parser);
}
