//! What midwatch watches and changes: a folder per feature, each with its checks, operations, runners and SQL.
//!
//! A new check or operation is a file in its feature, its `mod` line, and its line in a list here; a runner's line is in
//! the list of its feature. Features do not import each other; only switchover imports parity, which owns the pair of
//! tables.

pub mod anomalies;
pub mod backfill;
pub mod migrations;
pub mod parity;
pub mod queue;
pub mod roles;
pub mod switchover;

use crate::engine::check::kind::Check;
use crate::engine::check::verdict::VerdictSpec;
use crate::engine::plan::operation::Operation;
use crate::engine::port::runner::Runners;

/// Every kind of check, in the order of the panes.
pub const CHECKS: &[&dyn Check] = &[
    &migrations::check::MigrationsCheck,
    &parity::check::ParityCheck,
    &queue::check::Queues,
    &anomalies::check::AnomaliesCheck,
    &roles::check::RolesCheck,
];

/// What features answer about their own reports, a list for each.
pub const VERDICTS: &[&[VerdictSpec]] = &[
    migrations::verdicts::VERDICTS,
    parity::verdicts::VERDICTS,
    queue::verdicts::VERDICTS,
    anomalies::verdicts::VERDICTS,
    roles::verdicts::VERDICTS,
];

/// Every kind of operation, in the order they are listed.
pub const OPERATIONS: &[&dyn Operation] = &[
    &crate::engine::plan::init::Init,
    &crate::engine::plan::accept::AcceptJournal,
    &backfill::operation::BackfillOperation,
    &anomalies::fix::FixOperation,
    &queue::resolve::Resolve,
    &queue::requeue::Requeue,
    &switchover::ops::watch::WatchOperation,
    &switchover::ops::copy_missing::CopyMissing,
    &switchover::ops::repair_triggers::RepairTriggers,
    &switchover::ops::repair::Repair,
    &switchover::ops::rehearse::RehearseOperation,
    &switchover::ops::switchover::Switchover,
    &switchover::ops::rollback::Rollback,
    &switchover::ops::cleanup::Cleanup,
];

/// Every task that a plan's step may name, a list for each feature.
pub const RUNNERS: Runners<'static> = &[crate::engine::run::accept::RUNNERS, switchover::RUNNERS];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::plan::question::check_questions;
    use std::collections::BTreeSet;

    #[test]
    fn every_verdict_asked_for_is_one_of_a_feature() {
        assert!(check_questions(OPERATIONS, VERDICTS).is_ok());
        assert!(OPERATIONS.iter().any(|o| !o.spec().asks.is_empty()));
        let ids: Vec<_> = VERDICTS.iter().flat_map(|list| list.iter()).map(VerdictSpec::id).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
        let kinds: BTreeSet<_> = CHECKS.iter().map(|c| c.spec().kind).collect();
        assert!(VERDICTS.iter().flat_map(|list| list.iter()).all(|v| kinds.contains(v.check)), "{ids:?}");
    }
}
