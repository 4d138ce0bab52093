//! How the definitions of a pair are: what was found equal counts as long as they stay as they were.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The state of everything that the evidence hangs on: relations, their columns and bounds, the triggers that write
/// marks, their functions, the marks' own table. By oid, with a name for people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint(pub BTreeMap<i64, ObjectPrint>);

/// One of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectPrint {
    /// Its name, which may change.
    pub name: String,
    /// A digest of its definition.
    #[serde(rename = "how")]
    pub digest: String,
}

impl Fingerprint {
    /// The first thing that is not as it was.
    pub fn difference<'a>(&'a self, then: &'a Self) -> Option<&'a str> {
        let same =
            |oid: &i64, now: &ObjectPrint| then.0.get(oid).is_some_and(|then| then.digest == now.digest);
        let changed = self.0.iter().find(|(oid, now)| !same(oid, now)).map(|(_, now)| now);
        let gone = || then.0.iter().find(|(oid, _)| !self.0.contains_key(oid)).map(|(_, then)| then);
        changed.or_else(gone).map(|p| p.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_named() {
        let print = |list: &[(i64, &str, &str)]| {
            let one = |(oid, name, digest): &(i64, &str, &str)| {
                (*oid, ObjectPrint { name: (*name).into(), digest: (*digest).into() })
            };
            Fingerprint(list.iter().map(one).collect())
        };
        let then = print(&[(1, "a", "1"), (2, "b", "2")]);
        assert_eq!(print(&[(1, "renamed", "1"), (2, "b", "2")]).difference(&then), None);
        assert_eq!(print(&[(1, "a", "1"), (2, "b", "3")]).difference(&then), Some("b"));
        assert_eq!(print(&[(1, "a", "1")]).difference(&then), Some("b"));
    }
}
