//! Which dialects the queue has statements for.

use crate::engine::check::per_dialect::for_dialect;
use crate::engine::model::error::Result;
use crate::engine::port::dialect::Dialect;
use crate::features::queue::postgres::PostgresQueue;
use crate::features::queue::sql::QueueSql;

/// The statements for a target's dialect.
pub(crate) fn sql(dialect: &dyn Dialect) -> Result<&'static dyn QueueSql> {
    for_dialect(dialect, &[("postgres", &PostgresQueue)])
}
