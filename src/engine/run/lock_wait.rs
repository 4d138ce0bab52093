//! Whoever stands in the way: named where an attempt is let go, in the journal as well, and given time.

use serde_json::json;

use crate::engine::model::blocker::Blocker;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::json::put;
use crate::engine::model::progress::Phase;
use crate::engine::model::step::{LockStrength, Step};
use crate::engine::port::catalog::WantedLocks;
use crate::engine::port::reader::{ReadOptions, Reader};
use crate::engine::port::runner::RunCx;
use std::time::Duration;

/// Those who hold one of the tables against such a lock, for longer than that.
pub(crate) async fn blockers(
    facts: &dyn Reader,
    tables: &[String],
    mode: &str,
    older_ms: u64,
) -> Result<Vec<Blocker>> {
    let mut tx = facts.begin(ReadOptions::default()).await?;
    facts.dialect().blockers(&mut *tx, &WantedLocks { tables, mode, older_ms }).await
}

/// The tables that a step locks, and how.
fn wanted(step: &Step) -> (Vec<String>, &str) {
    let tables = step.locks.iter().map(|l| l.table().to_owned()).collect();
    (tables, step.locks.first().map_or("", |l| l.mode.as_str()))
}

impl RunCx<'_> {
    /// Another session is in the way: says so, and lets time pass.
    pub(crate) async fn held_back(&mut self, attempt: u32, why: String, batch_rows: u64) {
        (self.progress.waiting, self.progress.not_tried) = (Some(why.clone()), false);
        self.publish(Phase::Waiting);
        let _ = self.writer.announce(&self.begun, Some(&why), batch_rows).await;
        (self.adapters.sleep)(back_off(attempt, self.millis())).await;
    }

    /// Who kept a step from its locks; nobody: they are gone by now. And how the attempt ended, in words.
    pub(crate) async fn kept_from(
        &mut self,
        step: &Step,
        attempt: (u32, u32),
        e: &Error,
    ) -> (Option<Blocker>, String) {
        let (tables, mode) = wanted(step);
        self.attempted(&step.id, attempt, (mode, &tables), e).await
    }

    /// The same of an attempt at the strongest lock on these tables.
    pub(crate) async fn kept_from_tables(
        &mut self,
        step: &Step,
        attempt: (u32, u32),
        tables: &[String],
        e: &Error,
    ) -> (Option<Blocker>, String) {
        let mode = self.facts.dialect().lock_mode(LockStrength::Everyone);
        self.attempted(&step.id, attempt, (mode, tables), e).await
    }

    /// Looks at once: a moment later they may be gone.
    async fn attempted(
        &mut self,
        stage: &str,
        (attempt, of): (u32, u32),
        (mode, tables): (&str, &[String]),
        e: &Error,
    ) -> (Option<Blocker>, String) {
        let found = blockers(self.facts, tables, mode, 0).await.unwrap_or_default();
        let by = found.first().cloned();
        let text = attempt_text((attempt, of), &e.message, by.as_ref());
        let mut body =
            json!({ "stage": stage, "attempt": attempt, "of": of, "failed": e.message, "blockers": found });
        // After the last one the run ends, and its message is another.
        if attempt < of {
            put(&mut body, ANNOUNCED, json!(text));
        }
        self.progress.locks.blockers = found;
        self.progress.locks.looked_at = Some(self.millis());
        self.try_note("attempt", &body).await;
        (by, text)
    }
}

/// The field of an attempt's entry for the run's message meanwhile: a reader compares it with the run's message.
pub(crate) const ANNOUNCED: &str = "announced";

/// Who was in the way, after what failed.
pub(crate) fn by_text(by: Option<&Blocker>) -> String {
    by.map_or_else(String::new, |b| format!("; {}", b.text()))
}

/// How an attempt ended that another follows, with who was in the way: the run's message meanwhile.
pub(crate) fn attempt_text((attempt, of): (u32, u32), failed: &str, by: Option<&Blocker>) -> String {
    format!("attempt {attempt} of {of}: {failed}{}", by_text(by))
}

/// Longer each time, never twice the same.
pub(crate) fn back_off(attempt: u32, seed: i64) -> Duration {
    let base = 50_u64.saturating_mul(1 << attempt.min(6));
    let jitter = u64::try_from(seed.rem_euclid(97)).unwrap_or(0);
    Duration::from_millis(base + jitter)
}
