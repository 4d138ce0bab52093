//! A queue of work in a table: states, ages and failures, and the operations that requeue or resolve failed rows. A job
//! store beside the table is not read.

pub mod check;
mod dialects;
pub mod facts;
pub mod finding_kind;
mod postgres;
pub(crate) mod requeue;
pub(crate) mod resolve;
pub(crate) mod selection;
mod sql;
mod texts;
pub mod verdicts;
