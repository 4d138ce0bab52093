//! Where planned rows are written while a plan is made.

use crate::engine::model::error::Result;
use crate::engine::model::row_store::RowSet;
use std::path::Path;
use std::sync::Arc;

/// Where rows are written while a plan is made.
pub trait Spool: Send {
    /// One more row, as the server wrote it: a line of JSON.
    fn push(&mut self, line: &str) -> Result<()>;
    /// No more rows.
    fn finish(self: Box<Self>) -> Result<Arc<dyn RowSet>>;
}

/// Makes and finds row sets.
pub trait Spools: Send + Sync {
    /// An empty one.
    fn create(&self) -> Result<Box<dyn Spool>>;
    /// One that was saved.
    fn open(&self, path: &Path) -> Result<Arc<dyn RowSet>>;
}
