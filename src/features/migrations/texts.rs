//! What the findings and notes of migration files say, from data.

use crate::engine::model::profile::HistoryKind;

// ---- findings: one sentence for all files of a kind

pub(super) const FAILED: &str = "recorded as failed half-way";
pub(super) const RECORDED_BUT_ABSENT: &str = "recorded as applied, but nothing of it is in the database";
pub(super) const RECORDED_IN_PART: &str = "recorded as applied, but part of it is absent";
pub(super) const COSMETIC: &str = "edited in blanks or comments only since it was applied";
pub(super) const EDITED: &str = "edited since it was applied";
pub(super) const UNRECORDED: &str = "in the database, but not recorded: applied by hand?";
pub(super) const UNRECORDED_IN_PART: &str = "in part in the database, not recorded";
pub(super) const IN_PART: &str = "in part in the database";
pub(super) const PENDING: &str = "pending";
pub(super) const MISSING_FILE: &str = "recorded as applied, but its file is gone";
pub(super) const DUPLICATE_NUMBER: &str = "two files with one number";
pub(super) const GAP: &str = "numbers missing";
pub(super) const DUPLICATE_COPY: &str = "a copy of another file";

pub(super) fn out_of_order(history: HistoryKind) -> &'static str {
    match history {
        HistoryKind::Drizzle => "older than the newest applied: drizzle will skip it without a word",
        _ => "pending, though later ones are applied (out of order)",
    }
}

/// The message: which files the sentence is about.
pub(super) fn finding(text: &str, files: &[String]) -> String {
    match files {
        [one] => format!("{one}: {text}"),
        many => format!("{} files {text}: {}", many.len(), shorten(many)),
    }
}

/// A file that is there in part.
pub(super) fn file_lacks(file: &str, absent: &[String]) -> String {
    format!("{file} ({})", lacks(absent))
}

/// Two files that have one number.
pub(super) fn both(a: &str, b: &str) -> String {
    format!("{a} and {b}")
}

/// Two files between whose numbers some are missing.
pub(super) fn between(a: &str, b: &str) -> String {
    format!("between {a} and {b}")
}

pub(super) fn copy_of(file: &str, first: &str) -> String {
    format!("{file} of {first}")
}

pub(super) fn index_building(index: &str, table: &str) -> String {
    format!("index {index} on {table} is being built")
}

pub(super) fn index_invalid(index: &str, table: &str) -> String {
    format!("index {index} on {table} is INVALID: queries do not use it, writes still pay for it")
}

// ---- notes of a file

pub(super) const NOTE_FAILED: &str = "its tool recorded a failure";
pub(super) const NOTE_COSMETIC: &str = "blanks, line ends or comments changed";
pub(super) const NOTE_EDITED: &str = "its checksum is not the recorded one";
pub(super) const NOTE_UNRECORDED: &str = "all it creates is present already";
pub(super) const NOTE_OUT_OF_ORDER: &str = "later ones are applied";
pub(super) const NOTE_PROBED: &str = "by the catalog";
pub(super) const NOTE_MISSING_FILE: &str = "recorded, no such file";

pub(super) fn lacks(absent: &[String]) -> String {
    format!("lacks {}", shorten(absent))
}

pub(super) fn renamed(table: &str, now: &str, run: &str) -> String {
    format!("{table} renamed to {now} by run {run}")
}

pub(super) fn dropped(table: &str, run: &str) -> String {
    format!("{table} dropped by run {run}")
}

// ---- what is not known

pub(super) const CREATES_NOTHING: &str = "it creates nothing of its own that the catalog could show";

pub(super) fn unreadable(why: &str) -> String {
    format!("the file cannot be read as SQL: {why}")
}

pub(super) fn no_history(table: &str) -> String {
    format!("there is no history table {table}")
}

pub(super) fn whether_applied(file: &str, why: &str) -> String {
    format!("whether {file} was applied: {why}")
}

pub(super) fn changed_names(why: &str) -> String {
    format!("names that runs have changed: {why}")
}

/// Runs whose plans another version made.
pub(super) fn unread_plans(runs: &[String]) -> String {
    let of = match runs {
        [run] => format!("the plan of run {run}"),
        runs => format!("the plans of runs {}", runs.join(", ")),
    };
    changed_names(&format!("{of} cannot be read by this version"))
}

/// What a kind of history does not record.
pub(super) fn cannot_tell(history: HistoryKind) -> &'static [&'static str] {
    match history {
        HistoryKind::None => &["when a file was applied", "whether a file was edited since"],
        HistoryKind::Versions => &["whether a file was edited since"],
        HistoryKind::Drizzle => &["when a file was applied (its time is the file's own)"],
        HistoryKind::Midwatch | HistoryKind::Sqlx => &[],
    }
}

// ---- the summary

/// Of a check without findings.
pub(super) fn summary(history: HistoryKind, files: bool, applied: u64) -> String {
    match (history, files) {
        (HistoryKind::None, false) => "no migration folder is known; no index is invalid".to_owned(),
        (HistoryKind::None, true) => format!("{applied} applied, as the catalog shows"),
        _ => format!("{applied} applied"),
    }
}

fn shorten(list: &[String]) -> String {
    match list {
        [a, b, c, rest @ ..] if !rest.is_empty() => format!("{a}, {b}, {c} and {} more", rest.len()),
        all => all.join(", "),
    }
}
