//! Which rights an operator needs on tables, and what a script of GRANTs is made for. A dialect writes the script.

use crate::engine::model::profile::Write;

/// What is done to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableRight {
    /// Rows are added.
    Insert,
    /// Rows are changed, or locked before something is.
    Update,
    /// Rows are removed; also where the undo removes what was added.
    Delete,
    /// Its triggers, names, partitions or constraints are changed, which only an owner may.
    Own,
    /// Partitions, indexes or functions are created in its schema.
    Create,
    /// A dump is made that has the definitions of the whole database.
    Backup,
    /// What its writers change is captured, by functions beside the journal.
    Capture,
    /// Ordinary triggers are turned off for a session.
    Silence,
}

/// What an operation does to a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableNeed {
    /// The operation.
    pub verb: &'static str,
    /// The table, as the profile names it.
    pub table: String,
    /// What is done to it.
    pub rights: Vec<TableRight>,
}

impl TableNeed {
    /// Of a table.
    pub fn new(verb: &'static str, table: &str, rights: &[TableRight]) -> Self {
        Self { verb, table: table.to_owned(), rights: rights.to_vec() }
    }

    /// What a change as the profile declares it does: to its table, and to those that follow, whose rows an undo puts back
    /// in any way.
    pub fn of_write(verb: &'static str, write: &Write, rights: &[TableRight]) -> Vec<Self> {
        let all = [TableRight::Insert, TableRight::Update, TableRight::Delete];
        let derived = write.derived.iter().map(|d| Self::new(verb, &d.table, &all));
        std::iter::once(Self::new(verb, &write.table, rights)).chain(derived).collect()
    }
}

/// What a script of GRANTs is made for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GrantRequest {
    /// The profile's name.
    pub profile: String,
    /// The role that reads.
    pub reader: String,
    /// The role that changes.
    pub operator: String,
    /// Where the profile's names are searched.
    pub search_path: Vec<String>,
    /// Texts of the profile, and names of tables that are read besides: a table is read if its name stands in one.
    pub texts: Vec<String>,
    /// Statements of the profile that are carried out: a table is written if one says so.
    pub statements: Vec<String>,
    /// What operations do to tables.
    pub needs: Vec<TableNeed>,
}
