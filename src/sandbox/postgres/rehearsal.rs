//! Copies of a target on a server of our own: its definitions by `pg_dump`, rows where they are wanted.

use std::fmt::Write as _;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::dialect::postgres::owner::Owner;
use crate::dialect::postgres::{Connection, PgReader};
use crate::engine::model::error::{Error, Result};
use crate::engine::model::name::{Ident, Relation};
use crate::engine::model::secret::Secret;
use crate::engine::port::copies::{Copies, CopyRequest, Rows, TargetCopy};
use crate::engine::port::reader::{Fut, Reader};
use crate::sandbox::Binaries;
use crate::sandbox::account::Account;
use crate::sandbox::confine::{Confinement, Walls};
use crate::sandbox::postgres::binaries::Version;
use crate::sandbox::postgres::passfile::PassFile;
use crate::sandbox::postgres::restore::{Archive, NotMade, Part, Privileged, Restored};
use crate::sandbox::postgres::tenant::TenantServer;

/// Definitions and samples are small: what takes longer hangs. The same for a statement in a copy.
pub(super) const PATIENCE: Duration = Duration::from_mins(10);
/// What could not be made, as far as it is told.
const TOLD: usize = 10;

/// Copies of one target.
#[derive(Clone)]
pub struct SandboxCopies {
    pub(super) target: Connection,
    /// The login of who looks, where that is another role.
    looking: Option<Connection>,
    pub(super) version: String,
    pub(super) search_path: Vec<String>,
    /// Extensions that the operator allows beside the trusted ones.
    pub(super) extensions: Vec<String>,
}

impl SandboxCopies {
    /// Of the database that this connection reaches, and whose rows the other one reads, where it is given; does not
    /// connect yet.
    pub fn new(
        target: Connection,
        looking: Option<Connection>,
        version: String,
        search_path: Vec<String>,
        extensions: Vec<String>,
    ) -> Self {
        Self { target, looking, version, search_path, extensions }
    }

    /// Reads rows of the target.
    pub(super) fn looking(&self) -> &Connection {
        self.looking.as_ref().unwrap_or(&self.target)
    }

    /// A `pg_dump` reads servers of its own major and older ones, and only a mended one those of others.
    pub(super) fn binaries(&self) -> Result<Binaries> {
        let binaries = Binaries::find()?;
        let here = binaries.version;
        let variable = crate::sandbox::postgres::find::VARIABLE;
        if !here.is_mended() {
            let text = format!(
                "failed to copy the target: the pg_dump here is {here}, in which a hostile server could plant commands \
                 (CVE-2025-8714, CVE-2025-8715)"
            );
            return Err(Error::unobserved(text).hint(format!(
                "install 13.22, 14.19, 15.14, 16.10, 17.6, 18 or newer, or set {variable} to the directory of its binaries"
            )));
        }
        match Version::parse(&self.version) {
            Some(server) if server.major > here.major => Err(Error::unobserved(format!(
                "failed to copy the target: it is PostgreSQL {}, and the pg_dump here is {here}",
                self.version
            ))
            .hint(format!(
                "install PostgreSQL {0} here, or set {variable} to the directory of its binaries",
                server.major
            ))),
            _ => Ok(binaries),
        }
    }

    pub(super) async fn make(&self, copy: &CopyRequest, memory: bool) -> Result<MadeCopy> {
        let binaries = self.binaries()?;
        if binaries.version.major < LEAST_MAJOR {
            let text = format!(
                "failed to copy the target: the PostgreSQL here is {}, in which only a superuser can silence triggers",
                binaries.version
            );
            return Err(Error::unobserved(text).hint("install PostgreSQL 15 or newer here"));
        }
        let server = self.tenants(binaries, memory, false).await?;
        let omitted = self.omitted(&copy.relations, false).await?;
        let privileged = self.privileged().await?;
        let file = server.files().join("definitions.dump");
        self.dump(server.binaries(), &omitted, &file).await?;
        let archive = Archive { file: &file, privileged: &privileged, patience: PATIENCE };
        let mut restored = archive.restore(&server, Part::Schemas).await?;
        server.open_schemas().await?;
        restored.add(archive.restore(&server, Part::BeforeRows).await?);
        let mut owner = self.session(&server).await?;
        if let Some(instead) = omitted.instead() {
            owner.execute_script(&instead).await?;
        }
        needed(&mut owner, copy, &restored.not_made).await?;
        let mut counts = vec![];
        if let Rows::Sample(limit) = copy.rows {
            counts = self.rows(&mut owner, copy, limit).await?;
        }
        // Triggers come after the rows: those of replica mode would fire for them.
        restored.add(archive.restore(&server, Part::AfterRows).await?);
        restored.forget_ours(&privileged);
        owner.execute_script(UNBIND).await?;
        let facts = PgReader::new(Connection::new(Some(server.url().expose()))?);
        facts.set_search_path(&self.search_path);
        let untried = self.untried(&facts, copy, &restored).await?;
        let mut lacks = omitted.said;
        lacks.extend(server.left_out.iter().cloned());
        lacks.extend(restored.left_out.iter().cloned());
        let mut said = format!("definitions by pg_dump {}", server.version());
        if !lacks.is_empty() {
            let _ = write!(said, " without {}", lacks.join(" and "));
        }
        add_errors(&mut said, copy, &restored.not_made);
        lacks.extend(named(&restored.not_made));
        if !counts.is_empty() {
            let _ = write!(said, "; rows: {}", counts.join(", "));
        }
        Ok(MadeCopy {
            facts: Arc::new(facts),
            owner: Mutex::new(owner),
            said,
            lacks,
            untried,
            path: self.path(),
            server,
        })
    }

    /// The tenant's session, with the target's search path.
    async fn session(&self, server: &TenantServer) -> Result<Owner> {
        let mut owner = server.session().await?;
        owner.execute_script(&format!("set search_path = {}", self.path())).await?;
        Ok(owner)
    }

    fn path(&self) -> String {
        let path: Vec<_> = self.search_path.iter().map(|s| Ident(s).to_string()).collect();
        path.join(", ")
    }

    /// A program that reaches the target, and the file with its passwords, kept until the program has ended.
    pub(super) fn reaching(&self, binaries: &Binaries, program: &str) -> Result<(Command, PassFile)> {
        let mut command = binaries.command(program);
        command.envs(self.target.libpq()).env("PGAPPNAME", "midwatch/rehearsal");
        command.env("PGCONNECT_TIMEOUT", "10");
        command.envs(std::env::var_os("HOME").map(|home| ("HOME", home)));
        let passfile = PassFile::new(&self.target.passwords()?)?;
        command.env("PGPASSFILE", passfile.path());
        // Under our own account: the keys and the name that the target knows are the operator's.
        let confinement = Confinement::here(Account::for_servers()?.as_ref());
        Ok((confinement.around(&command, Walls::Client), passfile))
    }
}

/// From here on a role may be allowed to silence triggers without being a superuser.
const LEAST_MAJOR: u32 = 15;

/// The tenant has the rights of tables' owners, whom policies bind where they are forced. A superuser was never bound.
const UNBIND: &str = "
do $$ declare t regclass; begin
  for t in select c.oid from pg_class c where c.relforcerowsecurity
  loop execute format('alter table %s no force row level security', t); end loop;
end $$";

/// Without these the copy is of no use.
async fn needed(owner: &mut Owner, copy: &CopyRequest, errors: &[NotMade]) -> Result<()> {
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
    let first = errors.first().map_or_else(|| "the dump does not have them".to_owned(), |e| e.why.clone());
    Err(Error::unobserved(format!("failed to copy {} into the sandbox: {first}", missing.join(", "))).hint(
        "an extension that this machine lacks, or that a copy may not have? install its packages beside PostgreSQL, \
         or name it in sandbox_extensions",
    ))
}

fn add_errors(said: &mut String, copy: &CopyRequest, errors: &[NotMade]) {
    if errors.is_empty() {
        return;
    }
    let _ = write!(said, "; {} objects could not be made", errors.len());
    if copy.whole_schema {
        let shown = errors.iter().take(TOLD).map(|e| e.why.clone()).collect::<Vec<_>>();
        let more = errors.len() - shown.len();
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        let _ = write!(said, " ({}{more})", shown.join("; "));
    }
}

/// What failed, named among what the copy is without.
fn named(errors: &[NotMade]) -> Option<String> {
    let first = errors.first()?;
    let more = errors.len() - 1;
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!("{}{more}, which could not be made ({})", first.entry, first.why))
}

impl Restored {
    fn add(&mut self, other: Self) {
        self.left_out.extend(other.left_out);
        self.event_triggers.extend(other.event_triggers);
        self.not_made.extend(other.not_made);
    }

    /// Our own schema is left out, and so are the triggers that run its functions. A sample's rows may refer to rows that it
    /// left out.
    fn forget_ours(&mut self, known: &Privileged) {
        self.not_made.retain(|e| !e.marks(known) && !e.is_orphan());
    }
}

/// The server stops and its directory goes when this is dropped.
pub(super) struct MadeCopy {
    facts: Arc<PgReader>,
    owner: Mutex<Owner>,
    said: String,
    lacks: Vec<String>,
    untried: Vec<String>,
    path: String,
    server: TenantServer,
}

/// A copy for whoever needs its server, too: it ends with this.
pub struct Private(MadeCopy);

impl Private {
    /// For clients: the tenant's, with its password.
    pub fn url(&self) -> Secret {
        self.0.server.url()
    }

    /// A place for files that go with it.
    pub fn scratch(&self) -> std::path::PathBuf {
        self.0.server.files().join("scratch")
    }

    /// Owners of things may make them in schemas that came later, too: the functions of a switchover become theirs.
    pub async fn open_schemas(&self) -> Result<()> {
        self.0.server.open_schemas().await
    }

    /// What was copied, and what could not be.
    pub fn copied(&self) -> String {
        self.0.said.clone()
    }

    /// A session of the tenant, with the target's search path.
    pub(super) async fn owner(&self) -> Result<Owner> {
        let mut owner = self.0.server.session().await?;
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
        Box::pin(async move {
            let mut owner = self.owner.lock().await;
            // Theirs may never end, and may take away whatever limit the session has.
            match tokio::time::timeout(PATIENCE, owner.execute_script(sql)).await {
                Ok(done) => done,
                Err(_) => Err(Error::unobserved(format!(
                    "failed to run a script in the copy: not done within {} s",
                    PATIENCE.as_secs()
                ))),
            }
        })
    }

    fn summary(&self) -> &str {
        &self.said
    }

    fn lacks(&self) -> &[String] {
        &self.lacks
    }

    fn untried(&self) -> &[String] {
        &self.untried
    }
}
