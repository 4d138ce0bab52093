//! Kinds of checks, and the pages of rows behind their findings.

pub mod kind;
pub mod paging;
pub mod samples;
pub mod support;
pub mod verdict;
