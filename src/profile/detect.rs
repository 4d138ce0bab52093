//! Which profile fits a database; and one made from the catalog where none does.

use super::load::Library;
use crate::engine::model::cause::Cause;
use crate::engine::model::error::Result;
use crate::engine::model::name::Relation;
use crate::engine::model::profile::{HistoryKind, MigrationFolder, Profile};
use crate::engine::port::reader::{ReadOptions, Reader};

/// The profile with the most tables to be found here, all of them present.
pub async fn detect(facts: &dyn Reader, library: &Library) -> Result<Option<Profile>> {
    let profiles = library.all()?;
    let mut best: Option<Profile> = None;
    for profile in profiles.into_iter().filter(|p| !p.detect.is_empty()) {
        let better = best.as_ref().is_none_or(|b| profile.detect.len() > b.detect.len());
        // Where the role may not use a named schema, that profile is not for it to be found.
        let there = match present(facts, &profile.detect).await {
            Err(e) if e.cause == Cause::NotAllowed => false,
            other => other?,
        };
        if better && there {
            best = Some(profile);
        }
    }
    Ok(best)
}

async fn present(facts: &dyn Reader, tables: &[String]) -> Result<bool> {
    let names: Vec<Relation> = tables.iter().map(|t| facts.dialect().parse(t)).collect();
    let mut tx = facts.begin(ReadOptions::default()).await?;
    facts.dialect().resolve(&mut *tx, &names).await
}

/// Nobody wrote a profile for this database: its migration histories and partitioned tables are watched.
pub async fn generic(facts: &dyn Reader) -> Result<Profile> {
    let mut tx = facts.begin(ReadOptions::default()).await?;
    let found = facts.dialect().watchable(&mut *tx).await?;
    let mut profile = Profile {
        name: "generic".into(),
        title: "no profile fits: what any PostgreSQL can tell".into(),
        search_path: vec!["public".into()],
        ..Profile::default()
    };
    for f in found {
        let relation = f.name.to_string();
        let history = match f.kind.as_str() {
            "partitioned" => {
                profile.partitioned.push(relation);
                continue;
            }
            "_sqlx_migrations" => HistoryKind::Sqlx,
            "__drizzle_migrations" => HistoryKind::Drizzle,
            "schema_migrations" => HistoryKind::Versions,
            _ => HistoryKind::Midwatch,
        };
        let Relation { schema, name } = f.name;
        let schema = schema.unwrap_or_default();
        let name = if schema == "public" { name } else { format!("{schema}.{name}") };
        profile.migrations.push(MigrationFolder {
            name,
            history,
            table: Some(relation),
            ..MigrationFolder::default()
        });
    }
    if profile.migrations.is_empty() {
        // The indexes of any database can be looked at, whoever migrated it.
        profile.migrations.push(MigrationFolder { name: "database".into(), ..MigrationFolder::default() });
    }
    Ok(profile)
}
