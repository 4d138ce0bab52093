//! The two logs that people keep of a switchover: everything that happened, and the counts of each stage.

use std::fmt::Write as _;

use serde_json::Value;

use super::entry::blocker;
use crate::engine::model::diff::text_of;
use crate::engine::model::event::Event;
use crate::engine::model::json::field;
use crate::engine::model::plan::Unit;
use crate::engine::model::record::JournalShown;
use crate::engine::port::backups::Dumped;

/// A file's name and its text.
pub type Log = (String, String);

/// `OPERATION_20261121_204839.log` and, where counts were kept, `row_counts_20261121_204839.log`.
pub fn of_run(shown: &JournalShown) -> Vec<Log> {
    let run = &shown.record;
    let stamp = run.started_at.format("%Y%m%d_%H%M%S");
    let mut main = String::new();
    let _ = writeln!(
        main,
        "run {} · {} {} · target {} · by {}",
        run.id, run.operation, run.name, run.target, run.operator
    );
    for event in &shown.events {
        let _ = writeln!(main, "[{}] {}", time(event), line(event, &run.unit));
    }
    let ended =
        run.ended_at.map_or_else(|| "not ended".to_owned(), |t| t.format("%Y-%m-%d %H:%M:%SZ").to_string());
    let _ = writeln!(
        main,
        "{} · {}{}",
        run.outcome.word(),
        ended,
        run.message.as_ref().map_or_else(String::new, |m| format!(" · {m}"))
    );
    let mut out = vec![(format!("{}_{stamp}.log", run.operation), main)];
    let counts = counts(shown);
    if !counts.is_empty() {
        out.push((format!("row_counts_{stamp}.log"), counts));
    }
    out
}

fn time(event: &Event) -> String {
    event.at.get(..19).unwrap_or(&event.at).replace('T', " ")
}

fn body(event: &Event) -> Value {
    serde_json::from_str(&event.body).unwrap_or_default()
}

fn line(event: &Event, unit: &Unit) -> String {
    let b = body(event);
    let text = |name: &str| text_of(field(&b, name));
    match event.kind.as_str() {
        "intent" => {
            let of = unit.for_count(field(&b, "rows").as_u64().unwrap_or_default());
            format!("BEGIN plan {} ({} {of}) digest {}", text("plan"), text("rows"), text("digest"))
        }
        "stage" => match field(&b, "counts").as_array() {
            Some(all) => {
                let tables =
                    all.iter().map(|c| format!("{}={}", text_of(field(c, "table")), field(c, "rows")));
                format!("{} {}", text("stage"), tables.collect::<Vec<_>>().join(" "))
            }
            None => format!("{} {}", text("stage"), rest(&b, &["stage"])),
        },
        "attempt" => {
            let all = field(&b, "blockers").as_array().map(Vec::as_slice).unwrap_or_default();
            let by: Vec<_> = all.iter().map(blocker).collect();
            let by = if by.is_empty() { String::new() } else { format!("; in the way: {}", by.join("; ")) };
            format!("ATTEMPT {} of {} {}{by}", text("attempt"), text("of"), text("failed"))
        }
        "step" => format!("STEP {} {}", text("id"), rest(&b, &["id", "step"])),
        "outcome" => format!("END {} {}", text("outcome"), rest(&b, &["outcome", "proof"])),
        kind => {
            let dumped = serde_json::from_value::<Dumped>(b.clone()).map(|d| dumped(&d));
            format!("{} {}", kind.to_uppercase(), dumped.unwrap_or_else(|_| rest(&b, &[])))
        }
    }
}

/// A backup, whatever the entry that has it is called.
fn dumped(made: &Dumped) -> String {
    let verified = made.verified.as_deref().unwrap_or("NULL");
    format!("{} ({} bytes, sha256 {}) {verified}", made.file, made.bytes, made.sha256)
}

/// Whatever else there is, as names and values.
fn rest(body: &Value, without: &[&str]) -> String {
    let Some(fields) = body.as_object() else { return String::new() };
    let said = fields.iter().filter(|(name, v)| !v.is_null() && !without.contains(&name.as_str()));
    said.map(|(name, v)| format!("{name}={}", text_of(v).replace('\n', " | "))).collect::<Vec<_>>().join(" ")
}

fn counts(shown: &JournalShown) -> String {
    let mut out = String::new();
    for event in shown.events.iter().filter(|e| e.kind == "stage") {
        let b = body(event);
        let Some(all) = field(&b, "counts").as_array() else { continue };
        let _ = writeln!(out, "=== {} === {}", text_of(field(&b, "stage")), time(event));
        for c in all {
            let _ = writeln!(out, "{:<40} {:>14}", text_of(field(c, "table")), field(c, "rows").to_string());
            for (column, sum) in field(c, "sums").as_object().into_iter().flatten() {
                let _ = writeln!(
                    out,
                    "  sum({column}){:>width$}",
                    text_of(sum),
                    width = 50_usize.saturating_sub(column.len())
                );
            }
            if let Some(checksum) = field(c, "checksum").as_str() {
                let _ = writeln!(out, "  checksum{checksum:>46}");
            }
        }
        out.push('\n');
    }
    out
}
