//! What is left to a transaction that others wait for.

use std::time::{Duration, Instant};

use crate::dialect::postgres::numbers::millis;

/// What a session may do after its budget before the server ends it.
pub(super) const GRACE: Duration = Duration::from_secs(1);
/// So much longer than what is left the limit on the server may be: to renew it costs a round trip.
const SLACK: Duration = Duration::from_millis(250);

/// What is left to a transaction.
pub(super) struct Budget {
    whole: Duration,
    since: Instant,
    /// When the server was last told.
    told: Instant,
}

impl Budget {
    pub(super) fn new(ms: u64) -> Self {
        let now = Instant::now();
        Self { whole: Duration::from_millis(ms), since: now, told: now }
    }

    /// The server's limit is near enough to what is left.
    pub(super) fn is_told(&self) -> bool {
        self.told.elapsed() < SLACK
    }

    /// What is left now, in milliseconds, for the server.
    pub(super) fn renew(&mut self) -> u64 {
        self.told = Instant::now();
        self.whole_ms().saturating_sub(millis(self.since))
    }

    /// Nothing is left.
    pub(super) fn is_spent(&self) -> bool {
        self.since.elapsed() >= self.whole
    }

    pub(super) fn whole_ms(&self) -> u64 {
        u64::try_from(self.whole.as_millis()).unwrap_or(u64::MAX)
    }
}
