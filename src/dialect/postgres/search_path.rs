//! Under which search path a statement runs: ours under one of our own, a profile's under the profile's.

use crate::engine::model::name::Ident;
use crate::engine::port::writer::RunLimits;

/// Under which a statement of ours runs: nothing that stands before it, or that a database's owner plants, resolves a name
/// of it. `pg_temp` unnamed would be searched first.
pub(super) const OWN_PATH: &str = "pg_catalog, pg_temp";

/// Whose statements run: each has its own path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Ours,
    Plans,
    Profiles,
}

/// The path of a profile. `pg_catalog` unnamed comes first, whatever place the profile gives it.
pub(super) fn path_of(schemas: &[String]) -> String {
    let mut out: Vec<_> =
        schemas.iter().filter(|s| *s != "pg_catalog").map(|s| Ident(s).to_string()).collect();
    out.push("pg_temp".into());
    out.join(", ")
}

/// The path of a plan's statements, and of the statements of its batches: those of older versions leave names to the
/// profile's. What is ours beside them has [`OWN_PATH`] all the same.
pub(super) fn path_of_plan(limits: &RunLimits) -> String {
    if limits.names_with_schema { OWN_PATH.into() } else { path_of(&limits.search_path) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_servers_own_schema_stays_first_and_that_of_temporary_tables_last() {
        let path = ["odd\"path", "pg_catalog"].map(str::to_owned);
        assert_eq!(super::path_of(&path), "\"odd\"\"path\", pg_temp");
    }
}
