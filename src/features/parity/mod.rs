//! Rows of a legacy table and its partitioned table, compared in one snapshot: by count and digest, then row by row where
//! they differ. The pair itself ([`pair`]) is here as well, since switchover uses it too.

pub(crate) mod check;
pub mod classify;
pub(crate) mod compared_pair;
pub(crate) mod comparison;
pub(crate) mod dialects;
pub mod evidence;
pub mod facts;
pub mod finding_kind;
pub(crate) mod findings;
pub(crate) mod notes;
pub mod options;
pub mod pair;
pub(crate) mod planting;
mod postgres;
pub(crate) mod progress;
pub(crate) mod range_choice;
pub(crate) mod rows;
pub(crate) mod scan;
pub(crate) mod scan_part;
pub(crate) mod seeding;
pub(crate) mod self_test;
pub(crate) mod snapshot;
pub(crate) mod sql;
mod texts;
pub(crate) mod unchanged;
pub mod verdicts;
