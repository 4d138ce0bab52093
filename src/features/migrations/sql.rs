//! What the migrations check asks of a server, as its dialect writes it.

use crate::engine::model::error::Result;
use crate::engine::model::profile::{HistoryKind, MigrationFolder};
use crate::engine::model::query::ProfileSql;
use crate::engine::model::script::Object;
use crate::engine::port::reader::{Fut, ReadTx};

/// Histories, and what of a file is in the catalog.
pub(crate) trait MigrationSql: Sync {
    /// The history table where the profile does not name it.
    fn default_table(&self, kind: HistoryKind) -> &'static str;
    /// Names of a table's columns, in order; none where there is no such table.
    fn columns(&self, table: &str) -> ProfileSql;
    /// `version`, `checksum`, `normalised`, `applied_at`, `failed` of each line of a history.
    fn history(&self, folder: &MigrationFolder, table: &str, columns: &[String]) -> ProfileSql;
    /// `present`, one line for each object, in order.
    fn present(&self, objects: &[Object]) -> ProfileSql;
    /// The answer of a query of the profile's with one boolean.
    fn probed<'a>(&'a self, tx: &'a mut dyn ReadTx, query: &'a str) -> Fut<'a, Result<bool>>;
    /// `index`, `table`, `definition`, `building` of indexes that exist and do not count.
    fn invalid_indexes(&self) -> ProfileSql;
}
