//! Files named by a profile, found below the directories they may be relative to.

use std::path::{Path, PathBuf};

use crate::engine::model::error::{Error, Result};
use crate::engine::port::files::{Files, SourceFile};

/// Largest migration file that is read: more is a dump, not a migration.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// The disk, from a base directory.
pub struct Disk {
    /// Relative paths start here, then in the working directory.
    pub base: PathBuf,
}

impl Disk {
    fn resolve(&self, path: &str) -> PathBuf {
        let based = self.base.join(path);
        if based.exists() { based } else { PathBuf::from(path) }
    }

    fn load(path: &Path) -> Result<Vec<u8>> {
        let fail =
            |e: &dyn std::fmt::Display| Error::unobserved(format!("failed to read {}: {e}", path.display()));
        let size = std::fs::metadata(path).map_err(|e| fail(&e))?.len();
        if size > MAX_BYTES {
            return Err(fail(&format!("{size} bytes are more than the {MAX_BYTES} that are looked at")));
        }
        std::fs::read(path).map_err(|e| fail(&e))
    }
}

impl Files for Disk {
    fn list(&self, folder: &str, extensions: &[&str]) -> Result<Vec<SourceFile>> {
        let dir = self.resolve(folder);
        let entries = std::fs::read_dir(&dir).map_err(|e| {
            Error::unobserved(format!("failed to read the migration folder {}: {e}", dir.display())).hint(
                "set migrations = \"FOLDER\" for this target in midwatch.toml, or start where the folder is",
            )
        })?;
        let mut files = Vec::new();
        for entry in entries {
            let entry =
                entry.map_err(|e| Error::unobserved(format!("failed to read {}: {e}", dir.display())))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if extensions.iter().any(|e| name.ends_with(e)) && !entry.path().is_dir() {
                files.push(SourceFile { bytes: Self::load(&entry.path())?, name });
            }
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>> {
        Self::load(&self.resolve(path))
    }
}
