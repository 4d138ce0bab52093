//! A plan as it was stored: in the journal or in a plan file. Its digest is taken over the stored text, not over the
//! text that this version would write, so a plan with a field of another version does not read as altered.

use crate::engine::model::digest::digest_of;
use serde_json::Value;

use crate::engine::model::error::{Error, Result};
use crate::engine::model::plan::Plan;

/// A plan and the digest of the text that it was read from.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredPlan {
    plan: Plan,
    digest: String,
}

impl StoredPlan {
    /// From the journal's text.
    pub fn parse(text: &str) -> Result<Self> {
        Self::read(serde_json::from_str(text).map_err(|e| Error::usage(e.to_string()))?)
    }

    /// From a value whose fields have the order of the text.
    pub fn read(stored: Value) -> Result<Self> {
        let said = stored.get("digest").and_then(Value::as_str).map(str::to_owned);
        let digest = digest_of(stored.clone());
        match serde_json::from_value(stored) {
            Ok(plan) => Ok(Self { plan, digest }),
            // Sealed as it is, and yet not understood: for example a step that this version does not have.
            Err(e) if said.as_ref() == Some(&digest) => Err(another_version(&e.to_string())),
            Err(e) => Err(Error::usage(e.to_string())),
        }
    }

    /// The text is the one that was sealed with the plan's digest.
    pub fn is_unaltered(&self) -> bool {
        self.digest == self.plan.digest
    }

    /// The plan.
    pub fn into_plan(self) -> Plan {
        self.plan
    }

    /// The plan, if this version would write the same text: then it knows every field, and may execute and store it.
    pub fn into_known_plan(self) -> Result<Plan> {
        if self.plan.computed_digest() == self.digest {
            return Ok(self.plan);
        }
        Err(another_version("it has fields that this version does not know"))
    }
}

impl std::ops::Deref for StoredPlan {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.plan
    }
}

/// This version must not carry a plan out.
pub fn another_version(why: &str) -> Error {
    Error::usage(format!("the plan was made by another version of midwatch: {why}"))
        .hint("plan again with this version, or use the version that made the plan")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::error::Class;
    use serde_json::json;

    fn plan() -> Value {
        let statement = json!({
            "id": "s", "title": "t", "statements": ["select 1"], "locks": [], "in_transaction": true,
            "action": { "do": "statements" },
        });
        json!({
            "id": "a", "operation": "init", "name": "journal", "params": {}, "target": "main", "environment": "demo",
            "identity": {
                "system_identifier": null, "database_oid": 1, "database": "d", "address": "a", "data_directory": null,
                "timeline": null,
            },
            "created_at": "2026-11-29T00:00:00Z", "expires_at": "2026-11-29T00:15:00Z", "rows": 1, "unit": "statements",
            "why": "w", "changes": [], "reversible": "full", "undo": "u", "frozen": false, "steps": [statement],
            "preflight": [], "verify": [], "totals": [], "diff": [], "diff_total": 0, "rows_sha256": "", "digest": "",
            "phrase": "p", "signature": "s",
        })
    }

    fn sealed(mut plan: Value) -> Value {
        plan["digest"] = json!(digest_of(plan.clone()));
        plan
    }

    #[test]
    fn a_plan_of_this_version_has_one_digest() {
        let stored = StoredPlan::parse(&sealed(plan()).to_string()).unwrap();
        assert!(stored.is_unaltered());
        assert_eq!(stored.computed_digest(), stored.digest);
        stored.into_known_plan().unwrap();
    }

    #[test]
    fn an_added_field_is_not_an_alteration_and_is_not_executed() {
        let mut later = plan();
        later["steps"][0]["later"] = json!(true);
        let stored = StoredPlan::parse(&sealed(later).to_string()).unwrap();
        assert!(stored.is_unaltered());
        let error = stored.into_known_plan().unwrap_err();
        assert!(error.message.contains("another version of midwatch"), "{error}");
    }

    #[test]
    fn one_changed_byte_is_an_alteration() {
        let text = sealed(plan()).to_string();
        let other = text.replacen("select 1", "select 2", 1);
        assert_ne!(text, other);
        assert!(!StoredPlan::parse(&other).unwrap().is_unaltered());
    }

    #[test]
    fn the_order_of_fields_is_part_of_the_text() {
        let mut moved = plan();
        let name = moved.as_object_mut().unwrap().shift_remove("name").unwrap();
        moved["name"] = name;
        assert_ne!(digest_of(moved), digest_of(plan()));
    }

    #[test]
    fn what_is_not_understood_is_of_another_version_unless_the_text_was_edited() {
        let mut later = plan();
        later["reversible"] = json!("partly");
        let error = StoredPlan::read(sealed(later.clone())).unwrap_err();
        assert!(error.message.contains("another version") && error.message.contains("partly"), "{error}");
        assert_eq!(error.class, Class::Usage);
        assert!(!StoredPlan::read(later).unwrap_err().message.contains("another version"));
    }
}
