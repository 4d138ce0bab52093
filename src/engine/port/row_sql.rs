//! Statements over rows: pages, planned rows, changes. Text only.

/// Makes the statements.
pub trait RowSql: Sync {}
