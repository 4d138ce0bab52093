//! One operator at a time: an advisory lock on a session of its own, and who holds it.

use std::time::Duration;

use serde::Deserialize;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use tokio::time::{Instant, sleep};

use super::connect::Connection;
use super::error::write_error;
use super::session;
use crate::engine::writer::Terms;
use crate::engine::{Class, Error, Result};

/// `mdwo`, as a number: the class of our advisory locks. `engine::journal` looks for it as well.
const CLASS: i32 = 1_835_300_719;
const AGAIN: Duration = Duration::from_millis(200);

/// The lock, for as long as this lives.
pub(super) struct Held {
    connection: PgConnection,
    pub(super) pid: i32,
}

#[derive(Deserialize)]
struct Holder {
    pid: i32,
    role: Option<String>,
    application: Option<String>,
    client: Option<String>,
    since: Option<String>,
}

/// Takes the target's lock; within `patience` if somebody is just letting go of it.
pub(super) async fn take(connection: &Connection, terms: &Terms, patience: Duration) -> Result<Held> {
    let mut session = session::open(connection, terms, "midwatch/lock").await?;
    let failed = |e: &sqlx::Error| write_error(e, "take the target's lock");
    let until = Instant::now() + patience;
    loop {
        let row =
            sqlx::query(AssertSqlSafe(format!("select pg_try_advisory_lock({CLASS}, 0), pg_backend_pid()")))
                .fetch_one(&mut session)
                .await
                .map_err(|e| failed(&e))?;
        if row.try_get::<bool, _>(0).map_err(|e| failed(&e))? {
            let pid = row.try_get(1).map_err(|e| failed(&e))?;
            return Ok(Held { connection: session, pid });
        }
        if Instant::now() >= until {
            let refusal = refusal(&mut session).await;
            let _ = session.close().await;
            return Err(refusal);
        }
        sleep(AGAIN).await;
    }
}

/// Who, from where, since when.
async fn refusal(session: &mut PgConnection) -> Error {
    let sql = format!(
        "select json_build_object('pid', a.pid, 'role', a.usename, 'application', a.application_name, \
         'client', host(a.client_addr), 'since', to_char(a.backend_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SSZ'))::text \
         from pg_locks l join pg_stat_activity a using (pid) \
         where l.locktype = 'advisory' and l.classid = {CLASS} and l.objid = 0 and l.objsubid = 2 and l.granted \
         and l.database = (select oid from pg_database where datname = current_database())"
    );
    let row = sqlx::query(AssertSqlSafe(sql)).fetch_optional(session).await.ok().flatten();
    let text: Option<String> = row.and_then(|r| r.try_get(0).ok());
    let holder: Option<Holder> = text.and_then(|t| serde_json::from_str(&t).ok());
    let Some(h) = holder else {
        return Error::new(Class::Refused, "another operator was at work on this target a moment ago")
            .hint("try again");
    };
    let application = h.application.unwrap_or_default();
    let who = application.strip_prefix("midwatch/lock ").unwrap_or("somebody").to_owned();
    Error::new(
        Class::Refused,
        format!(
            "another operator is at work on this target: {who}, as {}, from {}, since {} (pid {})",
            h.role.unwrap_or_else(|| "an unknown role".into()),
            h.client.unwrap_or_else(|| "the server's own machine".into()),
            h.since.unwrap_or_else(|| "an unknown time".into()),
            h.pid
        ),
    )
    .hint("midwatch runs shows what is going on; one operator at a time")
}

impl Held {
    /// Is the session still there? Its end is the lock's end.
    pub(super) async fn check(&mut self) -> Result<()> {
        let ping = sqlx::query("select 1").execute(&mut self.connection);
        match tokio::time::timeout(Duration::from_secs(5), ping).await {
            Ok(done) => done.map(drop).map_err(|e| write_error(&e, "hold the target's lock")),
            Err(_) => Err(Error::new(Class::Failed, "no answer within 5 s")),
        }
    }

    pub(super) async fn close(self) {
        let _ = self.connection.close().await;
    }
}

/// Waits until none of the sessions that wrote for this run is left: one of them may still be committing.
pub(super) async fn wait_for_sessions(
    session: &mut PgConnection,
    run: i64,
    patience: Duration,
) -> Result<()> {
    let sql = "select string_agg(a.pid::text, ', ') from midwatch.runs r \
               join pg_stat_activity a on a.pid || '@' || a.backend_start = any (r.backends) \
               where r.id = $1 and a.pid <> pg_backend_pid()";
    let until = Instant::now() + patience;
    loop {
        let row = sqlx::query(sql)
            .bind(run)
            .fetch_one(&mut *session)
            .await
            .map_err(|e| write_error(&e, "look for the run's old sessions"))?;
        let Some(left) = row.try_get::<Option<String>, _>(0).ok().flatten() else { return Ok(()) };
        if Instant::now() >= until {
            return Err(Error::new(
                Class::Refused,
                format!("sessions of run {run} are still at work: pid {left}; what they do is not known yet"),
            )
            .hint("wait, or end them with pg_terminate_backend, then resume"));
        }
        sleep(AGAIN).await;
    }
}
