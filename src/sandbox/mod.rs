//! Private throwaway servers: the demo, the tests, rehearsals and restore proofs all run on them.
//!
//! A server lives in one directory that bears our marker, speaks on a unix socket only, and ends with
//! the process that started it, however that process ends. What one database needs is in its own folder.

#![expect(clippy::disallowed_methods, reason = "SQL stands here")]

mod account;
mod confine;
pub mod demo;
mod dialects;
mod directory;
mod hooks;
pub mod postgres;
mod process;
mod secrets;
mod watcher;

pub use crate::dialect::postgres::owner::MARKER;
pub use confine::{ConfinementReport, confinement};
pub use dialects::{CopiedTarget, Sandbox, for_dialect};
pub use hooks::CommandRunner;
pub use postgres::{
    Access, Binaries, LoadWriters, Options, Private, SandboxCopies, Server, Timed, Written, WrittenPair,
};
