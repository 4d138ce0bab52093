//! Names that a switchover, its rollback and its cleanup give to other tables, and what that means for earlier runs.

use crate::engine::model::name::Relation;
use crate::engine::model::name_change::{NameChange, NamedObject};
use crate::engine::model::step::Step;

/// The names that the statements of these steps change: also of plans that older versions made.
pub(crate) fn name_changes(steps: &[Step]) -> Vec<NameChange> {
    steps.iter().flat_map(|s| &s.statements).filter_map(|s| renamed(s).or_else(|| dropped(s))).collect()
}

/// `alter table A rename to B`, as we write it.
fn renamed(statement: &str) -> Option<NameChange> {
    let (from, to) = statement.strip_prefix("alter table ")?.split_once(" rename to ")?;
    // The new name has no schema of its own: it stays in that of the old one.
    let schema = Relation::parse(from).schema;
    let to = Relation { schema, ..Relation::parse(to) };
    Some(NameChange { object: NamedObject::Relation, from: from.into(), to: Some(to.to_string()) })
}

/// `drop table A` or `drop table A cascade`, as we write it.
fn dropped(statement: &str) -> Option<NameChange> {
    let rest = statement.strip_prefix("drop table ")?;
    let from = rest.strip_suffix(" cascade").unwrap_or(rest);
    Some(NameChange { object: NamedObject::Relation, from: from.into(), to: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_tell_which_names_are_changed() {
        let statements = [
            "lock table \"public\".\"revenues\" in access exclusive mode",
            "alter table \"public\".\"revenues\" rename to \"revenues_legacy\"",
            "alter table \"revenues_partitioned\" rename to \"revenues\"",
            "alter table \"revenues\" rename constraint \"a\" to \"b\"",
            "drop table \"revenues_legacy\" cascade",
        ];
        let step = Step::new("swap", "", statements.map(str::to_owned).to_vec());
        let found = name_changes(&[step]);
        let pairs: Vec<_> =
            found.iter().map(|c| (c.from.as_str(), c.to.as_deref().unwrap_or("gone"))).collect();
        assert_eq!(
            pairs,
            [
                ("\"public\".\"revenues\"", "\"public\".\"revenues_legacy\""),
                ("\"revenues_partitioned\"", "\"revenues\""),
                ("\"revenues_legacy\"", "gone")
            ]
        );
    }
}
