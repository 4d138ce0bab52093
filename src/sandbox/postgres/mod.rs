//! What of a private server is PostgreSQL's own: its programs, the server, copies by `pg_dump`, dumps and writers on a copy.

mod backup;
pub mod binaries;
mod definitions;
pub mod fetch;
pub mod find;
#[cfg(test)]
mod marks;
mod passfile;
mod rehearsal;
pub mod server;
mod start;
mod writers;

pub(in crate::sandbox) use backup::PgDump;
pub use binaries::Binaries;
pub use rehearsal::{Private, SandboxCopies};
pub use server::{Options, Server};
pub use writers::{LoadWriters, Timed, Written, WrittenPair};
