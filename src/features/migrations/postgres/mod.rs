//! What PostgreSQL's catalog says of migrations.

pub(crate) mod indexes;
pub(crate) mod probe;
