//! A server that says nothing any more is told from one that works on a long statement: another session asks it.
//!
//! A network that swallows everything closes no connection, and the driver gives no access to the socket's own timeouts.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::connect::Connection;

/// Between two questions where the first was not answered at all.
const AGAIN: Duration = Duration::from_millis(500);

/// What another session says of the one that is waited for.
#[derive(PartialEq, Eq)]
enum Sign {
    /// The server answers, and has not given its answer yet.
    AtWork,
    /// It has nothing to do since then: what it sent has not arrived, or what it was asked has not.
    Idle(String),
    /// No answer.
    None,
}

/// Asks for signs of life of one server.
pub(super) struct Silence {
    connection: Connection,
    /// Kept for the next question.
    session: Mutex<Option<PgConnection>>,
}

impl Silence {
    /// Does not connect yet.
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, session: Mutex::new(None) }
    }

    /// So long a server may say nothing.
    pub(super) fn limit(&self) -> Duration {
        self.connection.silence()
    }

    /// The result of `work`; `None` where the server has been silent for the limit. `backend`: the process that works on
    /// it, where its answers are so small that they are there as soon as they are sent.
    pub(super) async fn heard<T>(&self, backend: Option<i32>, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let every = self.limit() / 3;
        let (mut heard, mut idle) = (Instant::now(), None);
        if let Ok(value) = timeout(every, &mut work).await {
            return Some(value);
        }
        loop {
            let until = heard + self.limit();
            let sign = tokio::select! {
                biased;
                value = &mut work => return Some(value),
                sign = timeout_at(until, self.sign(backend)) => sign.unwrap_or(Sign::None),
            };
            let wait = match sign {
                Sign::AtWork => {
                    (heard, idle) = (Instant::now(), None);
                    every
                }
                // It may just be between two statements.
                Sign::Idle(since) if idle.as_ref() != Some(&since) => {
                    idle = Some(since);
                    every
                }
                Sign::Idle(_) | Sign::None => AGAIN,
            };
            if Instant::now() >= until {
                self.connection.set_silent();
                return None;
            }
            if let Ok(value) = timeout_at(until.min(Instant::now() + wait), &mut work).await {
                return Some(value);
            }
        }
    }

    async fn sign(&self, backend: Option<i32>) -> Sign {
        let mut kept = self.session.lock().await;
        let mut session = match kept.take() {
            Some(session) => session,
            None => match self.connection.open().await {
                Ok((session, _)) => session,
                // A server that refuses us is there.
                Err(e) if e.code.is_some() => return Sign::AtWork,
                Err(_) => {
                    sleep(AGAIN).await;
                    return Sign::None;
                }
            },
        };
        let pid = backend.unwrap_or(0);
        // Hidden states, and sessions that are not ours to ask for, count as at work.
        let sql = format!(
            "select coalesce((select case when a.state like 'idle%' then a.state_change::text end from pg_catalog.pg_stat_activity a \
             where a.pid = {pid}), case when {pid} > 0 and not exists (select from pg_catalog.pg_stat_activity a \
             where a.pid = {pid}) then 'gone' end)"
        );
        let row = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(&mut session).await;
        let Ok(since) = row.and_then(|row| row.try_get::<Option<String>, _>(0)) else { return Sign::None };
        *kept = Some(session);
        since.map_or(Sign::AtWork, Sign::Idle)
    }
}
