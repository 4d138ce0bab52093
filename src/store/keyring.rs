//! Keys of installations: our own (Ed25519, PKCS#8), and the list of those that were seen here.

use std::collections::{HashMap, HashSet};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{SecondsFormat, Utc};
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use super::KeyFile;
use crate::disk;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::installation::{Installation, Pin, Standing, fingerprint, replacement_text};
use crate::engine::port::signer::{OwnKey, Signer};

/// Our key's file in the state directory.
const KEY: &str = "installation.key";
/// Such a file is no longer than this (bytes).
const KEY_BYTES: u64 = 4 << 10;
/// Keys that are remembered for having been seen in a journal, which others can write.
const MANY: usize = 1_000;
/// Characters of a name that are kept.
const NAME: usize = 128;
/// The keys that were seen.
const PINS: &str = "keys.json";

/// In a state directory; the key itself where the environment names a file for it.
#[derive(Clone)]
pub struct Keyring {
    dir: Option<PathBuf>,
    named: Option<PathBuf>,
    label: String,
    earlier: KeyFile,
}

/// Our key, as its file had it.
#[derive(Debug)]
struct KeyPair {
    pair: Ed25519KeyPair,
    told: Installation,
    predecessors: Vec<Installation>,
}

impl OwnKey for KeyPair {
    fn installation(&self) -> &Installation {
        &self.told
    }

    fn predecessors(&self) -> &[Installation] {
        &self.predecessors
    }

    fn sign(&self, text: &str) -> String {
        hex::encode(self.pair.sign(text.as_bytes()).as_ref())
    }
}

/// What a key that replaced another keeps of it.
#[derive(Serialize, Deserialize)]
struct Replaced {
    replaces: String,
    proof: String,
    /// The row of the old key, which nobody can sign any more. Absent: an earlier version has replaced it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    old: Option<Installation>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring").field("dir", &self.dir).field("named", &self.named).finish_non_exhaustive()
    }
}

fn failed(what: &str, path: &Path, e: &std::io::Error) -> Error {
    Error::unobserved(format!("failed to {what} {}: {e}", path.display()))
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true)
}

impl Keyring {
    /// `named`: the key's own file (`MIDWATCH_KEY_FILE`); `label`: `user@host`.
    pub fn new(dir: Option<PathBuf>, named: Option<PathBuf>, label: String) -> Self {
        Self { earlier: KeyFile::new(dir.clone()), dir, named, label }
    }

    /// Our key, made when it is first needed; none: it cannot be kept anywhere.
    fn read_or_make(&self) -> Result<Option<KeyPair>> {
        let Some(path) = self.key_path() else { return Ok(None) };
        match key_file(&path) {
            Ok(bytes) => self.opened(&path, &bytes).map(Some),
            Err(e) if e.kind() == ErrorKind::NotFound && self.named.is_none() => {
                let bytes = new_key()?;
                // Where nothing can be kept nothing is signed, and nothing that needs a signature is done.
                match self.private_dir() {
                    Ok(()) => {}
                    // A place that others prepared is an attack, or a mistake to be told.
                    Err(e) if disk::is_refusal(&e) => return Err(failed("keep the key", &path, &e)),
                    Err(_) => return Ok(None),
                }
                match put_if_absent(&path, &bytes) {
                    Ok(()) => {}
                    Err(e) if is_unwritable(&e) => return Ok(None),
                    Err(e) => return Err(failed("keep the key", &path, &e)),
                }
                // Somebody may have been faster: theirs counts.
                let bytes = key_file(&path).map_err(|e| failed("read the key", &path, &e))?;
                self.opened(&path, &bytes).map(Some)
            }
            Err(e) if disk::is_refusal(&e) => Err(failed("read the key", &path, &e)
                .hint("chmod 600, and midwatch key rotate if others may have read it")),
            Err(e) => Err(failed("read the key", &path, &e)
                .hint("MIDWATCH_KEY_FILE or the state directory holds this installation's key")),
        }
    }

    fn key_path(&self) -> Option<PathBuf> {
        self.named.clone().or_else(|| self.dir.as_ref().map(|d| d.join(KEY)))
    }

    fn opened(&self, path: &Path, bytes: &[u8]) -> Result<KeyPair> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes).map_err(|e| {
            Error::unobserved(format!("failed to read the key {}: {e}", path.display()))
                .hint("an Ed25519 key as PKCS#8 (DER): openssl genpkey -algorithm ed25519 -outform DER")
        })?;
        let public_key = hex::encode(pair.public_key().as_ref());
        let fingerprint = fingerprint(&public_key).unwrap_or_default();
        let replaced = self.replaced(&fingerprint);
        let predecessors = self.predecessors(&fingerprint);
        let told = Installation {
            fingerprint,
            public_key,
            name: self.label.clone(),
            first_seen: now(),
            replaces: replaced.as_ref().map(|r| r.replaces.clone()),
            proof: replaced.map(|r| r.proof),
            signature: String::new(),
        };
        let signature = hex::encode(pair.sign(told.text().as_bytes()).as_ref());
        Ok(KeyPair { pair, told: Installation { signature, ..told }, predecessors })
    }

    fn replaced_path(&self, fingerprint: &str) -> Option<PathBuf> {
        self.dir.as_ref().map(|d| d.join(format!("replaced-by-{fingerprint}.json")))
    }

    fn replaced(&self, fingerprint: &str) -> Option<Replaced> {
        serde_json::from_slice(&std::fs::read(self.replaced_path(fingerprint)?).ok()?).ok()
    }

    /// A file that others cannot write says it; a circle would have no end.
    fn predecessors(&self, fingerprint: &str) -> Vec<Installation> {
        let mut out: Vec<Installation> = Vec::new();
        let mut key = fingerprint.to_owned();
        while let Some(old) = self.replaced(&key).and_then(|replaced| replaced.old) {
            if out.len() == MANY || out.iter().any(|known| known.fingerprint == old.fingerprint) {
                break;
            }
            key.clone_from(&old.fingerprint);
            out.push(old);
        }
        out
    }

    fn private_dir(&self) -> std::io::Result<()> {
        let Some(dir) = &self.dir else { return Ok(()) };
        disk::own_directory(dir)
    }

    fn pins_path(&self) -> Option<PathBuf> {
        self.dir.as_ref().map(|d| d.join(PINS))
    }

    fn read_pins(&self) -> Result<Vec<Pin>> {
        let Some(path) = self.pins_path() else { return Ok(vec![]) };
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(vec![]),
            Err(e) => return Err(failed("read", &path, &e)),
        };
        serde_json::from_slice(&bytes)
            .map_err(|e| Error::unobserved(format!("failed to read {}: {e}", path.display())))
    }

    /// Reads, changes and writes the list; one process at a time.
    fn change_pins<T>(&self, change: impl FnOnce(&mut Vec<Pin>) -> Result<T>) -> Result<T> {
        let lost = |e: &std::io::Error| Error::unobserved(format!("failed to keep the list of keys: {e}"));
        let Some(path) = self.pins_path() else {
            return Err(Error::usage("there is no state directory to keep keys in")
                .hint("set HOME, or state_dir in midwatch.toml"));
        };
        self.private_dir().map_err(|e| lost(&e))?;
        let lock = disk::append(&path.with_extension("lock")).map_err(|e| lost(&e))?;
        lock.lock().map_err(|e| lost(&e))?;
        let before = self.read_pins()?;
        let mut pins = before.clone();
        let value = change(&mut pins)?;
        if pins != before {
            let bytes = serde_json::to_vec_pretty(&pins).map_err(|e| lost(&e.into()))?;
            disk::save(&path, &bytes).map_err(|e| lost(&e))?;
        }
        Ok(value)
    }

    /// Adds what a journal names and is not known yet, and what follows from it for those that are.
    fn learn(&self, pins: &mut Vec<Pin>, seen: &[Installation], own: Option<&Installation>) {
        for i in oldest_first(seen) {
            let is_own = own.is_some_and(|own| own.fingerprint == i.fingerprint);
            if let Some(pin) = pins.iter_mut().find(|p| p.fingerprint == i.fingerprint) {
                // Its fingerprint was told before the key was seen.
                if pin.public_key.is_none() {
                    (pin.public_key, pin.name) = (Some(i.public_key.clone()), label(&i.name));
                }
            } else if pins.len() < MANY || is_own {
                pins.push(Pin {
                    fingerprint: i.fingerprint.clone(),
                    public_key: Some(i.public_key.clone()),
                    name: label(&i.name),
                    first_seen: now(),
                    standing: if is_own { Standing::Own } else { Standing::Unconfirmed },
                    replaced_by: None,
                    untrusted: false,
                });
            }
            self.inherit(pins, i, is_own);
        }
    }

    /// A key is believed as the one that it replaces is, which has signed it: one key alone comes after another. What was
    /// ours is no proof of what is: our own key is the one in our file.
    fn inherit(&self, pins: &mut [Pin], i: &Installation, is_own: bool) {
        let (Some(old), Some(proof)) = (&i.replaces, &i.proof) else { return };
        let Some(pin) = pins.iter_mut().find(|p| p.fingerprint == *old) else { return };
        let text = replacement_text(old, &i.public_key);
        let signed = pin.public_key.as_ref().is_some_and(|key| self.verifies(key, &text, proof));
        let ours = pin.standing == Standing::Own;
        if !signed || ours && !is_own || pin.replaced_by.as_ref().is_some_and(|by| *by != i.fingerprint) {
            return;
        }
        pin.replaced_by = Some(i.fingerprint.clone());
        let trusted = pin.standing == Standing::Trusted;
        let new = pins.iter_mut().find(|p| p.fingerprint == i.fingerprint);
        if let Some(new) = new.filter(|p| trusted && p.standing == Standing::Unconfirmed && !p.untrusted) {
            new.standing = Standing::Trusted;
        }
    }
}

/// Each key after the one that it replaces, however they are listed: it is believed for that one's sake.
fn oldest_first(seen: &[Installation]) -> Vec<&Installation> {
    let listed: HashMap<&str, &Installation> =
        seen.iter().filter(|i| i.is_named_by_its_key()).map(|i| (i.fingerprint.as_str(), i)).collect();
    let (mut out, mut placed) = (Vec::new(), HashSet::new());
    for i in seen {
        let (mut newer, mut next) = (Vec::new(), Some(i.fingerprint.as_str()));
        while let Some(found) = next.and_then(|key| listed.get(key)).filter(|i| placed.insert(&i.fingerprint))
        {
            newer.push(*found);
            next = found.replaces.as_deref();
        }
        out.extend(newer.into_iter().rev());
    }
    out
}

/// A name, as long as it helps to tell one from another.
fn label(name: &str) -> String {
    name.chars().take(NAME).collect()
}

/// A whole fingerprint, in small letters.
fn whole(fingerprint: &str) -> Result<String> {
    if fingerprint.len() == 32 && fingerprint.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(fingerprint.to_lowercase());
    }
    Err(Error::usage(format!("{fingerprint:?} is no fingerprint: it has 32 hexadecimal digits"))
        .hint("midwatch key export on the other machine shows it; compare all of it"))
}

impl Signer for Keyring {
    fn key(&self) -> Result<Option<Arc<dyn OwnKey>>> {
        Ok(self.read_or_make()?.map(|key| Arc::new(key) as Arc<dyn OwnKey>))
    }

    fn verifies(&self, public_key: &str, text: &str, signature: &str) -> bool {
        let (Ok(key), Ok(signature)) = (hex::decode(public_key), hex::decode(signature)) else {
            return false;
        };
        UnparsedPublicKey::new(&ED25519, key).verify(text.as_bytes(), &signature).is_ok()
    }

    fn is_of_earlier_version(&self, digest: &str, signature: &str) -> bool {
        self.earlier.has_signed(digest, signature)
    }

    fn pins(&self) -> Result<Vec<Pin>> {
        self.read_pins()
    }

    fn pin(&self, seen: &[Installation]) -> Result<()> {
        if seen.is_empty() || self.dir.is_none() {
            return Ok(());
        }
        let own = self.own()?;
        let known = self.read_pins()?;
        let mut learned = known.clone();
        self.learn(&mut learned, seen, own.as_ref());
        if learned == known {
            return Ok(());
        }
        self.change_pins(|pins| {
            self.learn(pins, seen, own.as_ref());
            Ok(())
        })
    }

    fn trust(&self, fingerprint: &str) -> Result<Pin> {
        let fingerprint = whole(fingerprint)?;
        self.change_pins(|pins| {
            if let Some(pin) = pins.iter_mut().find(|p| p.fingerprint == fingerprint) {
                pin.untrusted = false;
                if pin.standing == Standing::Unconfirmed {
                    pin.standing = Standing::Trusted;
                }
                return Ok(pin.clone());
            }
            let pin = Pin {
                fingerprint,
                public_key: None,
                name: "not seen yet".into(),
                first_seen: now(),
                standing: Standing::Trusted,
                replaced_by: None,
                untrusted: false,
            };
            pins.push(pin.clone());
            Ok(pin)
        })
    }

    fn untrust(&self, fingerprint: &str) -> Result<Pin> {
        let fingerprint = whole(fingerprint)?;
        if self.own()?.is_some_and(|own| own.fingerprint == fingerprint) {
            return Err(Error::usage(format!("{fingerprint} is the key of this installation"))
                .hint("midwatch key rotate makes another; then this one can be untrusted"));
        }
        self.change_pins(|pins| {
            let Some(pin) = pins.iter_mut().find(|p| p.fingerprint == fingerprint) else {
                return Err(Error::usage(format!("no key {fingerprint} was seen or trusted here"))
                    .hint("midwatch key list"));
            };
            (pin.standing, pin.untrusted) = (Standing::Unconfirmed, true);
            Ok(pin.clone())
        })
    }

    fn rotate(&self) -> Result<Installation> {
        if let Some(named) = &self.named {
            let why = format!("the key {} is named by MIDWATCH_KEY_FILE and kept by others", named.display());
            let old = self.own()?.unwrap_or_default().fingerprint;
            return Err(Error::new(Class::Refused, why).hint(format!(
                "replace that file; then, here and where its entries are read: midwatch key untrust {old}, and midwatch key \
                 trust for the new one"
            )));
        }
        let (Some(old), Some(path)) = (self.read_or_make()?, self.key_path()) else {
            return Err(
                Error::usage("no key can be kept here").hint("set HOME, or state_dir in midwatch.toml")
            );
        };
        let bytes = new_key()?;
        let pair = Ed25519KeyPair::from_pkcs8(&bytes)
            .map_err(|e| Error::unobserved(format!("failed to make a key: {e}")))?;
        let public_key = hex::encode(pair.public_key().as_ref());
        let name = fingerprint(&public_key).unwrap_or_default();
        let proof = old.pair.sign(replacement_text(&old.told.fingerprint, &public_key).as_bytes());
        let replaced = Replaced {
            replaces: old.told.fingerprint.clone(),
            proof: hex::encode(proof.as_ref()),
            old: Some(old.told.clone()),
        };
        self.pin(std::slice::from_ref(&old.told))?;
        // The proof first: without it the new key would be a stranger's.
        if let Some(beside) = self.replaced_path(&name) {
            let bytes = serde_json::to_vec(&replaced).map_err(|e| failed("keep", &beside, &e.into()))?;
            disk::save(&beside, &bytes).map_err(|e| failed("keep", &beside, &e))?;
        }
        disk::save(&path, &bytes).map_err(|e| failed("keep the key", &path, &e))?;
        let own = self.own()?.unwrap_or_default();
        self.pin(std::slice::from_ref(&own))?;
        Ok(own)
    }
}

fn key_file(path: &Path) -> std::io::Result<Vec<u8>> {
    disk::secret(path, KEY_BYTES)
}

fn new_key() -> Result<Vec<u8>> {
    let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
        .map_err(|e| Error::unobserved(format!("failed to make a key: {e}")))?;
    Ok(made.as_ref().to_vec())
}

fn is_unwritable(e: &std::io::Error) -> bool {
    matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::NotADirectory)
}

/// Written whole where nothing is there yet; what is there stays.
fn put_if_absent(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = disk::UnfinishedFile::beside(path)?;
    file.write_all(bytes)?;
    match file.keep_new() {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn keyring(dir: &Path) -> Keyring {
        Keyring::new(Some(dir.to_owned()), None, "dana@laptop".into())
    }

    #[test]
    fn the_key_stays_and_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let (first, again) = (keyring(&state), keyring(&state));
        let own = first.own().unwrap().unwrap();
        assert_eq!(own.public_key, again.own().unwrap().unwrap().public_key);
        assert!(own.is_named_by_its_key());
        assert!(first.verifies(&own.public_key, &own.text(), &own.signature));
        let signature = first.key().unwrap().unwrap().sign("text");
        assert!(again.verifies(&own.public_key, "text", &signature));
        assert!(!again.verifies(&own.public_key, "another", &signature));
        let mode = |p: &Path| std::fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&state), mode(&state.join(KEY))), (0o700, 0o600));
        std::fs::set_permissions(state.join(KEY), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(keyring(&state).own().unwrap_err().message.contains("read by others"));
        assert_eq!(Keyring::new(None, None, String::new()).own().unwrap(), None);
    }

    #[test]
    fn keys_are_believed_when_somebody_said_so_or_a_believed_key_signed_them() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (here, there) = (keyring(here.path()), keyring(there.path()));
        let standing = |i: &Installation| {
            let pins = here.pins().unwrap();
            pins.iter().find(|p| p.fingerprint == i.fingerprint).map(|p| p.standing)
        };
        let first = there.own().unwrap().unwrap();
        assert_eq!(standing(&first), None);
        here.pin(std::slice::from_ref(&first)).unwrap();
        assert_eq!(standing(&first), Some(Standing::Unconfirmed));
        assert!(here.trust(first.fingerprint.get(..8).unwrap()).is_err());
        here.trust(&first.fingerprint).unwrap();
        assert_eq!(standing(&first), Some(Standing::Trusted));
        let second = there.rotate().unwrap();
        assert_eq!(second.replaces.as_ref(), Some(&first.fingerprint));
        let forged = Installation { proof: first.proof.clone().or(Some("00".repeat(64))), ..second.clone() };
        let stranger = tempfile::tempdir().unwrap();
        let stranger = keyring(stranger.path());
        stranger.trust(&first.fingerprint).unwrap();
        stranger.pin(&[first.clone(), forged]).unwrap();
        assert_eq!(stranger.pins().unwrap()[1].standing, Standing::Unconfirmed);
        here.pin(std::slice::from_ref(&second)).unwrap();
        assert_eq!(standing(&second), Some(Standing::Trusted));
        let own = there.pins().unwrap();
        assert!(own.iter().all(|p| p.standing == Standing::Own), "{own:?}");
    }

    #[test]
    fn a_key_that_was_replaced_twice_between_two_looks_is_followed() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (here, there) = (keyring(here.path()), keyring(there.path()));
        let first = there.own().unwrap().unwrap();
        here.trust(&first.fingerprint).unwrap();
        let (second, third) = (there.rotate().unwrap(), there.rotate().unwrap());
        let key = there.key().unwrap().unwrap();
        let names = |all: &[Installation]| all.iter().map(|i| i.fingerprint.clone()).collect::<Vec<_>>();
        assert_eq!(names(key.predecessors()), names(&[second.clone(), first.clone()]));
        for old in key.predecessors() {
            assert!(here.verifies(&old.public_key, &old.text(), &old.signature), "{old:?}");
        }
        // In any order.
        here.pin(&[third.clone(), second, first]).unwrap();
        let pins = here.pins().unwrap();
        assert!(pins.iter().all(|p| p.standing == Standing::Trusted), "{pins:?}");
    }

    #[test]
    fn one_key_alone_comes_after_another() {
        let dirs: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
        let (there, here) = (keyring(dirs[0].path()), keyring(dirs[1].path()));
        let first = there.own().unwrap().unwrap();
        std::fs::copy(dirs[0].path().join(KEY), dirs[2].path().join(KEY)).unwrap();
        let second = there.rotate().unwrap();
        let stolen = keyring(dirs[2].path()).rotate().unwrap();
        assert_eq!(stolen.replaces.as_ref(), Some(&first.fingerprint));
        here.trust(&first.fingerprint).unwrap();
        for ring in [&here, &there] {
            ring.pin(&[first.clone(), second.clone(), stolen.clone()]).unwrap();
            let pins = ring.pins().unwrap();
            let of = |i: &Installation| pins.iter().find(|p| p.fingerprint == i.fingerprint).unwrap();
            assert_eq!(of(&first).replaced_by.as_ref(), Some(&second.fingerprint));
            assert_ne!(of(&second).standing, Standing::Unconfirmed);
            assert_eq!(of(&stolen).standing, Standing::Unconfirmed);
        }
        here.untrust(&second.fingerprint).unwrap();
        here.pin(std::slice::from_ref(&second)).unwrap();
        let pins = here.pins().unwrap();
        assert!(
            pins.iter().all(|p| p.fingerprint != second.fingerprint || p.standing == Standing::Unconfirmed)
        );
    }

    #[test]
    fn a_journal_fills_no_list_of_keys() {
        let dir = tempfile::tempdir().unwrap();
        let here = keyring(dir.path());
        let many = |n: usize| {
            let public_key = format!("{n:064x}");
            let fingerprint = fingerprint(&public_key).unwrap();
            Installation { fingerprint, public_key, name: "x".repeat(1 << 16), ..Installation::default() }
        };
        here.pin(&(0..MANY + 9).map(many).collect::<Vec<_>>()).unwrap();
        let pins = here.pins().unwrap();
        assert_eq!((pins.len(), pins[0].name.len()), (MANY, NAME));
        let last = many(MANY + 8);
        here.trust(&last.fingerprint).unwrap();
        here.pin(std::slice::from_ref(&last)).unwrap();
        let pins = here.pins().unwrap();
        assert_eq!(pins[MANY].public_key.as_ref(), Some(&last.public_key));
    }
}
