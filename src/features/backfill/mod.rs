//! Columns that are filled for rows that were written before they existed.

pub(crate) mod operation;
