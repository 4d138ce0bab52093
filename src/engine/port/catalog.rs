//! What a database says of its own objects.

use crate::engine::model::blocker::Blocker;
use crate::engine::model::error::Result;
use crate::engine::port::reader::{Fut, ReadTx};

/// Reads the catalog.
pub trait Catalog: Sync {
    /// Sessions and prepared transactions whose locks conflict with what is wanted, the longest first.
    fn blockers<'a>(
        &'a self,
        tx: &'a mut dyn ReadTx,
        wanted: &'a WantedLocks<'a>,
    ) -> Fut<'a, Result<Vec<Blocker>>>;
}

/// The strongest lock: a reader conflicts with it as well.
pub const EXCLUSIVE: &str = "ACCESS EXCLUSIVE";

/// Locks that are wanted.
#[derive(Debug, Clone, Copy)]
pub struct WantedLocks<'a> {
    /// On these tables, their partitions and sequences.
    pub tables: &'a [String],
    /// As strong as this, in the server's words, as a step's locks name it.
    pub mode: &'a str,
    /// Transactions that began less than this ago are left out (milliseconds); 0: none.
    pub older_ms: u64,
}
