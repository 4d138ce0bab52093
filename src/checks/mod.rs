//! The kinds of read-only checks, one per file. A new kind is a file, its `mod` line, its line in [`ALL`].

mod anomalies;
mod migrations;
mod parity;
mod queue;

pub use migrations::Facts as MigrationFacts;
pub use parity::{Apart, Facts as ParityFacts, Partition, Reading, SelfTest, Sequence, Sums, Trigger};
pub use queue::{Cause, Facts as QueueFacts};

use crate::engine::check::kind::Check;

/// Every kind, in the order of the panes.
pub const ALL: &[&dyn Check] =
    &[&migrations::Migrations, &parity::Parity, &queue::Queues, &anomalies::Anomalies];
