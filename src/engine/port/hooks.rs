//! Commands of the operator's that a run starts.

use crate::engine::model::error::Result;
use serde::{Deserialize, Serialize};

use crate::engine::port::reader::Fut;

/// How a command ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HookResult {
    /// Its exit code; absent: it was ended.
    pub code: Option<i32>,
    /// The end of what it said.
    pub output: String,
}

/// Runs commands on the operator's machine.
pub trait Hooks: Send + Sync {
    /// Runs one, and ends it when its time is over.
    fn run<'a>(&'a self, hook: &'a Hook) -> Fut<'a, Result<HookResult>>;
}

/// A command on the operator's machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// For `sh -c`.
    pub command: String,
    /// Ended after so many seconds.
    pub timeout_s: u64,
    /// Takes back what it has done where what it prepared was not done in the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}
