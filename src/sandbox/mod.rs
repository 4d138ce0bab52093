//! Private throwaway servers: the demo, the tests, rehearsals and restore proofs all run on them.
//!
//! A server lives in one directory that bears our marker, speaks on a unix socket only, and ends with
//! the process that started it, however that process ends.

#![expect(clippy::disallowed_methods, reason = "SQL stands here")]

mod account;
mod backup;
pub mod binaries;
mod definitions;
pub mod demo;
pub mod fetch;
pub mod find;
mod hooks;
#[cfg(test)]
mod marks;
mod place;
mod process;
mod rehearsal;
pub mod server;
mod watcher;
mod writers;

pub use crate::dialect::postgres::owner::MARKER;
pub use crate::sandbox::binaries::Binaries;
pub use backup::Dumps;
pub use hooks::Shell;
pub use rehearsal::{Copies, Private};
pub use server::{Options, Server};
pub use writers::{LoadWriters, Timed, Written, WrittenPair};
