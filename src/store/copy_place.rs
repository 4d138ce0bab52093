//! Which files hold what is kept of a journal. They are named by the database as it was seen first; one that was restored
//! has another oid, and its files are found by what the mark says of it.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::engine::model::identity::Identity;
use crate::engine::port::journal_copy::Mark;

const COPY: &str = ".jsonl";
const MARK: &str = ".mark.json";

/// How far the journal of this copy was seen.
pub(super) fn mark_path(copy: &Path) -> PathBuf {
    copy.with_extension("mark.json")
}

/// What stands there; none: nothing. The inner error: it cannot be understood.
pub(super) fn read_mark(copy: &Path) -> std::io::Result<Option<serde_json::Result<Mark>>> {
    match std::fs::read(mark_path(copy)) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes))),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// A copy, or a mark without one.
struct Kept {
    path: PathBuf,
    mark: Option<Mark>,
}

impl Kept {
    fn at(path: PathBuf) -> Option<Self> {
        let mark = read_mark(&path).ok().flatten();
        if mark.is_none() && !path.exists() {
            return None;
        }
        Some(Self { path, mark: mark.and_then(Result::ok) })
    }

    fn seen(&self) -> Option<&Identity> {
        self.mark.as_ref()?.seen.as_ref()
    }

    fn seq(&self) -> i64 {
        self.mark.as_ref().map_or(0, |m| m.seq)
    }

    /// Of this database, in whatever state it was. A mark of an earlier version does not say whose it is: its name does.
    fn is_of(&self, target: &Identity) -> bool {
        match self.seen() {
            Some(seen) => target.is_database_seen_as(seen),
            None => self.path.file_name().is_some_and(|name| is_named_for(&name.to_string_lossy(), target)),
        }
    }

    /// Of this database by the address that it was seen at, not by what its server says of itself.
    fn is_at(&self, target: &Identity) -> bool {
        self.is_of(target) && self.seen().is_none_or(|seen| target.is_at_the_place_of(seen))
    }
}

fn safe(text: &str) -> String {
    text.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
}

fn server(target: &Identity) -> String {
    let dialect = target.dialect.as_ref().map_or_else(String::new, |d| format!("{}-", safe(d)));
    format!("{dialect}{}", safe(target.system_identifier.as_deref().unwrap_or("unknown")))
}

fn stem(target: &Identity) -> String {
    let oid = target.database_oid.map_or_else(|| "none".into(), |oid| oid.to_string());
    format!("{}-{oid}-{}", server(target), safe(&target.database))
}

/// The name of a copy of this database, whatever its oid was.
fn is_named_for(file: &str, target: &Identity) -> bool {
    if file == format!("{}{COPY}", stem(target)) {
        return true;
    }
    // Two names may have become one in that of the file.
    let name = Some(safe(&target.database)).filter(|name| *name == target.database);
    let oid = name.and_then(|name| {
        let rest = file.strip_suffix(COPY)?.strip_prefix(&server(target))?.strip_prefix('-')?;
        rest.strip_suffix(&name)?.strip_suffix('-').map(str::to_owned)
    });
    oid.is_some_and(|oid| !oid.is_empty() && oid.bytes().all(|b| b.is_ascii_digit()))
}

fn all(dir: &Path) -> Vec<Kept> {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let copies: BTreeSet<String> = files
        .filter_map(|f| {
            let name = f.file_name().into_string().ok()?;
            let stem = name.strip_suffix(MARK).or_else(|| name.strip_suffix(COPY))?;
            Some(format!("{stem}{COPY}"))
        })
        .collect();
    copies.into_iter().filter_map(|name| Kept::at(dir.join(name))).collect()
}

/// Where the copy of this database is, or will be: what was seen at its address, else at another one of the same server.
pub(super) fn place_of(dir: &Path, target: &Identity) -> PathBuf {
    let is_at = |kept: &Kept| kept.is_at(target);
    found(dir, target, is_at)
        .or_else(|| found(dir, target, |kept| kept.is_of(target)))
        .unwrap_or_else(|| own_place_of(dir, target))
}

/// The same of this address alone.
pub(super) fn own_place_of(dir: &Path, target: &Identity) -> PathBuf {
    found(dir, target, |kept| kept.is_at(target)).unwrap_or_else(|| free_place(dir, target))
}

fn found(dir: &Path, target: &Identity, is_its: impl Fn(&Kept) -> bool) -> Option<PathBuf> {
    let own = Kept::at(dir.join(format!("{}{COPY}", stem(target)))).filter(&is_its);
    let farthest = || all(dir).into_iter().filter(&is_its).max_by_key(Kept::seq);
    own.or_else(farthest).map(|kept| kept.path)
}

fn free_place(dir: &Path, target: &Identity) -> PathBuf {
    let own = dir.join(format!("{}{COPY}", stem(target)));
    if Kept::at(own.clone()).is_none() {
        return own;
    }
    // A copy of the cluster elsewhere has the same numbers and names.
    let digest = hex::encode(Sha256::digest(target.place().as_bytes()));
    dir.join(format!("{}-{digest:.8}{COPY}", stem(target)))
}

/// All copies of this database, as it was seen at this address.
pub(super) fn places_of(dir: &Path, target: &Identity) -> Vec<PathBuf> {
    all(dir).into_iter().filter(|k| k.is_at(target)).map(|k| k.path).collect()
}

/// What was seen of databases of this name that are, as far as is known, on another server; also what was seen at this
/// address of a server that had another identifier: one that was upgraded, or made anew and filled from a backup, has.
pub(super) fn elsewhere(dir: &Path, target: &Identity) -> Vec<Mark> {
    let is_namesake = |mark: &Mark| {
        let Some(seen) = &mark.seen else { return false };
        let systems = (&seen.system_identifier, &target.system_identifier);
        let may_be_one = !matches!(systems, (Some(a), Some(b)) if a != b) || mark.named(target).is_some();
        seen.dialect == target.dialect && seen.database == target.database && may_be_one
    };
    all(dir).into_iter().filter(|k| !k.is_of(target)).filter_map(|k| k.mark).filter(is_namesake).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(oid: u32) -> Identity {
        Identity {
            system_identifier: Some("7".into()),
            database_oid: Some(oid),
            database: "shop".into(),
            address: "a:5432/shop".into(),
            data_directory: Some("/data".into()),
            timeline: Some(1),
            ..Identity::default()
        }
    }

    fn marked(copy: &Path, seq: i64, seen: &Identity) {
        let mark = Mark { seq, seen: Some(seen.clone()), ..Mark::default() };
        std::fs::write(mark_path(copy), serde_json::to_vec(&mark).unwrap()).unwrap();
    }

    #[test]
    fn a_copy_of_an_earlier_version_is_found_by_its_name_and_another_oid_too() {
        let dir = tempfile::tempdir().unwrap();
        let old = dir.path().join("7-16384-shop.jsonl");
        std::fs::write(&old, "").unwrap();
        assert_eq!(place_of(dir.path(), &target(16_384)), old);
        assert_eq!(place_of(dir.path(), &target(16_999)), old, "restored by createdb and pg_restore");
        let own = |name: &str| place_of(dir.path(), &Identity { database: name.into(), ..target(5) });
        assert_eq!(own("hop"), dir.path().join("7-5-hop.jsonl"));
        // In a file's name both are `a_b`: only the oid tells them apart.
        std::fs::write(dir.path().join("7-4-a_b.jsonl"), "").unwrap();
        assert_eq!(own("a b"), dir.path().join("7-5-a_b.jsonl"));
    }

    #[test]
    fn a_copy_of_the_cluster_elsewhere_has_a_place_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let (here, name) = (target(1), dir.path().join("7-1-shop.jsonl"));
        marked(&name, 9, &here);
        let clone = Identity { address: "b:5432/shop".into(), timeline: Some(2), ..target(1) };
        let other = place_of(dir.path(), &clone);
        assert_ne!(other, name);
        assert_eq!(elsewhere(dir.path(), &clone).iter().map(|m| m.seq).collect::<Vec<_>>(), [9]);
        marked(&other, 12, &clone);
        assert_eq!(
            (place_of(dir.path(), &clone), place_of(dir.path(), &here)),
            (other.clone(), name.clone())
        );
        // Of two states of one database the one that was seen farther counts; both are its own.
        let restored = dir.path().join("7-2-shop.jsonl");
        marked(&restored, 20, &target(2));
        assert_eq!(place_of(dir.path(), &target(3)), restored);
        assert_eq!(places_of(dir.path(), &target(3)), [name, restored]);
    }

    #[test]
    fn what_was_seen_at_another_address_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let (here, name) = (target(1), dir.path().join("7-1-shop.jsonl"));
        marked(&name, 9, &here);
        // A standby, or a copy of the disk: the server says the same of itself.
        let there = Identity { address: "b:5432/shop".into(), ..target(1) };
        assert_eq!(place_of(dir.path(), &there), name);
        assert_ne!(own_place_of(dir.path(), &there), name);
        assert_eq!(places_of(dir.path(), &there), <[PathBuf; 0]>::default());
        marked(&own_place_of(dir.path(), &there), 0, &there);
        assert_ne!(place_of(dir.path(), &there), name);
        assert_eq!(place_of(dir.path(), &here), name);
    }

    #[test]
    fn another_server_at_the_same_address_is_seen_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        marked(&dir.path().join("7-1-shop.jsonl"), 9, &target(1));
        let upgraded = Identity { system_identifier: Some("8".into()), ..target(5) };
        assert_eq!(place_of(dir.path(), &upgraded), dir.path().join("8-5-shop.jsonl"));
        assert_eq!(elsewhere(dir.path(), &upgraded).len(), 1);
        let another = Identity { address: "b:5432/shop".into(), ..upgraded };
        assert_eq!(elsewhere(dir.path(), &another), []);
        // Also at an address that was used later.
        let name = dir.path().join("7-1-shop.jsonl");
        let mut mark = read_mark(&name).unwrap().unwrap().unwrap();
        mark.found_at(&Identity { address: "b:5432/shop".into(), ..target(1) });
        std::fs::write(mark_path(&name), serde_json::to_vec(&mark).unwrap()).unwrap();
        let found = elsewhere(dir.path(), &another);
        assert_eq!(found.iter().filter_map(|m| m.named(&another)).count(), 1);
    }
}
