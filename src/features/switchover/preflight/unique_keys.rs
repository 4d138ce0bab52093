//! Unique keys that a switchover takes from the live name, and who depends on them.

use crate::engine::model::preflight::Preflight;
use crate::features::switchover::plan::dependents::{DependentObjects, LostIndex};
use crate::features::switchover::preflight::accept::{Accepted, warn};
use crate::features::switchover::texts::dependents as texts;

/// An identifier as the server reads it, without what follows it (an operator class, a collation).
fn folded(item: &str) -> String {
    let item = item.trim();
    match item.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap_or_default().to_owned(),
        None => item.split_whitespace().next().unwrap_or_default().to_lowercase(),
    }
}

/// Does a conflict's target, as it is written, name these columns?
fn same(target: &str, key: &[String]) -> bool {
    let mut asked: Vec<_> = target.split(',').map(folded).collect();
    let mut key = key.to_vec();
    asked.sort();
    key.sort();
    asked == key
}

impl LostIndex {
    /// An expression can be written in many ways: any may mean it.
    fn may_be(&self, target: &str) -> bool {
        if self.expression { target.contains('(') } else { same(target, &self.columns) }
    }
}

impl DependentObjects {
    /// Would `ON CONFLICT (target)` find no key after the switch?
    pub(crate) fn misses(&self, target: &str) -> bool {
        self.lost_keys.iter().any(|k| same(target, k)) || self.lost_indexes.iter().any(|i| i.may_be(target))
    }

    /// Keys that hold through reverse sync only, whose violation no `ON CONFLICT DO NOTHING` keeps back.
    pub(crate) fn held(&self) -> Vec<String> {
        let keys = self.lost_keys.iter().map(|k| format!("({})", k.join(", ")));
        keys.chain(self.lost_indexes.iter().map(|i| i.definition.clone())).collect()
    }
}

pub(crate) fn lost_unique_keys(name: &str, b: &DependentObjects, accepted: &Accepted) -> Vec<Preflight> {
    let mut out = Vec::new();
    let users = |is: &dyn Fn(&str) -> bool| {
        let all = b.conflicts.iter().filter(|c| is(&c.columns));
        all.map(|c| c.function.as_str()).collect::<Vec<_>>().join(", ")
    };
    let mut say = |what: &str, conflict: &str, users: &str| {
        out.push(if users.is_empty() {
            warn("unique_key", texts::key_lost(name, what))
        } else {
            accepted.unless("on_conflict", &texts::key_needed(name, what, conflict, users))
        });
    };
    for key in &b.lost_keys {
        let list = format!("({})", key.join(", "));
        say(&format!("unique {list}"), &list, &users(&|target| same(target, key)));
    }
    for index in &b.lost_indexes {
        say(&index.definition, "on it", &users(&|target| index.may_be(target)));
    }
    let any = users(&|target| target.is_empty());
    let held = b.held();
    if !any.is_empty() && !held.is_empty() {
        let text = texts::nothing_fails(name, &any, &held.join(" or "));
        out.push(accepted.unless("on_conflict", &text));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_as_the_server_reads_it() {
        let key = |k: &[&str]| k.iter().map(|k| (*k).to_owned()).collect::<Vec<_>>();
        assert!(same("\"RefNo\"", &key(&["RefNo"])) && !same("RefNo", &key(&["RefNo"])));
        assert!(same("B COLLATE \"C\", a", &key(&["a", "b"])) && !same("a", &key(&["a", "b"])));
    }
}
