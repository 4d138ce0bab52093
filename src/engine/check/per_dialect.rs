//! What a feature has for the dialect of a target.

use crate::engine::model::error::{Error, Result};
use crate::engine::port::dialect::Dialect;

/// The feature's own statements for a dialect, by its id. Where there are none, nothing can be observed.
pub fn for_dialect<T: ?Sized>(dialect: &dyn Dialect, known: &[(&str, &'static T)]) -> Result<&'static T> {
    by_id(dialect.id(), known)
}

fn by_id<T: ?Sized>(id: &str, known: &[(&str, &'static T)]) -> Result<&'static T> {
    let found = known.iter().find(|(name, _)| *name == id);
    found.map(|(_, sql)| *sql).ok_or_else(|| Error::unobserved(format!("not supported on {id}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialect_without_statements_is_said_to_be_unsupported() {
        let known: &[(&str, &'static str)] = &[("postgres", "statements")];
        assert_eq!(by_id("postgres", known).ok(), Some("statements"));
        assert_eq!(by_id("other", known).err().map(|e| e.message).as_deref(), Some("not supported on other"));
    }
}
