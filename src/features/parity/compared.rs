//! What is compared: two tables, the columns that both have, and the partitions that tell their rows apart.

use crate::engine::model::profile::Twin;
use crate::features::parity::key_ranges::RangeCut;
use crate::features::parity::pair::catalog::{Columns, SequenceRow, TwinTable};
use crate::features::parity::pair::partitions::Layout;

/// Both sides, and what of them is compared.
#[derive(Clone, Copy)]
pub(crate) struct Compared<'a> {
    pub(crate) twin: &'a Twin,
    pub(crate) legacy: Option<&'a TwinTable>,
    pub(crate) partitioned: &'a TwinTable,
    pub(crate) columns: &'a Columns,
    pub(crate) layout: &'a Layout,
    pub(crate) sequences: &'a [SequenceRow],
    pub(crate) cut: &'a RangeCut,
    /// Counts and sums only.
    pub(crate) quick: bool,
}

impl Compared<'_> {
    /// Only numbers on both sides can be summed.
    pub(crate) fn summed(&self, column: &str) -> bool {
        self.columns.common.iter().any(|c| c.name == column && c.number)
    }

    /// A whole number on both sides.
    pub(crate) fn whole_number(&self, column: &str) -> bool {
        let whole = |kind: &str| matches!(kind, "smallint" | "integer" | "bigint");
        let legacy = self.columns.common.iter().any(|c| c.name == column && whole(&c.kind));
        legacy && !self.columns.retyped.iter().any(|(name, _, twin)| name == column && !whole(twin))
    }
}
