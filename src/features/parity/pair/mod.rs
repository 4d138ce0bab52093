//! A legacy table and its partitioned table: what the catalog says of them, and which table has which name.
//!
//! The parity check reads the pair, the operations of switchover change it; both use this. It is for PostgreSQL: SQL stands
//! in these files.

#![expect(clippy::disallowed_methods, reason = "SQL stands here")]

pub(crate) mod catalog;
pub(crate) mod change_capture;
pub mod fingerprint;
pub(crate) mod partition_gaps;
pub(crate) mod partitions;
pub mod retired;
pub(crate) mod sync_triggers;
pub(crate) mod trigger_ddl;
pub(crate) mod trigger_function;

use crate::engine::model::query::ProfileSql;
use serde::{Deserialize, Serialize};

use crate::engine::check::kind::Renamed;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::name::Relation;
use crate::engine::model::profile::Twin;
use crate::engine::model::query::Param;
use crate::engine::port::compare_sql::CompareSql;
use crate::engine::port::reader::ReadTx;
use crate::features::parity::pair::catalog::TwinTable;

/// Who answers to the legacy table's name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SwitchState {
    /// The legacy table, as ever.
    #[default]
    Before,
    /// The partitioned table; the legacy table is kept, retired, under another name.
    Switched,
    /// The partitioned table; the legacy table is put away to be dropped, or gone.
    Cleaned,
}

/// Both tables, whatever they are called at present.
#[derive(Debug, Clone)]
pub(crate) struct TwinTables {
    pub(crate) standing: SwitchState,
    /// `None` once it is gone.
    pub(crate) legacy: Option<TwinTable>,
    pub(crate) partitioned: TwinTable,
}

#[derive(Deserialize)]
struct Names {
    legacy: Option<String>,
    retired: bool,
    partitioned: Option<String>,
}

// Everything with its schema: the path that it is asked under is the profile's.
const NAMES: &str = "
select (select c.relkind::pg_catalog.text from pg_catalog.pg_class c
        where c.oid operator(pg_catalog.=) pg_catalog.to_regclass($1)::pg_catalog.oid) as legacy,
       pg_catalog.to_regclass($2) is not null as retired,
       (select c.relkind::pg_catalog.text from pg_catalog.pg_class c
        where c.oid operator(pg_catalog.=) pg_catalog.to_regclass($3)::pg_catalog.oid) as partitioned";

/// What the legacy table is called after a switchover.
pub(crate) fn retired_name(twin: &Twin) -> Relation {
    let legacy = Relation::parse(&twin.legacy);
    let named = twin.retired.as_deref().map(Relation::parse);
    let name = named.as_ref().map_or_else(|| format!("{}_legacy", legacy.name), |r| r.name.clone());
    Relation { schema: named.and_then(|r| r.schema).or(legacy.schema), name }
}

/// Where the switchover of this twin stands.
pub(crate) async fn standing(tx: &mut dyn ReadTx, twin: &Twin) -> Result<SwitchState> {
    let params: Vec<Param> =
        [Relation::parse(&twin.legacy), retired_name(twin), Relation::parse(&twin.partitioned)]
            .iter()
            .map(|r| Param::Text(Some(r.to_string())))
            .collect();
    let names: Names = tx.one(&ProfileSql::names(NAMES).bind(params.clone())).await?;
    // Before a switch both names are tables; after it the legacy name is the partitioned table's.
    let switched =
        names.legacy.as_deref() == Some("p") && names.partitioned.as_deref().is_none_or(|k| k == "v");
    Ok(match (switched, names.retired) {
        (false, _) => SwitchState::Before,
        (true, true) => SwitchState::Switched,
        (true, false) => SwitchState::Cleaned,
    })
}

/// The tables of twins that are switched over: what a migration file called them, and what they are called now.
pub(crate) async fn renamed(tx: &mut dyn ReadTx, twins: &[Twin]) -> Result<Vec<Renamed>> {
    let mut out = Vec::new();
    for twin in twins {
        let (live, partitioned) = (Relation::parse(&twin.legacy), Relation::parse(&twin.partitioned));
        match standing(tx, twin).await? {
            SwitchState::Before => continue,
            SwitchState::Switched => out.push(Renamed { before: live.clone(), now: retired_name(twin) }),
            // What the file made of it is the backup's.
            SwitchState::Cleaned => {}
        }
        out.push(Renamed { before: partitioned, now: live });
    }
    Ok(out)
}

/// Finds both tables.
pub(crate) async fn pair(tx: &mut dyn ReadTx, sql: &dyn CompareSql, twin: &Twin) -> Result<TwinTables> {
    let standing = standing(tx, twin).await?;
    let (legacy, partitioned) = match standing {
        SwitchState::Before => (Some(Relation::parse(&twin.legacy)), &twin.partitioned),
        SwitchState::Switched => (Some(retired_name(twin)), &twin.legacy),
        SwitchState::Cleaned => (None, &twin.legacy),
    };
    let names = (legacy.as_ref(), &Relation::parse(partitioned));
    let (legacy, partitioned) = catalog::tables(tx, sql, names).await?;
    if legacy.as_ref().is_some_and(|l| l.oid == partitioned.oid) {
        return Err(Error::unobserved(format!(
            "{} is both sides of the twin {}",
            partitioned.relation,
            twin.name()
        )));
    }
    Ok(TwinTables { standing, legacy, partitioned })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retired_table_stays_in_its_schema() {
        let mut twin = Twin { legacy: "app.orders".into(), ..Twin::default() };
        assert_eq!(retired_name(&twin).to_string(), r#""app"."orders_legacy""#);
        twin.retired = Some("old_orders".into());
        assert_eq!(retired_name(&twin).to_string(), r#""app"."old_orders""#);
    }
}
