//! Migration files, what the database has of them, and what it should have.

pub mod check;
mod dialects;
pub mod facts;
pub(crate) mod files;
pub(crate) mod history;
pub(crate) mod indexes;
pub(crate) mod judge;
mod postgres;
pub(crate) mod presence;
mod sql;
pub mod verdicts;
