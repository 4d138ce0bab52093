//! What the sessions of one reader share: how to connect, what is running, how it is cancelled.

use crate::dialect::postgres::connect::Connection;
use crate::dialect::postgres::error::read_error;
use crate::dialect::postgres::silence::Silence;
use std::sync::PoisonError;

use crate::engine::model::error::Result;
use crate::engine::model::name::literal;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::{Duration, Instant};
use tokio::sync::{OnceCell, Semaphore};

/// Which transaction of which backend: a pid alone may by now belong to somebody else's statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BackendProcess {
    pub(super) pid: i32,
    pub(super) started: String,
}

/// A session that nobody uses.
pub(super) struct IdleSession {
    pub(super) connection: PgConnection,
    /// Its last transaction, which asked the catalog alone, is open: whoever takes it ends that in the message that begins
    /// theirs. So one reading after the other has the same session, which has its statements at hand, and no round trip
    /// goes to an end.
    pub(super) left: Option<u64>,
}

pub(super) struct Shared {
    pub(super) connection: Connection,
    pub(super) silence: Silence,
    pub(super) pooled: AtomicBool,
    /// Known to be free of a pooler; until then nothing is prepared under a name, which would outlive us there.
    pub(super) direct: AtomicBool,
    pub(super) permits: Arc<Semaphore>,
    /// For transactions that share another's snapshot: their opener holds a permit already, and would wait for
    /// its like for ever where all are held by such openers.
    pub(super) followers: Arc<Semaphore>,
    pub(super) heartbeat: Arc<Semaphore>,
    pub(super) idle: Mutex<Vec<IdleSession>>,
    /// How many sessions were left with their transaction open.
    pub(super) left: AtomicU64,
    pub(super) running: Mutex<Vec<BackendProcess>>,
    /// What transactions have found, and when.
    pub(super) found: Mutex<HashMap<&'static str, Instant>>,
    /// Functions that no text of a profile may call: asked once.
    pub(super) acting: OnceCell<HashSet<String>>,
}

/// What was found holds so long.
const KNOWN: Duration = Duration::from_secs(1);

impl Shared {
    pub(super) fn knows(&self, what: &'static str) -> bool {
        lock(&self.found).get(what).is_some_and(|at| at.elapsed() < KNOWN)
    }

    pub(super) fn learned(&self, what: &'static str) {
        lock(&self.found).insert(what, Instant::now());
    }

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

    /// Opens a session for whoever comes next, where none lies idle.
    pub(super) async fn warm(&self) {
        if lock(&self.idle).is_empty()
            && let Ok(connection) = self.open().await
        {
            self.put_back(connection);
        }
    }

    pub(super) fn register(&self, backend: &BackendProcess) {
        lock(&self.running).push(backend.clone());
    }

    pub(super) fn unregister(&self, backend: &BackendProcess) {
        lock(&self.running).retain(|b| b != backend);
    }

    pub(super) fn put_back(&self, connection: PgConnection) {
        lock(&self.idle).push(IdleSession { connection, left: None });
    }

    /// Puts a session back as it is; its transaction is ended soon, unless somebody takes it before.
    pub(super) fn leave(&self, connection: PgConnection) -> u64 {
        let number = self.left.fetch_add(1, Ordering::Relaxed);
        lock(&self.idle).push(IdleSession { connection, left: Some(number) });
        number
    }

    /// The session that was left so, where nobody has it.
    pub(super) fn take_left(&self, number: u64) -> Option<PgConnection> {
        let mut idle = lock(&self.idle);
        let at = idle.iter().position(|s| s.left == Some(number))?;
        Some(idle.remove(at).connection)
    }

    /// Cancels on the server what these transactions are running; a transaction already over is left alone.
    pub(super) async fn cancel(&self, backends: &[BackendProcess]) {
        let Ok((mut connection, _)) = self.connection.open().await else { return };
        for b in backends {
            // One message: a pooler may send what follows elsewhere; it may have refused our path.
            let cancel = format!(
                "select pg_catalog.pg_cancel_backend(pid) from pg_catalog.pg_stat_activity where pid operator(pg_catalog.=) {} \
                 and xact_start operator(pg_catalog.=) {}::pg_catalog.timestamptz",
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

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
