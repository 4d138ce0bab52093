//! What a finding of the comparison is about: the one place that knows the words in the ids of findings.

use crate::engine::model::report::Finding;
use crate::features::parity::classify::RowDifference;

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingKind {
    /// Rows that differ in one way.
    Rows(RowDifference),
    /// Keys that differ and were not read one by one.
    NotClassified,
    /// Partitions that differ and whose rows were not read.
    PartitionsNotRead,
    /// Rows differ by count and digest; none can be named.
    Digests,
    /// Counts differ.
    Counts,
    /// Rows were not compared.
    NotCompared,
    /// No unique index is behind the key.
    Key,
    /// Both sides have no common key.
    NoKey,
    /// A column that cannot be summed.
    NotSummed,
    /// Sums of a column differ.
    Sums,
    /// Columns that the partitioned table lacks.
    ColumnsMissing,
    /// Columns that only the partitioned table has.
    ColumnsExtra,
    /// Columns of another type.
    ColumnsType,
    /// A sync trigger that does not fire, or in part.
    Trigger,
    /// A sync trigger that writes columns which are not there.
    TriggerColumns,
    /// Writes that no trigger copies.
    Unmirrored,
    /// A sequence behind the rows.
    Sequence,
    /// No partition takes rows of now or of the coming month.
    Coverage,
    /// No partition between two others.
    Gap,
    /// Rows in the default partition.
    DefaultPartition,
    /// Planted differences were not found.
    SelfTest,
}

impl FindingKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::Rows(RowDifference::Different),
        Self::Rows(RowDifference::MissingInPartitioned),
        Self::Rows(RowDifference::MissingInLegacy),
        Self::Rows(RowDifference::Stale),
        Self::Rows(RowDifference::Duplicate),
        Self::NotClassified,
        Self::PartitionsNotRead,
        Self::Digests,
        Self::Counts,
        Self::NotCompared,
        Self::Key,
        Self::NoKey,
        Self::NotSummed,
        Self::Sums,
        Self::ColumnsMissing,
        Self::ColumnsExtra,
        Self::ColumnsType,
        Self::Trigger,
        Self::TriggerColumns,
        Self::Unmirrored,
        Self::Sequence,
        Self::Coverage,
        Self::Gap,
        Self::DefaultPartition,
        Self::SelfTest,
    ];

    /// Its word in ids.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rows(class) => class.word(),
            Self::NotClassified => "not_classified",
            Self::PartitionsNotRead => "partitions_not_read",
            Self::Digests => "digests",
            Self::Counts => "counts",
            Self::NotCompared => "not_compared",
            Self::Key => "key",
            Self::NoKey => "no_key",
            Self::NotSummed => "not_summed",
            Self::Sums => "sums",
            Self::ColumnsMissing => "columns_missing",
            Self::ColumnsExtra => "columns_extra",
            Self::ColumnsType => "columns_type",
            Self::Trigger => "trigger",
            Self::TriggerColumns => "trigger_columns",
            Self::Unmirrored => "unmirrored",
            Self::Sequence => "sequence",
            Self::Coverage => "coverage",
            Self::Gap => "gap",
            Self::DefaultPartition => "default_partition",
            Self::SelfTest => "self_test",
        }
    }

    /// Its word with the object that it is about.
    pub(crate) fn with(self, object: &str) -> String {
        format!("{}/{object}", self.word())
    }

    /// The kind of a finding; `None`: it is none of this check.
    pub fn from_finding(finding: &Finding) -> Option<Self> {
        Self::named(finding.what().split('/').next().unwrap_or_default())
    }

    /// The kind of a word.
    fn named(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|k| k.word() == word)
    }

    /// Is it about the triggers that copy writes?
    pub fn is_about_sync(self) -> bool {
        matches!(self, Self::Trigger | Self::TriggerColumns | Self::Unmirrored)
    }

    /// Is it about rows, not about what keeps them equal?
    pub fn is_about_rows(self) -> bool {
        matches!(self, Self::Rows(_) | Self::NotClassified | Self::PartitionsNotRead | Self::Digests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::report::Severity;

    #[test]
    fn a_kind_is_read_back_from_the_id_of_its_finding() {
        for kind in FindingKind::ALL {
            for id in [kind.word().to_owned(), kind.with("an/object")] {
                let finding = Finding {
                    id: format!("parity/orders/{id}"),
                    severity: Severity::Info,
                    message: String::new(),
                    title: None,
                    rows: None,
                    sample: vec![],
                };
                assert_eq!(FindingKind::from_finding(&finding), Some(*kind), "{id}");
            }
        }
        assert_eq!(FindingKind::ALL.iter().filter(|k| k.is_about_rows()).count(), 8);
    }
}
