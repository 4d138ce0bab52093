//! A plan against the same plan made now: which rows have moved, from what to what.

use std::cmp::Ordering;

use serde::Serialize;

use super::error::{Class, Error, Result};
use super::plan::{Plan, PlannedRow};
use super::rowset::RowSet;

/// Differences that are told one by one; the total is always told.
const TOLD: usize = 1_000;
const PAGE: usize = 2_000;

/// A row that is not as planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MovedRow {
    /// `gone`, `new` or `changed`.
    pub what: &'static str,
    /// As planned.
    pub planned: Option<PlannedRow>,
    /// As a plan made now would have it.
    pub now: Option<PlannedRow>,
}

/// Everything that has moved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// Rows, the first of them.
    pub rows: Vec<MovedRow>,
    /// All rows that have moved.
    pub total: u64,
    /// Other parts of the plan.
    pub parts: Vec<String>,
}

impl Moved {
    /// Nothing has.
    pub fn is_empty(&self) -> bool {
        self.total == 0 && self.parts.is_empty()
    }

    /// As an error (exit 4).
    pub fn error(&self) -> Error {
        let mut lines: Vec<String> = self.parts.clone();
        lines.extend(self.rows.iter().take(5).map(MovedRow::text));
        if self.total > 5 {
            lines.push(format!("… {} rows in all", self.total));
        }
        let what = match (self.total, self.parts.len()) {
            (0, n) => format!("{n} parts of the plan differ from what would be planned now"),
            (1, _) => "1 row has moved since it was planned".to_owned(),
            (n, _) => format!("{n} rows have moved since they were planned"),
        };
        Error::new(Class::Stale, format!("{what}: {}", lines.join("; ")))
            .hint("nothing was changed; plan again and read the new diff")
    }
}

impl MovedRow {
    /// In one line.
    pub fn text(&self) -> String {
        match (&self.planned, &self.now) {
            (Some(p), None) => {
                format!("{}: planned {}, no longer to be changed", p.key_text(), p.change_text())
            }
            (None, Some(n)) => format!("{}: not planned, now {}", n.key_text(), n.change_text()),
            (Some(p), Some(n)) => {
                format!("{}: planned {}, now {}", p.key_text(), p.change_text(), n.change_text())
            }
            (None, None) => String::new(),
        }
    }
}

/// Reads a row set in order.
struct Walk<'a> {
    rows: &'a dyn RowSet,
    at: u64,
    page: std::vec::IntoIter<PlannedRow>,
}

impl<'a> Walk<'a> {
    fn new(rows: &'a dyn RowSet) -> Self {
        Self { rows, at: 0, page: Vec::new().into_iter() }
    }

    fn next(&mut self) -> Result<Option<PlannedRow>> {
        if let Some(row) = self.page.next() {
            return Ok(Some(row));
        }
        if self.at >= self.rows.len() {
            return Ok(None);
        }
        let page = self.rows.page(self.at, PAGE)?;
        self.at += page.len() as u64;
        self.page = page.into_iter();
        Ok(self.page.next())
    }
}

/// Compares; equal sums of the lines need no second look.
pub fn compare(plan: &Plan, rows: &dyn RowSet, fresh: &Plan, now: &dyn RowSet) -> Result<Moved> {
    let mut moved = Moved { parts: plan.differences(fresh), ..Moved::default() };
    if rows.sha256() != now.sha256() {
        walk(rows, now, &mut moved)?;
        // What the count and the texts say follows from the rows.
        if moved.total > 0 {
            moved
                .parts
                .retain(|p| !["rows:", "why:", "changes:", "diff_total:"].iter().any(|w| p.starts_with(w)));
        }
    }
    Ok(moved)
}

/// Both sides come in the server's order of keys, which we do not know: a key that the other side has not shown
/// yet is held until it does, or until both ends.
fn walk(rows: &dyn RowSet, now: &dyn RowSet, moved: &mut Moved) -> Result<()> {
    use std::collections::HashMap;
    let (mut a, mut b) = (Walk::new(rows), Walk::new(now));
    let (mut only_a, mut only_b) = (HashMap::new(), HashMap::new());
    loop {
        let (left, right) = (a.next()?, b.next()?);
        if left.is_none() && right.is_none() {
            break;
        }
        if let (Some(l), Some(r)) = (&left, &right)
            && l.key == r.key
        {
            if !same(l, r) {
                moved.add(left, right);
            }
            continue;
        }
        // When one side has ended, the other's rows wait for nobody.
        let (ended_a, ended_b) = (left.is_none(), right.is_none());
        if let Some(l) = left {
            match only_b.remove(&l.key_text()) {
                Some(r) if same(&l, &r) => {}
                Some(r) => moved.add(Some(l), Some(r)),
                None if ended_b => moved.add(Some(l), None),
                None => {
                    only_a.insert(l.key_text(), l);
                }
            }
        }
        if let Some(r) = right {
            match only_a.remove(&r.key_text()) {
                Some(l) if same(&l, &r) => {}
                Some(l) => moved.add(Some(l), Some(r)),
                None if ended_a => moved.add(None, Some(r)),
                None => {
                    only_b.insert(r.key_text(), r);
                }
            }
        }
    }
    let mut left: Vec<PlannedRow> = only_a.into_values().collect();
    left.sort_by(by_key);
    let mut right: Vec<PlannedRow> = only_b.into_values().collect();
    right.sort_by(by_key);
    for row in left {
        moved.add(Some(row), None);
    }
    for row in right {
        moved.add(None, Some(row));
    }
    Ok(())
}

fn by_key(a: &PlannedRow, b: &PlannedRow) -> Ordering {
    a.key_text().cmp(&b.key_text())
}

/// What is shown beside a row may change without the row.
fn same(a: &PlannedRow, b: &PlannedRow) -> bool {
    a.before == b.before && a.after == b.after && a.unit == b.unit
}

impl Moved {
    fn add(&mut self, planned: Option<PlannedRow>, now: Option<PlannedRow>) {
        self.total += 1;
        if self.rows.len() < TOLD {
            let what = match (&planned, &now) {
                (Some(_), None) => "gone",
                (None, _) => "new",
                _ => "changed",
            };
            self.rows.push(MovedRow { what, planned, now });
        }
    }
}
