//! What serde cannot say about a profile.

use std::collections::{BTreeMap, HashSet};

use super::parse::at;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::profile::{DerivedTable, Profile, Question};

/// Refuses what would only fail later, at three in the morning.
pub(super) fn validate(file: &str, text: &str, p: &Profile) -> Result<()> {
    let v = Validator { file, text };
    if p.name.trim().is_empty() || p.name.contains(['/', ' ']) {
        return Err(v.error("name", "a profile's name is one word without slashes"));
    }
    v.unique("migrations", p.migrations.iter().map(|m| m.name.as_str()))?;
    v.unique("twins", p.twins.iter().map(crate::engine::model::profile::Twin::name))?;
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
    v.unique("backfills", p.backfills.iter().map(|b| b.name.as_str()))?;
    changes(&v, p)?;
    for backfill in &p.backfills {
        if let Some(rule) = &backfill.mends
            && !p.anomalies.iter().any(|a| &a.name == rule)
        {
            return Err(v.error(rule, format!("backfill {}: there is no anomaly rule {rule}", backfill.name)));
        }
    }
    Ok(())
}

/// Operations are planned from these: what is wrong with them must not wait for an operator.
fn changes(v: &Validator<'_>, p: &Profile) -> Result<()> {
    for b in &p.backfills {
        v.some_key(&b.name, &b.key)?;
        v.columns(&b.name, &b.set)?;
        if let Some(key) = b.key.iter().find(|k| b.set.contains_key(*k)) {
            return Err(v.error(&b.name, format!("backfill {}: it cannot change its own key {key}", b.name)));
        }
        v.no_secrets(p, &b.name, &b.table, b.set.keys())?;
        v.statements(&b.name, b.audit.as_deref(), b.after_batch.as_deref(), &b.derived, &b.verify)?;
        if let Some(i) = &b.instead {
            v.some_key(&b.name, &i.key)?;
            v.columns(&b.name, &i.set)?;
            v.no_secrets(p, &b.name, &i.table, i.set.keys())?;
            v.statements(&b.name, i.audit.as_deref(), i.after_batch.as_deref(), &i.derived, &i.verify)?;
            if let Some(missing) = i.key.iter().find(|k| !i.set.contains_key(*k)) {
                return Err(
                    v.error(&b.name, format!("backfill {}: instead.set lacks its key {missing}", b.name))
                );
            }
            if ["in_place", "replica_role"].contains(&i.strategy.as_str()) {
                return Err(v.error(
                    &i.strategy,
                    format!("backfill {}: strategy {} is built in", b.name, i.strategy),
                ));
            }
        }
    }
    for (rule, fix) in p.anomalies.iter().filter_map(|a| Some((a, a.fix.as_ref()?))) {
        v.some_key(&rule.name, &fix.key)?;
        v.columns(&rule.name, &fix.set)?;
        v.no_secrets(
            p,
            &rule.name,
            &fix.table,
            fix.set.keys().chain(fix.revoke.iter().flat_map(BTreeMap::keys)),
        )?;
        v.statements(&rule.name, fix.audit.as_deref(), fix.compute.as_deref(), &fix.derived, &fix.verify)?;
        let missing =
            |set: &BTreeMap<String, String>| fix.key.iter().find(|k| !set.contains_key(*k)).cloned();
        let lacks = missing(&fix.set).or_else(|| fix.revoke.as_ref().and_then(missing));
        if let Some(key) = lacks {
            return Err(
                v.error(&rule.name, format!("rule {}: its fix gives no value for the key {key}", rule.name))
            );
        }
        let computes = fix.compute.is_some();
        let one_with_its_key = matches!(&fix.derived[..], [only] if only.key == fix.key);
        if computes && (fix.revoke.is_some() || !one_with_its_key) {
            return Err(v.error(&rule.name, format!(
                "rule {}: a fix that computes has one derived table with the fix's own key, and nothing to revoke",
                rule.name
            )));
        }
    }
    for q in p.queues.iter().filter(|q| q.changes.is_some()) {
        let c = q.changes.clone().unwrap_or_default();
        v.no_secrets(p, &q.name, &q.table, c.requeue.keys().chain([&q.state]))?;
        v.statements(&q.name, c.audit.as_deref(), None, &c.derived, &[])?;
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

    /// What is changed is shown in plans and kept in the journal.
    fn no_secrets<'n>(
        &self,
        p: &Profile,
        name: &str,
        table: &str,
        columns: impl IntoIterator<Item = &'n String>,
    ) -> Result<()> {
        let secrets = p.secrets_of(table);
        match columns.into_iter().find(|c| secrets.contains(&c.as_str())) {
            Some(c) => Err(self.error(
                name,
                format!("{name}: {table}.{c} is secret: a change of it would be shown and kept"),
            )),
            None => Ok(()),
        }
    }

    fn columns(&self, name: &str, set: &BTreeMap<String, String>) -> Result<()> {
        if set.is_empty() {
            return Err(self.error(name, format!("{name}: set must name at least one column")));
        }
        Ok(())
    }

    fn statements(
        &self,
        name: &str,
        audit: Option<&str>,
        query: Option<&str>,
        derived: &[DerivedTable],
        verify: &[Question],
    ) -> Result<()> {
        if let Some(audit) = audit {
            let first = audit.split_whitespace().next().unwrap_or_default();
            if !first.eq_ignore_ascii_case("insert") || audit.trim_end().ends_with(';') {
                return Err(self.error(
                    name,
                    format!("{name}: audit must be one INSERT without a semicolon at its end"),
                ));
            }
        }
        query.map_or(Ok(()), |sql| self.query(name, sql))?;
        for d in derived {
            self.some_key(&d.table, &d.key)?;
            self.query(name, &d.rows)?;
        }
        verify.iter().try_for_each(|q| self.query(name, &q.sql))
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
