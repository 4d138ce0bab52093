//! PostgreSQL: read-only sessions for looking, an owner's session for our own throwaway servers.

mod batch;
mod connect;
mod error;
mod identity;
mod journal;
mod lock;
mod numbers;
pub mod owner;
mod reader;
mod session;
mod tx;
mod vitals;
mod writer;

pub use connect::Connection;
pub use reader::Reader;
pub use writer::PgWriters;
