//! The journal in PostgreSQL: schema `midwatch`, its files, and the statements that read it.

pub(super) mod append;
pub(super) mod entries;
pub mod install;
pub(super) mod runs;
pub(super) mod state;
