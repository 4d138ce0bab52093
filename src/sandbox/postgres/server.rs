//! A private PostgreSQL server: from nothing to ready in under a second, gone without a trace.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::dialect::postgres::owner::{Login, Owner, quote};
use crate::engine::model::error::{Error, Result};
use crate::engine::model::secret::Secret;
use crate::sandbox::account::Account;
use crate::sandbox::confine::Walls;
use crate::sandbox::directory::ServerDirectory;
use crate::sandbox::postgres::binaries::{Binaries, Version};
use crate::sandbox::postgres::start::{self, HandedFile};
use crate::sandbox::process::Process;
use crate::sandbox::secrets::random;
use crate::sandbox::watcher::Watcher;

/// What is encoded in a part of a URL: all but the unreserved characters (RFC 3986).
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same, but for the slashes of a path.
const PATH: &AsciiSet = &NAME.remove(b'/');

/// Who gets into a private server, and so what may be put into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Whoever reaches its socket is [`SUPERUSER`], without a password: for servers whose every definition is ours. The
    /// demo's urls are literal, and psql takes them; tests plant what they like.
    #[default]
    Ours,
    /// Each role needs its password, the superuser's name and password are random and known to this process alone, and
    /// there is no network: for definitions and rows that came from elsewhere.
    Foreign,
}

/// Of a server whose every definition is ours. Not called `midwatch`: that is the journal's schema, which `"$user"` in a
/// search path would then name.
pub const SUPERUSER: &str = "keeper";

impl Access {
    fn superuser(self) -> Result<Login> {
        Ok(match self {
            Self::Ours => Login { role: SUPERUSER.into(), password: None, unprivileged: false },
            Self::Foreign => Login {
                role: format!("s{}", random::<8>()?),
                password: Some(Secret::new(random::<PASSWORD>()?)),
                unprivileged: false,
            },
        })
    }

    fn walls(self) -> Walls {
        match self {
            Self::Ours => Walls::Server,
            Self::Foreign => Walls::ClosedServer,
        }
    }
}

/// Random bytes of a password.
pub(super) const PASSWORD: usize = 24;

/// How to start a server; the default is a throwaway in a directory of its own.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Emptied on leaving. `None`: a short temporary one, removed on leaving.
    pub dir: Option<PathBuf>,
    /// Without `dir`: in memory where there is room. For small data and many databases.
    pub memory: bool,
    /// `None`: found on this machine.
    pub binaries: Option<Binaries>,
    /// Who gets in.
    pub access: Access,
    /// Server settings on top of ours.
    pub settings: Vec<(String, String)>,
}

/// A running server. Stops and clears its directory when dropped, and when this process is killed.
#[derive(Debug)]
pub struct Server(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    place: ServerDirectory,
    binaries: Binaries,
    account: Option<Account>,
    access: Access,
    superuser: Login,
    settings: Vec<(String, String)>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    process: Option<Process>,
    watcher: Watcher,
    gone: bool,
}

impl Server {
    /// Finds, initialises, starts and waits until it accepts connections.
    pub async fn start(options: Options) -> Result<Self> {
        blocking(move || Self::start_blocking(options)).await
    }

    /// The same without a runtime.
    pub fn start_blocking(options: Options) -> Result<Self> {
        let binaries = options.binaries.map_or_else(Binaries::find, Ok)?;
        let account = Account::for_servers()?;
        let (access, superuser) = (options.access, options.access.superuser()?);
        let place = match &options.dir {
            Some(dir) => ServerDirectory::given(dir, account.as_ref())?,
            None => ServerDirectory::temporary(account.as_ref(), options.memory)?,
        };
        let watcher = Watcher::start(&place).inspect_err(|_| place.clear())?;
        let state = Mutex::new(State { process: None, watcher, gone: false });
        let settings = options.settings;
        // From here on, dropping it cleans up.
        let server = Self(Arc::new(Inner { place, binaries, account, access, superuser, settings, state }));
        let inner = &server.0;
        start::initdb(&inner.binaries, inner.account.as_ref(), &inner.place, &inner.superuser)?;
        inner.launch()?;
        Ok(server)
    }

    /// Accepted by psql, `pg_dump`, pgbench and sqlx alike; the port is named so that `PGPORT` cannot move it. A password
    /// is never in it: of a server of others it opens nothing.
    pub fn url(&self, database: &str) -> String {
        self.url_as(utf8_percent_encode(&self.0.superuser.role, NAME), database)
    }

    /// The url of a login, its password included.
    pub(super) fn url_of(&self, login: &Login, database: &str) -> Secret {
        let role = utf8_percent_encode(&login.role, NAME);
        let password = login.password.as_ref().map_or("", Secret::expose);
        Secret::new(self.url_as(format!("{role}:{}", utf8_percent_encode(password, NAME)), database))
    }

    fn url_as(&self, who: impl std::fmt::Display, database: &str) -> String {
        let socket_dir = self.socket_dir();
        let socket_dir = socket_dir.to_string_lossy();
        let host = utf8_percent_encode(&socket_dir, PATH);
        let database = utf8_percent_encode(database, NAME);
        format!("postgres://{who}@localhost:5432/{database}?host={host}")
    }

    /// Holds everything of this server.
    pub fn dir(&self) -> &Path {
        &self.0.place.root
    }

    /// For files that only we and the programs that we start may read.
    pub(in crate::sandbox) fn files(&self) -> PathBuf {
        self.0.place.files()
    }

    /// A file for a program that runs under the server's account.
    pub(super) fn hand_over(&self, name: &str, text: &str) -> Result<HandedFile> {
        HandedFile::write(self.0.place.root.join(name), text, self.0.account.as_ref())
    }

    /// A program that reads what others wrote: it runs under the server's account, and reaches nothing but its socket.
    pub(super) fn shut_in(&self, command: &Command) -> Command {
        start::under(self.0.account.as_ref(), command, Walls::ClosedProgram)
    }

    /// For clients.
    pub fn socket_dir(&self) -> PathBuf {
        self.0.place.run()
    }

    /// What the server says, from its first start on.
    pub fn log_file(&self) -> PathBuf {
        self.0.place.log()
    }

    /// Of the postmaster; `None` while it is down.
    pub fn pid(&self) -> Option<u32> {
        self.0.state().process.as_ref().map(Process::pid)
    }

    /// Of the binaries it runs.
    pub fn version(&self) -> Version {
        self.0.binaries.version
    }

    /// The installation it runs, whose tools match it.
    pub fn binaries(&self) -> &Binaries {
        &self.0.binaries
    }

    /// The superuser.
    pub fn user(&self) -> &str {
        &self.0.superuser.role
    }

    /// The superuser's session. On a server of others nobody but its maker may ask for one.
    pub async fn owner(&self, database: &str) -> Result<Owner> {
        Owner::log_in(&self.socket_dir(), &self.0.superuser, database).await
    }

    /// The file that says who gets in.
    pub(super) fn access_file(&self) -> PathBuf {
        self.0.place.data().join("pg_hba.conf")
    }

    /// A template must have no open connection.
    pub async fn create_database(&self, name: &str, template: Option<&str>) -> Result<()> {
        let mut sql = format!("CREATE DATABASE {}", quote(name));
        if let Some(template) = template {
            let _ = write!(sql, " TEMPLATE {}", quote(template));
            if self.version().major >= 15 {
                sql.push_str(" STRATEGY FILE_COPY");
            }
        }
        self.maintain(sql).await
    }

    /// Cuts off who is still connected.
    pub async fn drop_database(&self, name: &str) -> Result<()> {
        self.maintain(format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote(name))).await
    }

    /// As a crash would; the directory stays for [`Server::restart`].
    pub fn kill9(&self) -> Result<()> {
        let process = self.0.state().process.take();
        process
            .map(|mut process| process.kill())
            .ok_or_else(|| Error::usage("failed to kill: it is not running"))
    }

    /// Starts it again on the same data, after a kill or (cleanly) while it runs.
    pub async fn restart(&self) -> Result<()> {
        let inner = Arc::clone(&self.0);
        blocking(move || {
            if let Some(mut process) = inner.state().process.take() {
                process.stop();
            }
            inner.launch()
        })
        .await
    }

    /// Stops and clears the directory; dropping does the same, on the spot.
    pub async fn stop(self) -> Result<()> {
        blocking(move || {
            self.0.shut_down();
            Ok(())
        })
        .await
    }

    async fn maintain(&self, sql: String) -> Result<()> {
        let mut owner = self.owner("postgres").await?;
        owner.execute_script(&sql).await?;
        owner.close().await;
        Ok(())
    }
}

impl Inner {
    fn launch(&self) -> Result<()> {
        let state = &mut *self.state();
        let watcher = &mut state.watcher;
        let told = |pid| watcher.watch(pid);
        let walls = self.access.walls();
        let command =
            start::command(&self.binaries, self.account.as_ref(), &self.place, &self.settings, walls);
        let process = Process::start(start::PROGRAM, command, &self.place.log(), told)?;
        state.process = Some(process);
        Ok(())
    }

    fn shut_down(&self) {
        let mut state = self.state();
        if std::mem::replace(&mut state.gone, true) {
            return;
        }
        if let Some(mut process) = state.process.take() {
            process.stop();
        }
        self.place.clear();
        state.watcher.dismiss();
    }

    /// A panic elsewhere must not keep the server alive.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.shut_down();
    }
}

/// Waiting for processes must not hold up the runtime.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|e| Err(Error::unobserved(format!("failed to finish a task: {e}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_encoded() {
        assert_eq!(utf8_percent_encode("/tmp/a b/ü", PATH).to_string(), "/tmp/a%20b/%C3%BC");
        assert_eq!(utf8_percent_encode("a/b@c-._~", NAME).to_string(), "a%2Fb%40c-._~");
    }
}
