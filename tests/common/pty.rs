//! The real binary in a pseudo-terminal: keys in, a parsed screen out, waiting on conditions only.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Generous: it catches hangs, it measures nothing.
const PATIENCE: Duration = Duration::from_mins(1);

struct Screen {
    parser: Mutex<(vt100::Parser, bool)>,
    changed: Condvar,
    /// All that the terminal got.
    raw: Mutex<Vec<u8>>,
}

/// A console in a terminal of its own.
pub(crate) struct Console {
    screen: Arc<Screen>,
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    master: Option<Box<dyn MasterPty + Send>>,
    reader: Option<JoinHandle<()>>,
    hung_up: Arc<AtomicBool>,
}

impl Console {
    pub(crate) fn start(
        binary: &str,
        (columns, rows): (u16, u16),
        args: &[&str],
        env: &[(&str, &str)],
    ) -> Self {
        let pair = native_pty_system().openpty(size(rows, columns)).unwrap();
        let mut command = CommandBuilder::new(binary);
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
            parser: Mutex::new((vt100::Parser::new(rows, columns, 0), false)),
            changed: Condvar::new(),
            raw: Mutex::default(),
        });
        let mut reader = pair.master.try_clone_reader().unwrap();
        let shared = Arc::clone(&screen);
        let hung_up = Arc::new(AtomicBool::new(false));
        let hung = Arc::clone(&hung_up);
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                if hung.load(Ordering::SeqCst) {
                    break;
                }
                shared.raw.lock().unwrap().extend_from_slice(&buffer[..n]);
                shared.parser.lock().unwrap().0.process(&buffer[..n]);
                shared.changed.notify_all();
            }
            shared.parser.lock().unwrap().1 = true;
            shared.changed.notify_all();
        });
        let writer = pair.master.take_writer().unwrap();
        Self { screen, child, writer, master: Some(pair.master), reader: Some(thread), hung_up }
    }

    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_raw(i32::try_from(self.child.process_id().unwrap()).unwrap()).unwrap()
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Types words as a person does: faster keys are taken for pasted text.
    pub(crate) fn types(&mut self, words: &str) {
        for c in words.chars() {
            self.press(c.encode_utf8(&mut [0; 4]));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Enter, after the pause that a confirmation asks for.
    pub(crate) fn enter(&mut self) {
        std::thread::sleep(Duration::from_millis(350));
        self.press("\r");
    }

    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        self.screen.parser.lock().unwrap().0.screen_mut().set_size(rows, columns);
        self.master.as_ref().unwrap().resize(size(rows, columns)).unwrap();
    }

    /// Closes the terminal's other side: the kernel tells the program, and whatever it writes fails from now on.
    pub(crate) fn hang_up(&mut self) {
        self.hung_up.store(true, Ordering::SeqCst);
        // Something to draw, so that the reader wakes up and lets go as well.
        self.resize(30, 100);
        self.reader.take().unwrap().join().unwrap();
        self.writer = Box::new(std::io::sink());
        self.master = None;
    }

    /// Blocks until the screen is as wanted; fails with the screen.
    pub(crate) fn wait(&self, what: &str, wanted: impl Fn(&vt100::Screen) -> bool) -> vt100::Screen {
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
        parser.0.screen().clone()
    }

    /// All that the terminal got so far, sequences included.
    pub(crate) fn raw(&self) -> String {
        String::from_utf8_lossy(&self.screen.raw.lock().unwrap()).into_owned()
    }

    pub(crate) fn shows(&self, text: &str) -> vt100::Screen {
        self.wait(text, |s| s.contents().contains(text))
    }

    /// Its exit code, after everything it wrote has been read.
    pub(crate) fn end(mut self) -> (u32, vt100::Parser) {
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

/// A test that failed leaves no console behind.
impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

fn size(rows: u16, cols: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}
