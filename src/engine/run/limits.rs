//! Numbers that several files of a run share.

use std::time::Duration;

/// From here on the journal's tables change so much that the server should look at them again.
pub const MANY: u64 = 10_000;

/// How often a held or paused run looks again.
pub const LOOK_AGAIN: Duration = Duration::from_millis(300);
