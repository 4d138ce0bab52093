//! What is compared: two tables, the columns that both have, and the partitions that tell their rows apart.

use crate::engine::model::comparison::{ComparedColumns, ComparedRows, RowGroup, RowPart};
use crate::engine::model::key_ranges::RangeCut;
use crate::engine::model::profile::Twin;
use crate::features::parity::options::ComparisonOptions;
use crate::features::parity::pair::catalog::{SequenceRow, TwinTable};
use crate::features::parity::pair::partitions::{Layout, Leaf};

/// Both sides, and what of them is compared. The legacy table is the left one.
#[derive(Clone, Copy)]
pub(crate) struct ComparedPair<'a> {
    pub(crate) twin: &'a Twin,
    pub(crate) legacy: Option<&'a TwinTable>,
    pub(crate) partitioned: &'a TwinTable,
    pub(crate) columns: &'a ComparedColumns,
    pub(crate) layout: &'a Layout,
    pub(crate) sequences: &'a [SequenceRow],
    /// The largest number of each sequence's column, as an expression.
    pub(crate) maxes: &'a [String],
    pub(crate) cut: &'a RangeCut,
    pub(crate) options: ComparisonOptions,
}

impl<'a> ComparedPair<'a> {
    /// Only numbers on both sides can be summed.
    pub(crate) fn summed(&self, column: &str) -> bool {
        self.columns.column(column).is_some_and(|c| c.number)
    }

    /// What the statements of a comparison need of it.
    pub(crate) fn rows(&self) -> ComparedRows<'a> {
        ComparedRows {
            columns: self.columns,
            cut: self.cut,
            sums: &self.twin.sums,
            digests: !self.options.quick,
        }
    }

    /// The legacy table, each row in the partition where it belongs.
    pub(crate) fn legacy_part(&self, filter: Option<String>) -> Option<RowPart<'a>> {
        let group = RowGroup::Computed(self.layout.bucket());
        self.legacy.map(|l| RowPart { rows: &l.relation, group, filter, measures: &[] })
    }

    /// A partition.
    pub(crate) fn leaf_part(&self, leaf: &'a Leaf) -> RowPart<'a> {
        let name = self.layout.slots.get(leaf.slot).map_or("", |s| s);
        let group = RowGroup::Fixed { number: leaf.slot, name };
        RowPart { rows: &leaf.rows, group, filter: None, measures: self.maxes }
    }
}
