//! An entry of the journal as a line for people; JSON has all of it.

use serde_json::Value;

use crate::engine::model::blocker::Blocker;
use crate::engine::model::diff::text_of;
use crate::engine::model::event::Event;
use crate::engine::run::lock_wait::ANNOUNCED;

/// An entry's rest as names and values; what is no object stays as it is.
pub fn body(event: &Event) -> String {
    match serde_json::from_str::<Value>(&event.body) {
        Ok(Value::Object(fields)) => {
            // What only a program compares is in the journal; an announced text repeats the other fields.
            let said = fields.iter().filter(|(k, v)| {
                !v.is_null() && !matches!(k.as_str(), "planned" | "rows_sha256" | ANNOUNCED)
            });
            said.map(|(name, v)| named(name, v)).filter(|t| !t.is_empty()).collect::<Vec<_>>().join(" · ")
        }
        _ => event.body.clone(),
    }
}

fn named(name: &str, value: &Value) -> String {
    match (name, value) {
        (_, Value::Array(none)) if none.is_empty() => String::new(),
        (_, Value::String(none)) if none.is_empty() => String::new(),
        ("blockers", Value::Array(all)) => {
            format!("in the way: {}", all.iter().map(blocker).collect::<Vec<_>>().join("; "))
        }
        // `failed: failed to run` says it once.
        (_, Value::String(text)) if begins_with_word(text, name) => text.clone(),
        _ => format!("{name} {}", brief(value)),
    }
}

fn begins_with_word(text: &str, word: &str) -> bool {
    text.strip_prefix(word).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// Whoever stood in the way, in words.
pub(super) fn blocker(value: &Value) -> String {
    serde_json::from_value::<Blocker>(value.clone()).map_or_else(|_| text_of(value), |b| b.text())
}

/// Characters of a sum that a person compares.
const SUM: usize = 12;

fn brief(value: &Value) -> String {
    match value {
        Value::String(s) if s.len() == 64 && s.bytes().all(|b| b.is_ascii_hexdigit()) => {
            format!("{s:.SUM$}…")
        }
        // Counts of a stage; its sums are in the journal.
        Value::Object(o) if o.contains_key("table") && o.contains_key("rows") => {
            let table = text_of(&o["table"]);
            format!("{} {}", table.trim_start_matches("public."), text_of(&o["rows"]))
        }
        Value::Object(o) => o.iter().map(|(name, v)| named(name, v)).collect::<Vec<_>>().join(", "),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_is_words() {
        let event = |body: Value| Event {
            seq: 1,
            at: String::new(),
            run: None,
            kind: "attempt".into(),
            body: body.to_string(),
            prev: String::new(),
            hash: String::new(),
            signed: None,
        };
        let blocker = json!({
            "pid": 4711, "role": "report_ro", "application": "", "state": "idle in transaction", "age_ms": 3_100,
            "statement_ms": 10, "query": "select a_long_name ".repeat(5), "table": "revenues", "wrote": false,
            "since": "2026-11-21", "query_at": null,
        });
        let said = body(&event(json!({
            "attempt": 2, "of": 12, "failed": "failed to run a statement", "blockers": [blocker],
        })));
        assert!(said.contains("in the way: pid 4711 report_ro idle in transaction for 3.1 s"), "{said}");
        assert!(said.contains('…') && !said.contains('{') && !said.contains("failed failed"), "{said}");
        assert_eq!(body(&event(json!({ "attempt": 2, "blockers": [] }))), "attempt 2");
        assert_eq!(body(&event(json!({ "attempt": 2, "announced": "attempt 2 of 12" }))), "attempt 2");
        assert_eq!(body(&event(json!({ "failed": "over budget" }))), "failed over budget");
        assert_eq!(body(&event(json!({ "stage": "stages" }))), "stage stages");
    }
}
