//! What a kind of check is, pages of rows behind its findings, and what it answers to others. Features have the checks.

pub mod kind;
pub mod paging;
pub mod per_dialect;
pub mod samples;
pub mod verdict;
