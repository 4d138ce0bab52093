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

/// A function that runs with the rights of its owner.
pub(crate) fn function_owned(function: &str, owner: &str) -> String {
    format!("{function}() belongs to {owner}, whose table it writes")
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

// ---- triggers of a pair, some at a time

pub(crate) fn on_partitions(title: &str) -> String {
    format!("{title}, TRUNCATE of each partition")
}

pub(crate) fn locks_with_partitions(mode: &str) -> String {
    format!("{mode}, partitions too, for a moment")
}

pub(crate) fn locks_of_few(mode: &str) -> String {
    format!("{mode}, a few at a time")
}

pub(crate) fn reverse_rewritten(table: &str) -> String {
    format!("{table}: reverse triggers made anew, firing always")
}

pub(crate) fn reverse_fires(table: &str) -> String {
    format!("the reverse triggers of {table} fire always")
}

// ---- stages of a switchover, a rollback and a cleanup

pub(crate) const COMPARE: &str = "0 rows left to copy: every row of both sides compared, in one snapshot";
pub(crate) const SWAP: &str = "the switch: all tables at once";
pub(crate) const SWAP_BACK: &str = "all tables back at once";
pub(crate) const PUT_AWAY: &str = "reverse sync ends, the retired tables go away";
pub(crate) const OTHER_TABLES: &str = "every other table of the database";
pub(crate) const LOCKS_OF_DEFINITIONS: &str = "ACCESS SHARE, for its definition";

pub(crate) fn measure(stage: &str) -> String {
    format!("{stage}: counts, sums and checksums of both sides")
}

pub(crate) fn dump(tables: &[String]) -> String {
    format!("pg_dump of {}, with all definitions", tables.join(", "))
}

pub(crate) fn mark(twin: &str) -> String {
    format!("{twin}: mark every write on both sides")
}

pub(crate) fn unmark(twin: &str) -> String {
    format!("{twin}: writes are not marked any more")
}

pub(crate) fn prepare(twin: &str) -> String {
    format!("{twin}: reverse triggers, idle until the switch")
}

pub(crate) fn tidy(twin: &str) -> String {
    format!("{twin}: the reverse triggers go")
}

/// `when`: before or after.
pub(crate) fn hook(when: &str, timeout_s: u64, command: &str) -> String {
    format!("{when} the switch, {timeout_s} s at most: {command}")
}

/// Are writes marked?
pub(crate) fn monitor(seconds: u64, marker: bool) -> String {
    if marker {
        format!("look on for {seconds} s: what is written is compared every second")
    } else {
        format!("look on for {seconds} s, then compare everything: no marker tells what was written")
    }
}

pub(crate) fn equal(twin: &str) -> String {
    format!("both sides of {twin} are equal")
}

// ---- cleanup

pub(crate) const DROP: &str = "drop what was put away";

pub(crate) fn gone_away(retired: &str) -> String {
    format!("{retired} has gone away")
}

pub(crate) fn same_table(table: &str, retired: &str) -> String {
    format!("{table} is the table that was {retired}")
}

pub(crate) fn gone(table: &str) -> String {
    format!("{table} is gone")
}

// ---- rows of one table as another has them

pub(crate) const LOCKS_OF_SOURCE: &str = "ROW SHARE, rows of the batch";

pub(crate) fn extra_rows(table: &str, from: &str) -> String {
    format!("{table}: rows without a row of {from} go")
}

pub(crate) fn differing_rows(table: &str, from: &str) -> String {
    format!("{table}: rows become as {from} has them")
}

pub(crate) fn missing_rows(table: &str, from: &str) -> String {
    format!("{table}: rows of {from} that it lacks come")
}

/// Why the rows are changed.
pub(crate) fn rows_reason(table: &str, from: &str) -> String {
    format!("rows of {table} as {from} has them")
}

pub(crate) fn none_missing(table: &str, from: &str) -> String {
    format!("no row of {from} is missing in {table}")
}

pub(crate) fn none_differs(table: &str, from: &str) -> String {
    format!("no row of {table} differs from {from}, none is missing or left over")
}

/// Several steps write to the same table: a title names its step.
pub(crate) fn of_step(title: &str, step: &str) -> String {
    format!("{title} ({step})")
}

pub(crate) fn partitions(table: &str, names: &[&str]) -> String {
    format!("{table}: partitions {}", names.join(", "))
}

pub(crate) fn sequences(names: &str) -> String {
    format!("sequences past the rows of both sides: {names}")
}
