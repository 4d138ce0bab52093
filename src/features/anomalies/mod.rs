//! Rows that break a rule of the profile, and how they are fixed.

pub(crate) mod check;
pub(crate) mod fix;
