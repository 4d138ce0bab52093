//! A step of statements: each in its transaction, tried again while others hold a lock.

use crate::engine::model::cause::Cause;
use crate::engine::model::error::Error;
use crate::engine::model::phrase::tries;
use crate::engine::model::plan::Unit;
use crate::engine::model::progress::Phase;
use crate::engine::model::step::Step;
use crate::engine::port::runner::{RunCx, RunStop};
use crate::engine::run::lock_wait::by_text;

impl RunCx<'_> {
    /// What waits for a lock lets go soon and comes again, so that nobody queues up behind it for long.
    pub(crate) async fn statements(&mut self, step: &Step) -> Result<(), RunStop> {
        let counted = self.plan.unit == Unit::STATEMENTS;
        let attempts = self.policy.lock_attempts;
        let mut attempt = 0;
        loop {
            self.obey_control().await?;
            self.publish(Phase::Working);
            match self.writer.statements(&self.begun, step, counted).await {
                Ok(c) => {
                    attempt = 0;
                    self.progress.waiting = None;
                    self.progress.locks.blockers.clear();
                    self.begun.applied += c.applied;
                    self.begun.checkpoint = c.checkpoint;
                    c.event.iter().for_each(|e| self.copy_entry(e));
                    if c.end {
                        return Ok(());
                    }
                }
                Err(e) if e.cause == Cause::Busy => {
                    attempt += 1;
                    let (by, why) = self.kept_from(step, (attempt, attempts), &e).await;
                    if attempt >= attempts {
                        let message = format!("{} in {}{}", e.message, tries(attempt), by_text(by.as_ref()));
                        return Err(self.recovered(Error { message, ..e }).await);
                    }
                    self.held_back(attempt, why, 0).await;
                }
                Err(e) => return Err(self.recovered(e).await),
            }
        }
    }
}
