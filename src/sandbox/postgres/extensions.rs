//! Which extensions a copy gets. Their scripts run as the superuser, so only what may be trusted is made, and before
//! anything of the target is there.

use serde::Deserialize;

use crate::dialect::postgres::owner::Owner;
use crate::engine::model::error::Result;
use crate::engine::model::name::{Ident, literal};

/// What the target has.
pub(super) const EXTENSIONS: &str = "
select e.extname::text as name, e.extversion as version, n.nspname::text as schema,
       (select r.rolname::text from pg_roles r where r.oid = n.nspowner and r.rolname !~ '^pg_') as owner
from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname <> 'plpgsql' order by e.extname";

/// An extension of the target.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Extension {
    name: String,
    version: String,
    pub(super) schema: String,
    /// Of the schema.
    owner: Option<String>,
}

/// No trusted ones, but of no danger.
const KNOWN: [&str; 2] = ["pg_partman", "pg_stat_statements"];
/// They reach out of the database, whoever names them.
const NEVER: [&str; 9] =
    ["adminpack", "dblink", "plperlu", "plpython2u", "plpython3u", "plpythonu", "plr", "plsh", "pltclu"];

/// Why it may not be made; `trusted`: as its control file says.
fn refused(name: &str, trusted: bool, named: &[String]) -> Option<&'static str> {
    if NEVER.contains(&name) || name.ends_with("_fdw") {
        return Some("never made in a copy");
    }
    let allowed = trusted || KNOWN.contains(&name) || named.iter().any(|n| n == name);
    (!allowed).then_some("not trusted, and not among sandbox_extensions")
}

/// `$1`: names. Of each whether its control file calls it trusted, and its versions.
const AVAILABLE: &str = "
select v.name::text, bool_or(v.trusted)::text, json_agg(v.version)::text
from pg_available_extension_versions v where v.name::text = any ($1::text[]) group by v.name";

/// Untrusted languages that an extension brought: with one of them a function is a program.
const UNTRUSTED: &str =
    "select 1::text from pg_language l where not l.lanpltrusted and l.lanname not in ('c', 'internal')";

/// Makes those that may be made, by the superuser in the empty database; the others, each with its reason.
pub(super) async fn make(owner: &mut Owner, wanted: &[Extension], named: &[String]) -> Result<Vec<String>> {
    let list = format!("{{{}}}", wanted.iter().map(|e| array_item(&e.name)).collect::<Vec<_>>().join(","));
    let available = owner.fetch_text(AVAILABLE, &[&list]).await?;
    let (mut left_out, mut todo) = (vec![], vec![]);
    for extension in wanted {
        let found = available.iter().find(|row| text(row, 0) == extension.name);
        let why = match found {
            None => Some("not installed on this machine"),
            Some(row) => refused(&extension.name, text(row, 1) == "true", named),
        };
        match (why, found) {
            (None, Some(row)) => {
                let versions: Vec<String> = serde_json::from_str(text(row, 2)).unwrap_or_default();
                todo.push((extension, versions.contains(&extension.version)));
            }
            (why, _) => left_out.push(with_reason(&extension.name, why.unwrap_or_default())),
        }
    }
    // One may need another: as long as any can be made, the rest is tried again.
    loop {
        let before = todo.len();
        let mut failed = vec![];
        for (extension, same_version) in todo {
            if let Err(e) = create(owner, extension, same_version).await {
                failed.push(((extension, same_version), e.message));
            }
        }
        if failed.is_empty() || failed.len() == before {
            left_out.extend(failed.into_iter().map(|((e, _), why)| with_reason(&e.name, &why)));
            return Ok(left_out);
        }
        todo = failed.into_iter().map(|(what, _)| what).collect();
    }
}

fn with_reason(name: &str, why: &str) -> String {
    format!("extension {name} ({why})")
}

fn text(row: &[Option<String>], at: usize) -> &str {
    row.get(at).and_then(Option::as_deref).unwrap_or_default()
}

fn array_item(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

async fn create(owner: &mut Owner, extension: &Extension, same_version: bool) -> Result<()> {
    let (name, schema) = (Ident(&extension.name), Ident(&extension.schema));
    let of = extension.owner.as_ref().map_or_else(String::new, |o| format!(" authorization {}", Ident(o)));
    let version =
        if same_version { format!(" version {}", literal(&extension.version)) } else { String::new() };
    let home = match extension.schema.as_str() {
        "pg_catalog" | "public" => String::new(),
        _ => format!("create schema if not exists {schema}{of}; "),
    };
    owner.execute_script(&format!("{home}create extension {name} with schema {schema}{version}")).await?;
    if owner.fetch_value(UNTRUSTED, &[]).await?.is_some() {
        owner.execute_script(&format!("drop extension {name} cascade")).await?;
        return Err(crate::engine::model::error::Error::unobserved("it brings an untrusted language"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reaches_out_is_never_made_whoever_names_it() {
        let named: Vec<String> = ["dblink", "oracle_fdw", "plpython3u", "postgis"].map(str::to_owned).into();
        for name in ["dblink", "oracle_fdw", "postgres_fdw", "file_fdw", "plpython3u", "adminpack"] {
            assert_eq!(refused(name, true, &named), Some("never made in a copy"), "{name}");
        }
        assert_eq!(refused("postgis", false, &named), None);
        assert_eq!(refused("citext", true, &[]), None);
        assert_eq!(refused("pg_partman", false, &[]), None);
        assert!(refused("amcheck", false, &[]).is_some());
    }
}
