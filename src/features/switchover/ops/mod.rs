//! The operations on twin pairs, one per file: parameters, offers, and the plan. Steps that several of them share are
//! made in [`plan`](super::plan).

pub(crate) mod cleanup;
pub(crate) mod copy_missing;
pub(crate) mod rehearse;
pub(crate) mod repair;
pub(crate) mod repair_triggers;
pub(crate) mod rollback;
pub(crate) mod switchover;
pub(crate) mod watch;
