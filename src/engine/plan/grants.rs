//! What a reader and an operator of a profile need: from the profile's texts, and from what checks and operations say.

use serde_json::Value;

use crate::engine::check::kind::Check;
use crate::engine::model::grants::GrantRequest;
use crate::engine::model::profile::{Profile, Write};
use crate::engine::plan::operation::Operation;
use crate::engine::port::dialect::Dialect;

/// For these roles.
pub(in crate::engine) fn request(
    profile: &Profile,
    dialect: &dyn Dialect,
    checks: &[&dyn Check],
    operations: &[&dyn Operation],
    (reader, operator): (&str, &str),
) -> GrantRequest {
    let mut texts = checks.iter().flat_map(|c| c.reads(dialect, profile)).collect();
    // Names of what is not read for its own sake.
    let read = Profile { secret_columns: vec![], known_triggers: vec![], ..profile.clone() };
    if let Ok(value) = serde_json::to_value(read) {
        gather(&value, &mut texts);
    }
    GrantRequest {
        profile: profile.name.clone(),
        reader: reader.to_owned(),
        operator: operator.to_owned(),
        search_path: profile.search_path.clone(),
        texts,
        statements: statements(profile),
        needs: operations.iter().flat_map(|o| o.needs(profile)).collect(),
    }
}

/// Every text of it, whatever key it is under: a new key of a profile is covered by itself.
fn gather(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) => out.push(text.clone()),
        Value::Array(all) => all.iter().for_each(|v| gather(v, out)),
        Value::Object(fields) => fields.values().for_each(|v| gather(v, out)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Statements that changes carry out beside their own.
fn statements(profile: &Profile) -> Vec<String> {
    let backfills = profile.backfills.iter();
    let fixes = profile.anomalies.iter().filter_map(|a| a.fix.as_ref());
    let changes = profile.queues.iter().filter_map(|q| q.changes.as_ref());
    let writes: Vec<&Write> = backfills
        .flat_map(|b| std::iter::once(&b.write).chain(b.instead.as_ref().map(|i| &i.write)))
        .chain(fixes.clone().map(|f| &f.write))
        .chain(changes.map(|c| &c.write))
        .collect();
    let of_writes = writes.into_iter().flat_map(|w| [&w.audit, &w.after_batch]);
    of_writes.chain(fixes.map(|f| &f.compute)).flatten().cloned().collect()
}
