//! How two sides' rows of one key differ, in the words of a pair, and what is shown of them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::engine::compare::classify::{DifferenceClass, KeyDifference, LocatedRow};
use crate::engine::compare::key_order::natural;
use crate::engine::model::comparison::ComparedColumn;
use crate::engine::model::diff::text_of;
use crate::engine::model::report::Sample;
use crate::features::parity::compared_pair::ComparedPair;
use crate::features::parity::facts::ParityFacts;
use crate::features::parity::pair::partitions::Mapping;

/// In place of a value of the profile's `secret_columns`, be it NULL or not.
pub(crate) const WITHHELD: &str = "(secret)";
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

    /// The legacy table is the left side.
    pub(crate) fn from_class(class: DifferenceClass) -> Self {
        match class {
            DifferenceClass::OnlyLeft => Self::MissingInPartitioned,
            DifferenceClass::OnlyRight => Self::MissingInLegacy,
            DifferenceClass::Different | DifferenceClass::TextOnly => Self::Different,
            DifferenceClass::WrongGroup => Self::Stale,
            DifferenceClass::Duplicate => Self::Duplicate,
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

/// What is shown of a difference.
pub(crate) fn sample(compared: &ComparedPair<'_>, found: &KeyDifference<'_>) -> Sample {
    let Some(row) = found.right.or(found.left) else { return Sample::default() };
    let mut out = Map::new();
    out.insert("key".into(), key_value(compared, &row.key));
    // Of a legacy row: where it belongs.
    let home = || compared.layout.slot_of(row.bucket).and_then(|s| compared.layout.slots.get(s)).cloned();
    let home = row
        .group_name
        .clone()
        .or_else(|| if compared.layout.mapping == Mapping::Whole { None } else { home() });
    out.insert("partition".into(), home.map_or(Value::Null, Value::String));
    out.insert("columns".into(), json!(found.columns));
    match (found.left, found.right) {
        (Some(legacy), Some(twin)) => {
            let sides = |only: Option<&[String]>| {
                Map::from_iter([
                    ("legacy".to_owned(), cells(compared, legacy, only)),
                    ("partitioned".to_owned(), cells(compared, twin, only)),
                ])
            };
            out.extend(sides(Some(&found.columns)));
            out.insert("row".into(), sides(None).into());
        }
        (Some(row), None) => out.extend([("legacy".to_owned(), cells(compared, row, None))]),
        (None, Some(row)) => out.extend([("partitioned".to_owned(), cells(compared, row, None))]),
        (None, None) => {}
    }
    out
}

/// A single key is a plain value, a number where it is one; several are an object.
fn key_value(compared: &ComparedPair<'_>, key: &[Option<String>]) -> Value {
    let value = |column: &ComparedColumn, text: &Option<String>| match text {
        _ if column.secret => json!(WITHHELD),
        None => Value::Null,
        Some(t) if column.kind.contains("int") => t.parse::<i64>().map_or_else(|_| json!(t), |n| json!(n)),
        Some(t) => json!(t),
    };
    match (compared.columns.key.as_slice(), key) {
        ([column], [text]) => value(column, text),
        (columns, texts) => columns
            .iter()
            .zip(texts)
            .map(|(c, t)| (c.name.clone(), value(c, t)))
            .collect::<Map<_, _>>()
            .into(),
    }
}

/// The compared columns of a row, or only these.
fn cells(compared: &ComparedPair<'_>, row: &LocatedRow, only: Option<&[String]>) -> Value {
    let columns = compared.columns.common.iter().zip(&row.cells);
    let wanted = columns.filter(|(c, _)| only.is_none_or(|names| names.contains(&c.name)));
    let shown = |c: &ComparedColumn, v: &Option<String>| if c.secret { json!(WITHHELD) } else { json!(v) };
    wanted.map(|(c, v)| (c.name.clone(), shown(c, v))).collect::<Map<_, _>>().into()
}
