//! What a finding on migrations is about: the one place that knows the words in the ids of findings.

use crate::engine::model::report::Finding;

/// What a finding is about. In the order of their words: so they are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MigrationFinding {
    /// Blanks or comments changed since.
    Cosmetic,
    /// A copy of another file.
    DuplicateCopy,
    /// Two files with one number.
    DuplicateNumber,
    /// Changed since.
    Edited,
    /// Recorded as failed.
    Failed,
    /// Numbers are missing.
    Gap,
    /// An index that counts for nothing.
    InvalidIndex,
    /// Recorded, and the file is gone.
    MissingFile,
    /// Pending, though later ones are applied.
    OutOfOrder,
    /// In part in the database.
    Partial,
    /// Not applied.
    Pending,
    /// In the database, not recorded.
    PresentButUnrecorded,
    /// Recorded, not in the database.
    RecordedButAbsent,
}

impl MigrationFinding {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::Cosmetic,
        Self::DuplicateCopy,
        Self::DuplicateNumber,
        Self::Edited,
        Self::Failed,
        Self::Gap,
        Self::InvalidIndex,
        Self::MissingFile,
        Self::OutOfOrder,
        Self::Partial,
        Self::Pending,
        Self::PresentButUnrecorded,
        Self::RecordedButAbsent,
    ];

    /// Its word in ids.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cosmetic => "cosmetic",
            Self::DuplicateCopy => "duplicate_copy",
            Self::DuplicateNumber => "duplicate_number",
            Self::Edited => "edited",
            Self::Failed => "failed",
            Self::Gap => "gap",
            Self::InvalidIndex => "invalid_index",
            Self::MissingFile => "missing_file",
            Self::OutOfOrder => "out_of_order",
            Self::Partial => "partial",
            Self::Pending => "pending",
            Self::PresentButUnrecorded => "present_but_unrecorded",
            Self::RecordedButAbsent => "recorded_but_absent",
        }
    }

    /// The kind of a finding, with the object that it is about, if any.
    pub fn from_finding(finding: &Finding) -> Option<(Self, Option<&str>)> {
        let what = finding.what();
        let (word, object) = what.split_once('/').map_or((what, None), |(word, object)| (word, Some(object)));
        Self::ALL.iter().copied().find(|k| k.word() == word).map(|kind| (kind, object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::report::Severity;

    #[test]
    fn a_kind_is_read_back_and_stands_in_the_order_of_its_word() {
        let mut words: Vec<_> = MigrationFinding::ALL.iter().map(|k| k.word()).collect();
        let finding = |what: &str| Finding {
            id: format!("migrations/main/{what}"),
            severity: Severity::Info,
            message: String::new(),
            title: None,
            rows: None,
            sample: vec![],
        };
        for kind in MigrationFinding::ALL {
            assert_eq!(MigrationFinding::from_finding(&finding(kind.word())), Some((*kind, None)));
        }
        assert_eq!(
            MigrationFinding::from_finding(&finding("invalid_index/a/b")),
            Some((MigrationFinding::InvalidIndex, Some("a/b")))
        );
        let listed = words.clone();
        words.sort_unstable();
        assert_eq!(words, listed);
        assert!(MigrationFinding::ALL.is_sorted());
    }
}
