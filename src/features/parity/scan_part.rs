//! Which rows one reading is of: by key range, by partition, or both.

use std::collections::BTreeSet;

use crate::engine::model::comparison::{KeySpan, RowPart};
use crate::features::parity::compared_pair::ComparedPair;
use crate::features::parity::pair::partitions::Leaf;

/// Which rows are read: all, or those of some partitions, or of some keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScanPart {
    /// Over both sides' rows.
    pub(crate) keys: KeySpan,
    /// `None`: all.
    pub(crate) slots: Option<BTreeSet<usize>>,
    /// Of a piece of some partitions: legacy rows that have none.
    pub(crate) homeless: bool,
}

impl ScanPart {
    /// Nothing.
    pub(crate) fn is_empty(&self) -> bool {
        !self.homeless && self.slots.as_ref().is_some_and(BTreeSet::is_empty)
    }

    /// All partitions' rows of some keys.
    pub(crate) fn all(keys: KeySpan) -> Self {
        Self { keys, slots: None, homeless: true }
    }

    pub(crate) fn leaves<'a>(&self, compared: &ComparedPair<'a>) -> Vec<&'a Leaf> {
        let has = |l: &&Leaf| self.slots.as_ref().is_none_or(|s| s.contains(&l.slot));
        compared.layout.leaves.iter().filter(has).collect()
    }

    /// The legacy rows of these partitions; `None`: there is no legacy table.
    pub(crate) fn legacy_part<'a>(&self, compared: &ComparedPair<'a>) -> Option<RowPart<'a>> {
        let filter = self.slots.as_ref().map(|slots| {
            let slots: Vec<usize> = slots.iter().copied().collect();
            compared.layout.belongs(&slots, self.homeless)
        });
        compared.legacy_part(filter)
    }
}
