//! What the queue's findings, offers and plans say, from data. Plans are compared as text when they are applied: a
//! sentence of a plan that changes makes the plans of earlier builds stale.

use crate::engine::model::error::Error;
use crate::features::queue::facts::FailureGroup;

/// The summary of a check without findings.
pub(super) fn summary(waiting: u64, oldest_s: Option<f64>) -> String {
    format!("{waiting} waiting, oldest {}", oldest_s.map_or("none".into(), |s| format!("{s:.0} s")))
}

/// What could not be read, and why.
pub(super) fn unread(what: &str, e: &Error) -> String {
    format!("{what}: not read: {}", e.one_line())
}

// ---- findings

pub(super) fn exhausted(rows: u64, max_attempts: i64) -> String {
    format!("{rows} failed with all {max_attempts} attempts used: nothing will try them again")
}

pub(super) fn stuck(rows: u64, after_s: i64) -> String {
    format!("{rows} in progress for more than {after_s} s: their worker is gone")
}

pub(super) fn late(rows: u64, after_s: i64) -> String {
    format!("{rows} waiting for more than {} min", after_s / 60)
}

/// States that the profile does not name, with the rows of each.
pub(super) fn unknown_states(states: &[(&String, &u64)]) -> String {
    let list: Vec<_> = states.iter().map(|(state, rows)| format!("{state} ({rows})")).collect();
    format!("states that the profile does not name: {}", list.join(", "))
}

pub(super) fn failed(cause: &FailureGroup) -> String {
    format!("{} × {} ({})", cause.rows, cause.fingerprint, cause.class)
}

pub(super) fn more_causes(unlisted: u64) -> String {
    format!("{unlisted} more causes, not listed")
}

pub(super) fn flagged_days(days: u64) -> String {
    format!("{days} days carry an error flag")
}

pub(super) fn jobs_unknown(why: &str) -> String {
    format!("lost, ghost, duplicate and silent jobs: unknown, {why}")
}

// ---- requeue

pub(super) const REQUEUE_OFFER: &str = "try failed rows again, a canary first";
/// Why requeue is not offered for a queue with a job store.
pub(super) const NEEDS_QUEUE: &str = "needs the queue (step 6): a row without a job would be a lost one";
pub(super) const NO_WAITING_STATE: &str = "the profile names no state of waiting";
pub(super) const REQUEUE_WHY: &str = "failed work is tried again";
pub(super) const REQUEUE_UNDO: &str =
    "rows that no worker has taken yet are put back; what a worker has done stays done";

pub(super) fn requeue_title(table: &str, to: &str) -> String {
    format!("put rows of {table} back to {to}")
}

pub(super) fn canary_first(rows: u64) -> String {
    format!("{rows} rows first; more only when none of them has failed again, then in growing batches")
}

// ---- resolve

pub(super) const NO_FINAL_STATE: &str = "the profile names no state for it";
pub(super) const RESOLVE_UNDO: &str = "from before-images, while rows are not changed again";

pub(super) fn resolve_offer(ends: &[String]) -> String {
    format!("mark rows {}, with a reason", ends.join(" or "))
}

pub(super) fn resolve_title(table: &str, to: &str) -> String {
    format!("mark rows of {table} {to}")
}

pub(super) fn audit(declared: bool) -> &'static str {
    if declared {
        "an audit row for each, with the reason"
    } else {
        "no audit rows: the profile declares none; the journal keeps the reason"
    }
}

/// Rows that a worker may take at any time, by their state.
pub(super) fn at_work(counted: &[(String, u64)]) -> String {
    let counts: Vec<_> = counted.iter().map(|(state, rows)| format!("{rows} {state}")).collect();
    format!(
        "{} of the rows chosen: a worker may take or finish them meanwhile; those are left alone, those taken at the same \
         moment may be done although they are resolved. Stop the workers first, or choose rows that have failed",
        counts.join(" and ")
    )
}

// ---- both

pub(super) fn changed(columns: &[&str], table: &str) -> String {
    format!("{} of {table}", columns.join(", "))
}

/// Rows that were named one by one and are in states that the operation leaves alone.
pub(super) fn refused(rows: u64, states: &[String], word: &str) -> String {
    format!("{rows} of these rows are {}: they are not {word}", states.join(", "))
}
