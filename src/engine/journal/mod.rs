//! Runs and their entries as the target keeps them: reading, verifying, the state of the journal itself.
//! The statements are the dialect's.

pub mod copied;
pub mod origin;
pub mod overtaken;
pub mod runs;
pub mod signatures;
pub mod state;
pub mod verify;
