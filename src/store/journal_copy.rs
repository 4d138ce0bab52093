//! The journal's copy on the operator's side: one file of JSON lines per target.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use crate::disk;
use crate::engine::model::clean;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::event::Event;
use crate::engine::model::identity::Identity;
use crate::engine::port::journal_copy::JournalCopy;

/// Below the user's state directory; without one nothing is kept.
#[derive(Debug, Clone)]
pub struct JournalCopyFiles {
    dir: Option<PathBuf>,
}

impl JournalCopyFiles {
    /// In `dir/journal`.
    pub fn new(dir: Option<PathBuf>) -> Self {
        Self { dir: dir.map(|d| d.join("journal")) }
    }

    fn path(&self, target: &Identity) -> Option<PathBuf> {
        let system = target.system_identifier.as_deref().unwrap_or("unknown");
        let safe = |text: &str| -> String {
            text.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
        };
        let oid = target.database_oid.map_or_else(|| "none".into(), |oid| oid.to_string());
        let dialect = target.dialect.as_ref().map_or_else(String::new, |d| format!("{}-", safe(d)));
        let name = format!("{dialect}{}-{oid}-{}.jsonl", safe(system), safe(&target.database));
        self.dir.as_ref().map(|d| d.join(name))
    }
}

impl JournalCopy for JournalCopyFiles {
    fn append(&self, target: &Identity, event: &Event) -> Result<()> {
        let Some(path) = self.path(target) else { return Ok(()) };
        let fail = |e: std::io::Error| {
            Error::unobserved(format!(
                "failed to copy entry {} of the journal to {}: {e}",
                event.seq,
                path.display()
            ))
        };
        for dir in [path.parent().and_then(Path::parent), path.parent()].into_iter().flatten() {
            disk::own_directory(dir).map_err(fail)?;
        }
        let line = serde_json::to_string(event)
            .map_err(|e| Error::unobserved(format!("failed to write an entry of the journal: {e}")))?;
        let line = format!("{}\n", clean::json(&line));
        let mut file = disk::append(&path).map_err(fail)?;
        file.write_all(line.as_bytes()).map_err(fail)
    }

    fn read(&self, target: &Identity) -> Result<Option<Vec<Event>>> {
        let Some(path) = self.path(target).filter(|p| p.exists()) else { return Ok(None) };
        let fail = |e: std::io::Error| Error::unobserved(format!("failed to read {}: {e}", path.display()));
        let file = File::open(&path).map_err(fail)?;
        let mut out = Vec::new();
        let mut start = 0;
        for (number, line) in BufReader::new(file).split(b'\n').enumerate() {
            let line = line.map_err(fail)?;
            let length = line.len() + 1;
            let line = String::from_utf8(line).map_err(|e| {
                let at = start + e.utf8_error().valid_up_to() + 1;
                fail(std::io::Error::other(format!("line {} is not UTF-8: byte {at}", number + 1)))
            })?;
            start += length;
            // A line cut by a crash is behind, not wrong: the journal has the entry.
            if let Ok(event) = serde_json::from_str(&line) {
                out.push(event);
            }
        }
        Ok(Some(out))
    }

    fn place(&self, target: &Identity) -> String {
        self.path(target).map_or_else(|| "nowhere".into(), |p| p.display().to_string())
    }
}
