//! How the keys of a pair are cut into ranges.

use crate::engine::compare::range_choice::{KeyEnds, TableSize, by_bits, choose as cut};
use crate::engine::model::error::Result;
use crate::engine::model::key_ranges::RangeCut;
use crate::engine::model::name::Relation;
use crate::engine::port::compare_sql::CompareSql;
use crate::engine::port::reader::ReadTx;
use crate::features::parity::compared_pair::ComparedPair;

/// Chooses for this pair; also how many rows it has, about.
pub(crate) async fn choose(
    tx: &mut dyn ReadTx,
    sql: &dyn CompareSql,
    compared: &ComparedPair<'_>,
) -> Result<(RangeCut, i64)> {
    let (Some(legacy), Some(first)) = (compared.legacy, compared.columns.key.first()) else {
        return Ok((RangeCut::None, 0));
    };
    let size = |relation: &str| sql.size(&Relation::parse(relation), &first.name);
    let ours: TableSize = tx.one(&size(&legacy.relation)).await?;
    let theirs: TableSize = tx.one(&size(&compared.partitioned.relation)).await?;
    let mut ends = None;
    if by_bits(compared.columns, (ours, theirs)) {
        let found: KeyEnds = tx.one(&sql.key_ends(&legacy.relation, &first.name)).await?;
        ends = Some(found);
    }
    let rows = ours.rows.max(theirs.rows);
    Ok((cut(compared.columns, rows, compared.layout.slots.len(), ends), rows))
}
