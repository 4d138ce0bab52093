//! What the comparison asks of a server, as its dialect writes it. Names of result columns are the same in every dialect.

use crate::engine::model::error::Result;
use crate::engine::model::profile::Twin;
use crate::engine::model::query::Sql;
use crate::engine::port::reader::{Fut, ReadTx};
use crate::features::parity::compared::Compared;
use crate::features::parity::facts::SyncTrigger;
use crate::features::parity::pair::TwinTables;
use crate::features::parity::pair::catalog::TwinTable;
use crate::features::parity::pair::partitions::Leaf;
use crate::features::parity::piece::{DifferingPart, KeySpan, KeyText, Piece};
use crate::features::parity::planting::{CopySides, Planting};

/// The statements of a comparison.
pub(crate) trait ParitySql: Sync {
    /// Exports the transaction's snapshot; one text, its name.
    fn export_snapshot(&self) -> Sql;
    /// Settings of every transaction of a comparison.
    fn settings(&self) -> Sql;
    /// `sees`, `at`: which transactions the snapshot sees, and when it was taken.
    fn taken(&self) -> Sql;
    /// Lets the transaction see the sessions of this moment.
    fn refresh_sessions(&self) -> Sql;
    /// One text, `true` where other sessions are active.
    fn busy(&self) -> Sql;
    /// `seconds`: age of the transaction.
    fn age(&self) -> Sql;
    /// One text, `true` where this snapshot is not older than the one that saw these transactions.
    fn is_after(&self, sees: &str) -> Sql;

    /// Turns compilation of large scans on or off.
    fn compile(&self, on: bool) -> Sql;
    /// `bucket`, `range`, `rows`, `digest`, `sums`, `maxes` of the legacy table.
    fn legacy_totals(&self, compared: &Compared<'_>, legacy: &TwinTable, piece: &Piece) -> Sql;
    /// The same of some partitions; the bucket is the partition's slot.
    fn leaf_totals(&self, compared: &Compared<'_>, leaves: &[&Leaf], keys: KeySpan) -> Sql;

    /// `rows`, `legacy_index`, `twin_index`: what decides how keys are cut into ranges.
    fn shape(&self, legacy: &TwinTable, partitioned: &TwinTable, column: &str) -> Sql;
    /// `low`, `high` of a column.
    fn ends(&self, table: &TwinTable, column: &str) -> Sql;

    /// `key` of rows that are on one side only, in order.
    fn differing_keys(&self, compared: &Compared<'_>, part: &DifferingPart<'_>, limit: usize) -> Sql;
    /// `keys`: how many there are.
    fn count_differing_keys(&self, compared: &Compared<'_>, part: &DifferingPart<'_>) -> Sql;
    /// `n`, `key`, `partition`, `bucket`, `range`, `cells` of the legacy rows with these keys.
    fn legacy_by_key(&self, compared: &Compared<'_>, keys: &[KeyText]) -> Sql;
    /// The same of some partitions.
    fn leaves_by_key(&self, compared: &Compared<'_>, leaves: &[&Leaf], keys: &[KeyText]) -> Sql;

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
