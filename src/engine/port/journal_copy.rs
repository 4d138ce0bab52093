//! The journal's copy on the operator's machine: the entries that this machine has written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
    /// How far the journal was seen from here. Where that is not written down, or cannot be read: the copy's last entry.
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_at: Vec<Identity>,
}

/// Addresses that are kept of a journal; a tunnel may have another one each time.
const ADDRESSES: usize = 64;

impl Mark {
    /// The database as it was seen where this address leads; none: it was not.
    pub fn seen_at(&self, target: &Identity) -> Option<&Identity> {
        let first = self.seen.as_ref().filter(|seen| seen.address == target.address);
        first.or_else(|| self.also_at.iter().find(|seen| target.is_at_the_place_of(seen)))
    }

    /// The journal was seen where this address leads.
    pub fn is_at(&self, target: &Identity) -> bool {
        self.seen.is_none() || self.seen_at(target).is_some()
    }

    /// Its entry is in the journal that this address leads to: from now on it is missed there.
    pub fn found_at(&mut self, target: &Identity) {
        match &mut self.seen {
            Some(seen) if seen.address != target.address => {
                if !self.also_at.contains(target) {
                    self.also_at.retain(|seen| !target.is_at_the_place_of(seen));
                    self.also_at.push(target.clone());
                    self.also_at.drain(..self.also_at.len().saturating_sub(ADDRESSES));
                }
            }
            // Another role may see less of the server.
            Some(_) if target.system_identifier.is_none() => {}
            seen => *seen = Some(target.clone()),
        }
    }
}
