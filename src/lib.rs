//! midwatch: a terminal console for database maintenance windows.
//!
//! ```text
//! engine ← {dialect ← sandbox, store, profile, report, features} ← {cli, tui} ← compose, main
//! ```
//!
//! - [`engine`]: plans, gate, runs, journal; knows no driver, no terminal, no clock.
//! - [`dialect`]: the only module that knows a database driver. Its reader sessions cannot write.
//! - [`features`]: a folder per feature, each with its checks, its operations and its own SQL.
//! - [`profile`]: configuration and profiles; a new kind of system is a file, not code.
//! - [`sandbox`]: private throwaway servers, and the demo on them.
//! - [`conninfo`]: connection strings: their syntax, their names, what of them is shown.
//! - [`disk`]: files and directories that are written for the operator.
//! - [`stdio`]: what leaves for a terminal or a log, cleaned.
//! - [`report`]: results as JSON, text, CSV, Markdown.
//! - [`rehearse`]: a switchover rehearsed with an engine of its own on a copy.
//! - [`cli`] and [`tui`]: two ways to the same engine.
//!
//! Invariants: a read never writes (the server holds every reader transaction read-only); unknown is
//! never ok; nothing is truncated silently; secrets appear nowhere. ARCHITECTURE.md says the rest.

pub mod features;

pub mod cli;
pub mod compose;
pub mod conninfo;
pub mod dialect;
pub mod disk;
pub mod engine;
pub mod launch;
pub mod log;
pub mod profile;
pub mod rehearse;
pub mod report;
pub mod sandbox;
pub mod stdio;
pub mod stop;
pub mod store;
#[cfg(feature = "tui")]
pub mod tui;
