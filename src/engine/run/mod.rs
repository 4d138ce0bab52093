//! Carrying out an approved plan: locks, steps, batches, throttling, verification, the outcome. A step is statements, rows,
//! or a task, which a feature's runner carries out.

pub(crate) mod accept;
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
