//! Going on with a run: its plan is in the journal, which others can write.

use crate::engine::Engine;
use crate::engine::gate::guard::{Approved, Circumstances, ResumeGate, UnfinishedRun};
use crate::engine::journal;
use crate::engine::journal::origin::{self, Known, PlanOrigin, RunOrigin};
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::identity::Identity;
use crate::engine::model::plan::Plan;
use crate::engine::model::target::ServerInfo;
use crate::engine::plan::accept;
use crate::engine::plan::operation::renaming_word;
use crate::engine::run::executor;

/// What may be done with an unfinished run.
pub enum Resumption {
    /// This installation began it, or went on with it: its phrase was typed here.
    Approved(Box<Approved>),
    /// Its plan is another's: it is shown, and confirmed as a new one is.
    Foreign(Box<ResumeGate>),
    /// It is shown, and no phrase makes it go on.
    Refused {
        /// The plan.
        plan: Box<Plan>,
        /// Why, and what to do.
        why: Error,
    },
}

impl Engine {
    /// The same where nobody is there to read a plan: one that is not ours is refused.
    pub async fn review_resume(&self, run: &str) -> Result<Option<Approved>> {
        match self.review_resumption(run, false).await? {
            None => Ok(None),
            Some(Resumption::Approved(approved)) => Ok(Some(*approved)),
            Some(Resumption::Foreign(gate)) => Err(gate.refusal()),
            Some(Resumption::Refused { why, .. }) => Err(why),
        }
    }

    /// May this unfinished run go on? `None`: there is nothing left to do.
    pub async fn review_resumption(&self, run: &str, headless: bool) -> Result<Option<Resumption>> {
        let server = self.parts.facts.server().await?;
        let now = self.circumstances(&server, headless).await?;
        self.parts.guard.circumstances(false, &now)?;
        let record = self.run_record(run).await?;
        if record.live {
            return Err(Error::new(
                Class::Refused,
                format!(
                    "run {run} is going on: {}, since {}",
                    record.by(),
                    record.started_at.format("%Y-%m-%d %H:%M:%SZ")
                ),
            )
            .hint("one operator at a time; midwatch runs shows how far it is"));
        }
        if let Some(by) = record.undone_by {
            return Err(Error::new(Class::Refused, format!("run {run} was taken back by run {by}"))
                .hint("plan it again"));
        }
        if let Some(by) = record.overtaken_by {
            let other = self.run_record(&by).await?;
            let renamed = renaming_word(self.parts.operations, &other.operation);
            let what = format!(
                "run {run} broke off, and run {by} ({} {}) has {renamed} its tables since: what is left of it is not what it was",
                other.operation, other.name
            );
            return Err(Error::new(Class::Stale, what).hint(format!(
                "nothing was done; midwatch plan {} plans anew what is still wanted",
                record.operation
            )));
        }
        if !record.resumable {
            return Ok(None);
        }
        // Steps that this version does not know in full are not continued by it.
        let plan = journal::runs::known_plan_of(&*self.parts.facts, run).await?;
        executor::check_steps(self.parts.runners, &plan)?;
        let origin = self.origin_of(run, &plan, &server).await?;
        self.resumption(run, plan, origin, &now).map(Some)
    }

    fn resumption(
        &self,
        run: &str,
        plan: Plan,
        origin: RunOrigin,
        now: &Circumstances<'_>,
    ) -> Result<Resumption> {
        // An undo restores what the entries of batches tell of.
        let undo = match &origin.images {
            Some(images) if !images.elsewhere => format!("an undo restores nothing: {}", images.why),
            _ => format!("midwatch undo {run} takes back what the run did"),
        };
        let verify = format!("nothing was done: midwatch journal verify tells more, and {undo}");
        let refuse = |why: String, hint: String| Error::new(Class::Refused, why).hint(hint);
        let note = origin.plan.note().unwrap_or_default();
        if origin.plan != PlanOrigin::Own && executor::runs_commands(self.parts.runners, &plan) {
            let why = format!("{note}; it runs a command, and commands come from plans made here only");
            return Err(refuse(why, format!("nothing was done; {undo}")));
        }
        let refused = match (&origin.plan, origin.ended) {
            (PlanOrigin::Altered { .. }, _) if origin.not_as_seen => {
                Some(refuse(note.clone(), format!("nothing was done: {}", accept::HINT)))
            }
            (PlanOrigin::Altered { .. }, _) => Some(refuse(note.clone(), verify)),
            (_, Some(entry)) => {
                let why = format!(
                    "run {run} has ended with entry {entry}, which its row in the journal does not say"
                );
                Some(refuse(why, verify))
            }
            (PlanOrigin::Unconfirmed { fingerprint, .. }, None) => Some(refuse(
                note.clone(),
                format!(
                    "nothing was done: compare it with midwatch key export there, then midwatch key trust {fingerprint}; \
                     where that key is unknown, {undo}"
                ),
            )),
            _ => None,
        };
        if let Some(why) = refused {
            return Ok(Resumption::Refused { plan: Box::new(plan), why });
        }
        let risk = self.risk_of(&plan).0;
        let unfinished = UnfinishedRun { run: run.to_owned(), plan, entries: origin.entries };
        let guard = &self.parts.guard;
        Ok(if origin.plan == PlanOrigin::Own {
            Resumption::Approved(Box::new(guard.resume(unfinished, now)?))
        } else {
            Resumption::Foreign(Box::new(guard.resume_foreign(unfinished, note, risk, now)?))
        })
    }

    async fn origin_of(&self, run: &str, plan: &Plan, server: &ServerInfo) -> Result<RunOrigin> {
        let known = Known {
            signer: &*self.parts.adapters.signer,
            copy: &*self.parts.adapters.journal_copy,
            target: &Identity::from_server(server),
        };
        origin::of_run(&*self.parts.facts, &known, run, plan).await
    }
}
