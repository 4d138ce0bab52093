//! Parity: every class of difference told apart, unchanged partitions skipped, comparisons resumed.

mod difference_classes;
mod names_and_values;
mod not_compared;
mod resumed;
mod self_test;
pub(crate) mod unchanged;
