//! Lines of the preflight, and what is on while they are found.

use crate::features::switchover::task::RehearsalResult;

// ---- switchover

pub(crate) fn rehearsal_unknown(why: &str) -> String {
    format!("whether it was rehearsed is unknown: {why}")
}

// ---- rehearse

pub(crate) fn copy_holds(copied: &str) -> String {
    format!("the copy holds the definitions and {copied}")
}

// ---- how long writers would wait without a marker

pub(crate) const COMPARING: &str = "comparing all rows as it would be done while writers wait";

pub(crate) fn stall_unknown(why: &str) -> String {
    format!("how long writers would wait is unknown: {why}")
}

pub(crate) fn stall(took_ms: u64, budget_ms: u64) -> String {
    format!("comparing all rows took {took_ms} ms just now, the locks may be held for {budget_ms} ms")
}

/// With a budget that would do.
pub(crate) fn stall_too_long(took_ms: u64, budget_ms: u64) -> String {
    format!(
        "comparing all rows took {took_ms} ms just now, the locks may be held for {budget_ms} ms: writers would wait, and it would be taken back; leave marker=no out, or --set budget={}",
        took_ms.saturating_mul(2)
    )
}

// ---- rollback

pub(crate) const GOING_BACK: &str = "going back in the copy";

pub(crate) fn came_since(twin: &str, objects: &[String]) -> String {
    format!(
        "{twin}: what came since the switch stays with the partitioned table, under its twin's name: {}",
        objects.join(", ")
    )
}

pub(crate) fn no_copy_for_rollback(why: &str) -> String {
    format!("no copy to try the way back in: {why}")
}

pub(crate) fn faults_after_rollback(twin: &str, faults: &[String]) -> String {
    format!("{twin}: afterwards, {}", faults.join("; "))
}

pub(crate) fn rolled_back_in_copy(twins: &str) -> String {
    format!("gone back in a copy, dual writes fired there: {twins}")
}

pub(crate) fn rollback_fails(why: &str) -> String {
    format!("in a copy, the way back fails: {why}")
}

/// What the copy lacks may be why.
pub(crate) fn fails_without(text: &str, lacks: &str) -> String {
    format!("{text}; {lacks}")
}

// ---- rows repaired

pub(crate) fn columns_not_copied(table: &str, columns: &[String]) -> String {
    format!("{table} lacks columns, which are not copied: {}", columns.join(", "))
}

pub(crate) fn several_rows(keys: &str, table: &str) -> String {
    format!(
        "{keys} keys of {table} have several rows: which of them is right cannot be told; repair it from the other side first"
    )
}

pub(crate) fn live_table(twin: &str, live: &str) -> String {
    format!("{twin}: {live} is what applications write, and would be changed")
}

pub(crate) fn partition_name_taken(name: &str, table: &str) -> String {
    format!("{name} is needed as a partition of {table}, but something else has that name")
}

// ---- cleanup

pub(crate) fn name_taken(twin: &str, name: &str) -> String {
    format!("{twin}: the name {name} is taken already: rename or drop what has it")
}

pub(crate) fn foreign_key_dropped(twin: &str, key: (&str, &str, &str), live: &str) -> String {
    let (name, table, definition) = key;
    format!(
        "{twin}: {name} of {table} ({definition}) goes: it can refer neither to a table without its rows nor to {live}"
    )
}

pub(crate) fn view_reads(twin: &str, view: &str, table: &str) -> String {
    format!("{twin}: {view} reads {table}")
}

pub(crate) fn used(twin: &str, table: &str, used: &str) -> String {
    format!("{twin}: {table} was {used}")
}

/// Twins of one switchover of which some are cleaned up.
pub(crate) fn set_parted(run: &str, rest: &[&str], away: &[&str]) -> String {
    format!(
        "run {run} switched {} together with {}: without {} they cannot be rolled back any more",
        rest.join(", "),
        away.join(", "),
        away.join(", ")
    )
}

pub(crate) fn cascade(twin: &str, objects: &[String]) -> String {
    format!("{twin}: only CASCADE drops it, and takes {}", objects.join(", "))
}

pub(crate) fn functions_stay(twin: &str, functions: &[String]) -> String {
    format!("{twin}: nothing fires {} any more; they stay", functions.join(", "))
}

pub(crate) fn quiet_shortened(quiet_s: u64, usual_h: u64) -> String {
    format!("{quiet_s} s of quiet are asked for instead of {usual_h} h")
}

pub(crate) fn retired_unknown(twin: &str) -> String {
    format!("{twin}: the journal does not say when its table was put away")
}

pub(crate) fn another_table(twin: &str, table: &str, run: &str) -> String {
    format!("{twin}: {table} is not the table that run {run} put away")
}

/// Has it been away for as long as is asked for?
pub(crate) fn retired_since(twin: &str, run: &str, since: &str, wanted: &str, long: bool) -> String {
    let text = format!("{twin}: put away by run {run}, {since} ago; {wanted} are asked for");
    if long { text } else { format!("{text}; --set quiet=… with accept=quiet asks for less") }
}

// ---- what is accepted

pub(crate) fn accepted(text: &str) -> String {
    format!("{text} (accepted)")
}

pub(crate) fn acceptable(text: &str, id: &str) -> String {
    format!("{text}; --set accept={id} goes on with it")
}

// ---- parity

pub(crate) fn comparing(twin: &str) -> String {
    format!("comparing {twin}")
}

/// The check's own words, of a twin.
pub(crate) fn verdict(twin: &str, text: &str) -> String {
    format!("{twin}: {text}")
}

pub(crate) fn rows_differ(twin: &str, text: &str) -> String {
    let text = verdict(twin, text);
    format!("{text}; midwatch plan repair {twin}")
}

pub(crate) fn sequence_behind(twin: &str, text: &str) -> String {
    let text = verdict(twin, text);
    format!("{text} (handed over in the switch)")
}

pub(crate) fn triggers_differ(twin: &str, text: &str) -> String {
    let text = verdict(twin, text);
    format!("{text}; midwatch plan repair-triggers {twin}")
}

pub(crate) fn partitions_missing(twin: &str, text: &str) -> String {
    let text = verdict(twin, text);
    format!("{text}; midwatch plan copy-missing {twin} makes partitions")
}

pub(crate) fn columns_missing(twin: &str, text: &str) -> String {
    let text = verdict(twin, text);
    format!("{text}; add them, then midwatch plan repair-triggers {twin} and repair {twin}")
}

// ---- rehearsals

pub(crate) const MEASURED_IN_TRIAL: &str = "a copy of the definitions with a few rows, on this machine";
pub(crate) const NOT_REHEARSED: &str = "this set was never rehearsed from here: midwatch plan rehearse";

/// By its run, and what else it played.
pub(crate) fn rehearsal(run: &str, others: &[String]) -> String {
    let others = (!others.is_empty()).then(|| format!(" with {} as well", others.join(", ")));
    format!("rehearsal run {run}{}", others.unwrap_or_default())
}

/// Where the time of a step was measured.
pub(crate) fn measured_step(rehearsal: &str, copied: &str) -> String {
    format!("{rehearsal}; {copied}")
}

pub(crate) fn measured_swap(rehearsal: &str, result: &RehearsalResult) -> String {
    format!(
        "{rehearsal}: {} writes beside it, the longest wait {:.0} ms, back in {} ms; {}",
        result.writes, result.stall_ms, result.back_ms, result.copied
    )
}

pub(crate) fn measured_rollback(rehearsal: &str, writes: u64, copied: &str) -> String {
    format!("{rehearsal}: {writes} writes beside it; {copied}")
}

pub(crate) fn rehearsal_failed(rehearsal: &str, why: &str) -> String {
    format!("{rehearsal} failed: {why}")
}

pub(crate) fn rehearsed_ago(rehearsal: &str, age: &str) -> String {
    format!("{rehearsal}, {age} ago")
}

pub(crate) fn met_the_same(rehearsed: &str) -> String {
    format!("{rehearsed}: met the same")
}

/// Lines of this preflight that the rehearsal did not meet, and those that it met alone.
pub(crate) fn met_otherwise(rehearsed: &str, new: &[&str], gone: &[&str]) -> String {
    let mut text = format!("this preflight differs from {rehearsed}");
    if !new.is_empty() {
        text = format!("{text}; not met there: {}", new.join("; "));
    }
    if !gone.is_empty() {
        text = format!("{text}; met there only: {}", gone.join("; "));
    }
    text
}

// ---- the trial in a copy

pub(crate) const COPYING: &str = "copying all definitions and a few rows into a private server";
pub(crate) const SWITCHING: &str = "switching in the copy, and back";

pub(crate) fn no_copy_for_switch(why: &str) -> String {
    format!("no copy to try the switch in: {why}")
}

/// What fails for want of a table says nothing of the target.
pub(crate) fn copy_lacks(objects: &[String]) -> String {
    format!("the copy is without {}", objects.join(" and "))
}

/// So many objects are named.
const NAMED: usize = 5;

/// What succeeds without a trigger says nothing of the trigger.
pub(crate) fn not_in_copy(objects: &[String]) -> String {
    let named = objects.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match objects.len().saturating_sub(NAMED) {
        0 => format!("not tried, since the copy is without them: {named}"),
        more => format!("not tried, since the copy is without them: {named} and {more} more"),
    }
}

pub(crate) fn switched_in_copy(copy: &str, twins: &[&str]) -> String {
    format!("switched and taken back in a copy ({copy}): {}", twins.join(", "))
}
