//! A pair of twins, looked up for a plan.

use crate::engine::model::comparison::ComparedColumns;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::name::Relation;
use crate::engine::model::profile::Twin;
use crate::engine::plan::operation::PlanCx;
use crate::engine::port::compare_sql::CompareSql;
use crate::features::parity::pair::catalog;
use crate::features::parity::pair::partitions::{Layout, layout};
use crate::features::parity::pair::sync_triggers::reverse_function_name;
use crate::features::parity::pair::{SwitchState, TwinTables, pair, retired};
use crate::features::switchover::twins::named;

/// A twin, looked up.
pub(crate) struct TwinPair<'p> {
    pub(crate) twin: &'p Twin,
    /// Statements over its rows.
    pub(crate) sql: &'static dyn CompareSql,
    pub(crate) standing: SwitchState,
    pub(crate) legacy: catalog::TwinTable,
    pub(crate) partitioned: catalog::TwinTable,
    pub(crate) columns: ComparedColumns,
    pub(crate) layout: Layout,
}

impl<'p> TwinPair<'p> {
    pub(crate) async fn find(cx: &'p PlanCx<'_>, twin: &'p Twin) -> Result<Self> {
        let mut tx = cx.cx.read().await?;
        let sql: &'static dyn CompareSql = cx.cx.dialect();
        let found = pair(&mut *tx, sql, twin).await?;
        let Some(legacy) = found.legacy else {
            drop(tx);
            let (name, over) = (twin.name(), "the switchover is over and the legacy table is");
            return Err(match retired::find_retired(cx.cx.facts, twin).await? {
                Some(away) => {
                    Error::new(Class::Refused, format!("{name}: {over} put away as {}", away.table))
                        .hint(away.way_back())
                }
                None => Error::new(Class::Refused, format!("{name}: {over} gone")),
            });
        };
        let columns = catalog::columns(sql, &legacy, &found.partitioned, &twin.key)?;
        let layout = layout(&mut *tx, &found.partitioned).await?;
        Ok(Self {
            twin,
            sql,
            standing: found.standing,
            legacy,
            partitioned: found.partitioned,
            columns,
            layout,
        })
    }

    /// Triggers that the profile names, or one that we name.
    pub(crate) fn declared(&self) -> Vec<String> {
        if !self.twin.triggers.is_empty() {
            return self.twin.triggers.clone();
        }
        vec![format!("sync_to_partitioned_{}", Relation::parse(&self.twin.legacy).name)]
    }

    /// The function that keeps the retired table complete, whatever its table is called.
    pub(crate) fn reverse_function(&self) -> Relation {
        let schema = Relation::parse(&self.partitioned.relation).schema;
        Relation { schema, name: reverse_function_name(&Relation::parse(&self.twin.legacy).name) }
    }

    pub(crate) fn leaves(&self) -> Vec<String> {
        self.layout.leaves.iter().map(|l| l.relation.clone()).collect()
    }

    /// As the engine's modules take it.
    pub(crate) fn pair(&self) -> TwinTables {
        self.pair_as(&self.legacy.relation, &self.partitioned.relation)
    }

    /// The pair under the names that its tables have at the time.
    pub(crate) fn pair_as(&self, legacy: &str, twin: &str) -> TwinTables {
        let renamed = |table: &catalog::TwinTable, relation: &str| catalog::TwinTable {
            relation: relation.to_owned(),
            ..table.clone()
        };
        TwinTables {
            standing: self.standing,
            legacy: Some(renamed(&self.legacy, legacy)),
            partitioned: renamed(&self.partitioned, twin),
        }
    }

    pub(crate) async fn all(cx: &'p PlanCx<'_>, name: &str) -> Result<Vec<Self>> {
        let mut out = Vec::new();
        for twin in named(cx.profile(), name) {
            out.push(Self::find(cx, twin).await?);
        }
        Ok(out)
    }
}
