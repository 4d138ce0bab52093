//! What is known of a run whose intent could not be written, or that could not be taken over.

use crate::engine::journal;
use crate::engine::model::error::Error;
use crate::engine::model::plan::Plan;
use crate::engine::model::progress::Done;
use crate::engine::model::record::Outcome;
use crate::engine::model::step::Action;
use crate::engine::port::reader::Reader;

/// No step was taken. Where nobody answered the COMMIT the intent may be in the journal all the same; and with it,
/// where the plan makes the journal, all that was planned.
/// `begun`: the number that the run has if it is there.
pub(in crate::engine) async fn outcome_unknown_start(
    facts: &dyn Reader,
    plan: &Plan,
    begun: Option<String>,
    e: Error,
) -> Done {
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
    let Some(run) = found else {
        let run = begun.as_deref().unwrap_or_default();
        let what = if made > 0 { "the journal" } else { "the run" };
        let message = format!(
            "{}; {what} may or may not be there, and nothing else was changed: look at midwatch runs {run}",
            known.message
        );
        let failure = Error { message: message.trim_end().to_owned(), ..known }
            .hint(format!("if it is there, midwatch resume {run} goes on with it; else apply again"))
            .ambiguous();
        return Done { run: begun, outcome: Outcome::Ambiguous, ..failed(failure) };
    };
    let message = format!("{}; run {run} is in the journal all the same, and changed no row", known.message);
    let failure = Error { message, ..known }
        .hint(format!("the intent is in the journal: midwatch resume {run} goes on with it"));
    let (outcome, failure) =
        if made > 0 { (Outcome::Partial, failure.durable()) } else { (Outcome::Failed, failure) };
    Done { run: Some(run), outcome, applied: made, resumable: true, ..failed(failure) }
}

/// A run that was not taken over. Where nobody answered the COMMIT it may be ours all the same: no step was taken, and it
/// can be resumed again.
pub(in crate::engine) fn not_taken_over(run: &str, e: Error) -> Done {
    if !e.ambiguous {
        return Done::refused(e);
    }
    let message =
        format!("{}; run {run} may or may not have been taken over, and no row was changed", e.message);
    let failure = Error { message, ..e }.hint(format!("midwatch resume {run} continues it"));
    Done {
        run: Some(run.to_owned()),
        outcome: Outcome::Ambiguous,
        resumable: true,
        failure: Some(failure),
        ..Done::default()
    }
}
