//! Commands of the operator's that a run starts.

use crate::engine::model::error::Result;
use crate::engine::model::task::Hook;
use crate::engine::port::reader::Fut;

/// How a command ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code; absent: it was ended.
    pub code: Option<i32>,
    /// The end of what it said.
    pub output: String,
}

/// Runs commands on the operator's machine.
pub trait Hooks: Send + Sync {
    /// Runs one, and ends it when its time is over.
    fn run<'a>(&'a self, hook: &'a Hook) -> Fut<'a, Result<Ran>>;
}
