//! Rules and how many rows break each; Enter pages through them.

use crate::engine::model::report::Status;
use crate::features::anomalies::check::ROWS;
use crate::features::anomalies::facts::KIND;
use crate::tui::format::{count, seconds, spark};
use crate::tui::list::{Col, Goto, List, ListRow, Spans, cell, plain};
use crate::tui::model::state::Model;
use crate::tui::model::watch::Watch;
use crate::tui::pane::shared::{self, Pane};
use crate::tui::theme::Tone;

pub(super) struct Anomalies;

impl Pane for Anomalies {
    fn title(&self) -> &'static str {
        "Anomalies"
    }

    fn kind(&self) -> Option<&'static str> {
        Some(KIND)
    }

    fn picture(&self, _app: &Model, _width: u16) -> Vec<Spans> {
        vec![]
    }

    fn list(&self, model: &Model) -> List {
        let mut rows: Vec<(u8, ListRow)> = model.of_kind(KIND).map(|w| row(model, w)).collect();
        rows.sort_by_key(|(rank, _)| *rank);
        let (empty, empty_tone) = shared::empty_text(model, KIND, "declares no anomaly rules");
        List {
            cols: vec![
                Col::left("state"),
                Col::left("rule"),
                Col::right("rows"),
                Col::right("new"),
                Col::grow("what is wrong"),
                Col::left("trend"),
                Col::right("took"),
                Col::right("seen"),
            ],
            rows: rows.into_iter().map(|(_, r)| r).collect(),
            empty,
            empty_tone,
        }
    }
}

/// A rule, behind its rank.
fn row(model: &Model, watch: &Watch) -> (u8, ListRow) {
    let report = watch.report.as_ref();
    let finding = report.and_then(|r| r.findings.first());
    let unknown = watch.why();
    let text = match (finding, unknown, report) {
        (_, Some(why), _) => cell(why.lines().next().unwrap_or_default(), Tone::Unknown),
        (Some(f), ..) => plain(f.title.as_ref().unwrap_or(&f.message).clone()),
        (None, None, Some(_)) => cell("no rows", Tone::Dim),
        (None, None, None) => plain(""),
    };
    let number = finding.and_then(|f| f.rows);
    let new = finding.and_then(|f| model.growth(&f.id, f.rows)).map(|(n, _)| format!("+{}", count(n)));
    let cost = report.map(|r| seconds(f64::from(u32::try_from(r.elapsed_ms).unwrap_or(u32::MAX)) / 1000.0));
    let cells = vec![
        shared::state_cell(model, watch),
        plain(watch.id.name.clone()),
        plain(number.map_or_else(
            || {
                if report.is_some_and(|r| r.status == Status::Ok) { "0".into() } else { String::new() }
            },
            count,
        )),
        cell(new.unwrap_or_default(), Tone::Warn),
        text,
        cell(spark(&watch.trend, 8, model.theme.glyphs), Tone::Accent),
        cell(cost.unwrap_or_default(), Tone::Dim),
        shared::age_cell(model, watch),
    ];
    let goto = match (unknown, finding) {
        (Some(_), _) => {
            shared::unknown_row(watch, 3, model.theme.glyphs.unknown).map(|r| r.goto).unwrap_or_default()
        }
        (None, Some(_)) => Goto::Rows { id: watch.id.clone(), finding: ROWS.into() },
        (None, None) => Goto::Stay,
    };
    let rank = report.map_or(2, |r| r.status.rank());
    (rank, ListRow { key: watch.id.to_string(), cells, goto, check: Some(watch.id.clone()) })
}
