//! What is asked of a database before anything is watched there: which tables it has and what this role may read.

use crate::engine::model::error::Result;
use crate::engine::model::foreign_cast::ForeignCast;
use crate::engine::model::name::Relation;
use crate::engine::model::query::{OtherFunction, ProfileSql, Sql};
use crate::engine::port::read_tx::{Fut, ReadTx};

/// Looks for objects by name.
pub trait Lookup: Sync {
    /// Does each of these names lead to a table? An error where this role may not use a named schema.
    fn resolve<'a>(&'a self, tx: &'a mut dyn ReadTx, names: &'a [Relation]) -> Fut<'a, Result<bool>>;
    /// Is there such a table, whatever this role may do with it?
    fn exists<'a>(&'a self, tx: &'a mut dyn ReadTx, name: &'a Relation) -> Fut<'a, Result<bool>>;
    /// Of these tables those that are there and may not be read, as they are written in statements.
    fn unreadable<'a>(
        &'a self,
        tx: &'a mut dyn ReadTx,
        names: &'a [Relation],
    ) -> Fut<'a, Result<Vec<String>>>;
    /// Columns of these tables whose values a function of others would stand before; none where they are not there.
    fn foreign_casts<'a>(
        &'a self,
        tx: &'a mut dyn ReadTx,
        names: &'a [Relation],
    ) -> Fut<'a, Result<Vec<ForeignCast>>>;
    /// Functions that are not built in and have one of these names (lower case).
    fn functions_named<'a>(
        &'a self,
        tx: &'a mut dyn ReadTx,
        names: &'a [String],
    ) -> Fut<'a, Result<Vec<OtherFunction>>>;
    /// What would let this role read them.
    fn reader_hint(&self) -> &'static str;
    /// Histories of migration tools and partitioned tables, by kind and name.
    fn watchable<'a>(&'a self, tx: &'a mut dyn ReadTx) -> Fut<'a, Result<Vec<Watchable>>>;
    /// The value of a setting of the server or database.
    fn setting(&self, name: &str) -> Sql;
    /// The first rows of a query of the profile's that has one column, as text.
    fn words(&self, query: &str, limit: u32) -> ProfileSql;
}

/// A table that can be watched without a profile.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Watchable {
    /// Its name.
    pub name: Relation,
    /// `partitioned`, or the name by which a migration tool is known.
    pub kind: String,
}
