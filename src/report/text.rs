//! For people reading a terminal or a log.

use std::fmt::Write as _;

use anstyle::AnsiColor;

use crate::engine::model::clean::{line as clean, lines};
use crate::engine::model::report::{Report, Severity, Status};
use crate::engine::model::secret::without_passwords;
use crate::engine::model::target::TargetInfo;

use super::answer::{Answer, ConfigChecked, ConfigShown, DoctorLine, KeyLine, TrustLine};
use super::renderer::Renderer;
use super::{change, journal};
use crate::engine::model::installation::Standing;

pub use super::style::Style;

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
            Answer::Foreign { plan, .. } => change::foreign(plan, style),
            Answer::Keys(lines) => keys(lines),
            Answer::Done(done) => change::run_result(done, style),
            Answer::Finished { message, .. } => format!("{message}\n"),
            Answer::Runs(listed) => change::runs(listed, style),
            Answer::Run(shown) => change::run(shown, style),
            Answer::Logs(files) => format!("{}\n", files.join("\n")),
            Answer::Journal(verified) => journal::verified(verified),
            Answer::Doctor(lines) => doctor(lines),
            Answer::ConfigChecked(config) => config_checked(config),
            Answer::ConfigShown(config) => config_shown(config),
            Answer::Trusted(lines) => trusted(lines),
            // No colours of ours are in it, so none of others may pass.
            Answer::Error(e) => format!("midwatch: {}\n", lines(&without_passwords(&e.to_string()))),
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
            short(&r.summary),
            r.elapsed_ms
        );
        for note in &r.notes {
            let _ = writeln!(out, "           · {}", short(&note.text));
        }
        for f in &r.findings {
            let sign = match f.severity {
                Severity::Critical => style.paint(AnsiColor::Red, "✖"),
                Severity::Warning => style.paint(AnsiColor::Yellow, "▲"),
                Severity::Info => "·".to_owned(),
            };
            let _ = writeln!(out, "           {sign} {}", short(&f.message));
        }
        for why in r.status.why().into_iter().chain(r.unknown_parts.iter().map(String::as_str)) {
            for line in why.lines() {
                let _ = writeln!(out, "           ? {}", clean(line));
            }
        }
    }
    let _ = writeln!(out, "\n{}", tally(reports));
    out
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
        _ => clean(text).into_owned(),
    }
}

fn keys(lines: &[KeyLine]) -> String {
    let mut text = String::new();
    for key in lines {
        let standing = match key.standing {
            Standing::Own => "✓ own        ",
            Standing::Trusted => "✓ trusted    ",
            Standing::Unconfirmed => "? unconfirmed",
        };
        let since = key.first_seen.as_ref().map_or_else(String::new, |at| format!("  since {}", clean(at)));
        let _ = writeln!(text, "{standing}  {}  {}{since}", clean(&key.fingerprint), clean(&key.name));
    }
    if lines.is_empty() {
        text.push_str("no keys yet\n");
    }
    text
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
        let _ = writeln!(text, "{mark}  {:width$}  {}", l.name, clean(&without_passwords(&l.message)));
        if let Some(hint) = &l.hint {
            let _ = writeln!(text, "        {:width$}  → {}", "", clean(&without_passwords(hint)));
        }
    }
    text
}

fn config_checked(config: &ConfigChecked) -> String {
    let mut text = format!(
        "ok: {}\ntargets:  {}\nprofiles: {}\n",
        config.file,
        if config.targets.is_empty() { "none".into() } else { config.targets.join(", ") },
        config.profiles.join(", ")
    );
    if let Some(functions) = &config.functions {
        text.push_str("functions that the profile's SQL may call and that are not the server's own:\n");
        for f in functions {
            let as_owner = if f.as_owner { ", runs as its owner" } else { "" };
            let _ = writeln!(text, "  {}  of {}{as_owner}", clean(&f.name), clean(&f.of));
        }
        if functions.is_empty() {
            text.push_str("  none\n");
        }
    }
    text
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
    let width = config.values.iter().map(|v| v.key.len()).max().unwrap_or_default();
    let _ = writeln!(text, "\nvalues, and where each comes from");
    for v in &config.values {
        let _ = writeln!(text, "{:width$}  {}  ({})", v.key, v.value, v.origin);
    }
    text
}

fn trusted(lines: &[TrustLine]) -> String {
    if lines.is_empty() {
        return "no configuration of a working directory is trusted\n".into();
    }
    let mut text = String::new();
    for l in lines {
        let _ = writeln!(text, "{}: {}", l.path.display(), l.state);
        for line in &l.lines {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::report::{CheckId, Note};
    use crate::engine::model::target::Environment;

    #[test]
    fn long_lines_are_cut_and_show_it() {
        let whole = "é".repeat(LINE);
        assert_eq!(short(&whole), whole);
        assert_eq!(short(&format!("{whole}x")), format!("{}…", "é".repeat(LINE - 1)));
    }

    #[test]
    fn notes_of_any_check_are_read_below_its_summary() {
        let target = TargetInfo {
            name: "t".into(),
            environment: Environment::Demo,
            engine: "e".into(),
            version: "1".into(),
            database: "d".into(),
            transport: crate::engine::model::transport::Transport::Socket,
        };
        let mut report = Report::observed(
            CheckId { kind: "k", name: "n".into() },
            &serde_json::Value::Null,
            vec![],
            "fine",
        );
        report.notes = vec![Note { brief: Some("brief".into()), ..Note::new("a note") }];
        let text = checks(&target, &[report], Style { colour: false });
        assert!(text.contains("k/n  fine  (0 ms)\n           · a note\n"), "{text}");
        assert!(!text.contains("brief"), "{text}");
    }
}
