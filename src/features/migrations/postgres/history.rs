//! Histories: which columns the table has, and what its lines say.

use crate::engine::model::name::Ident;
use crate::engine::model::profile::{HistoryKind, MigrationFolder};
use crate::engine::model::query::{Param, ProfileSql};

/// The history table where it is not named.
pub(super) fn default_table(kind: HistoryKind) -> &'static str {
    match kind {
        HistoryKind::None => "",
        HistoryKind::Midwatch => "midwatch.migrations",
        HistoryKind::Sqlx => "_sqlx_migrations",
        HistoryKind::Drizzle => "drizzle.__drizzle_migrations",
        HistoryKind::Versions => "schema_migrations",
    }
}

pub(super) fn columns(table: &str) -> ProfileSql {
    let sql = "select a.attname::pg_catalog.text from pg_catalog.pg_attribute a \
               where a.attrelid operator(pg_catalog.=) pg_catalog.to_regclass($1)::pg_catalog.oid \
               and a.attnum operator(pg_catalog.>) 0 and not a.attisdropped order by a.attnum";
    ProfileSql::names(sql).bind([Param::Text(Some(table.to_owned()))])
}

pub(super) fn entries(folder: &MigrationFolder, table: &str, columns: &[String]) -> ProfileSql {
    let has = |name: &str| columns.iter().any(|c| c == name);
    match folder.history {
        HistoryKind::Sqlx => ProfileSql::new(format!(
            "select version::pg_catalog.text as version, pg_catalog.encode(checksum, 'hex') as checksum, installed_on::pg_catalog.text as applied_at,\n\
                 not success as failed from {table} order by version"
        )),
        HistoryKind::Drizzle => ProfileSql::new(format!(
            "select created_at::pg_catalog.text as version, hash::pg_catalog.text as checksum,\n\
                 pg_catalog.to_timestamp(created_at operator(pg_catalog./) 1000.0)::pg_catalog.text as applied_at from {table} order by created_at"
        )),
        HistoryKind::Midwatch => ProfileSql::new(format!(
            "select file as version, checksum, normalised, applied_at::pg_catalog.text as applied_at from {table}\n\
                 where folder operator(pg_catalog.=) $1 order by file"
        ))
        .bind([Param::from(folder.name.as_str())]),
        HistoryKind::Versions | HistoryKind::None => {
            let time = ["applied_at", "inserted_at", "installed_on", "created_at", "run_on", "executed_at"]
                .into_iter()
                .find(|c| has(c))
                .map_or("null".into(), |c| format!("{}::pg_catalog.text", Ident(c)));
            let dirty = if has("dirty") { "coalesce(dirty, false)" } else { "false" };
            let version =
                if has("version") { "version" } else { columns.first().map_or("version", String::as_str) };
            ProfileSql::new(format!(
                "select {0}::pg_catalog.text as version, null::pg_catalog.text as checksum, {time} as applied_at, {dirty} as failed\n\
                     from {table} order by 1",
                Ident(version)
            ))
        }
    }
}
