//! Rows that break a rule of the profile: counted, paged, and fixed as the rule says. The rules' SQL is the profile's.

pub mod check;
pub mod facts;
pub(crate) mod fix;
mod texts;
pub mod verdicts;
