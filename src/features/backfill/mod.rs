//! Columns that are computed again for rows that have no value or a wrong one, as the profile declares them.

pub(crate) mod operation;
mod texts;
