//! Kinds of operations, one per file.

mod backfill;
mod cleanup;
mod copy_missing;
mod fix;
mod init;
mod rehearse;
mod repair;
mod repair_triggers;
mod requeue;
mod resolve;
mod rollback;
mod selection;
mod switchover;
mod twins;
mod watch;

use crate::engine::plan::operation::Operation;

/// Every kind, in the order they are listed.
pub const ALL: &[&dyn Operation] = &[
    &init::Init,
    &backfill::Backfill,
    &fix::Fix,
    &resolve::Resolve,
    &requeue::Requeue,
    &watch::Watch,
    &copy_missing::CopyMissing,
    &repair_triggers::RepairTriggers,
    &repair::Repair,
    &rehearse::Rehearse,
    &switchover::Switchover,
    &rollback::Rollback,
    &cleanup::Cleanup,
];
