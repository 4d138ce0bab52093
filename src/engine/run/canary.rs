//! Few rows first: what becomes of them decides whether more follow.

use crate::engine::model::change::Canary;
use crate::engine::model::error::{Class, Error};
use crate::engine::model::progress::Phase;
use crate::engine::port::runner::{RunCx, RunStop};
use crate::engine::run::limits::LOOK_AGAIN;
use crate::engine::run::verify::{self, CanaryCounts};

impl RunCx<'_> {
    /// What becomes of the rows that were changed decides whether more follow.
    pub(in crate::engine) async fn watch_canary(
        &mut self,
        canary: &Canary,
        batch: u64,
        earlier: CanaryCounts,
    ) -> Result<CanaryCounts, RunStop> {
        let until = self.millis() + i64::try_from(canary.wait_s).unwrap_or(0) * 1_000;
        loop {
            let counts = match verify::canary_counts(self.facts, &self.begun.run, batch, canary).await {
                Ok(counts) => earlier.and(counts),
                Err(failure) => return Err(RunStop::known(failure)),
            };
            let stop = |message: String| {
                let failure = Error::new(Class::Failed, message)
                    .hint("the rest was not touched; find out why first, then plan again");
                Err(RunStop { resumable: false, ..RunStop::known(failure) })
            };
            let limit = if batch == 1 { 0 } else { u64::from(canary.max_failed_percent) };
            let settled = counts.failed + counts.done;
            if counts.failed * 100 > limit * settled.max(1) {
                return stop(format!("{} of {settled} changed rows have failed again", counts.failed));
            }
            if counts.unknown > 0 {
                let all = settled + counts.waiting + counts.unknown;
                let states = "in states that the profile does not name: whether they failed is unknown";
                return stop(format!("{} of {all} changed rows are {states}", counts.unknown));
            }
            if counts.waiting == 0 {
                self.progress.waiting = None;
                return Ok(counts);
            }
            if self.millis() >= until {
                return stop(format!(
                    "{} changed rows had no result within {} s",
                    counts.waiting, canary.wait_s
                ));
            }
            self.progress.waiting =
                Some(format!("waiting for the result of {} changed rows", counts.waiting));
            self.publish(Phase::Waiting);
            self.obey_control().await?;
            (self.adapters.sleep)(LOOK_AGAIN).await;
            self.still_locked().await?;
        }
    }
}
