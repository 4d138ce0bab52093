//! A partitioned table takes the name of its legacy table, and gives it back: plans, preflight, runs, and the status that
//! the console shows. It is for PostgreSQL: SQL stands in these files, and `dialects` refuses any other target. The pair of
//! tables is parity's.

#![expect(clippy::disallowed_methods, reason = "SQL stands here")]

pub mod copy;
pub(crate) mod dialects;
pub(crate) mod limits;
pub mod ops;
pub mod plan;
pub mod preflight;
pub mod progress;
pub(crate) mod renames;
pub mod run;
pub mod run_position;
pub mod status;
pub mod step_kind;
pub mod task;
pub(crate) mod texts;
pub(crate) mod twins;
pub mod verbs;

use crate::engine::port::runner::Runner;

/// The tasks of its plans.
pub const RUNNERS: &[&dyn Runner] = &[
    &run::measure::MeasureTables,
    &run::dump::DumpTables,
    &run::hook::RunHook,
    &run::compare::CompareTwins,
    &run::swap::SwapTables,
    &run::monitor::MonitorTwins,
    &run::rehearse::Rehearsing,
];
