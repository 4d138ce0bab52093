//! The log: to stderr or a file for commands, to a ring that the console shows, never into the picture.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::{EnvFilter, fmt};

use crate::disk;
use crate::engine::model::clean;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::secret::without_passwords;
use crate::stdio::{self, LogWriter};

/// Lines kept for the console.
const KEPT: usize = 500;

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When, by our clock.
    pub at: chrono::DateTime<chrono::Utc>,
    /// How bad.
    pub level: tracing::Level,
    /// The message with its fields.
    pub text: String,
}

/// The latest lines.
#[derive(Debug, Clone, Default)]
pub struct LogRing(Arc<Mutex<VecDeque<LogLine>>>);

impl LogRing {
    /// The process's ring.
    pub fn global() -> &'static Self {
        static RING: OnceLock<LogRing> = OnceLock::new();
        RING.get_or_init(Self::default)
    }

    /// A copy of its lines, oldest first.
    pub fn lines(&self) -> Vec<LogLine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn push(&self, line: LogLine) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

impl<S: Subscriber> Layer<S> for LogRing {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let text = clean::lines(&without_passwords(&text.0)).into_owned();
        self.push(LogLine { at: chrono::Utc::now(), level: *event.metadata().level(), text });
    }
}

#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        use std::fmt::Write as _;
        let separator = if self.0.is_empty() { "" } else { " " };
        let _ = if field.name() == "message" {
            write!(self.0, "{separator}{value:?}")
        } else {
            write!(self.0, "{separator}{}={value:?}", field.name())
        };
    }
}

/// Begins to log: to `file`, or to stderr for commands; the ring is fed always.
///
/// # Errors
/// The file cannot be opened.
pub fn start(file: Option<&Path>, verbose: u8, console: bool) -> Result<()> {
    let level = match (verbose, console) {
        (0, false) => "midwatch=warn",
        (0 | 1, _) => "midwatch=info",
        _ => "midwatch=debug",
    };
    let filter = EnvFilter::new(level);
    let ring = LogRing::global().clone();
    let registry = tracing_subscriber::registry().with(filter).with(ring);
    let outcome = match file {
        Some(path) => {
            let file = disk::append(path)
                .map_err(|e| Error::usage(format!("failed to open the log file {}: {e}", path.display())))?;
            let layer = fmt::layer().with_ansi(false).with_writer(Mutex::new(LogWriter::new(file)));
            tracing::subscriber::set_global_default(registry.with(layer))
        }
        None if console => tracing::subscriber::set_global_default(registry),
        None => {
            let layer = fmt::layer().with_ansi(false).without_time().with_writer(stdio::log);
            tracing::subscriber::set_global_default(registry.with(layer))
        }
    };
    // A second start in one process (tests) keeps the first subscriber.
    let _ = outcome;
    Ok(())
}
