//! Verdicts of a plan: what was checked before, what is asked afterwards, whether it can be undone.

use serde::Deserialize;
use serde::Serialize;

/// What a mistake would cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Risk {
    /// Something comes, nothing goes or changes.
    Additive,
    /// Can be taken back.
    Reversible,
    /// Can be taken back with a loss.
    Lossy,
    /// Cannot be taken back.
    Irreversible,
}

impl Risk {
    /// The word shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Additive => "additive",
            Self::Reversible => "reversible",
            Self::Lossy => "lossy",
            Self::Irreversible => "irreversible",
        }
    }
}

/// A verdict of the preflight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ready {
    /// Looked at, fine.
    Ok,
    /// Should be known before going on.
    Warn,
    /// Must not go on.
    Fail,
    /// Could not be looked at.
    Unknown,
}

impl Ready {
    /// Nobody goes on over it. What could not be looked at is not taken to be fine.
    #[must_use]
    pub fn blocks(self) -> bool {
        matches!(self, Self::Fail | Self::Unknown)
    }
}

/// A thing looked at before acting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preflight {
    /// Short.
    pub id: String,
    /// The verdict.
    pub status: Ready,
    /// Why it is so.
    pub message: String,
    /// The pair or table of the profile whose definitions it follows from: a copy of them has the same line. Absent: it is
    /// about this server and this moment. Not written into plans.
    #[serde(skip)]
    pub copied_with: Option<String>,
}

impl Preflight {
    /// A verdict.
    pub fn new(id: &str, status: Ready, message: impl Into<String>) -> Self {
        Self { id: id.into(), status, message: message.into(), copied_with: None }
    }

    /// The same, following from the definitions of this pair or table.
    #[must_use]
    pub fn copied_with(self, name: &str) -> Self {
        Self { copied_with: Some(name.to_owned()), ..self }
    }
}

/// Can it be taken back?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reversible {
    /// To the byte.
    Full,
    /// With a loss.
    Lossy,
    /// Not.
    No,
}

impl Reversible {
    /// As the journal keeps it.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "full" => Some(Self::Full),
            "lossy" => Some(Self::Lossy),
            "no" => Some(Self::No),
            _ => None,
        }
    }
}

/// A question asked afterwards: every row of its query is something wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// One line for people.
    pub title: String,
    /// May read `run_rows`: the images of the run.
    pub sql: String,
    /// Ours: it leaves no name to the profile's search path. Those of the profile, and of plans of older versions, do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own: bool,
}
