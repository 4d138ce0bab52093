//! Files on the operator's side: planned rows, the signing key, the journal copy, evidence of parity. Nothing here knows a
//! database.

mod evidence;
mod journal_copy;
mod key;
mod rows;

pub use evidence::EvidenceFiles;
pub use journal_copy::JournalCopyFiles;
pub use key::KeyFile;
pub use rows::SpoolFiles;

use std::path::PathBuf;

/// Where the user's programs keep what must outlive them.
pub fn state_dir() -> Option<PathBuf> {
    xdg::BaseDirectories::with_prefix("midwatch").get_state_home()
}
