//! Titles of steps, and of what is verified when they are over.

// ---- rehearse

/// Rows that a rehearsal copies of each legacy table; `None`: all.
pub(crate) fn copied(rows: Option<u64>) -> String {
    rows.map_or_else(
        || "all rows".to_owned(),
        |n| format!("at most {n} rows of each legacy table, and the twins' rows of the same keys"),
    )
}

pub(crate) fn rehearse(copied: &str) -> String {
    format!("play it through in a copy with {copied}")
}

/// What a rehearsal does, in its order.
pub(crate) fn rehearsed(copied: &str, writers: u32) -> Vec<String> {
    vec![
        format!("pg_dump --schema-only; copy of {copied}"),
        format!("{writers} sessions write: inserts, updates, deletes, updates of the partition key"),
        "switchover, as planned there".into(),
        "rollback, as planned there".into(),
    ]
}

// ---- repair-triggers

pub(crate) fn trigger_enabled(trigger: &str) -> String {
    format!("trigger {trigger} enabled")
}

pub(crate) fn trigger_created(trigger: &str, events: &[&str]) -> String {
    format!("trigger {trigger} for {}", events.join(", "))
}

pub(crate) fn trigger_replaced(trigger: &str) -> String {
    format!("trigger {trigger} replaced")
}

pub(crate) fn function_written(function: &str) -> String {
    format!("function {function} written")
}

pub(crate) fn repair_triggers(table: &str, changes: &[String]) -> String {
    format!("{table}: {}", changes.join(", "))
}

pub(crate) fn all_mirrored(table: &str) -> String {
    format!("INSERT, UPDATE and DELETE of {table} are mirrored")
}

// ---- watch

pub(crate) const FORGET: &str = "forget what was marked so far";
pub(crate) const FORGET_LOCKS: &str = "ACCESS EXCLUSIVE, for a moment: who writes a watched table waits";
pub(crate) const GUARDED: &str = "midwatch.marks takes no change but new rows";

pub(crate) fn watch(twin: &str, off: bool) -> String {
    format!("{} writes to {twin}", if off { "stop marking" } else { "mark" })
}

/// Every write to a twin is marked.
pub(crate) fn marked(twin: &str) -> String {
    format!("every write to {twin} is marked")
}

/// No write to any of these is.
pub(crate) fn unmarked(twins: &str) -> String {
    format!("nothing of {twins} is marked")
}
