//! Migration files against the histories of a database and its catalog: which are applied, pending, edited, half-applied.
//! Nothing here runs a migration.

pub mod check;
mod dialects;
pub mod facts;
pub(crate) mod files;
pub mod finding_kind;
pub(crate) mod history;
pub(crate) mod indexes;
pub(crate) mod judge;
mod postgres;
pub(crate) mod presence;
mod sql;
mod texts;
pub mod verdicts;
