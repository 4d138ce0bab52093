//! Carrying out an approved plan: locks, batches, verification, the outcome.

pub(crate) mod batches;
pub(crate) mod canary;
pub(crate) mod control;
pub(crate) mod executor;
pub(crate) mod finish;
pub mod limits;
pub(crate) mod lock_wait;
pub mod setup;
pub(crate) mod start;
pub(crate) mod statements;
pub mod throttle;
pub(crate) mod unstarted;
pub(crate) mod verify;
