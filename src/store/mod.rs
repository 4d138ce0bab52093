//! Files on the operator's side: planned rows, keys, the journal copy, documents of features. Nothing here knows a
//! database.

mod copy_lines;
mod copy_place;
mod journal_copy;
mod key;
mod keyring;
mod rows;
mod state;

pub use journal_copy::JournalCopyFiles;
pub(crate) use key::KeyFile;
pub use keyring::Keyring;
pub use rows::SpoolFiles;
pub use state::StateFiles;

use std::path::PathBuf;

/// Where the user's programs keep what must outlive them.
pub fn state_dir() -> Option<PathBuf> {
    xdg::BaseDirectories::with_prefix("midwatch").get_state_home()
}
