//! The panes, one per file. A new pane is a file, its `mod` line, its line in [`ALL`].

mod anomalies;
mod migrations;
mod overview;
mod parity;
mod partitions;
mod queue;
mod runs;

use super::app::{App, Watch};
use super::format::ago;
use super::keymap::Scene;
use super::list::{Cell, Col, Detail, List, ListState, Row, cell, plain, value};
use super::theme::Tone;
use crate::engine::check::paging::Page;
use crate::engine::model::report::{CheckId, Finding, Severity, Status};

/// A line of a picture.
pub type Spans = Vec<Cell>;

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
    fn mark(&self, app: &App) -> Option<(Tone, &'static str, usize)> {
        let (status, count) = app.tally(self.kind()?).filter(|(s, n)| *s != Status::Ok && *n > 0)?;
        let (tone, symbol, _) = app.theme.status(&status);
        Some((tone, symbol, count))
    }
    /// What stands above the table.
    fn picture(&self, app: &App, width: u16) -> Vec<Spans>;
    /// The table.
    fn list(&self, app: &App) -> List;
}

/// Every pane, in the order of its number.
pub const ALL: &[&dyn Pane] = &[
    &overview::Overview,
    &migrations::Migrations,
    &parity::Parity,
    &queue::Queue,
    &anomalies::Anomalies,
    &runs::Runs,
];

/// The page of a twin.
pub fn twin_list(app: &App, id: &CheckId) -> List {
    parity::rows_of(app, id)
}

/// A twin's partitions.
pub fn partition_list(app: &App, id: &CheckId) -> List {
    partitions::list(app, id)
}

/// What stands above them.
pub fn partition_picture(app: &App, id: &CheckId, width: u16) -> Vec<Spans> {
    parity::head_of(app, id, width)
}

/// What stands above a twin's rows.
pub fn twin_picture(app: &App, id: &CheckId, width: u16) -> Vec<Spans> {
    parity::picture_of(app, id, width)
}

/// A detail as a table of names and values.
pub fn detail_list(detail: &Detail) -> List {
    let rows = detail.pairs.iter().map(|(name, value)| Row {
        key: name.clone(),
        cells: vec![cell(name.clone(), Tone::Dim), value.clone()],
        ..Row::default()
    });
    List { cols: vec![Col::left("name"), Col::grow("value")], rows: rows.collect(), ..List::default() }
}

/// Keys of rows that are a row's surroundings, not its own values.
const CONTEXT: &str = "\u{2}context/";

/// Is this one of a row's surroundings?
pub fn is_context(row: &Row) -> bool {
    row.key.starts_with(CONTEXT)
}

/// A row's surroundings as a table; the row itself, by its id, stands out.
pub fn context_list(page: &Page, ours: &[&str]) -> List {
    let rows = page.rows.iter().enumerate().map(|(i, r)| {
        let here = r.cells.last().and_then(Option::as_deref).is_some_and(|id| ours.contains(&id));
        let tone = if here { Tone::Accent } else { Tone::Plain };
        let cells = r.cells.iter().map(|v| value(v.as_ref(), tone)).collect();
        Row { key: format!("{CONTEXT}{i}"), cells, ..Row::default() }
    });
    let cols = page.columns.iter().map(|c| Col {
        title: c.name.replace('_', " "),
        right: c.is_numeric(),
        grow: false,
    });
    List { cols: cols.collect(), rows: rows.collect(), empty: "nothing around it".into(), ..List::default() }
}

/// A detail and, below it, its surroundings.
pub fn whole_detail(detail: &Detail, state: &ListState, context: Option<&Page>) -> List {
    let mut list = detail_list(detail).arranged(state);
    let ids = detail.pairs.iter().filter(|(name, _)| name.ends_with("_id") || name == "id");
    let ids: Vec<&str> = ids.map(|(_, c)| c.text.as_str()).collect();
    list.rows.extend(context.into_iter().flat_map(|page| context_list(page, &ids).rows));
    list
}

/// Symbol and word of a watch's state, old reports marked as such.
pub(super) fn state_cell(app: &App, watch: &Watch) -> Cell {
    match &watch.report {
        None if watch.running.is_some() => cell("looking…", Tone::Dim),
        None => cell("not yet", Tone::Dim),
        Some(_) if watch.failure.is_some() => {
            cell(format!("{} unknown", app.theme.glyphs.unknown), Tone::Unknown)
        }
        Some(_) if watch.untrusted().is_some() => {
            cell(format!("{} UNTRUSTED", app.theme.glyphs.fail), Tone::Bad)
        }
        Some(_) if app.is_stale(watch) => cell(format!("{} stale", app.theme.glyphs.unknown), Tone::Unknown),
        Some(report) => {
            let (tone, symbol, word) = app.theme.status(&report.status);
            cell(format!("{symbol} {word}"), tone)
        }
    }
}

/// How old what is shown is.
pub(super) fn age_cell(app: &App, watch: &Watch) -> Cell {
    match &watch.report {
        None => plain(""),
        Some(r) if app.is_stale(watch) => cell(ago(r.observed_at, app.now), Tone::Unknown),
        Some(r) => cell(ago(r.observed_at, app.now), Tone::Dim),
    }
}

/// Why a pane has nothing to show; the pictures of empty, loading and unconnected differ.
pub(super) fn nothing(app: &App, kind: &str, none: &str) -> (String, Tone) {
    if app.session.is_none() {
        return ("not connected yet".into(), Tone::Dim);
    }
    if app.of_kind(kind).next().is_none() {
        let profile = app.session.as_ref().map_or("", |s| s.profile.as_str());
        return (format!("profile {profile} {none}"), Tone::Dim);
    }
    if app.of_kind(kind).all(|w| w.report.is_none()) {
        return ("looking…".into(), Tone::Dim);
    }
    ("nothing".into(), Tone::Dim)
}

/// The rest of a finding, on Enter.
pub(super) fn finding_detail(title: &str, finding: &Finding) -> Detail {
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
pub(super) fn severity_cell(app: &App, severity: Severity) -> Cell {
    let (tone, symbol, word) = app.theme.severity(severity);
    cell(format!("{symbol} {word}"), tone)
}

/// A row that says why a check could not be looked at.
pub(super) fn unknown_row(watch: &Watch, columns: usize, glyph: &str) -> Option<Row> {
    let why = watch.why()?;
    let mut lines = why.lines();
    let message = lines.next().unwrap_or_default().to_owned();
    let mut cells = vec![cell(format!("{glyph} unknown"), Tone::Unknown), plain(watch.id.name.clone())];
    cells.push(plain(message.clone()));
    cells.resize(columns, plain(""));
    let pairs = std::iter::once(("why".to_owned(), plain(message)))
        .chain(lines.map(|l| (String::new(), plain(l))))
        .collect();
    Some(Row {
        key: format!("{}/unknown", watch.id),
        cells,
        goto: super::list::Goto::Detail(Detail { title: format!("{}: unknown", watch.id), pairs }),
        check: Some(watch.id.clone()),
    })
}
