//! What is checked before a switchover.

pub(crate) mod ready;
pub(crate) mod rehearsals;
pub(crate) mod server;
pub(crate) mod unique_keys;
