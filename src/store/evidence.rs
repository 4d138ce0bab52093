//! Proofs of parity on the operator's side: a file for each pair of tables of each target.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::KeyFile;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::identity::Identity;
use crate::engine::port::evidence::{PairEvidence, ParityEvidence};
use crate::engine::port::signer::Signer as _;

/// In `dir/parity`; without a directory nothing is kept.
#[derive(Debug, Clone)]
pub struct EvidenceFiles {
    dir: Option<PathBuf>,
    key: KeyFile,
}

/// What a file holds: a text, and that it was written here.
#[derive(Serialize, Deserialize)]
struct Kept {
    signature: Option<String>,
    text: String,
}

impl EvidenceFiles {
    /// Below the operator's state directory.
    pub fn new(dir: Option<PathBuf>) -> Self {
        Self { dir: dir.clone().map(|d| d.join("parity")), key: KeyFile::new(dir) }
    }

    fn path(&self, target: &Identity, twin: &str, what: &str) -> Option<PathBuf> {
        let part = |text: &str| {
            let digest = hex::encode(Sha256::digest(text.as_bytes()));
            let safe: String =
                text.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
            format!("{safe:.40}-{digest:.12}")
        };
        // Everything that tells one copy of a database from another.
        let oid = target.database_oid.map_or_else(|| "none".into(), |oid| oid.to_string());
        let id = format!(
            "{:?} {oid} {} {:?} {:?}",
            target.system_identifier, target.address, target.data_directory, target.timeline
        );
        let digest = hex::encode(Sha256::digest(id.as_bytes()));
        let name = format!("{}-{digest:.16}-{}.{what}.json", part(&target.database), part(twin));
        self.dir.as_ref().map(|d| d.join(name))
    }

    fn sign(&self, text: &str) -> Option<String> {
        self.key.sign(&hex::encode(Sha256::digest(text.as_bytes()))).ok().flatten()
    }

    fn read<T: DeserializeOwned>(&self, path: Option<PathBuf>) -> Option<T> {
        let kept: Kept = serde_json::from_slice(&std::fs::read(path?).ok()?).ok()?;
        let signature = self.sign(&kept.text)?;
        (kept.signature == Some(signature)).then(|| serde_json::from_str(&kept.text).ok())?
    }

    fn write(&self, path: &Path, value: &impl Serialize) -> Result<()> {
        let fail = |e: std::io::Error| {
            Error::unobserved(format!("failed to keep the proof {}: {e}", path.display()))
        };
        let text = serde_json::to_string(value).map_err(|e| fail(e.into()))?;
        let kept = Kept { signature: self.sign(&text), text };
        let bytes = serde_json::to_vec(&kept).map_err(|e| fail(e.into()))?;
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(fail)?;
        }
        // Whole or not at all.
        let next = path.with_extension(format!("{}.tmp", std::process::id()));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&next)
            .map_err(fail)?;
        file.write_all(&bytes).map_err(fail)?;
        std::fs::rename(&next, path).map_err(fail)
    }
}

impl ParityEvidence for EvidenceFiles {
    fn proof(&self, target: &Identity, twin: &str) -> Option<PairEvidence> {
        self.read(self.path(target, twin, "proof"))
    }

    fn keep(&self, target: &Identity, twin: &str, proof: &PairEvidence) -> Result<()> {
        self.path(target, twin, "proof").map_or(Ok(()), |path| self.write(&path, proof))
    }

    fn unfinished(&self, target: &Identity, twin: &str) -> Option<serde_json::Value> {
        self.read(self.path(target, twin, "unfinished"))
    }

    fn set_unfinished(&self, target: &Identity, twin: &str, state: Option<&serde_json::Value>) -> Result<()> {
        let Some(path) = self.path(target, twin, "unfinished") else { return Ok(()) };
        match state {
            Some(state) => self.write(&path, state),
            None => match std::fs::remove_file(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    Err(Error::unobserved(format!("failed to remove {}: {e}", path.display())))
                }
                _ => Ok(()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_altered_is_no_proof() {
        let dir = tempfile::tempdir().unwrap();
        let proofs = EvidenceFiles::new(Some(dir.path().to_owned()));
        let target = Identity { database: "d".into(), timeline: Some(1), ..Identity::default() };
        let proof = PairEvidence { sees: "1:2:".into(), ..PairEvidence::default() };
        proofs.keep(&target, "t", &proof).unwrap();
        assert_eq!(proofs.proof(&target, "t"), Some(proof));
        assert_eq!(proofs.proof(&target, "other"), None);
        assert_eq!(proofs.proof(&Identity { timeline: Some(2), ..target.clone() }, "t"), None);
        let path = proofs.path(&target, "t", "proof").unwrap();
        let text = std::fs::read_to_string(&path).unwrap().replace("1:2:", "1:9:");
        std::fs::write(&path, text).unwrap();
        assert_eq!(proofs.proof(&target, "t"), None);
    }
}
