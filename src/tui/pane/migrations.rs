//! What each migration file's state is.

use crate::engine::model::report::{Finding, Severity};
use crate::features::migrations::facts::{FileState, KIND};
use crate::features::migrations::finding_kind::MigrationFinding;
use crate::tui::list::{Cell, Col, Detail, Goto, List, ListRow, Spans, cell, plain};
use crate::tui::model::state::Model;
use crate::tui::model::watch::Watch;
use crate::tui::pane::shared::{self, Pane};
use crate::tui::theme::Tone;

pub(super) struct Migrations;

impl Pane for Migrations {
    fn title(&self) -> &'static str {
        "Migrations"
    }

    fn kind(&self) -> Option<&'static str> {
        Some(KIND)
    }

    fn picture(&self, model: &Model, _width: u16) -> Vec<Spans> {
        let mut out = Vec::new();
        for watch in model.of_kind(KIND) {
            let Some(facts) = watch.facts.migrations.as_deref() else { continue };
            out.push(vec![
                cell(format!(" {:<14}", watch.id.name), Tone::Strong),
                shared::state_cell(model, watch),
                plain(format!("   {} applied   {} pending", facts.applied, facts.pending)),
                cell(format!("   history: {}   ", facts.history), Tone::Dim),
                shared::age_cell(model, watch),
            ]);
            if !facts.cannot_tell.is_empty() {
                let text = format!(" {:<14}this history cannot tell: {}", "", facts.cannot_tell.join("; "));
                out.push(vec![cell(text, Tone::Unknown)]);
            }
            let report = watch.report.iter().flat_map(|r| &r.findings);
            for f in report.filter(|f| f.severity > Severity::Info && !is_pending(f)) {
                let (tone, symbol, _) = model.theme.severity(f.severity);
                out.push(vec![cell(format!(" {:<14}{symbol} ", ""), tone), plain(f.message.clone())]);
            }
        }
        out.truncate(8);
        out
    }

    fn list(&self, model: &Model) -> List {
        let mut rows = Vec::new();
        for watch in model.of_kind(KIND) {
            rows.extend(shared::unknown_row(watch, 4, model.theme.glyphs.unknown));
            let Some(facts) = watch.facts.migrations.as_deref() else { continue };
            for file in facts.files.iter().rev() {
                let cells = vec![
                    state(model, file.state),
                    plain(file.name.clone()),
                    plain(file.applied_at.as_deref().map(short_time).unwrap_or_default()),
                    cell(file.note.clone().unwrap_or_default(), Tone::Dim),
                ];
                let pairs = vec![
                    ("file".to_owned(), plain(file.name.clone())),
                    ("state".to_owned(), plain(file.state.word())),
                    (
                        "applied at".to_owned(),
                        plain(file.applied_at.clone().unwrap_or_else(|| "unknown".into())),
                    ),
                    ("note".to_owned(), plain(file.note.clone().unwrap_or_default())),
                    ("history".to_owned(), plain(facts.history.clone())),
                ];
                let goto =
                    Goto::Detail(Detail { title: format!("{} in {}", file.name, watch.id.name), pairs });
                rows.push(ListRow {
                    key: format!("{}/{}", watch.id, file.name),
                    cells,
                    goto,
                    check: Some(watch.id.clone()),
                });
            }
            rows.extend(indexes(model, watch));
        }
        let (empty, empty_tone) = shared::empty_text(model, KIND, "declares no migration folder");
        List {
            cols: vec![Col::left("state"), Col::left("file"), Col::left("applied (UTC)"), Col::grow("note")],
            rows,
            empty,
            empty_tone,
        }
    }
}

/// INVALID indexes stand among the files: they are what a migration left behind.
fn indexes(model: &Model, watch: &Watch) -> Vec<ListRow> {
    let findings = watch.report.iter().flat_map(|r| &r.findings);
    findings
        .filter_map(|f| match MigrationFinding::from_finding(f) {
            Some((MigrationFinding::InvalidIndex, Some(index))) => Some((f, index)),
            _ => None,
        })
        .map(|(f, index)| ListRow {
            key: f.id.clone(),
            cells: vec![
                shared::severity_cell(model, f.severity),
                plain(index),
                plain(""),
                cell(f.message.clone(), Tone::Dim),
            ],
            goto: Goto::Detail(shared::finding_detail("invalid index", f)),
            check: Some(watch.id.clone()),
        })
        .collect()
}

/// The files themselves say so.
fn is_pending(f: &Finding) -> bool {
    MigrationFinding::from_finding(f).is_some_and(|(kind, _)| kind == MigrationFinding::Pending)
}

fn state(model: &Model, state: FileState) -> Cell {
    let g = model.theme.glyphs;
    let (tone, symbol) = match state {
        FileState::Applied => (Tone::Good, g.ok),
        FileState::Cosmetic => (Tone::Dim, g.dot),
        FileState::Pending | FileState::Edited | FileState::Missing => (Tone::Warn, g.warn),
        FileState::Partial | FileState::Failed => (Tone::Bad, g.fail),
        FileState::Unknown => (Tone::Unknown, g.unknown),
    };
    cell(format!("{symbol} {}", state.word()), tone)
}

fn short_time(text: &str) -> String {
    text.get(..16).unwrap_or(text).to_owned()
}
