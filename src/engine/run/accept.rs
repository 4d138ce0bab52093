//! Carries out `journal-accept`: what is kept of another state of the journal is set aside, and a signed entry says so.

use serde_json::json;

use crate::engine::journal::copied;
use crate::engine::journal::signatures::ACCEPTED;
use crate::engine::model::error::Result;
use crate::engine::model::progress::Phase;
use crate::engine::model::step::{Step, Task};
use crate::engine::model::stored::another_version;
use crate::engine::plan::accept::{AcceptedState, TASK};
use crate::engine::port::journal_copy::Mark;
use crate::engine::port::reader::Fut;
use crate::engine::port::runner::{RunCx, RunStop, Runner, Running};

/// The engine's own tasks.
pub(crate) const RUNNERS: &[&dyn Runner] = &[&AcceptState];

pub(crate) struct AcceptState;

impl Runner for AcceptState {
    fn task(&self) -> &'static str {
        TASK
    }

    fn accepts_journal(&self) -> bool {
        true
    }

    fn start(&self, task: &Task) -> Result<Box<dyn Running>> {
        let state: AcceptedState = task
            .parse()
            .map_err(|e| another_version(&format!("the arguments of its step {TASK} are not known: {e}")))?;
        Ok(Box::new(Accepting(state)))
    }

    fn done_text(&self, _: &Step, _: u64, _: u64) -> Option<String> {
        Some("the journal is not accepted".into())
    }
}

struct Accepting(AcceptedState);

impl Running for Accepting {
    fn step<'a>(&'a mut self, run: &'a mut RunCx<'_>, _: &'a Step) -> Fut<'a, Result<(), RunStop>> {
        Box::pin(accept(run, &self.0))
    }
}

/// In any order of failures the run can be resumed: what is set aside once more is kept once more.
async fn accept(run: &mut RunCx<'_>, state: &AcceptedState) -> Result<(), RunStop> {
    run.publish(Phase::Working);
    let target = &run.plan.identity;
    let (copy, signer) = (&*run.adapters.journal_copy, &*run.adapters.signer);
    let seen = Mark {
        seq: state.entry,
        hash: state.hash.clone(),
        signed_from: state.signed_from,
        ..Mark::default()
    };
    let kept = copy.accept(target, seen).map_err(RunStop::known)?;
    // The copy begins anew with what this installation has written into the journal as it is.
    copied::made_ready(run.facts, copy, signer, target, None).await.map_err(RunStop::known)?;
    run.said.extend(kept.iter().map(|path| format!("set aside: {path}")));
    let body = json!({
        "by": run.operator.to_string(), "entry": state.entry, "seen": state.seen, "found": state.found, "kept": kept,
    });
    run.record(ACCEPTED, &body).await
}
