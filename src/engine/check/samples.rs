//! Rows that a finding carries in a report.

use serde_json::Value;

use crate::engine::check::paging::Page;
use crate::engine::model::report::Sample;

/// Rows of a finding that reports carry.
pub const SAMPLE: usize = 20;

/// The rows of a page as values by column.
pub fn samples(page: &Page) -> Vec<Sample> {
    let value = |cell: &Option<String>| cell.clone().map_or(Value::Null, Value::String);
    page.rows
        .iter()
        .map(|r| page.columns.iter().map(|c| c.name.clone()).zip(r.cells.iter().map(value)).collect())
        .collect()
}
