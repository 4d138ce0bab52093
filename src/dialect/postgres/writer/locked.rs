//! Statements inside locks, in one transaction. From the first lock to the commit others wait: nothing is done there
//! that could have been done before.

use crate::dialect::postgres::numbers::millis;
use std::time::Instant;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row as _};

use super::super::error::{Coded as _, LOST, OVER_BUDGET, write_error};
use crate::dialect::postgres::numbers::int;
use crate::dialect::postgres::tx::bind;
use crate::dialect::postgres::writer::{PgWriter, lock};
use crate::engine::model::blocker::EndSession;
use crate::engine::model::cause::Cause;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::name::{Relation, literal};
use crate::engine::model::query::Sql;
use crate::engine::port::writer::{AnswerUse, Cursor, Locked, Released};

/// Times of an attempt.
struct AttemptTimes {
    waited_ms: u64,
    locked: Instant,
    compared: u64,
}

/// `$1`: the relations. LOCK of a view locks its tables along with it, before other views: whoever reads one of those
/// would be met half-way. A view gets the owner that it has, which locks it alone. Everything with its schema: it is asked
/// under the path of the plan.
const LOCKS: &str = "
select pg_catalog.array_remove(pg_catalog.array_agg(
      pg_catalog.format('alter view %s owner to %I', t.name, pg_catalog.pg_get_userbyid(c.relowner)) order by t.place)
    filter (where c.relkind operator(pg_catalog.=) 'v')
  operator(pg_catalog.||) ('lock table ' operator(pg_catalog.||) pg_catalog.string_agg(t.name, ', ' order by t.place)
    filter (where not coalesce(c.relkind operator(pg_catalog.=) 'v', false)) operator(pg_catalog.||) ' in access exclusive mode'), null)
from pg_catalog.unnest($1::pg_catalog.text[]) with ordinality t(name, place)
left join pg_catalog.pg_class c on c.oid operator(pg_catalog.=) pg_catalog.to_regclass(t.name)::pg_catalog.oid";

/// The server's limit is one statement's: what others wait for must be one.
fn as_one(statements: &[String]) -> String {
    let all: Vec<_> = statements.iter().map(|s| format!("execute {};", literal(s))).collect();
    format!("do {}", literal(&format!("begin {} end", all.join(" "))))
}

impl PgWriter {
    pub(super) async fn work_locked(&mut self, begun: &Cursor, what: &Locked<'_>) -> Result<Released> {
        self.watched(Some(what.budget_ms)).await?;
        let released = self.locked_within(begun, what).await.map_err(|e| late(e, what));
        // Where the session was ended the watch has ended with it.
        self.watchdog.stop(&mut self.work).await;
        released
    }

    async fn locked_within(&mut self, begun: &Cursor, what: &Locked<'_>) -> Result<Released> {
        let mut times = None;
        let event = self
            .fenced(begun, what.doing, async |w, run| {
                w.under_plans_path().await?;
                let locked = w.lock_tables(what).await?;
                w.under_own_path().await?;
                let compared = w.ask_inside(what).await?;
                w.under_plans_path().await?;
                w.bound(what.doing).await?;
                let statements = as_one(&what.step.statements);
                w.raw(what.doing, &statements).await?;
                w.disturbed();
                w.under_own_path().await?;
                let took = AttemptTimes { compared, ..locked };
                w.bound(what.doing).await?;
                let event = w.event(run, "step", &entry(begun, what, &took)).await?;
                w.checkpoint_alone(begun, what, run).await?;
                let held = millis(took.locked);
                if held > what.budget_ms {
                    let message = format!(
                        "the locks would have been held for {held} ms, the budget is {} ms",
                        what.budget_ms
                    );
                    return Err(Error::new(Class::Failed, message).sqlstate(OVER_BUDGET));
                }
                times = Some(took);
                Ok(event)
            })
            .await?;
        let held_ms = times.as_ref().map_or(0, |t| millis(t.locked));
        let (waited_ms, compared) = times.map_or((0, 0), |t| (t.waited_ms, t.compared));
        Ok(Released { event: Some(event), waited_ms, held_ms, compared })
    }

    /// The step is done, if the target's lock is still ours: its session may have died since the attempt began, and
    /// another operator may have it by now.
    async fn checkpoint_alone(&mut self, begun: &Cursor, what: &Locked<'_>, run: i64) -> Result<()> {
        let sql = format!(
            "update midwatch.runs set step = $2, applied = applied + $3, beat_at = clock_timestamp(), message = null \
             where id = $1 and exists (select from pg_locks l where {} and l.pid = $4)",
            lock::GRANTED
        );
        let done = sqlx::query(AssertSqlSafe(sql))
            .bind(run)
            .bind(i32::try_from(begun.step + 1).unwrap_or(i32::MAX))
            .bind(int(what.counts))
            .bind(self.lock.pid)
            .execute(&mut self.work)
            .await
            .map_err(|e| write_error(&e, "write the checkpoint"))?;
        if done.rows_affected() == 1 {
            return Ok(());
        }
        Err(Error::new(Class::Failed, "the session that held this target's lock is gone").sqlstate(LOST))
    }

    /// All relations in the plan's order; whoever is in the way is given up on soon.
    async fn lock_tables(&mut self, what: &Locked<'_>) -> Result<AttemptTimes> {
        let tables: Vec<_> = what.objects.iter().map(|t| Relation::parse(t).to_string()).collect();
        let locks: Vec<String> = sqlx::query_scalar(LOCKS)
            .bind(&tables)
            .fetch_one(&mut self.work)
            .await
            .map_err(|e| write_error(&e, "look up what is to be locked"))?;
        let begun = Instant::now();
        let sql = format!(
            // Each lock has its own timeout; all of them together must fit into the budget.
            "set local lock_timeout = {}; {}; {}",
            what.lock_timeout_ms,
            self.begin_budget(what.budget_ms),
            as_one(&locks)
        );
        self.raw("lock the tables", &sql).await?;
        // Whoever comes after a waiting lock waits as well: the budget begins with the wait.
        Ok(AttemptTimes { waited_ms: millis(begun), locked: begun, compared: 0 })
    }

    /// Nobody can write now: what is asked stays true until the commit.
    async fn ask_inside(&mut self, what: &Locked<'_>) -> Result<u64> {
        let mut compared = 0;
        for group in &what.questions {
            for question in group {
                self.bound(what.asking).await?;
                let answer = self.single(what, &question.sql).await?;
                match &question.wanted {
                    AnswerUse::Compared => compared += answer.and_then(|n| n.parse().ok()).unwrap_or(0),
                    AnswerUse::Answer(wanted, _) if answer.is_some() && answer == *wanted => {}
                    AnswerUse::Answer(_, refuse) => return Err(refuse(answer.as_deref())),
                }
            }
        }
        Ok(compared)
    }

    /// By process and the time it began: the number alone may be somebody else's by now.
    pub(super) async fn terminate(&mut self, session: &EndSession) -> Result<bool> {
        let blocker = session.blocker();
        let sql = "select pg_terminate_backend(pid) from pg_stat_activity \
                   where pid = $1 and backend_start = $2::timestamptz and datname = current_database()";
        let pid = i32::try_from(blocker.pid).unwrap_or(-1);
        let row = sqlx::query(sql).bind(pid).bind(&blocker.since).fetch_optional(&mut self.work).await;
        let row = row.map_err(|e| write_error(&e, "end a session"))?;
        row.map_or(Ok(false), |row| row.try_get(0).map_err(|e| write_error(&e, "end a session")))
    }

    async fn single(&mut self, locked: &Locked<'_>, sql: &Sql) -> Result<Option<String>> {
        let what = locked.asking;
        self.set_path().await?;
        let arguments =
            bind(sql.params()).map_err(|e| Error::new(Class::Failed, format!("failed to {what}: {e}")))?;
        let row =
            sqlx::query_with(AssertSqlSafe(sql.text().to_owned()), arguments).fetch_one(&mut self.work).await;
        if sql.reads_rows() {
            self.disturbed();
        }
        row.and_then(|row| row.try_get(0)).map_err(|e| write_error(&e, what))
    }
}

fn entry(begun: &Cursor, what: &Locked<'_>, took: &AttemptTimes) -> Value {
    let mut entry = json!({
        "step": begun.step, "id": what.step.id, "statements": what.counts, "ran": what.step.statements.len(),
        "attempt": what.attempt, "waited_ms": took.waited_ms, "held_ms": millis(took.locked), "compared": took.compared,
    });
    if let Some(entry) = entry.as_object_mut() {
        entry.extend(what.entry.clone());
    }
    entry
}

/// A statement that was cancelled has spent the budget.
fn late(e: Error, what: &Locked<'_>) -> Error {
    if e.cause == Cause::Cancelled { spent(what) } else { e }
}

fn spent(what: &Locked<'_>) -> Error {
    let message = format!("it took longer than the budget is: the budget is {} ms", what.budget_ms);
    Error::new(Class::Failed, message).sqlstate(OVER_BUDGET)
}
