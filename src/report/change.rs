//! Plans, runs and their outcome, for people.

use std::fmt::Write as _;
use std::path::Path;

use anstyle::AnsiColor;

use super::entry;
use super::style::Style;
use crate::engine::model::clean::line as clean;
use crate::engine::model::diff::{PlannedRow, text_of};
use crate::engine::model::plan::{Plan, Unit};
use crate::engine::model::preflight::Ready;
use crate::engine::model::progress::Done;
use crate::engine::model::record::{JournalShown, Listed, Outcome, RunRecord};
use crate::engine::model::row_store::CUT;
use crate::engine::model::step::Action;
use crate::engine::plan::undo::SIGNATURE;

/// Rows of a diff that are printed; the rest is in the file.
const SHOWN: usize = 20;

/// A plan.
pub(super) fn plan(plan: &Plan, file: Option<&Path>, style: Style) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "PLAN  {} {}  on  {} ({}) @ {}   expires {}",
        plan.operation,
        clean(&plan.name),
        clean(&plan.target),
        plan.environment,
        clean(&plan.identity.address),
        plan.expires_at.format("%H:%M:%SZ")
    );
    let mut line = |label: &str, text: &str| {
        for (i, part) in text.lines().enumerate() {
            let _ = writeln!(out, "  {:<10} {}", if i == 0 { label } else { "" }, clean(part));
        }
    };
    line("why", &plan.why);
    for (i, change) in plan.change_lines().iter().enumerate() {
        line(if i == 0 { "changes" } else { "" }, change);
    }
    plan.obstacle.iter().for_each(|o| line("guard", o));
    for step in &plan.steps {
        line("step", &step.title);
        for lock in &step.locks {
            let held = match (lock.held_ms, &lock.measured_on) {
                (Some(ms), Some(on)) if matches!(step.action, Action::Rows(_)) => {
                    format!("{ms} ms a batch ({on})")
                }
                (Some(ms), Some(on)) => format!("held {ms} ms ({on})"),
                _ => "not measured yet".into(),
            };
            line("", &format!("lock {} on {}: {held}", lock.mode, lock.object));
        }
    }
    plan.verify.iter().for_each(|v| line("verify", &v.title));
    line("undo", &plan.undo);
    for p in &plan.preflight {
        let mark = match p.status {
            Ready::Ok => style.paint(AnsiColor::Green, "✓ ok"),
            Ready::Warn => style.paint(AnsiColor::Yellow, "▲ warn"),
            Ready::Fail => style.paint(AnsiColor::Red, "✖ fail"),
            Ready::Unknown => style.paint(AnsiColor::Magenta, "? unknown"),
        };
        let _ = writeln!(out, "  {:<10} {mark} {}: {}", "preflight", p.id, clean(&p.message));
    }
    diff(&mut out, plan);
    if plan.preflight.iter().any(|p| p.id == SIGNATURE) {
        out.push_str("\nall of it\n");
        all_of(&mut out, plan);
    }
    if let Some(blocked) = blocked(plan, style) {
        out.push_str(&blocked);
        return out;
    }
    let _ = writeln!(out, "\nphrase  {}", plan.phrase);
    if let Some(file) = file {
        let _ = writeln!(out, "apply   midwatch apply {} --confirm \"{}\"", file.display(), plan.phrase);
    }
    out
}

/// A plan that is another's: what is confirmed must have been there to be read.
pub(super) fn foreign(plan: &Plan, style: Style) -> String {
    let mut out = self::plan(plan, None, style);
    out.push_str("\nall of it\n");
    all_of(&mut out, plan);
    out
}

fn all_of(out: &mut String, plan: &Plan) {
    let text = serde_json::to_string_pretty(plan).unwrap_or_default();
    for line in text.lines() {
        let _ = writeln!(out, "  {}", clean(line));
    }
}

fn blocked(plan: &Plan, style: Style) -> Option<String> {
    let mut ids: Vec<_> =
        plan.preflight.iter().filter(|p| p.status.blocks()).map(|p| p.id.as_str()).collect();
    let n = ids.len();
    ids.dedup();
    let (s, said) = (if n == 1 { "" } else { "s" }, style.paint(AnsiColor::Red, "✖ blocked"));
    let ids = ids.join(", ");
    (n > 0).then(|| format!("\n{said}  apply refuses this plan: {n} verdict{s} of its preflight ({ids})\n"))
}

fn diff(out: &mut String, plan: &Plan) {
    if plan.unit == Unit::STATEMENTS {
        let _ = writeln!(out);
        plan.steps.iter().flat_map(|s| &s.statements).for_each(|s| {
            let _ = writeln!(out, "  {};", s.replace('\n', "\n  "));
        });
        return;
    }
    let _ = writeln!(out);
    for total in plan.totals.iter().take(SHOWN) {
        let _ = writeln!(out, "  {:>8} rows  {}", total.rows, clean(&total.change));
    }
    if plan.totals.iter().take(SHOWN).any(|t| t.change.ends_with(CUT)) {
        let _ = writeln!(
            out,
            "  rows whose change is cut are counted by its beginning; --out FILE has them whole"
        );
    }
    let hidden: u64 =
        plan.totals.iter().skip(SHOWN).map(|t| t.rows).sum::<u64>() + plan.other_totals.map_or(0, |(_, n)| n);
    if hidden > 0 {
        let _ = writeln!(out, "  {hidden:>8} rows  of other kinds");
    }
    let _ = writeln!(out);
    for row in plan.diff.iter().take(SHOWN) {
        let _ = writeln!(out, "  {}", row_line(row));
    }
    if plan.diff_total > SHOWN as u64 {
        let _ = writeln!(out, "  … {} rows in all; --out FILE writes them to FILE.rows", plan.diff_total);
    }
}

fn row_line(row: &PlannedRow) -> String {
    let show: Vec<_> = row.show.values().map(text_of).collect();
    clean(&format!("{}  {}  {}", row.key_text(), show.join("  "), row.change_text())).into_owned()
}

/// What came of a run.
pub(super) fn run_result(done: &Done, style: Style) -> String {
    let mut out = String::new();
    let run = done.run.as_ref().map_or_else(String::new, |r| format!("run {r}  "));
    let _ = write!(out, "{run}{}", outcome(done.outcome, style));
    let counted = format!("{} {}", done.applied, done.unit.for_count(done.applied));
    let _ = match () {
        () if done.had_nothing_to_do() => writeln!(out, "  there was nothing to do"),
        // What tells of itself has changed nothing that could be counted.
        () if !done.said.is_empty() => writeln!(out),
        () if done.unit == Unit::ROWS => writeln!(out, "  {counted} applied, {} drifted", done.drifted),
        () => writeln!(out, "  {counted}"),
    };
    for said in &done.said {
        let _ = writeln!(out, "  {}", clean(said));
    }
    for said in &done.copy {
        let _ = writeln!(out, "  {} {}", style.paint(AnsiColor::Yellow, "▲ copy   "), clean(said));
    }
    for (title, wrong) in &done.proof {
        let _ = match wrong {
            Some(0) => writeln!(out, "  {} {}", style.paint(AnsiColor::Green, "✓ proved "), clean(title)),
            Some(n) => {
                writeln!(out, "  {} {}: {n} do not", style.paint(AnsiColor::Red, "✖ wrong  "), clean(title))
            }
            None => writeln!(out, "  {} {}", style.paint(AnsiColor::Magenta, "? unknown"), clean(title)),
        };
    }
    for row in done.moved.iter().flat_map(|m| &m.rows).take(SHOWN) {
        let _ = writeln!(out, "  {} {}", row.what, clean(&row.text()));
    }
    out
}

fn outcome(outcome: Outcome, style: Style) -> String {
    let (colour, symbol) = match outcome {
        Outcome::Applied => (AnsiColor::Green, "✓"),
        Outcome::Running => (AnsiColor::Cyan, "▶"),
        Outcome::Partial | Outcome::Stale | Outcome::Refused => (AnsiColor::Yellow, "▲"),
        Outcome::Failed => (AnsiColor::Red, "✖"),
        Outcome::Ambiguous => (AnsiColor::Magenta, "?"),
    };
    style.paint(colour, &format!("{symbol} {}", outcome.word()))
}

fn state(r: &RunRecord) -> String {
    if let Some(by) = &r.overtaken_by {
        return format!("it broke off, and run {by} has switched its tables since");
    }
    match (r.outcome, r.live, r.resumable) {
        (Outcome::Running, true, _) => "going on".into(),
        (Outcome::Running, false, true) => {
            let heard = r.last_heard().format("%H:%M:%SZ");
            format!("its client is gone, last heard of at {heard}: midwatch resume {} goes on with it", r.id)
        }
        (Outcome::Running, false, false) => "its client is gone".into(),
        (_, _, true) if r.needs_fix_first() => {
            "mend what stopped it, then resume goes on with the rest".into()
        }
        (_, _, true) => "resume goes on with the rest".into(),
        _ => String::new(),
    }
}

/// One that says it goes on while nobody is at it broke off.
fn stand(r: &RunRecord, style: Style) -> String {
    if r.outcome == Outcome::Running && !r.live {
        return style.paint(AnsiColor::Magenta, "? broken off");
    }
    outcome(r.outcome, style)
}

/// Runs, newest first.
pub(super) fn runs(listed: &Listed, style: Style) -> String {
    let mut out = lines(&listed.runs, style);
    match listed.runs.last() {
        None if listed.total == 0 => out.push_str("no runs yet\n"),
        None => {
            let _ = writeln!(out, "no older runs; {} in all", listed.total);
        }
        Some(last) if listed.older > 0 => {
            let (shown, total, older) = (listed.runs.len(), listed.total, listed.older);
            let next = format!("midwatch runs --before {}", last.id);
            let _ = writeln!(out, "… {shown} of {total} runs, {older} older ones are not shown: {next}");
        }
        Some(_) => {}
    }
    out
}

fn lines(runs: &[RunRecord], style: Style) -> String {
    let mut out = String::new();
    for r in runs {
        let amount = if r.in_a_copy() {
            format!("{} {} in a copy", r.rows, r.unit.for_count(r.rows))
        } else {
            format!("{} of {} {}", r.rows_applied, r.rows, r.unit.for_count(r.rows))
        };
        let _ = writeln!(
            out,
            "{:>5}  {}  {}  {} {}  {amount}{}  by {}  {}",
            r.id,
            r.started_at.format("%Y-%m-%d %H:%M:%SZ"),
            stand(r, style),
            r.operation,
            clean(&r.name),
            if r.rows_drifted > 0 { format!(", {} drifted", r.rows_drifted) } else { String::new() },
            clean(r.by()),
            state(r)
        );
    }
    out
}

/// One run, with its entries.
pub(super) fn run(shown: &JournalShown, style: Style) -> String {
    let mut out = lines(std::slice::from_ref(&shown.record), style);
    let r = &shown.record;
    if let Some(message) = &r.message {
        let _ = writeln!(out, "       {}", clean(message));
    }
    let _ = writeln!(out, "       undo: {}", clean(&r.undo));
    if let Some(by) = &r.undone_by {
        let _ = writeln!(out, "       taken back by run {by}");
    }
    for e in &shown.events {
        let at = e.at.get(..19).unwrap_or(&e.at).replace('T', " ");
        let _ = writeln!(out, "  {:>6}  {at}Z  {:<10}  {}", e.seq, e.kind, clean(&entry::body(e)));
    }
    for row in &shown.drifted {
        let _ = writeln!(out, "  drifted  {}  planned {}", clean(&row.key_text()), clean(&row.change_text()));
    }
    if (shown.drifted.len() as u64) < r.rows_drifted {
        let _ = writeln!(out, "  … {} drifted rows in all", r.rows_drifted);
    }
    out
}
