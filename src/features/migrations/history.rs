//! What each tool's history table says was applied.

use crate::engine::model::query::ProfileSql;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::engine::model::error::Result;
use crate::engine::model::name::Relation;
use crate::engine::model::profile::{HistoryKind, MigrationFolder};
use crate::engine::port::dialect::Dialect;
use crate::engine::port::files::Files;
use crate::engine::port::reader::ReadTx;
use crate::features::migrations::files::Migration;
use crate::features::migrations::sql::MigrationSql;
use crate::features::migrations::texts;

/// One line of a history.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Entry {
    /// A file name, a version or a tag, as the tool wrote it.
    pub(crate) version: String,
    /// Checksum of the file, in hex.
    pub(crate) checksum: Option<String>,
    /// Checksum of its tokens (midwatch's own history only).
    #[serde(default)]
    pub(crate) normalised: Option<String>,
    pub(crate) applied_at: Option<String>,
    /// The tool says that it failed half-way.
    #[serde(default)]
    pub(crate) failed: bool,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    pub(crate) entries: Vec<Entry>,
    /// Everything up to this number is applied; single entries are not kept (golang-migrate).
    pub(crate) up_to: Option<u64>,
    /// File stems in the tool's own order with their time in ms (drizzle's journal).
    pub(crate) journal: Vec<(String, i64)>,
    /// The table was not there, or could not be read.
    pub(crate) unknown: Option<String>,
    /// What read it.
    pub(crate) sql: Option<ProfileSql>,
}

/// When a file's statements ran, by its history: what its names meant depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AppliedWhen {
    /// At this time or later (drizzle records the file's own time).
    At(DateTime<Utc>),
    /// The history does not have it.
    Never,
    /// There is no history, or it does not tell.
    Unsaid,
}

impl History {
    /// The history's line for a file.
    pub(crate) fn entry(&self, kind: HistoryKind, file: &Migration) -> Option<&Entry> {
        let entries = &self.entries;
        match kind {
            HistoryKind::None => None,
            HistoryKind::Midwatch => entries.iter().find(|e| e.version == file.name),
            HistoryKind::Sqlx => {
                entries.iter().find(|e| e.version.parse().ok() == file.number && file.number.is_some())
            }
            HistoryKind::Drizzle => {
                let when = self.journal.iter().find(|(tag, _)| tag == file.stem())?.1.to_string();
                entries
                    .iter()
                    .find(|e| e.version == when)
                    .or_else(|| entries.iter().find(|e| e.checksum.as_deref().is_some_and(|c| file.is(c))))
            }
            HistoryKind::Versions => match self.up_to {
                Some(up_to) => entries.last().filter(|_| file.number.is_some_and(|n| n <= up_to)),
                None => entries.iter().find(|e| version_names(&e.version, file)),
            },
        }
    }

    /// When a file ran.
    pub(crate) fn ran(&self, kind: HistoryKind, file: &Migration) -> AppliedWhen {
        if kind == HistoryKind::None || self.unknown.is_some() {
            return AppliedWhen::Unsaid;
        }
        match self.entry(kind, file) {
            None => AppliedWhen::Never,
            // The one line that there is has the time of the last file.
            Some(_) if self.up_to.is_some() => AppliedWhen::Unsaid,
            Some(e) => e.applied_at.as_deref().and_then(time).map_or(AppliedWhen::Unsaid, AppliedWhen::At),
        }
    }
}

/// A time as the server writes it; one without its zone tells nothing.
fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z").ok().map(|t| t.to_utc())
}

/// `17`, `017`, `017_name`, `017_name.sql` all name the file `017_name.sql`.
fn version_names(version: &str, file: &Migration) -> bool {
    version == file.name
        || version == file.stem()
        || (version.parse::<u64>().ok() == file.number && file.number.is_some())
}

/// Which tool records what was applied, for people.
pub(crate) fn recorded_by(sql: &dyn MigrationSql, kind: HistoryKind) -> &'static str {
    match kind {
        HistoryKind::None => "none: the catalog is probed",
        HistoryKind::Midwatch => sql.default_table(kind),
        HistoryKind::Sqlx => "sqlx",
        HistoryKind::Drizzle => "drizzle",
        HistoryKind::Versions => "schema_migrations(version)",
    }
}

pub(crate) async fn read(
    tx: &mut dyn ReadTx,
    dialect: &dyn Dialect,
    sql: &dyn MigrationSql,
    folder: &MigrationFolder,
    files: &dyn Files,
) -> Result<History> {
    if folder.history == HistoryKind::None {
        return Ok(History::default());
    }
    let named = folder.table.as_deref().unwrap_or_else(|| sql.default_table(folder.history));
    let table = Relation::parse(named).to_string();
    let columns: Vec<String> = tx.texts(&sql.columns(&table)).await?.into_iter().flatten().collect();
    if columns.is_empty() {
        // Law 1: a missing history is unknown; looking never creates one.
        return Ok(History { unknown: Some(texts::no_history(named)), ..History::default() });
    }
    if let Some(cast) = dialect.foreign_casts(tx, &[Relation::parse(named)]).await?.first() {
        return Ok(History { unknown: Some(cast.refusal().message), ..History::default() });
    }
    let entries = sql.history(folder, &table, &columns);
    let mut history =
        History { entries: tx.fetch(&entries).await?, sql: Some(entries), ..History::default() };
    if folder.history == HistoryKind::Drizzle && folder.folder.is_some() {
        journal(folder, files, &mut history);
    }
    if folder.history == HistoryKind::Versions && columns.iter().any(|c| c == "dirty") {
        history.up_to = history.entries.iter().filter_map(|e| e.version.parse().ok()).max();
    }
    Ok(history)
}

#[derive(Deserialize)]
struct Journal {
    entries: Vec<JournalEntry>,
}

#[derive(Deserialize)]
struct JournalEntry {
    when: i64,
    tag: String,
}

/// Drizzle's own list of files: the table holds only times and hashes.
fn journal(folder: &MigrationFolder, files: &dyn Files, history: &mut History) {
    let path = format!("{}/meta/_journal.json", folder.folder.as_deref().unwrap_or_default());
    let read = files.read(&path).map_err(|e| e.message).and_then(|bytes| {
        serde_json::from_slice::<Journal>(&bytes).map_err(|e| format!("failed to understand {path}: {e}"))
    });
    match read {
        Ok(journal) => history.journal = journal.entries.into_iter().map(|e| (e.tag, e.when)).collect(),
        Err(why) => history.unknown = Some(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_with_its_zone_only() {
        let utc = "2026-03-01T10:00:00.5Z".parse().ok();
        assert_eq!(time("2026-03-01 10:00:00.5+00"), utc);
        assert_eq!(time("2026-03-01 15:30:00.5+05:30"), utc);
        assert_eq!(time("2026-03-01 10:00:00"), None);
    }
}
