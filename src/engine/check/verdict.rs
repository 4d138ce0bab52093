//! What a feature says of its own reports to whoever asks: plans and other features match no text of findings.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

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

/// The kind of finding that an answer is made from, a type of the feature that answers: only who imports that feature can
/// read it.
pub trait SourceKind: Any + Debug + Send + Sync {
    /// Is it the same kind, of the same feature?
    fn is_same(&self, other: &dyn Any) -> bool;
}

impl<K: Any + Debug + PartialEq + Send + Sync> SourceKind for K {
    fn is_same(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<K>() == Some(self)
    }
}

impl PartialEq for dyn SourceKind {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other)
    }
}

impl Eq for dyn SourceKind {}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckVerdict {
    /// What it is about, in one word: the name of its line in a plan.
    pub about: &'static str,
    /// Ok, warn, or block.
    pub status: Ready,
    /// Why, with the numbers.
    pub text: String,
    /// The kind of finding behind it, where there is one.
    pub source: Option<Arc<dyn SourceKind>>,
}

impl CheckVerdict {
    /// An answer.
    pub fn new(about: &'static str, status: Ready, text: impl Into<String>) -> Self {
        Self { about, status, text: text.into(), source: None }
    }

    /// The same, made from a finding of this kind.
    #[must_use]
    pub fn with_source(self, kind: impl SourceKind) -> Self {
        Self { source: Some(Arc::new(kind)), ..self }
    }

    /// The kind of finding behind it, where it is one of this type.
    pub fn source<K: Any + Copy>(&self) -> Option<K> {
        let kind: &dyn Any = self.source.as_deref()?;
        kind.downcast_ref().copied()
    }

    /// The report holds no facts: nothing was observed.
    pub fn unread(report: &Report) -> Self {
        Self::new(report.id.kind, Ready::Unknown, report.status.why().unwrap_or("its report holds no facts"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Late {
        Job,
        Mail,
    }

    #[test]
    fn a_source_is_read_by_its_type_only() {
        let verdict = CheckVerdict::new("late", Ready::Fail, "2 late");
        let of = |kind: Late| verdict.clone().with_source(kind);
        assert_eq!(of(Late::Job).source::<Late>(), Some(Late::Job));
        assert_eq!(of(Late::Job).source::<u8>(), None);
        assert_eq!(verdict.source::<Late>(), None);
        assert_eq!(of(Late::Job), of(Late::Job));
        assert_ne!(of(Late::Job), of(Late::Mail));
        assert_ne!(of(Late::Job), verdict);
        assert_ne!(of(Late::Job), verdict.clone().with_source(1_u8));
    }
}
