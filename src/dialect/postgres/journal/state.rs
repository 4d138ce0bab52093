//! Which of the journal's relations and triggers are there, by the catalog, which every role may read.

use serde::Deserialize;

use super::install::{CHANGED, FILES, broken};
use super::objects;
use crate::dialect::sql::script;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::journal_state::JournalState;
use crate::engine::model::query::Sql;
use crate::engine::port::reader::ReadTx;

/// The file that makes runs and entries.
const JOURNAL: &str = "002_journal.sql";

/// Tables to which no run adds a row: whoever granted less by hand is not refused for them.
const NOT_ADDED_TO: [&str; 5] = ["head", "migrations", "marks", "images", "planned_rows"];

#[derive(Deserialize)]
struct JournalAccess {
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
  and not exists (select from pg_depend d where d.objid = c.oid and d.classid = 'pg_class'::regclass::oid and d.deptype = 'i')
union all
select t.tgname, 'trigger', true, true, true
from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'midwatch' and not t.tgisinternal";

pub(in crate::dialect::postgres) async fn state(tx: &mut dyn ReadTx) -> Result<JournalState> {
    let here: JournalAccess = tx
        .one(&Sql::new(
            "select current_user::text as role, to_regnamespace('midwatch') is not null as schema, \
             coalesce(has_schema_privilege(to_regnamespace('midwatch')::oid, 'usage'), false) as usage",
        ))
        .await?;
    if !here.schema {
        let pending = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        return Ok(JournalState::Missing { pending });
    }
    let why = objects::foreign(tx).await?;
    if !why.is_empty() {
        return Ok(JournalState::Foreign { why });
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
    let state = judge(here.role, &applied, &objects)?;
    let whole = match &state {
        JournalState::Ready | JournalState::Denied { .. } => FILES.len() == applied.len(),
        JournalState::Older { .. } => false,
        _ => return Ok(state),
    };
    let what = objects::altered(tx, whole).await?;
    Ok(if what.is_empty() { state } else { JournalState::Altered { what } })
}

/// Nothing of the journal is read that others could have something run by.
pub(in crate::dialect::postgres) async fn readable(tx: &mut dyn ReadTx) -> Result<()> {
    let why = objects::foreign(tx).await?;
    if why.is_empty() {
        return Ok(());
    }
    let why = JournalState::Foreign { why }.unread().unwrap_or_default();
    Err(Error::unobserved(why).hint("midwatch doctor"))
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
    // A table of migrations alone may be there for a system whose files midwatch applies.
    if pending.iter().any(|p| p == JOURNAL) {
        let there = objects.iter().any(|o| o.name == "events");
        let missing = || JournalState::Damaged { missing: vec![format!("the record of {JOURNAL}")] };
        return Ok(if there { missing() } else { JournalState::Missing { pending } });
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
    let readable = !lacks.iter().any(|l| l.starts_with("SELECT"));
    if readable && !pending.is_empty() {
        return Ok(JournalState::Older { pending });
    }
    if lacks.is_empty() {
        return Ok(JournalState::Ready);
    }
    Ok(JournalState::Denied { role, lacks, readable })
}

/// Relations and triggers that the applied files have left, by kind and name.
fn expected(applied: &[String]) -> Result<Vec<(&'static str, String)>> {
    let mut out: Vec<(&'static str, String)> = vec![];
    for (name, text) in FILES.iter().filter(|(name, _)| applied.iter().any(|a| a == name)) {
        let script = script::parse(text).map_err(|e| broken(name, &e))?;
        let ours = |o: &crate::engine::model::script::Object| match o.kind {
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
