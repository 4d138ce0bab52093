//! The journal's copy on the operator's machine: the entries that this machine has written.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::engine::model::error::Result;
use crate::engine::model::event::Event;
use crate::engine::model::identity::Identity;

/// The copy on the operator's side.
pub trait JournalCopy: Send + Sync {
    /// Makes sure that entries can be written: there is a place, and room. Gives what it had to mend, in words.
    fn ready(&self, target: &Identity) -> Result<Vec<String>>;
    /// One more entry, after its commit. Intents and outcomes are on the disk when it returns.
    fn append(&self, target: &Identity, event: &Event) -> Result<()>;
    /// All that is kept for a target; `None`: there is no copy.
    fn read(&self, target: &Identity) -> Result<Option<Copied>>;
    /// Writes it anew, in order, with these entries besides; what it was is kept beside it.
    fn mend(&self, target: &Identity, missing: &[Event]) -> Result<()>;
    /// What is kept was seen at another address, and is not of this database: from now on this one has a place of its own.
    fn part(&self, target: &Identity) -> Result<()>;
    /// How far the journal was seen from this machine. Where that is not written down, or cannot be read: the copy's last entry.
    fn mark(&self, target: &Identity) -> Result<Option<Mark>>;
    /// It was seen as far as this, unless it was seen farther before.
    fn saw(&self, target: &Identity, seq: i64, hash: &str) -> Result<()>;
    /// The same of databases of this name on another server, as far as is known; a copy of this one may be among them, and
    /// what was at its address before.
    fn elsewhere(&self, target: &Identity) -> Vec<Mark>;
    /// It may be a new and empty one each time, while the key stays: there is nothing to be missed then.
    fn is_passing(&self) -> bool;
    /// The journal counts as it is from now on, and was seen as this says. What was kept at this address of another state
    /// of it is set aside; gives where, file by file.
    fn accept(&self, target: &Identity, seen: Mark) -> Result<Vec<String>>;
    /// Where it is kept; none: nowhere.
    fn place(&self, target: &Identity) -> Option<String>;
}

/// What a copy holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// By number.
    pub entries: BTreeMap<i64, CopiedEntry>,
    /// What is no entry, or out of its place.
    pub damage: Vec<String>,
    /// An installation's entries are not there from the first on.
    pub has_gaps: bool,
}

/// An entry of the copy, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedEntry {
    /// What kind.
    pub kind: String,
    /// Of all of it ([`Event::sum`]).
    pub sum: String,
}

/// What had to be done to the copy before a run, and whether the run's entries go there.
#[derive(Debug, Default)]
pub(in crate::engine) struct CopyReady {
    /// What was mended, in words.
    pub(in crate::engine) mended: Vec<String>,
    /// Why it cannot be written, where the policy allows that.
    pub(in crate::engine) uncopied: Option<String>,
    /// It is not known to be this journal's: nothing is written into it.
    unchecked: bool,
}

impl CopyReady {
    /// It can be written, once this was mended.
    pub(in crate::engine) fn after(mended: Vec<String>) -> Self {
        Self { mended, ..Self::default() }
    }

    /// It cannot, for this reason. `unchecked`: it is not known whose it is.
    pub(in crate::engine) fn unwritten(why: String, unchecked: bool) -> Self {
        Self { mended: vec![], uncopied: Some(why), unchecked }
    }

    /// Writes an entry that the journal has; a copy that cannot be written is behind. Gives the reason.
    pub(in crate::engine) fn take(
        &self,
        copy: &dyn JournalCopy,
        target: &Identity,
        event: &Event,
    ) -> Option<String> {
        if self.unchecked {
            return self.uncopied.clone();
        }
        let e = copy.append(target, event).err()?;
        tracing::warn!("{e}");
        Some(e.message)
    }
}

/// The highest entry of a journal that was seen from this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Its number.
    pub seq: i64,
    /// Its hash.
    pub hash: String,
    /// The last entry that was written into the copy.
    pub copied: i64,
    /// The first entry that this installation has signed in the journal: later ones are signed, whatever the journal
    /// says of itself. Absent: none, or an earlier version has kept this mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_from: Option<i64>,
    /// The database whose journal it is, as it was then; none: an earlier version wrote the mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Identity>,
    /// The same as it was at other addresses, which had the entry that was the highest then; the latest is the last.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "known")]
    pub also_at: Vec<Identity>,
}

/// Earlier versions kept texts: what was seen there counts as seen nowhere else.
fn known<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Vec<Identity>, D::Error> {
    let all = Vec::<serde_json::Value>::deserialize(from)?;
    let known = all.into_iter().filter(|seen| !seen.is_string());
    known.map(|seen| serde_json::from_value(seen).map_err(D::Error::custom)).collect()
}

/// Addresses that are kept of a journal; a tunnel may have another one each time.
const ADDRESSES: usize = 64;

impl Mark {
    fn all_seen(&self) -> impl Iterator<Item = &Identity> {
        self.seen.iter().chain(&self.also_at)
    }

    /// The journal was seen where this address leads.
    pub fn is_at(&self, target: &Identity) -> bool {
        self.seen.is_none() || self.all_seen().any(|seen| target.is_at_the_place_of(seen))
    }

    /// What was seen under this address, be it of a server that was replaced, or of one whose disk was copied; none: nothing was.
    pub fn named(&self, target: &Identity) -> Option<&Identity> {
        self.all_seen().find(|seen| {
            let same_system =
                target.system_identifier.is_some() && seen.system_identifier == target.system_identifier;
            seen.address == target.address && (same_system || target.is_at_the_place_of(seen))
        })
    }

    /// Its entry is in the journal that this address leads to: from now on it is missed there.
    pub fn found_at(&mut self, target: &Identity) {
        match &mut self.seen {
            Some(seen) if !target.is_at_the_place_of(seen) => {
                self.also_at.retain(|seen| !target.is_at_the_place_of(seen));
                self.also_at.push(target.clone());
                self.also_at.drain(..self.also_at.len().saturating_sub(ADDRESSES));
            }
            // Another role may see less of the server.
            Some(_) if target.system_identifier.is_none() => {}
            seen => {
                let directory = seen.take().and_then(|seen| seen.data_directory);
                let data_directory = target.data_directory.clone().or(directory);
                *seen = Some(Identity { data_directory, ..target.clone() });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: usize) -> Identity {
        Identity { address: format!("a:{port}/shop"), ..Identity::default() }
    }

    #[test]
    fn the_address_that_was_not_used_for_longest_is_forgotten() {
        let mut mark = Mark { seen: Some(at(0)), ..Mark::default() };
        mark.found_at(&at(1));
        for tunnel in 2..=ADDRESSES * 2 {
            mark.found_at(&at(tunnel));
            mark.found_at(&at(1));
        }
        assert_eq!(mark.also_at.len(), ADDRESSES);
        assert!(mark.is_at(&at(0)) && mark.is_at(&at(1)) && !mark.is_at(&at(2)));
    }

    #[test]
    fn a_mark_of_an_earlier_version_is_read() {
        let mark: Mark =
            serde_json::from_str(r#"{"seq": 9, "hash": "h", "copied": 9, "also_at": ["b:5432/shop"]}"#)
                .unwrap();
        assert_eq!((mark.seq, mark.also_at), (9, vec![]));
        let damaged = r#"{"seq": 9, "hash": "h", "copied": 9, "also_at": [7]}"#;
        assert!(serde_json::from_str::<Mark>(damaged).is_err());
    }
}
