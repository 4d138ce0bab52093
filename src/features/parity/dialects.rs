//! Which dialects the comparison has statements for.

use crate::engine::check::per_dialect::for_dialect;
use crate::engine::model::error::Result;
use crate::engine::port::dialect::Dialect;
use crate::features::parity::postgres::PostgresParity;
use crate::features::parity::sql::ParitySql;

/// The statements for a target's dialect.
pub(crate) fn sql(dialect: &dyn Dialect) -> Result<&'static dyn ParitySql> {
    for_dialect(dialect, &[("postgres", &PostgresParity)])
}
