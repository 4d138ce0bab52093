//! The journal's own tables: are they there, and why nothing is changed while they are not.

use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::record::JournalState;
use crate::engine::port::reader::{ReadOptions, Reader};

/// Is the journal here, whole, of this version, and for this role?
pub async fn state(facts: &dyn Reader) -> JournalState {
    match look(facts).await {
        Ok(state) => state,
        Err(e) => JournalState::Unknown { why: e.message },
    }
}

impl JournalState {
    /// Why nothing of it can be read; none where it can be read, or where there is none.
    pub fn unread(&self) -> Option<String> {
        match self {
            Self::Ready | Self::Missing { .. } | Self::Denied { readable: true, .. } => None,
            Self::Newer { files } => Some(format!(
                "the journal was made by a newer midwatch (it has migrations {})",
                files.join(", ")
            )),
            Self::Damaged { missing } => Some(format!("the journal is damaged: {} missing", are(missing))),
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
            Self::Newer { files } => {
                let has = files.join(", ");
                refused(format!("the journal here was made by a newer midwatch (it has migrations {has})"))
                    .hint("use that version")
            }
            Self::Damaged { missing } => refused(format!("the journal is damaged: {} missing", are(missing)))
                .hint("restore schema midwatch from a backup; or rename what is left of it, then plan init"),
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

fn are(missing: &[String]) -> String {
    format!("{} {}", missing.join(", "), if missing.len() == 1 { "is" } else { "are" })
}

async fn look(facts: &dyn Reader) -> Result<JournalState> {
    let mut tx = facts.begin(ReadOptions::default()).await?;
    facts.dialect().state(&mut *tx).await
}
