//! What is known of a run whose intent could not be written.

use crate::engine::journal;
use crate::engine::model::error::Error;
use crate::engine::model::plan::Plan;
use crate::engine::model::progress::Done;
use crate::engine::model::record::Outcome;
use crate::engine::model::step::Action;
use crate::engine::port::reader::Reader;

/// No step was taken. Where nobody answered the COMMIT the intent may be in the journal all the same; and with it,
/// where the plan makes the journal, all that was planned.
pub(in crate::engine) async fn outcome_unknown_start(facts: &dyn Reader, plan: &Plan, e: Error) -> Done {
    let failed =
        |failure: Error| Done { outcome: Outcome::Failed, failure: Some(failure), ..Done::default() };
    if !e.ambiguous {
        return failed(e);
    }
    let known = Error { ambiguous: false, ..e };
    let made = match plan.steps.first() {
        Some(step) if matches!(step.action, Action::Bootstrap) => step.statements.len() as u64,
        _ => 0,
    };
    // Not found is no proof: what was cut off may still be committing.
    let found = journal::runs::run_of_digest(facts, &plan.digest).await.ok().flatten();
    match found {
        Some(run) => {
            let failure =
                known.hint(format!("the intent is in the journal: midwatch resume {run} goes on with it"));
            let (outcome, failure) =
                if made > 0 { (Outcome::Partial, failure.durable()) } else { (Outcome::Failed, failure) };
            Done { run: Some(run), outcome, applied: made, resumable: true, ..failed(failure) }
        }
        None if made > 0 => {
            let message =
                format!("{}; the journal may or may not be there: look at midwatch runs", known.message);
            let failure = Error { message, ..known }
                .hint("no journal there: apply again; else resume its run")
                .ambiguous();
            Done { outcome: Outcome::Ambiguous, ..failed(failure) }
        }
        None => failed(known.hint("nothing was changed; midwatch runs shows whether the run was begun")),
    }
}
