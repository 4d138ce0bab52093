//! Lines of the preflight, and what is on while they are found.

// ---- switchover

pub(crate) fn rehearsal_unknown(why: &str) -> String {
    format!("whether it was rehearsed is unknown: {why}")
}

// ---- rehearse

pub(crate) fn copy_holds(copied: &str) -> String {
    format!("the copy holds the definitions and {copied}")
}

// ---- the backup

pub(crate) const NO_BACKUP: &str = "no backup is made (asked for)";

/// Is the dump restored and compared?
pub(crate) fn dump_planned(place: &str, verified: bool) -> String {
    let proof = if verified { "restored into a private server and compared" } else { "not restored" };
    format!("a dump of the legacy tables in {place}, {proof}")
}

pub(crate) fn room_unknown(place: &str) -> String {
    format!("how much room {place} has is unknown")
}

pub(crate) fn room_short(place: &str, free_mb: u64, needed_mb: u64) -> String {
    format!("{place} has {free_mb} MB free, the tables have {needed_mb} MB")
}

pub(crate) fn room_enough(place: &str, free_mb: u64, needed_mb: u64) -> String {
    format!(
        "{place} has {free_mb} MB free, the tables have {needed_mb} MB; room on the server's own disks is not known from here"
    )
}

/// What a cleanup needs first.
pub(crate) fn backup_needed(why: &str) -> String {
    format!("{why}; --set backup=make makes one")
}

pub(crate) fn no_backup_of(twins: &[&str]) -> String {
    format!("no backup of {} is in the journal", twins.join(", "))
}

pub(crate) fn backup_not_verified(run: &str) -> String {
    format!("the backup of run {run} was never restored and compared")
}

pub(crate) fn backup_intact(file: &str, run: &str, age: &str, proof: &str) -> String {
    format!("{file} of run {run}, {age} old, intact; {proof}")
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

pub(crate) fn secret_columns(columns: &[&str], table: &str) -> String {
    format!("{} of {table} is secret: no plan may carry its values", columns.join(", "))
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
