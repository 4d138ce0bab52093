//! Rows of a plan: from what to what.

use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

/// Rows that the plan itself carries; all of them are in its [`crate::engine::model::row_store::RowSet`].
pub const DIFF_ROWS: usize = 1_000;

/// Values by column; every value travels as the server's text of it.
pub type Values = Map<String, Value>;

/// A row of the plan: from what to what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedRow {
    /// The columns that identify it.
    pub key: Values,
    /// What it holds now; absent: it is to be inserted.
    pub before: Option<Values>,
    /// What it shall hold; absent: it is to be deleted.
    pub after: Option<Values>,
    /// What helps a person to recognise it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub show: Values,
    /// Rows of one unit are changed in one transaction, and nothing else with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<i64>,
    /// The step that changes it, where the plan has several that change rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
}

/// A group of rows with the same change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// `2025-11-24 → 2025-11-25`.
    pub change: String,
    /// How many.
    pub rows: u64,
}

impl PlannedRow {
    /// Its key as text, for people and messages.
    pub fn key_text(&self) -> String {
        let one = |(name, value): (&String, &Value)| format!("{name}={}", text_of(value));
        self.key.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    /// What kind of change it is: columns that change, from what to what.
    pub fn change_text(&self) -> String {
        let value = |values: &Option<Values>, name: &str| {
            values.as_ref().and_then(|v| v.get(name)).map_or_else(|| "∅".to_owned(), text_of)
        };
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => {
                let changed: Vec<_> = after.iter().filter(|(name, v)| before.get(*name) != Some(v)).collect();
                let alone = changed.len() == 1;
                let parts = changed.into_iter().map(|(name, v)| {
                    let change = format!("{} → {}", value(&self.before, name), text_of(v));
                    if alone { change } else { format!("{name} {change}") }
                });
                parts.collect::<Vec<_>>().join(", ")
            }
            (None, Some(_)) => "inserted".into(),
            (Some(_), None) => "deleted".into(),
            (None, None) => "computed again".into(),
        }
    }
}

/// A value as a person reads it.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::Null => "NULL".into(),
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}
