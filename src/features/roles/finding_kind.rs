//! What a finding on roles is about: the one place that knows the words in the ids of findings.

use crate::engine::model::report::Finding;

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleFinding {
    /// The reader is a superuser, or can become one.
    Superuser,
    /// The reader reaches files, programs or sessions of others.
    Powers,
    /// Others can create in a schema of the search path.
    Creators,
    /// The connection can be read or altered.
    Exposed,
}

impl RoleFinding {
    /// Every kind.
    pub const ALL: &'static [Self] = &[Self::Superuser, Self::Powers, Self::Creators, Self::Exposed];

    /// Its word in ids.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Superuser => "superuser",
            Self::Powers => "powers",
            Self::Creators => "creators",
            Self::Exposed => "exposed",
        }
    }

    /// The kind of a finding.
    pub fn from_finding(finding: &Finding) -> Option<Self> {
        let word = finding.what().split('/').next()?;
        Self::ALL.iter().copied().find(|k| k.word() == word)
    }
}
