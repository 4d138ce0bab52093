//! What each tool's history table says was applied.

use crate::engine::model::query::Sql;
use serde::Deserialize;

use crate::engine::model::error::Result;
use crate::engine::model::name::{Ident, Relation};
use crate::engine::model::profile::{HistoryKind, MigrationFolder};
use crate::engine::model::query::Param;
use crate::engine::port::files::Files;
use crate::engine::port::reader::ReadTx;

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
    pub(crate) sql: Option<String>,
}

/// The history table where it is not named.
fn default_table(kind: HistoryKind) -> &'static str {
    match kind {
        HistoryKind::None => "",
        HistoryKind::Midwatch => "midwatch.migrations",
        HistoryKind::Sqlx => "_sqlx_migrations",
        HistoryKind::Drizzle => "drizzle.__drizzle_migrations",
        HistoryKind::Versions => "schema_migrations",
    }
}

pub(crate) async fn read(
    tx: &mut dyn ReadTx,
    folder: &MigrationFolder,
    files: &dyn Files,
) -> Result<History> {
    if folder.history == HistoryKind::None {
        return Ok(History::default());
    }
    let named = folder.table.as_deref().unwrap_or_else(|| default_table(folder.history));
    let table = Relation::parse(named).to_string();
    let columns = columns(tx, &table).await?;
    if columns.is_empty() {
        // Law 1: a missing history is unknown; looking never creates one.
        return Ok(History {
            unknown: Some(format!("there is no history table {named}")),
            ..History::default()
        });
    }
    let (sql, params) = statement(folder, &table, &columns);
    let mut history = History {
        entries: tx.fetch(&Sql::new(&sql).bind(params.clone())).await?,
        sql: Some(sql),
        ..History::default()
    };
    if folder.history == HistoryKind::Drizzle && folder.folder.is_some() {
        journal(folder, files, &mut history);
    }
    if folder.history == HistoryKind::Versions && columns.iter().any(|c| c == "dirty") {
        history.up_to = history.entries.iter().filter_map(|e| e.version.parse().ok()).max();
    }
    Ok(history)
}

async fn columns(tx: &mut dyn ReadTx, table: &str) -> Result<Vec<String>> {
    let sql = "select attname::text from pg_attribute
               where attrelid = to_regclass($1) and attnum > 0 and not attisdropped order by attnum";
    Ok(tx
        .texts(&Sql::new(sql).bind([Param::Text(Some(table.to_owned()))]))
        .await?
        .into_iter()
        .flatten()
        .collect())
}

fn statement(folder: &MigrationFolder, table: &str, columns: &[String]) -> (String, Vec<Param>) {
    let has = |name: &str| columns.iter().any(|c| c == name);
    match folder.history {
        HistoryKind::Sqlx => (
            format!(
                "select version::text as version, encode(checksum, 'hex') as checksum, installed_on::text as applied_at,\n\
                 not success as failed from {table} order by version"
            ),
            vec![],
        ),
        HistoryKind::Drizzle => (
            format!(
                "select created_at::text as version, hash as checksum,\n\
                 to_timestamp(created_at / 1000.0)::text as applied_at from {table} order by created_at"
            ),
            vec![],
        ),
        HistoryKind::Midwatch => (
            format!(
                "select file as version, checksum, normalised, applied_at::text as applied_at from {table}\n\
                 where folder = $1 order by file"
            ),
            vec![Param::from(folder.name.as_str())],
        ),
        HistoryKind::Versions | HistoryKind::None => {
            let time = ["applied_at", "inserted_at", "installed_on", "created_at", "run_on", "executed_at"]
                .into_iter()
                .find(|c| has(c))
                .map_or("null".into(), |c| format!("{}::text", Ident(c)));
            let dirty = if has("dirty") { "coalesce(dirty, false)" } else { "false" };
            let version =
                if has("version") { "version" } else { columns.first().map_or("version", String::as_str) };
            (
                format!(
                    "select {0}::text as version, null::text as checksum, {time} as applied_at, {dirty} as failed\n\
                     from {table} order by 1",
                    Ident(version)
                ),
                vec![],
            )
        }
    }
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
