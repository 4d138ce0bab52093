//! Tables that a plan is about, looked up in the catalog.

use crate::engine::model::change::Derived;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::profile::DerivedTable;
pub use crate::engine::model::table::{Constraint, Firing, Seen, Stored, Table, Trigger};
use crate::engine::plan::operation::PlanCx;

impl Table {
    /// Looks a table up, by its name as the dialect reads it.
    pub async fn find(cx: &PlanCx<'_>, name: &str) -> Result<Self> {
        let mut tx = cx.cx.read().await?;
        let found = cx.dialect().tables(&mut *tx, &[cx.dialect().parse(name)]).await?;
        found.into_iter().next().ok_or_else(|| {
            Error::unobserved(format!("failed to plan: there is no table {name}"))
                .hint("is it the right profile and search_path?")
        })
    }
}

/// Derived tables of a profile with what the catalog knows of them.
pub async fn derived(cx: &PlanCx<'_>, declared: &[DerivedTable]) -> Result<Vec<Derived>> {
    let mut out = Vec::new();
    for d in declared {
        let table = Table::find(cx, &d.table).await?;
        table.keyed(&d.table, &d.key)?;
        let secrets = cx.profile().secrets_of(&d.table);
        let stored = table.columns.iter().filter(|c| !c.generated).map(|c| &c.name);
        out.push(Derived {
            table: d.table.clone(),
            key: table.typed(&d.table, &d.key)?,
            columns: table.kept(&secrets),
            withheld: stored.filter(|c| secrets.contains(&c.as_str())).cloned().collect(),
            rows: d.rows.clone(),
        });
    }
    Ok(out)
}
