//! What was found equal, where and when: kept on the operator's side, never on the target.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::model::error::Result;
use crate::engine::model::identity::Identity;

/// The state of everything that the evidence hangs on: relations, their columns and bounds, the triggers that write
/// marks, their functions, the marks' own table. By oid, with a name for people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint(pub BTreeMap<i64, Print>);

/// One of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Print {
    /// Its name, which may change.
    pub name: String,
    /// A digest of how it is.
    pub how: String,
}

impl Fingerprint {
    /// The first thing that is not as it was.
    pub fn difference<'a>(&'a self, then: &'a Self) -> Option<&'a str> {
        let same = |oid: &i64, now: &Print| then.0.get(oid).is_some_and(|t| t.how == now.how);
        let changed = self.0.iter().find(|(oid, now)| !same(oid, now)).map(|(_, now)| now);
        let gone = || then.0.iter().find(|(oid, _)| !self.0.contains_key(oid)).map(|(_, then)| then);
        changed.or_else(gone).map(|p| p.name.as_str())
    }
}

/// A partition that was equal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The snapshot it was read in, by its name.
    pub snapshot: String,
    /// When, by the server's clock.
    pub at: String,
    /// What the check that found it keeps of it.
    pub sides: serde_json::Value,
}

/// Everything a check knows of a pair of tables.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairEvidence {
    /// Which transactions it knows of (`pg_current_snapshot()`): what others wrote is told by marks.
    pub sees: String,
    /// How things were.
    pub fingerprint: Fingerprint,
    /// What was compared: columns and their expressions.
    pub compared: String,
    /// There were legacy rows without a partition.
    #[serde(default)]
    pub homeless: bool,
    /// Partitions that were equal, by oid.
    pub partitions: BTreeMap<i64, Sealed>,
}

/// Where proofs are kept.
pub trait ParityEvidence: Send + Sync {
    /// The last one of a pair; what cannot be read or was altered is none.
    fn proof(&self, target: &Identity, twin: &str) -> Option<PairEvidence>;
    /// Keeps one in place of the last.
    fn keep(&self, target: &Identity, twin: &str, proof: &PairEvidence) -> Result<()>;
    /// A comparison that was not finished.
    fn unfinished(&self, target: &Identity, twin: &str) -> Option<serde_json::Value>;
    /// Keeps one; `None`: there is none any more.
    fn set_unfinished(&self, target: &Identity, twin: &str, state: Option<&serde_json::Value>) -> Result<()>;
}

/// Where nothing is kept.
#[derive(Debug, Clone, Copy)]
pub struct NoProofs;

impl ParityEvidence for NoProofs {
    fn proof(&self, _: &Identity, _: &str) -> Option<PairEvidence> {
        None
    }

    fn keep(&self, _: &Identity, _: &str, _: &PairEvidence) -> Result<()> {
        Ok(())
    }

    fn unfinished(&self, _: &Identity, _: &str) -> Option<serde_json::Value> {
        None
    }

    fn set_unfinished(&self, _: &Identity, _: &str, _: Option<&serde_json::Value>) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_named() {
        let print = |list: &[(i64, &str, &str)]| {
            let one = |(oid, name, how): &(i64, &str, &str)| {
                (*oid, Print { name: (*name).into(), how: (*how).into() })
            };
            Fingerprint(list.iter().map(one).collect())
        };
        let then = print(&[(1, "a", "1"), (2, "b", "2")]);
        assert_eq!(print(&[(1, "renamed", "1"), (2, "b", "2")]).difference(&then), None);
        assert_eq!(print(&[(1, "a", "1"), (2, "b", "3")]).difference(&then), Some("b"));
        assert_eq!(print(&[(1, "a", "1")]).difference(&then), Some("b"));
    }
}
