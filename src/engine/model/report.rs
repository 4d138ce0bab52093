//! What a check found: the facts, the findings, and what could not be known.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How bad a finding is. Ordered from harmless to dangerous.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; does not make a check fail.
    Info,
    /// Should be looked at.
    #[default]
    Warning,
    /// Wrong.
    Critical,
}

/// `kind/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckId {
    /// The kind, as registered.
    pub kind: &'static str,
    /// The name, as in the profile.
    pub name: String,
}

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// The verdict of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Looked at, nothing wrong.
    Ok,
    /// Should be looked at.
    Warn,
    /// Wrong.
    Fail,
    /// Not, or not wholly, looked at.
    Unknown {
        /// The reason.
        why: String,
    },
}

impl Status {
    /// The word in JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// Why it is unknown.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Unknown { why } => Some(why),
            _ => None,
        }
    }

    /// For sorting, worst first.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Fail => 0,
            Self::Unknown { .. } => 1,
            Self::Warn => 2,
            Self::Ok => 3,
        }
    }
}

/// A row as shown in samples: values by column, in the query's order.
pub type Sample = Map<String, Value>;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// `kind/name/what`.
    pub id: String,
    /// How bad.
    pub severity: Severity,
    /// What, in one line.
    pub message: String,
    /// The same without its numbers, where those are shown beside it; `None`: the message.
    #[serde(skip)]
    pub title: Option<String>,
    /// How many rows, where rows can be counted.
    pub rows: Option<u64>,
    /// The first of them.
    pub sample: Vec<Sample>,
}

impl Finding {
    /// The last part of its id.
    pub fn what(&self) -> &str {
        self.id.splitn(3, '/').nth(2).unwrap_or(&self.id)
    }
}

/// A statement that was run to find something out; the console shows it on `x`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What it tells.
    pub title: String,
    /// The statement.
    pub sql: String,
}

/// What people read below a report's summary; in JSON the facts have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// In one line.
    pub text: String,
    /// The part of it that is read where there is room for one line only.
    pub brief: Option<String>,
}

impl Note {
    /// A note that is left out where there is room for one line only.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), brief: None }
    }
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Which check.
    pub id: CheckId,
    /// The verdict.
    pub status: Status,
    /// What could not be looked at, where the verdict is nevertheless proved: a failure stays a failure.
    pub unknown_parts: Vec<String>,
    /// The verdict in one line, without its notes.
    pub summary: String,
    /// What is read with it; the engine asks the check for them.
    pub notes: Vec<Note>,
    /// When it was looked at, by our clock.
    pub observed_at: DateTime<Utc>,
    /// How long that took.
    pub elapsed_ms: u64,
    /// Numbers by kind; see each check's `Facts`.
    pub facts: Value,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// How it was found out.
    pub evidence: Vec<Evidence>,
}

impl Report {
    /// A report that could not be made.
    pub fn unknown(id: CheckId, why: impl Into<String>) -> Self {
        let why = why.into();
        Self {
            id,
            summary: format!("cannot tell: {}", why.lines().next().unwrap_or_default()),
            status: Status::Unknown { why },
            ..Self::empty()
        }
    }

    fn empty() -> Self {
        Self {
            id: CheckId { kind: "", name: String::new() },
            status: Status::Ok,
            unknown_parts: Vec::new(),
            summary: String::new(),
            notes: Vec::new(),
            observed_at: DateTime::UNIX_EPOCH,
            elapsed_ms: 0,
            facts: Value::Object(Map::new()),
            findings: Vec::new(),
            evidence: Vec::new(),
        }
    }

    /// A report whose verdict follows from its worst finding.
    pub fn observed(id: CheckId, facts: &impl Serialize, findings: Vec<Finding>, ok_summary: &str) -> Self {
        let worst = findings.iter().map(|f| f.severity).max();
        let status = match worst {
            Some(Severity::Critical) => Status::Fail,
            Some(Severity::Warning) => Status::Warn,
            Some(Severity::Info) | None => Status::Ok,
        };
        let summary = match findings.iter().filter(|f| Some(f.severity) == worst).map(|f| &f.message).next() {
            Some(first) if status != Status::Ok => match findings.len() {
                1 => first.clone(),
                n => format!("{first} · {} more", n - 1),
            },
            _ => ok_summary.to_owned(),
        };
        let facts = serde_json::to_value(facts).unwrap_or_default();
        Self { id, status, summary, facts, findings, ..Self::empty() }
    }

    /// Adds a statement to the evidence.
    #[must_use]
    pub fn evidence(mut self, title: &str, sql: impl Into<String>) -> Self {
        self.evidence.push(Evidence { title: title.to_owned(), sql: sql.into() });
        self
    }

    /// Keeps the findings, but says that not everything could be looked at. What was proved to fail still fails.
    #[must_use]
    pub fn partly_unknown(mut self, parts: impl IntoIterator<Item = String>) -> Self {
        let parts: Vec<String> = parts.into_iter().collect();
        if parts.is_empty() {
            return self;
        }
        if self.status == Status::Fail {
            self.unknown_parts.extend(parts);
            return self;
        }
        let why =
            self.status.why().map(str::to_owned).into_iter().chain(parts).collect::<Vec<_>>().join("\n");
        if self.findings.is_empty() {
            self.summary = format!("cannot tell: {}", why.lines().next().unwrap_or_default());
        }
        self.status = Status::Unknown { why };
        self
    }

    /// Why not everything could be looked at, whatever the verdict.
    pub fn unobserved(&self) -> Option<&str> {
        self.status.why().or_else(|| self.unknown_parts.first().map(String::as_str))
    }

    /// The summary with what its notes add to it: for JSON, and where there is room for one line only.
    pub fn one_line(&self) -> String {
        let briefs = self.notes.iter().filter_map(|n| n.brief.as_deref());
        std::iter::once(self.summary.as_str()).chain(briefs).collect::<Vec<_>>().join(" · ")
    }

    /// Rows of all findings that count as wrong.
    pub fn rows(&self) -> u64 {
        self.findings.iter().filter(|f| f.severity > Severity::Info).filter_map(|f| f.rows).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(severity: Severity, message: &str) -> Finding {
        Finding {
            id: "k/n/f".into(),
            severity,
            message: message.into(),
            title: None,
            rows: None,
            sample: vec![],
        }
    }

    fn id() -> CheckId {
        CheckId { kind: "k", name: "n".into() }
    }

    #[test]
    fn the_worst_finding_decides() {
        let r = Report::observed(
            id(),
            &Value::Null,
            vec![finding(Severity::Warning, "w"), finding(Severity::Critical, "c")],
            "fine",
        );
        assert_eq!(r.status, Status::Fail);
        assert_eq!(r.summary, "c · 1 more");
    }

    #[test]
    fn information_is_not_a_warning() {
        let r = Report::observed(id(), &Value::Null, vec![finding(Severity::Info, "i")], "fine");
        assert_eq!((r.status, r.summary.as_str()), (Status::Ok, "fine"));
    }

    #[test]
    fn one_line_has_the_briefs_of_notes_only() {
        let mut r = Report::observed(id(), &Value::Null, vec![], "fine");
        assert_eq!(r.one_line(), "fine");
        r.notes = vec![Note::new("long"), Note { brief: Some("tested".into()), ..Note::new("longer") }];
        assert_eq!(r.one_line(), "fine · tested");
    }

    #[test]
    fn partly_unknown_keeps_what_was_found() {
        let of = |severity| {
            let r = Report::observed(id(), &Value::Null, vec![finding(severity, "c")], "fine");
            r.partly_unknown(Some("no privilege on t".into()))
        };
        let (failed, warned) = (of(Severity::Critical), of(Severity::Warning));
        assert_eq!((failed.status.word(), failed.summary.as_str()), ("fail", "c"));
        assert_eq!(failed.unknown_parts, ["no privilege on t"]);
        assert_eq!((warned.status.word(), warned.summary.as_str()), ("unknown", "c"));
        assert!([failed, warned].iter().all(|r| r.unobserved() == Some("no privilege on t")));
    }
}
