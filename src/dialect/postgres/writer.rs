//! The only sessions that write on a target, opened for an approved plan.
//!
//! One session holds the target's advisory lock, the other writes. Every transaction that writes first locks the
//! run's row and looks at its fencing number, so that a run that was taken over cannot go on.

use crate::dialect::postgres::numbers::{int, number, unsigned};
mod batching;
mod budget;
mod locked;
mod staging;
mod take_over;
mod transaction;
mod watchdog;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join;
use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Row as _};

use self::budget::Budget;
use self::watchdog::Watchdog;
use super::connect::Connection;
use super::error::{Coded as _, LOST, write_error};
use super::journal::append::{Signing, append};
use super::journal::{digests, rows};
use super::lock::GONE;
use super::lock::Held;
use super::search_path::{OWN_PATH, Whose, path_of_plan};
use super::silence::Silence;
use super::{lock, session};
use crate::dialect::postgres::numbers::millis;
use crate::engine::gate::guard::Approved;
use crate::engine::model::blocker::EndSession;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::event::Event;
use crate::engine::model::json::{extend, put};
use crate::engine::model::plan::Plan;
use crate::engine::model::row_store::RawRow;
use crate::engine::model::step::Step;
use crate::engine::port::reader::Fut;
use crate::engine::port::writer::{
    Batch, Committed, Cursor, Ending, Locked, Released, RunLimits, Writer, Writers,
};

/// Opens writers on one database.
pub struct PgWriters {
    connection: Connection,
}

impl PgWriters {
    /// Does not connect yet.
    pub fn new(connection: Connection) -> Self {
        Self { connection }
    }
}

/// After a silence.
fn unanswered(what: &str, silence: &Silence) -> Error {
    let message = format!("failed to {what}: no answer within {} s", silence.limit().as_secs());
    Error::new(Class::Failed, message).sqlstate(LOST)
}

impl PgWriters {
    async fn open_all(
        &self,
        approved: &Approved,
        terms: &RunLimits,
        silence: &Arc<Silence>,
    ) -> Result<PgWriter> {
        // Whoever resumes may come before the server has noticed that the dead client is gone.
        let patience = if approved.resumes().is_some() { GONE } else { Duration::ZERO };
        let lock = lock::take(&self.connection, terms, patience).await?;
        let (mut work, watchdog) = try_join(
            session::open(&self.connection, terms, &session::WORK),
            Watchdog::open(&self.connection, terms),
        )
        .await?;
        let plan = approved.plan();
        session::check_identity(&mut work, &plan.identity).await?;
        let signing = Signing::new(Arc::clone(&terms.signer), plan.identity.signed_name());
        Ok(PgWriter {
            signing,
            digest: plan.digest.clone(),
            judged: approved.entries().map(str::to_owned),
            name: session::name(&mut work).await?,
            watchdog,
            connection: self.connection.clone(),
            terms: terms.clone(),
            lock,
            work,
            budget: Budget::new(0),
            in_tx: false,
            whose: Whose::Ours,
            path_is: None,
            committing: false,
            silence: Arc::clone(silence),
            unanswered: vec![],
            silent: false,
            tables: None,
        })
    }
}

impl Writers for PgWriters {
    fn open<'a>(&'a self, approved: &'a Approved, terms: &'a RunLimits) -> Fut<'a, Result<Box<dyn Writer>>> {
        Box::pin(async move {
            let silence = Arc::new(Silence::new(self.connection.clone()));
            let opened = silence.heard(None, Box::pin(self.open_all(approved, terms, &silence))).await;
            let writer = opened.unwrap_or_else(|| Err(unanswered("open the run's sessions", &silence)))?;
            Ok(Box::new(writer) as Box<dyn Writer>)
        })
    }
}

struct PgWriter {
    connection: Connection,
    terms: RunLimits,
    signing: Signing,
    /// Of the plan: who goes on with a run says with what.
    digest: String,
    /// The sum of the entries of a run that is gone on with, as they were judged.
    judged: Option<String>,
    lock: Held,
    work: PgConnection,
    watchdog: Watchdog,
    /// Of the transaction that is open.
    budget: Budget,
    in_tx: bool,
    /// Whose statements are at hand.
    whose: Whose,
    /// Whose path the transaction has; where others may have set it, none that is known.
    path_is: Option<Whose>,
    /// A COMMIT is on its way.
    committing: bool,
    silence: Arc<Silence>,
    /// Fences that were taken for the run by a COMMIT without an answer: one of them may be the run's.
    unanswered: Vec<i64>,
    /// Process and start of the writing session.
    name: String,
    /// No answer came, and none is waited for any more.
    silent: bool,
    /// The step whose batches' tables the session has.
    tables: Option<usize>,
}

impl PgWriter {
    async fn event(&mut self, run: i64, kind: &str, body: &Value) -> Result<Event> {
        append(&mut self.work, &mut self.signing, Some(run), kind, body).await
    }

    async fn begun(&mut self, run: i64) -> Result<Cursor> {
        let sql = "select fence, step, checkpoint, batch, applied, drifted from midwatch.runs where id = $1";
        let row = sqlx::query(sql)
            .bind(run)
            .fetch_one(&mut self.work)
            .await
            .map_err(|e| write_error(&e, "read the run's state"))?;
        let get = |name: &str| row.try_get::<i64, _>(name).unwrap_or(0);
        Ok(Cursor {
            run: run.to_string(),
            fence: get("fence"),
            step: usize::try_from(row.try_get::<i32, _>("step").unwrap_or(0)).unwrap_or(0),
            checkpoint: unsigned(get("checkpoint")),
            batch: unsigned(get("batch")),
            applied: unsigned(get("applied")),
            drifted: unsigned(get("drifted")),
        })
    }
}

impl PgWriter {
    /// New sessions, once the old ones are gone.
    async fn reconnect(&mut self, begun: &Cursor) -> Result<(Cursor, Event)> {
        self.in_tx = false;
        self.watchdog.forget();
        if self.lock.check().await.is_err() {
            self.lock = lock::take(&self.connection, &self.terms, GONE).await?;
            self.signing.renew();
        }
        self.work = session::open(&self.connection, &self.terms, &session::WORK).await?;
        self.name = session::name(&mut self.work).await?;
        (self.silent, self.tables) = (false, None);
        self.take_fence(number(&begun.run)?, "reconnected", Some(begun.fence)).await
    }
}

impl Writer for PgWriter {
    fn begin<'a>(&'a mut self, plan: &'a Plan, bootstrap: &'a [String]) -> Fut<'a, Result<Cursor>> {
        Box::pin(self.heard("write the intent into the journal", async move |w| {
            let me = w.name.clone();
            w.open_tx().await?;
            for sql in bootstrap {
                w.raw("create the journal", sql).await?;
            }
            let text = serde_json::to_string(plan)
                .map_err(|e| Error::new(Class::Failed, format!("failed to write the plan down: {e}")))?;
            let undoes = plan.undoes.as_deref().map(number).transpose()?;
            let sql = "insert into midwatch.runs (operation, name, target, plan, plan_text, digest, undoes, operator, fence, \
                       lock_pid, backends, planned, applied) values ($1, $2, $3, $4::jsonb, $4, $5, $6, $7, nextval('midwatch.fences'), \
                       $8, array[$9], $10, $11) returning id";
            let row = sqlx::query(sql)
                .bind(plan.operation.clone())
                .bind(plan.name.clone())
                .bind(plan.target.clone())
                .bind(text)
                .bind(plan.digest.clone())
                .bind(undoes)
                .bind(w.terms.operator.to_string())
                .bind(w.lock.pid)
                .bind(me)
                .bind(int(plan.rows))
                .bind(int(bootstrap.len() as u64))
                .fetch_one(&mut w.work)
                .await
                .map_err(|e| write_error(&e, "write the intent into the journal"))?;
            let run: i64 =
                row.try_get(0).map_err(|e| write_error(&e, "write the intent into the journal"))?;
            if let Some(undone) = undoes {
                // Its client may be cut off and come back: what is taken back is not gone on with.
                sqlx::query("update midwatch.runs set fence = nextval('midwatch.fences') where id = $1")
                    .bind(undone)
                    .execute(&mut w.work)
                    .await
                    .map_err(|e| write_error(&e, "take the fence of the run that is taken back"))?;
            }
            w.begun(run).await
        }))
    }

    fn stage<'a>(
        &'a mut self,
        run: &'a Cursor,
        step: usize,
        from: u64,
        rows: &'a [RawRow],
    ) -> Fut<'a, Result<()>> {
        Box::pin(self.heard("write the planned rows into the journal", async move |w| {
            let blocks =
                staging::blocks(number(&run.run)?, i32::try_from(step).unwrap_or(i32::MAX), from, rows);
            let copy = async {
                let mut copy = w.work.copy_in_raw(staging::COPY).await?;
                copy.send(blocks).await?;
                copy.finish().await
            };
            copy.await.map(drop).map_err(|e| write_error(&e, "write the planned rows into the journal"))
        }))
    }

    fn staged<'a>(&'a mut self, begun: &'a Cursor, body: &'a Value) -> Fut<'a, Result<Event>> {
        Box::pin(self.heard("write the intent into the journal", async move |w| {
            let run = number(&begun.run)?;
            // What the run's row says and nothing changes without an entry.
            let sql = "select json_build_object('began', r.started_at::text, 'fence', r.fence, 'lock_pid', r.lock_pid, \
                       'backends', r.backends::text, 'text_sha256', encode(sha256(convert_to(r.plan_text, 'UTF8')), 'hex'), \
                       'undone_fence', (select u.fence from midwatch.runs u where u.id = r.undoes))::text \
                       from midwatch.runs r where r.id = $1";
            let row = w.json(sql, run, "read when the run began").await?;
            let mut body = body.clone();
            extend(&mut body, row);
            let planned = w.planned_sum(run, digests::planned_written()).await?;
            let planned = digests::own(planned, || format!("planned rows of run {run}"))?;
            put(&mut body, "planned", json!(planned));
            let event = w.event(run, "intent", &body).await?;
            w.commit("write the intent into the journal").await?;
            Ok(event)
        }))
    }

    fn abandon(&mut self) -> Fut<'_, ()> {
        Box::pin(self.rollback())
    }

    fn take_over<'a>(&'a mut self, run: &'a str) -> Fut<'a, Result<(Cursor, Event)>> {
        Box::pin(
            self.heard("take the run over", async move |w| w.take_fence(number(run)?, "resumed", None).await),
        )
    }

    fn statements<'a>(
        &'a mut self,
        begun: &'a Cursor,
        step: &'a Step,
        counted: bool,
    ) -> Fut<'a, Result<Committed>> {
        Box::pin(async move {
            let Step { statements, portion, .. } = step;
            if !step.in_transaction {
                return Err(Error::new(Class::Refused, format!("step {} is not one transaction", step.id)));
            }
            let from = usize::try_from(begun.checkpoint).unwrap_or(usize::MAX).min(statements.len());
            let upto = portion.map_or(statements.len(), |n| statements.len().min(from + n));
            let inside = statements.get(from..upto).unwrap_or_default();
            let ran = inside.len();
            let end = upto == statements.len();
            let applied = if counted { ran as u64 } else { 0 };
            let (next, checkpoint) = if end { (begun.step + 1, 0) } else { (begun.step, upto as u64) };
            self.watched(None).await?;
            let event = self
                .fenced(begun, "run the step's statements", async |w, run| {
                    let since = Instant::now();
                    w.under_plans_path().await?;
                    for sql in inside {
                        w.bound("run a statement").await?;
                        w.raw("run a statement", sql).await?;
                    }
                    w.disturbed();
                    w.under_own_path().await?;
                    w.bound("write the checkpoint").await?;
                    let sql = "update midwatch.runs set step = $2, applied = applied + $3, checkpoint = $4, beat_at = clock_timestamp() where id = $1";
                    sqlx::query(sql)
                        .bind(run)
                        .bind(i32::try_from(next).unwrap_or(i32::MAX))
                        .bind(int(applied))
                        .bind(int(checkpoint))
                        .execute(&mut w.work)
                        .await
                        .map_err(|e| write_error(&e, "write the checkpoint"))?;
                    let mut body = json!({ "step": begun.step, "id": step.id, "statements": applied, "ran": ran });
                    if !end {
                        put(&mut body, "to", json!(checkpoint));
                    }
                    put(&mut body, "held_ms", json!(millis(since)));
                    w.event(run, "step", &body).await
                })
                .await?;
            Ok(Committed { checkpoint, applied, end, event: Some(event), ..Committed::default() })
        })
    }

    fn locked<'a>(&'a mut self, begun: &'a Cursor, what: &'a Locked<'a>) -> Fut<'a, Result<Released>> {
        Box::pin(self.work_locked(begun, what))
    }

    fn batch<'a>(&'a mut self, b: &'a Batch<'a>) -> Fut<'a, Result<Committed>> {
        Box::pin(async move {
            if self.tables != Some(b.begun.step) {
                // One transaction, after which the session's path is ours again.
                let tables = super::row_sql::batch::tables(b.change);
                let tables = format!(
                    "set search_path = {}; {tables}; set search_path = {OWN_PATH}",
                    path_of_plan(&self.terms)
                );
                self.raw("create the batch's temporary tables", &tables).await?;
                self.tables = Some(b.begun.step);
            }
            self.watched(None).await?;
            // A guard that is off keeps all other writers out, from the batch's first statement on.
            let most = if b.change.excludes_writers { self.terms.guard_off_ms } else { u64::MAX };
            let ms = self.terms.statement_timeout_ms.min(most);
            let mut of_unit = false;
            let work = async |w: &mut Self, run| w.work_batch(b, run, &mut of_unit).await;
            let outcome = self.fenced_within(ms, b.begun, "commit the batch", work).await;
            outcome.map_err(|e| if ms == most { self.kept_out_too_long(e, of_unit) } else { e })
        })
    }

    fn analyse(&mut self) -> Fut<'_, ()> {
        Box::pin(async move {
            // Who does not own them is told so by a warning, and goes on with worse plans.
            let analyse =
                format!("set statement_timeout = '10s'; analyze {}; reset statement_timeout", rows::TABLES);
            let what = "analyse the journal's tables";
            if let Err(e) = self.heard(what, async |w| w.raw(what, &analyse).await).await {
                tracing::debug!("{e}");
            }
        })
    }

    fn next_step<'a>(&'a mut self, begun: &'a Cursor, step: usize) -> Fut<'a, Result<()>> {
        Box::pin(async move {
            self.fenced(begun, "go to the next step", async |w, run| {
                sqlx::query("update midwatch.runs set step = $2, checkpoint = 0, beat_at = clock_timestamp() where id = $1")
                    .bind(run)
                    .bind(i32::try_from(step).unwrap_or(i32::MAX))
                    .execute(&mut w.work)
                    .await
                    .map(drop)
                    .map_err(|e| write_error(&e, "go to the next step"))
            })
            .await
        })
    }

    fn announce<'a>(
        &'a mut self,
        begun: &'a Cursor,
        message: Option<&'a str>,
        batch_rows: u64,
    ) -> Fut<'a, Result<()>> {
        Box::pin(async move {
            self.fenced(begun, "say what the run is doing", async |w, run| {
                // It may be that no commit ends: worth saying, not worth waiting for.
                w.raw("say what the run is doing", "set local synchronous_commit = local").await?;
                sqlx::query("update midwatch.runs set message = $2, batch_rows = $3, beat_at = clock_timestamp() where id = $1")
                    .bind(run)
                    .bind(message.map(str::to_owned))
                    .bind(int(batch_rows))
                    .execute(&mut w.work)
                    .await
                    .map(drop)
                    .map_err(|e| write_error(&e, "say what the run is doing"))
            })
            .await
        })
    }

    fn note<'a>(&'a mut self, begun: &'a Cursor, kind: &'a str, body: &'a Value) -> Fut<'a, Result<Event>> {
        Box::pin(async move {
            self.fenced(begun, "write into the journal", async |w, run| w.event(run, kind, body).await).await
        })
    }

    fn end_session<'a>(
        &'a mut self,
        begun: &'a Cursor,
        session: &'a EndSession,
    ) -> Fut<'a, Result<(bool, Event)>> {
        Box::pin(async move {
            self.fenced(begun, "end a session", async |w, run| {
                let ended = w.terminate(session).await?;
                let body = json!({ "pid": session.blocker().pid, "ended": ended });
                Ok((ended, w.event(run, "ended", &body).await?))
            })
            .await
        })
    }

    fn end<'a>(&'a mut self, begun: &'a Cursor, ending: &'a Ending) -> Fut<'a, Result<Event>> {
        Box::pin(async move {
            self.fenced(begun, "write the outcome into the journal", async |w, run| {
                let sql = "update midwatch.runs set outcome = $2, resumable = $3, verified = $4, message = $5, \
                           ended_at = clock_timestamp(), beat_at = clock_timestamp(), batch_rows = null where id = $1 \
                           returning json_build_object('ended', ended_at::text, 'beat', beat_at::text, 'step', step, \
                           'checkpoint', checkpoint)::text";
                let row = sqlx::query(sql)
                    .bind(run)
                    .bind(ending.outcome.word())
                    .bind(ending.resumable)
                    .bind(ending.verified)
                    .bind(ending.message.clone())
                    .fetch_one(&mut w.work)
                    .await
                    .and_then(|row| row.try_get::<String, _>(0))
                    .map_err(|e| write_error(&e, "write the outcome into the journal"))?;
                let mut body = json!({
                    "outcome": ending.outcome.word(), "resumable": ending.resumable, "verified": ending.verified,
                    "message": ending.message,
                });
                extend(&mut body, ending.body.clone());
                extend(&mut body, serde_json::from_str(&row).unwrap_or_default());
                w.event(run, "outcome", &body).await
            })
            .await
        })
    }

    fn recover<'a>(&'a mut self, begun: &'a Cursor) -> Fut<'a, Result<(Cursor, Event)>> {
        Box::pin(async move {
            let silence = Arc::clone(&self.silence);
            let recovered = silence.heard(None, self.reconnect(begun)).await;
            recovered.unwrap_or_else(|| Err(unanswered("reconnect", &silence)))
        })
    }

    fn holds_lock(&mut self) -> Fut<'_, Result<()>> {
        Box::pin(async move {
            self.lock.check().await.map_err(|e| {
                Error::new(
                    Class::Failed,
                    format!("the session that held this target's lock is gone: {}", e.message),
                )
                .sqlstate(LOST)
            })
        })
    }

    fn close(self: Box<Self>) -> Fut<'static, ()> {
        Box::pin(async move {
            let mut this = *self;
            this.watchdog.stop(&mut this.work).await;
            let _ = this.work.close().await;
            this.lock.close().await;
        })
    }
}
