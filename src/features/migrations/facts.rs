//! What the migrations check found, as its pane and plans read it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::model::report::Report;

/// The kind of this feature's check.
pub const KIND: &str = "migrations";

/// What is known of a migration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileState {
    /// Its work is in the database.
    Applied,
    /// Its work is not.
    Pending,
    /// Applied, and its text was changed since.
    Edited,
    /// Applied, and blanks or comments were changed since.
    Cosmetic,
    /// Part of its work is in the database.
    Partial,
    /// Its tool recorded a failure.
    Failed,
    /// Recorded as applied; there is no such file.
    Missing,
    /// Not known.
    Unknown,
}

impl FileState {
    /// For people, and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Pending => "pending",
            Self::Edited => "edited",
            Self::Cosmetic => "cosmetic",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        }
    }
}

/// A migration file, or a history entry without one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its name.
    #[serde(rename = "file")]
    pub name: String,
    /// Whether its work is in the database.
    pub state: FileState,
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
    /// The facts in a report of this check; `None`: it is of another kind, or nothing was observed.
    pub fn of(report: &Report) -> Option<Self> {
        if report.id.kind != KIND {
            return None;
        }
        serde_json::from_value(report.facts.clone()).ok()
    }
}
