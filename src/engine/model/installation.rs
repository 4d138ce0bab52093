//! Installations and their signatures. An installation is its key's fingerprint; the name is a label.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Bytes of a public key's hash that name it.
const NAMED_BY: usize = 16;

/// The name of a key: the first half of its sha256, as hexadecimal digits. `None`: that is no key.
pub fn fingerprint(public_key: &str) -> Option<String> {
    let bytes = hex::decode(public_key).ok()?;
    Some(hex::encode(Sha256::digest(bytes).get(..NAMED_BY)?))
}

/// The public half of an installation's key, as the journal lists it. Never changed: a new key is another row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installation {
    /// Of its key.
    pub fingerprint: String,
    /// Hexadecimal digits of 32 bytes (Ed25519).
    pub public_key: String,
    /// `user@host`, a label.
    pub name: String,
    /// When it wrote itself down, as it said.
    pub first_seen: String,
    /// The fingerprint of the key that it came after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// That key's signature over this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
    /// Its own signature over all of it.
    #[serde(default)]
    pub signature: String,
}

impl Installation {
    /// What it signs of itself.
    pub fn text(&self) -> String {
        let or = |t: &Option<String>| t.clone().unwrap_or_default();
        format!(
            "midwatch installation 1\n{}\n{}\n{}\n{}\n{}",
            self.public_key,
            self.name,
            self.first_seen,
            or(&self.replaces),
            or(&self.proof)
        )
    }

    /// The key is the one that its fingerprint names.
    pub fn is_named_by_its_key(&self) -> bool {
        fingerprint(&self.public_key).as_ref() == Some(&self.fingerprint)
    }

    /// For people.
    pub fn shown(&self) -> String {
        format!("{} ({})", self.fingerprint, self.name)
    }
}

/// What an old key signs of the one that comes after it.
pub fn replacement_text(old: &str, new_public_key: &str) -> String {
    format!("midwatch key 1\n{old}\n{new_public_key}")
}

/// What is signed of a plan.
pub fn plan_text(digest: &str) -> String {
    format!("midwatch plan 1\n{digest}")
}

/// An entry's signature.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntrySignature {
    /// The installation's fingerprint.
    pub by: String,
    /// The database that it was written for ([`crate::engine::model::identity::Identity::signed_name`]).
    pub target: String,
    /// Entries of this installation in this journal so far, this one included.
    pub counter: i64,
    /// Over target, counter and the entry's hash.
    pub signature: String,
}

impl EntrySignature {
    /// What is signed of an entry with this hash.
    pub fn text(&self, hash: &str) -> String {
        format!("midwatch entry 1\n{}\n{}\n{hash}", self.target, self.counter)
    }
}

/// How far a key is believed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// This installation's, or one that it has replaced.
    Own,
    /// The operator has said so, or it is signed by a key of which that was said.
    Trusted,
    /// Seen in a journal.
    Unconfirmed,
}

/// A key that this machine has seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The key's name.
    pub fingerprint: String,
    /// The key; none: only its fingerprint was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// A label.
    pub name: String,
    /// When it was seen here first.
    pub first_seen: String,
    /// How far it is believed.
    pub standing: Standing,
    /// The fingerprint of the key that came after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
    /// The operator has said that it is not believed: no other key's signature changes that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untrusted: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_by_its_hash() {
        let key = "00".repeat(32);
        let name = fingerprint(&key).unwrap();
        assert_eq!(name, "66687aadf862bd776c8fc18b8e9f8e20");
        assert!(
            Installation { fingerprint: name, public_key: key, ..Installation::default() }
                .is_named_by_its_key()
        );
        assert_eq!(fingerprint("no key"), None);
    }
}
