//! The journal: who did what, when, how it ended, and the way back.

use crate::engine::model::plan::Unit;
use crate::engine::model::preflight::Reversible;
use crate::engine::model::record::{Outcome, RunRecord};
use crate::tui::data::Journal;
use crate::tui::doc::live;
use crate::tui::doc::run::took;
use crate::tui::format::{ago, count};
use crate::tui::keymap::Scene;
use crate::tui::list::{Cell, Col, Goto, List, ListRow, Spans, cell, plain};
use crate::tui::model::journal::rows_handled;
use crate::tui::model::run::{OurRun, title_of};
use crate::tui::model::state::Model;
use crate::tui::pane::shared::Pane;
use crate::tui::theme::Tone;

pub(super) struct Runs;

impl Pane for Runs {
    fn title(&self) -> &'static str {
        "Runs"
    }

    fn kind(&self) -> Option<&'static str> {
        None
    }

    fn scene(&self) -> Scene {
        Scene::Runs
    }

    fn mark(&self, model: &Model) -> Option<(Tone, &'static str, usize)> {
        let g = model.theme.glyphs;
        let live = model.journal.runs().iter().filter(|r| r.live).count();
        let live = live.max(usize::from(model.run_going().is_some()));
        if live > 0 {
            return Some((Tone::Accent, g.running, live));
        }
        let open = model.journal.runs().iter().filter(|r| needs_a_look(r)).count();
        (open > 0).then_some((Tone::Unknown, g.unknown, open))
    }

    fn picture(&self, model: &Model, _width: u16) -> Vec<Spans> {
        let journal = &model.journal;
        let mut out = Vec::new();
        if let (Some(failure), Some(_)) = (&journal.failure, &journal.seen) {
            let text =
                format!(" {} the journal cannot be read: {}", model.theme.glyphs.unknown, failure.message);
            out.push(vec![cell(text, Tone::Unknown)]);
        }
        if let (Some(Journal::Runs(listed)), Some(at)) = (&journal.seen, journal.at) {
            let all = match listed.older {
                0 => "all".into(),
                _ => format!("the latest {} of {}", listed.runs.len(), count(listed.total)),
            };
            let stale = journal.failure.is_some() || model.link != crate::tui::model::state::Link::Up;
            let (word, tone) = if stale { ("stale, read ", Tone::Unknown) } else { ("read ", Tone::Dim) };
            out.push(vec![
                cell(format!(" journal   {all}, newest first   "), Tone::Dim),
                cell(format!("{word}{}", ago(at, model.now)), tone),
            ]);
            if let (1.., Some(last)) = (listed.older, listed.runs.last()) {
                let text = format!("           older ones: midwatch runs --before {}", last.id);
                out.push(vec![cell(text, Tone::Dim)]);
            }
        }
        out
    }

    fn list(&self, model: &Model) -> List {
        let unnumbered = model.run_going().filter(|r| r.number().is_none()).map(|r| beginning(model, r));
        let rows = unnumbered.into_iter().chain(model.journal.runs().iter().map(|r| row(model, r))).collect();
        let (empty, empty_tone) = empty_text(model);
        List {
            cols: vec![
                Col::left("outcome"),
                Col::right("run"),
                Col::grow("what"),
                Col::left("way back"),
                Col::right("rows"),
                Col::left("proof"),
                Col::left("began (UTC)"),
                Col::right("took"),
                Col::left("by"),
                Col::right("left alone"),
            ],
            rows,
            empty,
            empty_tone,
        }
    }
}

/// Somebody should decide something about it.
fn needs_a_look(run: &RunRecord) -> bool {
    run.resumable || run.outcome == Outcome::Ambiguous && run.undone_by.is_none()
}

fn empty_text(model: &Model) -> (String, Tone) {
    match (&model.journal.seen, &model.journal.failure) {
        (None, Some(f)) => {
            let hint = f.hint.as_ref().map(|h| format!("\n{h}")).unwrap_or_default();
            (format!("unknown: {}{hint}", f.message), Tone::Unknown)
        }
        (None, None) if model.session.is_none() => ("not connected yet".into(), Tone::Dim),
        (None, None) => ("reading the journal…".into(), Tone::Dim),
        (Some(Journal::Missing), _) => {
            let text = "no journal here: nothing can be changed before there is one\nd plans init, which creates schema midwatch (headless: midwatch plan init)";
            (text.into(), Tone::Unknown)
        }
        (Some(Journal::Runs(_)), _) => {
            ("nothing was ever run here: d on a finding plans what mends it".into(), Tone::Dim)
        }
    }
}

/// Ours, before the journal has given it a number.
fn beginning(model: &Model, run: &OurRun) -> ListRow {
    let phase = run.progress.as_ref().map_or("taking the lock", |p| p.phase.word());
    ListRow {
        key: String::new(),
        cells: vec![
            cell(format!("{} {phase}", model.theme.glyphs.running), Tone::Accent),
            plain(""),
            plain(run.title.clone()),
            plain(""),
            plain(count(run.total())),
        ],
        goto: Goto::Run(String::new()),
        check: None,
    }
}

fn row(model: &Model, run: &RunRecord) -> ListRow {
    let g = model.theme.glyphs;
    let stand = match live::percent(rows_handled(run), run.rows).filter(|_| run.live) {
        Some(percent) => cell(format!("{} live {percent} %", g.running), Tone::Accent),
        None => live::stand(&model.theme, run),
    };
    let mut rows = if run.rows_applied == run.rows || run.in_a_copy() {
        count(run.rows)
    } else {
        format!("{} of {}", count(run.rows_applied), count(run.rows))
    };
    // The column's own heading says rows.
    if run.unit != Unit::ROWS {
        rows = format!("{rows} {}", run.unit.for_count(run.rows));
    }
    let proof = match run.verified {
        Some(true) => cell(format!("{} verified", g.ok), Tone::Good),
        Some(false) => cell(format!("{} failed", g.fail), Tone::Bad),
        None => cell("none", Tone::Dim),
    };
    let until = run.ended_at.or_else(|| run.live.then(|| model.server_now()));
    let drifted = if run.rows_drifted > 0 { count(run.rows_drifted) } else { String::new() };
    ListRow {
        key: run.id.clone(),
        cells: vec![
            stand,
            plain(run.id.clone()),
            plain(title_of(run)),
            way_back(model, run),
            plain(rows),
            proof,
            cell(run.started_at.format("%m-%d %H:%M").to_string(), Tone::Dim),
            plain(until.map_or_else(String::new, |until| took(run.started_at, until))),
            cell(run.by().split('@').next().unwrap_or_default(), Tone::Dim),
            cell(drifted, Tone::Warn),
        ],
        goto: Goto::Run(run.id.clone()),
        check: None,
    }
}

fn way_back(model: &Model, run: &RunRecord) -> Cell {
    if run.resumable && !run.live {
        // Which of the two is right only whoever looks can say.
        let undo = match model.why_not_undo(Some(run)) {
            Some(_) => String::new(),
            None if run.reversibility() == Some(Reversible::Lossy) => {
                format!(" {} z lossy", model.theme.glyphs.dot)
            }
            None => format!(" {} z undo", model.theme.glyphs.dot),
        };
        return cell(format!("a resume{undo}"), Tone::Warn);
    }
    match (&run.undone_by, model.why_not_undo(Some(run))) {
        (Some(by), _) => cell(format!("undone by {by}"), Tone::Dim),
        (None, None) if run.reversibility() == Some(Reversible::Lossy) => cell("z undo, lossy", Tone::Warn),
        (None, None) => cell("z undo", Tone::Accent),
        (None, Some(_)) if run.reversibility() == Some(Reversible::No) => cell("none", Tone::Bad),
        (None, Some(_)) => plain(""),
    }
}
