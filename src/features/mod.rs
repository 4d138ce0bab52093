//! What midwatch watches and changes: a folder per feature, each with its checks, its operations and its own SQL.
//!
//! A new check or operation is a file in its feature, its `mod` line, and its line in the feature's list.

pub mod anomalies;
pub mod backfill;
pub mod migrations;
pub mod parity;
pub mod queue;
pub mod switchover;

use crate::engine::check::kind::Check;
use crate::engine::plan::operation::Operation;
use crate::engine::port::runner::Runner;

/// Every kind of check, in the order of the panes.
pub const CHECKS: &[&dyn Check] = &[
    &migrations::check::Migrations,
    &parity::check::Parity,
    &queue::check::Queues,
    &anomalies::check::Anomalies,
];

/// Every kind of operation, in the order they are listed.
pub const OPERATIONS: &[&dyn Operation] = &[
    &crate::engine::plan::init::Init,
    &backfill::operation::Backfill,
    &anomalies::fix::Fix,
    &queue::resolve::Resolve,
    &queue::requeue::Requeue,
    &switchover::ops::watch::Watch,
    &switchover::ops::copy_missing::CopyMissing,
    &switchover::ops::repair_triggers::RepairTriggers,
    &switchover::ops::repair::Repair,
    &switchover::ops::rehearse::Rehearse,
    &switchover::ops::switchover::Switchover,
    &switchover::ops::rollback::Rollback,
    &switchover::ops::cleanup::Cleanup,
];

/// Every task that a plan's step may name.
pub const RUNNERS: &[&dyn Runner] = switchover::RUNNERS;
