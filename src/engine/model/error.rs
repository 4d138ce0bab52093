//! One error type for the whole program: what failed, where, what stands now, what to do.
//!
//! `durable` and `ambiguous` decide the exit code of a failed mutation; a read is never either.

use std::fmt;

use crate::engine::model::drift::Moved;

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
    /// `SQLSTATE` where a server said so.
    pub code: Option<String>,
    /// Did something change before it failed?
    pub durable: bool,
    /// Is it unknown whether something changed?
    pub ambiguous: bool,
    /// The rows that are not as planned, where that is what failed.
    pub moved: Option<Box<Moved>>,
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
            code: None,
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

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the server's error code.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
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
    pub fn told(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{}: {hint}", self.message),
            None => self.message.clone(),
        }
    }

    /// Would the same be refused again unless somebody mends its cause?
    pub fn recurs(&self) -> bool {
        self.code.as_deref().is_some_and(recurs)
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

/// `SQLSTATE`s that speak of the statement, the data, the schema or the role, not of the moment.
pub fn recurs(code: &str) -> bool {
    const CLASSES: [&str; 18] = [
        "0A", "21", "22", "23", "27", "28", "2B", "2F", "38", "39", "3D", "3F", "42", "44", "54", "P0", "0L",
        "0P",
    ];
    // A server that was made read-only, an object not in the state that is needed.
    const CODES: [&str; 2] = ["25006", "55000"];
    CODES.contains(&code) || code.get(..2).is_some_and(|class| CLASSES.contains(&class))
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

    #[test]
    fn what_fails_again_is_known_by_its_class() {
        let of = |code: &str| Error::new(Class::Failed, "x").code(code).recurs();
        for code in [
            "42601", "42P01", "42501", "22001", "22P02", "23505", "23001", "0A000", "P0001", "54000", "25006",
        ] {
            assert!(of(code), "{code}");
        }
        let moments = [
            "08006", "55P03", "53100", "53200", "53300", "57014", "57P01", "40001", "40P01", "XX000", "58030",
        ];
        for code in moments {
            assert!(!of(code), "{code}");
        }
        assert!(!Error::new(Class::Cancelled, "stopped").recurs());
    }
}
