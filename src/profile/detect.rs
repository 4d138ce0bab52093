//! Which profile fits a database; and one made from the catalog where none does.

use crate::engine::model::query::Sql;
use serde::Deserialize;

use super::load::Library;
use crate::engine::model::cause::Cause;
use crate::engine::model::error::Result;
use crate::engine::model::name::Relation;
use crate::engine::model::profile::{HistoryKind, MigrationFolder, Profile};
use crate::engine::model::query::Param;
use crate::engine::port::reader::{Facts, ReadOptions};

/// The profile with the most tables to be found here, all of them present.
pub async fn detect(facts: &dyn Facts, library: &Library) -> Result<Option<Profile>> {
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

async fn present(facts: &dyn Facts, tables: &[String]) -> Result<bool> {
    let names = tables.iter().map(|t| Relation::parse(t).to_string()).collect();
    let mut tx = facts.begin(ReadOptions::default()).await?;
    let sql = "select (bool_and(to_regclass(t) is not null))::text from unnest($1::text[]) t";
    Ok(tx.texts(&Sql::new(sql).bind([Param::Texts(names)])).await?.pop().flatten().as_deref() == Some("true"))
}

#[derive(Deserialize)]
struct Found {
    schema: String,
    name: String,
    kind: String,
}

const CATALOG: &str = "
select n.nspname as schema, c.relname as name,
       case when c.relkind = 'p' then 'partitioned' else c.relname end as kind
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
  and ((c.relkind = 'p' and not c.relispartition)
    or (c.relkind = 'r' and (n.nspname, c.relname) = ('midwatch', 'migrations'))
    or (c.relkind = 'r' and c.relname in ('_sqlx_migrations', '__drizzle_migrations', 'schema_migrations')))
order by 3, 1, 2";

/// Nobody wrote a profile for this database: its migration histories and partitioned tables are watched.
pub async fn generic(facts: &dyn Facts) -> Result<Profile> {
    let mut tx = facts.begin(ReadOptions::default()).await?;
    let found: Vec<Found> = tx.fetch(&Sql::new(CATALOG)).await?;
    let mut profile = Profile {
        name: "generic".into(),
        title: "no profile fits: what any PostgreSQL can tell".into(),
        search_path: vec!["public".into()],
        ..Profile::default()
    };
    for f in found {
        let relation = Relation { schema: Some(f.schema.clone()), name: f.name.clone() }.to_string();
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
        let name = if f.schema == "public" { f.name } else { format!("{}.{}", f.schema, f.name) };
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
