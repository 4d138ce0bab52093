//! One array of objects; NULL is null.

use serde_json::{Map, Value};

use super::format::{RowCell, RowFormat};
use crate::engine::model::clean;

/// The format.
#[derive(Debug)]
pub(super) struct JsonRows;

impl RowFormat for JsonRows {
    fn name(&self) -> &'static str {
        "Json"
    }

    fn extension(&self) -> &'static str {
        "json"
    }

    fn head(&self, _columns: &[String]) -> String {
        "[".into()
    }

    fn row(&self, columns: &[String], cells: &[RowCell], first: bool) -> String {
        let value = |c: &RowCell| c.clone().map_or(Value::Null, Value::String);
        let object: Map<String, Value> = columns.iter().cloned().zip(cells.iter().map(value)).collect();
        let object = Value::Object(object).to_string();
        format!("{}\n{}", if first { "" } else { "," }, clean::json(&object))
    }

    fn tail(&self) -> &'static str {
        "\n]\n"
    }
}
