//! Dialects: a folder for each, with the only SQL text of the generic parts and the only database driver.
//!
//! One unit struct implements the traits of [`crate::engine::port::dialect`]; reader and writer stand beside it. SQL
//! that one feature asks is not here: it is in that feature's file for the dialect.

#![expect(clippy::disallowed_methods, reason = "SQL stands here")]

pub mod postgres;
pub(crate) mod sql;

use crate::conninfo::is_url;
use crate::engine::model::error::{Error, Result};
use crate::engine::port::driver::Driver;

/// All that can be connected to, a line for each; the first one where a URL has no scheme.
pub const DIALECTS: &[&dyn Driver] = &[&postgres::Postgres];

/// The dialect of a URL, by its scheme.
pub fn by_url(url: Option<&str>) -> Result<&'static dyn Driver> {
    let scheme = url.filter(|u| is_url(u)).and_then(|u| u.split_once("://")).map(|(scheme, _)| scheme);
    let speaks = |d: &&&dyn Driver| scheme.is_none_or(|s| d.schemes().contains(&s));
    DIALECTS.iter().find(speaks).copied().ok_or_else(|| {
        Error::usage(format!("cannot open a {} target in this version", scheme.unwrap_or_default()))
            .hint("PostgreSQL is served now; MySQL and MariaDB come in a later step")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_scheme_decides() {
        for url in [
            None,
            Some("postgres://h/d"),
            Some("postgresql://h/d"),
            Some("h/d"),
            Some("user=a password=b://c"),
        ] {
            assert_eq!(by_url(url).unwrap().id(), "postgres", "{url:?}");
        }
        for url in ["mysql://h/d", "POSTGRES://h/d", "://h"] {
            let error = by_url(Some(url)).err().unwrap();
            assert!(error.message.starts_with("cannot open a "), "{error}");
            assert_eq!(error.exit_code(), 2);
        }
    }

    #[test]
    fn no_two_have_one_name_or_scheme() {
        let ids: BTreeSet<_> = DIALECTS.iter().map(|d| d.id()).collect();
        let schemes: Vec<_> = DIALECTS.iter().flat_map(|d| d.schemes()).collect();
        assert_eq!(ids.len(), DIALECTS.len());
        assert_eq!(schemes.iter().collect::<BTreeSet<_>>().len(), schemes.len());
    }
}
