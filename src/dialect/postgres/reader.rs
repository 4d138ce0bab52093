//! A small pool of read-only sessions. Small on purpose: the console's own load is bounded by it. A session in which text of
//! others has run is not in it again.

use crate::dialect::postgres::shared::{Shared, lock};
use crate::dialect::postgres::silence::Silence;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OnceCell, Semaphore};

use super::connect::Connection;
use super::error::{is_disconnect, read_error};
use super::{identity, vitals};
use crate::dialect::postgres::search_path::path_of;
use crate::dialect::postgres::tx::{Tx, begin, begin_text};
use crate::engine::model::cause::Cause;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::load::ServerLoad;
use crate::engine::model::target::{ServerInfo, ServerNote};
use crate::engine::model::vitals::Vitals;
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::{Fut, ReadOptions, ReadTx, Reader, Snapshot};

/// Sessions at most at a time; one more shares a snapshot, one is the heartbeat's, and one may be opened for a
/// moment to cancel.
const SESSIONS: usize = 3;
/// Idle sessions are kept for the next look.
const STATEMENT_TIMEOUT: Duration = Duration::from_mins(1);

/// After this the console says that the server does not answer.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(4);

fn silent(limit: Duration) -> Error {
    Error::unobserved(format!("failed to read: no answer within {} s", limit.as_secs()))
        .cause(Cause::ConnectionLost)
        .hint("the server or the network does not respond; midwatch keeps trying")
}

/// Read-only access to one database.
pub struct PgReader {
    shared: Arc<Shared>,
    search_path: Mutex<Vec<String>>,
    /// The role that changes the target, where another one reads it.
    operator: Option<Box<PgReader>>,
}

impl PgReader {
    /// Does not connect yet.
    pub fn new(connection: Connection) -> Self {
        let shared = Shared {
            silence: Silence::new(connection.clone()),
            connection,
            pooled: AtomicBool::new(false),
            direct: AtomicBool::new(false),
            permits: Arc::new(Semaphore::new(SESSIONS)),
            followers: Arc::new(Semaphore::new(1)),
            heartbeat: Arc::new(Semaphore::new(1)),
            idle: Mutex::new(Vec::new()),
            left: AtomicU64::default(),
            running: Mutex::new(Vec::new()),
            found: Mutex::default(),
            acting: OnceCell::new(),
        };
        Self { shared: Arc::new(shared), search_path: Mutex::new(vec!["public".into()]), operator: None }
    }

    /// The same, for a target that another role changes.
    #[must_use]
    pub fn for_operator(self, operator: Self) -> Self {
        Self { operator: Some(Box::new(operator)), ..self }
    }

    /// `host:port/database`.
    pub fn place(&self) -> &str {
        self.shared.connection.place()
    }

    /// Who the server is to this role, and whether a pooler stands between.
    async fn identified(&self) -> Result<ServerInfo> {
        let mut server = identity::read(self).await?;
        if !self.shared.pooled() && !self.shared.direct() && identity::settings_leak(&self.shared).await? {
            self.shared.set_pooled();
        }
        let pooled = self.shared.pooled();
        server.abilities.session_lock = identity::session_lock(pooled);
        server.notes.extend(pooled.then(identity::pooled));
        self.shared.direct.store(!pooled, Ordering::Relaxed);
        self.place().clone_into(&mut server.address);
        server.transport = self.shared.connection.transport();
        let warning = self.shared.connection.warning();
        server.notes.extend(warning.map(|w| ServerNote { text: w.to_owned(), hint: None, badge: None }));
        Ok(server)
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
        let path = path_of(&lock(&self.search_path));
        let text = begin_text(&options, timeout, &path);
        loop {
            let idle = lock(&self.shared.idle).pop();
            let reused = idle.is_some();
            let (mut connection, open) = match idle {
                Some(session) => (session.connection, session.left.is_some()),
                None => (self.shared.open().await?, false),
            };
            let patience = self.shared.connection.patience();
            let begun = begin(&mut connection, &text, open);
            let begun = tokio::time::timeout(patience, begun).await;
            let Ok(begun) = begun else { return Err(silent(patience)) };
            match begun {
                Ok(backend) => {
                    let (shared, profile) = (Arc::clone(&self.shared), options.of_profile);
                    return Ok(Tx::new(shared, connection, permit, backend, timeout, path, profile));
                }
                // The server went away while it lay idle: what is new will tell.
                Err(e) if reused && is_disconnect(&e) => {}
                Err(e) => return Err(read_error(&e)),
            }
        }
    }
}

impl Reader for PgReader {
    fn dialect(&self) -> &'static dyn Dialect {
        &super::Postgres
    }

    fn set_search_path(&self, schemas: &[String]) {
        *lock(&self.search_path) = schemas.to_vec();
        if let Some(operator) = &self.operator {
            operator.set_search_path(schemas);
        }
    }

    fn begin(&self, options: ReadOptions) -> Fut<'_, Result<Box<dyn ReadTx>>> {
        Box::pin(async move { Ok(Box::new(self.open(options).await?) as Box<dyn ReadTx>) })
    }

    fn server(&self) -> Fut<'_, Result<ServerInfo>> {
        Box::pin(async move {
            let own = self.identified().await?;
            let Some(operator) = &self.operator else { return Ok(own) };
            let server = operator.identified().await?;
            if server.database_oid != own.database_oid || server.in_recovery != own.in_recovery {
                return Err(Error::unobserved("failed to read: the reader's login leads to another server")
                    .hint(
                        "a name with several servers behind it? give the target one server's own address",
                    ));
            }
            Ok(ServerInfo { reader: Some(own.role), ..server })
        })
    }

    fn operator(&self) -> Option<&dyn Reader> {
        self.operator.as_deref().map(|o| o as &dyn Reader)
    }

    fn vitals(&self) -> Fut<'_, Result<Vitals>> {
        Box::pin(async move {
            let read = tokio::time::timeout(HEARTBEAT_TIMEOUT, vitals::read(self)).await;
            read.unwrap_or_else(|_| Err(silent(HEARTBEAT_TIMEOUT)))
        })
    }

    fn load(&self) -> Fut<'_, Result<ServerLoad>> {
        Box::pin(async move {
            let read = tokio::time::timeout(HEARTBEAT_TIMEOUT, vitals::load(self)).await;
            read.unwrap_or_else(|_| Err(silent(HEARTBEAT_TIMEOUT)))
        })
    }

    fn cancel_all(&self) -> Fut<'_, ()> {
        Box::pin(async move {
            let running = lock(&self.shared.running).clone();
            if !running.is_empty() {
                self.shared.cancel(&running).await;
            }
            if let Some(operator) = &self.operator {
                operator.cancel_all().await;
            }
        })
    }
}
