//! PostgreSQL: read-only sessions for looking, an owner's session for our own throwaway servers.

pub mod owner;
