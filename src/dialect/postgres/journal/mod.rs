//! The journal in PostgreSQL: schema `midwatch`, the files that make it, and the statements that read and append.

pub(super) mod append;
pub(super) mod digests;
pub(super) mod entries;
pub mod install;
pub mod objects;
pub(super) mod rows;
pub(super) mod runs;
pub(super) mod state;
