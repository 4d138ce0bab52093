//! Tables that a plan is about, looked up in the catalog.

use crate::engine::model::change::{Derived, RowChange, TypedColumn};
use crate::engine::model::error::{Error, Result};
use crate::engine::model::foreign_cast::ForeignCast;
use crate::engine::model::name::Relation;
use crate::engine::model::plan::Plan;
use crate::engine::model::profile::DerivedTable;
pub use crate::engine::model::table::{Constraint, Firing, Seen, Stored, Table, Trigger};
use crate::engine::plan::operation::PlanCx;
use crate::engine::port::reader::{ReadOptions, Reader};

/// Looks a table up, by its name as the dialect reads it.
pub async fn find_table(cx: &PlanCx<'_>, name: &str) -> Result<Table> {
    table_led_to(cx, name, None).await
}

/// The table that a name has led to; where that is not known, the one that it leads to now.
async fn table_led_to(cx: &PlanCx<'_>, name: &str, resolved: Option<&Relation>) -> Result<Table> {
    let relation = resolved.cloned().unwrap_or_else(|| cx.dialect().parse(name));
    // With what the role that changes it may do there.
    let mut tx = cx.cx.facts.rights().begin(ReadOptions::default()).await?;
    let found = cx.dialect().tables(&mut *tx, &[relation]).await?;
    let table = found.into_iter().next().ok_or_else(|| match resolved {
        Some(led) => Error::unobserved(format!(
            "failed to plan: there is no table {} any more: {name} led to it when the run was planned",
            led.brief()
        ))
        .hint("move or rename it back"),
        None => Error::unobserved(format!("failed to plan: there is no table {name}"))
            .hint("is it the right profile and search_path?"),
    })?;
    let casts = table.columns.iter().map(|c| (c.name.as_str(), c.foreign_cast.as_deref()));
    ForeignCast::refuse_any(name, casts)?;
    Ok(table)
}

/// The table of a change and those that follow. What a plan of an older version leaves to the search path, its inverse
/// names as it is found here.
pub(in crate::engine) async fn resolve(
    cx: &PlanCx<'_>,
    change: &mut RowChange,
) -> Result<(Table, Vec<Table>)> {
    let table = table_led_to(cx, &change.table, change.resolved.as_ref()).await?;
    change.resolved = Some(table.name.clone());
    for columns in [&mut change.key, &mut change.columns, &mut change.kept] {
        retype(columns, &table);
    }
    let mut follow = Vec::with_capacity(change.derived.len());
    for derived in &mut change.derived {
        let table = table_led_to(cx, &derived.table, derived.resolved.as_ref()).await?;
        derived.resolved = Some(table.name.clone());
        for columns in [&mut derived.key, &mut derived.columns] {
            retype(columns, &table);
        }
        follow.push(table);
    }
    Ok((table, follow))
}

/// Types and their operators as they are called now, with their schema.
fn retype(columns: &mut [TypedColumn], table: &Table) {
    for column in columns {
        if let Some(now) = table.columns.iter().find(|c| c.name == column.name) {
            column.type_name.clone_from(&now.type_name);
            column.equality.clone_from(&now.equality);
        }
    }
}

/// Derived tables of a profile with what the catalog knows of them.
pub async fn derived(cx: &PlanCx<'_>, declared: &[DerivedTable]) -> Result<Vec<Derived>> {
    let mut out = Vec::new();
    for d in declared {
        let table = find_table(cx, &d.table).await?;
        table.keyed(&d.table, &d.key)?;
        let secrets = cx.secrets_of(&d.table);
        let stored = table.columns.iter().filter(|c| !c.generated).map(|c| &c.name);
        out.push(Derived {
            table: d.table.clone(),
            resolved: Some(table.name.clone()),
            key: table.typed(&d.table, &d.key)?,
            columns: table.kept(&secrets),
            withheld: stored.filter(|c| secrets.contains(*c)).cloned().collect(),
            rows: d.rows.clone(),
        });
    }
    Ok(out)
}

/// Names of a plan's tables that lead to other tables by now.
pub(in crate::engine) async fn moved_names(facts: &dyn Reader, plan: &Plan) -> Result<Vec<String>> {
    let mut named = Vec::new();
    for change in plan.row_changes() {
        named.push((&change.table, &change.resolved));
        named.extend(change.derived.iter().map(|d| (&d.table, &d.resolved)));
    }
    let mut tx = facts.begin(ReadOptions::default()).await?;
    let mut out = Vec::new();
    for (name, planned) in named {
        let Some(planned) = planned else { continue };
        let found = facts.dialect().tables(&mut *tx, &[facts.dialect().parse(name)]).await?;
        // A name that leads nowhere is told of by whoever plans again.
        if let Some(now) = found.first().map(|t| &t.name).filter(|now| *now != planned) {
            out.push(format!("table {name}: planned {}, now {}", planned.brief(), now.brief()));
        }
    }
    out.dedup();
    Ok(out)
}
