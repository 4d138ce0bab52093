//! What serde cannot say about a profile.

use std::collections::{BTreeMap, HashSet};

use super::parse::at;
use super::write::{self, WritePlace};
use crate::engine::check::verdict::{VerdictSpec, find, no_such_verdict};
use crate::engine::model::error::{Error, Result};
use crate::engine::model::name::Relation;
use crate::engine::model::profile::{Backfill, Fix, Profile, Write};

/// Refuses what would only fail later, at three in the morning.
pub(super) fn validate(
    file: &str,
    text: &str,
    p: &Profile,
    verdicts: &[&'static [VerdictSpec]],
) -> Result<()> {
    let v = Validator { file, text, verdicts };
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
    if let Some(entry) = p.secret_columns.iter().find(|c| c.trim().is_empty() || c.trim().ends_with('.')) {
        return Err(v.error("secret_columns", format!("secret_columns: {entry:?} names no column")));
    }
    p.backfills.iter().try_for_each(|b| backfill(v, p, b))?;
    for (rule, declared) in p.anomalies.iter().filter_map(|a| Some((a, a.fix.as_ref()?))) {
        fix(v, p, &rule.name, declared)?;
    }
    for (q, c) in p.queues.iter().filter_map(|q| Some((q, q.changes.as_ref()?))) {
        v.no_secrets(p, &q.name, &q.table, c.requeue.keys().chain([&q.state]))?;
        v.write(p, &q.name, &write::CHANGES, &c.write)?;
    }
    Ok(())
}

fn backfill(v: &Validator<'_>, p: &Profile, b: &Backfill) -> Result<()> {
    v.write(p, &b.name, &write::BACKFILL, &b.write)?;
    if let Some(key) = b.write.key.iter().find(|k| b.write.set.contains_key(*k)) {
        return Err(v.error(&b.name, format!("backfill {}: it cannot change its own key {key}", b.name)));
    }
    let Some(i) = &b.instead else { return Ok(()) };
    v.write(p, &b.name, &write::INSTEAD, &i.write)?;
    if let Some(missing) = i.write.key.iter().find(|k| !i.write.set.contains_key(*k)) {
        return Err(v.error(&b.name, format!("backfill {}: instead.set lacks its key {missing}", b.name)));
    }
    if ["in_place", "replica_role"].contains(&i.strategy.as_str()) {
        let what = format!("backfill {}: strategy {} is built in", b.name, i.strategy);
        return Err(v.error(&i.strategy, what));
    }
    Ok(())
}

fn fix(v: &Validator<'_>, p: &Profile, rule: &str, fix: &Fix) -> Result<()> {
    let Write { table, key, set, derived, .. } = &fix.write;
    v.write(p, rule, &write::FIX, &fix.write)?;
    v.no_secrets(p, rule, table, fix.revoke.iter().flat_map(BTreeMap::keys))?;
    fix.compute.iter().try_for_each(|sql| v.query(rule, sql))?;
    let missing = |set: &BTreeMap<String, String>| key.iter().find(|k| !set.contains_key(*k)).cloned();
    if let Some(key) = missing(set).or_else(|| fix.revoke.as_ref().and_then(missing)) {
        return Err(v.error(rule, format!("rule {rule}: its fix gives no value for the key {key}")));
    }
    let one_with_its_key = matches!(&derived[..], [only] if &only.key == key);
    if fix.compute.is_some() && (fix.revoke.is_some() || !one_with_its_key) {
        return Err(v.error(rule, format!(
            "rule {rule}: a fix that computes has one derived table with the fix's own key, and nothing to revoke"
        )));
    }
    Ok(())
}

struct Validator<'a> {
    file: &'a str,
    text: &'a str,
    verdicts: &'a [&'static [VerdictSpec]],
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
        // No target is known yet: the planner asks again by the rules of its dialect.
        let secrets = p.secrets_of(table, &Relation::parse);
        match columns.into_iter().find(|c| secrets.contains(*c)) {
            Some(c) => Err(self.error(
                name,
                format!("{name}: {table}.{c} is secret: a change of it would be shown and kept"),
            )),
            None => Ok(()),
        }
    }

    /// What a change writes, wherever the profile declares it.
    fn write(&self, p: &Profile, name: &str, place: &WritePlace, w: &Write) -> Result<()> {
        let given = w.given();
        if let Some(stray) = given.iter().find(|f| !place.reads.contains(*f)) {
            let what = format!("{name}: {}.write has no {stray}", place.path());
            return Err(self.error(stray, what).hint(format!("known here: {}", place.reads.join(", "))));
        }
        if let Some(missing) = place.needs.iter().find(|f| !given.contains(*f)) {
            return Err(self.error(name, format!("{name}: {}.write lacks {missing}", place.path())));
        }
        self.no_secrets(p, name, &w.table, w.set.keys())?;
        if let Some(audit) = &w.audit {
            let first = audit.split_whitespace().next().unwrap_or_default();
            if !first.eq_ignore_ascii_case("insert") || audit.trim_end().ends_with(';') {
                return Err(self.error(
                    name,
                    format!("{name}: audit must be one INSERT without a semicolon at its end"),
                ));
            }
        }
        w.after_batch.iter().try_for_each(|sql| self.query(name, sql))?;
        for d in &w.derived {
            self.some_key(&d.table, &d.key)?;
            self.query(name, &d.rows)?;
        }
        w.verify.iter().try_for_each(|q| self.query(name, &q.sql))?;
        self.unique("verdicts", w.verdicts.iter().map(String::as_str))?;
        match w.verdicts.iter().find(|id| find(self.verdicts, id).is_none()) {
            Some(id) => {
                let place = format!("{name}: {}.write", place.path());
                let Error { message, hint, .. } = no_such_verdict(self.verdicts, &place, id);
                Err(self.error(id, message).hint(hint.unwrap_or_default()))
            }
            None => Ok(()),
        }
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
