//! What text of a profile may not call: functions of the server that act beyond the statement, such as ending a session,
//! writing a file, or leaving the transaction's settings. The first line is what the role may do; this is the second.

use std::collections::HashSet;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

use crate::engine::model::error::{Class, Error, Result};

use super::operators::FIRST_OF_USERS;

/// By name: the built-in functions that are volatile, without those that only tell; and those that run a statement or
/// read a table they are given the name of. Handlers and triggers are called by no statement.
fn question() -> String {
    format!(
        "select distinct p.proname::pg_catalog.text from pg_catalog.pg_proc p \
         where p.oid operator(pg_catalog.<) {FIRST_OF_USERS}::pg_catalog.oid \
         and (p.provolatile operator(pg_catalog.=) 'v'::pg_catalog.\"char\" \
           or p.proname operator(pg_catalog.~) '^(table|schema|database|query|cursor)_to_xml') \
         and p.prorettype::pg_catalog.regtype::pg_catalog.text operator(pg_catalog.!~) '(handler|trigger)$' \
         and p.proname operator(pg_catalog.!~) '^(clock_timestamp|random|gen_random_uuid|timeofday|pg_[a-z_]+_size|\
pg_blocking_pids|pg_is_in_recovery|pg_lock_status)$'"
    )
}

pub(super) async fn read(
    connection: &mut PgConnection,
    persistent: bool,
) -> Result<HashSet<String>, sqlx::Error> {
    let rows = sqlx::query(AssertSqlSafe(question())).persistent(persistent).fetch_all(connection).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// Refuses a text that has such a name in it, wherever it stands: no reading of strings, comments and quotes that differs
/// from the server's can hide one.
pub(super) fn check(text: &str, acting: &HashSet<String>) -> Result<()> {
    let lower = text.to_ascii_lowercase();
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    let found = lower.split(|c| !word(c)).find(|w| acting.contains(*w));
    if let Some(name) = found {
        return Err(refusal(format!("the profile's SQL calls {name}, which acts beyond its statement")));
    }
    // Names written in escapes cannot be seen here.
    if lower.contains("u&\"") {
        return Err(refusal("the profile's SQL has a name in Unicode escapes (U&\"…\")".into()));
    }
    Ok(())
}

fn refusal(message: String) -> Error {
    Error::new(Class::Refused, message)
        .hint("a profile's SQL only reads: write it without, also in its comments and strings")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_however_it_is_written() {
        let acting = HashSet::from(["lo_export".to_owned(), "setval".to_owned()]);
        for text in [
            "select lo_export(1, '/x')",
            "select pg_catalog . \"lo_export\" /* */ (1, '/x')",
            "select '\\', LO_EXPORT(1, '/x') --'",
            "select (r).setval from r",
            "select U&\"\\0073etval\"('s', 1)",
        ] {
            assert!(check(text, &acting).is_err(), "{text}");
        }
        assert!(check("select lo_exports, my_setval, \"setval2\" from t", &acting).is_ok());
    }
}
