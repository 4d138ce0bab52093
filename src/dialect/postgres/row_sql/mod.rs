//! Statements over rows, for PostgreSQL: pages, planned rows, batches and their inverses. Text only; the reader and the
//! writer send them. They are pinned byte by byte by `tests/dialects/pinned.rs`.

pub(super) mod batch;
pub(super) mod bypass;
mod change;
mod inverse;
mod paging;
mod planned;
mod statement_checks;
pub(super) mod values;

use std::collections::BTreeMap;

use crate::dialect::postgres::Postgres;
use crate::engine::model::change::{Canary, Derived, RowChange};
use crate::engine::model::error::Result;
use crate::engine::model::page::{PageRequest, RowSource};
use crate::engine::model::preflight::Verification;
use crate::engine::model::profile::Source;
use crate::engine::model::query::{Column, ProfileSql, Sql};
use crate::engine::model::row_query::{ImagesOf, RowLimits, RowQuery, RowsFrom};
use crate::engine::model::table::Constraint;
use crate::engine::port::row_sql::{BatchRequirement, Bypass, Bypassed, CheckedStatement, Obstacle, RowSql};

impl RowSql for Postgres {
    fn with_sources(&self, sources: &BTreeMap<String, Source>, sql: &str) -> String {
        paging::with_sources(sources, sql)
    }
    fn page(&self, request: &PageRequest, columns: &[Column]) -> ProfileSql {
        paging::page(request, columns)
    }
    fn page_total(&self, request: &PageRequest, columns: &[Column]) -> ProfileSql {
        paging::total(request, columns)
    }
    fn is_keyed(&self, source: &RowSource) -> ProfileSql {
        paging::is_keyed(source)
    }
    fn first_rows(&self, sql: &ProfileSql, columns: &[Column], limit: usize) -> ProfileSql {
        paging::first_rows(sql, columns, limit)
    }
    fn placeholder(&self, n: usize) -> String {
        format!("${n}")
    }
    fn planned(&self, rows: &RowQuery, portion: RowLimits<'_>) -> ProfileSql {
        planned::planned(rows, portion)
    }
    fn planned_key(&self, rows: &RowQuery) -> ProfileSql {
        planned::key(rows)
    }
    fn planned_values(&self, rows: &RowQuery) -> Option<ProfileSql> {
        planned::values(rows)
    }
    fn touched(&self, rows: &RowQuery, change: &RowChange, derived: &Derived) -> ProfileSql {
        planned::touched(rows, change, derived)
    }
    fn column_of_rows(&self, rows: &RowQuery, column: &str) -> ProfileSql {
        planned::column_of_rows(rows, column)
    }
    fn column_of(&self, from: &RowsFrom, column: &str) -> ProfileSql {
        planned::column_of(from, column)
    }
    fn as_written(&self, column: &Column, texts: &[String]) -> ProfileSql {
        planned::as_written(column, texts)
    }
    fn type_word(&self, column: &Column) -> String {
        values::type_word(&column.type_name)
    }
    fn statements_for_people(&self, change: &RowChange) -> Vec<String> {
        change::statements_for_people(change)
    }
    fn checked_statements(&self, change: &RowChange) -> Vec<CheckedStatement> {
        statement_checks::checked_statements(change)
    }
    fn batch_requirement(&self) -> Option<BatchRequirement> {
        Some(statement_checks::temporary())
    }
    fn verification(&self, change: &RowChange, step: usize) -> Option<Verification> {
        change::verification(change, step)
    }
    fn verification_query(&self, question: &Verification, run: &str) -> ProfileSql {
        change::verification_query(question, run)
    }
    fn own_verification_query(&self, question: &Verification, run: &str) -> Sql {
        change::own_verification_query(question, run)
    }
    fn canary_counts(&self, canary: &Canary, run: &str, batch: u64) -> ProfileSql {
        change::canary_counts(canary, run, batch)
    }
    fn changed_since(&self, images: &ImagesOf, named: usize) -> ProfileSql {
        inverse::changed_since(images, named)
    }
    fn refused(&self, images: &ImagesOf, check: &Constraint) -> ProfileSql {
        inverse::refused(images, check)
    }
    fn bypass(&self, table: &str, obstacle: Obstacle<'_>) -> Result<Bypass> {
        Ok(bypass::bypass(table, obstacle))
    }
    fn bypassed(&self, change: &RowChange) -> Vec<Bypassed> {
        bypass::bypassed(change)
    }
}
