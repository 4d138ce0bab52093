//! Files on the operator's side: planned rows, the signing key, the journal copy, evidence of parity. Nothing here knows a
//! database.

mod key;
mod mirror;
mod proofs;
mod rows;

pub use key::StateKey;
pub use mirror::StateMirror;
pub use proofs::StateProofs;
pub use rows::Scratch;

use std::path::PathBuf;

/// Where the user's programs keep what must outlive them.
pub fn state_dir() -> Option<PathBuf> {
    xdg::BaseDirectories::with_prefix("midwatch").get_state_home()
}
