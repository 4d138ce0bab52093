//! Dumps of tables, each restored into a private server and compared before it is called a backup.

use std::io::Read as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use chrono::Utc;
use sha2::{Digest as _, Sha256};

use super::rehearsal::{self, Copies};
use super::server::blocking;
use crate::db::postgres::{Connection, Reader};
use crate::engine::ident::Relation;
use crate::engine::ports::{Facts, Fut, ReadOptions, ReadTx, Snapshot};
use crate::engine::rehearsal::{Copy, Rehearsal as _};
use crate::engine::switch::{Backups, Dump, Dumped};
use crate::engine::{Class, Error, Result};

/// A table may take long to read.
const PATIENCE: std::time::Duration = std::time::Duration::from_hours(6);
/// What is larger is not restored in memory.
const IN_MEMORY: u64 = 64 << 20;

/// Backups of one target.
pub struct Dumps {
    target: Connection,
    copies: Copies,
    search_path: Vec<String>,
    place: Option<PathBuf>,
    database: String,
}

/// Rows and their sum, the same on any server.
type Content = (u64, String);

impl Dumps {
    /// `place`: where they go; absent: nothing on this machine says where.
    pub fn new(
        target: Connection,
        version: String,
        search_path: Vec<String>,
        database: String,
        place: Option<PathBuf>,
    ) -> Self {
        let copies = Copies::new(target.clone(), version, search_path.clone());
        Self { target, copies, search_path, place, database }
    }

    fn dir(&self) -> Result<&Path> {
        self.place.as_deref().ok_or_else(|| {
            Error::new(Class::Refused, "there is no place for backups")
                .hint("set BACKUP_DIR, or state_dir in midwatch.toml")
        })
    }

    async fn make(&self, dump: &Dump, run: &str) -> Result<Dumped> {
        let dir = self.dir()?.to_owned();
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(|e| failed(&dir, "make", &e))?;
        let stamp = Utc::now().format("%Y%m%d_%H%M%S");
        let file = dir.join(format!("{}_run{run}_{stamp}.dump", self.database));
        let (contents, ()) = self.consistent(dump, &file).await?;
        let (bytes, sha256) = sum(file.clone()).await?;
        let verified =
            if dump.verify { Some(self.restored(dump, &file, bytes, &contents).await?) } else { None };
        let rows = dump.tables.iter().cloned().zip(contents.iter().map(|c| c.0)).collect();
        Ok(Dumped { file: file.display().to_string(), bytes, sha256, rows, verified })
    }

    /// Dumps the tables in the snapshot in which they are summed.
    async fn consistent(&self, dump: &Dump, file: &Path) -> Result<(Vec<Content>, ())> {
        let reader = Reader::new(self.target.clone());
        reader.set_search_path(&self.search_path);
        let mut tx = reader.begin(whole()).await?;
        let id = tx.texts("select pg_export_snapshot()", &[]).await?.pop().flatten();
        let id = id.ok_or_else(|| Error::unobserved("failed to export a snapshot for the backup"))?;
        let contents = contents(&mut *tx, &dump.tables).await?;
        let part = file.with_extension("partial");
        let mut command = self.copies.reaching(&self.copies.binaries()?, "pg_dump");
        command.args(["--format=custom", "--no-owner", "--lock-wait-timeout=5s"]);
        command.arg(format!("--snapshot={id}"));
        for table in &dump.tables {
            command.arg(format!("--table={}", Relation::parse(table)));
        }
        command.arg("--file").arg(&part);
        let done = rehearsal::run_for(command, "dump the tables with pg_dump", PATIENCE).await;
        let kept = done.and_then(|_| keep(&part, file));
        if kept.is_err() {
            let _ = std::fs::remove_file(&part);
        }
        Ok((contents, kept?))
    }

    /// Restores it beside definitions of now, and compares.
    async fn restored(&self, dump: &Dump, file: &Path, bytes: u64, dumped: &[Content]) -> Result<String> {
        let wanted = Copy { relations: dump.tables.clone(), ..Copy::default() };
        let made = self.copies.make(&wanted, bytes < IN_MEMORY).await?;
        let mut restore = made.server().binaries().command("pg_restore");
        restore.args(["--data-only", "--disable-triggers", "--exit-on-error", "--no-owner", "--dbname"]);
        restore.arg(made.url()).arg(file);
        rehearsal::run_for(restore, "restore the backup into a private server", PATIENCE).await?;
        let facts = made.facts();
        let mut tx = facts.begin(whole()).await?;
        let restored = contents(&mut *tx, &dump.tables).await?;
        for ((table, was), is) in dump.tables.iter().zip(dumped).zip(&restored) {
            if was != is {
                let what = format!(
                    "the backup {} is not what was dumped: {table} had {} rows, restored {}, or they differ",
                    file.display(),
                    was.0,
                    is.0
                );
                return Err(Error::new(Class::Failed, what));
            }
        }
        let server = made.server().version();
        Ok(format!("restored into a private PostgreSQL {server}: rows and sums equal"))
    }
}

fn whole() -> ReadOptions {
    ReadOptions { snapshot: Snapshot::Transaction, timeout: Some(PATIENCE), ..ReadOptions::default() }
}

/// By the rows' text: hashes of values differ from one major version to another.
async fn contents(tx: &mut dyn ReadTx, tables: &[String]) -> Result<Vec<Content>> {
    let mut out = Vec::new();
    for table in tables {
        let sql = format!(
            "select json_build_array(count(*), coalesce(sum(('x' || substr(md5(t::text), 1, 15))::bit(60)::bigint), 0)::text)::text \
             from {} t",
            Relation::parse(table)
        );
        let text = tx.texts(&sql, &[]).await?.pop().flatten().unwrap_or_default();
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

/// Under its own name only when it is whole and on the disk.
fn keep(part: &Path, file: &Path) -> Result<()> {
    let open = std::fs::File::open(part).map_err(|e| failed(part, "open", &e))?;
    open.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(|e| failed(part, "protect", &e))?;
    open.sync_all().map_err(|e| failed(part, "write", &e))?;
    std::fs::rename(part, file).map_err(|e| failed(file, "name", &e))
}

/// Size and digest of a file.
async fn sum(file: PathBuf) -> Result<(u64, String)> {
    blocking(move || {
        let mut open = std::fs::File::open(&file).map_err(|e| failed(&file, "open", &e))?;
        let (mut sum, mut bytes, mut page) = (Sha256::new(), 0, vec![0; 1 << 16]);
        loop {
            let n = open.read(&mut page).map_err(|e| failed(&file, "read", &e))?;
            if n == 0 {
                return Ok((bytes, format!("{:x}", sum.finalize())));
            }
            bytes += n as u64;
            sum.update(&page[..n]);
        }
    })
    .await
}

impl Backups for Dumps {
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
