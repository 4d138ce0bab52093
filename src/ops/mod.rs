//! Kinds of operations, one per file.

use crate::engine::operation::Operation;

/// Every kind, in the order they are listed.
pub const ALL: &[&dyn Operation] = &[];
