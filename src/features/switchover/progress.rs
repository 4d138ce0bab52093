//! What a switchover says of itself while it runs, besides what every run says.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::engine::model::progress::Progress;

/// Rows compared so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SwitchoverProgress {
    /// When both sides were last found equal, by the operator's clock (milliseconds).
    pub equal_at: Option<i64>,
    /// Rows written since then, and compared again.
    pub compared: u64,
    /// Comparisons that found rows that differ.
    pub differing: u64,
}

impl SwitchoverProgress {
    /// Of a moment of a run.
    pub fn from_run(progress: &Progress) -> Self {
        Self::deserialize(&progress.detail).unwrap_or_default()
    }

    /// Changes it in a moment of a run.
    pub fn update(progress: &mut Progress, change: impl FnOnce(&mut Self)) {
        let mut this = Self::from_run(progress);
        change(&mut this);
        if let Ok(Value::Object(detail)) = serde_json::to_value(this) {
            progress.detail = detail;
        }
    }
}
