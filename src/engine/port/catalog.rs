//! What a database says of its own objects.

use chrono::{DateTime, Utc};

use crate::engine::model::blocker::Blocker;
use crate::engine::model::error::Result;
use crate::engine::model::name::Relation;
use crate::engine::model::table::Table;
use crate::engine::port::reader::{Fut, ReadTx};

/// Reads the catalog.
pub trait Catalog: Sync {
    /// The tables of these names, those that exist, each with the schema that its name leads to.
    fn tables<'a>(&'a self, tx: &'a mut dyn ReadTx, names: &'a [Relation]) -> Fut<'a, Result<Vec<Table>>>;
    /// The server's clock.
    fn now<'a>(&'a self, tx: &'a mut dyn ReadTx) -> Fut<'a, Result<DateTime<Utc>>>;
    /// Sessions and prepared transactions whose locks conflict with what is wanted, the longest first.
    fn blockers<'a>(
        &'a self,
        tx: &'a mut dyn ReadTx,
        wanted: &'a WantedLocks<'a>,
    ) -> Fut<'a, Result<Vec<Blocker>>>;
}

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
