//! What a target allows: limits of runs and the confirmations that it asks for.

use serde::{Deserialize, Serialize};

/// What is allowed, and how gently. `[policy]` and `[targets.NAME.policy]` of the configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the configuration")]
pub struct Policy {
    /// Minutes after which a plan is applied no more.
    pub plan_ttl_min: u32,
    /// Apply plans that another installation has made? Whether they were edited is known of trusted keys only.
    pub accept_foreign_plans: bool,
    /// Go on although the journal's copy on this machine cannot be written?
    pub allow_without_copy: bool,
    /// May irreversible work on production be done without the console?
    pub headless_irreversible: bool,
    /// Seconds that irreversible work on production must be read before it can be confirmed.
    pub reading_delay_s: u32,
    /// Go on although a replica's lag cannot be read?
    pub allow_unknown_lag: bool,
    /// Go on although the sessions of other roles cannot be seen?
    pub allow_unknown_load: bool,
    /// Batches wait while a replica is further behind (milliseconds).
    pub max_replica_lag_ms: u64,
    /// Batches wait while a replica is further behind (megabytes of log).
    pub max_replica_lag_mb: u64,
    /// Batches wait while more sessions than this are at work.
    pub max_active_sessions: u32,
    /// Batches wait while more sessions than this wait for a lock.
    pub max_lock_waits: u32,
    /// A batch that takes longer is followed by a smaller one (milliseconds).
    pub batch_ms: u64,
    /// Rows of a batch at most.
    pub batch_rows: u64,
    /// How long a batch waits for a lock before it lets go and tries again (milliseconds).
    pub lock_timeout_ms: u64,
    /// Attempts for one batch, or for the statements of one step.
    pub lock_attempts: u32,
    /// A batch, or the statements of a step, that take longer are rolled back (milliseconds).
    pub statement_timeout_ms: u64,
    /// The same of a batch that passes a guard which keeps all other writers of its table out (milliseconds).
    pub guard_off_ms: u64,
    /// How long a run waits for a server that is gone to come back (seconds).
    pub reconnect_s: u32,
    /// How long a server may say nothing, not even to another session, before what waits for it ends (seconds).
    pub silence_s: u32,
}

impl Policy {
    /// A number that is 0 and must not be: to a server it would be no limit at all, to a run no work.
    pub fn zero(&self) -> Option<&'static str> {
        let numbers = [
            ("batch_ms", self.batch_ms),
            ("batch_rows", self.batch_rows),
            ("lock_timeout_ms", self.lock_timeout_ms),
            ("lock_attempts", u64::from(self.lock_attempts)),
            ("statement_timeout_ms", self.statement_timeout_ms),
            ("guard_off_ms", self.guard_off_ms),
            ("silence_s", u64::from(self.silence_s)),
        ];
        numbers.into_iter().find(|(_, n)| *n == 0).map(|(name, _)| name)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            plan_ttl_min: 15,
            accept_foreign_plans: false,
            allow_without_copy: false,
            headless_irreversible: false,
            reading_delay_s: 10,
            allow_unknown_lag: false,
            allow_unknown_load: false,
            max_replica_lag_ms: 1_000,
            max_replica_lag_mb: 64,
            max_active_sessions: 64,
            max_lock_waits: 5,
            batch_ms: 250,
            batch_rows: 5_000,
            lock_timeout_ms: 200,
            lock_attempts: 12,
            statement_timeout_ms: 60_000,
            guard_off_ms: 5_000,
            reconnect_s: 30,
            silence_s: 15,
        }
    }
}
