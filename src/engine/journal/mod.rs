//! Runs and their entries as the target keeps them: reading, verifying, the state of the journal itself.

pub mod record;
pub mod state;
