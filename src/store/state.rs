//! Documents of features on the operator's side: a file for each document of each target.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::KeyFile;
use crate::disk;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::identity::Identity;
use crate::engine::port::state::{Document, State};

/// In a folder of `dir` for each feature; without a directory nothing is kept.
#[derive(Debug, Clone)]
pub struct StateFiles {
    dir: Option<PathBuf>,
    key: KeyFile,
}

/// What a file holds: a text, and that it was written here.
#[derive(Serialize, Deserialize)]
struct SignedDocument {
    signature: Option<String>,
    text: String,
}

impl StateFiles {
    /// Below the operator's state directory.
    pub fn new(dir: Option<PathBuf>) -> Self {
        Self { dir: dir.clone(), key: KeyFile::new(dir) }
    }

    fn path(&self, target: &Identity, document: &Document<'_>) -> Option<PathBuf> {
        let Document { folder, name, holds } = document;
        let part = |text: &str| {
            let digest = hex::encode(Sha256::digest(text.as_bytes()));
            let safe: String =
                text.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
            format!("{safe:.40}-{digest:.12}")
        };
        // Everything that tells one copy of a database from another.
        let oid = target.database_oid.map_or_else(|| "none".into(), |oid| oid.to_string());
        let dialect = target.dialect.as_ref().map_or_else(String::new, |d| format!(" {d}"));
        let id = format!(
            "{:?} {oid} {} {:?} {:?}{dialect}",
            target.system_identifier, target.address, target.data_directory, target.timeline
        );
        let digest = hex::encode(Sha256::digest(id.as_bytes()));
        let file = format!("{}-{digest:.16}-{}.{holds}.json", part(&target.database), part(name));
        self.dir.as_ref().map(|d| d.join(folder).join(file))
    }

    fn sign(&self, text: &str) -> Option<String> {
        self.key.sign(&hex::encode(Sha256::digest(text.as_bytes()))).ok().flatten()
    }

    fn keep(&self, path: &Path, text: &str) -> Result<()> {
        let fail = |e: std::io::Error| Error::unobserved(format!("failed to keep {}: {e}", path.display()));
        let kept = SignedDocument { signature: self.sign(text), text: text.to_owned() };
        let bytes = serde_json::to_vec(&kept).map_err(|e| fail(e.into()))?;
        for dir in [self.dir.as_deref(), path.parent()].into_iter().flatten() {
            disk::own_directory(dir).map_err(fail)?;
        }
        disk::save(path, &bytes).map_err(fail)
    }
}

impl State for StateFiles {
    fn read(&self, target: &Identity, document: &Document<'_>) -> Option<String> {
        let kept: SignedDocument =
            serde_json::from_slice(&std::fs::read(self.path(target, document)?).ok()?).ok()?;
        let signature = self.sign(&kept.text)?;
        (kept.signature == Some(signature)).then_some(kept.text)
    }

    fn write(&self, target: &Identity, document: &Document<'_>, text: Option<&str>) -> Result<()> {
        let Some(path) = self.path(target, document) else { return Ok(()) };
        match text {
            Some(text) => self.keep(&path, text),
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

    const PROOF: Document<'static> = Document { folder: "parity", name: "sales orders", holds: "proof" };

    /// Names and content do not change: files of an earlier build are read, replaced and removed.
    const NAME: &str = "parity/shop-8d9001d32c6a-3d3a539c05a2f6cb-salesorders-8252e4c811e7.proof.json";
    const CONTENT: &str = r#"{"signature":"4bb06f8e:a66175b555344e500e860bf66052d8ebb5ca9f96d9a556646d64af375e05a5ee","text":"{\"sees\":\"1:2:\"}"}"#;
    const TEXT: &str = r#"{"sees":"1:2:"}"#;

    fn target() -> Identity {
        Identity {
            system_identifier: Some("7713529981983005781".into()),
            database_oid: Some(17087),
            database: "shop".into(),
            address: "local socket/shop".into(),
            timeline: Some(1),
            ..Identity::default()
        }
    }

    /// A state directory with this key, and nothing else.
    fn state() -> (tempfile::TempDir, StateFiles) {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("plan.key");
        std::fs::write(&key, [7; 32]).unwrap();
        std::fs::set_permissions(key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let state = StateFiles::new(Some(dir.path().to_owned()));
        (dir, state)
    }

    #[test]
    fn a_file_of_an_earlier_build_is_read_and_removed() {
        let (dir, state) = state();
        let path = dir.path().join(NAME);
        assert_eq!(state.read(&target(), &PROOF), None);
        std::fs::create_dir(dir.path().join("parity")).unwrap();
        std::fs::write(&path, CONTENT).unwrap();
        assert_eq!(state.read(&target(), &PROOF).as_deref(), Some(TEXT));
        for other in [Document { name: "sales", ..PROOF }, Document { holds: "unfinished", ..PROOF }] {
            assert_eq!(state.read(&target(), &other), None);
        }
        assert_eq!(state.read(&Identity { timeline: Some(2), ..target() }, &PROOF), None);
        assert_eq!(state.read(&Identity { dialect: Some("mariadb".into()), ..target() }, &PROOF), None);
        state.write(&target(), &PROOF, None).unwrap();
        assert!(!path.exists());
        state.write(&target(), &PROOF, None).unwrap();
    }

    #[test]
    fn a_file_is_written_as_an_earlier_build_wrote_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let (dir, state) = state();
        state.write(&target(), &PROOF, Some(TEXT)).unwrap();
        let files: Vec<_> =
            std::fs::read_dir(dir.path().join("parity")).unwrap().map(|f| f.unwrap()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        assert_eq!(std::fs::read_to_string(dir.path().join(NAME)).unwrap(), CONTENT);
        assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_was_altered_is_none() {
        let (dir, state) = state();
        state.write(&target(), &PROOF, Some(TEXT)).unwrap();
        std::fs::write(dir.path().join(NAME), CONTENT.replace("1:2:", "1:9:")).unwrap();
        assert_eq!(state.read(&target(), &PROOF), None);
        std::fs::write(dir.path().join(NAME), CONTENT).unwrap();
        std::fs::write(dir.path().join("plan.key"), [8; 32]).unwrap();
        assert_eq!(state.read(&target(), &PROOF), None, "signed with another key");
    }
}
