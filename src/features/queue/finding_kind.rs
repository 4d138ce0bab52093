//! What a finding of a queue is about: the one place that knows the words in the ids of findings.

use crate::engine::model::report::Finding;

/// What a finding is about, or rows that can be listed like those of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueFinding {
    /// Failed with all attempts used.
    Exhausted,
    /// In progress for too long.
    Stuck,
    /// Waiting for too long.
    Late,
    /// In states that the profile does not name.
    UnknownStates,
    /// Failed for one cause.
    Failed,
    /// All in one state; never a finding.
    State,
    /// Causes that are not listed.
    MoreCauses,
    /// Days with an error flag.
    FlaggedDays,
    /// What only the job store could tell.
    JobsUnknown,
}

impl QueueFinding {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::Exhausted,
        Self::Stuck,
        Self::Late,
        Self::UnknownStates,
        Self::Failed,
        Self::State,
        Self::MoreCauses,
        Self::FlaggedDays,
        Self::JobsUnknown,
    ];

    /// Its word in ids.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Stuck => "stuck",
            Self::Late => "late",
            Self::UnknownStates => "unknown_states",
            Self::Failed => "failed",
            Self::State => "state",
            Self::MoreCauses => "more_causes",
            Self::FlaggedDays => "sync_error_days",
            Self::JobsUnknown => "jobs_unknown",
        }
    }

    /// Its word with the cause or state that it is about.
    pub fn with(self, object: &str) -> String {
        format!("{}/{object}", self.word())
    }

    /// The kind of a word with what it is about, if anything.
    pub fn parse(what: &str) -> Option<(Self, Option<&str>)> {
        let (word, object) = what.split_once('/').map_or((what, None), |(word, object)| (word, Some(object)));
        Self::ALL.iter().copied().find(|k| k.word() == word).map(|kind| (kind, object))
    }

    /// The kind of a finding.
    pub fn from_finding(finding: &Finding) -> Option<Self> {
        Self::parse(finding.what()).map(|(kind, _)| kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_read_back_with_its_object() {
        for kind in QueueFinding::ALL {
            assert_eq!(QueueFinding::parse(kind.word()), Some((*kind, None)));
            assert_eq!(QueueFinding::parse(&kind.with("a/b")), Some((*kind, Some("a/b"))));
        }
        assert_eq!(QueueFinding::parse("rows"), None);
    }
}
