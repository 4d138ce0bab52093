//! What offers and plans of `backfill` say, from data. Plans are compared as text when they are applied: a sentence of a
//! plan that changes makes the plans of earlier builds stale.

use crate::engine::model::policy::Policy;
use crate::engine::model::profile::{Backfill, Instead};

/// Of the offer, and of the step that does it in place.
pub(super) fn compute_again(b: &Backfill) -> String {
    format!("compute {} of {} again", columns(b), b.write.table)
}

/// What else writers of the table notice; `guarded`: the lock under which its trigger is switched off.
pub(super) fn offered_locks(guarded: Option<&str>) -> String {
    guarded.map_or_else(|| "rows of each batch".into(), |mode| format!("{mode} for each batch: writers wait"))
}

fn columns(b: &Backfill) -> String {
    b.write.set.keys().cloned().collect::<Vec<_>>().join(", ")
}

/// Why rows need it, as the profile says it.
pub(super) fn reason(b: &Backfill) -> String {
    b.reason
        .clone()
        .unwrap_or_else(|| format!("rows where {}", b.write.filter.as_deref().unwrap_or_default()))
}

pub(super) fn why(b: &Backfill) -> String {
    format!("{}: {}", b.write.table, reason(b))
}

/// A step's title, with what a batch costs.
pub(super) fn step(title: &str, policy: &Policy) -> String {
    format!("{title}, at most {} rows a batch, lock_timeout {} ms", policy.batch_rows, policy.lock_timeout_ms)
}

/// What changes: the rows, and what goes with them.
pub(super) fn changes(rows: String, audited: bool) -> Vec<String> {
    let audit = audited.then(|| "an audit row for each, with the old and the new value".into());
    std::iter::once(rows).chain(audit).collect()
}

// ---- in place

pub(super) const UNDO: &str = "from before-images, while rows are not changed again";

pub(super) fn changed_columns(b: &Backfill) -> String {
    format!("column {}", columns(b))
}

/// CHECKs that hold for new rows only.
pub(super) fn undo_with_checks(checks: &str) -> String {
    format!(
        "from before-images; CHECK {checks} would refuse the old values, so it must be dropped for the undo and added again as NOT VALID"
    )
}

pub(super) fn checks(checks: &str, table: &str) -> String {
    format!("CHECK {checks} of {table} judges every later update of an old row")
}

// ---- corrective rows

pub(super) const CORRECTIVE_UNDO: &str =
    "the corrective rows are deleted again, while nobody has changed them";

pub(super) fn corrective_title(i: &Instead) -> String {
    format!("write corrective rows into {}", i.write.table)
}

pub(super) fn corrective_rows(b: &Backfill, i: &Instead) -> String {
    format!("corrective rows in {}; {} stays as it is", i.write.table, b.write.table)
}

// ---- the trigger that guards the table

pub(super) fn guard_hidden(trigger: &str, table: &str, needs: &str) -> String {
    format!("trigger {trigger} of {table} is not visible to this role: needs {needs}")
}

pub(super) fn guard_missing(trigger: &str, table: &str) -> String {
    format!("trigger {trigger} is not on {table}: nothing stands in the way")
}

pub(super) fn guard_disabled(trigger: &str) -> String {
    format!("trigger {trigger} is disabled already; it stays so")
}

/// May the setting be made that silences the trigger, and does that silence it?
pub(super) fn silencing(trigger: &str, setting: &str, may: bool, ordinary: bool) -> String {
    match (may, ordinary) {
        (false, _) => format!("only a superuser may set {setting}"),
        (_, true) => format!("we may set {setting}"),
        _ => format!("trigger {trigger} fires for replicas as well: this strategy does not pass it"),
    }
}

pub(super) fn silenced(trigger: &str, setting: &str) -> String {
    format!(
        "trigger {trigger} forbids this: {setting} = replica for each batch, which silences ALL ordinary \
         triggers and foreign keys of our session; other writers do not wait"
    )
}

pub(super) fn disabling(trigger: &str, table: &str, owned: bool) -> String {
    if owned {
        format!("we may switch trigger {trigger} off")
    } else {
        format!("only the owner of {table} may switch trigger {trigger} off")
    }
}

pub(super) fn disabled(trigger: &str, table: &str) -> String {
    format!(
        "trigger {trigger} forbids this: disabled and enabled again in each batch's transaction; writers of {table} wait \
         for the length of a batch"
    )
}
