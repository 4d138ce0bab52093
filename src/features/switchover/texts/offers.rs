//! Offers, and what a plan says as a whole: why, what changes, how it is undone.

// ---- offers, each of a twin, and what else its writers notice

pub(crate) const CLEANUP: &str = "put away or drop the retired table";
pub(crate) const COPY_MISSING: &str = "copy what the twin lacks: rows";
pub(crate) const REHEARSE: &str = "rehearse the switchover";
pub(crate) const REPAIR: &str = "make both sides equal: rows";
pub(crate) const REPAIR_TRIGGERS: &str = "make complete the triggers";
pub(crate) const ROLLBACK: &str = "take the switchover back";
pub(crate) const SWITCHOVER: &str = "switch applications to the twin";
pub(crate) const WATCH: &str = "mark the writes";

pub(crate) const LOCKS_OF_COPY: &str = "ACCESS SHARE, while it is copied";
pub(crate) const LOCKS_OF_ROWS: &str = "rows of each batch, on both sides";
pub(crate) const LOCKS_OF_SWAP: &str = "ACCESS EXCLUSIVE within a budget";
pub(crate) const LOCKS_OF_TRIGGERS: &str = "SHARE ROW EXCLUSIVE, for a moment";
pub(crate) const LOCKS_OF_WATCH: &str =
    "SHARE ROW EXCLUSIVE on both tables and their partitions, some at a time";

pub(crate) fn offer(about: &str, twin: &str) -> String {
    format!("{about} of {twin}")
}

// ---- switchover

pub(crate) const SWITCHOVER_UNDO: &str = "rollback swaps back, with all that was written since; reverse sync keeps the retired tables complete until cleanup";

pub(crate) fn switchover_why(twins: &[&str]) -> String {
    format!("{} shall be the partitioned tables from now on", twins.join(", "))
}

// ---- rollback

/// Why a rollback has no plan that undoes it. `name`: what was rolled back; `None`: all twins.
pub(crate) fn rollback_not_undone(name: Option<&str>) -> String {
    let name = name.map_or_else(String::new, |n| format!(" {n}"));
    format!("it needs a switchover of its own, with its proofs: midwatch plan switchover{name}")
}

// ---- rehearse

pub(crate) const REHEARSAL_NOT_UNDONE: &str = "a rehearsal changes nothing";
pub(crate) const REHEARSAL_UNDO: &str =
    "there is nothing to take back; the private server goes when it is over";

pub(crate) fn rehearsal_why(twins: &[&str]) -> String {
    format!(
        "how long a switchover of {} takes, and what it meets, is not known before it was played through",
        twins.join(", ")
    )
}

/// With the rows that are copied.
pub(crate) fn rehearsal_changes(copied: &str) -> Vec<String> {
    vec![
        "nothing of this target but its journal".into(),
        format!("a private server on this machine gets the definitions and {copied}"),
    ]
}

// ---- repair-triggers

pub(crate) const TRIGGERS_UNDO: &str = "functions and triggers as they were";

/// Is there anything to do, and were the triggers fired in a copy?
pub(crate) fn triggers_why(twins: &[&str], nothing: bool, proved: bool) -> String {
    let twins = twins.join(", ");
    match (nothing, proved) {
        (true, false) => {
            format!("nothing is seen to be missing from the triggers of {twins}; they are not proved")
        }
        (true, true) => format!("the triggers of {twins} are complete, enabled and proved: nothing to do"),
        _ => format!("writes of {twins} are not all mirrored, or would not be"),
    }
}

/// A line of a change, with its table or twin.
pub(crate) fn change(table: &str, what: &str) -> String {
    format!("{table}: {what}")
}

// ---- watch

pub(crate) const FORGET_WHY: &str = "midwatch.marks grows with every write";
pub(crate) const FORGET_CHANGES: &str =
    "what was marked so far is forgotten: every partition is read once more";
pub(crate) const FORGET_UNDO: &str = "proofs begin anew: what was marked does not come back";

pub(crate) fn watch_undo(off: bool) -> &'static str {
    if off {
        "the triggers and functions are made again; proofs begin anew"
    } else {
        "the triggers and functions are dropped; marks written so far stay"
    }
}

/// A twin, and what its marks lack: nothing where they are complete.
pub(crate) fn watch_why(twin: &str, lacking: Option<&str>) -> String {
    lacking.map_or_else(|| format!("{twin}: writes are marked"), |why| format!("{twin}: {why}"))
}

pub(crate) fn watch_changes(off: bool) -> Vec<String> {
    if off {
        return vec!["nothing is marked any more: no partition stays sealed".into()];
    }
    vec![
        "each written row costs one short insert into midwatch.marks, a changed key two; on both tables while both are written".into(),
        "midwatch.marks grows by about 100 bytes with each".into(),
        "a partition attached later is marked by itself, but not its TRUNCATE: plan watch again".into(),
    ]
}
