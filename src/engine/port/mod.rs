//! What the engine needs from outside, as traits: the dialect of a target, its reader and writer, runners of tasks, and
//! the operator's machine (files, state, journal copy, backups, hooks). They are traits because the engine does no I/O
//! and tests replace them. Nothing here has a statement of its own.

pub mod adapters;
pub mod backups;
pub mod catalog;
pub mod clock;
pub mod compare_sql;
pub mod copies;
pub mod dialect;
pub mod driver;
pub mod files;
pub mod hooks;
pub mod journal_copy;
pub mod journal_sql;
pub mod lookup;
pub mod name_changes;
pub mod read_tx;
pub mod reader;
pub mod row_sql;
pub mod runner;
pub mod signer;
pub mod spools;
pub mod state;
pub mod writer;
