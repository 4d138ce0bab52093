//! How long the operations on twins wait, and the server's clock that they measure by.

use crate::engine::model::error::Result;
use crate::engine::model::query::Sql;
use crate::engine::port::reader::ReadTx;
use std::time::Duration;

/// The server's clock.
pub(crate) async fn millis(tx: &mut dyn ReadTx) -> Result<i64> {
    let sql = "select (extract(epoch from clock_timestamp()) * 1000)::bigint::text";
    let text = tx.texts(&Sql::new(sql)).await?.pop().flatten();
    Ok(text.and_then(|t| t.parse().ok()).unwrap_or(0))
}

/// A plan may read both tables.
pub(crate) const PATIENCE: Duration = Duration::from_hours(1);
