//! What is allowed, and the typed confirmation that makes an [`guard::Approved`] of a plan: nothing else opens a writer.

pub mod guard;
