//! What a feature says of its own reports to whoever asks: plans and other features match no text of findings.

use crate::engine::model::error::Error;
use crate::engine::model::preflight::Ready;
use crate::engine::model::report::Report;

/// A question that a feature answers from the facts of a report.
#[derive(Debug)]
pub struct VerdictSpec {
    /// The kind of check whose reports it reads.
    pub check: &'static str,
    /// Its name among that check's verdicts.
    pub name: &'static str,
    /// What is so where it is ok.
    pub about: &'static str,
    /// The answers: one, or one for each thing that is wrong, none where nothing is.
    pub of: fn(&Report) -> Vec<CheckVerdict>,
}

impl VerdictSpec {
    /// `check/name`, as operations and profiles ask for it.
    pub fn id(&self) -> String {
        format!("{}/{}", self.check, self.name)
    }
}

/// The verdict of this id, where a feature exports it.
pub fn find(registered: &[&'static [VerdictSpec]], id: &str) -> Option<&'static VerdictSpec> {
    let (check, name) = id.split_once('/')?;
    registered.iter().flat_map(|list| list.iter()).find(|v| v.check == check && v.name == name)
}

/// The error about a verdict that no feature exports; `what` asks for it.
pub fn no_such_verdict(registered: &[&'static [VerdictSpec]], what: &str, id: &str) -> Error {
    let known: Vec<_> = registered.iter().flat_map(|list| list.iter()).map(VerdictSpec::id).collect();
    Error::usage(format!("{what} asks for the verdict {id}, which no feature has"))
        .hint(format!("verdicts: {}", known.join(" ")))
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckVerdict {
    /// What it is about, in one word: the name of its line in a plan.
    pub about: &'static str,
    /// Ok, warn, or block.
    pub status: Ready,
    /// Why, with the numbers.
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
