//! The panes of the features, in the order of their numbers.

use super::shared::Pane;
use super::{anomalies, migrations, parity, queue, roles, runs};

/// A new pane is a file, its `mod` line, its line here.
pub const FEATURES: &[&dyn Pane] = &[
    &migrations::Migrations,
    &parity::Parity,
    &queue::QueuePane,
    &anomalies::Anomalies,
    &runs::Runs,
    &roles::Roles,
];
