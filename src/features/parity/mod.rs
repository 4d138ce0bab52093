//! Rows of a table and its partitioned twin, compared.

pub(crate) mod check;
pub(crate) mod compare;
pub(crate) mod exact_sum;
pub mod facts;
pub(crate) mod findings;
pub(crate) mod key_ranges;
pub mod pair;
pub(crate) mod progress;
pub(crate) mod queries;
pub(crate) mod rows;
pub(crate) mod scan;
pub(crate) mod seeding;
pub(crate) mod self_test;
pub(crate) mod snapshot;
pub(crate) mod triggers;
pub(crate) mod unchanged;
