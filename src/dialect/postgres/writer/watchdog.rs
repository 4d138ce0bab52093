//! A statement on a session of its own that ends the writing session where no timeout of the server does.
//!
//! A backend that sends to a client which does not read waits for ever, whatever timeouts it has (15 and 18): a trigger
//! of a table that raises a message for each row is enough for that, however little we ask for. The statement runs on the
//! server, so it is at work while our process is stopped or cut off. It is sent before the first lock is asked for, and
//! stays for the whole run: a batch costs no round trip for it. Only a swap, whose budget is short and whose COMMIT may
//! wait for a standby under the strongest locks, has one of its own with a moment at which it ends.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::super::connect::Connection;
use super::super::error::{Coded as _, LOCKED, write_error};
use super::super::session;
use super::budget::GRACE;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::name::literal;
use crate::engine::port::writer::RunLimits;

/// How often the server looks at the session.
const LOOK: Duration = Duration::from_millis(200);
/// How long the session may wait for its client to read.
const UNREAD: Duration = Duration::from_millis(600);
/// How long we wait for it to begin or to end.
const MOMENT: Duration = Duration::from_secs(1);

/// The session that watches, and what it is doing.
pub(super) struct Watchdog {
    connection: Connection,
    terms: RunLimits,
    idle: Option<PgConnection>,
    running: Option<Watch>,
    /// This role may not: the plan has said so (`Abilities::write_limit`), and the timeouts are all there is.
    refused: bool,
}

/// A statement in flight.
struct Watch {
    task: JoinHandle<Ended>,
    /// The watching session.
    pid: i32,
    /// It ends what is still open then.
    ends: bool,
}

/// What a watch has left: its session, where that can be used again, and why it ended before it was told to.
struct Ended {
    session: Option<PgConnection>,
    why: Option<Error>,
}

/// Whether the server will not have it at all: whatever else ended a watch may not end the next one.
fn is_refusal(why: &Error) -> bool {
    why.permanent
}

/// What is watched: `pid@backend_start`, as [`session::name`] has it. The transaction of each look is over before the
/// next, so that no old snapshot is kept; it ends by itself with the watched session.
fn watch_sql(watched: &str, budget_ms: Option<u64>) -> String {
    let (pid, started) = watched.split_once('@').unwrap_or((watched, ""));
    let after = |ms: Duration| format!("pg_catalog.make_interval(secs => {})", ms.as_secs_f64());
    let ends = budget_ms.map_or_else(
        || "null".to_owned(),
        |ms| format!("pg_catalog.clock_timestamp() + {}", after(Duration::from_millis(ms) + GRACE)),
    );
    let session = format!("a.pid = {} and a.backend_start = {}::timestamptz", literal(pid), literal(started));
    format!(
        "do {}",
        literal(&format!(
            "declare
  ends timestamptz := {ends};
  unread_since timestamptz;
  unread boolean;
begin
  loop
    select coalesce(a.wait_event = 'ClientWrite', false) into unread from pg_catalog.pg_stat_activity a where {session};
    exit when not found;
    unread_since := case when unread then coalesce(unread_since, pg_catalog.clock_timestamp()) end;
    if pg_catalog.clock_timestamp() > ends or pg_catalog.clock_timestamp() - unread_since > {} then
      perform pg_catalog.pg_terminate_backend(a.pid) from pg_catalog.pg_stat_activity a where {session};
      exit;
    end if;
    commit;
    perform pg_catalog.pg_sleep({});
  end loop;
end",
            after(UNREAD),
            LOOK.as_secs_f64(),
        ))
    )
}

impl Watchdog {
    /// Opens the session, so that a run whose third session the server refuses has not begun.
    pub(super) async fn open(connection: &Connection, terms: &RunLimits) -> Result<Self> {
        let idle = Some(session::open(connection, terms, &session::WATCH).await?);
        Ok(Self { connection: connection.clone(), terms: terms.clone(), idle, running: None, refused: false })
    }

    /// Has the server watch the session `work`; with a budget also end it a second after that is spent.
    pub(super) async fn watch(
        &mut self,
        work: &mut PgConnection,
        watched: &str,
        budget_ms: Option<u64>,
    ) -> Result<()> {
        if self.refused {
            return Ok(());
        }
        let same = |w: &Watch| !w.task.is_finished() && !w.ends && budget_ms.is_none();
        if self.running.as_ref().is_some_and(same) {
            return Ok(());
        }
        self.stop(work).await;
        let (mut session, pid) = self.session().await?;
        let sql = watch_sql(watched, budget_ms);
        let task = tokio::spawn(async move {
            let why = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut session).await.err();
            let why = why.map(|e| write_error(&e, "watch over this session"));
            // Cancelled by us it can be used again.
            let session = sqlx::Connection::ping(&mut session).await.ok().map(|()| session);
            Ended { session, why }
        });
        self.running = Some(Watch { task, pid, ends: budget_ms.is_some() });
        self.begun(work, pid).await
    }

    /// The session at hand, or a new one where that is gone; and its process.
    async fn session(&mut self) -> Result<(PgConnection, i32)> {
        if let Some(mut session) = self.idle.take()
            && let Ok(Ok(pid)) = timeout(MOMENT, process(&mut session)).await
        {
            return Ok((session, pid));
        }
        let mut session = session::open(&self.connection, &self.terms, &session::WATCH).await?;
        let pid = process(&mut session).await?;
        Ok((session, pid))
    }

    /// Waits until the server runs it: only then a lock may be asked for.
    async fn begun(&mut self, work: &mut PgConnection, pid: i32) -> Result<()> {
        let sql = "select pg_catalog.count(*) from pg_catalog.pg_stat_activity where pid operator(pg_catalog.=) $1 \
                   and (state operator(pg_catalog.=) 'active' and query operator(pg_catalog.~~) 'do %' \
                        or state operator(pg_catalog.=) 'disabled')";
        let until = Instant::now() + MOMENT;
        loop {
            let there: i64 = sqlx::query(sql)
                .bind(pid)
                // Between two transactions: a COMMIT may have run code of others.
                .persistent(false)
                .fetch_one(&mut *work)
                .await
                .and_then(|row| row.try_get(0))
                .map_err(|e| write_error(&e, "look at the session that watches"))?;
            if there > 0 {
                return Ok(());
            }
            if Instant::now() >= until {
                let what =
                    format!("the watch over this session was not at work within {} ms", MOMENT.as_millis());
                return Err(Error::new(Class::Failed, what).sqlstate(LOCKED).hint("no lock was asked for"));
            }
            if self.running.as_ref().is_none_or(|w| w.task.is_finished()) {
                return self.ended().await;
            }
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// It ended before it was seen at work: refused, it is not asked for again; by accident, it is with the next attempt.
    async fn ended(&mut self) -> Result<()> {
        let watch = self.running.take();
        let ended = match watch {
            Some(watch) => watch.task.await.ok(),
            None => None,
        };
        let (session, why) = ended.map_or((None, None), |e| (e.session, e.why));
        self.idle = session;
        if why.as_ref().is_some_and(is_refusal) {
            tracing::warn!("the server does not watch the session for us: its timeouts alone end it");
            self.refused = true;
            return Ok(());
        }
        let why = why.map_or_else(|| "the reason is unknown".to_owned(), |e| e.message);
        let what = format!("the watch over this session ended before it was at work: {why}");
        Err(Error::new(Class::Failed, what).sqlstate(LOCKED).hint("no lock was asked for"))
    }

    /// Ends a watch with a moment of its own; the session is free for the next.
    pub(super) async fn stop(&mut self, work: &mut PgConnection) {
        let Some(watch) = self.running.take() else { return };
        if !watch.task.is_finished() {
            let cancel = sqlx::query("select pg_catalog.pg_cancel_backend($1)").bind(watch.pid);
            let cancel = cancel.persistent(false).execute(work);
            if !matches!(timeout(MOMENT, cancel).await, Ok(Ok(_))) {
                watch.task.abort();
                return;
            }
        }
        self.idle = timeout(MOMENT, watch.task).await.ok().and_then(|ended| ended.ok()?.session);
    }

    /// The session that was watched is gone, and the watch ends by itself.
    pub(super) fn forget(&mut self) {
        if let Some(watch) = self.running.take() {
            watch.task.abort();
        }
    }
}

async fn process(session: &mut PgConnection) -> Result<i32> {
    let row = sqlx::query("select pg_catalog.pg_backend_pid()").fetch_one(session).await;
    row.and_then(|row| row.try_get(0)).map_err(|e| write_error(&e, "name the session that watches"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At 03c73d6 whatever ended a watch before it was seen left the whole run without one.
    #[test]
    fn only_a_server_that_will_not_have_it_is_not_asked_again() {
        let ended = |code: &str| is_refusal(&Error::new(Class::Failed, "x").sqlstate(code));
        assert!(["42501", "0A000"].into_iter().all(ended));
        assert!(!["57P01", "57014", "08006", "53200", "25P03"].into_iter().any(ended));
    }
}
