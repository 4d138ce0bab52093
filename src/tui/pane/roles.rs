//! With which rights the target is looked at; Enter has the statements that end a finding.

use crate::features::roles::facts::KIND;
use crate::tui::list::{Col, Detail, Goto, List, ListRow, Spans, cell, plain};
use crate::tui::model::state::Model;
use crate::tui::model::watch::Watch;
use crate::tui::pane::shared::{self, Pane};
use crate::tui::theme::Tone;

pub(super) struct Roles;

impl Pane for Roles {
    fn title(&self) -> &'static str {
        "Roles"
    }

    fn kind(&self) -> Option<&'static str> {
        Some(KIND)
    }

    fn picture(&self, _model: &Model, _width: u16) -> Vec<Spans> {
        vec![]
    }

    fn list(&self, model: &Model) -> List {
        let rows = model.of_kind(KIND).flat_map(|watch| rows(model, watch)).collect();
        let (empty, empty_tone) = shared::empty_text(model, KIND, "has no checks of roles");
        let cols = vec![Col::left("state"), Col::left("check"), Col::grow("what"), Col::right("seen")];
        List { cols, rows, empty, empty_tone }
    }
}

/// A line for each finding; one for a check that has none.
fn rows(model: &Model, watch: &Watch) -> Vec<ListRow> {
    if let Some(row) = shared::unknown_row(watch, 4, model.theme.glyphs.unknown) {
        return vec![row];
    }
    let Some(report) = watch.report.as_ref().filter(|r| !r.findings.is_empty()) else {
        let text = watch.report.as_ref().map(|r| r.summary.clone()).unwrap_or_default();
        let cells = vec![
            shared::state_cell(model, watch),
            plain(watch.id.name.clone()),
            cell(text, Tone::Dim),
            shared::age_cell(model, watch),
        ];
        return vec![ListRow {
            key: watch.id.to_string(),
            cells,
            goto: Goto::Stay,
            check: Some(watch.id.clone()),
        }];
    };
    let row = |finding| {
        let Detail { title, mut pairs } = shared::finding_detail(&watch.id.to_string(), finding);
        pairs.extend(report.notes.iter().map(|n| ("note".to_owned(), plain(n.text.clone()))));
        let cells = vec![
            shared::severity_cell(model, finding.severity),
            plain(watch.id.name.clone()),
            plain(finding.message.clone()),
            shared::age_cell(model, watch),
        ];
        ListRow {
            key: finding.id.clone(),
            cells,
            goto: Goto::Detail(Detail { title, pairs }),
            check: Some(watch.id.clone()),
        }
    };
    report.findings.iter().map(row).collect()
}
