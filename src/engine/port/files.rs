//! Files named by profiles.

use crate::engine::model::error::Result;

/// A file of a migration folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Name without its folder.
    pub name: String,
    /// Its bytes as they are.
    pub bytes: Vec<u8>,
}

/// Access to files named by profiles.
pub trait Files: Send + Sync {
    /// The files directly in `folder` whose name ends in one of `extensions`, sorted by name.
    fn list(&self, folder: &str, extensions: &[&str]) -> Result<Vec<SourceFile>>;
    /// One file.
    fn read(&self, path: &str) -> Result<Vec<u8>>;
}
