//! What each migration file's state is.

use super::{Pane, Spans};
use crate::engine::model::report::Severity;
use crate::features::migrations::facts::MigrationFacts;
use crate::tui::app::{App, Watch};
use crate::tui::list::{Cell, Col, Detail, Goto, List, Row, cell, plain};
use crate::tui::theme::Tone;

pub(super) struct Migrations;

impl Pane for Migrations {
    fn title(&self) -> &'static str {
        "Migrations"
    }

    fn kind(&self) -> Option<&'static str> {
        Some("migrations")
    }

    fn picture(&self, app: &App, _width: u16) -> Vec<Spans> {
        let mut out = Vec::new();
        for watch in app.of_kind("migrations") {
            let Some(facts) = facts(watch) else { continue };
            out.push(vec![
                cell(format!(" {:<14}", watch.id.name), Tone::Strong),
                super::state_cell(app, watch),
                plain(format!("   {} applied   {} pending", facts.applied, facts.pending)),
                cell(format!("   history: {}   ", facts.history), Tone::Dim),
                super::age_cell(app, watch),
            ]);
            if !facts.cannot_tell.is_empty() {
                let text = format!(" {:<14}this history cannot tell: {}", "", facts.cannot_tell.join("; "));
                out.push(vec![cell(text, Tone::Unknown)]);
            }
            let report = watch.report.iter().flat_map(|r| &r.findings);
            for f in report.filter(|f| f.severity > Severity::Info && f.what() != "pending") {
                let (tone, symbol, _) = app.theme.severity(f.severity);
                out.push(vec![cell(format!(" {:<14}{symbol} ", ""), tone), plain(f.message.clone())]);
            }
        }
        out.truncate(8);
        out
    }

    fn list(&self, app: &App) -> List {
        let mut rows = Vec::new();
        for watch in app.of_kind("migrations") {
            rows.extend(super::unknown_row(watch, 4, app.theme.glyphs.unknown));
            let Some(facts) = facts(watch) else { continue };
            for file in facts.files.iter().rev() {
                let cells = vec![
                    state(app, &file.state),
                    plain(file.name.clone()),
                    plain(file.applied_at.as_deref().map(short_time).unwrap_or_default()),
                    cell(file.note.clone().unwrap_or_default(), Tone::Dim),
                ];
                let pairs = vec![
                    ("file".to_owned(), plain(file.name.clone())),
                    ("state".to_owned(), plain(file.state.clone())),
                    (
                        "applied at".to_owned(),
                        plain(file.applied_at.clone().unwrap_or_else(|| "unknown".into())),
                    ),
                    ("note".to_owned(), plain(file.note.clone().unwrap_or_default())),
                    ("history".to_owned(), plain(facts.history.clone())),
                ];
                let goto =
                    Goto::Detail(Detail { title: format!("{} in {}", file.name, watch.id.name), pairs });
                rows.push(Row {
                    key: format!("{}/{}", watch.id, file.name),
                    cells,
                    goto,
                    check: Some(watch.id.clone()),
                });
            }
            rows.extend(indexes(app, watch));
        }
        let (empty, empty_tone) = super::nothing(app, "migrations", "declares no migration folder");
        List {
            cols: vec![Col::left("state"), Col::left("file"), Col::left("applied (UTC)"), Col::grow("note")],
            rows,
            empty,
            empty_tone,
        }
    }
}

fn facts(watch: &Watch) -> Option<MigrationFacts> {
    serde_json::from_value(watch.report.as_ref()?.facts.clone()).ok()
}

/// INVALID indexes stand among the files: they are what a migration left behind.
fn indexes(app: &App, watch: &Watch) -> Vec<Row> {
    let findings = watch.report.iter().flat_map(|r| &r.findings);
    findings
        .filter(|f| f.what().starts_with("invalid_index/"))
        .map(|f| Row {
            key: f.id.clone(),
            cells: vec![
                super::severity_cell(app, f.severity),
                plain(f.what().trim_start_matches("invalid_index/")),
                plain(""),
                cell(f.message.clone(), Tone::Dim),
            ],
            goto: Goto::Detail(super::finding_detail("invalid index", f)),
            check: Some(watch.id.clone()),
        })
        .collect()
}

fn state(app: &App, state: &str) -> Cell {
    let g = app.theme.glyphs;
    let (tone, symbol) = match state {
        "applied" => (Tone::Good, g.ok),
        "cosmetic" => (Tone::Dim, g.dot),
        "pending" | "edited" | "missing" => (Tone::Warn, g.warn),
        "partial" | "failed" => (Tone::Bad, g.fail),
        _ => (Tone::Unknown, g.unknown),
    };
    cell(format!("{symbol} {state}"), tone)
}

fn short_time(text: &str) -> String {
    text.get(..16).unwrap_or(text).to_owned()
}
