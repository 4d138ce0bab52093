//! What a dialect of SQL is to the engine: stateless verbs over a transaction that the caller owns.
//!
//! Each part is a trait in a file of its own, implemented in a file of the same name for one unit struct. What a
//! server cannot do its dialect says; it is never imitated.

use crate::engine::model::cause::Cause;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::grants::GrantRequest;
use crate::engine::model::name::Relation;
use crate::engine::model::script::Script;
use crate::engine::model::step::LockStrength;
use crate::engine::port::catalog::Catalog;
use crate::engine::port::compare_sql::CompareSql;
use crate::engine::port::journal_sql::JournalSql;
use crate::engine::port::lookup::Lookup;
use crate::engine::port::read_tx::{Fut, ReadTx};
use crate::engine::port::row_sql::RowSql;

/// A dialect.
pub trait Dialect: Catalog + Lookup + RowSql + CompareSql + JournalSql {
    /// What a script creates and drops, and the digest of its tokens; an error says where it is no script.
    fn script(&self, text: &str) -> std::result::Result<Script, String>;
    /// Its name in plans, reports and folders: `postgres`.
    fn id(&self) -> &'static str;
    /// Its name for people: `PostgreSQL`.
    fn shown_name(&self) -> &'static str;
    /// The relation that a text names; what [`Dialect::relation`] writes is read back as it was.
    fn parse(&self, text: &str) -> Relation;
    /// A relation as it stands in a statement.
    fn relation(&self, relation: &Relation) -> String;
    /// A table's lock in the server's words, as steps of a plan name it.
    fn lock_mode(&self, strength: LockStrength) -> &'static str;
    /// What the engine decides by, and whether a retry fails until the reason is gone; also for codes of old journals.
    fn cause(&self, code: &str) -> (Cause, bool);
    /// The code under which an error that the engine raises itself is recorded.
    fn code(&self, cause: Cause) -> Option<&'static str>;
    /// A script that gives a reader and an operator the rights that they need, for a person to run; nothing is changed.
    fn grants<'a>(&'a self, tx: &'a mut dyn ReadTx, request: &'a GrantRequest) -> Fut<'a, Result<String>> {
        let _ = (tx, request);
        Box::pin(async { Err(Error::unobserved(format!("not supported on {}", self.id()))) })
    }
}
