//! What the engine needs from outside, as traits.

pub mod adapters;
pub mod backups;
pub mod catalog;
pub mod clock;
pub mod copies;
pub mod dialect;
pub mod evidence;
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
pub mod writer;
