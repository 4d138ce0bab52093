//! What is reported of a rule.

use serde::{Deserialize, Serialize};

use crate::engine::model::report::Report;

/// The kind of this feature's check.
pub const KIND: &str = "anomalies";

/// What is known of a rule's rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnomalyFacts {
    /// Rows that break the rule, all of them.
    pub rows: u64,
}

impl AnomalyFacts {
    /// The facts of a report of this check; `None`: it is of another kind, or has none.
    pub fn from_report(report: &Report) -> Option<Self> {
        if report.id.kind != KIND {
            return None;
        }
        Self::deserialize(&report.facts).ok()
    }
}
