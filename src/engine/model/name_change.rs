//! A name that means something else after a run than before it.

use serde::{Deserialize, Serialize};

use crate::engine::model::name::Relation;

/// What kind of thing has the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamedObject {
    /// A table or a view.
    Relation,
}

/// A name that is given up, and the one that its object has instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameChange {
    /// Of what.
    pub object: NamedObject,
    /// The name before the run.
    pub from: String,
    /// The name after it; absent: it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

impl NameChange {
    /// Does a name mean something else after this change? Either side may lack the schema.
    pub fn concerns(&self, name: &str) -> bool {
        let name = Relation::parse(name);
        std::iter::once(self.from.as_str()).chain(self.to.as_deref()).any(|changed| {
            let changed = Relation::parse(changed);
            changed.name == name.name
                && (changed.schema == name.schema || changed.schema.is_none() || name.schema.is_none())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_are_concerned_with_their_schema_or_without() {
        let change = NameChange {
            object: NamedObject::Relation,
            from: "\"public\".\"revenues\"".into(),
            to: Some("revenues_legacy".into()),
        };
        for name in ["revenues", "public.revenues", "revenues_legacy", "public.revenues_legacy"] {
            assert!(change.concerns(name), "{name}");
        }
        for name in ["audit.revenues", "expenses", "revenues_partitioned"] {
            assert!(!change.concerns(name), "{name}");
        }
    }
}
