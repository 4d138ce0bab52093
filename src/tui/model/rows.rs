//! A paged view: a window of rows around the cursor; the rest stays in the database.

use crate::engine::check::paging::{At, Filter, PageRequest, Row as PageRow, RowSource, Sort};
use crate::engine::model::query::Column;
use crate::engine::model::report::CheckId;
use crate::tui::failure::Failure;
use crate::tui::list::{Col, Detail, Goto, List, ListRow, value};
use crate::tui::msg::Slot;
use crate::tui::theme::Tone;
use chrono::{DateTime, Utc};

/// Rows of a page.
pub(in crate::tui) const PAGE: usize = 200;

/// The window and where it lies.
#[derive(Debug, Clone, PartialEq)]
pub struct RowsView {
    /// Answers to other slots are not ours.
    pub slot: Slot,
    /// Of which check.
    pub id: CheckId,
    /// Which finding.
    pub finding: String,
    /// From where; known with the first page.
    pub source: Option<RowSource>,
    /// Columns.
    pub columns: Vec<Column>,
    /// The rows held.
    pub rows: Vec<PageRow>,
    /// Number of the first row held.
    pub first: u64,
    /// Number of all rows.
    pub total: Option<u64>,
    /// Order, by column.
    pub sort: Option<Sort>,
    /// Filter as typed.
    pub filter: String,
    /// When the rows were read.
    pub read_at: Option<DateTime<Utc>>,
    /// A page is on its way.
    pub loading: bool,
    /// The last failure.
    pub failure: Option<Failure>,
}

impl RowsView {
    /// Before anything is known.
    pub fn new(slot: Slot, id: CheckId, finding: String) -> Self {
        Self {
            slot,
            id,
            finding,
            source: None,
            columns: vec![],
            rows: vec![],
            first: 0,
            total: None,
            sort: None,
            filter: String::new(),
            read_at: None,
            loading: true,
            failure: None,
        }
    }

    /// A page of this view.
    pub fn request(&self, at: At, count: bool) -> Option<PageRequest> {
        let filter = (!self.filter.is_empty()).then(|| match self.filter.strip_prefix('!') {
            Some(text) => Filter { text: text.into(), inverse: true },
            None => Filter { text: self.filter.clone(), inverse: false },
        });
        Some(PageRequest {
            source: self.source.clone()?,
            filter,
            sort: self.sort.clone(),
            at,
            limit: PAGE,
            count,
            whole: false,
        })
    }

    /// The window as a table.
    pub fn list(&self) -> List {
        let label = |c: &Column| {
            let labels = self.source.as_ref().map(|s| &s.labels);
            labels.and_then(|l| l.get(&c.name)).unwrap_or(&c.name).clone()
        };
        let cols =
            self.columns.iter().map(|c| Col { title: label(c), right: c.numeric, grow: false }).collect();
        let (empty, empty_tone) = match (&self.failure, self.loading, self.filter.is_empty()) {
            (Some(f), ..) => (
                format!("{}{}", f.message, f.hint.as_ref().map(|h| format!("\n{h}")).unwrap_or_default()),
                Tone::Bad,
            ),
            (None, true, _) => ("reading rows…".into(), Tone::Dim),
            (None, false, false) => (format!("no row matches /{}   Esc shows all", self.filter), Tone::Dim),
            (None, false, true) => ("no rows: nothing is wrong here any more".into(), Tone::Good),
        };
        List { cols, rows: self.rows.iter().map(|r| self.row(r)).collect(), empty, empty_tone }
    }

    pub(in crate::tui) fn row(&self, row: &PageRow) -> ListRow {
        ListRow {
            key: row
                .position
                .iter()
                .map(|p| p.as_deref().unwrap_or("\u{0}"))
                .collect::<Vec<_>>()
                .join("\u{1}"),
            cells: row.cells.iter().map(|c| value(c.as_ref(), Tone::Plain)).collect(),
            goto: Goto::Detail(self.detail(row)),
            check: Some(self.id.clone()),
        }
    }

    pub(in crate::tui) fn detail(&self, row: &PageRow) -> Detail {
        let title = self.source.as_ref().map(|s| s.title.clone()).unwrap_or_default();
        let pairs = self
            .columns
            .iter()
            .zip(&row.cells)
            .map(|(c, v)| (c.name.clone(), value(v.as_ref(), Tone::Plain)))
            .collect();
        Detail { title, pairs }
    }

    /// The number of the row under the cursor, from one.
    pub fn number(&self, cursor: usize) -> u64 {
        self.first + cursor as u64 + 1
    }
}
