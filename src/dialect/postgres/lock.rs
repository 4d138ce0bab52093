//! One operator at a time: an advisory lock on a session of its own, and who holds it.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use tokio::time::{Instant, sleep};

use super::connect::Connection;
use super::error::write_error;
use super::session;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::port::writer::RunLimits;

/// `mdwo`, as a number: the class of our advisory locks. [`GRANTED`] has it as well.
const CLASS: i32 = 1_835_300_719;
/// The target's lock among `pg_locks l`.
pub(super) const GRANTED: &str = "l.locktype = 'advisory' and l.classid = 1835300719 and l.objid = 0 and l.objsubid = 2 \
    and l.granted and l.database = (select oid from pg_database where datname = current_database())";
/// How long a resumed run waits for the sessions of the one that died.
pub(super) const GONE: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(200);

/// The lock, for as long as this lives.
pub(super) struct Held {
    connection: PgConnection,
    pub(super) pid: i32,
}

/// What the server shows of the session that holds the lock; to a role without `pg_read_all_stats` not everything.
#[derive(Debug, Default, Deserialize)]
struct Holder {
    pid: i32,
    role: Option<String>,
    application: Option<String>,
    client: Option<String>,
    /// -1: a local socket; absent: not shown.
    port: Option<i32>,
    since: Option<String>,
}

/// What the journal says of it, once it has begun a run.
#[derive(Debug, Default, Deserialize)]
struct AtWork {
    run: String,
    what: String,
    who: String,
    since: String,
}

/// Takes the target's lock; within `patience` if somebody is just letting go of it.
pub(super) async fn take(connection: &Connection, terms: &RunLimits, patience: Duration) -> Result<Held> {
    let mut session = session::open(connection, terms, &session::LOCK).await?;
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

const HOLDER: &str = "
select json_build_object('pid', l.pid, 'role', a.usename, 'application', a.application_name, 'client', host(a.client_addr),
  'port', a.client_port, 'since', to_char(a.backend_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SSZ'))::text
from pg_locks l left join pg_stat_activity a using (pid)
where l.locktype = 'advisory' and l.classid = $1::oid and l.objid = 0 and l.objsubid = 2 and l.granted
  and l.database = (select oid from pg_database where datname = current_database())";

// A run keeps the name of whoever began it; who goes on with it is in its entries.
const AT_WORK: &str = "
select json_build_object('run', r.id::text, 'what', r.operation || ' ' || r.name, 'who', coalesce(e.by, r.operator),
  'since', to_char(coalesce(e.at::timestamptz, r.started_at) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SSZ'))::text
from midwatch.runs r
left join lateral (select e.body::json ->> 'by' as by, e.at from midwatch.events e
                   where e.run = r.id and e.kind = 'resumed' order by e.seq desc limit 1) e on true
where r.outcome = 'running' and r.lock_pid = $1";

/// Who, from where, since when.
async fn refusal(session: &mut PgConnection) -> Error {
    let Some(holder) = shown::<Holder>(session, HOLDER, CLASS).await else {
        return Error::new(Class::Refused, "another operator was at work on this target a moment ago")
            .hint("try again");
    };
    // Without a journal, or without the right to read it, there is no more to say.
    let work = shown::<AtWork>(session, AT_WORK, holder.pid).await;
    Error::new(
        Class::Refused,
        format!("another operator is at work on this target: {}", holder_text(&holder, work.as_ref())),
    )
    .hint("midwatch runs shows what is going on; one operator at a time")
}

async fn shown<T: DeserializeOwned>(session: &mut PgConnection, sql: &'static str, number: i32) -> Option<T> {
    let row = sqlx::query(sql).bind(number).fetch_optional(session).await.ok().flatten()?;
    serde_json::from_str(&row.try_get::<String, _>(0).ok()?).ok()
}

fn holder_text(holder: &Holder, work: Option<&AtWork>) -> String {
    let application = holder.application.as_deref().unwrap_or_default();
    let named = application.strip_prefix("midwatch/lock ").filter(|n| !n.is_empty());
    let who = work.map(|w| w.who.as_str()).or(named).unwrap_or("somebody whose name is not shown");
    let role = holder.role.as_deref().unwrap_or("a role that is not shown");
    let place = match (&holder.client, holder.port) {
        (Some(address), _) => address.as_str(),
        (None, Some(-1)) => "the server's own machine",
        (None, _) => "an address that is not shown to this role (pg_read_all_stats shows it)",
    };
    let since = work.map(|w| w.since.as_str()).or(holder.since.as_deref());
    let since = since.unwrap_or("a time that is not shown to this role");
    let run = work.map_or_else(String::new, |w| format!(", with run {}: {}", w.run, w.what));
    format!("{who}, as {role}, from {place}, since {since} (pid {}){run}", holder.pid)
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

    /// Lets go of the lock before the session ends: the server sees that end later, and who comes at once, the undo of
    /// this run perhaps, would be refused.
    pub(super) async fn close(mut self) {
        let sql = format!("select pg_advisory_unlock({CLASS}, 0)");
        let unlock = sqlx::query(AssertSqlSafe(sql)).execute(&mut self.connection);
        let _ = tokio::time::timeout(Duration::from_secs(1), unlock).await;
        let _ = self.connection.close().await;
    }
}

/// Waits until none of the sessions that wrote for this run is left: one of them may still be committing.
pub(super) async fn wait_for_sessions(
    session: &mut PgConnection,
    run: i64,
    patience: Duration,
) -> Result<()> {
    // When a session began may be hidden from this role: then its number alone must do.
    let sql = "select string_agg(a.pid::text, ', ') from midwatch.runs r cross join pg_catalog.unnest(r.backends) b(name) \
               join pg_stat_activity a on a.pid::text = split_part(b.name, '@', 1) \
               and (a.backend_start is null or a.pid || '@' || a.backend_start = b.name) \
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_shown_is_not_claimed() {
        let seen = Holder {
            pid: 7,
            role: Some("app".into()),
            application: Some("midwatch/lock dana@desk".into()),
            client: Some("10.0.0.7".into()),
            port: Some(5_000),
            since: Some("S".into()),
        };
        assert_eq!(holder_text(&seen, None), "dana@desk, as app, from 10.0.0.7, since S (pid 7)");
        let local = Holder { client: None, port: Some(-1), ..seen };
        assert_eq!(
            holder_text(&local, None),
            "dana@desk, as app, from the server's own machine, since S (pid 7)"
        );
        let hidden = holder_text(&Holder { pid: 7, ..Holder::default() }, None);
        assert!(
            !hidden.contains("own machine") && hidden.contains("an address that is not shown"),
            "{hidden}"
        );
        let work =
            AtWork { run: "3".into(), what: "fix x".into(), who: "erin@hall".into(), since: "T".into() };
        let resumed = holder_text(&Holder { port: Some(-1), ..local }, Some(&work));
        assert_eq!(
            resumed,
            "erin@hall, as app, from the server's own machine, since T (pid 7), with run 3: fix x"
        );
    }
}
