//! The pure core: shapes and rules. No database driver, no terminal, no clock, no environment.

pub mod error;

pub use error::{Class, Error, Result};
