//! Tables as data: what stands in which row, and where Enter leads. Both drawing and keys use the same.

use std::collections::BTreeMap;

use super::theme::Tone;
use crate::engine::model::report::CheckId;

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cell {
    /// Its text.
    pub text: String,
    /// Its meaning.
    pub tone: Tone,
    /// It stands for NULL, which is no text.
    pub null: bool,
}

/// A line of cells.
pub type Spans = Vec<Cell>;

/// A cell of a meaning.
pub fn cell(text: impl Into<String>, tone: Tone) -> Cell {
    Cell { text: text.into(), tone, null: false }
}

/// NULL is drawn as what it is, not as an empty text.
pub fn value(text: Option<&String>, tone: Tone) -> Cell {
    match text {
        None => Cell { text: "NULL".into(), tone: Tone::Dim, null: true },
        Some(text) => cell(text.clone(), tone),
    }
}

/// An ordinary cell.
pub fn plain(text: impl Into<String>) -> Cell {
    cell(text, Tone::Plain)
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Col {
    /// Its heading.
    pub title: String,
    /// Numbers are right-aligned.
    pub right: bool,
    /// It takes what is left over.
    pub grow: bool,
}

impl Col {
    /// A left-aligned column.
    pub fn left(title: &str) -> Self {
        Self { title: title.into(), right: false, grow: false }
    }

    /// A column of numbers.
    pub fn right(title: &str) -> Self {
        Self { title: title.into(), right: true, grow: false }
    }

    /// The column that takes what is left over.
    pub fn grow(title: &str) -> Self {
        Self { title: title.into(), right: false, grow: true }
    }
}

/// Where Enter leads.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Goto {
    /// Nowhere.
    #[default]
    Stay,
    /// A twin's page.
    Twin(CheckId),
    /// Its partitions.
    Partitions(CheckId),
    /// Rows behind a finding.
    Rows {
        /// Of which check.
        id: CheckId,
        /// Which finding.
        finding: String,
    },
    /// Everything about this row.
    Detail(Detail),
    /// A run of the journal; empty: ours, which has no number yet.
    Run(String),
    /// A check's own pane, at this row.
    Pane {
        /// Of which kind.
        id: CheckId,
        /// The row's key there.
        row: Option<String>,
    },
}

/// Everything about one row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Detail {
    /// One line for people.
    pub title: String,
    /// Names and values.
    pub pairs: Vec<(String, Cell)>,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListRow {
    /// Identifies it across refreshes.
    pub key: String,
    /// Its cells.
    pub cells: Vec<Cell>,
    /// Where Enter leads.
    pub goto: Goto,
    /// The check it belongs to.
    pub check: Option<CheckId>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct List {
    /// Its columns.
    pub cols: Vec<Col>,
    /// Its rows.
    pub rows: Vec<ListRow>,
    /// What stands there when there are none: why, and what to do.
    pub empty: String,
    /// Its `empty` is a failure or an unknown.
    pub empty_tone: Tone,
}

/// Where the cursor is, and what is chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListState {
    /// The row under the cursor.
    pub cursor: usize,
    /// First column shown.
    pub column: usize,
    /// Filter text; `!` in front inverts.
    pub filter: String,
    /// Column sorted by, and whether largest first.
    pub sort: Option<(usize, bool)>,
    /// Marked rows by key, with their values: a paged view may no longer hold them when they are wanted.
    pub marks: BTreeMap<String, Vec<Option<String>>>,
    /// Where a range began.
    pub anchor: Option<usize>,
    /// The key under the cursor, to find it again after a refresh.
    pub key: Option<String>,
}

/// Does a text match a filter as typed?
pub fn matches(filter: &str, text: &str) -> bool {
    let (inverse, needle) = match filter.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, filter),
    };
    needle.is_empty() || text.to_lowercase().contains(&needle.to_lowercase()) != inverse
}

impl ListRow {
    /// Its values, for copying and export.
    pub fn values(&self) -> Vec<Option<String>> {
        self.cells.iter().map(|c| (!c.null).then(|| c.text.clone())).collect()
    }

    /// All its text, for filtering.
    pub fn text(&self) -> String {
        self.cells.iter().map(|c| c.text.as_str()).collect::<Vec<_>>().join(" ")
    }
}

impl List {
    /// The rows that pass the filter, in the wanted order.
    #[must_use]
    pub fn arranged(mut self, state: &ListState) -> Self {
        if !state.filter.is_empty() {
            let had = self.rows.len();
            self.rows.retain(|r| matches(&state.filter, &r.text()));
            if self.rows.is_empty() && had > 0 {
                self.empty = format!("none of {had} rows matches /{}   Esc shows them all", state.filter);
                self.empty_tone = Tone::Dim;
            }
        }
        if let Some((column, descending)) = state.sort {
            let text = |r: &ListRow| r.cells.get(column).map(|c| c.text.clone()).unwrap_or_default();
            self.rows.sort_by(|a, b| {
                let order = natural(&text(a), &text(b));
                if descending { order.reverse() } else { order }
            });
        }
        self
    }

    /// The cursor's row, found again by key after a refresh.
    pub fn position(&self, state: &ListState) -> usize {
        let by_key = state.key.as_ref().and_then(|k| self.rows.iter().position(|r| &r.key == k));
        by_key.unwrap_or(state.cursor).min(self.rows.len().saturating_sub(1))
    }
}

/// Numbers by value (with their thousands' marks), everything else as text.
fn natural(a: &str, b: &str) -> std::cmp::Ordering {
    let number = |t: &str| t.split_whitespace().next().and_then(|t| t.replace(',', "").parse::<f64>().ok());
    match (number(a), number(b)) {
        (Some(x), Some(y)) => x.total_cmp(&y),
        _ => a.cmp(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(texts: &[&str]) -> List {
        let row = |t: &&str| ListRow { key: (*t).into(), cells: vec![plain(*t)], ..ListRow::default() };
        List { rows: texts.iter().map(row).collect(), ..List::default() }
    }

    fn keys(list: &List) -> Vec<&str> {
        list.rows.iter().map(|r| r.key.as_str()).collect()
    }

    #[test]
    fn filters_and_their_inverse() {
        let state = |f: &str| ListState { filter: f.into(), ..ListState::default() };
        assert_eq!(keys(&list(&["Apple", "pear"]).arranged(&state("app"))), ["Apple"]);
        assert_eq!(keys(&list(&["Apple", "pear"]).arranged(&state("!app"))), ["pear"]);
        assert!(list(&["a"]).arranged(&state("zzz")).empty.contains("none of 1 rows"));
    }

    #[test]
    fn numbers_sort_by_value() {
        let state = ListState { sort: Some((0, true)), ..ListState::default() };
        assert_eq!(keys(&list(&["9", "1,200", "30"]).arranged(&state)), ["1,200", "30", "9"]);
    }

    #[test]
    fn the_cursor_follows_its_row() {
        let state = ListState { cursor: 0, key: Some("b".into()), ..ListState::default() };
        assert_eq!(list(&["x", "a", "b"]).position(&state), 2);
        assert_eq!(list(&[]).position(&state), 0);
    }
}
