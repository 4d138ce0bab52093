//! How two sides' rows of one key differ.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::engine::model::diff::text_of;
use crate::engine::model::report::Sample;
use crate::features::parity::compared::Compared;
use crate::features::parity::facts::ParityFacts;
use crate::features::parity::pair::partitions::Mapping;
use crate::features::parity::piece::KeyText;

/// Rows shown per class.
const SHOWN: usize = 200;

/// How a row differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowDifference {
    /// Of the legacy table only.
    MissingInPartitioned,
    /// Of the partitioned table only.
    MissingInLegacy,
    /// On both sides, with different values.
    Different,
    /// An old copy under another partition key.
    Stale,
    /// A second row with the same key.
    Duplicate,
}

impl RowDifference {
    pub(crate) const ALL: [Self; 5] =
        [Self::Different, Self::MissingInPartitioned, Self::MissingInLegacy, Self::Stale, Self::Duplicate];

    /// Its word in ids and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::MissingInPartitioned => "missing_in_partitioned",
            Self::MissingInLegacy => "missing_in_legacy",
            Self::Different => "different",
            Self::Stale => "stale",
            Self::Duplicate => "duplicate",
        }
    }

    pub(crate) fn count(self, facts: &mut ParityFacts) -> &mut Option<u64> {
        match self {
            Self::MissingInPartitioned => &mut facts.missing_in_partitioned,
            Self::MissingInLegacy => &mut facts.missing_in_legacy,
            Self::Different => &mut facts.different,
            Self::Stale => &mut facts.stale,
            Self::Duplicate => &mut facts.duplicate,
        }
    }
}

/// The first rows of each class.
#[derive(Debug, Default)]
pub(crate) struct Samples(BTreeMap<RowDifference, Vec<Sample>>);

impl Samples {
    /// Keeps a row, as long as there is room.
    pub(crate) fn add(&mut self, class: RowDifference, sample: Sample) {
        let list = self.0.entry(class).or_default();
        if list.len() < SHOWN {
            list.push(sample);
        }
    }

    pub(crate) fn take(&mut self, class: RowDifference) -> Vec<Sample> {
        let mut out = self.0.remove(&class).unwrap_or_default();
        let key = |s: &Sample| s.get("key").map(text_of).unwrap_or_default();
        out.sort_by(|a, b| natural(&key(a), &key(b)));
        out
    }
}

/// The digits that a text begins with, and what follows them.
fn leading_digits(text: &str) -> (&str, &str) {
    let count = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at_checked(count).unwrap_or(("", text))
}

/// Numbers by value, whatever stands between them as text.
pub(crate) fn natural(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left, right);
    loop {
        let ((one, ours), (other, theirs)) = (leading_digits(left), leading_digits(right));
        let order = if !one.is_empty() && !other.is_empty() {
            (left, right) = (ours, theirs);
            let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
            one.len().cmp(&other.len()).then_with(|| one.cmp(other))
        } else {
            let (mut rest, mut others) = (left.chars(), right.chars());
            let (one, other) = (rest.next(), others.next());
            if one.is_none() && other.is_none() {
                return Ordering::Equal;
            }
            (left, right) = (rest.as_str(), others.as_str());
            one.cmp(&other)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

#[derive(Deserialize, Clone)]
pub(crate) struct LocatedRow {
    /// Which of the keys looked up.
    pub(crate) n: usize,
    pub(crate) key: KeyText,
    pub(crate) partition: Option<String>,
    /// Of a legacy row where it belongs, of a twin's its slot.
    pub(crate) bucket: Option<i64>,
    pub(crate) range: i64,
    pub(crate) cells: KeyText,
}

/// What is wrong with one key, from its rows on both sides. `settled`: the legacy row's own partition is
/// equal, so its present copy is there, though it was not read.
pub(crate) fn classify(
    compared: &Compared<'_>,
    legacy: &[&LocatedRow],
    twins: &[&LocatedRow],
    settled: bool,
) -> Vec<(RowDifference, Sample)> {
    let mut out = Vec::new();
    let sample = |row: &LocatedRow, columns: &[String], values: Map<String, Value>| {
        sample(compared, row, columns, values)
    };
    let Some((current, more)) = legacy.split_first() else {
        for (i, t) in twins.iter().enumerate() {
            let class = if i == 0 { RowDifference::MissingInLegacy } else { RowDifference::Duplicate };
            out.push((class, sample(t, &[], side(compared, "partitioned", t))));
        }
        return out;
    };
    out.extend(more.iter().map(|l| (RowDifference::Duplicate, sample(l, &[], side(compared, "legacy", l)))));
    if twins.is_empty() {
        out.push((
            RowDifference::MissingInPartitioned,
            sample(current, &[], side(compared, "legacy", current)),
        ));
        return out;
    }
    let at: Vec<usize> = compared
        .layout
        .key
        .iter()
        .filter_map(|k| compared.columns.common.iter().position(|c| &c.name == k))
        .collect();
    let same_key = |t: &LocatedRow| at.iter().all(|i| t.cells.get(*i) == current.cells.get(*i));
    let mut here = twins.iter().filter(|t| same_key(t));
    let first = here.next();
    for other in here {
        out.push((RowDifference::Duplicate, sample(other, &[], side(compared, "partitioned", other))));
    }
    let away: Vec<&&LocatedRow> = twins.iter().filter(|t| !same_key(t)).collect();
    if settled {
        out.extend(away.iter().map(|old| stale_copy(compared, current, old)));
        return out;
    }
    // Without a copy under the present key, one old copy is the row itself, left behind with wrong values.
    let (main, stale) = match first {
        Some(t) => (t, away.as_slice()),
        None => match away.split_first() {
            Some((t, rest)) => (*t, rest),
            None => return out,
        },
    };
    let columns: Vec<String> = compared
        .columns
        .common
        .iter()
        .enumerate()
        .filter(|(i, _)| current.cells.get(*i) != main.cells.get(*i))
        .map(|(_, c)| c.name.clone())
        .collect();
    if !columns.is_empty() {
        let mut values = pairs(compared, &columns, current, main);
        values.insert("row".into(), pairs(compared, &all_columns(compared), current, main).into());
        out.push((RowDifference::Different, sample(main, &columns, values)));
    }
    out.extend(stale.iter().map(|old| stale_copy(compared, current, old)));
    out
}

fn stale_copy(compared: &Compared<'_>, current: &LocatedRow, old: &LocatedRow) -> (RowDifference, Sample) {
    let moved = &compared.layout.key;
    let mut values = pairs(compared, moved, current, old);
    values.insert("row".into(), pairs(compared, &all_columns(compared), current, old).into());
    (RowDifference::Stale, sample(compared, old, moved, values))
}

fn all_columns(compared: &Compared<'_>) -> Vec<String> {
    compared.columns.common.iter().map(|c| c.name.clone()).collect()
}

fn sample(
    compared: &Compared<'_>,
    row: &LocatedRow,
    columns: &[String],
    values: Map<String, Value>,
) -> Sample {
    let mut out = Map::new();
    out.insert("key".into(), key_value(compared, &row.key));
    // Of a legacy row: where it belongs.
    let home = || compared.layout.slot_of(row.bucket).and_then(|s| compared.layout.slots.get(s)).cloned();
    let home = row
        .partition
        .clone()
        .or_else(|| if compared.layout.mapping == Mapping::Whole { None } else { home() });
    out.insert("partition".into(), home.map_or(Value::Null, Value::String));
    out.insert("columns".into(), json!(columns));
    out.extend(values);
    out
}

/// A single key is a plain value, a number where it is one; several are an object.
fn key_value(compared: &Compared<'_>, key: &[Option<String>]) -> Value {
    let value = |kind: &str, text: &Option<String>| match text {
        None => Value::Null,
        Some(t) if kind.contains("int") => t.parse::<i64>().map_or_else(|_| json!(t), |n| json!(n)),
        Some(t) => json!(t),
    };
    match (compared.columns.key.as_slice(), key) {
        ([column], [text]) => value(&column.kind, text),
        (columns, texts) => columns
            .iter()
            .zip(texts)
            .map(|(c, t)| (c.name.clone(), value(&c.kind, t)))
            .collect::<Map<_, _>>()
            .into(),
    }
}

fn side(compared: &Compared<'_>, name: &str, row: &LocatedRow) -> Map<String, Value> {
    let cells = compared.columns.common.iter().zip(&row.cells).map(|(c, v)| (c.name.clone(), json!(v)));
    Map::from_iter([(name.to_owned(), Value::Object(cells.collect()))])
}

fn pairs(
    compared: &Compared<'_>,
    columns: &[String],
    legacy: &LocatedRow,
    twin: &LocatedRow,
) -> Map<String, Value> {
    let pick = |row: &LocatedRow| -> Value {
        compared
            .columns
            .common
            .iter()
            .zip(&row.cells)
            .filter(|(c, _)| columns.contains(&c.name))
            .map(|(c, v)| (c.name.clone(), json!(v)))
            .collect::<Map<_, _>>()
            .into()
    };
    Map::from_iter([("legacy".to_owned(), pick(legacy)), ("partitioned".to_owned(), pick(twin))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stand_in_the_order_of_their_numbers() {
        let mut keys = ["1008", "95", "1190", "473", "id=9 x", "id=10 a", "007", "b", ""];
        keys.sort_by(|a, b| natural(a, b));
        assert_eq!(keys, ["", "007", "95", "473", "1008", "1190", "b", "id=9 x", "id=10 a"]);
    }
}
