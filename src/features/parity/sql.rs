//! What the check asks of a server besides the comparison of rows ([`crate::engine::port::compare_sql`]), as its dialect writes it. Names of result columns are the same in every dialect.

use crate::engine::model::error::Result;
use crate::engine::model::profile::Twin;
use crate::engine::model::query::Sql;
use crate::engine::port::reader::{Fut, ReadTx};
use crate::features::parity::facts::SyncTrigger;
use crate::features::parity::pair::TwinTables;
use crate::features::parity::planting::{CopySides, Planting};

/// Snapshots, sync triggers and planted rows.
pub(crate) trait ParitySql: Sync {
    /// Exports the transaction's snapshot; one text, its name.
    fn export_snapshot(&self) -> Sql;
    /// `sees`, `at`: which transactions the snapshot sees, and when it was taken.
    fn snapshot_taken(&self) -> Sql;
    /// Lets the transaction see the sessions of this moment.
    fn refresh_sessions(&self) -> Sql;
    /// One text, `true` where other sessions are active.
    fn busy(&self) -> Sql;
    /// `seconds`: age of the transaction.
    fn age(&self) -> Sql;
    /// One text, `true` where this snapshot is not older than the one that saw these transactions.
    fn is_after(&self, sees: &str) -> Sql;

    /// The declared triggers, present or not, and any other whose function names the table that is kept in step.
    fn triggers<'a>(
        &'a self,
        tx: &'a mut dyn ReadTx,
        pair: &'a TwinTables,
        twin: &'a Twin,
    ) -> Fut<'a, Result<Vec<SyncTrigger>>>;

    /// What makes both sides of a copy equal, with so many rows.
    fn level(&self, sides: &CopySides<'_>, wanted: usize) -> Result<Vec<Sql>>;
    /// `key` of the first rows.
    fn first_keys(&self, sides: &CopySides<'_>, wanted: usize) -> Sql;
    /// Differences of every class, one or more keys each: what writes them, and what is to be found.
    fn plant(&self, sides: &CopySides<'_>, keys: Vec<Vec<String>>) -> (Vec<Sql>, Planting);
    /// Statistics of both tables.
    fn analyze(&self, sides: &CopySides<'_>) -> Sql;
}
