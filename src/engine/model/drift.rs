//! Rows that changed after planning.

use crate::engine::model::diff::PlannedRow;

use serde::Serialize;

/// Differences that are told one by one; the total is always told.
pub const TOLD: usize = 1_000;

/// A row that is not as planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DriftedRow {
    /// `gone`, `new` or `changed`.
    pub what: &'static str,
    /// As planned.
    pub planned: Option<PlannedRow>,
    /// As a plan made now would have it.
    pub now: Option<PlannedRow>,
}

/// Everything that has moved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PlanDrift {
    /// Rows, the first of them.
    pub rows: Vec<DriftedRow>,
    /// All rows that have moved.
    pub total: u64,
    /// Other parts of the plan.
    pub parts: Vec<String>,
}

impl PlanDrift {
    /// Nothing has.
    pub fn is_empty(&self) -> bool {
        self.total == 0 && self.parts.is_empty()
    }
}

impl DriftedRow {
    /// In one line.
    pub fn text(&self) -> String {
        match (&self.planned, &self.now) {
            (Some(p), None) => {
                format!("{}: planned {}, no longer to be changed", p.key_text(), p.change_text())
            }
            (None, Some(n)) => format!("{}: not planned, now {}", n.key_text(), n.change_text()),
            (Some(p), Some(n)) => {
                format!("{}: planned {}, now {}", p.key_text(), p.change_text(), n.change_text())
            }
            (None, None) => String::new(),
        }
    }
}

impl PlanDrift {
    /// One more; it is only looked up where it is told.
    pub(in crate::engine) fn add<E>(&mut self, pair: impl FnOnce() -> Result<Pair, E>) -> Result<(), E> {
        self.total += 1;
        if self.rows.len() < TOLD {
            let (planned, now) = pair()?;
            let what = match (&planned, &now) {
                (Some(_), None) => "gone",
                (None, _) => "new",
                _ => "changed",
            };
            self.rows.push(DriftedRow { what, planned, now });
        }
        Ok(())
    }
}

/// As planned, and as it would be planned now.
pub(in crate::engine) type Pair = (Option<PlannedRow>, Option<PlannedRow>);
