//! What a comparison says: findings, summaries, what was compared and why it is not sealed, from data.

use crate::engine::model::error::Error;
use chrono::{DateTime, Utc};

use crate::features::parity::classify::RowDifference;
use crate::features::parity::facts::{ParityFacts, SelfTest, Sums, SyncTrigger, UnmatchedRows};
use crate::features::parity::pair::SwitchState;
use crate::features::parity::pair::retired::RetiredTable;

// ---- findings: rows

/// Rows of a class among all rows of the side that has them, and the columns that differ.
pub(super) fn rows(class: RowDifference, rows: u64, total: u64, columns: &[&str]) -> String {
    let what = match class {
        RowDifference::Different => "differ",
        RowDifference::MissingInPartitioned => "are missing in the twin",
        RowDifference::MissingInLegacy => "are in the twin only",
        RowDifference::Stale => "have a stale copy under an old partition key",
        RowDifference::Duplicate => "have a second row with the same key",
    };
    let columns = match columns {
        [] => String::new(),
        [a, b, c, more @ ..] if more.len() > 1 => format!(" ({a}, {b}, {c} and {} more columns)", more.len()),
        few => format!(" ({})", few.join(", ")),
    };
    format!("{rows} of {total} rows {what}{columns}")
}

pub(super) fn not_classified(keys: u64) -> String {
    format!("{keys} more keys differ or hold NULL, not looked at one by one")
}

pub(super) fn partitions_not_read(partitions: u64) -> String {
    format!("{partitions} more partitions differ, their rows not read")
}

// ---- findings: counts, digests, sums

pub(super) fn counts(partitions: &[&str], legacy: u64, twin: u64) -> String {
    let named = match partitions {
        [] => String::new(),
        [a, b, more @ ..] if more.len() > 1 => format!(" in {a}, {b} and {} more partitions", more.len()),
        few => format!(" in {}", few.join(", ")),
    };
    format!("the counts differ{named}: {legacy} legacy rows, {twin} in the twin")
}

/// Rows were not compared; whether counts and sums agree.
pub(super) fn not_compared(agree: bool) -> &'static str {
    if agree {
        "counts and sums agree; rows were not compared (--quick)"
    } else {
        "rows were not compared (--quick)"
    }
}

pub(super) fn digests(apart: &[UnmatchedRows]) -> String {
    let place = |a: &UnmatchedRows| {
        let keys = a.keys.as_ref().map(|k| format!(" ({k})")).unwrap_or_default();
        a.partition.as_ref().map(|p| format!("{p}{keys}"))
    };
    let shown = apart.iter().filter_map(place).take(3).collect::<Vec<_>>().join(", ");
    let place = match apart.len() {
        n @ 4.. => format!(" in {shown} and {} more partitions", n - 3),
        _ if shown.is_empty() => shown,
        _ => format!(" in {shown}"),
    };
    format!(
        "rows differ{place} by count and digest: {} legacy rows there, {} in the twin",
        apart.iter().map(|a| a.legacy_rows).sum::<u64>(),
        apart.iter().map(|a| a.partitioned_rows).sum::<u64>()
    )
}

pub(super) const NO_KEY: &str = "no common key names a row on both sides: compared by count and digest only";

pub(super) fn key_not_unique(key: &str) -> String {
    format!(
        "no unique index on ({key}) of the legacy table: compared by count and digest only, rows are not told apart"
    )
}

pub(super) fn not_summed(column: &str) -> String {
    format!("{column} was not summed: it is not a number on both sides")
}

pub(super) fn sums(column: &str, sums: &Sums) -> String {
    format!(
        "the sums of {column} differ: {} and {}",
        sums.legacy.as_deref().unwrap_or("none"),
        sums.partitioned.as_deref().unwrap_or("none")
    )
}

// ---- findings: columns, triggers, sequences, partitions

pub(super) fn columns_missing(columns: &[String]) -> String {
    format!("the twin lacks columns: {}", columns.join(", "))
}

pub(super) fn columns_extra(columns: &[String]) -> String {
    format!("the twin has columns of its own: {}", columns.join(", "))
}

/// Columns with their types on both sides.
pub(super) fn columns_retyped(columns: &[(String, String, String)]) -> String {
    let each: Vec<_> = columns.iter().map(|(n, l, t)| format!("{n} ({l}, in the twin {t})")).collect();
    format!("columns of another type, compared after a cast or as text: {}", each.join(", "))
}

pub(super) fn trigger_only(trigger: &str, only: &str) -> String {
    format!("trigger {trigger} fires only {only}")
}

pub(super) fn trigger_columns(t: &SyncTrigger) -> String {
    format!(
        "trigger {} writes columns that the twin lacks ({}): the legacy table's writes fail",
        t.name,
        t.unknown_columns.join(", ")
    )
}

pub(super) fn trigger_off(t: &SyncTrigger) -> String {
    let lost = if t.events.is_empty() { "its events".into() } else { t.events.join(" and ") };
    format!("trigger {} is {}: {lost} not mirrored", t.name, t.state.word())
}

/// No trigger copies an event; `in_part`: one copies some of it.
pub(super) fn unmirrored(event: &str, in_part: bool) -> String {
    let every = if in_part { "every " } else { "" };
    format!("no trigger mirrors {every}{event}")
}

pub(super) fn sequence_behind(name: &str, last: Option<i64>, max: i64, standing: SwitchState) -> String {
    let then = match standing {
        SwitchState::Before => {
            "the first insert that it numbers fails; midwatch's switchover hands the legacy table's over instead"
        }
        SwitchState::Switched | SwitchState::Cleaned => "the next inserts that it numbers fail",
    };
    let at = last.map_or("its start".into(), |l| l.to_string());
    format!("sequence {name} is at {at}, behind {max}: {then}")
}

pub(super) fn no_partition_now(month: &str) -> String {
    format!("no partition takes rows of now ({month}): writes fail")
}

pub(super) fn no_partition_next(month: &str) -> String {
    format!("no partition for the coming month {month}: writes will fail then")
}

pub(super) fn gaps(gaps: &[String]) -> String {
    format!("no partition between {}", gaps.join("; "))
}

pub(super) fn default_partition(rows: u64) -> String {
    let lie = if rows == 1 { "row lies" } else { "rows lie" };
    format!("{rows} {lie} in the default partition: a partition for them cannot be added")
}

// ---- what was compared

pub(super) const QUICK: &str = "counts and sums only: rows were not compared";

pub(super) fn without_key(columns: usize) -> String {
    format!("count and 64-bit digests of {columns} columns by partition; no key names a row on both sides")
}

pub(super) fn without_unique_key(columns: usize) -> String {
    format!("count and 64-bit digests of {columns} columns; no unique key names a row")
}

pub(super) fn compared(columns: usize) -> String {
    format!("count and 64-bit digests of {columns} columns, rows read where they differ")
}

// ---- summaries, and what is not known

/// Of a pair whose rows are equal.
pub(super) fn equal(facts: &ParityFacts, partitions: usize) -> String {
    let mut ok = format!("{} rows equal by count and 64-bit digests", facts.legacy_rows.unwrap_or_default());
    if facts.sealed > 0 {
        ok = format!("{ok}; {} of {partitions} partitions sealed", facts.sealed);
    }
    if facts.readings.len() > 1 {
        ok = format!("{ok}, in {} snapshots", facts.readings.len());
    }
    ok
}

/// What a summary ends with, where something is wrong and rows were not compared.
pub(super) const NOT_COMPARED_EITHER: &str = "; rows were not compared (--quick)";

pub(super) fn sequence_unread(sequence: &str) -> String {
    format!(
        "where sequence {sequence} stands: permission denied\nhint: GRANT SELECT ON SEQUENCE {sequence} to this role"
    )
}

// ---- a partitioned table alone

pub(super) const NO_LEGACY: &str = "no legacy table is declared";

/// After the cleanup.
pub(super) fn retired(away: Option<&RetiredTable>) -> String {
    match away {
        Some(away) => format!("the legacy table is put away as {}; {}", away.table, away.way_back()),
        None => "the legacy table is gone".into(),
    }
}

pub(super) fn counts_only(without: &str) -> String {
    format!("row counts only: {without}")
}

pub(super) fn alone(partitions: usize, rows: u64, without: &str) -> String {
    format!("{partitions} partitions, {rows} rows; {without}")
}

// ---- notes: what a comparison follows from

/// The snapshot, where there was one; how many, where there were several.
pub(super) fn compared_in(
    snapshot: &str,
    readings: usize,
    at: DateTime<Utc>,
    unsealed: Option<&str>,
) -> String {
    let place = if readings > 1 { format!("{readings} snapshots") } else { format!("snapshot {snapshot}") };
    let why = unsealed.map_or_else(String::new, |why| format!("; nothing stays sealed: {why}"));
    format!("looked at in {place} at {}{why}", at.format("%H:%M:%SZ"))
}

pub(super) fn sealed(sealed: usize, partitions: usize, oldest_s: i64, snapshot: Option<&str>) -> String {
    let (age, snapshot) = (age(oldest_s), snapshot.unwrap_or("unknown"));
    format!("{sealed} of {partitions} partitions sealed, oldest proof {age} ago, snapshot {snapshot}")
}

/// `12 s`, `3 min`, `2 h`, `4 d`.
fn age(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..=119 => format!("{s} s"),
        s @ 120..=7_199 => format!("{} min", s / 60),
        s @ 7_200..=172_799 => format!("{} h", s / 3_600),
        s => format!("{} d", s / 86_400),
    }
}

// ---- why nothing is sealed

pub(super) const NO_PROOF: &str = "no proof is kept here yet";
pub(super) const OTHER_COLUMNS: &str = "other columns were compared then";
pub(super) const UNKNOWN_TRANSACTIONS: &str = "the proof knows of transactions that this server does not";
pub(super) const FULL: &str = "everything was asked to be read again (--full)";
pub(super) const TRUNCATED: &str = "all rows of a table were written at once since (TRUNCATE)";

pub(super) fn redefined(what: &str) -> String {
    format!("{what} is not as it was when the proof was made")
}

// ---- the self-test

pub(super) fn untested(why: &str) -> String {
    format!("the self-test could not be made: {why}")
}

/// Of any test.
pub(super) fn tested(test: &SelfTest) -> String {
    format!("self-test: {} of {} planted differences found", test.found, test.planted)
}

/// Of a test that found everything, in short.
pub(super) fn trusted(test: &SelfTest) -> String {
    format!("self-test: {} of {} planted found", test.found, test.planted)
}

pub(super) fn untrusted(test: &SelfTest) -> String {
    format!(
        "UNTRUSTED: of {} differences planted in a copy {} were found as what they are ({})",
        test.planted,
        test.found,
        test.missed.first().map_or("nothing could be planted", String::as_str)
    )
}

/// Naming the rows that differ failed.
pub(super) fn rows_unnamed(e: &Error) -> String {
    format!("which rows differ: {}", e.one_line())
}

/// Whether partitions cover what comes could not be read.
pub(super) fn coverage_unread(e: &Error) -> String {
    format!("which partitions are missing: {}", e.one_line())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_one_unit() {
        let ages = [-1, 0, 119, 120, 7_300, 172_800].map(age);
        assert_eq!(ages, ["0 s", "0 s", "119 s", "2 min", "2 h", "2 d"]);
    }
}
