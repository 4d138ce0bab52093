//! A plan: what would be done, on which server, to which rows. Plain data; exactly this is executed.

use crate::engine::model::diff::{PlannedRow, Total};
use crate::engine::model::digest::digest_of;
use crate::engine::model::identity::Identity;
use crate::engine::model::name_change::NameChange;
use crate::engine::model::preflight::{Preflight, Reversible, Verification};
use crate::engine::model::step::{Action, Step};
use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::engine::model::change::RowChange;
use crate::engine::model::target::Environment;

/// Rows of a table that follow from the rows of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follow {
    /// The table.
    #[serde(rename = "change")]
    pub table: String,
    /// How many; `None`: they could not be counted.
    pub rows: Option<u64>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// What the count of the phrase counts: the plural of a word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unit(Cow<'static, str>);

impl Unit {
    /// Rows of tables.
    pub const ROWS: Self = Self::new("rows");
    /// DDL statements.
    pub const STATEMENTS: Self = Self::new("statements");

    /// A unit of a feature's.
    pub const fn new(plural: &'static str) -> Self {
        Self(Cow::Borrowed(plural))
    }

    /// For people.
    pub fn word(&self) -> &str {
        &self.0
    }

    /// The same of so many.
    pub fn for_count(&self, n: u64) -> &str {
        if n == 1 { self.0.strip_suffix('s').unwrap_or(&self.0) } else { &self.0 }
    }
}

impl Default for Unit {
    fn default() -> Self {
        Self::ROWS
    }
}

/// A plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Its own name.
    pub id: String,
    /// The verb; `undo` for an inverse plan.
    pub operation: String,
    /// On what, as in the profile.
    pub name: String,
    /// As it was asked for.
    pub params: BTreeMap<String, String>,
    /// The run that it takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    /// The target's name in the configuration.
    pub target: String,
    /// How dangerous the target is.
    pub environment: Environment,
    /// Which server.
    pub identity: Identity,
    /// By the server's clock.
    pub created_at: DateTime<Utc>,
    /// By the server's clock; applied no more after this.
    pub expires_at: DateTime<Utc>,
    /// What the phrase counts.
    pub rows: u64,
    /// And of what.
    pub unit: Unit,
    /// Why there is something to do.
    pub why: String,
    /// What changes, line by line, derived and audit rows included.
    pub changes: Vec<String>,
    /// Rows of tables that follow, as many as the rows of the plan touch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub follow: Vec<Follow>,
    /// What stands in the way of the change, how it is passed, and at what price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<String>,
    /// Can it be taken back?
    pub reversible: Reversible,
    /// How; what is lost; why not.
    pub undo: String,
    /// The selection is frozen: rows that come to match later are not part of it and do not make it stale.
    pub frozen: bool,
    /// Names that mean something else afterwards. Plans of older versions have none: their steps tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub renames: Vec<NameChange>,
    /// A lock is waited for no longer than this in any of its steps (milliseconds), where the policy allows longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_timeout_ms: Option<u64>,
    /// Once something is changed the rest is carried out after the window's end as well: stopping half-way would leave
    /// an application waiting.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continues_after_window: bool,
    /// Names of the database's objects stand in its statements with their schema. Those of plans of older versions are left
    /// to the profile's search path, and are carried out under it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub names_with_schema: bool,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What was looked at.
    pub preflight: Vec<Preflight>,
    /// What is asked afterwards.
    pub verify: Vec<Verification>,
    /// The rows by the kind of their change, most first.
    pub totals: Vec<Total>,
    /// Kinds of change that are not listed in `totals`, and their rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_totals: Option<(u64, u64)>,
    /// The first rows.
    pub diff: Vec<PlannedRow>,
    /// All rows.
    pub diff_total: u64,
    /// Of all rows, as lines of JSON.
    pub rows_sha256: String,
    /// Of everything above.
    pub digest: String,
    /// What must be typed.
    pub phrase: String,
    /// The digest, signed with the key of the installation that made the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

impl Plan {
    /// The digest of the plan as this version writes it.
    pub fn computed_digest(&self) -> String {
        digest_of(serde_json::to_value(self).unwrap_or_default())
    }

    /// The phrase that the plan's own facts and digest make.
    pub fn computed_phrase(&self) -> String {
        let start = self.digest.get(..4).unwrap_or_default();
        format!("{} {} {} {start}", self.operation, self.target, self.rows)
    }

    /// Sets digest and phrase from the rest.
    pub fn seal(&mut self) {
        self.digest = self.computed_digest();
        self.phrase = self.computed_phrase();
    }

    /// Without what may differ between two plans of the same thing: names, times, measured and observed values.
    pub(in crate::engine) fn compared_content(&self) -> Value {
        let mut plain = self.clone();
        plain.id.clear();
        plain.digest.clear();
        plain.phrase.clear();
        plain.signature = None;
        // A plan file of an earlier version does not say it; its tasks do.
        plain.lock_timeout_ms = None;
        plain.continues_after_window = false;
        // Said by itself.
        plain.names_with_schema = true;
        // They follow from the steps, and plans of older versions declare none.
        plain.renames.clear();
        plain.preflight.clear();
        plain.created_at = DateTime::UNIX_EPOCH;
        plain.expires_at = DateTime::UNIX_EPOCH;
        for lock in plain.steps.iter_mut().flat_map(|s| &mut s.locks) {
            lock.held_ms = None;
            lock.measured_on = None;
        }
        let moving: u64 = plain.steps.iter().filter(|s| s.moving).map(|s| s.statements.len() as u64).sum();
        plain.steps.retain(|s| !s.moving);
        if moving > 0 && plain.unit == Unit::STATEMENTS {
            // Counted and named because there was nothing else to do.
            plain.rows = plain.rows.saturating_sub(moving);
        }
        if plain.rows == 0 {
            (plain.unit, plain.why) = (Unit::ROWS, String::new());
        }
        plain.steps.iter_mut().for_each(|s| s.rows = None);
        // Rows are compared one by one, not as a part of this.
        plain.diff.clear();
        plain.totals.clear();
        plain.other_totals = None;
        plain.follow.clear();
        plain.rows_sha256.clear();
        serde_json::to_value(plain).unwrap_or_default()
    }

    /// What changes, with its numbers: for people.
    pub fn change_lines(&self) -> Vec<String> {
        let mut out: Vec<String> = self
            .steps
            .iter()
            .filter_map(|s| match &s.action {
                Action::Rows(change) if s.rows != Some(0) => Some(change.line(s.rows.unwrap_or(self.rows))),
                _ => None,
            })
            .collect();
        if self.unit != Unit::ROWS {
            out.push(format!("{} {}", self.rows, self.unit.for_count(self.rows)));
        } else if self.rows == 0 {
            out.push("nothing".into());
        }
        out.extend(self.follow.iter().map(|f| match (f.rows, &f.unknown) {
            (Some(rows), _) => format!("{rows} rows of {} that follow", f.table),
            (None, why) => format!(
                "rows of {} that follow: how many is unknown: {}",
                f.table,
                why.as_deref().unwrap_or("no reason was given")
            ),
        }));
        out.extend(self.changes.iter().cloned());
        out.extend(self.steps.iter().filter(|s| s.moving).map(|s| s.title.clone()));
        out
    }

    /// The row changes of its steps.
    pub fn row_changes(&self) -> impl Iterator<Item = &RowChange> {
        self.steps.iter().filter_map(|s| match &s.action {
            Action::Rows(change) => Some(&**change),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::diff::Values;

    fn row(before: &[(&str, Option<&str>)], after: &[(&str, Option<&str>)]) -> PlannedRow {
        let values = |v: &[(&str, Option<&str>)]| -> Values {
            v.iter()
                .map(|(k, v)| ((*k).to_owned(), v.map_or(Value::Null, |v| Value::String(v.into()))))
                .collect()
        };
        PlannedRow { before: Some(values(before)), after: Some(values(after)), ..PlannedRow::default() }
    }

    #[test]
    fn a_change_names_what_changes() {
        assert_eq!(
            row(&[("d", Some("2025-11-24"))], &[("d", Some("2025-11-25"))]).change_text(),
            "2025-11-24 → 2025-11-25"
        );
        assert_eq!(
            row(
                &[("a", None), ("b", Some("x")), ("c", Some("y"))],
                &[("a", Some("1")), ("b", Some("x")), ("c", Some("z"))]
            )
            .change_text(),
            "a NULL → 1, c y → z"
        );
    }

    #[test]
    fn identities_are_told_apart_by_any_part() {
        let a = Identity {
            system_identifier: Some("7".into()),
            data_directory: Some("d".into()),
            timeline: Some(1),
            ..Identity::default()
        };
        assert!(a.differences(&a).is_empty());
        let promoted = Identity { timeline: Some(2), ..a.clone() };
        assert_eq!(a.differences(&promoted), ["timeline: planned for 1, this is 2"]);
        let elsewhere = "db2:5432/app".to_owned();
        let little = Identity { data_directory: None, timeline: None, ..a.clone() };
        assert!(a.differences(&little).is_empty(), "a role that sees less is no other server");
        let copy = Identity { address: elsewhere, ..little };
        assert_eq!(a.differences(&copy).len(), 2, "what is hidden is not taken for the same elsewhere");
    }
}
