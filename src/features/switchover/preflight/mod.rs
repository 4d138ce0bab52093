//! What is checked before a switchover, and what must be accepted by name: dependencies, parity, ownership, the server.

pub(crate) mod accept;
pub(crate) mod dependencies;
pub(crate) mod finding_effect;
pub(crate) mod ownership;
pub(crate) mod parity;
pub(crate) mod rehearsals;
pub(crate) mod server;
pub(crate) mod unique_keys;
