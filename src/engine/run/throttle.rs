//! How fast a run may go: signals of the server's other users, and what a batch does about them.

use crate::engine::model::load::ServerLoad;

use crate::engine::model::policy::Policy;

/// What the next batch does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Goes on.
    Go,
    /// Goes on with fewer rows, because of this.
    Smaller(String),
    /// Waits, because of this.
    Hold(String),
}

/// The size of batches over a run.
#[derive(Debug, Clone)]
pub struct BatchSizer {
    rows: u64,
    most: u64,
    least: u64,
    slow: Option<String>,
}

/// Rows of the first batch: what it costs is not known yet.
const FIRST: u64 = 500;
const LEAST: u64 = 10;

impl BatchSizer {
    /// From a policy; a canary sets the first size.
    pub fn new(policy: &Policy, canary: Option<u64>) -> Self {
        let most = policy.batch_rows.max(1);
        let rows = canary.unwrap_or(FIRST).clamp(1, most);
        Self { rows, most, least: LEAST.min(rows), slow: None }
    }

    /// Rows of the next batch.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Judges the moment. Over a limit a batch waits; over half of it batches get smaller.
    pub fn judge(&mut self, p: &ServerLoad, policy: &Policy) -> Verdict {
        if p.unreadable > 0 && !policy.allow_unknown_lag {
            return Verdict::Hold(format!("the lag of a replica cannot be read (grant {})", p.lag_needs));
        }
        if !p.sees_all && !policy.allow_unknown_load {
            return Verdict::Hold(format!(
                "the sessions of other roles cannot be seen (grant {})",
                p.sessions_need
            ));
        }
        if let Some(why) = &p.endless {
            return Verdict::Hold(why.clone());
        }
        let megabytes = |b: f64| b / 1_048_576.0;
        #[expect(clippy::cast_precision_loss, reason = "limits are small numbers")]
        let signals = [
            (p.lag_ms, policy.max_replica_lag_ms as f64, "replica lag", "ms"),
            (p.lag_bytes.map(megabytes), policy.max_replica_lag_mb as f64, "replica behind by", "MB"),
            (Some(f64::from(p.active)), f64::from(policy.max_active_sessions), "active sessions", ""),
            (
                Some(f64::from(p.lock_waits)),
                f64::from(policy.max_lock_waits),
                "sessions waiting for locks",
                "",
            ),
        ];
        let mut smaller = None;
        for (value, limit, what, unit) in signals {
            let Some(value) = value else { continue };
            let text = format!(
                "{what} {value:.0}{}{unit} (limit {limit:.0})",
                if unit.is_empty() { "" } else { " " }
            );
            if value > limit {
                return Verdict::Hold(text);
            }
            if value > limit / 2.0 && value >= 1.0 {
                smaller.get_or_insert(text);
            }
        }
        match smaller.or_else(|| self.slow.take()) {
            Some(why) => {
                self.shrink();
                Verdict::Smaller(why)
            }
            None => Verdict::Go,
        }
    }

    /// A batch has taken so long.
    pub fn took(&mut self, ms: u64, policy: &Policy) {
        if ms > policy.batch_ms.saturating_mul(2) {
            self.slow = Some(format!("the last batch took {ms} ms (wanted: {})", policy.batch_ms));
        } else if ms > policy.batch_ms {
            self.rows = (self.rows * 3 / 4).max(self.least);
        } else if ms < policy.batch_ms / 2 {
            self.rows = (self.rows * 2).min(self.most);
        }
    }

    /// Half as many, of a batch that must become short; false: it has one row already.
    pub fn shorten(&mut self) -> bool {
        let half = self.rows / 2;
        if half > 0 {
            (self.rows, self.least) = (half, self.least.min(half));
        }
        half > 0
    }

    /// Half as many.
    pub fn shrink(&mut self) {
        self.rows = (self.rows / 2).max(self.least);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        Policy { max_active_sessions: 10, max_lock_waits: 4, ..Policy::default() }
    }

    #[test]
    fn each_signal_holds_and_is_named() {
        let cases = [
            (
                ServerLoad { replicas: 1, lag_ms: Some(1_500.0), sees_all: true, ..ServerLoad::default() },
                "replica lag 1500 ms (limit 1000)",
            ),
            (
                ServerLoad {
                    replicas: 1,
                    lag_bytes: Some(70.0 * 1_048_576.0),
                    sees_all: true,
                    ..ServerLoad::default()
                },
                "replica behind by 70 MB (limit 64)",
            ),
            (
                ServerLoad { active: 11, sees_all: true, ..ServerLoad::default() },
                "active sessions 11 (limit 10)",
            ),
            (
                ServerLoad { lock_waits: 5, sees_all: true, ..ServerLoad::default() },
                "sessions waiting for locks 5 (limit 4)",
            ),
        ];
        for (pressure, why) in cases {
            assert_eq!(
                BatchSizer::new(&policy(), None).judge(&pressure, &policy()),
                Verdict::Hold(why.into())
            );
        }
    }

    #[test]
    fn unknown_lag_holds_unless_allowed() {
        let lag_needs = "REPLICATION CLIENT";
        let p = ServerLoad { replicas: 1, unreadable: 1, sees_all: true, lag_needs, ..ServerLoad::default() };
        let why = "the lag of a replica cannot be read (grant REPLICATION CLIENT)";
        assert_eq!(BatchSizer::new(&policy(), None).judge(&p, &policy()), Verdict::Hold(why.into()));
        let lax = Policy { allow_unknown_lag: true, ..policy() };
        assert_eq!(BatchSizer::new(&lax, None).judge(&p, &lax), Verdict::Go);
    }

    #[test]
    fn half_a_limit_and_slow_batches_shrink() {
        let mut pace = BatchSizer::new(&policy(), None);
        let busy = ServerLoad { active: 6, sees_all: true, ..ServerLoad::default() };
        assert_eq!(pace.judge(&busy, &policy()), Verdict::Smaller("active sessions 6 (limit 10)".into()));
        assert_eq!(pace.rows(), 250);
        pace.took(2_000, &policy());
        assert!(
            matches!(pace.judge(&ServerLoad { sees_all: true, ..ServerLoad::default() }, &policy()), Verdict::Smaller(why) if why.contains("2000 ms"))
        );
        assert_eq!(pace.rows(), 125);
        pace.took(20, &policy());
        assert_eq!(
            (pace.judge(&ServerLoad { sees_all: true, ..ServerLoad::default() }, &policy()), pace.rows()),
            (Verdict::Go, 250)
        );
    }

    #[test]
    fn a_canary_comes_first_and_sizes_stay_within_bounds() {
        let mut pace = BatchSizer::new(&policy(), Some(3));
        assert_eq!(pace.rows(), 3);
        (0..20).for_each(|_| pace.took(1, &policy()));
        assert_eq!(pace.rows(), policy().batch_rows);
        (0..20).for_each(|_| pace.shrink());
        assert_eq!(pace.rows(), 3);
        assert_eq!([pace.shorten(), pace.shorten(), pace.rows() == 1], [true, false, true]);
    }

    #[test]
    fn a_commit_that_waits_for_a_standby_that_is_not_there_is_not_begun() {
        let endless = Some("no commit ends".to_owned());
        let p = ServerLoad { endless, sees_all: true, ..ServerLoad::default() };
        let mut pace = BatchSizer::new(&policy(), None);
        assert_eq!(pace.judge(&p, &policy()), Verdict::Hold("no commit ends".into()));
    }
}
