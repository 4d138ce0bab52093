//! Differences of every class, planted in a copy whose sides were made equal first.

use serde::Deserialize;

use crate::engine::check::kind::CheckCx;
use crate::engine::model::comparison::ComparedColumns;
use crate::engine::model::error::Result;
use crate::engine::port::copies::TargetCopy;
use crate::engine::port::reader::ReadOptions;
use crate::features::parity::dialects;
use crate::features::parity::pair::TwinTables;
use crate::features::parity::pair::partitions::Layout;
use crate::features::parity::planting::{CopySides, Planting};

/// Makes both sides of a copy equal, then plants differences of every class.
pub(crate) async fn plant(
    cx: &CheckCx<'_>,
    copy: &dyn TargetCopy,
    pair: &TwinTables,
    columns: &ComparedColumns,
    layout: &Layout,
) -> Result<Planting> {
    let sql = dialects::sql(cx.facts.dialect())?;
    let legacy = pair.legacy.as_ref().map(|l| l.relation.as_str()).unwrap_or_default();
    let sides = CopySides { legacy, twin: &pair.partitioned.relation, columns, layout };
    let wanted = 3 * columns.common.len() + 8;
    for statement in sql.level(&sides, wanted)? {
        copy.execute(statement.text()).await.map_err(|e| e.context("preparing the copy"))?;
    }
    let mut tx = cx.facts.begin(ReadOptions::default()).await?;
    let found: Vec<Key> = tx.fetch(&sql.first_keys(&sides, wanted)).await?;
    drop(tx);
    let (script, planting) = sql.plant(&sides, found.into_iter().map(|k| k.key).collect());
    for statement in &script {
        copy.execute(statement.text()).await.map_err(|e| e.context("planting in the copy"))?;
    }
    copy.execute(sql.analyze(&sides).text()).await?;
    Ok(planting)
}

#[derive(Deserialize)]
struct Key {
    key: Vec<String>,
}
