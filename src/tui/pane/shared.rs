//! What panes share: their trait, and the cells and rows that mean the same in each.

use crate::engine::model::report::{Finding, Severity, Status};
use crate::tui::format::ago;
use crate::tui::keymap::Scene;
use crate::tui::list::{Cell, Detail, List, ListRow, Spans, cell, plain};
use crate::tui::model::state::Model;
use crate::tui::model::watch::Watch;
use crate::tui::theme::Tone;

/// A pane: a table, and above it a picture where people would rather look.
pub trait Pane: Sync {
    /// On its tab.
    fn title(&self) -> &'static str;
    /// The kind of checks it shows; `None`: none in particular.
    fn kind(&self) -> Option<&'static str>;
    /// Which keys mean something of their own in it.
    fn scene(&self) -> Scene {
        Scene::Any
    }
    /// What its tab says beside its name: tone, symbol, number.
    fn mark(&self, model: &Model) -> Option<(Tone, &'static str, usize)> {
        let (status, count) = model.tally(self.kind()?).filter(|(s, n)| *s != Status::Ok && *n > 0)?;
        let (tone, symbol, _) = model.theme.status(&status);
        Some((tone, symbol, count))
    }
    /// What stands above the table.
    fn picture(&self, model: &Model, width: u16) -> Vec<Spans>;
    /// The table.
    fn list(&self, model: &Model) -> List;
}

/// Symbol and word of a watch's state, old reports marked as such.
pub(in crate::tui) fn state_cell(model: &Model, watch: &Watch) -> Cell {
    match &watch.report {
        None if watch.running.is_some() => cell("looking…", Tone::Dim),
        None => cell("not yet", Tone::Dim),
        Some(_) if watch.failure.is_some() => {
            cell(format!("{} unknown", model.theme.glyphs.unknown), Tone::Unknown)
        }
        Some(_) if watch.untrusted().is_some() => {
            cell(format!("{} UNTRUSTED", model.theme.glyphs.fail), Tone::Bad)
        }
        Some(_) if model.is_stale(watch) => {
            cell(format!("{} stale", model.theme.glyphs.unknown), Tone::Unknown)
        }
        Some(report) => {
            let (tone, symbol, word) = model.theme.status(&report.status);
            cell(format!("{symbol} {word}"), tone)
        }
    }
}

/// How old what is shown is.
pub(in crate::tui) fn age_cell(model: &Model, watch: &Watch) -> Cell {
    match &watch.report {
        None => plain(""),
        Some(r) if model.is_stale(watch) => cell(ago(r.observed_at, model.now), Tone::Unknown),
        Some(r) => cell(ago(r.observed_at, model.now), Tone::Dim),
    }
}

/// Why a pane has nothing to show; the pictures of empty, loading and unconnected differ.
pub(in crate::tui) fn empty_text(model: &Model, kind: &str, none: &str) -> (String, Tone) {
    if model.session.is_none() {
        return ("not connected yet".into(), Tone::Dim);
    }
    if model.of_kind(kind).next().is_none() {
        let profile = model.session.as_ref().map_or("", |s| s.profile.as_str());
        return (format!("profile {profile} {none}"), Tone::Dim);
    }
    if model.of_kind(kind).all(|w| w.report.is_none()) {
        return ("looking…".into(), Tone::Dim);
    }
    ("nothing".into(), Tone::Dim)
}

/// The rest of a finding, on Enter.
pub(in crate::tui) fn finding_detail(title: &str, finding: &Finding) -> Detail {
    let mut pairs = vec![
        ("finding".to_owned(), plain(finding.id.clone())),
        ("severity".to_owned(), plain(format!("{:?}", finding.severity).to_lowercase())),
        ("message".to_owned(), plain(finding.message.clone())),
    ];
    for (i, sample) in finding.sample.iter().enumerate() {
        for (name, value) in sample {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            pairs.push((
                if finding.sample.len() > 1 { format!("{}. {name}", i + 1) } else { name.clone() },
                plain(text),
            ));
        }
    }
    Detail { title: title.to_owned(), pairs }
}

/// Severity as a cell.
pub(in crate::tui) fn severity_cell(model: &Model, severity: Severity) -> Cell {
    let (tone, symbol, word) = model.theme.severity(severity);
    cell(format!("{symbol} {word}"), tone)
}

/// A row that says why a check could not be looked at.
pub(in crate::tui) fn unknown_row(watch: &Watch, columns: usize, glyph: &str) -> Option<ListRow> {
    let why = watch.unobserved()?;
    let mut lines = why.lines();
    let message = lines.next().unwrap_or_default().to_owned();
    let mut cells = vec![cell(format!("{glyph} unknown"), Tone::Unknown), plain(watch.id.name.clone())];
    cells.push(plain(message.clone()));
    cells.resize(columns, plain(""));
    let pairs = std::iter::once(("why".to_owned(), plain(message)))
        .chain(lines.map(|l| (String::new(), plain(l))))
        .collect();
    Some(ListRow {
        key: watch.unknown_key(),
        cells,
        goto: crate::tui::list::Goto::Detail(Detail { title: format!("{}: unknown", watch.id), pairs }),
        check: Some(watch.id.clone()),
    })
}
