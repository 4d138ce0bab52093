//! What the check of roles asks of a server, as its dialect writes it.

use crate::engine::model::query::Sql;
use crate::features::roles::facts::SchemaCreator;

/// The statements on roles.
pub(crate) trait RolesSql: Sync {
    /// `role`, `superuser`, `as_superuser`, `powers` of the session's role: whether it is a superuser, through which roles
    /// it can become one, and which roles it has that reach files, programs or sessions of others in a read-only
    /// transaction.
    fn reader(&self) -> Sql;
    /// `schema`, `right`, `role`: who can create in these schemas besides superusers, the database's owner and the role
    /// that changes are made with, which gains nothing by it.
    fn creators(&self, schemas: &[String], own: &str) -> Sql;
    /// Which of the reader and this role have more rights than on rows.
    fn might(&self, role: &str) -> Sql;
    /// The statement that takes the right away.
    fn revocation(&self, creator: &SchemaCreator, database: &str) -> String;
}
