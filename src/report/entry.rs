//! An entry of the journal as a line for people; JSON has all of it.

use serde_json::Value;

use crate::engine::journal::Event;
use crate::engine::plan::text_of;

/// An entry's rest as names and values; what is no object stays as it is.
pub fn body(event: &Event) -> String {
    match serde_json::from_str::<Value>(&event.body) {
        Ok(Value::Object(fields)) => {
            // What only a program compares is in the journal.
            let said = fields
                .iter()
                .filter(|(k, v)| !v.is_null() && !matches!(k.as_str(), "planned" | "rows_sha256"));
            said.map(|(name, v)| format!("{name} {}", brief(v))).collect::<Vec<_>>().join(" · ")
        }
        _ => event.body.clone(),
    }
}

/// Characters of a sum that a person compares.
const SUM: usize = 12;

fn brief(value: &Value) -> String {
    match value {
        Value::String(s) if s.len() == 64 && s.bytes().all(|b| b.is_ascii_hexdigit()) => {
            format!("{}…", &s[..SUM])
        }
        // Counts of a stage; its sums are in the journal.
        Value::Object(o) if o.contains_key("table") && o.contains_key("rows") => {
            let table = text_of(&o["table"]);
            format!("{} {}", table.trim_start_matches("public."), text_of(&o["rows"]))
        }
        Value::Array(all) => all.iter().map(brief_answer).collect::<Vec<_>>().join("; "),
        other => text_of(other),
    }
}

/// A question of the proof and its answer.
fn brief_answer(value: &Value) -> String {
    match value.as_array().map(Vec::as_slice) {
        Some([Value::String(question), Value::Null]) => format!("{question}: unknown"),
        Some([Value::String(question), answer]) => format!("{question}: {}", text_of(answer)),
        _ => brief(value),
    }
}
