//! What serde cannot say about a profile.

use std::collections::HashSet;

use super::parse::at;
use crate::engine::profile::Profile;
use crate::engine::{Error, Result};

/// Refuses what would only fail later, at three in the morning.
pub(super) fn validate(file: &str, text: &str, p: &Profile) -> Result<()> {
    let v = Validator { file, text };
    if p.name.trim().is_empty() || p.name.contains(['/', ' ']) {
        return Err(v.error("name", "a profile's name is one word without slashes"));
    }
    v.unique("migrations", p.migrations.iter().map(|m| m.name.as_str()))?;
    v.unique("twins", p.twins.iter().map(crate::engine::profile::Twin::name))?;
    v.unique("queues", p.queues.iter().map(|q| q.name.as_str()))?;
    v.unique("anomalies", p.anomalies.iter().map(|a| a.name.as_str()))?;
    if let Some(marker) = &p.environment {
        if marker.setting.is_none() && marker.sql.is_none() {
            return Err(v.error("[environment]", "environment needs a setting or an sql"));
        }
        marker.sql.iter().try_for_each(|sql| v.query("environment", sql))?;
    }
    for twin in &p.twins {
        v.some_key(&twin.legacy, &twin.key)?;
        if twin.legacy == twin.partitioned {
            return Err(
                v.error(&twin.legacy, format!("twin {}: a table cannot be its own twin", twin.name()))
            );
        }
    }
    for queue in &p.queues {
        if queue.states.pending.is_empty() || queue.states.done.is_empty() {
            return Err(
                v.error(&queue.name, format!("queue {}: states need at least pending and done", queue.name))
            );
        }
    }
    for (name, source) in &p.sources {
        v.query(name, &source.sql)?;
        if source.when_exists.is_some() != source.sql_when_exists.is_some() {
            return Err(
                v.error(name, format!("source {name}: when_exists and sql_when_exists belong together"))
            );
        }
    }
    for rule in &p.anomalies {
        v.some_key(&rule.name, &rule.key)?;
        v.query(&rule.name, &rule.sql)?;
        if let Some(context) = &rule.context {
            v.query(&rule.name, &context.sql)?;
        }
    }
    for backfill in &p.backfills {
        if let Some(rule) = &backfill.mends
            && !p.anomalies.iter().any(|a| &a.name == rule)
        {
            return Err(v.error(rule, format!("backfill {}: there is no anomaly rule {rule}", backfill.name)));
        }
    }
    Ok(())
}

struct Validator<'a> {
    file: &'a str,
    text: &'a str,
}

impl Validator<'_> {
    fn error(&self, needle: &str, message: impl std::fmt::Display) -> Error {
        at(self.file, self.text, needle, message)
    }

    fn unique<'n>(&self, list: &str, names: impl Iterator<Item = &'n str>) -> Result<()> {
        let mut seen = HashSet::new();
        for name in names {
            if name.trim().is_empty() {
                return Err(self.error(list, format!("an entry of {list} has no name")));
            }
            if name.contains(char::is_whitespace) {
                return Err(self
                    .error(name, format!("{list} {name}: a check's name has no blanks"))
                    .hint("give it a name = \"…\" of its own"));
            }
            if !seen.insert(name) {
                return Err(self.error(name, format!("{list} {name} is there twice")));
            }
        }
        Ok(())
    }

    fn some_key(&self, name: &str, key: &[String]) -> Result<()> {
        if key.is_empty() {
            return Err(self.error(name, format!("{name}: key must name at least one column")));
        }
        Ok(())
    }

    /// One query: anything else is refused by the server too, but later and less clearly.
    fn query(&self, name: &str, sql: &str) -> Result<()> {
        let first = sql
            .trim_start_matches(['(', ' ', '\n', '\t', '\r'])
            .split_whitespace()
            .next()
            .unwrap_or_default();
        let known = ["select", "with", "values", "table"];
        if !known.contains(&first.to_ascii_lowercase().as_str()) {
            return Err(self.error(
                name,
                format!("{name}: sql must be one query (select, with, values), it starts with {first:?}"),
            ));
        }
        if sql.trim_end().ends_with(';') {
            return Err(self.error(name, format!("{name}: sql is one query without a semicolon at its end")));
        }
        Ok(())
    }
}
