//! Columns of two tables, matched by name.

use crate::engine::model::comparison::{ComparedColumn, ComparedColumns, Databases};
use crate::engine::model::error::{Error, Result};
use crate::engine::port::compare_sql::CompareSql;

/// A table's name, for people, and its columns.
#[derive(Debug, Clone, Copy)]
pub struct NamedColumns<'a> {
    /// The name.
    pub table: &'a str,
    /// The columns in the table's order.
    pub columns: &'a [ComparedColumn],
}

/// How the columns of two tables relate. A key column that is not in both is an error.
pub fn matched(
    sql: &dyn CompareSql,
    left: NamedColumns<'_>,
    right: NamedColumns<'_>,
    key: &[String],
    databases: Databases,
) -> Result<ComparedColumns> {
    let mut out = ComparedColumns::default();
    for column in left.columns {
        match right.columns.iter().find(|r| r.name == column.name) {
            None => out.only_left.push(column.name.clone()),
            Some(other) => {
                if other.kind != column.kind {
                    out.retyped.push((column.name.clone(), column.kind.clone(), other.kind.clone()));
                }
                out.common.push(sql.matched(column, other, databases));
            }
        }
    }
    let extra = right.columns.iter().filter(|r| !left.columns.iter().any(|l| l.name == r.name));
    out.only_right = extra.map(|c| c.name.clone()).collect();
    for name in key {
        let column = out.column(name).ok_or_else(|| {
            Error::unobserved(format!(
                "the key column {name} is not in both {} and {}",
                left.table, right.table
            ))
        })?;
        out.key.push(column.clone());
    }
    Ok(out)
}
