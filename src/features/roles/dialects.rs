//! Which dialects the check of roles has statements for.

use crate::engine::check::per_dialect::for_dialect;
use crate::engine::model::error::Result;
use crate::engine::port::dialect::Dialect;
use crate::features::roles::postgres::PostgresRoles;
use crate::features::roles::sql::RolesSql;

/// The statements for a target's dialect.
pub(crate) fn sql(dialect: &dyn Dialect) -> Result<&'static dyn RolesSql> {
    for_dialect(dialect, &[("postgres", &PostgresRoles)])
}
