//! Questions asked after a run, with sessions that can only read.

use crate::engine::model::query::AnySql;
use futures_util::future::join_all;
use serde::Deserialize;

use crate::engine::model::change::Canary;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::plan::Plan;
use crate::engine::model::step::Action;
use crate::engine::port::reader::{ReadOptions, Reader};

/// Each question, all at once, and how many rows answer it wrongly.
pub(in crate::engine) async fn ask(facts: &dyn Reader, plan: &Plan, run: &str) -> Vec<(String, Result<u64>)> {
    // A journal that was just made is its maker's to read.
    let makes = plan.steps.iter().any(|s| matches!(s.action, Action::Bootstrap));
    let facts = if makes { facts.rights() } else { facts };
    let answers = plan.verify.iter().map(async |question| {
        let dialect = facts.dialect();
        let answer = if question.own {
            count(facts, (&dialect.own_verification_query(question, run)).into()).await
        } else {
            count(facts, (&dialect.verification_query(question, run)).into()).await
        };
        (question.title.clone(), answer)
    });
    join_all(answers).await
}

async fn count(facts: &dyn Reader, sql: AnySql<'_>) -> Result<u64> {
    let options = ReadOptions { timeout: Some(std::time::Duration::from_mins(10)), ..ReadOptions::default() };
    let mut tx = facts.begin(options).await?;
    let text = tx.texts(sql).await?.pop().flatten().unwrap_or_default();
    text.parse().map_err(|_| Error::unobserved("the answer is not a number"))
}

/// What became of rows so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(in crate::engine) struct CanaryCounts {
    /// Their result is not there yet.
    pub(in crate::engine) waiting: u64,
    /// They have failed again.
    pub(in crate::engine) failed: u64,
    /// They are done.
    pub(in crate::engine) done: u64,
    /// They are in a state that says none of these. A plan of before this was asked has no such number.
    #[serde(default)]
    pub(in crate::engine) unknown: u64,
}

impl CanaryCounts {
    /// With what became of earlier batches.
    pub(in crate::engine) fn and(self, other: Self) -> Self {
        Self {
            waiting: self.waiting + other.waiting,
            failed: self.failed + other.failed,
            done: self.done + other.done,
            unknown: self.unknown + other.unknown,
        }
    }
}

/// Asks what became of the rows of a batch.
pub(in crate::engine) async fn canary_counts(
    facts: &dyn Reader,
    run: &str,
    batch: u64,
    canary: &Canary,
) -> Result<CanaryCounts> {
    let mut tx = facts.begin(ReadOptions::default()).await?;
    tx.one(&facts.dialect().canary_counts(canary, run, batch)).await
}
