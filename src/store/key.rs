//! A key of this installation for what never leaves it: documents of features are signed with it, so that one that was
//! edited is known for what it is. Earlier versions signed plans with it, too.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::disk;
use crate::engine::model::error::{Error, Result};

/// Length of the key.
const BYTES: usize = 32;

/// In `dir/plan.key`; without a directory nothing is signed.
#[derive(Debug, Clone)]
pub(crate) struct KeyFile {
    path: Option<PathBuf>,
}

impl KeyFile {
    /// Made when it is first needed.
    pub(crate) fn new(dir: Option<PathBuf>) -> Self {
        Self { path: dir.map(|d| d.join("plan.key")) }
    }

    fn key(&self) -> Result<Option<[u8; BYTES]>> {
        let Some(path) = &self.path else { return Ok(None) };
        let fail =
            |e: std::io::Error| Error::unobserved(format!("failed to keep the key {}: {e}", path.display()));
        let dir = path.parent().map(disk::own_directory);
        // A place that others prepared is an attack, or a mistake to be told.
        let kept = match dir {
            Some(Err(e)) if disk::is_refusal(&e) => return Err(fail(e)),
            dir => matches!(dir, Some(Ok(()))),
        };
        let mut key = [0; BYTES];
        match disk::secret(path, BYTES as u64) {
            Ok(bytes) => {
                bytes.as_slice().read_exact(&mut key).map_err(fail)?;
                return Ok(Some(key));
            }
            Err(e) if disk::is_refusal(&e) => return Err(fail(e)),
            Err(_) => {}
        }
        // Where nothing can be kept, nothing is signed.
        if !kept {
            return Ok(None);
        }
        std::fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut key)).map_err(fail)?;
        match disk::create_new(path) {
            Ok(mut file) => file.write_all(&key).map_err(fail)?,
            // Somebody was faster: theirs counts.
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => return self.key(),
            Err(_) => return Ok(None),
        }
        Ok(Some(key))
    }
}

impl KeyFile {
    /// A digest, signed; `None`: nothing can be signed here.
    pub(super) fn sign(&self, digest: &str) -> Result<Option<String>> {
        let Some(key) = self.key()? else { return Ok(None) };
        Ok(Some(format!("{:.8}:{}", hex::encode(Sha256::digest(key)), code(&key, digest.as_bytes())?)))
    }

    /// Is this such a signature? Where there is no key none is made for it.
    pub(super) fn has_signed(&self, digest: &str, signature: &str) -> bool {
        let there = self.path.as_ref().is_some_and(|p| p.exists());
        there && self.sign(digest).ok().flatten().as_deref() == Some(signature)
    }
}

/// The keyed hash of a text (RFC 2104).
fn code(key: &[u8; BYTES], text: &[u8]) -> Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key)
        .map_err(|e| Error::unobserved(format!("failed to sign with the key: {e}")))?;
    mac.update(text);
    Ok(hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_that_of_the_standard() {
        // RFC 4231, case 1, its key of 20 bytes filled up with zeros as the standard does.
        let mut key = [0; BYTES];
        key[..20].fill(0x0b);
        let expected = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
        assert_eq!(code(&key, b"Hi There").unwrap(), expected);
    }

    #[test]
    fn the_key_stays() {
        let dir = tempfile::tempdir().unwrap();
        let of = || KeyFile::new(Some(dir.path().join("state"))).sign("d").unwrap().unwrap();
        assert_eq!(of(), of());
        assert_eq!(KeyFile::new(None).sign("d").unwrap(), None);
    }

    #[test]
    fn a_key_that_others_may_read_signs_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let key = KeyFile::new(Some(dir.path().to_owned()));
        let signature = key.sign("d").unwrap().unwrap();
        let path = dir.path().join("plan.key");
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        assert!(key.sign("d").unwrap_err().message.contains("read by others"));
        assert!(!key.has_signed("d", &signature));
    }
}
