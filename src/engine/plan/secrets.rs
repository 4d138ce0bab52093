//! Columns whose values are neither shown nor kept: the profile's list, its names read by the target's dialect.

use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::step::Action;
use crate::engine::plan::operation::{Draft, PlanCx};

impl PlanCx<'_> {
    /// Those of a table, as the profile names it.
    pub fn secrets_of(&self, table: &str) -> Vec<String> {
        self.profile().secrets_of(table, &|name| self.dialect().parse(name))
    }
}

/// What a plan changes is shown in it and kept in the journal. The profile was checked as it was loaded, when no dialect
/// was known. A secret of a table is one of its copy, too.
pub(crate) fn check(cx: &PlanCx<'_>, draft: &Draft) -> Result<()> {
    let changes = draft.steps.iter().filter_map(|s| match &s.action {
        Action::Rows(change) => Some(change),
        _ => None,
    });
    for (change, rows) in changes.zip(&draft.rows) {
        let mut secrets = cx.secrets_of(&change.table);
        secrets.extend(change.source.iter().flat_map(|source| cx.secrets_of(&source.table)));
        if let Some((column, _)) = rows.before.iter().chain(&rows.after).find(|(c, _)| secrets.contains(c)) {
            let what = format!("{}.{column} is secret: a change of it would be shown and kept", change.table);
            return Err(Error::new(Class::Refused, what).hint("secret_columns in the profile says so"));
        }
    }
    Ok(())
}
