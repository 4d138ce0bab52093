//! Copies of a target on a server of our own: its definitions by `pg_dump`, rows where they are wanted.

use crate::engine::model::query::Sql;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Mutex;

use crate::dialect::postgres::owner::Owner;
use crate::dialect::postgres::{Connection, PgReader};
use crate::disk;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::name::{Ident, Relation};
use crate::engine::model::query::Param;
use crate::engine::port::copies::{Copies, CopyRequest, Rows, TargetCopy};
use crate::engine::port::reader::{Fut, ReadOptions, Reader};
use crate::sandbox::postgres::binaries::Version;
use crate::sandbox::postgres::passfile::PassFile;
use crate::sandbox::{Binaries, Options, Server};

/// The copy's database.
pub(super) const DATABASE: &str = "rehearsal";
/// Definitions and samples are small: what takes longer hangs.
const PATIENCE: Duration = Duration::from_mins(10);
/// More rows than these of a relation are no sample any more: they take their time.
const MANY: u64 = 100_000;
/// And it may be this long.
const LONG: Duration = Duration::from_hours(6);
/// One statement of a sample.
const STATEMENT: Duration = Duration::from_mins(1);
/// What could not be made, as far as it is told.
const TOLD: usize = 10;

/// Copies of one target.
pub struct SandboxCopies {
    pub(super) target: Connection,
    version: String,
    pub(super) search_path: Vec<String>,
}

impl SandboxCopies {
    /// Of the database that this connection reaches; does not connect yet.
    pub fn new(target: Connection, version: String, search_path: Vec<String>) -> Self {
        Self { target, version, search_path }
    }

    /// A `pg_dump` reads servers of its own major and older ones.
    pub(super) fn binaries(&self) -> Result<Binaries> {
        let binaries = Binaries::find()?;
        match Version::parse(&self.version) {
            Some(server) if server.major > binaries.version.major => Err(Error::unobserved(format!(
                "failed to copy the target: it is PostgreSQL {}, and the pg_dump here is {}",
                self.version, binaries.version
            ))
            .hint(format!(
                "install PostgreSQL {0} here, or set {1} to the directory of its binaries",
                server.major,
                crate::sandbox::postgres::find::VARIABLE
            ))),
            _ => Ok(binaries),
        }
    }

    /// A server with the target's roles and nothing in it.
    pub(super) async fn empty(&self, memory: bool) -> Result<Server> {
        // There are few rows: compiling a statement over thousands of partitions takes longer than running it.
        let settings = [("max_locks_per_transaction", "1024"), ("jit", "off")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let options = Options { memory, binaries: Some(self.binaries()?), settings, ..Options::default() };
        let server = Server::start(options).await?;
        server.create_database(DATABASE, None).await?;
        self.roles(&server).await?;
        Ok(server)
    }

    pub(super) async fn make(&self, copy: &CopyRequest, memory: bool) -> Result<MadeCopy> {
        let server = self.empty(memory).await?;
        let omitted = self.omitted(&copy.relations, false).await?;
        let mut said = format!("definitions by pg_dump {}", server.version());
        if !omitted.said.is_empty() {
            let _ = write!(said, " without {}", omitted.said.join(" and "));
        }
        let mut errors = self.definitions(&server, "pre-data", &omitted).await?;
        let mut owner = server.owner(DATABASE).await?;
        if let Some(instead) = omitted.instead() {
            owner.execute_script(&instead).await?;
        }
        owner.execute_script(&format!("set search_path = {}", self.path())).await?;
        needed(&mut owner, copy, &errors).await?;
        let url = server.url(DATABASE);
        let mut counts = vec![];
        if let Rows::Sample(limit) = copy.rows {
            counts = self.rows(&server, &mut owner, copy, limit).await?;
        }
        // Triggers come after the rows: those of replica mode would fire for them.
        errors.extend(self.definitions(&server, "post-data", &omitted).await?);
        add_errors(&mut said, copy, &errors);
        if !counts.is_empty() {
            let _ = write!(said, "; rows: {}", counts.join(", "));
        }
        let reader = PgReader::new(Connection::new(Some(&url))?);
        reader.set_search_path(&self.search_path);
        Ok(MadeCopy {
            facts: Arc::new(reader),
            owner: Mutex::new(owner),
            said,
            omitted: omitted.said,
            path: self.path(),
            server,
        })
    }

    fn path(&self) -> String {
        let path: Vec<_> = self.search_path.iter().map(|s| Ident(s).to_string()).collect();
        path.join(", ")
    }

    /// A program that reaches the target, and the file with its password, kept until the program has ended.
    pub(super) fn reaching(&self, binaries: &Binaries, program: &str) -> Result<(Command, Option<PassFile>)> {
        let mut command = binaries.command(program);
        command.envs(self.target.libpq()).env("PGAPPNAME", "midwatch/rehearsal");
        command.env("PGCONNECT_TIMEOUT", "10");
        command.envs(std::env::var_os("HOME").map(|home| ("HOME", home)));
        let passfile = self.target.password().as_ref().map(PassFile::new).transpose()?;
        command.envs(passfile.as_ref().map(|file| ("PGPASSFILE", file.path())));
        Ok((command, passfile))
    }

    /// Copies the samples, all of one snapshot; how many rows each relation got.
    async fn rows(
        &self,
        server: &Server,
        owner: &mut Owner,
        copy: &CopyRequest,
        limit: u64,
    ) -> Result<Vec<String>> {
        let target = PgReader::new(self.target.clone());
        target.set_search_path(&self.search_path);
        let mut shapes = Vec::new();
        for relation in &copy.relations {
            let mut tx = target.begin(ReadOptions::default()).await?;
            let name = Relation::parse(relation).to_string();
            let shape: Shape = tx.one(&Sql::new(SHAPE).bind([Param::from(name.as_str())])).await?;
            shapes.push((name, shape));
        }
        let (patience, statement) = if limit > MANY { (LONG, LONG) } else { (PATIENCE, STATEMENT) };
        let (mut out, mut into) = (self.session(statement), String::new());
        let _ = writeln!(into, "set search_path = {}; set session_replication_role = replica;", self.path());
        for (i, ((name, shape), relation)) in shapes.iter().zip(&copy.relations).enumerate() {
            let file = server.files().join(format!("rows-{i}"));
            let (file, columns) = (quoted(&file), list(&shape.columns));
            let _ =
                writeln!(out, "copy ({}) to stdout \\g {file}", sample(copy, relation, name, shape, limit));
            let _ = writeln!(into, "\\copy {name} ({columns}) from {file}");
        }
        let (mut psql, _passfile) = self.reaching(server.binaries(), "psql")?;
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "--file"]).arg(script(server, "out.sql", &out)?);
        run_for(psql, "copy rows of the target", patience).await?;
        let mut psql = inside(server);
        psql.args(["-v", "ON_ERROR_STOP=1", "--file"]).arg(script(server, "into.sql", &into)?);
        run_for(psql, "load rows into the sandbox", patience).await?;
        let mut counts = Vec::new();
        for (name, _) in &shapes {
            let count = owner.fetch_value(&format!("select count(*)::text from {name}"), &[]).await?;
            counts.push(format!("{} of {name}", count.unwrap_or_default()));
        }
        Ok(counts)
    }

    fn session(&self, statement: Duration) -> String {
        format!(
            "begin isolation level repeatable read read only; set local search_path = {}; set local row_security = off; \
             set local statement_timeout = '{}s'; set local lock_timeout = '5s';\n",
            self.path(),
            statement.as_secs()
        )
    }
}

#[derive(Deserialize)]
struct Shape {
    columns: Vec<String>,
    key: Vec<String>,
}

const SHAPE: &str = "
select array(select a.attname::text from pg_attribute a
             where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
             order by a.attnum) as columns,
       array(select a.attname::text from pg_index i, unnest(i.indkey::int2[]) with ordinality k(n, o)
             join pg_attribute a on a.attrelid = to_regclass($1) and a.attnum = k.n
             where i.indrelid = to_regclass($1) and i.indisprimary order by k.o) as key";

fn list(columns: &[String]) -> String {
    columns.iter().map(|c| Ident(c).to_string()).collect::<Vec<_>>().join(", ")
}

fn sample(copy: &CopyRequest, relation: &str, name: &str, shape: &Shape, limit: u64) -> String {
    let columns = list(&shape.columns);
    if let Some(follow) = copy.follow.iter().find(|f| f.relation == relation) {
        let (key, like) = (list(&follow.key), Relation::parse(&follow.like));
        let keys = format!("select {key} from {like} order by {key} limit {limit}");
        return format!("select {columns} from {name} where ({key}) in ({keys})");
    }
    let leads = copy.follow.iter().find(|f| f.like == relation).map_or(&shape.key, |f| &f.key);
    let order = if leads.is_empty() { String::new() } else { format!(" order by {}", list(leads)) };
    format!("select {columns} from {name}{order} limit {limit}")
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "''"))
}

fn script(server: &Server, name: &str, text: &str) -> Result<std::path::PathBuf> {
    let path = server.files().join(name);
    disk::save(&path, text.as_bytes())
        .map_err(|e| Error::unobserved(format!("failed to write {}: {e}", path.display())))?;
    Ok(path)
}

/// `psql` on the copy.
pub(super) fn inside(server: &Server) -> Command {
    let mut psql = server.binaries().command("psql");
    psql.args(["-X", "-q", "--dbname"])
        .arg(server.url(DATABASE))
        .env("PGOPTIONS", "-c client_min_messages=error");
    psql
}

/// What it said on stderr. It ends with the future that waits for it.
pub(super) async fn run(command: Command, what: &str) -> Result<String> {
    run_for(command, what, PATIENCE).await
}

pub(super) async fn run_for(command: Command, what: &str, patience: Duration) -> Result<String> {
    let (done, said) = ran(command, what, patience).await?;
    if done {
        return Ok(said);
    }
    let told: Vec<&str> = said.lines().filter(|l| !l.trim().is_empty()).take(4).collect();
    Err(Error::unobserved(format!("failed to {what}: {}", told.join(" · "))))
}

/// Whether it ended well, and what it said on stderr.
pub(super) async fn ran(mut command: Command, what: &str, patience: Duration) -> Result<(bool, String)> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut command = tokio::process::Command::from(command);
    let output = tokio::time::timeout(patience, command.kill_on_drop(true).output()).await;
    let output = output
        .map_err(|_| {
            Error::unobserved(format!("failed to {what}: not done within {} s", patience.as_secs()))
        })?
        .map_err(|e| Error::unobserved(format!("failed to {what}: {e}")))?;
    Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// Without these the copy is of no use.
async fn needed(owner: &mut Owner, copy: &CopyRequest, errors: &[String]) -> Result<()> {
    let mut missing = Vec::new();
    for relation in &copy.relations {
        let name = Relation::parse(relation).to_string();
        let there = owner.fetch_value("select to_regclass($1)::text", &[&name]).await?;
        if there.is_none() {
            missing.push(relation.as_str());
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let first = errors.first().map_or_else(|| "the dump does not have them".to_owned(), Clone::clone);
    Err(Error::unobserved(format!("failed to copy {} into the sandbox: {first}", missing.join(", ")))
        .hint("an extension that this machine lacks? its packages must be installed beside PostgreSQL"))
}

fn add_errors(said: &mut String, copy: &CopyRequest, errors: &[String]) {
    if errors.is_empty() {
        return;
    }
    let _ = write!(said, "; {} objects could not be made", errors.len());
    if copy.whole_schema {
        let shown = errors.iter().take(TOLD).cloned().collect::<Vec<_>>();
        let more = errors.len() - shown.len();
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        let _ = write!(said, " ({}{more})", shown.join("; "));
    }
}

/// The server stops and its directory goes when this is dropped.
pub(super) struct MadeCopy {
    facts: Arc<PgReader>,
    owner: Mutex<Owner>,
    said: String,
    omitted: Vec<String>,
    path: String,
    server: Server,
}

impl MadeCopy {
    pub(super) fn url(&self) -> String {
        self.server.url(DATABASE)
    }
}

/// A copy for whoever needs its server, too: it ends with this.
pub struct Private(MadeCopy);

impl Private {
    /// For clients.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// A place for files that go with it.
    pub fn scratch(&self) -> std::path::PathBuf {
        self.0.server.files().join("scratch")
    }

    /// What was copied, and what could not be.
    pub fn copied(&self) -> String {
        self.0.said.clone()
    }

    /// An unrestricted session, with the target's search path.
    pub(super) async fn owner(&self) -> Result<Owner> {
        let mut owner = self.0.server.owner(DATABASE).await?;
        owner.execute_script(&format!("set search_path = {}", self.0.path)).await?;
        Ok(owner)
    }
}

impl SandboxCopies {
    /// A copy with its server; in memory if it is small.
    pub async fn private(&self, copy: &CopyRequest, memory: bool) -> Result<Private> {
        Ok(Private(self.make(copy, memory).await?))
    }
}

impl Copies for SandboxCopies {
    fn open<'a>(&'a self, copy: &'a CopyRequest) -> Fut<'a, Result<Box<dyn TargetCopy>>> {
        Box::pin(async move { Ok(Box::new(self.make(copy, true).await?) as Box<dyn TargetCopy>) })
    }
}

impl TargetCopy for MadeCopy {
    fn facts(&self) -> Arc<dyn Reader> {
        Arc::clone(&self.facts) as Arc<dyn Reader>
    }

    fn execute<'a>(&'a self, sql: &'a str) -> Fut<'a, Result<()>> {
        Box::pin(async move { self.owner.lock().await.execute_script(sql).await })
    }

    fn summary(&self) -> &str {
        &self.said
    }

    fn lacks(&self) -> &[String] {
        &self.omitted
    }
}
