//! Rows compared: digests by group and key range, rows that differ, and the columns of both sides.

mod column;
mod digest;
mod key_ranges;
mod rows;
mod totals;

use crate::dialect::postgres::Postgres;
use crate::engine::model::comparison::{
    ComparedColumn, ComparedRows, Databases, KeySpan, KeyText, PartsOfBoth, RowPart, ValuePair,
};
use crate::engine::model::name::Relation;
use crate::engine::model::query::Sql;
use crate::engine::port::compare_sql::CompareSql;

impl CompareSql for Postgres {
    fn digest_form(&self) -> &'static str {
        "postgres 1"
    }

    fn columns_of(&self, table: &Relation) -> Sql {
        column::columns_of(table)
    }

    fn matched(&self, left: &ComparedColumn, right: &ComparedColumn, databases: Databases) -> ComparedColumn {
        column::matched(left, right, databases)
    }

    fn size(&self, table: &Relation, column: &str) -> Sql {
        key_ranges::size(table, column)
    }

    fn ends(&self, rows: &str, column: &str) -> Sql {
        key_ranges::ends(rows, column)
    }

    fn comparison_settings(&self) -> Option<Sql> {
        Some(Sql::new(totals::SETTINGS))
    }

    fn compile(&self, on: bool) -> Option<Sql> {
        Some(totals::compile(on))
    }

    fn digest(&self, what: &ComparedRows<'_>, parts: &[RowPart<'_>], keys: KeySpan) -> Sql {
        totals::digest(what, parts, keys)
    }

    fn stream(&self, what: &ComparedRows<'_>, parts: &[RowPart<'_>], ranges: &[i64]) -> Sql {
        rows::stream(what, parts, ranges)
    }

    fn differing_keys(
        &self,
        what: &ComparedRows<'_>,
        parts: PartsOfBoth<'_>,
        ranges: &[i64],
        limit: usize,
    ) -> Sql {
        rows::differing(what, parts, ranges, limit)
    }

    fn count_differing_keys(&self, what: &ComparedRows<'_>, parts: PartsOfBoth<'_>, ranges: &[i64]) -> Sql {
        rows::count(what, parts, ranges)
    }

    fn rows_by_key(&self, what: &ComparedRows<'_>, parts: &[RowPart<'_>], keys: &[KeyText]) -> Sql {
        rows::by_key(what, parts, keys)
    }

    fn longest_value(&self) -> usize {
        rows::CELL
    }

    fn same_values(&self, pairs: &[ValuePair<'_>]) -> Sql {
        rows::same_values(pairs)
    }

    fn row_digest(&self, columns: &[ComparedColumn]) -> String {
        digest::row(columns)
    }

    fn compared_value(&self, column: &ComparedColumn, row: &str) -> String {
        column::compared(column, row)
    }
}
