//! One batch inside its transaction.

mod drifted_rows;

use serde::Deserialize;
use serde_json::json;
use sqlx::postgres::PgArguments;
use sqlx::{Arguments as _, AssertSqlSafe, Row as _};

use super::super::error::write_error;
use super::super::journal::digests;
use super::super::row_sql::{batch, bypass};
use crate::dialect::postgres::numbers::{int, number, unsigned};
use crate::dialect::postgres::writer::PgWriter;
use crate::engine::model::change::{Derived, RowChange, RowKind};
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::event::Event;
use crate::engine::model::name::literal;
use crate::engine::port::writer::{Batch, Committed};

#[derive(Deserialize)]
struct Range {
    unit: Option<i64>,
    upto: i64,
}

/// What the change says of itself.
#[derive(Deserialize)]
struct WrittenRows {
    kept: u64,
    otherwise: u64,
}

/// Where in which run.
#[derive(Clone, Copy)]
struct Place {
    run: i64,
    step: i64,
    from: i64,
    to: i64,
    batch: i64,
}

impl Place {
    /// Run, step and batch: what an image is of.
    fn image(self) -> Result<PgArguments> {
        numbers([self.run, self.step, self.batch])
    }
}

fn numbers<const N: usize>(values: [i64; N]) -> Result<PgArguments> {
    let mut out = PgArguments::default();
    for value in values {
        add(&mut out, value)?;
    }
    Ok(out)
}

fn add<'q, T>(arguments: &mut PgArguments, value: T) -> Result<()>
where
    T: sqlx::Encode<'q, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    arguments.add(value).map_err(|e| Error::new(Class::Failed, format!("failed to bind a value: {e}")))
}

impl PgWriter {
    /// `of_unit`: set where its rows are written together, however many they are.
    pub(super) async fn work_batch(
        &mut self,
        b: &Batch<'_>,
        run: i64,
        of_unit: &mut bool,
    ) -> Result<Committed> {
        let from = int(b.begun.checkpoint);
        let step = int(b.begun.step as u64);
        let Some(range) = self.range(run, step, from, b.rows).await? else {
            return Ok(Committed { checkpoint: b.begun.checkpoint, end: true, ..Committed::default() });
        };
        *of_unit = range.unit.is_some();
        let place = Place { run, step, from, to: range.upto, batch: int(b.number) };
        self.pass_guard(b.change).await?;
        let planned = unsigned(range.upto - from);
        let mut applied = self.hold(b.change, place).await?;
        let computed = b.change.computed();
        if let Some(derived) = computed {
            let sql = batch::exclude_drifted(derived);
            applied -= self.execute("compare the rows", sql, PgArguments::default()).await?;
        } else if let Some(sql) = batch::change(b.change) {
            applied = self.under_profile(async |w| w.change(b, sql, place).await).await?;
        }
        if b.refuse_drift && applied < planned {
            let moved = self.drifted_rows(b.change, place).await?;
            return Err(Error { moved: Some(Box::new(moved.clone())), ..Error::stale(&moved) });
        }
        if applied < planned && b.change.kind == RowKind::Insert {
            let arguments = numbers([place.run, place.batch])?;
            self.execute("leave rows out", batch::unchanged(), arguments).await?;
        }
        if applied > 0 && (b.change.after_batch.is_some() || b.change.audit.is_some()) {
            self.under_profile(async |w| w.run_profile_statements(b, place).await).await?;
        }
        let whole = applied == planned || computed.is_some();
        let unit = range.unit.filter(|_| whole);
        let derived_rows = self.derive(b.change, unit, applied, place).await?;
        if let Some(derived) = computed.filter(|_| applied > 0) {
            let sql = batch::otherwise(derived);
            let rows = self.counted("compare what was computed", sql, PgArguments::default()).await?;
            as_planned(rows, &derived.table)?;
        }
        if !b.change.after_change.is_empty() {
            // A table with checks still to be made cannot be altered.
            self.bound("make deferred checks").await?;
            let checks =
                async |w: &mut Self| w.raw("make deferred checks", "set constraints all immediate").await;
            self.under_profile(checks).await?;
        }
        for sql in &b.change.after_change {
            self.set_path().await?;
            self.bound("restore the guard").await?;
            self.raw("restore the guard", &bypass::sent(b.change, sql)).await?;
        }
        let drifted = planned.saturating_sub(applied);
        let event = self.checkpoint(b, place, applied, drifted).await?;
        Ok(Committed {
            checkpoint: unsigned(range.upto),
            applied,
            drifted,
            derived: derived_rows,
            end: false,
            event: Some(event),
        })
    }

    /// The plan's own statements begin with it.
    async fn pass_guard(&mut self, change: &RowChange) -> Result<()> {
        self.under_plans_path().await?;
        for sql in &change.before_batch {
            self.bound("pass the guard").await?;
            self.raw("pass the guard", &bypass::sent(change, sql)).await?;
        }
        Ok(())
    }

    /// Reads and locks the rows of a batch, and what is derived from them; how many are left to be changed.
    async fn hold(&mut self, change: &RowChange, place: Place) -> Result<u64> {
        let rows = numbers([place.run, place.step, place.from, place.to])?;
        if let Some(sql) = batch::hold(change) {
            let same = numbers([place.run, place.step, place.from, place.to])?;
            self.text("hold what is copied", sql, same).await?;
        }
        let mut applied = self.execute("read and lock the rows", batch::fill(change), rows).await?;
        if let Some(sql) = batch::unsourced(change) {
            applied -= self.execute("compare with what is copied", sql, PgArguments::default()).await?;
        }
        if let Some(sql) = batch::referred(change) {
            self.execute("leave rows out that others refer to", sql, PgArguments::default()).await?;
        }
        if !change.derived.is_empty() {
            self.under_profile(async |w| w.read_derived(change).await).await?;
        }
        Ok(applied)
    }

    async fn read_derived(&mut self, change: &RowChange) -> Result<()> {
        for (at, derived) in change.derived.iter().enumerate() {
            let sql = batch::derived_before(change, derived, at);
            self.execute("read derived rows", sql, PgArguments::default()).await?;
        }
        Ok(())
    }

    /// Puts derived rows back, of a unit that is undone as a whole, and keeps their images; how many there are.
    async fn derive(
        &mut self,
        change: &RowChange,
        whole_unit: Option<i64>,
        applied: u64,
        place: Place,
    ) -> Result<u64> {
        let mut rows = 0;
        for (at, derived) in change.derived.iter().enumerate() {
            if let (Some(origin), Some(unit)) = (&change.restores, whole_unit) {
                let origin = [number(origin)?, unit, int(applied)];
                self.under_profile(async |w| w.restore(derived, at, origin).await).await?;
            }
            let sql = batch::derived_after(derived, at);
            rows += self.counted("keep images of derived rows", sql, place.image()?).await?;
        }
        Ok(rows)
    }

    async fn restore(&mut self, derived: &Derived, at: usize, origin: [i64; 3]) -> Result<()> {
        for sql in batch::restore(derived, at) {
            self.execute("put derived rows back", sql, numbers(origin)?).await?;
        }
        Ok(())
    }

    /// Changes the rows; what did not become as planned takes the whole batch back.
    async fn change(&mut self, b: &Batch<'_>, sql: String, place: Place) -> Result<u64> {
        let what = "change the rows";
        let text = self.text(what, sql, place.image()?).await?;
        let wrote: WrittenRows = serde_json::from_str(&text)
            .map_err(|e| Error::new(Class::Failed, format!("failed to {what}: {e}")))?;
        as_planned(wrote.otherwise, &b.change.table)?;
        Ok(wrote.kept)
    }

    /// What the profile says that goes with the change.
    async fn run_profile_statements(&mut self, b: &Batch<'_>, place: Place) -> Result<()> {
        let statements =
            [("compute what follows", &b.change.after_batch), ("write the audit rows", &b.change.audit)];
        for (what, statement) in statements {
            let Some(statement) = statement else { continue };
            let mut arguments = numbers([place.run])?;
            add(&mut arguments, b.change.reason.clone())?;
            self.execute(what, batch::over_batch(b.change, statement), arguments).await?;
        }
        Ok(())
    }

    async fn range(&mut self, run: i64, step: i64, from: i64, rows: u64) -> Result<Option<Range>> {
        let what = "find the next rows";
        let row = sqlx::query_with(AssertSqlSafe(batch::range()), numbers([run, step, from, int(rows)])?)
            .fetch_optional(&mut self.work)
            .await
            .map_err(|e| write_error(&e, what))?;
        let text: Option<String> =
            row.map(|r| r.try_get(0)).transpose().map_err(|e| write_error(&e, what))?;
        text.map(|t| {
            serde_json::from_str(&t).map_err(|e| Error::new(Class::Failed, format!("failed to {what}: {e}")))
        })
        .transpose()
    }

    /// How far the run has come, and the entry that says so, in the batch's own transaction.
    async fn checkpoint(&mut self, b: &Batch<'_>, place: Place, applied: u64, drifted: u64) -> Result<Event> {
        let what = "write the checkpoint";
        self.bound(what).await?;
        let sql = format!(
            "update midwatch.runs set step = {}, checkpoint = {}, batch = {}, applied = applied + {}, \
             drifted = drifted + {}, batch_rows = {}, message = {}, beat_at = clock_timestamp() where id = {}",
            place.step,
            place.to,
            place.batch,
            int(applied),
            int(drifted),
            int(b.rows),
            b.message.map_or_else(|| "null".to_owned(), literal),
            place.run,
        );
        self.under_own_path_with(what, &sql).await?;
        let images =
            self.own_text(what, digests::images_written(), numbers([place.run, place.batch])?).await?;
        let batch = || format!("before-images of run {} batch {}", place.run, place.batch);
        let images = digests::own(images, batch)?;
        let body = json!({
            "step": b.begun.step, "batch": b.number, "from": b.begun.checkpoint + 1, "to": place.to,
            "applied": applied, "drifted": drifted, "images": images,
            "ms": chrono::Utc::now().timestamp_millis() - b.began,
        });
        self.event(place.run, "batch", &body).await
    }

    /// Rows it was about.
    async fn execute(&mut self, what: &str, sql: String, arguments: PgArguments) -> Result<u64> {
        self.set_path().await?;
        self.bound(what).await?;
        let done = sqlx::query_with(AssertSqlSafe(sql), arguments).execute(&mut self.work).await;
        self.disturbed();
        done.map(|done| done.rows_affected()).map_err(|e| write_error(&e, what))
    }

    /// What a statement over rows of the target says.
    async fn text(&mut self, what: &str, sql: String, arguments: PgArguments) -> Result<String> {
        let text = self.own_text(what, sql, arguments).await;
        self.disturbed();
        text
    }

    /// What one over the journal alone says.
    async fn own_text(&mut self, what: &str, sql: String, arguments: PgArguments) -> Result<String> {
        self.set_path().await?;
        self.bound(what).await?;
        sqlx::query_with(AssertSqlSafe(sql), arguments)
            .fetch_one(&mut self.work)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(|e| write_error(&e, what))
    }

    async fn counted(&mut self, what: &str, sql: String, arguments: PgArguments) -> Result<u64> {
        let text = self.text(what, sql, arguments).await?;
        text.parse().map_err(|_| Error::new(Class::Failed, format!("failed to {what}: {text} is no number")))
    }
}

/// What did not become as planned takes the whole batch back.
fn as_planned(otherwise: u64, table: &str) -> Result<()> {
    if otherwise == 0 {
        return Ok(());
    }
    let message =
        format!("{otherwise} rows of {table} did not become what was planned: the batch was taken back");
    Err(Error::new(Class::Failed, message)
        .hint("a trigger of the table writes something else, or what it is computed from has moved"))
}
