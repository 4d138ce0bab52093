//! A queue of work in a table: its health, its failures, and what brings rows back to work.

pub mod check;
pub(crate) mod postgres;
pub(crate) mod requeue;
pub(crate) mod resolve;
