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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::postgres::Postgres;

    fn columns(of: &[(&str, &str)]) -> Vec<ComparedColumn> {
        let column = |(name, kind): &(&str, &str)| ComparedColumn {
            name: (*name).into(),
            kind: (*kind).into(),
            ..ComparedColumn::default()
        };
        of.iter().map(column).collect()
    }

    fn of_both(key: &str) -> Result<ComparedColumns> {
        let left = columns(&[("id", "integer"), ("a", "text"), ("old", "text")]);
        let right = columns(&[("a", "character varying(9)"), ("id", "integer"), ("new", "text")]);
        let left = NamedColumns { table: "t", columns: &left };
        matched(&Postgres, left, NamedColumns { table: "p", columns: &right }, &[key.into()], Databases::One)
    }

    #[test]
    fn columns_are_matched_by_name() {
        let both = of_both("id").unwrap();
        let names: Vec<_> = both.common.iter().map(|c| (c.name.as_str(), c.as_text)).collect();
        assert_eq!(names, [("id", false), ("a", true)], "in the left table's order; another type is text");
        assert_eq!((both.only_left, both.only_right), (vec!["old".to_owned()], vec!["new".to_owned()]));
        assert_eq!(both.retyped, [("a".into(), "text".into(), "character varying(9)".into())]);
        assert_eq!(both.key.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["id"]);
    }

    #[test]
    fn a_key_is_in_both() {
        for key in ["old", "new", "nowhere"] {
            let error = of_both(key).unwrap_err();
            assert_eq!(error.message, format!("the key column {key} is not in both t and p"));
        }
    }
}
