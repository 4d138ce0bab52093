//! All rows of a plan, outside of memory: written once in order, read by page.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::engine::model::diff::{DIFF_ROWS, PlannedRow, Total};
use crate::engine::model::error::Result;

/// Kinds of change that are told apart; beyond, rows are counted together.
const KINDS: usize = 10_000;
/// Kinds of change that a plan lists.
const LISTED: usize = 200;
/// Characters of a kind's text; what differs only beyond counts as one kind.
const KIND: usize = 200;

/// What a text ends in that was cut: its rows are grouped by its beginning.
pub const CUT: &str = "… (cut)";

fn cut(mut text: String) -> String {
    if let Some((at, _)) = text.char_indices().nth(KIND) {
        text.truncate(at);
        text.push_str(CUT);
    }
    text
}

/// The rows of a plan.
pub trait RowSet: Send + Sync {
    /// How many.
    fn len(&self) -> u64;
    /// None?
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Of the lines.
    fn sha256(&self) -> &str;
    /// A page, from the given row on.
    fn page(&self, from: u64, limit: usize) -> Result<Vec<PlannedRow>>;
    /// The same, its values not looked into.
    fn raw(&self, from: u64, limit: usize) -> Result<Vec<RawRow>>;
    /// A copy beside the plan's file.
    fn save(&self, path: &Path) -> Result<()>;
}

/// A planned row on its way into the journal.
#[derive(Debug, Deserialize)]
pub struct RawRow {
    /// As [`PlannedRow::key`].
    pub key: Box<RawValue>,
    /// As [`PlannedRow::before`].
    #[serde(default)]
    pub before: Option<Box<RawValue>>,
    /// As [`PlannedRow::after`].
    #[serde(default)]
    pub after: Option<Box<RawValue>>,
    /// As [`PlannedRow::unit`].
    #[serde(default)]
    pub unit: Option<i64>,
    /// As [`PlannedRow::step`].
    #[serde(default)]
    pub step: Option<usize>,
}

/// The sum of a row set's lines.
#[derive(Debug, Clone, Default)]
pub struct LineSum(Sha256);

impl LineSum {
    /// One more line, without its end.
    pub fn add(&mut self, line: &str) {
        self.0.update(line);
        self.0.update(b"\n");
    }

    /// Whole lines, with their ends.
    pub fn add_lines(&mut self, lines: &[u8]) {
        self.0.update(lines);
    }

    /// In hexadecimal.
    pub fn finish(self) -> String {
        hex::encode(self.0.finalize())
    }
}

/// What a plan says of its rows: the first ones, and groups.
#[derive(Debug, Default)]
pub struct Summary {
    rows: u64,
    first: Vec<PlannedRow>,
    kinds: HashMap<String, u64>,
    others: u64,
    steps: HashMap<usize, u64>,
}

impl Summary {
    /// One more row.
    pub fn add(&mut self, row: &PlannedRow) {
        self.rows += 1;
        if let Some(step) = row.step {
            *self.steps.entry(step).or_default() += 1;
        }
        if self.first.len() < DIFF_ROWS {
            self.first.push(row.clone());
        }
        let kind = cut(row.change_text());
        if let Some(n) = self.kinds.get_mut(&kind) {
            *n += 1;
        } else if self.kinds.len() < KINDS {
            self.kinds.insert(kind, 1);
        } else {
            self.others += 1;
        }
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Of them, those that a step changes.
    pub fn of_step(&self, step: usize) -> u64 {
        self.steps.get(&step).copied().unwrap_or(0)
    }

    /// The first rows.
    pub fn first(&self) -> &[PlannedRow] {
        &self.first
    }

    /// Groups, most rows first; and, where there are more, how many groups and rows are not listed.
    pub fn totals(&self) -> (Vec<Total>, Option<(u64, u64)>) {
        let mut totals: Vec<Total> =
            self.kinds.iter().map(|(change, rows)| Total { change: change.clone(), rows: *rows }).collect();
        totals.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.change.cmp(&b.change)));
        let cut = totals.split_off(totals.len().min(LISTED));
        let rows: u64 = cut.iter().map(|t| t.rows).sum::<u64>() + self.others;
        // Rows beyond the kinds told apart are of at least one more kind.
        let kinds = cut.len() as u64 + u64::from(self.others > 0);
        (totals, (rows > 0).then_some((kinds, rows)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::model::diff::Values;

    fn row(after: &str) -> PlannedRow {
        let values = |v: &str| Some(Values::from_iter([("c".to_owned(), json!(v))]));
        PlannedRow { before: values("x"), after: values(after), ..PlannedRow::default() }
    }

    #[test]
    fn long_kinds_are_cut_grouped_and_said_to_be() {
        let mut summary = Summary::default();
        let long = "ä".repeat(100_000);
        summary.add(&row(&format!("{long}1")));
        summary.add(&row(&format!("{long}2")));
        summary.add(&row("y"));
        let (totals, others) = summary.totals();
        assert_eq!(others, None);
        assert_eq!((totals[0].rows, totals[1].change.as_str()), (2, "x → y"));
        assert!(totals[0].change.ends_with(CUT) && totals[0].change.chars().count() < 220);
    }

    #[test]
    fn more_kinds_than_can_be_told_apart_are_counted_together() {
        let mut summary = Summary::default();
        for i in 0..KINDS + 5 {
            summary.add(&row(&i.to_string()));
        }
        let (totals, others) = summary.totals();
        assert_eq!(totals.len(), LISTED);
        let rest = KINDS + 5 - LISTED;
        assert_eq!(others, Some(((KINDS - LISTED) as u64 + 1, rest as u64)));
    }
}
