//! What the anomalies' findings and the plans of `fix` say besides the texts of the profile. Plans are compared as text
//! when they are applied: a sentence of a plan that changes makes the plans of earlier builds stale.

use crate::engine::model::error::Error;
use crate::engine::model::profile::{AnomalyRule, Fix};
use crate::engine::model::record::RunRecord;

pub(super) fn finding(rule: &AnomalyRule, rows: u64) -> String {
    format!("{rows} × {}", rule.title)
}

/// Of all rows of a rule.
pub(super) fn rows_of_rule(rows: u64) -> String {
    format!("{rows} rows break the rule")
}

/// What a fix changes.
pub(super) fn changes(fix: &Fix) -> Vec<String> {
    let audit = fix.write.audit.is_some().then(|| "an audit row for each".into());
    std::iter::once(fix.title.clone()).chain(audit).collect()
}

// ---- how a fix is undone

pub(super) const UNDO_BY_REVOKING: &str =
    "by a row that revokes the compensation: both stay in the table, and the anomaly is back";
pub(super) const UNDO_BY_IMAGES: &str = "the rows are put back as they were";
pub(super) const UNDO_BY_DELETING: &str = "the inserted rows are deleted again";

// ---- the undo that revokes

pub(super) const REVOKE_TITLE: &str = "revoke the compensations";
pub(super) const REVOKE_UNDO: &str = "impossible: apply the fix again instead";

pub(super) fn revoke_why(run: &RunRecord) -> String {
    format!("takes back run {} ({} {})", run.id, run.operation, run.name)
}

pub(super) fn revoke_reason(run: &RunRecord) -> String {
    format!("undo of run {}", run.id)
}

pub(super) fn revoke_change(table: &str) -> String {
    format!("a row in {table} that revokes each compensation; both stay")
}

/// Its rows are paged by the key.
pub(super) fn key_not_unique(rule: &AnomalyRule) -> String {
    format!(
        "rule {}: its key ({}) does not name every row once\nhint: name columns in key that are never NULL and together unique: \
         rows are paged by them",
        rule.name,
        rule.key.join(", ")
    )
}

/// Its rows are counted, and none of them can be shown.
pub(super) fn sample_unread(rule: &AnomalyRule, e: &Error) -> String {
    format!("rule {}: its rows cannot be shown: {}", rule.name, e.one_line())
}

/// Its rows are counted, and whether the key names each is not known.
pub(super) fn key_unread(rule: &AnomalyRule, e: &Error) -> String {
    format!("rule {}: whether its key names every row once: {}", rule.name, e.one_line())
}
