//! What the queue check found, as its pane and plans read it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::engine::model::report::Report;

/// The kind of this feature's check.
pub const KIND: &str = "queue";

/// A group of failures with one normalised message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailureGroup {
    /// Short digest of code, normalised message and class: identifies the group.
    pub id: String,
    /// Code and normalised message.
    pub fingerprint: String,
    /// `permanent` (trying again is pointless) or `retryable`.
    pub class: String,
    /// The error's code.
    pub code: Option<String>,
    /// How many.
    pub rows: u64,
    /// Of these, how many have used all attempts.
    pub exhausted: u64,
    /// First tried.
    pub first: Option<DateTime<Utc>>,
    /// Last tried.
    pub last: Option<DateTime<Utc>>,
    /// Failures per tenth of the last hour, oldest first.
    pub recent: Vec<u64>,
}

/// The facts of a queue.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct QueueFacts {
    /// Rows by state.
    pub states: BTreeMap<String, u64>,
    /// Failures by cause, most rows first.
    pub failed: Vec<FailureGroup>,
    /// Number of causes, of which `failed` lists the first.
    pub causes: u64,
    /// Rows that wait without a job; null: not known.
    pub lost: Option<u64>,
    /// Jobs whose row does not exist; null: not known.
    pub ghost: Option<u64>,
    /// Rows with several live jobs; null: not known.
    pub duplicate: Option<u64>,
    /// Failed rows without any job; null: not known.
    pub silent: Option<u64>,
    /// Why the four are null.
    pub jobs_unknown: Option<String>,
    /// Age of the oldest waiting row.
    pub oldest_pending_s: Option<f64>,
    /// Median age of waiting rows.
    pub age_p50_s: Option<f64>,
    /// 95th percentile of the age of waiting rows.
    pub age_p95_s: Option<f64>,
    /// Rows that wait longer than the profile's `late_after_s`.
    pub late: u64,
    /// In progress for longer than the profile's `stuck_after_s`.
    pub stuck: u64,
    /// Failed with all attempts used.
    pub exhausted: u64,
    /// Days flagged with an error.
    pub sync_error_days: Option<u64>,
    /// Rows that came per minute of the last half hour, oldest first.
    pub arrived: Vec<u64>,
    /// Rows finished per minute of the last half hour; only of those that came within a day, so one that
    /// waited for longer is not in it.
    pub finished: Vec<u64>,
}

impl FailureGroup {
    /// The class of failures that trying again does not help.
    pub const PERMANENT: &'static str = "permanent";

    /// Is trying again pointless?
    pub fn is_permanent(&self) -> bool {
        self.class == Self::PERMANENT
    }
}

impl QueueFacts {
    /// The facts in a report of this check; `None`: it is of another kind, or nothing was observed.
    pub fn from_report(report: &Report) -> Option<Self> {
        if report.id.kind != KIND {
            return None;
        }
        serde_json::from_value(report.facts.clone()).ok()
    }
}
