//! Which rows differ, and how. Only partitions whose digests differ are read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Facts;
use super::digest::{Differing, Plan};
use crate::engine::Result;
use crate::engine::ident::{Ident, literal};
use crate::engine::ports::{Param, ReadTx};
use crate::engine::report::Sample;
use crate::engine::twin::partitions::Leaf;

/// Differing keys looked at one by one; beyond it they are counted and said so.
const CAP: usize = 20_000;
/// Keys looked up in one statement.
const CHUNK: usize = 500;
/// Rows shown per class.
const SHOWN: usize = 200;
/// Longest value that is shown whole; longer ones are compared by their md5.
const CELL: usize = 256;

/// How a row differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    MissingInPartitioned,
    MissingInLegacy,
    Different,
    Stale,
    Duplicate,
}

impl Class {
    pub(super) const ALL: [Self; 5] =
        [Self::Different, Self::MissingInPartitioned, Self::MissingInLegacy, Self::Stale, Self::Duplicate];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::MissingInPartitioned => "missing_in_partitioned",
            Self::MissingInLegacy => "missing_in_legacy",
            Self::Different => "different",
            Self::Stale => "stale",
            Self::Duplicate => "duplicate",
        }
    }

    pub(super) fn count(self, facts: &mut Facts) -> &mut Option<u64> {
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
pub(super) struct Samples(BTreeMap<Class, Vec<Sample>>);

impl Samples {
    pub(super) fn take(&mut self, class: Class) -> Vec<Sample> {
        self.0.remove(&class).unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct Candidate {
    key: Vec<Option<String>>,
}

#[derive(Deserialize)]
struct Count {
    keys: u64,
}

#[derive(Deserialize, Clone)]
struct Found {
    key: Vec<Option<String>>,
    partition: Option<String>,
    /// Of a legacy row: where it belongs.
    bucket: Option<i64>,
    cells: Vec<Option<String>>,
}

/// Reads what differs, counts it into `facts`, and returns the first rows of each class.
pub(super) async fn compare(
    tx: &mut dyn ReadTx,
    plan: &Plan<'_>,
    differing: &Differing,
    facts: &mut Facts,
) -> Result<Samples> {
    let mut samples = Samples::default();
    let leaves: Vec<&Leaf> =
        plan.layout.leaves.iter().filter(|l| differing.slots.contains(&l.slot)).collect();
    let candidates = candidates(plan, differing, &leaves);
    let listed = format!("{candidates}\norder by {} limit {}", key_list(plan, "d."), CAP + 1);
    let mut keys: Vec<Candidate> = tx.fetch(&listed, &[]).await?;
    if keys.len() > CAP {
        let count: Count = tx.one(&format!("select count(*) as keys from ({candidates}) c"), &[]).await?;
        facts.not_classified = count.keys.saturating_sub(CAP as u64);
        keys.truncate(CAP);
    }
    // NULL equals nothing: such a row cannot be looked up.
    let listed = keys.len();
    keys.retain(|k| k.key.iter().all(Option::is_some));
    facts.not_classified += (listed - keys.len()) as u64;
    for chunk in keys.chunks(CHUNK) {
        let legacy: Vec<Found> = tx.fetch(&lookup(plan, None), &arrays(chunk, plan)).await?;
        let mut twins: Vec<Found> = Vec::new();
        for leaf in &leaves {
            twins.extend(tx.fetch::<Found>(&lookup(plan, Some(leaf)), &arrays(chunk, plan)).await?);
        }
        for key in chunk {
            let l: Vec<&Found> = legacy.iter().filter(|f| f.key == key.key).collect();
            let t: Vec<&Found> = twins.iter().filter(|f| f.key == key.key).collect();
            let settled = l.first().is_some_and(|row| plan.is_equal_there(row.bucket, differing));
            for (class, sample) in classify(plan, &l, &t, settled) {
                *class.count(facts).get_or_insert(0) += 1;
                let list = samples.0.entry(class).or_default();
                if list.len() < SHOWN {
                    list.push(sample);
                }
            }
        }
    }
    Ok(samples)
}

fn key_list(plan: &Plan<'_>, prefix: &str) -> String {
    let list: Vec<_> = plan.columns.key.iter().map(|k| format!("{prefix}{}", Ident(&k.name))).collect();
    list.join(", ")
}

/// Keys for which some row of one side has no equal row on the other.
fn candidates(plan: &Plan<'_>, differing: &Differing, leaves: &[&Leaf]) -> String {
    let (keys, digest) = (key_list(plan, ""), plan.columns.digest());
    let legacy = plan.legacy.map(|l| l.relation.as_str()).unwrap_or_default();
    let filter = match plan.buckets_of(differing) {
        None => "true".into(),
        Some((list, nulls)) => {
            let numbers: Vec<_> = list.iter().map(usize::to_string).collect();
            let some = if numbers.is_empty() {
                "false".into()
            } else {
                format!("coalesce({} in ({}), {nulls})", plan.bucket(), numbers.join(", "))
            };
            if nulls && numbers.is_empty() { format!("{} is null", plan.bucket()) } else { some }
        }
    };
    let mut twin = String::new();
    for (i, leaf) in leaves.iter().enumerate() {
        let union = if i == 0 { "" } else { "\n    union all " };
        let _ = write!(twin, "{union}select {keys}, {digest} as h from only {}", leaf.relation);
    }
    if leaves.is_empty() {
        let _ = write!(twin, "select {keys}, 0::bigint as h from {legacy} where false");
    }
    let both: Vec<_> =
        plan.columns.key.iter().map(|k| format!("coalesce(l.{0}, t.{0}) as {0}", Ident(&k.name))).collect();
    let on: Vec<_> = plan.columns.key.iter().map(|k| format!("l.{0} = t.{0}", Ident(&k.name))).collect();
    let texts: Vec<_> = plan.columns.key.iter().map(|k| format!("d.{}::text", Ident(&k.name))).collect();
    format!(
        "select array[{}] as key from (\n  select distinct {}\n  from (select {keys}, {digest} as h from {legacy} where {filter}) l\n  \
         full join ({twin}) t on {}\n  where l.h is distinct from t.h) d",
        texts.join(", "),
        both.join(", "),
        on.join(" and "),
    )
}

fn arrays(chunk: &[Candidate], plan: &Plan<'_>) -> Vec<Param> {
    (0..plan.columns.key.len())
        .map(|i| {
            Param::Texts(chunk.iter().map(|c| c.key.get(i).cloned().flatten().unwrap_or_default()).collect())
        })
        .collect()
}

/// The rows of some keys in the legacy table or in one leaf.
fn lookup(plan: &Plan<'_>, leaf: Option<&&Leaf>) -> String {
    let relation = match leaf {
        Some(leaf) => format!("only {}", leaf.relation),
        None => plan.legacy.map(|l| l.relation.clone()).unwrap_or_default(),
    };
    let partition = leaf.map_or("null".into(), |l| literal(plan.layout.slots.get(l.slot).map_or("", |s| s)));
    let bucket = if leaf.is_some() { "null" } else { plan.bucket() };
    let keys: Vec<_> = plan.columns.key.iter().map(|k| format!("r.{}::text", Ident(&k.name))).collect();
    let cells: Vec<_> = plan.columns.common.iter().map(|c| cell(&c.name)).collect();
    let names: Vec<_> = (0..plan.columns.key.len()).map(|i| format!("k{i}")).collect();
    let arrays: Vec<_> = (1..=names.len()).map(|i| format!("${i}::text[]")).collect();
    let on: Vec<_> = plan
        .columns
        .key
        .iter()
        .zip(&names)
        .map(|(k, n)| format!("r.{} = u.{n}::{}", Ident(&k.name), k.kind))
        .collect();
    format!(
        "select array[{}] as key, {partition}::text as partition, ({bucket})::bigint as bucket, array[{}] as cells\nfrom unnest({}) u({}) join {relation} r on {}",
        keys.join(", "),
        cells.join(", "),
        arrays.join(", "),
        names.join(", "),
        on.join(" and "),
    )
}

fn cell(column: &str) -> String {
    let c = format!("r.{}::text", Ident(column));
    format!("case when length({c}) > {CELL} then left({c}, {CELL}) || '… md5 ' || md5({c}) else {c} end")
}

/// What is wrong with one key, from its rows on both sides. `settled`: the legacy row's own partition is
/// equal, so its present copy is there, though it was not read.
fn classify(plan: &Plan<'_>, legacy: &[&Found], twins: &[&Found], settled: bool) -> Vec<(Class, Sample)> {
    let mut out = Vec::new();
    let sample =
        |row: &Found, columns: &[String], values: Map<String, Value>| sample(plan, row, columns, values);
    let Some((current, more)) = legacy.split_first() else {
        for (i, t) in twins.iter().enumerate() {
            let class = if i == 0 { Class::MissingInLegacy } else { Class::Duplicate };
            out.push((class, sample(t, &[], side(plan, "partitioned", t))));
        }
        return out;
    };
    out.extend(more.iter().map(|l| (Class::Duplicate, sample(l, &[], side(plan, "legacy", l)))));
    if twins.is_empty() {
        out.push((Class::MissingInPartitioned, sample(current, &[], side(plan, "legacy", current))));
        return out;
    }
    let at: Vec<usize> = plan
        .layout
        .key
        .iter()
        .filter_map(|k| plan.columns.common.iter().position(|c| &c.name == k))
        .collect();
    let same_key = |t: &Found| at.iter().all(|i| t.cells.get(*i) == current.cells.get(*i));
    let mut here = twins.iter().filter(|t| same_key(t));
    let first = here.next();
    for other in here {
        out.push((Class::Duplicate, sample(other, &[], side(plan, "partitioned", other))));
    }
    let away: Vec<&&Found> = twins.iter().filter(|t| !same_key(t)).collect();
    if settled {
        out.extend(away.iter().map(|old| stale_copy(plan, current, old)));
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
    let columns: Vec<String> = plan
        .columns
        .common
        .iter()
        .enumerate()
        .filter(|(i, _)| current.cells.get(*i) != main.cells.get(*i))
        .map(|(_, c)| c.name.clone())
        .collect();
    if !columns.is_empty() {
        out.push((Class::Different, sample(main, &columns, pairs(plan, &columns, current, main))));
    }
    out.extend(stale.iter().map(|old| stale_copy(plan, current, old)));
    out
}

fn stale_copy(plan: &Plan<'_>, current: &Found, old: &Found) -> (Class, Sample) {
    let moved = &plan.layout.key;
    (Class::Stale, sample(plan, old, moved, pairs(plan, moved, current, old)))
}

fn sample(plan: &Plan<'_>, row: &Found, columns: &[String], values: Map<String, Value>) -> Sample {
    let mut out = Map::new();
    out.insert("key".into(), key_value(plan, &row.key));
    out.insert("partition".into(), row.partition.clone().map_or(Value::Null, Value::String));
    out.insert("columns".into(), json!(columns));
    out.extend(values);
    out
}

/// A single key is a plain value, a number where it is one; several are an object.
fn key_value(plan: &Plan<'_>, key: &[Option<String>]) -> Value {
    let value = |kind: &str, text: &Option<String>| match text {
        None => Value::Null,
        Some(t) if kind.contains("int") => t.parse::<i64>().map_or_else(|_| json!(t), |n| json!(n)),
        Some(t) => json!(t),
    };
    match (plan.columns.key.as_slice(), key) {
        ([column], [text]) => value(&column.kind, text),
        (columns, texts) => columns
            .iter()
            .zip(texts)
            .map(|(c, t)| (c.name.clone(), value(&c.kind, t)))
            .collect::<Map<_, _>>()
            .into(),
    }
}

fn side(plan: &Plan<'_>, name: &str, row: &Found) -> Map<String, Value> {
    let cells = plan.columns.common.iter().zip(&row.cells).map(|(c, v)| (c.name.clone(), json!(v)));
    Map::from_iter([(name.to_owned(), Value::Object(cells.collect()))])
}

fn pairs(plan: &Plan<'_>, columns: &[String], legacy: &Found, twin: &Found) -> Map<String, Value> {
    let pick = |row: &Found| -> Value {
        plan.columns
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
