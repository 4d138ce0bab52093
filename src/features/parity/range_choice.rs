//! How the keys of a pair are cut into ranges, by the size and the indexes of its tables.

use serde::Deserialize;

use crate::engine::model::error::Result;
use crate::engine::port::reader::ReadTx;
use crate::features::parity::compared::Compared;
use crate::features::parity::key_ranges::RangeCut;
use crate::features::parity::sql::ParitySql;

/// Rows of a range, about.
const RANGE_ROWS: i64 = 2048;
/// Ranges times partitions at most.
const GROUPS: i64 = 65_536;

#[derive(Deserialize)]
struct Shape {
    rows: i64,
    legacy_index: bool,
    twin_index: bool,
}

#[derive(Deserialize)]
struct Ends {
    low: Option<i64>,
    high: Option<i64>,
}

/// Chooses for this pair; also how many rows it has, about.
pub(crate) async fn choose(
    tx: &mut dyn ReadTx,
    sql: &dyn ParitySql,
    compared: &Compared<'_>,
) -> Result<(RangeCut, i64)> {
    let (Some(legacy), Some(first)) = (compared.legacy, compared.columns.key.first()) else {
        return Ok((RangeCut::None, 0));
    };
    let shape: Shape = tx.one(&sql.shape(legacy, compared.partitioned, &first.name)).await?;
    let slots = i64::try_from(compared.layout.slots.len().max(1)).unwrap_or(GROUPS);
    let ranges = (shape.rows / RANGE_ROWS).clamp(1, (GROUPS / slots).max(1));
    if shape.legacy_index && shape.twin_index && compared.whole_number(&first.name) {
        let Ends { low, high } = tx.one(&sql.ends(legacy, &first.name)).await?;
        let (low, high) = (low.unwrap_or(0), high.unwrap_or(0));
        let wide = (i128::from(high) - i128::from(low)) / i128::from(ranges);
        let bits = (128 - wide.leading_zeros()).min(63);
        let span = (low >> bits, high >> bits);
        return Ok((RangeCut::Bits { column: first.name.clone(), bits, span }, shape.rows));
    }
    let mask = u64::try_from(ranges).unwrap_or(1).next_power_of_two().cast_signed() - 1;
    Ok((RangeCut::Hash { mask }, shape.rows))
}
