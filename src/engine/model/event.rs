//! An entry of the journal's chain.

use serde::Deserialize;
use serde::Serialize;

use crate::engine::model::installation::EntrySignature;
use crate::engine::model::json::field;
use sha2::{Digest as _, Sha256};

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its number in the chain.
    pub seq: i64,
    /// When, as written down (part of what is hashed).
    pub at: String,
    /// Of which run.
    pub run: Option<String>,
    /// What kind.
    pub kind: String,
    /// The rest, as JSON text (part of what is hashed).
    pub body: String,
    /// The hash of the entry before.
    pub prev: String,
    /// The hash of this entry.
    pub hash: String,
    /// Who wrote it; none: an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<EntrySignature>,
}

impl Event {
    /// Its body; null where that is no JSON.
    pub fn parsed(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// By this outcome its run has ended for good: nothing of it is left to do.
    pub fn is_final(&self) -> bool {
        self.kind == "outcome" && field(&self.parsed(), "resumable").as_bool() == Some(false)
    }

    /// The sha256 of all of it, the signature included.
    pub fn sum(&self) -> String {
        hex::encode(Sha256::digest(serde_json::to_vec(self).unwrap_or_default()))
    }

    /// The sha256 of what the entries of a run say, and of their order: a server computes the same of its rows.
    pub fn sum_of(entries: &[Self]) -> String {
        let mut sum = Sha256::new();
        for entry in entries {
            sum.update(format!("{} {}\n", entry.seq, entry.computed_hash()).as_bytes());
        }
        hex::encode(sum.finalize())
    }

    /// The hash that this entry must have.
    pub fn computed_hash(&self) -> String {
        let run = self.run.as_deref().unwrap_or_default();
        let text = format!("{}\n{}\n{}\n{run}\n{}\n{}", self.prev, self.seq, self.at, self.kind, self.body);
        hex::encode(Sha256::digest(text.as_bytes()))
    }
}
