//! What is allowed, and the typed confirmation that lets an approved plan through.

pub mod guard;
