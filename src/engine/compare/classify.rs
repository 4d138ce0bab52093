//! How two sides' rows of one key differ.

use serde::Deserialize;

use crate::engine::model::comparison::{ComparedColumns, KeyText};

/// How a row differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DifferenceClass {
    /// On the left side only.
    OnlyLeft,
    /// On the right side only.
    OnlyRight,
    /// On both sides, with different values.
    Different,
    /// On both sides, with the same values written otherwise: 17 and 17.0.
    TextOnly,
    /// On both sides; the right side's is an old copy in a group where the row is no longer.
    WrongGroup,
    /// A second row with the same key.
    Duplicate,
}

/// A row that was found by its key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LocatedRow {
    /// Which of the keys looked up, counted from one.
    pub n: usize,
    /// Its key.
    pub key: KeyText,
    /// The name of its group, where its part has one.
    #[serde(rename = "partition")]
    pub group_name: Option<String>,
    /// The number of its group.
    pub bucket: Option<i64>,
    /// The number of its key range.
    pub range: i64,
    /// The compared columns.
    pub cells: Vec<Option<String>>,
}

/// A difference and the rows that show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDifference<'r> {
    /// What it is.
    pub class: DifferenceClass,
    /// The left side's row, where it has a part in it.
    pub left: Option<&'r LocatedRow>,
    /// The right side's.
    pub right: Option<&'r LocatedRow>,
    /// Columns that differ; of a row in the wrong group, those that decide the group.
    pub columns: Vec<String>,
}

impl<'r> KeyDifference<'r> {
    fn left(class: DifferenceClass, row: &'r LocatedRow) -> Self {
        Self { class, left: Some(row), right: None, columns: vec![] }
    }

    fn right(class: DifferenceClass, row: &'r LocatedRow) -> Self {
        Self { class, left: None, right: Some(row), columns: vec![] }
    }
}

/// What decides how rows of one key belong together.
#[derive(Debug, Clone, Copy)]
pub struct KeyRules<'a> {
    /// The compared columns.
    pub columns: &'a ComparedColumns,
    /// Columns that decide a row's group; empty: there are no groups.
    pub group_key: &'a [String],
}

impl KeyRules<'_> {
    /// What is wrong with one key, from its rows on both sides. `settled`: the left row's own group is equal, so its
    /// present copy is there, though it was not read.
    pub fn classify<'r>(
        &self,
        left: &[&'r LocatedRow],
        right: &[&'r LocatedRow],
        settled: bool,
    ) -> Vec<KeyDifference<'r>> {
        let mut out = Vec::new();
        let Some((&current, more)) = left.split_first() else {
            for (i, row) in right.iter().enumerate() {
                let class = if i == 0 { DifferenceClass::OnlyRight } else { DifferenceClass::Duplicate };
                out.push(KeyDifference::right(class, row));
            }
            return out;
        };
        out.extend(more.iter().map(|l| KeyDifference::left(DifferenceClass::Duplicate, l)));
        if right.is_empty() {
            out.push(KeyDifference::left(DifferenceClass::OnlyLeft, current));
            return out;
        }
        let at: Vec<usize> = self
            .group_key
            .iter()
            .filter_map(|k| self.columns.common.iter().position(|c| &c.name == k))
            .collect();
        let same_group = |r: &LocatedRow| at.iter().all(|i| r.cells.get(*i) == current.cells.get(*i));
        let mut here = right.iter().copied().filter(|r| same_group(r));
        let first = here.next();
        out.extend(here.map(|r| KeyDifference::right(DifferenceClass::Duplicate, r)));
        let away: Vec<&LocatedRow> = right.iter().copied().filter(|r| !same_group(r)).collect();
        if settled {
            out.extend(away.iter().map(|old| self.old_copy(current, old)));
            return out;
        }
        // Without a copy in the present group, one old copy is the row itself, left behind with wrong values.
        let (main, old) = match first {
            Some(row) => (row, away.as_slice()),
            None => match away.split_first() {
                Some((row, rest)) => (*row, rest),
                None => return out,
            },
        };
        let columns = self.differing_columns(current, main);
        if !columns.is_empty() {
            let class = DifferenceClass::Different;
            out.push(KeyDifference { class, left: Some(current), right: Some(main), columns });
        }
        out.extend(old.iter().map(|old| self.old_copy(current, old)));
        out
    }

    fn old_copy<'r>(&self, current: &'r LocatedRow, old: &'r LocatedRow) -> KeyDifference<'r> {
        let columns = self.group_key.to_vec();
        let class = DifferenceClass::WrongGroup;
        KeyDifference { class, left: Some(current), right: Some(old), columns }
    }

    fn differing_columns(&self, left: &LocatedRow, right: &LocatedRow) -> Vec<String> {
        let columns = self.columns.common.iter().enumerate();
        let differ = columns.filter(|(i, _)| left.cells.get(*i) != right.cells.get(*i));
        differ.map(|(_, c)| c.name.clone()).collect()
    }
}
