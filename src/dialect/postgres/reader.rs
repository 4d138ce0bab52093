//! A small pool of read-only sessions. Small on purpose: the console's own load is bounded by it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use tokio::sync::Semaphore;

use super::connect::Connection;
use super::error::{is_disconnect, read_error};
use super::tx::{Backend, Tx, begin, begin_text};
use super::{identity, vitals};
use crate::engine::model::error::{Error, Result};
use crate::engine::model::load::Pressure;
use crate::engine::model::name::literal;
use crate::engine::model::target::Server;
use crate::engine::model::vitals::Vitals;
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::{Facts, Fut, ReadOptions, ReadTx, Snapshot};

/// Sessions at most at a time; one more shares a snapshot, one is the heartbeat's, and one may be opened for a
/// moment to cancel.
const SESSIONS: usize = 3;
/// Idle sessions are kept for the next look.
const STATEMENT_TIMEOUT: Duration = Duration::from_mins(1);

/// Opening a transaction is no work: a server that takes this long does not answer.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(5);
/// After this the console says that the server does not answer.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(4);

fn silent(limit: Duration) -> Error {
    Error::unobserved(format!("failed to read: no answer within {} s", limit.as_secs()))
        .hint("the server or the network does not respond; midwatch keeps trying")
}

/// Read-only access to one database.
pub struct Reader {
    shared: Arc<Shared>,
    search_path: Mutex<Vec<String>>,
}

pub(super) struct Shared {
    connection: Connection,
    pooled: AtomicBool,
    /// Known to be free of a pooler; until then nothing is prepared under a name, which would outlive us there.
    direct: AtomicBool,
    permits: Arc<Semaphore>,
    /// For transactions that share another's snapshot: their opener holds a permit already, and would wait for
    /// its like for ever where all are held by such openers.
    followers: Arc<Semaphore>,
    heartbeat: Arc<Semaphore>,
    idle: Mutex<Vec<PgConnection>>,
    running: Mutex<Vec<Backend>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reader {
    /// Does not connect yet.
    pub fn new(connection: Connection) -> Self {
        let shared = Shared {
            connection,
            pooled: AtomicBool::new(false),
            direct: AtomicBool::new(false),
            permits: Arc::new(Semaphore::new(SESSIONS)),
            followers: Arc::new(Semaphore::new(1)),
            heartbeat: Arc::new(Semaphore::new(1)),
            idle: Mutex::new(Vec::new()),
            running: Mutex::new(Vec::new()),
        };
        Self { shared: Arc::new(shared), search_path: Mutex::new(vec!["public".into()]) }
    }

    /// Pins the schemas searched for unqualified names.
    pub fn set_search_path(&self, path: &[String]) {
        *lock(&self.search_path) = path.to_vec();
    }

    /// `host:port/database`.
    pub fn place(&self) -> &str {
        self.shared.connection.place()
    }

    async fn open(&self, options: ReadOptions) -> Result<Tx> {
        let permits = match options.snapshot {
            _ if options.heartbeat => &self.shared.heartbeat,
            Snapshot::Import(_) => &self.shared.followers,
            Snapshot::Statement | Snapshot::Transaction => &self.shared.permits,
        };
        let permit = Arc::clone(permits)
            .acquire_owned()
            .await
            .map_err(|_| Error::unobserved("failed to read: the reader is closed"))?;
        let timeout = options.timeout.unwrap_or(STATEMENT_TIMEOUT);
        let text = begin_text(&options, &lock(&self.search_path), timeout);
        loop {
            let idle = lock(&self.shared.idle).pop();
            let reused = idle.is_some();
            let mut connection = match idle {
                Some(c) => c,
                None => self.shared.open().await?,
            };
            let begun = tokio::time::timeout(BEGIN_TIMEOUT, begin(&mut connection, &text)).await;
            let Ok(begun) = begun else { return Err(silent(BEGIN_TIMEOUT)) };
            match begun {
                Ok(backend) => {
                    return Ok(Tx::new(Arc::clone(&self.shared), connection, permit, backend, timeout));
                }
                // The server went away while it lay idle: what is new will tell.
                Err(e) if reused && is_disconnect(&e) => {}
                Err(e) => return Err(read_error(&e)),
            }
        }
    }
}

impl Shared {
    pub(super) fn pooled(&self) -> bool {
        self.pooled.load(Ordering::Relaxed)
    }

    pub(super) fn direct(&self) -> bool {
        self.direct.load(Ordering::Relaxed)
    }

    pub(super) fn set_pooled(&self) {
        self.pooled.store(true, Ordering::Relaxed);
    }

    pub(super) async fn open(&self) -> Result<PgConnection> {
        let (connection, pooled) = self.connection.open().await?;
        if pooled {
            self.set_pooled();
        }
        Ok(connection)
    }

    pub(super) fn register(&self, backend: &Backend) {
        lock(&self.running).push(backend.clone());
    }

    pub(super) fn unregister(&self, backend: &Backend) {
        lock(&self.running).retain(|b| b != backend);
    }

    pub(super) fn put_back(&self, connection: PgConnection) {
        lock(&self.idle).push(connection);
    }

    /// Cancels on the server what these transactions are running; a transaction already over is left alone.
    pub(super) async fn cancel(&self, backends: &[Backend]) {
        let Ok((mut connection, _)) = self.connection.open().await else { return };
        for b in backends {
            // One message: a pooler may send what follows elsewhere.
            let cancel = format!(
                "select pg_cancel_backend(pid) from pg_stat_activity where pid = {} and xact_start = {}::timestamptz",
                b.pid,
                literal(&b.started)
            );
            let outcome = sqlx::raw_sql(AssertSqlSafe(cancel)).execute(&mut connection).await;
            if let Err(e) = outcome {
                tracing::warn!(pid = b.pid, error = %read_error(&e), "failed to cancel a statement on the server");
            }
        }
        let _ = sqlx::Connection::close(connection).await;
    }
}

impl Facts for Reader {
    fn dialect(&self) -> &'static dyn Dialect {
        &super::Postgres
    }

    fn begin(&self, options: ReadOptions) -> Fut<'_, Result<Box<dyn ReadTx>>> {
        Box::pin(async move { Ok(Box::new(self.open(options).await?) as Box<dyn ReadTx>) })
    }

    fn server(&self) -> Fut<'_, Result<Server>> {
        Box::pin(async move {
            let mut server = identity::read(self).await?;
            if !self.shared.pooled() && !self.shared.direct() && identity::settings_leak(&self.shared).await?
            {
                self.shared.set_pooled();
            }
            server.pooled = self.shared.pooled();
            self.shared.direct.store(!server.pooled, Ordering::Relaxed);
            self.place().clone_into(&mut server.address);
            Ok(server)
        })
    }

    fn vitals(&self) -> Fut<'_, Result<Vitals>> {
        Box::pin(async move {
            let read = tokio::time::timeout(HEARTBEAT_TIMEOUT, vitals::read(self)).await;
            read.unwrap_or_else(|_| Err(silent(HEARTBEAT_TIMEOUT)))
        })
    }

    fn pressure(&self) -> Fut<'_, Result<Pressure>> {
        Box::pin(async move {
            let read = tokio::time::timeout(HEARTBEAT_TIMEOUT, vitals::pressure(self)).await;
            read.unwrap_or_else(|_| Err(silent(HEARTBEAT_TIMEOUT)))
        })
    }

    fn cancel_all(&self) -> Fut<'_, ()> {
        Box::pin(async move {
            let running = lock(&self.shared.running).clone();
            if !running.is_empty() {
                self.shared.cancel(&running).await;
            }
        })
    }
}
