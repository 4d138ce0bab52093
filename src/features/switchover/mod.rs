//! A legacy table and its partitioned twin change places, and back.

pub mod copy;
pub mod ops;
pub mod plan;
pub mod preflight;
pub mod progress;
pub mod run;
pub mod status;
pub mod task;
pub(crate) mod twins;

use crate::engine::port::runner::Runner;

/// The tasks of its plans.
pub const RUNNERS: &[&dyn Runner] = &[
    &run::measure::MeasureTables,
    &run::dump::DumpTables,
    &run::hook::RunHook,
    &run::compare::Prove,
    &run::swap::SwapTables,
    &run::monitor::MonitorTwins,
    &run::rehearse::Rehearsing,
];
