//! What a database says of its own objects.

use chrono::{DateTime, Utc};

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
}
