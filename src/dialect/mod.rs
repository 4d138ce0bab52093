//! Dialects: a folder for each, with the only SQL text of the generic parts and the only database driver.
//!
//! One unit struct implements the traits of [`crate::engine::port::dialect`]; reader and writer stand beside it. SQL
//! that one feature asks is not here: it is in that feature's file for the dialect.

#![expect(clippy::disallowed_methods, reason = "SQL stands here")]

pub mod postgres;
pub(crate) mod sql;
