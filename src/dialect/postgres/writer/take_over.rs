//! Going on with a run: what is gone on with must be what was approved, and its other sessions must be gone.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row as _};

use super::PgWriter;
use crate::dialect::postgres::error::write_error;
use crate::dialect::postgres::journal::digests;
use crate::dialect::postgres::journal::entries::{ALTERED_RUNS, sum_before};
use crate::dialect::postgres::lock::{self, GONE};
use crate::dialect::postgres::search_path::OWN_PATH;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::event::Event;
use crate::engine::model::json::{extend, field};
use crate::engine::model::record;
use crate::engine::port::writer::Cursor;

impl PgWriter {
    pub(super) async fn planned_sum(&mut self, run: i64, sql: String) -> Result<String> {
        sqlx::query(AssertSqlSafe(sql))
            .bind(run)
            .fetch_one(&mut self.work)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(|e| write_error(&e, "sum the planned rows"))
    }

    /// What a query over the run's row says, as JSON.
    pub(super) async fn json(&mut self, sql: &'static str, run: i64, what: &str) -> Result<Value> {
        let row = sqlx::query(sql).bind(run).fetch_one(&mut self.work).await;
        let text = row.and_then(|row| row.try_get::<String, _>(0)).map_err(|e| write_error(&e, what))?;
        serde_json::from_str(&text).map_err(|e| Error::new(Class::Failed, format!("failed to {what}: {e}")))
    }

    /// The planned rows must be those that were approved: the chained intent says which.
    async fn check_planned(&mut self, run: i64) -> Result<()> {
        let sql = "select body from midwatch.events where run = $1 and kind = 'intent' and seq > 0 order by seq limit 1";
        let body: Option<String> = sqlx::query(sql)
            .bind(run)
            .fetch_optional(&mut self.work)
            .await
            .and_then(|row| row.map(|r| r.try_get(0)).transpose())
            .map_err(|e| write_error(&e, "read the run's intent"))?;
        let intent: Value = body.and_then(|b| serde_json::from_str(&b).ok()).unwrap_or_default();
        let said = field(&intent, "planned").as_str().unwrap_or_default();
        if said != self.planned_sum(run, digests::planned_as(said)).await? {
            return Err(Error::new(
                Class::Refused,
                format!("the planned rows of run {run} are not those of its intent"),
            )
            .hint("the journal was altered: midwatch journal verify; undo takes back what was done"));
        }
        Ok(())
    }

    /// The run's row, which is locked, must be as its entries say.
    async fn check_row(&mut self, run: i64) -> Result<()> {
        let what = "compare the run with its entries";
        let altered = sqlx::query(ALTERED_RUNS)
            .bind(run.to_string())
            .fetch_all(&mut self.work)
            .await
            .map_err(|e| write_error(&e, what))?;
        let Some(row) = altered.first() else { return Ok(()) };
        let get = |name: &str| row.try_get::<Option<String>, _>(name).ok().flatten();
        let altered = record::Altered {
            run: run.to_string(),
            what: get("what").unwrap_or_default(),
            found: get("found"),
            said: get("said"),
        };
        Err(Error::new(Class::Refused, altered.text())
            .hint("the journal was altered: midwatch journal verify"))
    }

    /// The entries before ours must be those that were judged: nobody has added or altered one meanwhile. What comes after
    /// ours is signed by us, or found.
    async fn check_entries(&mut self, run: i64, ours: i64) -> Result<()> {
        let Some(judged) = self.judged.clone() else { return Ok(()) };
        let sum: String = sqlx::query(AssertSqlSafe(sum_before()))
            .bind(run)
            .bind(ours)
            .fetch_one(&mut self.work)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(|e| write_error(&e, "compare the run's entries"))?;
        if sum == judged {
            return Ok(());
        }
        let what = format!("entries of run {run} were added or altered since it was looked at");
        Err(Error::new(Class::Refused, what).hint("nothing was done; midwatch journal verify"))
    }

    /// Takes the fence of a run whose sessions are all gone.
    pub(super) async fn take_fence(
        &mut self,
        run: i64,
        kind: &str,
        mine: Option<i64>,
    ) -> Result<(Cursor, Event)> {
        lock::wait_for_sessions(&mut self.work, run, GONE).await?;
        // Whoever reconnects must be the one who was there; whoever resumes needs a run that can be gone on with.
        let which = if let Some(fence) = mine {
            let ours = self.unanswered.iter().chain([&fence]).map(|fence| format!("r.fence = {fence}"));
            format!("({})", ours.collect::<Vec<_>>().join(" or "))
        } else {
            self.check_planned(run).await?;
            "(r.outcome = 'running' or r.resumable) and not exists (select from midwatch.runs u \
             where u.applied > 0 and (u.undoes = r.id or u.undoes = r.undoes and u.id > r.id))"
                .to_owned()
        };
        let me = self.name.clone();
        let outcome = async {
            self.open_tx().await?;
            // All of it is ours, whatever path the plan's statements have.
            self.raw("set the search path", &format!("set local search_path = {OWN_PATH}")).await?;
            if mine.is_none() {
                let row = sqlx::query("select from midwatch.runs where id = $1 for update").bind(run);
                row.execute(&mut self.work).await.map_err(|e| write_error(&e, "take the run over"))?;
                self.check_row(run).await?;
            }
            let sql = format!("update midwatch.runs r set fence = nextval('midwatch.fences'), lock_pid = $2, backends = array[$3], \
                       outcome = 'running', ended_at = null, resumable = false, message = null, beat_at = clock_timestamp() \
                       where r.id = $1 and {which}");
            let taken = sqlx::query(AssertSqlSafe(sql))
                .bind(run)
                .bind(self.lock.pid)
                .bind(me)
                .execute(&mut self.work)
                .await
                .map_err(|e| write_error(&e, "take the run over"))?;
            if taken.rows_affected() == 0 {
                return Err(Error::new(Class::Refused, format!("run {run} cannot be gone on with: it has ended, was taken back, or was taken over"))
                    .hint("midwatch runs says how it stands"));
            }
            let begun = self.begun(run).await?;
            let mut body = json!({ "by": self.terms.operator.to_string(), "fence": begun.fence,
                "checkpoint": begun.checkpoint, "digest": self.digest });
            let sql = "select json_build_object('lock_pid', r.lock_pid, 'backends', r.backends::text)::text \
                       from midwatch.runs r where r.id = $1";
            let row = self.json(sql, run, "take the run over").await?;
            extend(&mut body, row);
            let event = self.event(run, kind, &body).await?;
            if mine.is_none() {
                self.check_entries(run, event.seq).await?;
            }
            self.unanswered.push(begun.fence);
            self.commit("take the run over").await?;
            self.unanswered.clear();
            Ok((begun, event))
        }
        .await;
        if outcome.is_err() {
            self.rollback().await;
        }
        outcome
    }
}
