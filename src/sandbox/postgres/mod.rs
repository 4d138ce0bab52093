//! What of a private server is PostgreSQL's own: its programs, the server, copies by `pg_dump`, dumps and writers on a copy.

mod backup;
pub mod binaries;
mod definitions;
mod extensions;
pub mod fetch;
pub mod find;
#[cfg(test)]
mod marks;
mod passfile;
mod programs;
mod rehearsal;
mod restore;
mod roles;
mod samples;
pub mod server;
mod start;
mod tenant;
mod writers;

pub(in crate::sandbox) use backup::PgDump;
pub use binaries::Binaries;
pub use rehearsal::{Private, SandboxCopies};
pub use server::{Access, Options, Server};
pub use writers::{LoadWriters, Timed, Written, WrittenPair};
