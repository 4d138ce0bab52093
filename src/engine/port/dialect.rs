//! What a dialect of SQL is to the engine: stateless verbs over a transaction that the caller owns.
//!
//! Each part is a trait in a file of its own, implemented in a file of the same name for one unit struct. What a
//! server cannot do its dialect says; it is never imitated.

use crate::engine::port::catalog::Catalog;
use crate::engine::port::journal_sql::JournalSql;
use crate::engine::port::row_sql::RowSql;

/// A dialect.
pub trait Dialect: Catalog + RowSql + JournalSql {
    /// Its name in plans, reports and folders: `postgres`.
    fn id(&self) -> &'static str;
}
