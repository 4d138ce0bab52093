//! What the migrations check found, as its pane and plans read it.

use crate::features::migrations::finding_kind::MigrationFinding;
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

fn none<T: Default + PartialEq>(count: &T) -> bool {
    *count == T::default()
}

/// The facts of a folder. A kind of finding that was not made has no field in JSON.
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
    /// Files edited in blanks or comments only.
    #[serde(default, skip_serializing_if = "none")]
    pub cosmetic: u64,
    /// Files that are copies of others.
    #[serde(default, skip_serializing_if = "none")]
    pub duplicate_copy: u64,
    /// Pairs of files with one number.
    #[serde(default, skip_serializing_if = "none")]
    pub duplicate_number: u64,
    /// Files edited since they were applied.
    #[serde(default, skip_serializing_if = "none")]
    pub edited: u64,
    /// Files recorded as failed half-way.
    #[serde(default, skip_serializing_if = "none")]
    pub failed: u64,
    /// Places where numbers are missing.
    #[serde(default, skip_serializing_if = "none")]
    pub gap: u64,
    /// History entries without a file.
    #[serde(default, skip_serializing_if = "none")]
    pub missing_file: u64,
    /// Pending files older than an applied one.
    #[serde(default, skip_serializing_if = "none")]
    pub out_of_order: u64,
    /// Files of whose work a part is in the database.
    #[serde(default, skip_serializing_if = "none")]
    pub partial: u64,
    /// Files whose work is in the database, but not in the history.
    #[serde(default, skip_serializing_if = "none")]
    pub present_but_unrecorded: u64,
    /// Files in the history whose work is not in the database.
    #[serde(default, skip_serializing_if = "none")]
    pub recorded_but_absent: u64,
    /// Every file in order.
    pub files: Vec<File>,
}

impl MigrationFacts {
    /// Sets the number of findings of a kind.
    pub(crate) fn count(&mut self, kind: MigrationFinding, findings: u64) {
        *match kind {
            MigrationFinding::Cosmetic => &mut self.cosmetic,
            MigrationFinding::DuplicateCopy => &mut self.duplicate_copy,
            MigrationFinding::DuplicateNumber => &mut self.duplicate_number,
            MigrationFinding::Edited => &mut self.edited,
            MigrationFinding::Failed => &mut self.failed,
            MigrationFinding::Gap => &mut self.gap,
            MigrationFinding::MissingFile => &mut self.missing_file,
            MigrationFinding::OutOfOrder => &mut self.out_of_order,
            MigrationFinding::Partial => &mut self.partial,
            MigrationFinding::PresentButUnrecorded => &mut self.present_but_unrecorded,
            MigrationFinding::RecordedButAbsent => &mut self.recorded_but_absent,
            // Files that are pending have been counted one by one; an index is no file.
            MigrationFinding::Pending | MigrationFinding::InvalidIndex => return,
        } = findings;
    }

    /// The facts in a report of this check; `None`: it is of another kind, or nothing was observed.
    pub fn from_report(report: &Report) -> Option<Self> {
        if report.id.kind != KIND {
            return None;
        }
        serde_json::from_value(report.facts.clone()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Byte for byte what earlier versions wrote, who kept the counts in a map among the fields.
    #[test]
    fn the_facts_keep_their_text() {
        let mut facts = MigrationFacts {
            applied: 2,
            pending: 1,
            history: "nobody".into(),
            cannot_tell: vec!["when".into()],
            ..MigrationFacts::default()
        };
        let head = r#"{"applied":2,"pending":1,"history":"nobody","cannot_tell":["when"]"#;
        assert_eq!(serde_json::to_string(&facts).unwrap(), format!("{head}{}", r#","files":[]}"#));
        facts.count(MigrationFinding::Pending, 1);
        facts.count(MigrationFinding::RecordedButAbsent, 3);
        facts.count(MigrationFinding::Edited, 1);
        let text = format!("{head}{}", r#","edited":1,"recorded_but_absent":3,"files":[]}"#);
        assert_eq!(serde_json::to_string(&facts).unwrap(), text);
        assert_eq!(serde_json::from_str::<MigrationFacts>(&text).unwrap(), facts);
    }

    #[test]
    fn every_kind_has_a_fact_of_its_name() {
        use crate::features::migrations::finding_kind::MigrationFinding as F;
        let all: Vec<_> = F::ALL.iter().copied().filter(|k| *k != F::InvalidIndex).collect();
        let mut facts = MigrationFacts::default();
        for (n, kind) in (1..).zip(all.iter().copied()) {
            facts.count(kind, n);
            let value = serde_json::to_value(&facts).unwrap();
            let told = if kind == F::Pending { Some(0) } else { Some(n) };
            assert_eq!(value[kind.word()].as_u64(), told, "{kind:?}");
        }
        // The map had them by name.
        assert!(all.windows(2).all(|w| w[0].word() < w[1].word() && w[0] < w[1]));
        let keys: Vec<_> =
            serde_json::to_value(&facts).unwrap().as_object().unwrap().keys().cloned().collect();
        let counts: Vec<_> = all.iter().map(|k| k.word()).filter(|n| *n != "pending").collect();
        assert_eq!(keys[4..keys.len() - 1], counts);
    }
}
