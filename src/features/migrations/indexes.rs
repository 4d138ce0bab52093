//! Indexes that exist but do not count: an interrupted CREATE INDEX CONCURRENTLY leaves one behind.

use crate::features::migrations::finding_kind::MigrationFinding;
use serde::Deserialize;
use serde_json::json;

use crate::engine::model::error::Result;
use crate::engine::model::report::{CheckId, Finding, Severity};
use crate::engine::port::reader::ReadTx;
use crate::features::migrations::sql::MigrationSql;
use crate::features::migrations::texts;

#[derive(Deserialize)]
struct Index {
    #[serde(rename = "index")]
    name: String,
    table: String,
    definition: String,
    building: bool,
}

pub(crate) async fn findings(
    tx: &mut dyn ReadTx,
    sql: &dyn MigrationSql,
    id: &CheckId,
) -> Result<Vec<Finding>> {
    let found: Vec<Index> = tx.fetch(&sql.invalid_indexes()).await?;
    let finding = |i: Index| {
        let (severity, message) = if i.building {
            (Severity::Info, texts::index_building(&i.name, &i.table))
        } else {
            (Severity::Critical, texts::index_invalid(&i.name, &i.table))
        };
        let sample = json!({ "index": i.name, "table": i.table, "definition": i.definition });
        Finding {
            id: format!("{id}/{}/{}", MigrationFinding::InvalidIndex.word(), i.name),
            severity,
            message,
            title: None,
            rows: None,
            sample: sample.as_object().cloned().into_iter().collect(),
        }
    };
    Ok(found.into_iter().map(finding).collect())
}
