//! What a feature says of its own reports to whoever asks: plans and other features match no text of findings.

use crate::engine::model::preflight::Ready;
use crate::engine::model::report::Report;

/// A question that a feature answers from the facts of a report.
pub struct VerdictSpec {
    /// The kind of check whose reports it reads.
    pub check: &'static str,
    /// Its name among that check's verdicts.
    pub name: &'static str,
    /// What is so where it is ok.
    pub about: &'static str,
    /// The answers: one, or one for each thing that is to be said.
    pub of: fn(&Report) -> Vec<CheckVerdict>,
}

impl VerdictSpec {
    /// `check/name`, as operations ask for it.
    pub fn id(&self) -> String {
        format!("{}/{}", self.check, self.name)
    }
}

/// A verdict that an operation asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerdictQuestion {
    /// `check/name`, as a feature exports it.
    pub verdict: &'static str,
    /// The operation asks by itself and words the answers; else the planner adds them to the preflight.
    pub own_words: bool,
}

impl VerdictQuestion {
    /// One whose answers the planner adds to the preflight.
    pub const fn for_planner(verdict: &'static str) -> Self {
        Self { verdict, own_words: false }
    }

    /// One whose answers the operation words.
    pub const fn in_own_words(verdict: &'static str) -> Self {
        Self { verdict, own_words: true }
    }

    /// The kind of check whose verdict it is.
    pub fn kind(self) -> &'static str {
        self.verdict.split_once('/').map_or(self.verdict, |(kind, _)| kind)
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckVerdict {
    /// What it is about, in one word: the name of its line in a plan.
    pub about: &'static str,
    /// Ok, warn, or block.
    pub status: Ready,
    /// Why.
    pub text: String,
}

impl CheckVerdict {
    /// An answer.
    pub fn new(about: &'static str, status: Ready, text: impl Into<String>) -> Self {
        Self { about, status, text: text.into() }
    }

    /// The report holds no facts: nothing was observed.
    pub fn unread(report: &Report) -> Self {
        Self::new(report.id.kind, Ready::Unknown, report.status.why().unwrap_or("its report holds no facts"))
    }
}
