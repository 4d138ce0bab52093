//! What each tool's history table says was applied.

use crate::engine::model::query::ProfileSql;
use serde::Deserialize;

use crate::engine::model::error::Result;
use crate::engine::model::name::Relation;
use crate::engine::model::profile::{HistoryKind, MigrationFolder};
use crate::engine::port::files::Files;
use crate::engine::port::reader::ReadTx;
use crate::features::migrations::sql::MigrationSql;

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
        return Ok(History {
            unknown: Some(format!("there is no history table {named}")),
            ..History::default()
        });
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
