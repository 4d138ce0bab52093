//! Whoever stands in the way: named where an attempt is let go, in the journal as well, and given time.

use crate::engine::model::query::Sql;
use serde_json::json;

use crate::engine::model::error::{Error, Result};
use crate::engine::model::progress::Phase;
use crate::engine::model::query::Param;
use crate::engine::model::step::Step;
use crate::engine::model::task::{BLOCKERS, Blocker, blockers_of};
use crate::engine::port::reader::{Facts, ReadOptions};
use crate::engine::run::executor::{Run, back_off};

/// Those who hold one of the tables for longer than that.
pub(in crate::engine) async fn blockers(
    facts: &dyn Facts,
    sql: &str,
    tables: &[String],
    older_ms: u64,
) -> Result<Vec<Blocker>> {
    let mut tx = facts.begin(ReadOptions::default()).await?;
    let older = i64::try_from(older_ms).unwrap_or(i64::MAX);
    tx.fetch(&Sql::new(sql).bind([Param::Texts(tables.to_vec()), Param::Int(older)])).await
}

/// The tables that a step locks, and who keeps it from that.
fn wanted(step: &Step) -> (Vec<String>, String) {
    let name = |object: &str| object.strip_prefix("partitions of ").unwrap_or(object).to_owned();
    let tables = step.locks.iter().map(|l| name(&l.object)).collect();
    let mode = step.locks.first().map_or("", |l| l.mode.as_str());
    (tables, blockers_of(mode))
}

impl Run<'_> {
    /// Another session is in the way: says so, and lets time pass.
    pub(in crate::engine) async fn held_back(&mut self, attempt: u32, why: String, batch_rows: u64) {
        self.progress.waiting = Some(why.clone());
        self.tell(Phase::Waiting);
        let _ = self.writer.say(&self.begun, Some(&why), batch_rows).await;
        (self.engine.means.sleep)(back_off(attempt, self.millis())).await;
    }

    /// Who kept a step from its locks, in words; nobody: they are gone by now.
    pub(in crate::engine) async fn kept_from(
        &mut self,
        step: &Step,
        attempt: (u32, u32),
        e: &Error,
    ) -> String {
        let (tables, sql) = wanted(step);
        self.attempted(&step.id, attempt, (&sql, &tables), e).await
    }

    /// An attempt at the swap that was taken back.
    pub(in crate::engine) async fn swap_kept_from(
        &mut self,
        step: &Step,
        attempt: (u32, u32),
        tables: &[String],
        e: &Error,
    ) -> String {
        self.attempted(&step.id, attempt, (BLOCKERS, tables), e).await
    }

    /// Looks at once: a moment later they may be gone.
    async fn attempted(
        &mut self,
        stage: &str,
        (attempt, of): (u32, u32),
        (sql, tables): (&str, &[String]),
        e: &Error,
    ) -> String {
        let found = blockers(&*self.engine.facts, sql, tables, 0).await.unwrap_or_default();
        let by = found.first().map_or_else(String::new, |b| format!("; {}", b.text()));
        let body =
            json!({ "stage": stage, "attempt": attempt, "of": of, "failed": e.message, "blockers": found });
        self.progress.room.blockers = found;
        self.progress.room.looked_at = Some(self.millis());
        self.jot("attempt", &body).await;
        by
    }

    /// An entry that the run goes on without.
    pub(in crate::engine) async fn jot(&mut self, kind: &str, body: &serde_json::Value) {
        match self.writer.note(&self.begun, kind, body).await {
            Ok(event) => self.mirror(&event),
            Err(e) => tracing::warn!("an entry ({kind} {body}) is not in the journal: {e}"),
        }
    }
}
