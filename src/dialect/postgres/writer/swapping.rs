//! The swap's one transaction. From the first lock to the commit others wait: nothing is done there that could have
//! been done before.

use std::time::Instant;

use serde_json::json;
use sqlx::postgres::PgArguments;
use sqlx::{Arguments as _, AssertSqlSafe, Row as _};

use super::super::error::{Coded as _, LOST, OVER_BUDGET, UNEQUAL, write_error};
use crate::dialect::postgres::numbers::int;
use crate::dialect::postgres::writer::{PgWriter, lock};
use crate::engine::model::cause::Cause;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::name::{Relation, literal};
use crate::engine::model::task::{EndSession, Proof};
use crate::engine::port::writer::{Attempt, Begun, Swapped};

pub(super) fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Times of an attempt.
struct Times {
    waited_ms: u64,
    locked: Instant,
    compared: u64,
}

/// `$1`: the relations. LOCK of a view locks its tables along with it, before other views: whoever reads one of those
/// would be met half-way. A view gets the owner that it has, which locks it alone.
const LOCKS: &str = "
select array_remove(array_agg(format('alter view %s owner to %I', t.name, pg_get_userbyid(c.relowner)) order by t.place)
    filter (where c.relkind = 'v')
  || ('lock table ' || string_agg(t.name, ', ' order by t.place) filter (where c.relkind is distinct from 'v') || ' in access exclusive mode'), null)
from unnest($1::text[]) with ordinality t(name, place) left join pg_class c on c.oid = to_regclass(t.name)";

/// The server's limit is one statement's: what others wait for must be one.
fn as_one(statements: &[String]) -> String {
    let all: Vec<_> = statements.iter().map(|s| format!("execute {};", literal(s))).collect();
    format!("do {}", literal(&format!("begin {} end", all.join(" "))))
}

impl PgWriter {
    pub(super) async fn swap_tables(&mut self, begun: &Begun, attempt: &Attempt<'_>) -> Result<Swapped> {
        let mut times = None;
        let event = self
            .fenced(begun, "swap the tables", async |w, run| {
                let locked = w.lock_tables(attempt).await?;
                let compared = w.compare_inside(attempt, &locked).await?;
                w.hurry(attempt, &locked).await?;
                let statements = as_one(&attempt.step.statements);
                w.raw("swap the tables", &statements).await.map_err(|e| late(e, attempt))?;
                let took = Times { compared, ..locked };
                let held = millis(took.locked);
                let body = json!({
                    "step": begun.step, "id": attempt.step.id, "statements": attempt.swap.twins, "ran": attempt.step.statements.len(),
                    "attempt": attempt.number, "waited_ms": took.waited_ms, "held_ms": held, "compared": compared,
                    "snapshot": attempt.snapshot,
                });
                let event = w.event(run, "step", &body).await?;
                w.checkpoint_alone(begun, attempt, run).await?;
                let held = millis(took.locked);
                if held > attempt.swap.budget_ms {
                    let what = format!("the locks would have been held for {held} ms, the budget is {} ms", attempt.swap.budget_ms);
                    return Err(Error::new(Class::Failed, what).sqlstate(OVER_BUDGET));
                }
                times = Some(took);
                Ok(event)
            })
            .await?;
        let held_ms = times.as_ref().map_or(0, |t| millis(t.locked));
        let (waited_ms, compared) = times.map_or((0, 0), |t| (t.waited_ms, t.compared));
        Ok(Swapped { event: Some(event), waited_ms, held_ms, compared })
    }

    /// The step is done, if the target's lock is still ours: its session may have died since the attempt began, and
    /// another operator may have it by now.
    async fn checkpoint_alone(&mut self, begun: &Begun, attempt: &Attempt<'_>, run: i64) -> Result<()> {
        let sql = format!(
            "update midwatch.runs set step = $2, applied = applied + $3, beat_at = clock_timestamp(), message = null \
             where id = $1 and exists (select from pg_locks l where {} and l.pid = $4)",
            lock::GRANTED
        );
        let done = sqlx::query(AssertSqlSafe(sql))
            .bind(run)
            .bind(i32::try_from(begun.step + 1).unwrap_or(i32::MAX))
            .bind(int(attempt.swap.twins))
            .bind(self.lock.pid)
            .execute(&mut self.work)
            .await
            .map_err(|e| late(write_error(&e, "write the checkpoint"), attempt))?;
        if done.rows_affected() == 1 {
            return Ok(());
        }
        Err(Error::new(Class::Failed, "the session that held this target's lock is gone").sqlstate(LOST))
    }

    /// All relations in the plan's order; whoever is in the way is given up on soon.
    async fn lock_tables(&mut self, attempt: &Attempt<'_>) -> Result<Times> {
        let tables: Vec<_> = attempt.swap.tables.iter().map(|t| Relation::parse(t).to_string()).collect();
        let locks: Vec<String> = sqlx::query_scalar(LOCKS)
            .bind(&tables)
            .fetch_one(&mut self.work)
            .await
            .map_err(|e| write_error(&e, "look up what is to be locked"))?;
        let begun = Instant::now();
        let sql = format!(
            // Each lock has its own timeout; all of them together must fit into the budget.
            "set local lock_timeout = {}; set local statement_timeout = {}; {}",
            attempt.swap.lock_timeout_ms,
            attempt.swap.budget_ms,
            as_one(&locks)
        );
        self.raw("lock the tables", &sql).await.map_err(|e| late(e, attempt))?;
        // Whoever comes after a waiting lock waits as well: the budget begins with the wait.
        Ok(Times { waited_ms: millis(begun), locked: begun, compared: 0 })
    }

    /// Nobody can write now: what was written since the last proof must be equal.
    async fn compare_inside(&mut self, attempt: &Attempt<'_>, times: &Times) -> Result<u64> {
        let mut compared = 0;
        for (proof, planned) in attempt.swap.proofs.iter().zip(attempt.fingerprints) {
            self.hurry(attempt, times).await?;
            let Some(since) = &proof.since else {
                self.none_differs(attempt, proof, &proof.sql, None).await?;
                continue;
            };
            let now = self.single(attempt, &since.fingerprint, None).await?;
            if now.is_none() || now != *planned {
                let what =
                    format!("the write marker of {} was changed since both sides were compared", proof.name);
                return Err(Error::new(Class::Failed, what).sqlstate(UNEQUAL));
            }
            let marked = self.single(attempt, &since.marked, Some(attempt.snapshot)).await?;
            compared += marked.and_then(|m| m.parse().ok()).unwrap_or(0);
            self.none_differs(attempt, proof, &since.differ, Some(attempt.snapshot)).await?;
        }
        Ok(compared)
    }

    async fn none_differs(
        &mut self,
        attempt: &Attempt<'_>,
        proof: &Proof,
        sql: &str,
        snapshot: Option<&str>,
    ) -> Result<()> {
        let count =
            self.single(attempt, &format!("select count(*)::text from ({sql}\n) q"), snapshot).await?;
        if count.as_deref() == Some("0") {
            return Ok(());
        }
        let rows = count.unwrap_or_else(|| "unknown".into());
        let what =
            format!("{rows} rows of {} differ, compared inside the locks; nothing was changed", proof.name);
        Err(Error::new(Class::Failed, what)
            .sqlstate(UNEQUAL)
            .hint(format!("midwatch check parity/{0} shows them; midwatch plan repair {0}", proof.name)))
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

    async fn single(
        &mut self,
        attempt: &Attempt<'_>,
        sql: &str,
        snapshot: Option<&str>,
    ) -> Result<Option<String>> {
        let what = "compare both sides inside the locks";
        let mut arguments = PgArguments::default();
        if let Some(snapshot) = snapshot {
            arguments
                .add(snapshot.to_owned())
                .map_err(|e| Error::new(Class::Failed, format!("failed to {what}: {e}")))?;
        }
        sqlx::query_with(AssertSqlSafe(sql.to_owned()), arguments)
            .fetch_one(&mut self.work)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(|e| late(write_error(&e, what), attempt))
    }

    /// No statement may take longer than what is left of the budget: writers wait for it.
    async fn hurry(&mut self, attempt: &Attempt<'_>, times: &Times) -> Result<()> {
        let left = attempt.swap.budget_ms.saturating_sub(millis(times.locked));
        if left == 0 {
            return Err(spent(attempt));
        }
        self.raw("bound what is left", &format!("set local statement_timeout = {left}")).await
    }
}

/// A statement that was cancelled has spent the budget.
fn late(e: Error, attempt: &Attempt<'_>) -> Error {
    if e.cause == Cause::Cancelled { spent(attempt) } else { e }
}

fn spent(attempt: &Attempt<'_>) -> Error {
    let what = format!("it took longer than the budget is: the budget is {} ms", attempt.swap.budget_ms);
    Error::new(Class::Failed, what).sqlstate(OVER_BUDGET)
}
