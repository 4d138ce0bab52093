//! What the migrations check found, as its pane and plans read it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::model::report::Report;

/// A migration file, or a history entry without one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its name.
    #[serde(rename = "file")]
    pub name: String,
    /// `applied`, `pending`, `edited`, `cosmetic`, `partial`, `failed`, `missing`, `unknown`.
    pub state: String,
    /// When it was applied, where the history knows.
    pub applied_at: Option<String>,
    /// What else is to be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The facts of a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationFacts {
    /// Files whose work is in the database.
    pub applied: u64,
    /// Files whose work is not.
    pub pending: u64,
    /// Who wrote down what was applied.
    pub history: String,
    /// What this history cannot tell.
    pub cannot_tell: Vec<String>,
    /// Findings by kind.
    #[serde(flatten)]
    pub counts: BTreeMap<String, u64>,
    /// Every file in order.
    pub files: Vec<File>,
}

impl MigrationFacts {
    /// The facts in a report of this check; `None` where nothing was observed.
    pub fn of(report: &Report) -> Option<Self> {
        serde_json::from_value(report.facts.clone()).ok()
    }
}
