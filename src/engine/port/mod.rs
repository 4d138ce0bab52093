//! What the engine needs from outside, as traits.

pub mod backups;
pub mod catalog;
pub mod copies;
pub mod dialect;
pub mod evidence;
pub mod files;
pub mod hooks;
pub mod journal_copy;
pub mod journal_sql;
pub mod reader;
pub mod row_sql;
pub mod signer;
pub mod spools;
pub mod stage;
pub mod writer;
