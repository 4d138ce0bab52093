//! Which dialects the migrations check has statements for.

use crate::engine::check::per_dialect::for_dialect;
use crate::engine::model::error::Result;
use crate::engine::port::dialect::Dialect;
use crate::features::migrations::postgres::PostgresMigrations;
use crate::features::migrations::sql::MigrationSql;

/// The statements for a target's dialect.
pub(crate) fn sql(dialect: &dyn Dialect) -> Result<&'static dyn MigrationSql> {
    for_dialect(dialect, &[("postgres", &PostgresMigrations)])
}
