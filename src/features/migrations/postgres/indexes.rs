//! Indexes that exist but do not count: an interrupted CREATE INDEX CONCURRENTLY leaves one behind.

use crate::engine::model::query::Sql;
use serde::Deserialize;
use serde_json::json;

use crate::engine::model::error::Result;
use crate::engine::model::report::{CheckId, Finding, Severity};
use crate::engine::port::reader::ReadTx;

pub(crate) const SQL: &str = "
select i.indexrelid::regclass::text as index, i.indrelid::regclass::text as \"table\",
       pg_get_indexdef(i.indexrelid) as definition,
       exists (select from pg_stat_progress_create_index p where p.index_relid = i.indexrelid) as building
from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
where (not i.indisvalid or not i.indisready) and c.relkind = 'i'
  and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
order by 1";

#[derive(Deserialize)]
struct Index {
    #[serde(rename = "index")]
    name: String,
    table: String,
    definition: String,
    building: bool,
}

pub(crate) async fn findings(tx: &mut dyn ReadTx, id: &CheckId) -> Result<Vec<Finding>> {
    let found: Vec<Index> = tx.fetch(&Sql::new(SQL)).await?;
    let finding = |i: Index| {
        let (severity, message) = if i.building {
            (Severity::Info, format!("index {} on {} is being built", i.name, i.table))
        } else {
            let cost = "queries do not use it, writes still pay for it";
            (Severity::Critical, format!("index {} on {} is INVALID: {cost}", i.name, i.table))
        };
        let sample = json!({ "index": i.name, "table": i.table, "definition": i.definition });
        Finding {
            id: format!("{id}/invalid_index/{}", i.name),
            severity,
            message,
            rows: None,
            sample: sample.as_object().cloned().into_iter().collect(),
        }
    };
    Ok(found.into_iter().map(finding).collect())
}
