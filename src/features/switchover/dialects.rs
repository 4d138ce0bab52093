//! Which dialects a switchover has statements for. They stand in its own files and in parity's `pair`.

use crate::engine::check::per_dialect::for_dialect;
use crate::engine::model::error::Result;
use crate::engine::port::dialect::Dialect;

/// An error where nothing may be sent to a target of this dialect.
pub(crate) fn supported(dialect: &dyn Dialect) -> Result<()> {
    for_dialect(dialect, &[("postgres", &())]).copied()
}
