//! midwatch: a terminal console for database maintenance windows.
//!
//! ```text
//! engine ← {db, sandbox, checks, profile, report} ← {cli, tui} ← compose, main
//! ```
//!
//! - [`engine`]: pure shapes and rules; knows no driver, no terminal, no clock.
//! - [`db`]: the only module that knows the database driver. Its reader sessions cannot write.
//! - [`checks`]: one kind of read-only check per file, registered in [`checks::ALL`].
//! - [`profile`]: configuration and profiles; a new kind of system is a file, not code.
//! - [`sandbox`]: private throwaway servers, and the demo on them.
//! - [`report`]: results as JSON, text, CSV, Markdown.
//! - [`rehearse`]: a switchover played through, with an engine of its own on a copy.
//! - [`cli`] and [`tui`]: two ways to the same engine.
//!
//! Invariants: a read never writes (the server holds every reader transaction read-only); unknown is
//! never ok; nothing is truncated silently; secrets appear nowhere. ARCHITECTURE.md says the rest.

pub mod checks;
pub mod cli;
pub mod compose;
pub mod dialect;
pub mod engine;
pub mod launch;
pub mod ops;
pub mod profile;
pub mod rehearse;
pub mod report;
pub mod sandbox;
pub mod store;
#[cfg(feature = "tui")]
pub mod tui;
