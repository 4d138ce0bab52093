//! Dialogs about changing something: what can be done, what must be known, whether to go on, stop, or leave.

use crate::engine::model::blocker::Blocker;
use crate::engine::model::phrase::differs;
use crate::engine::model::preflight::Risk;
use crate::engine::model::record::RunRecord;
use crate::tui::dialog::sheet::Sheet;
use crate::tui::doc::wrap;
use crate::tui::format::{ago, count};
use crate::tui::list::{Spans, cell, plain};
use crate::tui::model::journal::rows_handled;
use crate::tui::model::offers::{ActionLine, ActionTarget, ParameterForm};
use crate::tui::model::overlay::{LEAVING, UNFINISHED};
use crate::tui::model::run::{OurRun, title_of};
use crate::tui::model::state::Model;
use crate::tui::screen;
use crate::tui::theme::Tone;
use crate::tui::widget::paint::fit;

/// Everything that could be done, with what it would cost and why not.
pub(super) fn actions(model: &Model, width: usize) -> Sheet {
    let choices = screen::choices(model);
    let chosen = model.overlay.as_ref().and_then(|o| choices.get(o.cursor));
    let mut lines: Vec<Spans> = choices.iter().map(|c| line(model, c, width)).collect();
    if lines.is_empty() {
        lines.push(vec![cell("this profile declares nothing that could be done", Tone::Dim)]);
    }
    let mut foot: Vec<Spans> = Vec::new();
    if let Some(c) = chosen {
        // All of what one came for: what it does, what it locks, why not.
        let mut text = |label: &str, text: &str, tone| {
            for (i, line) in wrap(text, width.saturating_sub(10)).into_iter().enumerate().take(3) {
                foot.push(vec![
                    cell(format!("{:<8}", if i == 0 { label } else { "" }), Tone::Dim),
                    cell(line, tone),
                ]);
            }
        };
        text("does", &c.about, Tone::Plain);
        text("locks", &c.locks, Tone::Plain);
        text("not now", c.disabled.as_deref().unwrap_or_default(), Tone::Warn);
    }
    let hint = match chosen.filter(|c| c.disabled.is_none()).map(|c| &c.target) {
        Some(ActionTarget::Resume(_)) => "Enter asks first; Esc closes",
        Some(_) => "Enter plans it, which changes nothing; Esc closes",
        None => "Esc closes",
    };
    Sheet {
        title: if choices.iter().any(|c| c.here) {
            format!(
                "What can be done here ({} about this row), and why not the rest",
                model.theme.glyphs.mark
            )
        } else {
            "What can be done here, and why not the rest".into()
        },
        lines,
        choose: true,
        hint: hint.into(),
        foot,
        ..Sheet::default()
    }
}

fn line(model: &Model, c: &ActionLine, width: usize) -> Spans {
    let g = model.theme.glyphs;
    let tone = if c.disabled.is_some() { Tone::Dim } else { Tone::Plain };
    let (symbol, text) = match &c.disabled {
        Some(why) => (g.fail, why.as_str()),
        None => (g.ok, c.about.as_str()),
    };
    let risk = match c.risk {
        Some(Risk::Irreversible) => Tone::Bad,
        Some(Risk::Lossy) => Tone::Warn,
        _ => Tone::Dim,
    };
    vec![
        cell(format!("  {} ", if c.here { g.mark } else { " " }), Tone::Accent),
        cell(format!("{symbol} "), if c.disabled.is_some() { Tone::Dim } else { Tone::Good }),
        cell(format!("{:<16}", fit(&c.verb, 15)), tone),
        cell(format!("{:<21}", fit(&c.name, 20)), tone),
        cell(format!("{:<13}", c.risk.map_or("", Risk::word)), risk),
        cell(fit(text, width.saturating_sub(56)), Tone::Dim),
    ]
}

/// What must be known before planning.
pub(super) fn ask(model: &Model, ask: &ParameterForm, typed: &str) -> Sheet {
    let at = model.overlay.as_ref().map_or(0, |o| o.cursor);
    let mut lines: Vec<Spans> = vec![vec![]];
    for (i, field) in ask.fields.iter().enumerate().filter(|(i, _)| *i != at) {
        let answer = if field.answer.is_empty() { "not answered yet" } else { &field.answer };
        let step = if i < at { "before" } else { "next" };
        lines.push(vec![cell(format!("  {step:<7} {}   ", field.question), Tone::Dim), plain(answer)]);
    }
    let question = ask.fields.get(at).map_or("", |f| f.question.as_str());
    for (key, known) in &ask.params {
        lines.push(vec![cell(format!("  for     {key}={known}"), Tone::Dim)]);
    }
    Sheet {
        title: format!("{} {}: before it is planned", ask.offer.verb, ask.offer.name),
        lines,
        prompt: Some(format!("{question}   {typed}")),
        hint: "Enter answers, arrows choose the question, Esc leaves".into(),
        ..Sheet::default()
    }
}

/// A run and how far it came.
fn stopped(model: &Model, run: &RunRecord, width: usize) -> Vec<Spans> {
    let when = run.last_heard();
    let mut text = vec![
        format!("Run {}, {}, begun by {}, ", run.id, title_of(run), run.operator)
            + &format!(
                "stands at {} of {} {} ({} changed) since {}.",
                count(rows_handled(run)),
                count(run.rows),
                run.unit.for_count(run.rows),
                count(run.rows_applied),
                ago(when, model.server_now())
            ),
    ];
    text.extend(run.message.clone());
    let lines = text.iter().flat_map(|t| wrap(t, width));
    lines.map(|l| vec![plain(l)]).collect()
}

/// A run that broke off, found when connecting.
pub(super) fn unfinished(model: &Model, id: &str, width: usize) -> Sheet {
    let mut foot = model.journal.run(id).map(|r| stopped(model, r, width)).unwrap_or_default();
    let others = model.journal.unfinished().count().saturating_sub(1);
    if others > 0 {
        foot.push(vec![cell(format!("{others} more in the Runs pane"), Tone::Warn)]);
    }
    Sheet {
        title: "A run broke off".into(),
        lines: UNFINISHED.iter().map(|l| vec![plain(format!("  {l}"))]).collect(),
        choose: true,
        hint: "Enter takes the chosen line, Esc: later".into(),
        foot,
        ..Sheet::default()
    }
}

/// Go on with a run?
pub(super) fn note(typed: &str, width: usize) -> Sheet {
    let text = "It is written into the journal of the run that goes on, with your name and the server's time, and stays there.";
    Sheet {
        title: "Note".into(),
        lines: wrap(text, width).into_iter().map(|l| vec![plain(l)]).collect(),
        prompt: Some(typed.to_owned()),
        ..Sheet::default()
    }
}

pub(super) fn resume(model: &Model, id: &str, typed: &str, width: usize) -> Sheet {
    let words = Model::resume_words(id);
    let mut lines: Vec<Spans> = vec![vec![plain("type   "), cell(words.clone(), Tone::Accent)]];
    lines.push(if words.starts_with(typed) {
        vec![]
    } else {
        let text = differs(&words, typed).replacen("the phrase", "it", 1);
        vec![cell(format!("{} {text}", model.theme.glyphs.fail), Tone::Bad)]
    });
    if let Some(run) = model.journal.run(id) {
        lines.extend(stopped(model, run, width));
        let rest = run.rows.saturating_sub(rows_handled(run));
        let text = format!(
            "It goes on with the {} {} that are left of its plan, as that was approved; rows that have changed meanwhile are left alone.",
            count(rest),
            run.unit.for_count(rest)
        );
        lines.extend(wrap(&text, width).into_iter().map(|l| vec![plain(l)]));
        if run.needs_fix_first() {
            let text = "Unless what stopped it is mended it stops there again.";
            lines.extend(wrap(text, width).into_iter().map(|l| vec![cell(l, Tone::Warn)]));
        }
    }
    Sheet {
        title: format!("Go on with run {id}?"),
        lines,
        prompt: Some(typed.to_owned()),
        hint: "Enter when it is typed; Esc leaves, nothing happens".into(),
        ..Sheet::default()
    }
}

/// End a session that is in the way?
pub(super) fn end(model: &Model, b: &Blocker, typed: &str, width: usize) -> Sheet {
    let words = b.phrase();
    let now = model.blockers().0.iter().find(|now| now.phrase() == words);
    let mut lines: Vec<Spans> = vec![vec![plain("type   "), cell(words.clone(), Tone::Accent)]];
    lines.push(if words.starts_with(typed) {
        vec![]
    } else {
        vec![cell(format!("{} {}", model.theme.glyphs.fail, differs(&words, typed)), Tone::Bad)]
    });
    let mut text =
        |text: &str, tone| lines.extend(wrap(text, width).into_iter().map(|l| vec![cell(l, tone)]));
    text(&now.unwrap_or(b).text(), Tone::Plain);
    text(
        "Its connection is closed by the server and what its transaction has done is taken back; the program behind it sees an error. The run's journal has it first: who asked, whose session, what it ran.",
        Tone::Plain,
    );
    if b.wrote {
        text(&format!("It would lose {}.", b.loses()), Tone::Bad);
    }
    if now.is_none() {
        text("It is not in the way any more, as far as was last seen.", Tone::Warn);
    }
    Sheet {
        title: format!("End the session of {}, pid {}?", b.role, b.pid),
        lines,
        prompt: Some(typed.to_owned()),
        hint: "Enter when it is typed; Esc leaves, nothing happens".into(),
        ..Sheet::default()
    }
}

/// Abort our switch?
fn abort(model: &Model, width: usize) -> Sheet {
    let again = "It can be gone on with later (a on the run): everything is compared again then.";
    let text = format!("{} {again}", model.left_behind());
    let what = if model.run_going().is_some_and(OurRun::goes_back) { "rollback" } else { "switch" };
    Sheet {
        title: format!("Abort the {what}?"),
        lines: wrap(&text, width).into_iter().map(|l| vec![plain(l)]).collect(),
        hint: "Enter aborts it; Esc lets it go on; ctrl-c asks to leave".into(),
        ..Sheet::default()
    }
}

/// Stop our run?
pub(super) fn stop(model: &Model, width: usize) -> Sheet {
    if model.run_going().is_some_and(OurRun::is_switch) {
        return abort(model, width);
    }
    let text = format!(
        "{} What is left can be gone on with later (a on the run), and what is done can be taken back (z).",
        model.left_behind()
    );
    Sheet {
        title: "Stop after the batch under way?".into(),
        lines: wrap(&text, width).into_iter().map(|l| vec![plain(l)]).collect(),
        hint: "Enter stops it; Esc lets it go on; ctrl-c asks to leave".into(),
        ..Sheet::default()
    }
}

/// Leave?
pub(super) fn quit(model: &Model, width: usize) -> Sheet {
    let text: Vec<Spans> = wrap(&model.leaving(), width).into_iter().map(|l| vec![plain(l)]).collect();
    if model.run_going().is_none() {
        return Sheet {
            title: "Leave midwatch?".into(),
            lines: text,
            hint: "Enter or q leaves, Esc stays".into(),
            ..Sheet::default()
        };
    }
    Sheet {
        title: "A run of ours is going on. Leave midwatch?".into(),
        lines: LEAVING.iter().map(|l| vec![plain(format!("  {l}"))]).collect(),
        choose: true,
        hint: "Enter takes the chosen line, Esc stays".into(),
        foot: text,
        ..Sheet::default()
    }
}
