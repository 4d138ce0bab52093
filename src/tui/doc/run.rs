//! A run as a text: how it goes or went, what it proved, what it left, its entries in the journal.

use crate::engine::model::diff::PlannedRow;
use crate::engine::model::drift::PlanDrift;
use crate::engine::model::event::Event;
use crate::engine::model::plan::Unit;
use crate::engine::model::progress::Done;
use crate::engine::model::record::{Outcome, RunRecord};
use crate::report::entry;
use crate::tui::data::RunDetail;
use crate::tui::doc::Lines;
use crate::tui::format::{count, counted, seconds};
use crate::tui::list::{Spans, cell};
use crate::tui::model::run::{OurRun, RunView};
use crate::tui::model::state::Model;
use crate::tui::theme::Tone;

/// Entries shown from the beginning of a long run, and from its end.
const FIRST: usize = 20;
const LAST: usize = 300;

/// The text of a run, for the width of the screen. How it goes right now stands above it and does not scroll.
pub fn lines(model: &Model, view: &RunView) -> Vec<Spans> {
    let mut out = Lines::new(model.size.0);
    let ours = model.ours(view);
    if let Some(run) = ours {
        our_run(model, run, &mut out);
        // What the journal said before is old, and what goes on stands above.
        if run.done.is_none() {
            return out.out;
        }
    }
    if let Some(record) = model.record(view) {
        let told = ours.and_then(|r| r.done.as_ref()).is_some_and(|d| d.failure.is_some());
        facts(model, record, told, &mut out);
    }
    match &view.detail {
        None if view.loading && ours.is_none() => out.text("", "reading the journal…", Tone::Dim),
        None => {}
        Some(Err(failure)) => {
            out.text("journal", &format!("unknown: {}", failure.message), Tone::Unknown);
            out.text("", failure.hint.as_deref().unwrap_or_default(), Tone::Plain);
        }
        Some(Ok(detail)) => entries(model, detail, &mut out),
    }
    out.out
}

/// Its entries alone.
pub fn log(model: &Model, view: &RunView) -> Vec<Spans> {
    let mut out = Lines::new(model.size.0);
    match &view.detail {
        None if model.ours(view).is_some_and(|run| run.number().is_none()) => {
            out.text("", "the run has not begun: nothing is in the journal yet", Tone::Dim);
        }
        None => out.text("", "reading the journal…", Tone::Dim),
        Some(Err(failure)) => {
            out.text("journal", &format!("unknown: {}", failure.message), Tone::Unknown);
        }
        Some(Ok(detail)) => entries(model, detail, &mut out),
    }
    // Nothing stands above it that a blank line would set apart.
    out.out.drain(..usize::from(out.out.first().is_some_and(Vec::is_empty)));
    out.out
}

fn our_run(model: &Model, run: &OurRun, out: &mut Lines) {
    let Some(done) = &run.done else {
        if let Some(p) = run.progress.as_ref().filter(|p| !p.step.is_empty()) {
            out.text("step", &p.step, Tone::Plain);
        }
        if let Some(plan) = &run.plan {
            out.text("undo", &plan.undo, Tone::Plain);
            out.text("plan", &format!("{} (x shows its statements)", plan.phrase), Tone::Dim);
        }
        return;
    };
    if let Some(failure) = &done.failure {
        // What has moved is told row by row below.
        if done.moved.is_none() {
            out.text("stopped", &failure.message, Tone::Bad);
        }
        let label = if done.moved.is_none() { "" } else { "refused" };
        out.text(label, failure.hint.as_deref().unwrap_or_default(), Tone::Plain);
    }
    proof(model, done, out);
    if let Some(moved) = &done.moved {
        moved_rows(moved, out);
    }
    // With its number, the journal's record below says it.
    if done.resumable && run.number().is_none() {
        out.text("unfinished", "something is left to do: a in the Runs pane goes on with it", Tone::Warn);
    }
}

/// Each question that was asked afterwards, and what it counted.
fn proof(model: &Model, done: &Done, out: &mut Lines) {
    let g = model.theme.glyphs;
    for (i, (question, wrong)) in done.proof.iter().enumerate() {
        let (symbol, text, tone) = match wrong {
            Some(0) => (g.ok, "0, as it must be".to_owned(), Tone::Good),
            Some(n) => (g.fail, format!("{} and must be 0", count(*n)), Tone::Bad),
            None => (g.unknown, "unknown: it could not be asked".into(), Tone::Unknown),
        };
        out.text(if i == 0 { "proof" } else { "" }, &format!("{symbol} {question}: {text}"), tone);
    }
    let begun = matches!(done.outcome, Outcome::Applied | Outcome::Partial | Outcome::Ambiguous);
    if begun && done.proof.is_empty() && done.verified.is_none() && !done.had_nothing_to_do() {
        out.text("proof", "none was made", Tone::Dim);
    }
}

fn moved_rows(moved: &PlanDrift, out: &mut Lines) {
    for (i, part) in moved.parts.iter().enumerate() {
        out.text(if i == 0 { "moved" } else { "" }, part, Tone::Warn);
    }
    if moved.total > 0 {
        let text = format!("{} not as planned any more", counted(moved.total, "row"));
        out.text("moved", &text, Tone::Warn);
        for row in &moved.rows {
            out.text("", &row.text(), Tone::Plain);
        }
        let told = moved.rows.len() as u64;
        if moved.total > told {
            out.text(
                "",
                &format!("these are the first {} of {}", count(told), count(moved.total)),
                Tone::Dim,
            );
        }
    }
}

/// `told`: why it stopped stands above already.
fn facts(model: &Model, run: &RunRecord, told: bool, out: &mut Lines) {
    if let (Some(message), false) = (&run.message, run.live || told) {
        out.text("message", message, Tone::Warn);
    }
    let verified = match run.verified {
        Some(true) => "verified",
        Some(false) => "the proof FAILED",
        None => "not verified",
    };
    let counted = if run.unit == Unit::ROWS {
        format!(
            "{} planned, {} changed, {} left alone because they had changed, {} · {verified}",
            count(run.rows),
            count(run.rows_applied),
            count(run.rows_drifted),
            batches(run.batches)
        )
    } else if run.in_a_copy() {
        format!("{} in a copy, nothing was changed here · {verified}", count(run.rows))
    } else {
        format!("{} planned, {} done · {verified}", count(run.rows), count(run.rows_applied))
    };
    let bad = run.verified == Some(false) || run.rows_drifted > 0;
    out.text(run.unit.word(), &counted, if bad { Tone::Warn } else { Tone::Plain });
    let ended = match run.ended_at {
        Some(ended) => format!(", took {}", took(run.started_at, ended)),
        None => String::new(),
    };
    let when = run.started_at.format("%Y-%m-%d %H:%M:%SZ");
    out.text("began", &format!("{when}{ended}, by {} on target {}", run.operator, run.target), Tone::Plain);
    if let Some(by) = &run.resumed_by {
        out.text("resumed", &format!("by {by}"), Tone::Plain);
    }
    if let Some(undone) = &run.undoes {
        out.text("takes back", &format!("run {undone}"), Tone::Plain);
    }
    match model.why_not_undo(Some(run)) {
        None => {
            let text = super::plan::named(&run.reversible, &run.undo);
            out.text("way back", &format!("{text} (z plans it)"), Tone::Good);
        }
        Some(why) => out.text("way back", &format!("not now: {why}"), Tone::Dim),
    }
    if let Some(by) = &run.overtaken_by {
        let text =
            format!("it broke off, and run {by} has switched its tables since: nobody goes on with it");
        out.text("unfinished", &text, Tone::Warn);
    }
    if run.resumable && !run.live {
        let text = if run.needs_fix_first() {
            "it broke off: mend what stopped it first, then it can be gone on with (a)"
        } else {
            "it broke off and can be gone on with (a)"
        };
        out.text("unfinished", text, Tone::Warn);
    }
    let params: Vec<String> = run.params.iter().map(|(k, v)| format!("{k}={v}")).collect();
    out.text("asked with", &params.join("  "), Tone::Plain);
    out.text("digest", &run.digest, Tone::Dim);
}

/// `1 batch`, `2 batches`.
fn batches(n: u64) -> String {
    if n == 1 { "1 batch".into() } else { format!("{} batches", count(n)) }
}

/// Between two times.
pub fn took(from: chrono::DateTime<chrono::Utc>, to: chrono::DateTime<chrono::Utc>) -> String {
    let ms = (to - from).num_milliseconds().max(0);
    seconds(f64::from(i32::try_from(ms).unwrap_or(i32::MAX)) / 1000.0)
}

fn entries(model: &Model, detail: &RunDetail, out: &mut Lines) {
    out.heading(&format!("{} of the journal", entries_of(detail.events.len())));
    // A run of very small batches has thousands: its beginning and its end are what one reads here.
    let all = detail.events.len();
    let hidden = if all > FIRST + LAST { FIRST..all - LAST } else { all..all };
    for (i, event) in detail.events.iter().enumerate() {
        if i == hidden.start {
            let text =
                format!("… {} between these (midwatch runs --json has them)", entries_of(hidden.len()));
            out.text("", &text, Tone::Dim);
        }
        if hidden.contains(&i) {
            continue;
        }
        let at = event.at.get(..19).unwrap_or(&event.at).replace('T', " ");
        let text = format!("{at}  {:<10} {}", event.kind, body(event));
        out.text(&format!("{:>6}", event.seq), &text, Tone::Plain);
    }
    if detail.drifted.is_empty() {
        return;
    }
    let (told, all) = (detail.drifted.len() as u64, detail.record.rows_drifted);
    let first = if told < all { format!(", the first {}", count(told)) } else { String::new() };
    let heading = format!(
        "{} {} left alone: no longer as planned{first}",
        model.theme.glyphs.warn,
        counted(all, "row")
    );
    out.heading(&heading);
    for row in &detail.drifted {
        out.out.push(drifted(row));
    }
}

fn drifted(row: &PlannedRow) -> Spans {
    vec![
        cell(format!("  {}   ", row.key_text()), Tone::Strong),
        cell(format!("planned {}", row.change_text()), Tone::Dim),
    ]
}

fn entries_of(n: usize) -> String {
    if n == 1 { "1 entry".into() } else { format!("{n} entries") }
}

/// Characters of an entry that are shown; an intent holds its whole plan.
const BODY: usize = 600;

fn body(event: &Event) -> String {
    let text = entry::body(event);
    match text.chars().nth(BODY) {
        Some(_) => format!("{text:.BODY$}… (midwatch runs --json has all of it)"),
        None => text,
    }
}
