//! How a run ends: what is known after a failure, and the proof after success.

use crate::engine::journal::copied;
use crate::engine::model::cause::Cause;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::event::Event;
use crate::engine::model::plan::Unit;
use crate::engine::model::preflight::Reversible;
use crate::engine::model::progress::{ControlRequest, Done, Phase};
use crate::engine::model::record::Outcome;
use crate::engine::model::step::{Action, Step};
use crate::engine::port::runner::{RunCx, RunStop, Runners, runner_of};
use crate::engine::run::limits::{LOOK_AGAIN, MANY};
use crate::engine::run::verify;

impl RunCx<'_> {
    /// After a failure: reads how far the run really came, where the failure leaves that open.
    pub(crate) async fn recovered(&mut self, e: Error) -> RunStop {
        if e.cause != Cause::ConnectionLost && !e.ambiguous {
            return RunStop::known(e);
        }
        match self.regain().await {
            Ok(()) => RunStop::known(Error { ambiguous: false, ..e }),
            Err(lost) => {
                let known = !e.ambiguous;
                let message = format!("{}; and afterwards: {}", e.message, lost.message);
                RunStop { known, ..RunStop::known(Error { message, ..e }) }
            }
        }
    }

    /// New sessions on the same run, and what the server knows of it. A server that starts again is waited for: only it
    /// can say what became of the last batch.
    pub(crate) async fn regain(&mut self) -> Result<()> {
        let patience = if self.unreachable { 0 } else { i64::from(self.policy.reconnect_s) * 1_000 };
        let until = self.millis() + patience;
        loop {
            match self.writer.recover(&self.begun).await {
                Ok((begun, event)) => {
                    self.copy_unanswered(&event).await;
                    self.begun = begun;
                    return Ok(());
                }
                Err(e)
                    if e.class == Class::Refused
                        || self.control.wish() == ControlRequest::Cancel
                        || self.millis() >= until =>
                {
                    self.unreachable = true;
                    return Err(e);
                }
                Err(e) => {
                    let why = format!("the server is gone ({})", e.message);
                    (self.progress.waiting, self.progress.not_tried) = (Some(why), false);
                    self.publish(Phase::Waiting);
                    (self.adapters.sleep)(LOOK_AGAIN).await;
                }
            }
        }
    }

    /// An entry whose COMMIT had no answer is in the journal and not in the copy: it comes before this one.
    async fn copy_unanswered(&mut self, event: &Event) {
        let (copy, signer) = (&*self.adapters.journal_copy, &*self.adapters.signer);
        let target = &self.plan.identity;
        let mended = copied::made_ready(self.facts, copy, signer, target, None).await;
        let mark = mended.and_then(|_| copy.mark(target)).ok().flatten();
        if mark.is_none_or(|m| m.copied < event.seq) {
            self.copy_entry(event);
        }
    }

    pub(crate) fn stopped(&self, runners: Runners<'_>, stopped: RunStop) -> Done {
        let RunStop { mut failure, known, mut resumable, names_resume } = stopped;
        let applied = self.begun.applied;
        // Statements that are not counted have done something as well.
        let changed = applied + self.ran();
        let outcome = match (known, changed) {
            (false, _) => Outcome::Ambiguous,
            // What had moved before the first batch is a plan that is no longer true.
            (true, 0) if failure.class == Class::Stale => {
                resumable = false;
                Outcome::Stale
            }
            (true, 0) => Outcome::Failed,
            (true, _) => Outcome::Partial,
        };
        failure.durable = changed > 0 || failure.durable;
        failure.ambiguous = !known;
        failure.record_under(self.facts.dialect().code(failure.cause));
        let stands = match outcome {
            Outcome::Ambiguous => format!(
                "batch {} (after row {}) may or may not be committed: look at midwatch runs {} when the server is back; resume finds out",
                self.begun.batch + 1,
                self.begun.checkpoint,
                self.begun.run
            ),
            Outcome::Failed | Outcome::Stale => "nothing was changed".to_owned(),
            _ => self.done_text(runners),
        };
        failure.message = format!("{}; {stands}", failure.message);
        let next = format!("midwatch resume {}", self.begun.run);
        if resumable && !names_resume {
            let hint = failure.hint.take().map_or_else(String::new, |h| format!("{h}; "));
            let back = changed > 0 && self.plan.reversible != Reversible::No;
            let undo = format!(", or midwatch undo {} takes back what was done", self.begun.run);
            failure.hint = Some(if failure.permanent {
                let undo = if back { undo.as_str() } else { "" };
                format!("{hint}mend that first; {next} then goes on with the rest{undo}")
            } else {
                format!("{hint}{next} goes on with the rest")
            });
        }
        Done {
            outcome,
            unit: self.plan.unit.clone(),
            applied,
            drifted: self.begun.drifted,
            resumable,
            moved: failure.moved.take().map(|moved| *moved),
            failure: Some(failure),
            ..Done::default()
        }
    }

    /// How far it has come, in words.
    fn done_text(&self, runners: Runners<'_>) -> String {
        let (applied, all) = (self.begun.applied, self.plan.rows);
        let unit = &self.plan.unit;
        if *unit == Unit::ROWS {
            let beside = match self.ran() {
                0 => String::new(),
                n => format!("; {n} statements of its other steps are done"),
            };
            return format!("{applied} of {all} rows are changed, in {} batches{beside}", self.begun.batch);
        }
        if *unit == Unit::STATEMENTS {
            return format!("{applied} of {all} statements are done");
        }
        // The step knows what it is, also in plans of older versions.
        let of_task = |step: &Step| match &step.action {
            Action::Task(task) => runner_of(runners, &task.word)?.done_text(step, applied, all),
            _ => None,
        };
        let text = self.plan.steps.iter().find_map(of_task);
        if applied > 0 {
            return text.unwrap_or_else(|| format!("{applied} of {all} {} are done", unit.word()));
        }
        let done = self.plan.steps.get(..self.begun.step).unwrap_or_default();
        let done: Vec<_> = done.iter().map(|s| s.id.as_str()).collect();
        let text = text.unwrap_or_else(|| "nothing is changed".into());
        format!("{text}; done so far: {}", done.join(", "))
    }

    /// Statements of finished steps, where the run counts rows.
    fn ran(&self) -> u64 {
        let done = self.plan.steps.get(..self.begun.step).unwrap_or_default();
        let statements = |s: &&Step| matches!(s.action, Action::Statements);
        if self.plan.unit == Unit::STATEMENTS {
            return 0;
        }
        let whole: u64 = done.iter().filter(statements).map(|s| s.statements.len() as u64).sum();
        let part =
            self.plan.steps.get(self.begun.step).filter(statements).map_or(0, |_| self.begun.checkpoint);
        whole + part
    }

    /// Every planned row was changed or left alone; else something has told this run a wrong position.
    fn unaccounted(&self) -> Option<Error> {
        let done = self.begun.applied + self.begun.drifted;
        (self.plan.unit == Unit::ROWS && done != self.plan.rows).then(|| {
            let what = format!("{done} of {} planned rows are accounted for", self.plan.rows);
            Error::new(Class::Failed, what)
                .hint("somebody has altered the journal: midwatch journal verify; plan again for the rest")
                .durable()
        })
    }

    /// Asks the plan's questions; what cannot be answered is not proved.
    pub(crate) async fn verify_result(&mut self) -> Done {
        self.publish(Phase::Verifying);
        if self.begun.applied > MANY {
            self.writer.analyse().await;
        }
        let proof = verify::ask(self.facts, self.plan, &self.begun.run).await;
        let wrong: Vec<_> = proof.iter().filter(|(_, n)| *n != Ok(0)).collect();
        let verified = match () {
            () if proof.iter().any(|(_, n)| matches!(n, Ok(n) if *n > 0)) => Some(false),
            () if proof.is_empty() || proof.iter().any(|(_, n)| n.is_err()) => None,
            () => Some(true),
        };
        let failure = wrong.first().map(|(title, n)| {
            let what = match n {
                Ok(n) => format!("the proof failed: {title}: {n} do not"),
                Err(e) => format!("the proof could not be made: {title}: {}", e.message),
            };
            Error::new(Class::Failed, what)
                .hint(format!("midwatch runs {} · undo takes it back", self.begun.run))
                .durable()
        });
        let drifted = self.begun.drifted;
        let failure = failure.or_else(|| self.unaccounted());
        let failure = failure.or_else(|| {
            (drifted > 0).then(|| {
                Error::new(Class::Failed, format!("{drifted} rows had changed meanwhile and were left alone"))
                    .hint(format!("midwatch runs {} lists them; plan again for the rest", self.begun.run))
                    .durable()
            })
        });
        Done {
            outcome: if failure.is_none() { Outcome::Applied } else { Outcome::Partial },
            unit: self.plan.unit.clone(),
            applied: self.begun.applied,
            drifted,
            // What could not be asked can be asked again.
            resumable: verified.is_none() && !proof.is_empty(),
            verified,
            proof: proof.into_iter().map(|(title, n)| (title, n.ok())).collect(),
            failure,
            ..Done::default()
        }
    }
}
