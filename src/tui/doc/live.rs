//! How a run stands right now: the lines above its text, and the words for it everywhere.

use crate::engine::model::plan::Unit;
use crate::engine::model::progress::{ControlRequest, Phase};
use crate::engine::model::record::{Outcome, RunRecord};
use crate::tui::format::{ago, count, whole};
use crate::tui::list::{Cell, Spans, cell, plain};
use crate::tui::model::run::{OurRun, RunView};
use crate::tui::model::state::Model;
use crate::tui::theme::{Theme, Tone};
use chrono::{DateTime, Utc};

/// A run's beat is old after so many seconds.
const SILENT_S: i64 = 10;

/// A moment of a run, ours or another's.
struct Moment {
    /// What is counted.
    unit: Unit,
    phase: Cell,
    done: u64,
    total: u64,
    applied: u64,
    drifted: u64,
    batch_rows: u64,
    rate: f64,
    eta_s: Option<u64>,
    waiting: Option<String>,
    /// What else there is to say.
    note: Cell,
}

/// An outcome as symbol and word.
pub fn verdict(theme: &Theme, outcome: Outcome) -> Cell {
    let g = theme.glyphs;
    let (tone, symbol, word) = match outcome {
        Outcome::Applied => (Tone::Good, g.ok, "applied"),
        Outcome::Partial => (Tone::Warn, g.warn, "partial"),
        Outcome::Failed => (Tone::Bad, g.fail, "failed"),
        Outcome::Refused => (Tone::Bad, g.fail, "refused"),
        Outcome::Stale => (Tone::Bad, g.fail, "stale"),
        Outcome::Ambiguous => (Tone::Unknown, g.unknown, "ambiguous"),
        Outcome::Running => (Tone::Accent, g.running, "running"),
    };
    cell(format!("{symbol} {word}"), tone)
}

/// How a run of the journal stands. One that says it goes on while nobody is at it broke off.
pub fn stand(theme: &Theme, run: &RunRecord) -> Cell {
    match run.outcome {
        Outcome::Running if !run.live => cell(format!("{} broken off", theme.glyphs.unknown), Tone::Unknown),
        outcome => verdict(theme, outcome),
    }
}

/// What an outcome means for the data.
fn meaning(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Applied => "all of it was done",
        Outcome::Partial => "some of it was done and stays done",
        Outcome::Failed | Outcome::Refused => "nothing was changed",
        Outcome::Stale => "the world has moved since it was planned: nothing was changed",
        Outcome::Ambiguous => "nobody can tell whether the last batch was committed: look at its rows",
        Outcome::Running => "",
    }
}

/// The lines above a run's text.
pub fn head(model: &Model, view: &RunView) -> Vec<Spans> {
    let ours = model.ours(view);
    let record = model.record(view);
    let number = view.run.as_deref().or_else(|| ours?.number()).unwrap_or("");
    let title = ours
        .map(|r| r.title.clone())
        .or_else(|| record.map(crate::tui::model::run::title_of))
        .unwrap_or_default();
    let target = model.session.as_ref().map_or("", |s| s.target.name.as_str());
    let mut first = vec![
        cell(format!(" {} ", format!("RUN {number}").trim_end()), Tone::Strong),
        cell(format!(" {title}"), Tone::Strong),
        cell(format!("   on {target}"), Tone::Plain),
    ];
    let moment = match (ours, record) {
        (Some(run), _) if run.done.is_none() => our_moment(model, run),
        (_, Some(record)) if record.live => their_moment(model, record),
        _ => {
            let mut out = vec![first];
            out.extend(ended(model, ours, record));
            return out;
        }
    };
    first.push(plain("   "));
    first.push(moment.phase.clone());
    vec![first, bar(model, &moment), numbers(&moment), vec![reason(model, &moment), moment.note]]
}

fn our_moment(model: &Model, run: &OurRun) -> Moment {
    let begun = run.progress.as_ref();
    let phase = begun.map_or(Phase::Locking, |p| p.phase);
    let note = match run.wish {
        ControlRequest::Pause if phase != Phase::Paused => {
            cell("   pausing after the batch: p goes on", Tone::Warn)
        }
        ControlRequest::Go | ControlRequest::Pause => cell("", Tone::Dim),
        ControlRequest::Cancel => cell("   stopping after the batch", Tone::Warn),
    };
    let tone = match phase {
        Phase::Waiting | Phase::Paused => Tone::Warn,
        _ => Tone::Accent,
    };
    let since = took_so_far(model, run.began);
    let text = format!("{} {} for {since}", model.theme.glyphs.running, phase.word());
    let waiting = begun.and_then(|p| p.waiting.clone());
    Moment {
        unit: run.plan.as_ref().map(|p| p.unit.clone()).unwrap_or_default(),
        phase: cell(text, tone),
        done: begun.map_or(0, |p| p.done),
        total: run.total(),
        applied: run.applied(),
        drifted: begun.map_or(0, |p| p.drifted),
        batch_rows: begun.map_or(0, |p| p.batch_rows),
        rate: begun.map_or(0.0, |p| p.rate),
        eta_s: begun.and_then(|p| p.eta_s),
        waiting: if phase == Phase::Paused { Some("you: p goes on".into()) } else { waiting },
        note,
    }
}

fn their_moment(model: &Model, run: &RunRecord) -> Moment {
    let done = crate::tui::model::journal::rows_handled(run);
    let rate = model.journal.pace.get(&run.id).map_or(0.0, |p| p.rate);
    let beat = run.beat_at.map(|at| (ago(at, model.server_now()), (model.server_now() - at).num_seconds()));
    let (heard, silent) = beat.unwrap_or(("never".into(), SILENT_S + 1));
    let note = format!("   run by {}, heard of {heard}; read from the journal", run.by());
    Moment {
        unit: run.unit.clone(),
        phase: cell(
            format!("{} live for {}", model.theme.glyphs.running, took_so_far(model, run.started_at)),
            Tone::Accent,
        ),
        done,
        total: run.rows,
        applied: run.rows_applied,
        drifted: run.rows_drifted,
        batch_rows: run.batch_rows.unwrap_or(0),
        rate,
        eta_s: eta(run.rows.saturating_sub(done), rate),
        waiting: run.message.clone(),
        note: cell(note, if silent > SILENT_S { Tone::Unknown } else { Tone::Dim }),
    }
}

fn took_so_far(model: &Model, since: DateTime<Utc>) -> String {
    whole(u64::try_from((model.now - since).num_seconds()).unwrap_or(0))
}

/// Whole seconds left, rounded up.
fn eta(left: u64, rate: f64) -> Option<u64> {
    if rate < 0.1 {
        return None;
    }
    let left = f64::from(u32::try_from(left).unwrap_or(u32::MAX));
    // Tenths of rows a second are enough, and whole numbers divide exactly.
    let tenths = (rate * 10.0).clamp(1.0, f64::from(u32::MAX)).round();
    format!("{:.0}", (left * 10.0 / tenths).ceil()).parse().ok()
}

/// In percent, rounded down: 100 is said of the whole only.
pub fn percent(done: u64, total: u64) -> Option<u64> {
    (done.min(total) * 100).checked_div(total)
}

fn bar(model: &Model, m: &Moment) -> Spans {
    let width = u64::from(model.size.0.saturating_sub(40).clamp(10, 80));
    let full = (m.done.min(m.total) * width).checked_div(m.total).unwrap_or(0);
    let g = model.theme.glyphs;
    let repeat = |s: &str, n: u64| s.repeat(usize::try_from(n).unwrap_or(0));
    let percent = percent(m.done, m.total).map_or_else(String::new, |p| format!("   {p} %"));
    vec![
        plain(" "),
        cell(repeat(g.full, full), Tone::Accent),
        cell(repeat(g.rest, width - full), Tone::Dim),
        cell(
            format!("  {} of {} {}", count(m.done), count(m.total), m.unit.for_count(m.total)),
            Tone::Strong,
        ),
        plain(percent),
    ]
}

fn numbers(m: &Moment) -> Spans {
    let eta = match m.eta_s {
        Some(s) => whole(s),
        None => "unknown".into(),
    };
    let rate = if m.rate >= 0.1 {
        format!("{} {}/s", count(rounded(m.rate)), m.unit.word())
    } else {
        "no rate yet".into()
    };
    let label = |t: &str| cell(format!("   {t} "), Tone::Dim);
    vec![
        cell(" changed ", Tone::Dim),
        plain(count(m.applied)),
        label("left alone"),
        cell(count(m.drifted), if m.drifted > 0 { Tone::Warn } else { Tone::Plain }),
        label("batch"),
        plain(if m.batch_rows > 0 { format!("{} rows", count(m.batch_rows)) } else { "none yet".into() }),
        label("at"),
        plain(rate),
        label("left"),
        plain(eta),
    ]
}

fn rounded(rate: f64) -> u64 {
    format!("{rate:.0}").parse().unwrap_or(0)
}

fn reason(model: &Model, m: &Moment) -> Cell {
    match &m.waiting {
        Some(why) => cell(format!(" {} held back by {why}", model.theme.glyphs.warn), Tone::Warn),
        None => cell(" nothing holds it back", Tone::Dim),
    }
}

/// What came of it, and what that means.
fn ended(model: &Model, ours: Option<&OurRun>, record: Option<&RunRecord>) -> Vec<Spans> {
    let mut line = vec![plain(" ")];
    let unit =
        record.map(|r| &r.unit).or_else(|| Some(&ours?.plan.as_ref()?.unit)).cloned().unwrap_or_default();
    let meant = match (ours.and_then(|r| r.done.as_ref()), record) {
        (Some(done), _) if done.had_nothing_to_do() => {
            line.push(cell(format!("{} nothing to do", model.theme.glyphs.ok), Tone::Good));
            "the plan was empty: no run was begun, the journal has none"
        }
        (Some(done), _) => {
            line.extend(done_cells(model, done.outcome, (unit, done.applied, done.drifted), done.verified));
            meaning(done.outcome)
        }
        (None, Some(r)) => {
            let cells = done_cells(model, r.outcome, (unit, r.rows_applied, r.rows_drifted), r.verified);
            line.push(stand(&model.theme, r));
            line.extend(cells.into_iter().skip(1));
            match r.outcome {
                Outcome::Running => "its console is gone; what it committed stays",
                outcome => meaning(outcome),
            }
        }
        (None, None) => "nothing is known of it yet",
    };
    // The journal's times are the server's own; ours tell whole seconds only.
    let took = record.and_then(|r| Some(super::run::took(r.started_at, r.ended_at?)));
    let seen = || ours.and_then(|r| Some(whole(u64::try_from((r.ended? - r.began).num_seconds()).ok()?)));
    if let Some(took) = took.or_else(seen) {
        line.push(cell(format!("   took {took}"), Tone::Dim));
    }
    vec![line, vec![cell(format!(" {meant}"), Tone::Plain)]]
}

fn done_cells(
    model: &Model,
    outcome: Outcome,
    (unit, applied, drifted): (Unit, u64, u64),
    verified: Option<bool>,
) -> Vec<Cell> {
    let mut out = vec![verdict(&model.theme, outcome)];
    if unit != Unit::ROWS && applied > 0 {
        out.push(plain(format!("   {} {} done", count(applied), unit.for_count(applied))));
    } else if applied + drifted > 0 {
        out.push(plain(format!("   {} changed", count(applied))));
        let tone = if drifted > 0 { Tone::Warn } else { Tone::Plain };
        out.push(cell(format!("   {} left alone", count(drifted)), tone));
    }
    let g = model.theme.glyphs;
    out.push(match verified {
        Some(true) => cell(format!("   {} verified", g.ok), Tone::Good),
        Some(false) => cell(format!("   {} the proof failed", g.fail), Tone::Bad),
        None => cell("", Tone::Dim),
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_is_rounded_up_and_unknown_without_a_rate() {
        assert_eq!(eta(1_000, 0.0), None);
        assert_eq!(eta(1_000, 300.0), Some(4));
        assert_eq!(eta(0, 5.0), Some(0));
    }

    #[test]
    fn a_hundred_percent_is_all_of_it() {
        assert_eq!(percent(999, 1_000), Some(99));
        assert_eq!(percent(0, 0), None);
        assert_eq!(percent(5, 5), Some(100));
    }
}
