//! What a report says, typed: read once, when the report arrives, never while a frame is drawn.

use crate::engine::model::report::Report;
use crate::features::migrations::facts::MigrationFacts;
use crate::features::parity::facts::ParityFacts;
use crate::features::queue::facts::QueueFacts;

/// The facts of the kinds whose panes need more than findings; at most one of them is there.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReportFacts {
    /// Of a comparison.
    pub parity: Option<Box<ParityFacts>>,
    /// Of a queue.
    pub queue: Option<Box<QueueFacts>>,
    /// Of a folder of migrations.
    pub migrations: Option<Box<MigrationFacts>>,
}

impl ReportFacts {
    /// Of a report.
    pub fn from_report(report: &Report) -> Self {
        Self {
            parity: ParityFacts::from_report(report).map(Box::new),
            queue: QueueFacts::from_report(report).map(Box::new),
            migrations: MigrationFacts::from_report(report).map(Box::new),
        }
    }
}
