//! Numbers as the protocol carries them: 64 bits with a sign.

use crate::engine::model::error::{Error, Result};
use std::time::Instant;

/// A run's number, as the journal counts.
pub(super) fn number(run: &str) -> Result<i64> {
    run.parse().map_err(|_| Error::usage(format!("{run} is no number of a run")))
}

pub(super) fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

pub(super) fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
