//! Lines of the preflight on what goes on around the tables: backups, sessions, locks, other statements.

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

// ---- the last backup

pub(crate) fn last_backup_unknown(why: &str) -> String {
    format!("unknown when one was made: {why}")
}

pub(crate) fn no_verified_backup(twins: &[&str]) -> String {
    format!("there is no verified backup of {} yet", twins.join(", "))
}

pub(crate) fn last_backup(file: &str, run: &str, age: &str) -> String {
    format!("{file} of run {run}, {age} old, verified and intact")
}

pub(crate) fn last_backup_spoiled(run: &str, age: &str, why: &str) -> String {
    format!("of run {run}, {age} old: {why}")
}

// ---- sessions and locks

pub(crate) const NO_BLOCKER: &str = "no transaction has held one of the tables for 5 s";

pub(crate) fn blocker(session: &str) -> String {
    format!("in the way now: {session}")
}

pub(crate) fn vacuum(queries: &[String]) -> String {
    format!("a vacuum that must not be cancelled is at work: {}", queries.join("; "))
}

pub(crate) fn sessions_hidden(sessions: u64, role: &str) -> String {
    format!(
        "unknown since when {sessions} sessions have held one of the tables: role {role} is not shown it (grant pg_read_all_stats)"
    )
}

pub(crate) fn prepared(transactions: &[String]) -> String {
    format!("prepared transactions hold the tables until they are ended: {}", transactions.join("; "))
}

pub(crate) fn prepared_elsewhere(transactions: u64) -> String {
    format!("{transactions} prepared transactions hold none of the tables")
}

pub(crate) fn locks(needed: usize, room: usize) -> String {
    format!("one transaction takes up to {needed} locks, this server has room for {room}")
}

pub(crate) fn locks_short(needed: usize, room: usize) -> String {
    format!("{}: raise max_locks_per_transaction", locks(needed, room))
}

// ---- statements of applications

pub(crate) const NO_STATEMENTS: &str = "pg_stat_statements is not here";

pub(crate) fn statements_hidden(statements: &str, role: &str) -> String {
    format!("{statements} statements of others are not shown to role {role} (grant pg_read_all_stats)")
}

pub(crate) fn statements_unknown(twin: &str, why: &str) -> String {
    format!("{twin}: unknown whether applications send ON CONFLICT that would fail: {why}")
}

/// Of a conflict's target, as it was sent.
pub(crate) fn target_fails(target: &str) -> String {
    format!("({target}), which would fail")
}

pub(crate) fn constraint_fails(constraint: &str) -> String {
    format!("ON CONSTRAINT {constraint}, which would fail")
}

/// Of `DO NOTHING`: reverse sync alone holds these keys.
pub(crate) fn nothing_fails(held: &str) -> String {
    format!("DO NOTHING, which would fail where a row has the same {held}")
}

pub(crate) fn statement_fails(twin: &str, conflict: &str, query: &str) -> String {
    format!("{twin}: applications send ON CONFLICT {conflict}: {query}")
}
