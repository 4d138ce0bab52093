//! A queue of work in a table: its health, its failures, and what brings rows back to work.

pub mod check;
mod dialects;
pub mod facts;
mod postgres;
pub(crate) mod requeue;
pub(crate) mod resolve;
pub(crate) mod selection;
mod sql;
pub mod verdicts;
