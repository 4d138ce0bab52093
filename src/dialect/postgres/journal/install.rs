//! What makes the journal: its files, and the privileges of the roles that work with it.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::dialect::sql::script;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::name::{Ident, literal};
use crate::engine::model::preflight::{Preflight, Ready, Verification};
use crate::engine::model::query::{Param, Sql};
use crate::engine::model::step::Lock;
use crate::engine::port::journal_sql::{Install, InstallStep};
use crate::engine::port::reader::ReadTx;

/// In order; each is applied once, by the planned operation `init` and by nothing else.
pub const FILES: &[(&str, &str)] = &[
    (
        "001_migrations.sql",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/midwatch/postgres/001_migrations.sql")),
    ),
    (
        "002_journal.sql",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/midwatch/postgres/002_journal.sql")),
    ),
    (
        "003_marks.sql",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/midwatch/postgres/003_marks.sql")),
    ),
    (
        "004_signatures.sql",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/midwatch/postgres/004_signatures.sql")),
    ),
    (
        "005_blocks.sql",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/midwatch/postgres/005_blocks.sql")),
    ),
];

/// The journal's tables and views, each with what an operator does there besides reading. Entries, images and planned rows
/// are never changed or removed. A reader reads all of them.
const RELATIONS: [(&str, &str); 10] = [
    ("events", "INSERT"),
    ("head", "UPDATE"),
    ("image_blocks", "INSERT"),
    ("images", ""),
    ("installations", "INSERT"),
    ("marks", "INSERT"),
    ("migrations", "INSERT"),
    ("planned_blocks", "INSERT"),
    ("planned_rows", ""),
    ("runs", "INSERT, UPDATE"),
];

/// Tables whose rows an operator changes.
pub(super) const CHANGED: [&str; 2] = ["head", "runs"];

pub(super) fn broken(name: &str, e: &str) -> Error {
    Error::usage(format!("failed to read our own {name}: {e}"))
}

/// What makes the whole journal.
pub fn statements() -> Result<Vec<String>> {
    let all: Vec<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
    Ok(install(&all, &[])?.statements())
}

/// The same as one script.
pub fn script() -> Result<String> {
    Ok(statements()?.join(";\n"))
}

pub(in crate::dialect::postgres) fn install(pending: &[String], operators: &[String]) -> Result<Install> {
    let mut out = Install::default();
    for (name, text) in FILES.iter().filter(|(name, _)| pending.iter().any(|p| p == name)) {
        out.steps.push(InstallStep {
            title: (*name).into(),
            statements: file(name, text)?,
            probe: recorded(&[(*name).to_owned()]),
        });
    }
    if !pending.is_empty() {
        out.locks.push(Lock {
            object: "schema midwatch".into(),
            mode: "ACCESS EXCLUSIVE on its tables".into(),
            ..Lock::default()
        });
        out.verify.push(recorded(pending));
    }
    if !operators.is_empty() {
        let names = operators.join(", ");
        out.steps.push(InstallStep {
            title: format!("privileges of {names}"),
            statements: grants(operators),
            probe: admitted(operators),
        });
        out.verify.push(admitted(operators));
        if pending.is_empty() {
            out.revoke = Some(format!("REVOKE ALL ON ALL TABLES IN SCHEMA midwatch FROM {names}"));
        }
    }
    Ok(out)
}

/// The statements that apply a file and write that down. A table of migrations alone may be there already, for a system
/// whose files midwatch applies.
fn file(name: &str, text: &str) -> Result<Vec<String>> {
    let mut out = script::statements(text).map_err(|e| broken(name, &e))?;
    let mut insert =
        String::from("INSERT INTO midwatch.migrations (folder, file, checksum, normalised) VALUES ");
    let fingerprint = script::parse(text).map_err(|e| broken(name, &e))?.fingerprint;
    let checksum = hex::encode(Sha256::digest(text.as_bytes()));
    let _ =
        write!(insert, "('midwatch', {}, {}, {})", literal(name), literal(&checksum), literal(&fingerprint));
    out.push(insert);
    Ok(out)
}

/// The statements that let other roles work with the journal.
pub(in crate::dialect::postgres) fn grants(roles: &[String]) -> Vec<String> {
    let to = roles.iter().map(|r| Ident(r).to_string()).collect::<Vec<_>>().join(", ");
    let mut out = vec![
        format!("GRANT USAGE ON SCHEMA midwatch TO {to}"),
        format!("GRANT USAGE ON ALL SEQUENCES IN SCHEMA midwatch TO {to}"),
    ];
    out.extend(RELATIONS.iter().map(|(name, rights)| {
        let rights = if rights.is_empty() { String::new() } else { format!(", {rights}") };
        format!("GRANT SELECT{rights} ON midwatch.{name} TO {to}")
    }));
    out
}

/// The statements that let a role read the journal.
pub(in crate::dialect::postgres) fn reader_grants(role: &str) -> Vec<String> {
    let to = Ident(role);
    let read = RELATIONS.iter().map(|(name, _)| format!("GRANT SELECT ON midwatch.{name} TO {to}"));
    std::iter::once(format!("GRANT USAGE ON SCHEMA midwatch TO {to}")).chain(read).collect()
}

/// Files that are not recorded: one row each.
fn recorded(files: &[String]) -> Verification {
    let values: Vec<_> = files.iter().map(|f| format!("({})", literal(f))).collect();
    Verification {
        title: "every file of the journal is recorded as applied".into(),
        own: true,
        sql: format!(
            "select f.name from (values {}) f(name) where not exists (select from midwatch.migrations m \
             where m.folder = 'midwatch' and m.file = f.name)",
            values.join(", ")
        ),
    }
}

/// Roles that lack what an operator needs: one row each.
fn admitted(roles: &[String]) -> Verification {
    let among: Vec<_> = roles.iter().map(|r| literal(r)).collect();
    let sql = format!(
        "select r.rolname from pg_roles r where r.rolname in ({}) and not (\
         has_schema_privilege(r.oid, 'midwatch', 'usage') and has_table_privilege(r.oid, 'midwatch.runs', 'update') \
         and has_table_privilege(r.oid, 'midwatch.head', 'update') and has_table_privilege(r.oid, 'midwatch.events', 'insert'))",
        among.join(", ")
    );
    Verification { title: format!("{} may work with the journal", roles.join(", ")), sql, own: true }
}

pub(in crate::dialect::postgres) async fn may_install(
    tx: &mut dyn ReadTx,
    role: &str,
    pending: &[String],
) -> Result<Preflight> {
    let owner = "select pg_get_userbyid(n.nspowner)::text from pg_namespace n where n.nspname = 'midwatch'";
    let owner = tx.texts(&Sql::new(owner)).await?.into_iter().flatten().next();
    // A schema that is there is its owner's to change: no other privilege helps.
    let (question, yes, no) = if let Some(owner) = &owner {
        (
            "select pg_has_role(n.nspowner, 'usage')::text from pg_namespace n where n.nspname = 'midwatch'",
            format!("{role} owns schema midwatch"),
            format!("role {role} does not own schema midwatch: let its owner {owner} run this"),
        )
    } else if pending.is_empty() {
        return Ok(Preflight::new("privilege", Ready::Fail, "schema midwatch does not exist".to_owned()));
    } else {
        (
            "select has_database_privilege(current_database(), 'create')::text",
            format!("{role} may create the journal here"),
            format!(
                "role {role} may not create a schema: GRANT CREATE ON DATABASE, or let another role run this"
            ),
        )
    };
    let said = tx.texts(&Sql::new(question)).await?;
    let may = said.first().and_then(|t| t.as_deref()) == Some("true");
    let (ready, text) = if may { (Ready::Ok, yes) } else { (Ready::Fail, no) };
    Ok(Preflight::new("privilege", ready, text))
}

pub(in crate::dialect::postgres) async fn unknown_grantees(
    tx: &mut dyn ReadTx,
    roles: &[String],
) -> Result<Vec<String>> {
    let sql =
        "select r from unnest($1::text[]) r where not exists (select from pg_roles p where p.rolname = r)";
    let unknown = tx.texts(&Sql::new(sql).bind([Param::Texts(roles.to_vec())])).await?;
    Ok(unknown.into_iter().flatten().collect())
}

/// Records of the journal's own files that are not those of the files as they are.
pub(super) async fn altered_files(tx: &mut dyn ReadTx) -> Result<Vec<String>> {
    let mut expected = Vec::new();
    for (name, text) in FILES {
        let fingerprint = script::parse(text).map_err(|e| broken(name, &e))?.fingerprint;
        expected.extend([(*name).to_owned(), hex::encode(Sha256::digest(text.as_bytes())), fingerprint]);
    }
    // Only a journal with a signed entry must have all of them: an earlier version's is read as it is.
    let sql = "select format('the record of %s in midwatch.migrations is not that of the file', f.name) \
               from (select ($1::text[])[3 * n - 2], ($1::text[])[3 * n - 1], ($1::text[])[3 * n] \
               from generate_series(1, cardinality($1::text[]) / 3) n) f(name, checksum, normalised) \
               left join lateral (select count(*) as records, count(*) filter (where m.checksum = f.checksum and m.normalised = f.normalised) as same \
               from midwatch.migrations m where m.folder = 'midwatch' and m.file = f.name) m on true \
               where m.same <> m.records or m.records > 1 or m.records = 0 and exists (select from (values (null::text)) none(signature) \
               cross join lateral (select from midwatch.events where signature is not null limit 1) e) order by 1";
    let found = tx.texts(&Sql::new(sql).bind([Param::Texts(expected)])).await?;
    Ok(found.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_listed_and_ends_with_its_own_record() {
        let all: Vec<String> = FILES.iter().map(|(n, _)| (*n).to_owned()).collect();
        let install = install(&all, &[]).unwrap();
        assert!(install.statements()[0].starts_with("CREATE SCHEMA midwatch"));
        assert_eq!(install.steps.len(), FILES.len());
        for (step, (name, _)) in install.steps.iter().zip(FILES) {
            let last = step.statements.last().unwrap();
            assert!(last.starts_with("INSERT INTO midwatch.migrations") && last.contains(name), "{last}");
        }
    }
}
