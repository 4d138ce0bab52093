//! A rehearsal in a copy, and what of it goes into the target's journal.

use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::progress::Phase;
use crate::engine::model::step::{Step, Task};
use crate::engine::port::reader::Fut;
use crate::engine::port::runner::{RunCx, RunStop, Runner, Running};
use crate::features::switchover::run::arguments;
use crate::features::switchover::task::{RehearsalPlan, Rehearser};

/// Rehearses a switchover in a copy.
pub(crate) struct Rehearsing;

struct Rehearsed(RehearsalPlan);

impl Runner for Rehearsing {
    fn task(&self) -> &'static str {
        RehearsalPlan::TASK
    }
    fn start(&self, task: &Task) -> Result<Box<dyn Running>> {
        Ok(Box::new(Rehearsed(arguments(task)?)))
    }
}

impl Running for Rehearsed {
    fn step<'a>(&'a mut self, run: &'a mut RunCx<'_>, _step: &'a Step) -> Fut<'a, Result<(), RunStop>> {
        Box::pin(rehearse(run, &self.0))
    }
}

/// Nothing of the target is touched: what came of it goes into its journal.
async fn rehearse(run: &mut RunCx<'_>, play: &RehearsalPlan) -> Result<(), RunStop> {
    run.publish(Phase::Working);
    let played = rehearser(run)?.rehearse(play).await.map_err(RunStop::known)?;
    run.record("rehearsal", &serde_json::to_value(&played).unwrap_or_default()).await?;
    run.said.extend(played.summary_lines());
    match played.failures.first() {
        None => Ok(()),
        Some(first) => {
            let more = played.failures.len() - 1;
            let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
            let e = Error::new(Class::Failed, format!("the rehearsal failed: {first}{more}"));
            let failed = e.hint("nothing of the target was touched; the run's entries tell all of it");
            Err(RunStop { resumable: false, ..RunStop::known(failed) })
        }
    }
}

fn rehearser(run: &RunCx<'_>) -> Result<Rehearser, RunStop> {
    run.adapters.of_features.get::<Rehearser>().cloned().ok_or_else(|| {
        RunStop::known(Error::unobserved("no rehearsal can be made here: midwatch was built without one"))
    })
}
