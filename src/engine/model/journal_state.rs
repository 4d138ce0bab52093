//! What is known of a journal's own tables, and why changes are refused while it is not ready.

use crate::engine::model::error::{Class, Error};

/// Is the journal there?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalState {
    /// With all its tables.
    Ready,
    /// Not there.
    Missing {
        /// Migration files that `init` would apply.
        pending: Vec<String>,
    },
    /// Made by an earlier version: it is read as it is, and nothing is changed until `init` has brought it up to date.
    Older {
        /// Migration files that `init` would apply.
        pending: Vec<String>,
    },
    /// Made by a later version: what it keeps there is not known to this one.
    Newer {
        /// Migration files that this version does not have.
        files: Vec<String>,
    },
    /// Part of it was taken away.
    Damaged {
        /// What is missing, in words.
        missing: Vec<String>,
    },
    /// Not as it was made: it is read, and nothing is changed.
    Altered {
        /// What is not as midwatch made it, in words.
        what: Vec<String>,
    },
    /// A role with less rights could have something run there with ours: nothing of it is read.
    Foreign {
        /// By what, in words.
        why: Vec<String>,
    },
    /// All there, but not for this role.
    Denied {
        /// The role.
        role: String,
        /// The privileges that it lacks.
        lacks: Vec<String>,
        /// It may read it at least.
        readable: bool,
    },
    /// Cannot tell.
    Unknown {
        /// The reason.
        why: String,
    },
}

impl JournalState {
    /// Why nothing of it can be read; none where it can be read, or where there is none.
    pub fn unread(&self) -> Option<String> {
        match self {
            Self::Ready
            | Self::Missing { .. }
            | Self::Older { .. }
            | Self::Altered { .. }
            | Self::Denied { readable: true, .. } => None,
            Self::Newer { files } => Some(format!(
                "the journal was made by a newer midwatch (it has migrations {})",
                files.join(", ")
            )),
            Self::Damaged { missing } => Some(format!("the journal is damaged: {} missing", are(missing))),
            Self::Foreign { why } => Some(foreign(why)),
            Self::Denied { role, lacks, .. } => {
                Some(format!("role {role} may not read the journal: it lacks {}", lacks.join(", ")))
            }
            Self::Unknown { why } => Some(format!("the journal cannot be read: {why}")),
        }
    }

    /// Why nothing is changed while the journal is like this, and the way out.
    pub fn refusal(&self) -> Option<Error> {
        let refused = |what: String| Error::new(Class::Refused, format!("no journal, no action: {what}"));
        Some(match self {
            Self::Ready => return None,
            Self::Missing { .. } => refused("schema midwatch is not (wholly) here".into())
                .hint("midwatch plan init --out init.json, then apply it"),
            Self::Older { pending } => {
                let lacks = pending.join(", ");
                refused(format!("the journal was made by an earlier version of midwatch: it lacks {lacks}"))
                    .hint("midwatch plan init --out init.json, then apply it; until then it can be read")
            }
            Self::Newer { files } => {
                let has = files.join(", ");
                refused(format!("the journal here was made by a newer midwatch (it has migrations {has})"))
                    .hint("use that version")
            }
            Self::Damaged { missing } => refused(format!("the journal is damaged: {} missing", are(missing)))
                .hint("restore schema midwatch from a backup; or rename what is left of it, then plan init"),
            Self::Altered { what } => {
                refused(format!("the journal is not as midwatch made it: {}", what.join("; "))).hint(
                    "midwatch journal verify; restore schema midwatch from a backup, or make it as it was",
                )
            }
            Self::Foreign { why } => refused(foreign(why)).hint(
                "give schema midwatch and all that is in it to a superuser, or connect as its owner; \
                 drop a schema midwatch that midwatch did not make",
            ),
            Self::Denied { role, lacks, .. } => {
                refused(format!("role {role} may not work with the journal: it lacks {}", lacks.join(", ")))
                    .hint(format!(
                        "the owner of schema midwatch plans init --set operators={role} and applies it"
                    ))
            }
            Self::Unknown { why } => refused(format!("the journal cannot be read: {why}")),
        })
    }
}

fn foreign(why: &[String]) -> String {
    format!(
        "schema midwatch is neither read nor written: others could run statements there with the rights of this role ({})",
        why.join("; ")
    )
}

fn are(missing: &[String]) -> String {
    format!("{} {}", missing.join(", "), if missing.len() == 1 { "is" } else { "are" })
}
