//! Which rows differ, and how. Only key ranges whose digests differ are read.

use crate::engine::model::query::Sql;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::engine::model::diff::text_of;
use crate::engine::model::error::Result;
use crate::engine::model::name::{Ident, literal};
use crate::engine::model::query::Param;
use crate::engine::model::report::Sample;
use crate::engine::port::reader::ReadTx;
use crate::features::parity::facts::ParityFacts;
use crate::features::parity::pair::catalog::Column;
use crate::features::parity::pair::partitions::{Leaf, Mapping};
use crate::features::parity::queries::Plan;
use crate::features::parity::scan::{Group, STATEMENT_LEAVES, Slot, TRANSACTION_LEAVES};
use crate::features::parity::snapshot::Source;

/// Differing keys looked at one by one; beyond it they are counted and said so.
const CAP: usize = 20_000;
/// Rows on both sides that are compared key by key in one statement, about.
const UNIT_ROWS: u64 = 40_000;
/// Keys looked up in one statement.
const CHUNK: usize = 500;
/// Rows shown per class.
const SHOWN: usize = 200;
/// Longest value that is shown whole; longer ones are compared by their md5.
const CELL: usize = 256;

/// How a row differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    MissingInPartitioned,
    MissingInLegacy,
    Different,
    Stale,
    Duplicate,
}

impl Class {
    pub(crate) const ALL: [Self; 5] =
        [Self::Different, Self::MissingInPartitioned, Self::MissingInLegacy, Self::Stale, Self::Duplicate];

    pub(crate) fn word(self) -> &'static str {
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
pub(crate) struct Samples(BTreeMap<Class, Vec<Sample>>);

impl Samples {
    pub(crate) fn take(&mut self, class: Class) -> Vec<Sample> {
        let mut out = self.0.remove(&class).unwrap_or_default();
        let key = |s: &Sample| s.get("key").map(text_of).unwrap_or_default();
        out.sort_by(|a, b| natural(&key(a), &key(b)));
        out
    }
}

/// Numbers by value, whatever stands between them as text.
fn natural(left: &str, right: &str) -> Ordering {
    let digits = |s: &str| s.bytes().take_while(u8::is_ascii_digit).count();
    let (mut left, mut right) = (left, right);
    loop {
        let (ours, theirs) = (digits(left), digits(right));
        let order = if ours > 0 && theirs > 0 {
            let value = |s: &str, long: usize| s[..long].trim_start_matches('0').to_owned();
            let (one, other) = (value(left, ours), value(right, theirs));
            (left, right) = (&left[ours..], &right[theirs..]);
            one.len().cmp(&other.len()).then_with(|| one.cmp(&other))
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
    /// Which of the keys looked up.
    n: usize,
    key: Vec<Option<String>>,
    partition: Option<String>,
    /// Of a legacy row where it belongs, of a twin's its slot.
    bucket: Option<i64>,
    range: i64,
    cells: Vec<Option<String>>,
}

/// Ranges that are read together.
struct Unit<'a> {
    ranges: Vec<i64>,
    slots: Vec<usize>,
    homeless: bool,
    leaves: Vec<&'a Leaf>,
}

fn units<'a>(plan: &Plan<'a>, differing: &[Group]) -> Vec<Unit<'a>> {
    let mut sorted: Vec<&Group> = differing.iter().collect();
    sorted.sort();
    let mut out: Vec<(BTreeSet<i64>, BTreeSet<Slot>)> = Vec::new();
    let mut rows = 0;
    for same in sorted.chunk_by(|a, b| a.range == b.range) {
        rows += same.iter().map(|g| g.rows).sum::<u64>();
        // Without an index every unit is a reading of everything.
        if out.is_empty() || (rows > UNIT_ROWS && plan.cut.indexed()) {
            out.push(Default::default());
            rows = same.iter().map(|g| g.rows).sum();
        }
        if let (Some((ranges, slots)), Some(first)) = (out.last_mut(), same.first()) {
            ranges.insert(first.range);
            slots.extend(same.iter().map(|g| g.slot));
        }
    }
    let whole = plan.layout.mapping == Mapping::Whole;
    let unit = |(ranges, slots): (BTreeSet<i64>, BTreeSet<Slot>)| {
        let leaves = plan.layout.leaves.iter().filter(|l| whole || slots.contains(&Some(l.slot))).collect();
        let homeless = slots.contains(&None);
        Unit {
            ranges: ranges.into_iter().collect(),
            slots: slots.into_iter().flatten().collect(),
            homeless,
            leaves,
        }
    };
    out.into_iter().map(unit).collect()
}

/// Reads what differs, counts it into `facts`, and returns the first rows of each class.
pub(crate) async fn compare(
    source: &Source<'_>,
    plan: &Plan<'_>,
    differing: &[Group],
    facts: &mut ParityFacts,
) -> Result<Samples> {
    let mut reading = Reading {
        source,
        plan,
        differing: differing.iter().map(|g| (g.slot, g.range)).collect(),
        tx: None,
        leaves: BTreeSet::new(),
        listed: 0,
        samples: Samples::default(),
    };
    for unit in units(plan, differing) {
        reading.unit(&unit, facts).await?;
    }
    Ok(reading.samples)
}

struct Reading<'a> {
    source: &'a Source<'a>,
    plan: &'a Plan<'a>,
    differing: HashSet<(Slot, i64)>,
    tx: Option<Box<dyn ReadTx>>,
    /// Locked by the transaction.
    leaves: BTreeSet<i64>,
    /// Keys looked at so far.
    listed: usize,
    samples: Samples,
}

impl Reading<'_> {
    /// The transaction to read these leaves in: one does not hold locks on too many.
    async fn tx(&mut self, leaves: &[&Leaf]) -> Result<&mut dyn ReadTx> {
        self.leaves.extend(leaves.iter().map(|l| l.oid));
        if self.leaves.len() > TRANSACTION_LEAVES && self.source.snapshot().is_some() {
            self.tx = None;
            self.leaves = leaves.iter().map(|l| l.oid).collect();
        }
        let tx = match self.tx.take() {
            Some(tx) => tx,
            None => self.source.follow().await?,
        };
        Ok(&mut **self.tx.insert(tx))
    }

    async fn unit(&mut self, unit: &Unit<'_>, facts: &mut ParityFacts) -> Result<()> {
        let groups = batches(self.plan, unit);
        // A row that moved may show in the batch it left and in the one it went to.
        let mut keys: BTreeSet<Vec<Option<String>>> = BTreeSet::new();
        for (i, leaves) in groups.iter().enumerate() {
            let mut slots: Vec<usize> = leaves.iter().map(|l| l.slot).collect();
            if i == 0 {
                // Partitions that hold no table of their own, and rows that belong nowhere, go with the first.
                slots.extend(unit.slots.iter().filter(|s| !unit.leaves.iter().any(|l| l.slot == **s)));
            }
            let candidates = candidates(self.plan, unit, &slots, unit.homeless && i == 0, leaves);
            let room = CAP.saturating_sub(self.listed + keys.len());
            let plan = self.plan;
            let tx = self.tx(leaves).await?;
            let listed = format!("{candidates}\norder by {} limit {}", key_list(plan, "g."), room + 1);
            let mut found: Vec<Candidate> = tx.fetch(&Sql::new(&listed)).await?;
            if found.len() > room {
                let count: Count =
                    tx.one(&Sql::new(format!("select count(*) as keys from ({candidates}) c"))).await?;
                facts.not_classified += count.keys.saturating_sub(room as u64);
                found.truncate(room);
            }
            keys.extend(found.into_iter().map(|c| c.key));
        }
        self.listed += keys.len();
        // NULL equals nothing: such a row cannot be looked up.
        let (mut keys, nulls): (Vec<_>, Vec<_>) =
            keys.into_iter().partition(|k| k.iter().all(Option::is_some));
        let parts = |k: &[Option<String>]| k.iter().flatten().cloned().collect::<Vec<_>>();
        keys.sort_by(|a, b| natural(&parts(a).join("\0"), &parts(b).join("\0")));
        facts.not_classified += nulls.len() as u64;
        for chunk in keys.chunks(CHUNK) {
            self.look_up(unit, chunk, facts).await?;
        }
        Ok(())
    }

    async fn look_up(
        &mut self,
        unit: &Unit<'_>,
        keys: &[Vec<Option<String>>],
        facts: &mut ParityFacts,
    ) -> Result<()> {
        let (plan, params) = (self.plan, arrays(keys, self.plan));
        let legacy: Vec<Found> =
            self.tx(&[]).await?.fetch(&Sql::new(lookup(plan, None)).bind(params.clone())).await?;
        let mut twins: Vec<Found> = Vec::new();
        for leaves in unit.leaves.chunks(STATEMENT_LEAVES) {
            let sql: Vec<_> = leaves.iter().map(|l| lookup(plan, Some(l))).collect();
            twins.extend(
                self.tx(leaves)
                    .await?
                    .fetch::<Found>(&Sql::new(sql.join("\nunion all ")).bind(params.clone()))
                    .await?,
            );
        }
        for n in 1..=keys.len() {
            let l: Vec<&Found> = legacy.iter().filter(|f| f.n == n).collect();
            let t: Vec<&Found> = twins.iter().filter(|f| f.n == n).filter(|f| self.differs(f)).collect();
            let settled = l.first().is_some_and(|row| {
                let slot = plan.layout.slot_of(row.bucket);
                slot.is_some() && !self.differing.contains(&(slot, row.range))
            });
            for (class, sample) in classify(plan, &l, &t, settled) {
                *class.count(facts).get_or_insert(0) += 1;
                let list = self.samples.0.entry(class).or_default();
                if list.len() < SHOWN {
                    list.push(sample);
                }
            }
        }
        Ok(())
    }

    /// Is this twin's row in a group that differs? Units join ranges: elsewhere its copy is as it should be.
    fn differs(&self, row: &Found) -> bool {
        let whole = self.plan.layout.mapping == Mapping::Whole;
        let slot = row.bucket.and_then(|b| usize::try_from(b).ok());
        whole || self.differing.contains(&(slot, row.range))
    }
}

/// Leaves that are compared in one statement: a partition's belong together, and so do all where there is no telling.
fn batches<'a>(plan: &Plan<'_>, unit: &Unit<'a>) -> Vec<Vec<&'a Leaf>> {
    let mut leaves = unit.leaves.clone();
    leaves.sort_by_key(|l| l.slot);
    let mut out: Vec<Vec<&Leaf>> = vec![vec![]];
    for slot in leaves.chunk_by(|a, b| a.slot == b.slot) {
        let whole = plan.layout.mapping == Mapping::Whole;
        match out.last_mut() {
            Some(last) if whole || last.is_empty() || last.len() + slot.len() <= STATEMENT_LEAVES => {
                last.extend(slot);
            }
            _ => out.push(slot.to_vec()),
        }
    }
    out
}

fn key_list(plan: &Plan<'_>, prefix: &str) -> String {
    let list: Vec<_> = plan.columns.key.iter().map(|k| format!("{prefix}{}", Ident(&k.name))).collect();
    list.join(", ")
}

/// Keys whose rows on one side are not those on the other; each as often as it is there.
fn candidates(plan: &Plan<'_>, unit: &Unit<'_>, slots: &[usize], homeless: bool, leaves: &[&Leaf]) -> String {
    let digest = plan.columns.digest();
    let keys: Vec<_> =
        plan.columns.key.iter().map(|k| format!("{} as {}", k.hashed(), Ident(&k.name))).collect();
    let (keys, within) = (keys.join(", "), plan.cut.within(&unit.ranges));
    let legacy = plan.legacy.map(|l| l.relation.as_str()).unwrap_or_default();
    let belongs = plan.layout.belongs(slots, homeless);
    let mut both = format!(
        "select {keys}, {digest} as \"mw:h\", 1 as \"mw:n\" from {legacy} where {within} and {belongs}"
    );
    for leaf in leaves {
        let _ = write!(both, "\n  union all select {keys}, {digest}, -1 from {} l where {within}", leaf.rows);
    }
    let texts: Vec<_> = plan.columns.key.iter().map(|k| format!("g.{}::text", Ident(&k.name))).collect();
    let names = key_list(plan, "b.");
    format!(
        "select array[{}] as key from (select {names} from (select {names} from ({both}) b\n  \
         group by {names}, b.\"mw:h\" having sum(b.\"mw:n\") <> 0) b group by {names}) g",
        texts.join(", "),
    )
}

fn arrays(keys: &[Vec<Option<String>>], plan: &Plan<'_>) -> Vec<Param> {
    (0..plan.columns.key.len())
        .map(|i| Param::Texts(keys.iter().map(|k| k.get(i).cloned().flatten().unwrap_or_default()).collect()))
        .collect()
}

/// The rows of some keys in the legacy table or in one leaf.
fn lookup(plan: &Plan<'_>, leaf: Option<&Leaf>) -> String {
    let relation = match leaf {
        Some(leaf) => leaf.rows.clone(),
        None => plan.legacy.map(|l| l.relation.clone()).unwrap_or_default(),
    };
    let partition = leaf.map_or("null".into(), |l| literal(plan.layout.slots.get(l.slot).map_or("", |s| s)));
    let bucket = leaf.map_or_else(|| plan.layout.bucket().to_owned(), |l| l.slot.to_string());
    let keys: Vec<_> = plan.columns.key.iter().map(|k| format!("r.{}::text", Ident(&k.name))).collect();
    let cells: Vec<_> = plan.columns.common.iter().map(cell).collect();
    // Names that no column of theirs is likely to have.
    let names: Vec<_> = (0..plan.columns.key.len()).map(|i| format!("\"mw:k{i}\"")).collect();
    let arrays: Vec<_> = (1..=names.len()).map(|i| format!("${i}::text[]")).collect();
    let on = |(k, n): (&Column, &String)| {
        if k.foreign {
            format!("{} = u.{n}", k.hashed())
        } else {
            format!("r.{} = u.{n}::{}", Ident(&k.name), k.kind)
        }
    };
    let on: Vec<_> = plan.columns.key.iter().zip(&names).map(on).collect();
    format!(
        "select u.\"mw:n\"::int as n, array[{}] as key, {partition}::text as partition, ({bucket})::bigint as bucket, \
         {} as range, array[{}] as cells\nfrom unnest({}) with ordinality u({}, \"mw:n\") join {relation} r on {}",
        keys.join(", "),
        plan.cut.number(),
        cells.join(", "),
        arrays.join(", "),
        names.join(", "),
        on.join(" and "),
    )
}

fn cell(column: &Column) -> String {
    let c = format!("({})::text", column.compared("r"));
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
        let mut values = pairs(plan, &columns, current, main);
        values.insert("row".into(), pairs(plan, &all_columns(plan), current, main).into());
        out.push((Class::Different, sample(main, &columns, values)));
    }
    out.extend(stale.iter().map(|old| stale_copy(plan, current, old)));
    out
}

fn stale_copy(plan: &Plan<'_>, current: &Found, old: &Found) -> (Class, Sample) {
    let moved = &plan.layout.key;
    let mut values = pairs(plan, moved, current, old);
    values.insert("row".into(), pairs(plan, &all_columns(plan), current, old).into());
    (Class::Stale, sample(plan, old, moved, values))
}

fn all_columns(plan: &Plan<'_>) -> Vec<String> {
    plan.columns.common.iter().map(|c| c.name.clone()).collect()
}

fn sample(plan: &Plan<'_>, row: &Found, columns: &[String], values: Map<String, Value>) -> Sample {
    let mut out = Map::new();
    out.insert("key".into(), key_value(plan, &row.key));
    // Of a legacy row: where it belongs.
    let home = || plan.layout.slot_of(row.bucket).and_then(|s| plan.layout.slots.get(s)).cloned();
    let home =
        row.partition.clone().or_else(|| if plan.layout.mapping == Mapping::Whole { None } else { home() });
    out.insert("partition".into(), home.map_or(Value::Null, Value::String));
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
