//! The journal's own tables: which are there, and the statements that create the rest.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::error::Result;
use super::guard::JournalState;
use super::ident::literal;
use super::ports::{Facts, ReadOptions};
use super::script;

/// In order; each is applied once, by the planned operation `init` and by nothing else.
pub const FILES: &[(&str, &str)] = &[
    ("001_migrations.sql", include_str!("../../migrations/midwatch/001_migrations.sql")),
    ("002_journal.sql", include_str!("../../migrations/midwatch/002_journal.sql")),
];

/// Is the journal here?
pub async fn state(facts: &dyn Facts) -> JournalState {
    match applied(facts).await {
        Ok(applied) => {
            let pending: Vec<String> = FILES
                .iter()
                .filter(|(name, _)| !applied.iter().any(|a| a == name))
                .map(|(name, _)| (*name).to_owned())
                .collect();
            if pending.is_empty() { JournalState::Ready } else { JournalState::Missing { pending } }
        }
        Err(e) => JournalState::Unknown { why: e.message },
    }
}

/// Files that were applied; none without the history's table.
async fn applied(facts: &dyn Facts) -> Result<Vec<String>> {
    let mut tx = facts.begin(ReadOptions::default()).await?;
    let there = tx
        .texts(
            "select 'yes' from pg_class c join pg_namespace n on n.oid = c.relnamespace \
             where n.nspname = 'midwatch' and c.relname = 'migrations'",
            &[],
        )
        .await?;
    if there.is_empty() {
        return Ok(vec![]);
    }
    let rows = tx.texts("select file from midwatch.migrations where folder = 'midwatch'", &[]).await?;
    Ok(rows.into_iter().flatten().collect())
}

/// The statements that apply the pending files and write that down. A table of migrations alone may be there
/// already, for a system whose files midwatch applies.
pub fn statements(pending: &[String]) -> Result<Vec<String>> {
    let mut out = Vec::new();
    for (name, text) in FILES.iter().filter(|(name, _)| pending.iter().any(|p| p == name)) {
        let broken = |e: String| super::Error::usage(format!("failed to read our own {name}: {e}"));
        out.extend(script::statements(text).map_err(broken)?);
        let mut insert =
            String::from("INSERT INTO midwatch.migrations (folder, file, checksum, normalised) VALUES ");
        let fingerprint = script::parse(text).map_err(broken)?.fingerprint;
        let checksum = format!("{:x}", Sha256::digest(text.as_bytes()));
        let _ = write!(
            insert,
            "('midwatch', {}, {}, {})",
            literal(name),
            literal(&checksum),
            literal(&fingerprint)
        );
        out.push(insert);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_listed_and_ends_with_its_own_record() {
        let all: Vec<String> = FILES.iter().map(|(n, _)| (*n).to_owned()).collect();
        let statements = statements(&all).unwrap();
        assert!(statements[0].starts_with("CREATE SCHEMA midwatch"));
        assert_eq!(
            statements.iter().filter(|s| s.starts_with("INSERT INTO midwatch.migrations")).count(),
            FILES.len()
        );
    }
}
