//! One error type for the whole program: what failed, where, what stands now, what to do.
//!
//! `durable` and `ambiguous` decide the exit code of a failed mutation; a read is never either.

use std::fmt;

use crate::engine::model::cause::Cause;
use crate::engine::model::drift::{DriftedRow, PlanDrift};

/// What kind of failure this is. [`Error::exit_code`] is the contract with other programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Wrong arguments or a broken configuration.
    Usage,
    /// A guard said no: read-only target, missing phrase, second operator.
    Refused,
    /// The plan no longer describes the world.
    Stale,
    /// Something could not be reached or looked at.
    Unobserved,
    /// The statement is cancelled: by the operator, by a timeout, by another session.
    Cancelled,
    /// The operation itself failed; see `durable` and `ambiguous`.
    Failed,
}

/// A failure as an operator should read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Decides the exit code.
    pub class: Class,
    /// "failed to …": what and where.
    pub message: String,
    /// What to do now.
    pub hint: Option<String>,
    /// The server's own words, without what was attempted.
    pub said: Option<String>,
    /// The server's code (`SQLSTATE`), where it gave one: for people, the journal and JSON.
    pub code: Option<String>,
    /// What is decided by it.
    pub cause: Cause,
    /// A retry fails again until its reason is gone.
    pub permanent: bool,
    /// Did something change before it failed?
    pub durable: bool,
    /// Is it unknown whether something changed?
    pub ambiguous: bool,
    /// The rows that are not as planned, where that is what failed.
    pub moved: Option<Box<PlanDrift>>,
}

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure of `class`; nothing has changed.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            hint: None,
            said: None,
            code: None,
            cause: Cause::Other,
            permanent: false,
            durable: false,
            ambiguous: false,
            moved: None,
        }
    }

    /// Wrong arguments or configuration (exit 2).
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Class::Usage, message)
    }

    /// Cannot connect or look (exit 5).
    pub fn unobserved(message: impl Into<String>) -> Self {
        Self::new(Class::Unobserved, message)
    }

    /// The database changed after planning (exit 4).
    pub fn stale(moved: &PlanDrift) -> Self {
        let mut lines: Vec<String> = moved.parts.clone();
        lines.extend(moved.rows.iter().take(5).map(DriftedRow::text));
        if moved.total > 5 {
            lines.push(format!("… {} rows in all", moved.total));
        }
        let what = match (moved.total, moved.parts.len()) {
            (0, n) => format!("{n} parts of the plan differ from what would be planned now"),
            (1, _) => "1 row has moved since it was planned".to_owned(),
            (n, _) => format!("{n} rows have moved since they were planned"),
        };
        Self::new(Class::Stale, format!("{what}: {}", lines.join("; ")))
            .hint("nothing was changed; plan again and read the new diff")
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the server's error code with what its dialect makes of it.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>, (cause, permanent): (Cause, bool)) -> Self {
        self.code = Some(code.into());
        self.permanent = permanent;
        self.cause(cause)
    }

    /// A code for the journal, where the server gave none.
    pub fn record_under(&mut self, code: Option<&str>) {
        if self.code.is_none() {
            self.code = code.map(str::to_owned);
        }
    }

    /// The code, to be written into the journal: nothing is decided by it.
    pub fn recorded_code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Sets what is decided by it.
    #[must_use]
    pub fn cause(mut self, cause: Cause) -> Self {
        self.cause = cause;
        self
    }

    /// Puts the place in front: `context: message`.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// Something had changed before it failed.
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// Nobody can tell whether something changed.
    #[must_use]
    pub fn ambiguous(mut self) -> Self {
        self.ambiguous = true;
        self
    }

    /// In one line, with what to do.
    pub fn one_line(&self) -> String {
        let code = self.code.as_ref().map_or_else(String::new, |code| format!(" [{code}]"));
        let hint = self.hint.as_ref().map_or_else(String::new, |hint| format!(": {hint}"));
        format!("{}{code}{hint}", self.message)
    }

    /// The process's exit code (CONSOLE.md, "Exit codes").
    pub fn exit_code(&self) -> u8 {
        match (self.ambiguous, self.durable, self.class) {
            (true, ..) => 8,
            (_, true, _) => 7,
            (.., Class::Usage) => 2,
            (.., Class::Refused) => 3,
            (.., Class::Stale) => 4,
            (.., Class::Unobserved | Class::Cancelled) => 5,
            (.., Class::Failed) => 6,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(code) = &self.code {
            write!(f, " [{code}]")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_follow_the_contract() {
        let of =
            |class, durable, ambiguous| Error { durable, ambiguous, ..Error::new(class, "x") }.exit_code();
        assert_eq!(of(Class::Usage, false, false), 2);
        assert_eq!(of(Class::Refused, false, false), 3);
        assert_eq!(of(Class::Stale, false, false), 4);
        assert_eq!(of(Class::Unobserved, false, false), 5);
        assert_eq!(of(Class::Failed, false, false), 6);
        assert_eq!(of(Class::Failed, true, false), 7);
        assert_eq!(of(Class::Failed, true, true), 8);
    }
}
