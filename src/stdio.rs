//! What leaves the process for a terminal or a log: the one way there, cleaned of what a terminal acts on and of passwords
//! that can be told. The console draws its own screen (`tui/terminal`); its texts are cleaned as they are drawn.

use std::io::{self, IsTerminal as _, Write};

use crate::engine::model::clean;
use crate::engine::model::secret::without_passwords;

/// Where a text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Data.
    Out,
    /// Everything else.
    Err,
}

impl Stream {
    /// Does a person read it as it is written?
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Out => io::stdout().is_terminal(),
            Self::Err => io::stderr().is_terminal(),
        }
    }

    /// Writes a text; `colours`: those that this program gives to texts pass.
    pub fn write(self, text: &str, colours: bool) -> io::Result<()> {
        let text = if colours { clean::coloured(text) } else { clean::lines(text) };
        self.raw(text.as_bytes())
    }

    /// One line in place of the one before, on a terminal.
    pub fn rewrite_line(self, text: &str) -> io::Result<()> {
        self.raw(format!("\r\x1b[K{}", clean::line(text)).as_bytes())
    }

    fn raw(self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Out => {
                let mut out = io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush())
            }
            Self::Err => io::stderr().lock().write_all(bytes),
        }
    }
}

/// A log: each event, written at once, is cleaned.
#[derive(Debug)]
pub struct LogWriter<W>(W);

impl<W: Write> LogWriter<W> {
    /// Into a file.
    pub fn new(to: W) -> Self {
        Self(to)
    }
}

/// A log on stderr.
pub fn log() -> LogWriter<io::Stderr> {
    LogWriter(io::stderr())
}

impl<W: Write> Write for LogWriter<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        self.0.write_all(clean::lines(&without_passwords(&text)).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A panic says where and what, cleaned like any other text: its message may quote a server or hold a password.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("unnamed").to_owned();
        let trace = std::backtrace::Backtrace::capture();
        let trace = if trace.status() == std::backtrace::BacktraceStatus::Captured {
            format!("\n{trace}")
        } else {
            String::new()
        };
        let text = format!("midwatch: thread {name}: {info}{trace}\n");
        let _ = Stream::Err.write(&without_passwords(&text), false);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_the_log_is_cleaned() {
        let mut log = LogWriter::new(Vec::new());
        let event = "WARN \x1b]0;x\x07 postgres://u:s3cret@h/d PGPASSWORD=s3cret\n";
        log.write_all(event.as_bytes()).unwrap();
        let text = String::from_utf8(log.0).unwrap();
        assert_eq!(text, "WARN \u{fffd}]0;x\u{fffd} postgres://u:***@h/d PGPASSWORD=***\n");
    }
}
