//! Lines of the preflight on triggers: sync, reverse sync and change capture.

// ---- repair-triggers

pub(crate) fn no_copy_for_triggers(why: &str) -> String {
    format!("no copy to prove the triggers in: {why}; --set unproved=accept goes on without")
}

pub(crate) fn unproved(untried: &str) -> String {
    format!("{untried}; --set unproved=accept goes on without")
}

pub(crate) fn firing(twin: &str) -> String {
    format!("firing the triggers of {twin} in the copy")
}

/// Why triggers that are complete and on would not do.
pub(crate) const NOT_COVERED: &str = "they do not cover INSERT, UPDATE and DELETE of every row";

pub(crate) fn shut_out(roles: &[String], table: &str) -> String {
    format!("{} may write {table} but not its twin", roles.join(", "))
}

pub(crate) fn functions_rewritten(twin: &str, faults: &[String]) -> String {
    format!("{twin}: functions are written anew, since {}", faults.join("; "))
}

pub(crate) const AS_ARE: &str = "as they are";
pub(crate) const AS_PLANNED: &str = "as planned";

pub(crate) fn faults_even_as_planned(twin: &str, faults: &[String]) -> String {
    format!("{twin}: in a copy, even as planned: {}", faults.join("; "))
}

/// `how`: as they are, or as planned.
pub(crate) fn faults_in_copy(twin: &str, how: &str, faults: &[String]) -> String {
    format!("{twin}: in a copy, {how}: {}", faults.join("; "))
}

pub(crate) fn fired_in_copy(twin: &str, how: &str, fine: &[&str], untried: &[String]) -> String {
    format!("{twin}: fired in a copy {how}, mirrored: {}{}", fine.join(", "), not_tried(untried))
}

pub(crate) fn function_does_more(twin: &str, function: &str, trigger: &str, effects: &[String]) -> String {
    format!(
        "{twin}: {function} of trigger {trigger} does more than keep the twin in step, which would be gone: {}",
        effects.join(", ")
    )
}

pub(crate) fn function_not_owned(role: &str, function: &str, owner: &str) -> String {
    format!("role {role} may not replace function {function}: it belongs to {owner}")
}

/// It runs with the rights of `owner`.
pub(crate) fn function_of(function: &str, owner: &str, table_owner: &str) -> String {
    format!("{function} belongs to {owner}, not to {table_owner}, who owns the table that it writes")
}

pub(crate) fn function_of_another(function: &str, owner: &str) -> String {
    format!(
        "function {function} belongs to {owner}, who owns neither table and could replace what it does; its owner or a superuser drops it first"
    )
}

/// Only a superuser gives a function to whom may not make one there.
pub(crate) fn cannot_own(function: &str, owner: &str, lacks: &str) -> String {
    format!("function {function} is to belong to {owner}, as the table that it writes: {lacks}")
}

/// What is lacking for it.
pub(crate) fn owner_may_not_create(owner: &str, schema: &str) -> String {
    format!("{owner} lacks CREATE on schema {schema}")
}

pub(crate) fn not_a_member(role: &str, owner: &str) -> String {
    format!("role {role} is no member of {owner}")
}

// ---- watch

pub(crate) const WATCH_ALLOWED: &str = "may make these triggers";
pub(crate) const WATCH_COSTS: &str =
    "from then on each row written costs one more insert on each side; COPY and bulk updates feel it most";
pub(crate) const MAKES_FUNCTIONS: &str = "CREATE on schema midwatch";
pub(crate) const WRITES_MARKS: &str = "INSERT on midwatch.marks";
pub(crate) const LETS_WRITE_MARKS: &str =
    "ownership of schema midwatch, to let the tables' owners write marks";
pub(crate) const OWNS_MARKS: &str = "ownership of midwatch.marks";

pub(crate) fn lacking(privileges: &[String]) -> String {
    format!("this role lacks {}", privileges.join(", "))
}

/// Is it emptied by this very plan?
pub(crate) fn size_of_marks(size: &str, emptied: bool) -> String {
    let then = if emptied { "" } else { "; --set forget=yes empties it" };
    format!("midwatch.marks has {size} now{then}")
}

pub(crate) fn never_marked(twin: &str, why: &str) -> String {
    format!("{twin}: {why}: marks cannot tell what is written there")
}

// ---- reverse sync

pub(crate) fn firing_reverse(twin: &str) -> String {
    format!("firing the reverse triggers of {twin} in the copy")
}

pub(crate) fn silent(trigger: &str, relation: &str) -> String {
    format!("{trigger} of {relation} does not fire")
}

pub(crate) fn function_differs(function: &str) -> String {
    format!("{function} is not as it is to be")
}

/// With the first reasons.
pub(crate) fn reverse_rewritten(twin: &str, reasons: &[String]) -> String {
    let few = reasons.iter().take(3).map(String::as_str).collect::<Vec<_>>().join("; ");
    let more =
        reasons.len().checked_sub(3).filter(|n| *n > 0).map_or_else(String::new, |n| format!("; {n} more"));
    format!("{twin}: the reverse triggers are made anew, since {few}{more}")
}

/// Rows were written to the partitioned table meanwhile.
pub(crate) fn missed(twin: &str, retired: &str) -> String {
    format!(
        "{twin}: what was written while they did not fire {retired} lacks: midwatch plan repair {twin} afterwards"
    )
}

// ---- rows repaired

pub(crate) fn not_mirrored(events: &[&str], twin: &str) -> String {
    format!(
        "{} of {twin} is not mirrored: what is mended will differ again; repair-triggers first",
        events.join(" and ")
    )
}

// ---- the write marker of a switchover

pub(crate) fn no_marker(twin: &str) -> String {
    format!("{twin}: no write marker (asked for): everything is compared while writers wait")
}

pub(crate) fn marked(twin: &str) -> String {
    format!("{twin}: every write is marked")
}

/// It never can: what else a switchover can do.
pub(crate) fn no_marker_possible(twin: &str, why: &str) -> String {
    format!(
        "{twin}: {why}: marks cannot tell what is written there; --set marker=no compares everything inside the locks"
    )
}

pub(crate) fn marker_installed(twin: &str, why: &str) -> String {
    format!("{twin}: {why}: the write marker is installed as a stage of its own")
}

// ---- triggers of others

/// Triggers that would fire after ours.
pub(crate) fn fires_late(twin: &str, triggers: &[String], ours: &str) -> String {
    format!(
        "{twin}: triggers fire in the order of their names, and {} would come after {ours}: a key that they change reverse sync learns too late; rename them",
        triggers.join(", ")
    )
}

// ---- triggers fired in a copy before a switchover

pub(crate) const DUAL_WRITES: &str = "dual writes";
pub(crate) const AFTER_SWITCH: &str = "after the switch";

pub(crate) fn firing_dual_writes(twin: &str) -> String {
    format!("firing the dual writes of {twin} in the copy")
}

/// `what`: dual writes, or reverse sync after the switch.
pub(crate) fn sync_fails(twin: &str, what: &str, faults: &[String], repairable: bool) -> String {
    let hint = if repairable { format!("; midwatch plan repair-triggers {twin}") } else { String::new() };
    format!("{twin}: {what}, fired in a copy: {}{hint}", faults.join("; "))
}

pub(crate) fn sync_not_fired(twin: &str, what: &str, untried: &[String]) -> String {
    format!("{twin}: {what} could not be fired{}", not_tried(untried))
}

pub(crate) fn sync_fired(twin: &str, what: &str, fine: &[&str], untried: &[String]) -> String {
    format!("{twin}: {what}, fired in a copy, mirrored: {}{}", fine.join(", "), not_tried(untried))
}

fn not_tried(untried: &[String]) -> String {
    if untried.is_empty() { String::new() } else { format!("; not tried: {}", untried.join("; ")) }
}
