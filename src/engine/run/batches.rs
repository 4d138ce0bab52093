//! A step of rows: batch after batch, as fast as the server's other users allow.

use crate::engine::model::cause::Cause;
use crate::engine::model::change::RowChange;
use crate::engine::model::error::Error;
use crate::engine::model::phrase::tries;
use crate::engine::model::progress::Phase;
use crate::engine::model::window::Window;
use crate::engine::port::runner::{RunCx, RunStop};
use crate::engine::port::writer::{Batch, Committed};
use crate::engine::run::control::window_now;
use crate::engine::run::limits::LOOK_AGAIN;
use crate::engine::run::lock_wait::attempt_text;
use crate::engine::run::throttle::{BatchSizer, Verdict};
use crate::engine::run::verify::CanaryCounts;

/// How often the server's other work is looked at between batches.
const PRESSURE_EVERY_MS: i64 = 200;

impl RunCx<'_> {
    /// Batch after batch, as fast as the server's other users allow.
    pub(crate) async fn rows(&mut self, change: &RowChange) -> Result<(), RunStop> {
        let policy = self.policy.clone();
        let mut pace = BatchSizer::new(&policy, change.canary.as_ref().map(|c| c.rows));
        let (mut attempts, mut looked, mut canary_counts) = (0, 0_i64, CanaryCounts::default());
        if let Some(canary) = &change.canary {
            // Whoever sent these out may not have seen what became of them: they are judged as they would have been.
            for batch in 1..=self.begun.batch {
                canary_counts = self.watch_canary(canary, batch, canary_counts).await?;
            }
        }
        loop {
            self.obey_control().await?;
            let now = self.millis();
            if now - looked >= PRESSURE_EVERY_MS {
                looked = now;
                if !self.may_go_on(&mut pace).await? {
                    continue;
                }
            }
            self.progress.batch_rows = pace.rows();
            self.publish(Phase::Working);
            self.still_locked().await?;
            let began = self.millis();
            let message = self.progress.waiting.as_deref().filter(|_| attempts == 0);
            let number = self.begun.batch + 1;
            let first = self.begun.batch == 0;
            let batch = Batch {
                begun: &self.begun,
                change,
                rows: pace.rows(),
                number,
                began,
                refuse_drift: first,
                message,
            };
            match self.writer.batch(&batch).await {
                Ok(c) if c.end => return Ok(()),
                Ok(c) => {
                    attempts = 0;
                    let took = u64::try_from(self.millis() - began).unwrap_or(0);
                    self.committed(&c);
                    pace.took(took, &policy);
                    self.rate();
                    if let Some(canary) = &change.canary {
                        canary_counts = self.watch_canary(canary, self.begun.batch, canary_counts).await?;
                    }
                }
                Err(e) => {
                    attempts += 1;
                    self.another_attempt(e, attempts, &mut pace).await?;
                }
            }
        }
    }

    /// After so many attempts: one with fewer rows, where another one can succeed.
    async fn another_attempt(
        &mut self,
        e: Error,
        attempts: u32,
        pace: &mut BatchSizer,
    ) -> Result<(), RunStop> {
        let most = self.policy.lock_attempts;
        let why = match e.cause {
            Cause::Busy if attempts < most => {
                pace.shrink();
                attempt_text((attempts, most), &e.message, None)
            }
            Cause::OverBudget if attempts < most && pace.shorten() => {
                format!("fewer rows at a time, {} now: {}", pace.rows(), e.message)
            }
            Cause::Busy => {
                let message = format!("{} in {}", e.message, tries(attempts));
                return Err(self.recovered(Error { message, ..e }).await);
            }
            _ => return Err(self.recovered(e).await),
        };
        self.held_back(attempts, why, pace.rows()).await;
        Ok(())
    }

    /// A batch is in: the run goes on behind it.
    fn committed(&mut self, c: &Committed) {
        self.begun.checkpoint = c.checkpoint;
        self.begun.batch += 1;
        self.begun.applied += c.applied;
        self.begun.drifted += c.drifted;
        c.event.iter().for_each(|e| self.copy_entry(e));
        self.progress.waiting = None;
    }

    /// Looks at the window and at the server's other work; false: not now.
    pub(crate) async fn may_go_on(&mut self, pace: &mut BatchSizer) -> Result<bool, RunStop> {
        let policy = &self.policy;
        let verdict = match (window_now(self.facts, self.window).await, self.facts.load().await) {
            (Ok(Window::Closed(_)), _) => return Err(self.closed()),
            (Ok(_), Ok(pressure)) => pace.judge(&pressure, policy),
            (Ok(_), Err(e)) => Verdict::Hold(format!("the server's load cannot be read: {}", e.message)),
            (Err(e), _) => Verdict::Hold(format!("the server's time cannot be read: {}", e.message)),
        };
        match verdict {
            Verdict::Go => {
                self.progress.waiting = None;
                Ok(true)
            }
            Verdict::Smaller(why) => {
                self.progress.waiting = Some(format!("smaller batches: {why}"));
                Ok(true)
            }
            Verdict::Hold(why) => {
                if self.progress.waiting.as_deref() != Some(&why) {
                    let said = self.writer.announce(&self.begun, Some(&why), pace.rows()).await;
                    // A held run notices as well that its sessions are gone.
                    if let Err(e) = said {
                        return Err(self.recovered(e).await);
                    }
                }
                self.progress.waiting = Some(why);
                self.progress.batch_rows = pace.rows();
                self.publish(Phase::Waiting);
                (self.adapters.sleep)(LOOK_AGAIN).await;
                self.still_locked().await?;
                Ok(false)
            }
        }
    }

    /// Rows a second over the last batches, and what is left at that rate.
    pub(crate) fn rate(&mut self) {
        let done = self.begun.applied + self.begun.drifted;
        self.marks.push((self.millis(), done));
        if self.marks.len() > 20 {
            self.marks.remove(0);
        }
        let (Some(first), Some(last)) = (self.marks.first(), self.marks.last()) else { return };
        let ms = last.0 - first.0;
        if ms <= 0 {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = (last.1 - first.1) as f64 * 1_000.0 / ms as f64;
        self.progress.rate = rate;
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "seconds for people"
        )]
        let eta = (self.plan.rows.saturating_sub(done) as f64 / rate.max(0.001)).ceil() as u64;
        self.progress.eta_s = (rate > 0.0).then_some(eta);
    }
}
