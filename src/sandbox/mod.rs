//! Private throwaway servers: the demo, the tests, rehearsals and restore proofs all run on them.
//!
//! A server lives in one directory that bears our marker, speaks on a unix socket only, and ends with
//! the process that started it, however that process ends.

mod account;
pub mod demo;
pub mod fetch;
pub mod find;
#[cfg(test)]
mod marks;
mod place;
mod process;
mod rehearsal;
pub mod server;
mod watcher;

pub use find::Binaries;
pub use place::MARKER;
pub use rehearsal::Copies;
pub use server::{Options, Server};
