//! Which rows one reading is of: by key range, by partition, or both.

use std::collections::BTreeSet;

use crate::features::parity::compared::Compared;
use crate::features::parity::pair::partitions::Leaf;

/// Keys from the first of some ranges to the last; open where there is none. The default is every key.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct KeySpan {
    pub(crate) from: Option<i64>,
    pub(crate) to: Option<i64>,
    /// With pauses between rows, so that other sessions are served.
    pub(crate) paced: bool,
}

/// Which rows are read: all, or those of some partitions, or of some keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct Piece {
    /// Over both sides' rows.
    pub(crate) keys: KeySpan,
    /// `None`: all.
    pub(crate) slots: Option<BTreeSet<usize>>,
    /// Of a piece of some partitions: legacy rows that have none.
    pub(crate) homeless: bool,
}

impl Piece {
    /// Nothing.
    pub(crate) fn is_empty(&self) -> bool {
        !self.homeless && self.slots.as_ref().is_some_and(BTreeSet::is_empty)
    }

    /// All partitions' rows of some keys.
    pub(crate) fn all(keys: KeySpan) -> Self {
        Self { keys, slots: None, homeless: true }
    }

    pub(crate) fn leaves<'a>(&self, compared: &Compared<'a>) -> Vec<&'a Leaf> {
        let has = |l: &&Leaf| self.slots.as_ref().is_none_or(|s| s.contains(&l.slot));
        compared.layout.leaves.iter().filter(has).collect()
    }
}

/// Where the keys of rows that differ are looked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DifferingPart<'a> {
    /// Numbers of key ranges, sorted.
    pub(crate) ranges: &'a [i64],
    /// Partitions that legacy rows belong to.
    pub(crate) slots: &'a [usize],
    /// Also legacy rows that belong to no partition.
    pub(crate) homeless: bool,
    /// Partitions of the other side.
    pub(crate) leaves: &'a [&'a Leaf],
}

/// A key as text, one value a column.
pub(crate) type KeyText = Vec<Option<String>>;
