//! Dumps of tables with all definitions of their database, restored from nothing into a private server and compared
//! before they are called backups.

use crate::engine::model::query::Sql;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use chrono::Utc;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::dialect::postgres::{Connection, PgReader};
use crate::disk;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::name::Relation;
use crate::engine::model::query::Param;
use crate::engine::port::backups::{Backups, Dump, Dumped};
use crate::engine::port::reader::{Fut, ReadOptions, ReadTx, Reader as _, Snapshot};
use crate::sandbox::postgres::definitions::Omitted;
use crate::sandbox::postgres::programs;
use crate::sandbox::postgres::rehearsal::SandboxCopies;
use crate::sandbox::postgres::restore::{Archive, NotMade, Part};
use crate::sandbox::postgres::server::blocking;

/// A table may take long to read.
const PATIENCE: std::time::Duration = std::time::Duration::from_hours(6);
/// What is larger is not restored in memory.
const IN_MEMORY: u64 = 64 << 20;

/// Backups of one target.
pub(in crate::sandbox) struct PgDump {
    copies: SandboxCopies,
    search_path: Vec<String>,
    place: Option<PathBuf>,
    database: String,
}

impl PgDump {
    /// `place`: where they go; absent: nothing on this machine says where.
    pub(in crate::sandbox) fn new(copies: SandboxCopies, database: String, place: Option<PathBuf>) -> Self {
        Self { search_path: copies.search_path.clone(), copies, place, database }
    }

    fn dir(&self) -> Result<&Path> {
        self.place.as_deref().ok_or_else(|| {
            Error::new(Class::Refused, "there is no place for backups")
                .hint("set BACKUP_DIR, or state_dir in midwatch.toml")
        })
    }

    async fn make(&self, dump: &Dump, run: &str) -> Result<Dumped> {
        let dir = self.dir()?.to_owned();
        disk::directory(&dir).map_err(|e| failed(&dir, "make", &e))?;
        let stamp = Utc::now().format("%Y%m%d_%H%M%S");
        let file = dir.join(format!("{}_run{run}_{stamp}.dump", self.database));
        let (contents, omitted) = self.consistent(dump, &file).await?;
        let (bytes, sha256) = sum(file.clone()).await?;
        let verified = if dump.verify {
            Some(self.restored(dump, (&file, bytes), &contents, &omitted).await?)
        } else {
            None
        };
        let rows = dump.tables.iter().cloned().zip(contents.iter().map(|c| c.rows)).collect();
        Ok(Dumped { file: file.display().to_string(), bytes, sha256, rows, verified })
    }

    /// Dumps the tables' rows in the snapshot in which they are summed, with all that they need to be made again. `pg_dump`
    /// copies tables and plans no query on them: it is the operator's. A sum is a query, for which functions of the tables'
    /// owners may run: it is made by who looks.
    async fn consistent(&self, dump: &Dump, file: &Path) -> Result<(Vec<Content>, Omitted)> {
        let reader = PgReader::new(self.copies.looking().clone());
        reader.set_search_path(&self.search_path);
        let omitted = self.copies.omitted(&dump.tables, true).await?;
        let mut tx = reader.begin(whole()).await?;
        let id = tx.texts(&Sql::new("select pg_export_snapshot()")).await?.pop().flatten();
        let id = id.ok_or_else(|| Error::unobserved("failed to export a snapshot for the backup"))?;
        let contents = contents(&mut *tx, &dump.tables).await?;
        // Made here, for the operator alone: pg_dump opens it, and makes none that others could read or have prepared.
        let part = disk::UnfinishedFile::beside(file).map_err(|e| failed(file, "write", &e))?;
        let (mut command, _passfile) = self.copies.reaching(&self.copies.binaries()?, "pg_dump")?;
        command.args(["--format=custom", "--no-subscriptions", "--lock-wait-timeout=5s"]);
        command.arg(format!("--snapshot={id}"));
        command.args(omitted.patterns.iter().map(|p| format!("--exclude-table={p}")));
        command.args(omitted.others.iter().map(|p| format!("--exclude-table-data={p}")));
        command.arg("--file").arg(part.place());
        programs::run(command, "dump the tables with pg_dump", PATIENCE).await?;
        part.keep().map_err(|e| failed(file, "write", &e))?;
        Ok((contents, omitted))
    }

    /// Restores it from nothing, and compares. What is in it is the target's: it runs as the tenant, who here alone reads
    /// past policies.
    async fn restored(
        &self,
        dump: &Dump,
        (file, bytes): (&Path, u64),
        dumped: &[Content],
        omitted: &Omitted,
    ) -> Result<String> {
        let server = self.copies.tenants(self.copies.binaries()?, bytes < IN_MEMORY, true).await?;
        let privileged = self.copies.privileged().await?;
        let archive = Archive { file, privileged: &privileged, patience: PATIENCE };
        let schemas = archive.restore(&server, Part::Schemas).await?;
        server.open_schemas().await?;
        let rest = archive.restore(&server, Part::Rest).await?;
        let trouble = RestoreErrors::among(schemas.not_made.iter().chain(&rest.not_made));
        let facts = PgReader::new(Connection::new(Some(server.url().expose()))?);
        facts.set_search_path(&self.search_path);
        let mut tx = facts.begin(whole()).await?;
        let restored = contents(&mut *tx, &dump.tables).await.map_err(|e| trouble.context(file, e))?;
        for ((table, was), is) in dump.tables.iter().zip(dumped).zip(&restored) {
            if let Some(how) = was.differs(is) {
                let what = format!("the backup {} is not what was dumped: {table} {how}", file.display());
                return Err(trouble.context(file, Error::new(Class::Failed, what)));
            }
        }
        let parts = restored.iter().map(|c| c.parts.len()).sum::<usize>();
        let mut proof = format!(
            "restored from nothing into a private PostgreSQL {}: rows, sums and {parts} columns, indexes, constraints and triggers equal",
            server.version()
        );
        if trouble.orphans > 0 {
            let _ = write!(proof, "; {} foreign keys to rows that are not in it not tried", trouble.orphans);
        }
        if let Some(first) = &trouble.first {
            let others = trouble.all - trouble.orphans;
            let _ = write!(proof, "; {others} other objects could not be made there ({first})");
        }
        let without: Vec<_> =
            [&omitted.said, &server.left_out, &rest.left_out].into_iter().flatten().cloned().collect();
        if !without.is_empty() {
            let _ = write!(proof, "; without {}", without.join(" and "));
        }
        Ok(proof)
    }
}

/// What `pg_restore` could not make.
#[derive(Debug, Default, PartialEq, Eq)]
struct RestoreErrors {
    all: usize,
    /// Of these, foreign keys whose rows are elsewhere.
    orphans: usize,
    first: Option<String>,
}

impl RestoreErrors {
    fn among<'e>(errors: impl Iterator<Item = &'e NotMade>) -> Self {
        let mut out = Self::default();
        for error in errors {
            out.all += 1;
            if error.is_orphan() {
                out.orphans += 1;
            } else if out.first.is_none() {
                out.first = Some(error.why.clone());
            }
        }
        out
    }

    fn context(&self, file: &Path, e: Error) -> Error {
        match &self.first {
            Some(first) => {
                let more = self.all - self.orphans - 1;
                let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
                Error::new(Class::Failed, format!("{}; restoring it said: {first}{more}", e.message)).hint(
                    format!("{} is kept; --set backup=unverified goes on with it as it is", file.display()),
                )
            }
            None => e,
        }
    }
}

fn whole() -> ReadOptions {
    ReadOptions { snapshot: Snapshot::Transaction, timeout: Some(PATIENCE), ..ReadOptions::default() }
}

/// What tells a table from another, the same on any server: by the rows' text, since hashes of values differ from one
/// major version to another, and by name, since definitions are written differently. `t.*` is the whole row, which `t` is
/// not where a column has that name, and an output function writes it: a cast to text may be one that the table's owner made.
const CONTENT: &str = "
select json_build_object(
  'rows', (select count(*) from TABLE),
  'sum', (select coalesce(sum(('x' || substr(md5(format('%s', t.*)), 1, 15))::bit(60)::bigint), 0)::text from TABLE t),
  'parts', array(
    select format('column %s %s', a.attname, format_type(a.atttypid, a.atttypmod)) from pg_attribute a
    where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    union select format('index %s', i.indexrelid::regclass) from pg_index i where i.indrelid = r.oid
    union select format('constraint %s', k.conname) from pg_constraint k where k.conrelid = r.oid and k.contype in ('p', 'u', 'c', 'x')
    union select format('trigger %s', g.tgname) from pg_trigger g where g.tgrelid = r.oid and not g.tgisinternal
    order by 1))::text
from (select to_regclass($1)::oid as oid) r";

#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
struct Content {
    rows: u64,
    sum: String,
    parts: Vec<String>,
}

impl Content {
    fn differs(&self, other: &Self) -> Option<String> {
        if (self.rows, &self.sum) != (other.rows, &other.sum) {
            return Some(format!("had {} rows, restored {}, or they differ", self.rows, other.rows));
        }
        let lacking: Vec<_> = self.parts.iter().filter(|p| !other.parts.contains(p)).cloned().collect();
        (!lacking.is_empty()).then(|| format!("lacks {}", lacking.join(", ")))
    }
}

async fn contents(tx: &mut dyn ReadTx, tables: &[String]) -> Result<Vec<Content>> {
    let mut out = Vec::new();
    for table in tables {
        let relation = Relation::parse(table).to_string();
        let sql = CONTENT.replace("TABLE", &relation);
        let text = tx
            .texts(&Sql::over_rows(&sql).bind([Param::from(relation.as_str())]))
            .await?
            .pop()
            .flatten()
            .unwrap_or_default();
        out.push(
            serde_json::from_str(&text)
                .map_err(|e| Error::unobserved(format!("failed to sum {table}: {e}")))?,
        );
    }
    Ok(out)
}

fn failed(path: &Path, what: &str, e: &std::io::Error) -> Error {
    Error::new(Class::Failed, format!("failed to {what} {}: {e}", path.display()))
}

/// Size and digest of a file.
async fn sum(file: PathBuf) -> Result<(u64, String)> {
    blocking(move || {
        let mut open = std::fs::File::open(&file).map_err(|e| failed(&file, "open", &e))?;
        let (mut sum, mut bytes, mut page) = (Sha256::new(), 0, vec![0; 1 << 16]);
        loop {
            let n = open.read(&mut page).map_err(|e| failed(&file, "read", &e))?;
            if n == 0 {
                return Ok((bytes, hex::encode(sum.finalize())));
            }
            bytes += n as u64;
            sum.update(page.get(..n).unwrap_or_default());
        }
    })
    .await
}

impl Backups for PgDump {
    fn dump<'a>(&'a self, dump: &'a Dump, run: &'a str) -> Fut<'a, Result<Dumped>> {
        Box::pin(self.make(dump, run))
    }

    fn place(&self) -> Result<String> {
        Ok(self.dir()?.display().to_string())
    }

    fn free(&self) -> Option<u64> {
        let dir = self.place.as_deref()?.ancestors().find(|d| d.exists())?;
        let found = rustix::fs::statvfs(dir).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }

    fn intact<'a>(&'a self, made: &'a Dumped) -> Fut<'a, Result<()>> {
        Box::pin(async move {
            let (_, sha256) = sum(PathBuf::from(&made.file)).await?;
            if sha256 == made.sha256 {
                return Ok(());
            }
            Err(Error::new(Class::Refused, format!("the backup {} is not as it was made", made.file)))
        })
    }
}
