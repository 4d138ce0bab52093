//! A name that means something else after a run than before it.

use serde::{Deserialize, Serialize};

use crate::engine::model::name::{ParseName, Relation};

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
    /// A relation that gets another name in its own schema.
    pub fn renamed(from: &Relation, to: &str) -> Self {
        let to = Relation { schema: from.schema.clone(), name: to.to_owned() };
        Self { object: NamedObject::Relation, from: from.to_string(), to: Some(to.to_string()) }
    }

    /// A relation that is dropped.
    pub fn dropped(from: &Relation) -> Self {
        Self { object: NamedObject::Relation, from: from.to_string(), to: None }
    }

    /// What takes these changes back, the last one first; what was dropped stays away.
    pub fn inverse(changes: &[Self]) -> Vec<Self> {
        let back = |c: &Self| Some(Self { object: c.object, from: c.to.clone()?, to: Some(c.from.clone()) });
        changes.iter().rev().filter_map(back).collect()
    }

    /// Does a name, read by the dialect, mean something else after this change? Either side may lack the schema.
    pub fn concerns(&self, name: &str, parse: ParseName<'_>) -> bool {
        let name = parse(name);
        std::iter::once(self.from.as_str()).chain(self.to.as_deref()).any(|changed| {
            let changed = Relation::from_written(changed);
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
            assert!(change.concerns(name, &Relation::parse), "{name}");
        }
        for name in ["audit.revenues", "expenses", "revenues_partitioned"] {
            assert!(!change.concerns(name, &Relation::parse), "{name}");
        }
        // The name is the dialect's; the change has the form that plans have on disk.
        let backticks = |name: &str| Relation { schema: None, name: name.trim_matches('`').to_owned() };
        assert!(change.concerns("`revenues`", &backticks) && !change.concerns("`expenses`", &backticks));
    }

    #[test]
    fn the_inverse_gives_every_name_back_but_that_of_a_dropped_table() {
        let (live, twin) =
            (Relation::parse("public.revenues"), Relation::parse("public.revenues_partitioned"));
        let retired = Relation::parse("public.revenues_legacy");
        let swap = [NameChange::renamed(&live, &retired.name), NameChange::renamed(&twin, &live.name)];
        let back = [NameChange::renamed(&live, &twin.name), NameChange::renamed(&retired, &live.name)];
        assert_eq!(NameChange::inverse(&swap), back);
        assert_eq!(NameChange::inverse(&back), swap);
        assert_eq!(NameChange::inverse(&[NameChange::dropped(&live)]), []);
    }
}
