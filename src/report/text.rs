//! For people reading a terminal or a log.

use std::fmt::Write as _;

use anstyle::AnsiColor;
use chrono::{DateTime, Utc};

use crate::engine::model::report::{Report, Severity, Status};
use crate::engine::model::target::TargetInfo;

use super::answer::{Answer, ConfigChecked, ConfigShown, DoctorLine};
use super::renderer::Renderer;
use super::{change, journal};

pub use super::style::{Style, clean};

/// The format.
pub struct Text;

impl Renderer for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn errors_are_data(&self) -> bool {
        false
    }

    fn render(&self, answer: &Answer<'_>, style: Style) -> String {
        match answer {
            Answer::Checks { target, reports } => checks(target, reports, style),
            Answer::Plan { plan, file } => change::plan(plan, *file, style),
            Answer::Done(done) => change::run_result(done, style),
            Answer::Finished { message, .. } => format!("{message}\n"),
            Answer::Runs(listed) => change::runs(listed, style),
            Answer::Run(shown) => change::run(shown, style),
            Answer::Logs(files) => format!("{}\n", files.join("\n")),
            Answer::Journal(verified) => journal::verified(verified),
            Answer::Doctor(lines) => doctor(lines),
            Answer::ConfigChecked(config) => config_checked(config),
            Answer::ConfigShown(config) => config_shown(config),
            Answer::Error(e) => format!("midwatch: {e}\n"),
        }
    }
}

/// Symbol, word and colour: never colour alone.
fn mark(status: &Status, style: Style) -> String {
    match status {
        Status::Ok => style.paint(AnsiColor::Green, "✓ ok     "),
        Status::Warn => style.paint(AnsiColor::Yellow, "▲ warn   "),
        Status::Fail => style.paint(AnsiColor::Red, "✖ fail   "),
        Status::Unknown { .. } => style.paint(AnsiColor::Magenta, "? unknown"),
    }
}

/// Checks, each with its findings.
pub fn checks(target: &TargetInfo, reports: &[Report], style: Style) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{} · {} · {} {} · database {}\n",
        clean(&target.name),
        target.environment,
        target.engine,
        target.version,
        clean(&target.database)
    );
    let width = reports.iter().map(|r| r.id.to_string().chars().count()).max().unwrap_or(0);
    for r in reports {
        let id = r.id.to_string();
        let _ = writeln!(
            out,
            "{}  {id:width$}  {}  ({} ms)",
            mark(&r.status, style),
            short(before_self_test(&r.summary)),
            r.elapsed_ms
        );
        for text in [basis(r), sealed(r), self_test(r)].into_iter().flatten() {
            let _ = writeln!(out, "           · {}", short(&text));
        }
        for f in &r.findings {
            let sign = match f.severity {
                Severity::Critical => style.paint(AnsiColor::Red, "✖"),
                Severity::Warning => style.paint(AnsiColor::Yellow, "▲"),
                Severity::Info => "·".to_owned(),
            };
            let _ = writeln!(out, "           {sign} {}", short(&f.message));
        }
        if let Some(why) = r.status.why() {
            for line in why.lines() {
                let _ = writeln!(out, "           ? {}", clean(line));
            }
        }
    }
    let _ = writeln!(out, "\n{}", tally(reports));
    out
}

/// Has a line of its own.
fn before_self_test(summary: &str) -> &str {
    summary.split_once(" · self-test: ").map_or(summary, |(before, _)| before)
}

/// What a comparison of twins hangs on: its snapshot, when that was, why nothing of it could be sealed.
fn basis(r: &Report) -> Option<String> {
    r.facts.get("legacy_rows")?.as_u64()?;
    let snapshot = r.facts.get("snapshot").and_then(|s| s.as_str());
    let readings = r.facts.get("readings").and_then(|s| s.as_array()).map_or(0, Vec::len);
    let place = match (snapshot, readings) {
        (_, 2..) => format!("{readings} snapshots"),
        (Some(snapshot), _) => format!("snapshot {snapshot}"),
        (None, _) => return None,
    };
    let why = r.facts.get("unsealed").and_then(|s| s.as_str());
    let why = why.map_or_else(String::new, |why| format!("; nothing stays sealed: {why}"));
    Some(format!("looked at in {place} at {}{why}", r.observed_at.format("%H:%M:%SZ")))
}

/// A self-test that found all of what it had planted; what it missed is a finding.
fn self_test(r: &Report) -> Option<String> {
    let test = r.facts.get("self_test").filter(|t| t.is_object())?;
    let (planted, found) = (test["planted"].as_u64()?, test["found"].as_u64()?);
    Some(format!("self-test: {found} of {planted} planted differences found"))
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

/// What stands on an earlier proof: how much, how old the oldest is, and its snapshot.
fn sealed(r: &Report) -> Option<String> {
    let partitions = r.facts.get("partitions")?.as_array()?;
    let sealed: Vec<_> = partitions.iter().filter(|p| p["sealed"] == true).collect();
    let dated =
        sealed.iter().filter_map(|p| Some((p["proved_at"].as_str()?.parse::<DateTime<Utc>>().ok()?, p)));
    let (at, oldest) = dated.min_by_key(|(at, _)| *at)?;
    let age = age((r.observed_at - at).num_seconds());
    let snapshot = oldest["proof_snapshot"].as_str().unwrap_or("unknown");
    let n = (sealed.len(), partitions.len());
    Some(format!("{} of {} partitions sealed, oldest proof {age} ago, snapshot {snapshot}", n.0, n.1))
}

/// `2 fail · 1 warn · 5 ok`.
pub fn tally(reports: &[Report]) -> String {
    let count = |word: &str| reports.iter().filter(|r| r.status.word() == word).count();
    ["fail", "unknown", "warn", "ok"]
        .into_iter()
        .filter(|w| count(w) > 0)
        .map(|w| format!("{} {w}", count(w)))
        .collect::<Vec<_>>()
        .join(" · ")
}

/// Longest line of a report; JSON has it whole.
const LINE: usize = 200;

fn short(text: &str) -> String {
    let mut chars = text.char_indices().skip(LINE - 1);
    match (chars.next(), chars.next()) {
        (Some((cut, _)), Some(_)) => format!("{}…", clean(text.get(..cut).unwrap_or(text).trim_end())),
        _ => clean(text),
    }
}

fn doctor(lines: &[DoctorLine]) -> String {
    let width = lines.iter().map(|l| l.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for l in lines {
        let mark = match l.status {
            "ok" => "✓ ok  ",
            "warn" => "▲ warn",
            _ => "✖ fail",
        };
        let _ = writeln!(text, "{mark}  {:width$}  {}", l.name, clean(&l.message));
        if let Some(hint) = &l.hint {
            let _ = writeln!(text, "        {:width$}  → {}", "", clean(hint));
        }
    }
    text
}

fn config_checked(config: &ConfigChecked) -> String {
    format!(
        "ok: {}\ntargets:  {}\nprofiles: {}\n",
        config.file,
        if config.targets.is_empty() { "none".into() } else { config.targets.join(", ") },
        config.profiles.join(", ")
    )
}

fn config_shown(config: &ConfigShown) -> String {
    let mut text = format!("file            {}\n", config.file.as_deref().unwrap_or("none"));
    let _ = writeln!(text, "default target  {}", config.default_target.as_deref().unwrap_or("none"));
    for (name, target) in &config.targets {
        let _ = writeln!(text, "\n[{name}]");
        for (key, value) in target.as_object().into_iter().flatten().filter(|(_, v)| !v.is_null()) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let _ = writeln!(text, "{key:15} {value}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::report::CheckId;

    #[test]
    fn long_lines_are_cut_and_show_it() {
        let whole = "é".repeat(LINE);
        assert_eq!(short(&whole), whole);
        assert_eq!(short(&format!("{whole}x")), format!("{}…", "é".repeat(LINE - 1)));
    }

    #[test]
    fn what_a_comparison_hangs_on_is_said() {
        let mut report = Report::unknown(CheckId { kind: "parity", name: "revenues".into() }, "");
        assert_eq!((basis(&report), self_test(&report)), (None, None));
        report.observed_at = "2026-11-21T00:58:00Z".parse().unwrap();
        report.facts = serde_json::json!({
            "legacy_rows": 3, "snapshot": "0A-1", "unsealed": "nothing marks writes (see watch)",
            "self_test": { "planted": 43, "found": 43 },
        });
        let said =
            "looked at in snapshot 0A-1 at 00:58:00Z; nothing stays sealed: nothing marks writes (see watch)";
        assert_eq!(basis(&report).as_deref(), Some(said));
        assert_eq!(self_test(&report).as_deref(), Some("self-test: 43 of 43 planted differences found"));
        assert_eq!(before_self_test("equal · self-test: 43 of 43 planted found"), "equal");
        assert_eq!([age(0), age(180), age(7_300)], ["0 s", "3 min", "2 h"]);
    }
}
