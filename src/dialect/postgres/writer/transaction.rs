//! A transaction of a run: it checks the run's fence first, and the server ends it in time, whatever its client does.
//!
//! Others wait for what it locks. A client that is stopped or cut off between two statements is ended after [`IDLE`]; in
//! a statement by `statement_timeout`, which is what is left of the budget; while the server sends to it by the
//! [`watchdog`](super::watchdog), since no timeout of the server ends that.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use super::super::error::{Coded as _, OVER_BUDGET, TIMED_OUT, is_disconnect, write_error};
use super::budget::{Budget, GRACE};
use super::{PgWriter, unanswered};
use crate::dialect::postgres::numbers::number;
use crate::dialect::postgres::prepared;
use crate::dialect::postgres::search_path::{OWN_PATH, Whose, path_of, path_of_plan};
use crate::engine::model::cause::Cause;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::port::writer::Cursor;

/// How long a transaction may be idle: a client at work sends its next statement at once.
const IDLE: Duration = Duration::from_secs(1);
/// What helps a batch that keeps other writers out for too long.
const GUARD_OFF: &str =
    "a longer guard_off_ms in [policy] lets a batch take longer; the table's other writers wait for it";
/// And where its rows are written together.
const GUARD_OFF_OF_UNIT: &str = "the rows of a unit are written together: a longer guard_off_ms in [policy] lets them take \
     longer; the table's other writers wait for them";
/// The first version that bounds a whole transaction.
const BOUNDS_TRANSACTIONS: u32 = 170_000;

impl PgWriter {
    pub(super) async fn raw(&mut self, what: &str, sql: &str) -> Result<()> {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut self.work)
            .await
            .map(drop)
            .map_err(|e| write_error(&e, what))
    }

    /// For what nobody waits for, the journal's own rows, however many they are: only its statements are bounded.
    pub(super) async fn open_tx(&mut self) -> Result<()> {
        let limits = format!("set local statement_timeout = {}", self.terms.statement_timeout_ms);
        let text = self.opening(&limits);
        self.raw("open a transaction", &text).await
    }

    /// With limits on how long it may take as a whole, and on how long it may be idle. The run is still ours, and stays so
    /// until the transaction's end: that is asked in the same message, with numbers alone in its text.
    async fn open_fenced_tx(&mut self, ms: u64, begun: &Cursor, what: &str) -> Result<i64> {
        let run = number(&begun.run)?;
        let limits = self.begin_budget(ms);
        let text = format!(
            "{}; select id from midwatch.runs where id = {run} and fence = {} and outcome = 'running' for update; {}",
            self.opening(&format!(
                "set local idle_in_transaction_session_timeout = {}; {limits}",
                IDLE.as_millis()
            )),
            begun.fence,
            prepared::COUNT
        );
        let answers = sqlx::raw_sql(AssertSqlSafe(text)).fetch_all(&mut self.work).await;
        let answers = answers.map_err(|e| write_error(&e, what))?;
        // What was deferred has run in the COMMIT before.
        self.statements_are_ours(what, answers.last()).await?;
        if answers.len() == 2 {
            return Ok(run);
        }
        let message = format!("run {} has been taken over or ended elsewhere", begun.run);
        Err(Error::new(Class::Refused, message).hint("midwatch runs says by whom"))
    }

    fn opening(&mut self, limits: &str) -> String {
        (self.in_tx, self.whose, self.path_is) = (true, Whose::Ours, Some(Whose::Ours));
        format!(
            "begin isolation level read committed read write; set local search_path = {OWN_PATH}; \
             set local synchronous_commit = on; set local lock_timeout = {}; {limits}",
            self.terms.lock_timeout_ms
        )
    }

    /// From now on the transaction has so long; the settings that tell the server.
    pub(super) fn begin_budget(&mut self, ms: u64) -> String {
        self.budget = Budget::new(ms);
        let statement = format!("set local statement_timeout = {ms}");
        if self.work.server_version_num().is_none_or(|version| version < BOUNDS_TRANSACTIONS) {
            return statement;
        }
        let whole = Duration::from_millis(ms) + GRACE;
        format!("{statement}; set local transaction_timeout = {}", whole.as_millis())
    }

    /// Before each statement: none may take longer than what is left to its transaction.
    pub(super) async fn bound(&mut self, what: &str) -> Result<()> {
        if self.budget.is_told() {
            return Ok(());
        }
        let left = self.budget.renew();
        if left == 0 {
            let whole = self.budget.whole_ms();
            let message = format!("failed to {what}: its transaction took longer than {whole} ms");
            return Err(Error::new(Class::Failed, message)
                .sqlstate(TIMED_OUT)
                .hint("smaller batches, or a longer statement_timeout_ms in [policy]"));
        }
        self.raw("bound what is left", &format!("set local statement_timeout = {left}")).await
    }

    /// From here on the plan's own statements, until [`PgWriter::under_own_path`]. Costs something for a plan of an earlier
    /// version alone.
    pub(super) async fn under_plans_path(&mut self) -> Result<()> {
        self.whose = Whose::Plans;
        self.set_path().await
    }

    /// From here on statements of ours.
    pub(super) async fn under_own_path(&mut self) -> Result<()> {
        self.whose = Whose::Ours;
        self.set_path().await
    }

    /// The same with a first statement, in one message; it returns no rows.
    pub(super) async fn under_own_path_with(&mut self, what: &str, sql: &str) -> Result<()> {
        (self.whose, self.path_is) = (Whose::Ours, Some(Whose::Ours));
        self.set_path_with(what, OWN_PATH, &format!("{sql}; ")).await
    }

    /// Code of others has run, or may have: what it has set and prepared is not known.
    pub(super) fn disturbed(&mut self) {
        self.path_is = None;
    }

    async fn set_path_with(&mut self, what: &str, path: &str, sql: &str) -> Result<()> {
        let text = format!("set local search_path = {path}; {sql}{}", prepared::COUNT);
        let answers = sqlx::raw_sql(AssertSqlSafe(text)).fetch_all(&mut self.work).await;
        let answers = answers.map_err(|e| write_error(&e, what))?;
        self.statements_are_ours(what, answers.last()).await
    }

    /// Where they are not, none is kept: the outcome is still to be written in this session.
    async fn statements_are_ours(&mut self, what: &str, count: Option<&PgRow>) -> Result<()> {
        let count = count.and_then(|row| row.try_get(0).ok()).unwrap_or(-1);
        if prepared::are_ours(&self.work, count) {
            return Ok(());
        }
        let cleared = self.work.clear_cached_statements().await;
        cleared.map_err(|e| write_error(&e, what))?;
        self.raw(what, "deallocate all").await?;
        Err(prepared::taken(Class::Failed).context(format!("failed to {what}")))
    }

    /// The path of the statements at hand, where another one may be set.
    pub(super) async fn set_path(&mut self) -> Result<()> {
        // A plan that leaves no name to the path has ours.
        let ours = |one: Whose| one == Whose::Ours || one == Whose::Plans && self.terms.names_with_schema;
        let same = |one: Whose| one == self.whose || ours(one) && ours(self.whose);
        if self.path_is.is_some_and(same) {
            return Ok(());
        }
        let path = match self.whose {
            Whose::Ours => OWN_PATH.to_owned(),
            Whose::Plans => path_of_plan(&self.terms),
            Whose::Profiles => path_of(&self.terms.search_path),
        };
        self.path_is = Some(self.whose);
        self.set_path_with("set the search path", &path, "").await
    }

    /// Under the profile's path: its statements, and what sets off triggers of its tables. What is ours in them has its
    /// schema everywhere. The path is set each time, since a trigger may have set another; it is set back with the next
    /// statement of another's, which [`PgWriter::set_path`] comes before.
    pub(super) async fn under_profile<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let whose = std::mem::replace(&mut self.whose, Whose::Profiles);
        self.disturbed();
        self.set_path().await?;
        let value = work(self).await;
        self.whose = whose;
        self.disturbed();
        value
    }

    /// The one place where something becomes durable. Without an answer nobody knows whether it has. Deferred checks are
    /// made before it: no timeout of the server counts inside COMMIT.
    pub(super) async fn commit(&mut self, what: &str) -> Result<()> {
        self.committing = true;
        // What is deferred fires now, and finds its names by the profile's path.
        let text = format!(
            "set local search_path = {}; set constraints all immediate; commit",
            path_of(&self.terms.search_path)
        );
        let done = sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut self.work).await.map(drop);
        self.committing = false;
        let open = done.as_ref().is_err_and(|e| !is_disconnect(e));
        self.in_tx = open;
        done.map_err(|e| {
            let error = write_error(&e, what);
            if is_disconnect(&e) { error.ambiguous() } else { error }
        })
    }

    /// Nothing of an open transaction stays; where the session is gone the server has seen to it.
    pub(super) async fn rollback(&mut self) {
        if std::mem::take(&mut self.in_tx) {
            let _ = sqlx::raw_sql("rollback").execute(&mut self.work).await;
        }
    }

    /// Runs `work` in a transaction that checks the fence first; commits it. All of it takes as long as a statement may.
    pub(super) async fn fenced<T>(
        &mut self,
        begun: &Cursor,
        what: &str,
        work: impl AsyncFnOnce(&mut Self, i64) -> Result<T>,
    ) -> Result<T> {
        let ms = self.terms.statement_timeout_ms;
        self.fenced_within(ms, begun, what, work).await
    }

    /// The same, within so many milliseconds.
    pub(super) async fn fenced_within<T>(
        &mut self,
        ms: u64,
        begun: &Cursor,
        what: &str,
        work: impl AsyncFnOnce(&mut Self, i64) -> Result<T>,
    ) -> Result<T> {
        let outcome = self
            .heard(what, async |w| {
                let run = w.open_fenced_tx(ms, begun, what).await?;
                let value = work(w, run).await?;
                w.bound(what).await?;
                w.commit(what).await?;
                Ok(value)
            })
            .await;
        if outcome.is_err() {
            self.rollback().await;
        }
        outcome
    }

    /// A batch with its guard off that took too long: with fewer rows it may be short enough, where they belong to no unit.
    pub(super) fn kept_out_too_long(&self, e: Error, of_unit: bool) -> Error {
        if e.cause != Cause::Cancelled || e.ambiguous || !self.budget.is_spent() {
            return e;
        }
        let message = format!("{} (a batch with its guard off has {} ms)", e.message, self.budget.whole_ms());
        let code = if of_unit { TIMED_OUT } else { OVER_BUDGET };
        let hint = if of_unit { GUARD_OFF_OF_UNIT } else { GUARD_OFF };
        Error { message, ..e }.sqlstate(code).hint(hint)
    }

    fn process(&self) -> Option<i32> {
        self.name.split_once('@').and_then(|(pid, _)| pid.parse().ok())
    }

    /// Has the server watch the session, before it locks what others want.
    pub(super) async fn watched(&mut self, budget_ms: Option<u64>) -> Result<()> {
        self.heard("have the server watch the session", async |w| {
            w.watchdog.watch(&mut w.work, &w.name, budget_ms).await
        })
        .await
    }

    /// The result of `work`, for as long as the server shows that it is there. After its silence the session is not used
    /// again: what is known of the run is read by a new one.
    pub(super) async fn heard<T>(
        &mut self,
        what: &str,
        work: impl AsyncFnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let silence = Arc::clone(&self.silence);
        if !self.silent
            && let Some(outcome) = silence.heard(self.process(), work(self)).await
        {
            return outcome;
        }
        (self.in_tx, self.silent) = (false, true);
        let error = unanswered(what, &silence);
        Err(if std::mem::take(&mut self.committing) { error.ambiguous() } else { error })
    }
}
