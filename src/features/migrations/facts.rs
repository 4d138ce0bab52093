//! What the migrations check found, as its pane and plans read it.

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

/// A kind of finding about files, by its name in findings and facts: in the order of these names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FileFinding {
    Cosmetic,
    DuplicateCopy,
    DuplicateNumber,
    Edited,
    Failed,
    Gap,
    MissingFile,
    OutOfOrder,
    Partial,
    Pending,
    PresentButUnrecorded,
    RecordedButAbsent,
}

impl FileFinding {
    /// As in the finding's id and in the facts.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cosmetic => "cosmetic",
            Self::DuplicateCopy => "duplicate_copy",
            Self::DuplicateNumber => "duplicate_number",
            Self::Edited => "edited",
            Self::Failed => "failed",
            Self::Gap => "gap",
            Self::MissingFile => "missing_file",
            Self::OutOfOrder => "out_of_order",
            Self::Partial => "partial",
            Self::Pending => "pending",
            Self::PresentButUnrecorded => "present_but_unrecorded",
            Self::RecordedButAbsent => "recorded_but_absent",
        }
    }
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
    pub(crate) fn count(&mut self, kind: FileFinding, findings: u64) {
        *match kind {
            FileFinding::Cosmetic => &mut self.cosmetic,
            FileFinding::DuplicateCopy => &mut self.duplicate_copy,
            FileFinding::DuplicateNumber => &mut self.duplicate_number,
            FileFinding::Edited => &mut self.edited,
            FileFinding::Failed => &mut self.failed,
            FileFinding::Gap => &mut self.gap,
            FileFinding::MissingFile => &mut self.missing_file,
            FileFinding::OutOfOrder => &mut self.out_of_order,
            FileFinding::Partial => &mut self.partial,
            FileFinding::PresentButUnrecorded => &mut self.present_but_unrecorded,
            FileFinding::RecordedButAbsent => &mut self.recorded_but_absent,
            // The files that are pending have been counted one by one.
            FileFinding::Pending => return,
        } = findings;
    }

    /// The facts in a report of this check; `None` where nothing was observed.
    pub fn of(report: &Report) -> Option<Self> {
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
        facts.count(FileFinding::Pending, 1);
        facts.count(FileFinding::RecordedButAbsent, 3);
        facts.count(FileFinding::Edited, 1);
        let text = format!("{head}{}", r#","edited":1,"recorded_but_absent":3,"files":[]}"#);
        assert_eq!(serde_json::to_string(&facts).unwrap(), text);
        assert_eq!(serde_json::from_str::<MigrationFacts>(&text).unwrap(), facts);
    }

    #[test]
    fn every_kind_has_a_fact_of_its_name() {
        use FileFinding as F;
        let all = [
            F::Cosmetic,
            F::DuplicateCopy,
            F::DuplicateNumber,
            F::Edited,
            F::Failed,
            F::Gap,
            F::MissingFile,
            F::OutOfOrder,
            F::Partial,
            F::Pending,
            F::PresentButUnrecorded,
            F::RecordedButAbsent,
        ];
        let mut facts = MigrationFacts::default();
        for (n, kind) in (1..).zip(all) {
            facts.count(kind, n);
            let value = serde_json::to_value(&facts).unwrap();
            let told = if kind == F::Pending { Some(0) } else { Some(n) };
            assert_eq!(value[kind.name()].as_u64(), told, "{kind:?}");
        }
        // The map had them by name.
        assert!(all.windows(2).all(|w| w[0].name() < w[1].name() && w[0] < w[1]));
        let keys: Vec<_> =
            serde_json::to_value(&facts).unwrap().as_object().unwrap().keys().cloned().collect();
        let counts: Vec<_> = all.iter().map(|k| k.name()).filter(|n| *n != "pending").collect();
        assert_eq!(keys[4..keys.len() - 1], counts);
    }
}
