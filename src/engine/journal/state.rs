//! The journal's own tables: which are there, and the statements that create the rest.

use crate::engine::model::query::Sql;
use std::fmt::Write as _;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::name::{Ident, literal};
use crate::engine::model::record::JournalState;
use crate::engine::port::reader::{Facts, ReadOptions};
use crate::engine::script;

/// In order; each is applied once, by the planned operation `init` and by nothing else.
pub const FILES: &[(&str, &str)] = &[
    (
        "001_migrations.sql",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/midwatch/001_migrations.sql")),
    ),
    (
        "002_journal.sql",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/midwatch/002_journal.sql")),
    ),
    (
        "003_marks.sql",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/midwatch/003_marks.sql")),
    ),
];

/// What an operator does with the journal. Entries, images and planned rows are never changed or removed.
const CHANGED: [&str; 2] = ["head", "runs"];
/// Tables to which no run adds a row: whoever granted less by hand is not refused for them.
const NOT_ADDED_TO: [&str; 3] = ["head", "migrations", "marks"];

/// Is the journal here, whole, of this version, and for this role?
pub async fn state(facts: &dyn Facts) -> JournalState {
    match look(facts).await {
        Ok(state) => state,
        Err(e) => JournalState::Unknown { why: e.message },
    }
}

impl JournalState {
    /// Why nothing is changed while the journal is like this, and the way out.
    pub fn refusal(&self) -> Option<Error> {
        let refused = |what: String| Error::new(Class::Refused, format!("no journal, no action: {what}"));
        Some(match self {
            Self::Ready => return None,
            Self::Missing { .. } => refused("schema midwatch is not (wholly) here".into())
                .hint("midwatch plan init --out init.json, then apply it"),
            Self::Newer { files } => {
                let has = files.join(", ");
                refused(format!("the journal here was made by a newer midwatch (it has migrations {has})"))
                    .hint("use that version")
            }
            Self::Damaged { missing } => refused(format!("the journal is damaged: {} missing", are(missing)))
                .hint("restore schema midwatch from a backup; or rename what is left of it, then plan init"),
            Self::Denied { role, lacks, .. } => {
                refused(format!("role {role} may not work with the journal: it lacks {}", lacks.join(", ")))
                    .hint(format!(
                        "the owner of schema midwatch plans init --set operators={role} and applies it"
                    ))
            }
            Self::Unknown { why } => refused(format!("the journal cannot be read: {why}")),
        })
    }
}

fn are(missing: &[String]) -> String {
    format!("{} {}", missing.join(", "), if missing.len() == 1 { "is" } else { "are" })
}

#[derive(Deserialize)]
struct Here {
    role: String,
    schema: bool,
    usage: bool,
}

/// A relation or a trigger of schema midwatch, and what this role may do with it.
#[derive(Deserialize)]
struct Object {
    name: String,
    kind: String,
    reads: bool,
    adds: bool,
    changes: bool,
}

// By the catalog, which every role may read: a role without rights on the schema is told so, not that there is none.
const OBJECTS: &str = "
select c.relname as name, c.relkind::text as kind,
       case when c.relkind = 'S' then has_sequence_privilege(c.oid, 'usage') else has_table_privilege(c.oid, 'select') end as reads,
       c.relkind <> 'S' and has_table_privilege(c.oid, 'insert') as adds,
       c.relkind <> 'S' and has_table_privilege(c.oid, 'update') as changes
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'midwatch' and c.relkind in ('r', 'p', 'v', 'S')
  -- An identity column's own sequence needs no privilege.
  and not exists (select from pg_depend d where d.objid = c.oid and d.classid = 'pg_class'::regclass and d.deptype = 'i')
union all
select t.tgname, 'trigger', true, true, true
from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'midwatch' and not t.tgisinternal";

async fn look(facts: &dyn Facts) -> Result<JournalState> {
    let mut tx = facts.begin(ReadOptions::default()).await?;
    let here: Here = tx
        .one(&Sql::new(
            "select current_user::text as role, to_regnamespace('midwatch') is not null as schema, \
             coalesce(has_schema_privilege(to_regnamespace('midwatch')::oid, 'usage'), false) as usage",
        ))
        .await?;
    if !here.schema {
        let pending = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        return Ok(JournalState::Missing { pending });
    }
    let objects: Vec<Object> = tx.fetch(&Sql::new(OBJECTS)).await?;
    let Some(history) = objects.iter().find(|o| o.name == "migrations" && o.kind == "r") else {
        return Ok(JournalState::Damaged { missing: vec!["table midwatch.migrations".into()] });
    };
    if !here.usage || !history.reads {
        let lacks = if here.usage { "SELECT on midwatch.migrations" } else { "USAGE on schema midwatch" };
        return Ok(JournalState::Denied { role: here.role, lacks: vec![lacks.into()], readable: false });
    }
    let rows = tx.texts(&Sql::new("select file from midwatch.migrations where folder = 'midwatch'")).await?;
    let applied: Vec<String> = rows.into_iter().flatten().collect();
    judge(here.role, &applied, &objects)
}

fn judge(role: String, applied: &[String], objects: &[Object]) -> Result<JournalState> {
    let known = |file: &String| FILES.iter().any(|(name, _)| name == file);
    let files: Vec<String> = applied.iter().filter(|f| !known(f)).cloned().collect();
    if !files.is_empty() {
        return Ok(JournalState::Newer { files });
    }
    let missing: Vec<String> = expected(applied)?
        .into_iter()
        .filter(|(kind, name)| {
            !objects.iter().any(|o| o.name == *name && (o.kind == "trigger") == (*kind == "trigger"))
        })
        .map(|(kind, name)| format!("{kind} midwatch.{name}"))
        .collect();
    if !missing.is_empty() {
        return Ok(JournalState::Damaged { missing });
    }
    let pending: Vec<String> = FILES
        .iter()
        .filter(|(name, _)| !applied.iter().any(|a| a == name))
        .map(|(name, _)| (*name).to_owned())
        .collect();
    if !pending.is_empty() {
        return Ok(JournalState::Missing { pending });
    }
    let mut lacks = vec![];
    for o in objects {
        let table = matches!(o.kind.as_str(), "r" | "p") && !NOT_ADDED_TO.contains(&o.name.as_str());
        let changed = CHANGED.contains(&o.name.as_str());
        let reads = if o.kind == "S" { "USAGE" } else { "SELECT" };
        for (needed, has, privilege) in
            [(true, o.reads, reads), (table, o.adds, "INSERT"), (changed, o.changes, "UPDATE")]
        {
            if needed && !has {
                lacks.push(format!("{privilege} on midwatch.{}", o.name));
            }
        }
    }
    if lacks.is_empty() {
        return Ok(JournalState::Ready);
    }
    let readable = !lacks.iter().any(|l| l.starts_with("SELECT"));
    Ok(JournalState::Denied { role, lacks, readable })
}

/// Relations and triggers that the applied files have left, by kind and name.
fn expected(applied: &[String]) -> Result<Vec<(&'static str, String)>> {
    let mut out: Vec<(&'static str, String)> = vec![];
    for (name, text) in FILES.iter().filter(|(name, _)| applied.iter().any(|a| a == name)) {
        let script = script::parse(text).map_err(|e| broken(name, &e))?;
        let ours = |o: &script::Object| match o.kind {
            // An index that is missing costs time, not truth.
            "relation" if o.of.is_empty() => {
                o.name.strip_prefix("midwatch.").map(|n| ("table", n.to_owned()))
            }
            "trigger" => Some(("trigger", o.name.clone())),
            _ => None,
        };
        let gone: Vec<_> = script.drops.iter().filter_map(ours).collect();
        out.extend(script.creates.iter().filter_map(ours));
        out.retain(|o| !gone.contains(o));
    }
    Ok(out)
}

fn broken(name: &str, e: &str) -> Error {
    Error::usage(format!("failed to read our own {name}: {e}"))
}

/// The statements that let other roles work with the journal.
pub fn grants(roles: &[String]) -> Vec<String> {
    let to = roles.iter().map(|r| Ident(r).to_string()).collect::<Vec<_>>().join(", ");
    let changed = CHANGED.map(|t| format!("midwatch.{t}")).join(", ");
    vec![
        format!("GRANT USAGE ON SCHEMA midwatch TO {to}"),
        format!("GRANT USAGE ON ALL SEQUENCES IN SCHEMA midwatch TO {to}"),
        format!("GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA midwatch TO {to}"),
        format!("GRANT UPDATE ON {changed} TO {to}"),
    ]
}

/// The statements that apply the pending files and write that down. A table of migrations alone may be there
/// already, for a system whose files midwatch applies.
pub fn statements(pending: &[String]) -> Result<Vec<String>> {
    let mut out = Vec::new();
    for (name, text) in FILES.iter().filter(|(name, _)| pending.iter().any(|p| p == name)) {
        out.extend(script::statements(text).map_err(|e| broken(name, &e))?);
        let mut insert =
            String::from("INSERT INTO midwatch.migrations (folder, file, checksum, normalised) VALUES ");
        let fingerprint = script::parse(text).map_err(|e| broken(name, &e))?.fingerprint;
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
