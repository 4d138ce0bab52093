//! The journal's tables: what makes them and what reads them.

/// Makes and reads the journal.
pub trait JournalSql: Sync {}
