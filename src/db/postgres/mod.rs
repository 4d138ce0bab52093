//! PostgreSQL: read-only sessions for looking, an owner's session for our own throwaway servers.

mod connect;
mod error;
mod identity;
pub mod owner;
mod reader;
mod tx;
mod vitals;
mod writer;

pub use connect::Connection;
pub use reader::Reader;
pub use writer::PgWriters;
