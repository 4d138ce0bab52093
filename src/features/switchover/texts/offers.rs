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

/// What is called what afterwards.
pub(crate) fn swapped(live: &str, retired: &str, twin: &str) -> String {
    format!("{live} becomes {retired}; {twin} becomes {live}; the name {twin} answers as an updatable view")
}

pub(crate) fn carried_over(live: &str, objects: &[String]) -> String {
    format!("carried over to {live}: {}", objects.join(", "))
}

pub(crate) const REVERSE_SYNC: &str =
    "reverse triggers keep the retired tables complete from then on; the forward ones are off";

/// How a line on what the partitioned table has of its own begins: a rollback looks for it in the switchover's plan.
pub(crate) fn kept(twin: &str) -> String {
    format!("{twin}: the partitioned table keeps ")
}

/// What is compared inside the locks, where writes are marked.
pub(crate) const FEW_INSIDE: &str = "rows written since the comparison are compared inside the locks";

/// The same where they are not.
pub(crate) fn all_inside(twins: u64, unit: &str) -> String {
    format!(
        "without markers all rows of {twins} {unit} are compared inside the locks: writers wait for as long as that takes (stall, in the preflight), or the budget is spent and it is taken back"
    )
}

/// How long writers wait.
pub(crate) fn locks_of_swap(lock_timeout_ms: u64, budget_ms: u64, attempts: u32, inside: &str) -> String {
    format!(
        "ACCESS EXCLUSIVE on all tables in one transaction: an attempt waits {lock_timeout_ms} ms at most for each lock, {budget_ms} ms in all with what is done inside, up to {attempts} times; {inside}"
    )
}

// ---- rollback

pub(crate) const ROLLBACK_UNDO: &str = "by switching over again (plan switchover)";
pub(crate) const CARRIED_BACK: &str =
    "what was carried over goes back; dual writes run forward again, the reverse triggers go";

pub(crate) fn rollback_why(twins: &[&str], run: &str) -> String {
    format!("takes the switchover of {} (run {run}) back", twins.join(", "))
}

pub(crate) fn swapped_back(live: &str, twin: &str, retired: &str) -> String {
    format!("{live} becomes {twin} again; {retired} becomes {live}")
}

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

// ---- repair and copy-missing

pub(crate) const LEGACY: &str = "the legacy table";
pub(crate) const PARTITIONED: &str = "the twin";
pub(crate) const ROWS_UNDO: &str = "from before-images, while rows are not changed again; partitions go again where they are empty, sequences stay where they are";

/// `written`, `right`: which table of each of the twins.
pub(crate) fn rows_lacking(written: &str, twins: &[&str], right: &str) -> String {
    format!("{written} of {} lacks rows that {right} has", twins.join(", "))
}

pub(crate) fn rows_differing(written: &str, twins: &[&str], right: &str) -> String {
    format!("{written} of {} shall hold what {right} holds", twins.join(", "))
}

// ---- cleanup, at first

pub(crate) const LOSSY: &str =
    "rollback is lossy from then on: what is written afterwards is in the partitioned tables only";
pub(crate) const CLEANUP_UNDO: &str = "lossy: the tables come back under their retired names and reverse sync begins again; rows written in between differ until repair NAME --set from=twin; foreign keys come back NOT VALID";

pub(crate) fn cleanup_why(twins: &[&str]) -> String {
    match twins {
        [one] => format!("{one} has proved itself: its retired table is no longer needed"),
        _ => {
            format!("{} have proved themselves: their retired tables are no longer needed", twins.join(", "))
        }
    }
}

pub(crate) fn numbered(live: &str, column: &str) -> String {
    format!("{live} numbers its {column} itself")
}

pub(crate) fn renamed(retired: &str, to: &str) -> String {
    format!("{retired} becomes {to}, no longer kept complete")
}

/// The tables are dropped since.
pub(crate) fn cleanup_not_undone(tables: &[String]) -> String {
    format!("{} is not there any more: only the backup has it", tables.join(", "))
}

// ---- cleanup, for good

pub(crate) const DROP_UNDO: &str = "impossible: only the backup has them then";

pub(crate) fn drop_why(twins: &[&str]) -> String {
    format!("nobody has missed the tables of {} since they were put away", twins.join(", "))
}

pub(crate) fn dropped(table: &str, rows: i64, size: &str) -> String {
    format!("{table} goes for good: about {rows} rows, {size}")
}

/// `mode`: as the server calls the lock.
pub(crate) fn locks_of_triggers(mode: &str) -> String {
    format!("{mode}, for a moment")
}
