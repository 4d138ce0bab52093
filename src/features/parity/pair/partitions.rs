//! How a table is partitioned, and in which partition a legacy row belongs.

use crate::engine::model::query::Sql;
use std::collections::HashMap;
use std::fmt::Write as _;

use serde::Deserialize;

use crate::engine::model::error::Result;
use crate::engine::model::name::{Ident, literal};
use crate::engine::model::query::Param;
use crate::engine::port::reader::ReadTx;
use crate::features::parity::pair::catalog::{TwinTable, operator};

/// A partition that holds rows, under the partition of the first level that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) oid: i64,
    pub(crate) relation: String,
    /// Its rows, as FROM takes them; an alias follows.
    pub(crate) rows: String,
    /// Index of its first-level partition.
    pub(crate) slot: usize,
}

/// How a legacy row's slot is computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mapping {
    /// An expression over the legacy row that gives a bucket, and each bucket's slot.
    Buckets { expression: String, slots: Vec<Option<usize>>, default: Option<usize> },
    /// It cannot be computed: everything is compared as one.
    Whole,
}

#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// Names of the partitions of the first level.
    pub(crate) slots: Vec<String>,
    /// Their oids.
    pub(crate) oids: Vec<i64>,
    /// All relations of the tree below the root: leaves, and what is between.
    pub(crate) nodes: Vec<String>,
    pub(crate) node_oids: Vec<i64>,
    /// Their bounds, as the server writes them.
    pub(crate) bounds: Vec<String>,
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) mapping: Mapping,
    pub(crate) default: Option<usize>,
    /// It could have one: hash partitions cannot.
    pub(crate) takes_default: bool,
    /// Type of the key when it is a single column partitioned by range of time.
    pub(crate) time_key: Option<String>,
    thresholds: Vec<String>,
    /// Type of the key when it is a single column partitioned by range, and compared as the server's own types are.
    range_kind: String,
    /// Columns of the partition key.
    pub(crate) key: Vec<String>,
}

#[derive(Deserialize)]
struct Strategy {
    #[serde(rename = "strategy")]
    method: String,
    columns: Vec<Option<String>>,
    kinds: Vec<Option<String>>,
}

#[derive(Deserialize)]
struct Node {
    oid: i64,
    parent: i64,
    relation: String,
    name: String,
    leaf: bool,
    bound: Option<String>,
    /// What tells its rows from others', where only the whole table may be read.
    within: Option<String>,
}

impl Node {
    /// Who may read a table may read its partitions' rows, but a partition by its own name only with a grant of its own.
    fn rows(&self, whole: &str) -> String {
        match &self.within {
            None => format!("only {}", self.relation),
            Some(within) => {
                format!("(select ctid, * from {whole} where tableoid = {}::oid and ({within}))", self.oid)
            }
        }
    }
}

const STRATEGY: &str = "
select p.partstrat::text as strategy,
       array(select a.attname::text from unnest(p.partattrs::int2[]) with ordinality k(n, i)
             left join pg_attribute a on a.attrelid = p.partrelid and a.attnum = k.n and k.n > 0 order by k.i) as columns,
       array(select format_type(a.atttypid, a.atttypmod) from unnest(p.partattrs::int2[]) with ordinality k(n, i)
             left join pg_attribute a on a.attrelid = p.partrelid and a.attnum = k.n and k.n > 0 order by k.i) as kinds
from pg_partitioned_table p where p.partrelid = $1::oid";

// Not pg_partition_tree: it locks every partition, and thousands of locks exhaust a default server.
const TREE: &str = "
with recursive tree as (
  select i.inhrelid, i.inhparent from pg_inherits i where i.inhparent = $1::oid
  union all
  select i.inhrelid, i.inhparent from pg_inherits i join tree t on i.inhparent = t.inhrelid)
select c.oid::bigint as oid, t.inhparent::bigint as parent, format('%I.%I', n.nspname, c.relname) as relation,
       c.relname as name, c.relkind <> 'p' as leaf,
       case when t.inhparent = $1::oid then pg_get_expr(c.relpartbound, c.oid) end as bound,
       case when not has_table_privilege(c.oid, 'select') and has_table_privilege($1::oid, 'select')
            then coalesce(pg_get_partition_constraintdef(c.oid), 'true') end as within
from tree t join pg_class c on c.oid = t.inhrelid join pg_namespace n on n.oid = c.relnamespace
order by length(c.relname), c.relname";

pub(crate) async fn layout(tx: &mut dyn ReadTx, table: &TwinTable) -> Result<Layout> {
    let strategy: Vec<Strategy> = tx.fetch(&Sql::new(STRATEGY).bind([Param::Int(table.oid)])).await?;
    let nodes: Vec<Node> = tx.fetch(&Sql::new(TREE).bind([Param::Int(table.oid)])).await?;
    let firsts: Vec<&Node> = nodes.iter().filter(|n| n.parent == table.oid).collect();
    let parents: HashMap<i64, i64> = nodes.iter().map(|n| (n.oid, n.parent)).collect();
    let slots: HashMap<i64, usize> = firsts.iter().enumerate().map(|(slot, f)| (f.oid, slot)).collect();
    let slot_of = |node: &Node| {
        let mut at = node.oid;
        while !slots.contains_key(&at) {
            at = *parents.get(&at)?;
        }
        slots.get(&at).copied()
    };
    let mut leaves: Vec<Leaf> = nodes
        .iter()
        .filter(|n| n.leaf)
        .filter_map(|n| {
            Some(Leaf {
                oid: n.oid,
                relation: n.relation.clone(),
                rows: n.rows(&table.relation),
                slot: slot_of(n)?,
            })
        })
        .collect();
    let mut out = Layout {
        slots: firsts.iter().map(|f| f.name.clone()).collect(),
        oids: firsts.iter().map(|f| f.oid).collect(),
        bounds: firsts.iter().map(|f| f.bound.clone().unwrap_or_default()).collect(),
        nodes: nodes.iter().map(|n| n.relation.clone()).collect(),
        node_oids: nodes.iter().map(|n| n.oid).collect(),
        leaves: vec![],
        mapping: Mapping::Whole,
        default: firsts.iter().position(|f| f.bound.as_deref() == Some("DEFAULT")),
        takes_default: false,
        time_key: None,
        thresholds: vec![],
        range_kind: String::new(),
        key: vec![],
    };
    match strategy.into_iter().next() {
        None => {
            // Not partitioned at all: its own single leaf.
            out.slots = vec![table.relation.clone()];
            out.oids = vec![table.oid];
            out.bounds = vec![String::new()];
            leaves = vec![only_leaf(table)];
        }
        Some(s) => {
            let bounds: Vec<&str> = firsts.iter().map(|f| f.bound.as_deref().unwrap_or_default()).collect();
            out.takes_default = s.method != "h";
            out.key = s.columns.iter().flatten().cloned().collect();
            map(tx, &mut out, table, &s, &bounds).await?;
        }
    }
    out.leaves = leaves;
    Ok(out)
}

fn only_leaf(table: &TwinTable) -> Leaf {
    let rows = format!("only {}", table.relation);
    Leaf { oid: table.oid, relation: table.relation.clone(), rows, slot: 0 }
}

async fn map(
    tx: &mut dyn ReadTx,
    out: &mut Layout,
    table: &TwinTable,
    s: &Strategy,
    bounds: &[&str],
) -> Result<()> {
    let columns: Option<Vec<(&String, &String)>> =
        s.columns.iter().zip(&s.kinds).map(|(c, k)| Some((c.as_ref()?, k.as_ref()?))).collect();
    // A key that is an expression is not looked into.
    let Some(columns) = columns else { return Ok(()) };
    match (s.method.as_str(), columns.as_slice()) {
        ("r", [(column, kind)]) => {
            range(tx, out, column, kind, bounds).await?;
            // Under our path its comparisons would be another type's: rows are told by their bucket alone.
            if own_equality(table, column).is_some() {
                out.range_kind.clear();
            }
        }
        ("l", [(column, kind)]) => {
            out.mapping = list(out.default, (column, kind, own_equality(table, column)), bounds);
        }
        ("h", columns) => out.mapping = hash(table, columns, bounds),
        _ => {}
    }
    Ok(())
}

/// That of the column's type, where it has one of its own.
fn own_equality<'t>(table: &'t TwinTable, column: &str) -> Option<&'t str> {
    table.columns.iter().find(|c| c.name == column)?.equality.as_deref()
}

/// A statement over values of a type. One with a schema before its name is not the server's own: its owner's code reads and
/// checks them.
pub(crate) fn over_values(kind: &str, text: &str) -> Sql {
    if kind.contains('.') { Sql::over_rows(text) } else { Sql::new(text) }
}

async fn range(
    tx: &mut dyn ReadTx,
    out: &mut Layout,
    column: &str,
    kind: &str,
    bounds: &[&str],
) -> Result<()> {
    let parsed: Vec<Option<(Bound, Bound)>> = bounds.iter().map(|b| range_bound(b)).collect();
    let values: Vec<&str> =
        parsed.iter().flatten().flat_map(|(a, b)| [a, b]).filter_map(Bound::value).collect();
    // The server wrote the bounds as expressions; it reads them back best.
    let array = format!("array[{}]::{kind}[]", values.join(", "));
    let sorted = format!("select d.x::text from (select distinct x from unnest({array}) x) d order by d.x");
    let thresholds: Vec<String> =
        tx.texts(&over_values(kind, &sorted)).await?.into_iter().flatten().collect();
    let places: HashMap<&str, usize> =
        thresholds.iter().enumerate().map(|(i, t)| (t.as_str(), i + 1)).collect();
    let canonical = format!("select u.x::text from unnest({array}) with ordinality u(x, i) order by u.i");
    let mut canonical = tx.texts(&over_values(kind, &canonical)).await?.into_iter().flatten();
    // Bucket n lies above n thresholds: between thresholds n-1 and n.
    let mut slots = vec![None; thresholds.len() + 1];
    for (slot, bound) in parsed.iter().enumerate() {
        let Some((from, to)) = bound else { continue };
        let mut index = |b: &Bound, open: usize| match b {
            Bound::Value(_) => canonical.next().and_then(|c| places.get(c.as_str()).copied()),
            Bound::Open => Some(open),
        };
        let (Some(first), Some(end)) = (index(from, 0), index(to, thresholds.len() + 1)) else { continue };
        for bucket in slots.iter_mut().take(end).skip(first) {
            *bucket = Some(slot);
        }
    }
    let list: Vec<_> = thresholds.iter().map(|t| literal(t)).collect();
    let expression = format!("width_bucket({}::{kind}, array[{}]::{kind}[])", Ident(column), list.join(", "));
    out.mapping = Mapping::Buckets { expression, slots, default: out.default };
    if kind.starts_with("timestamp") || kind == "date" {
        out.time_key = Some(kind.to_owned());
    }
    out.thresholds = thresholds;
    kind.clone_into(&mut out.range_kind);
    Ok(())
}

fn list(
    default: Option<usize>,
    (column, kind, equality): (&str, &str, Option<&str>),
    bounds: &[&str],
) -> Mapping {
    let (column, equality) = (Ident(column), operator(equality));
    let mut cases = Vec::new();
    for (slot, bound) in bounds.iter().enumerate() {
        let Some(values) = bound.strip_prefix("FOR VALUES IN (").and_then(|b| b.strip_suffix(')')) else {
            continue;
        };
        let null = if values.split(", ").any(|v| v == "NULL") {
            format!(" or {column} is null")
        } else {
            String::new()
        };
        // Arrays have the server's own equality, and are no elements of an array.
        let among = if kind.ends_with(']') {
            format!("in ({values})")
        } else {
            format!("{equality} any (array[{values}]::{kind}[])")
        };
        cases.push(format!("when {column} {among}{null} then {slot}"));
    }
    buckets_of_cases(&cases, bounds.len(), default)
}

fn hash(table: &TwinTable, columns: &[(&String, &String)], bounds: &[&str]) -> Mapping {
    let values: Vec<_> = columns.iter().map(|(c, k)| format!("{}::{k}", Ident(c))).collect();
    let mut cases = Vec::new();
    for (slot, bound) in bounds.iter().enumerate() {
        let Some((modulus, remainder)) = hash_bound(bound) else { return Mapping::Whole };
        cases.push(format!(
            "when satisfies_hash_partition({}::oid, {modulus}, {remainder}, {}) then {slot}",
            table.oid,
            values.join(", ")
        ));
    }
    buckets_of_cases(&cases, bounds.len(), None)
}

fn buckets_of_cases(cases: &[String], count: usize, default: Option<usize>) -> Mapping {
    if cases.is_empty() {
        return Mapping::Whole;
    }
    let expression = format!("case {} end", cases.join(" "));
    Mapping::Buckets { expression, slots: (0..count).map(Some).collect(), default }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Bound {
    /// As an expression.
    Value(String),
    Open,
}

impl Bound {
    fn value(&self) -> Option<&str> {
        match self {
            Self::Value(v) => Some(v),
            Self::Open => None,
        }
    }
}

/// `FOR VALUES FROM ('a') TO ('b')` of a single column; the words between may stand in a value too.
fn range_bound(text: &str) -> Option<(Bound, Bound)> {
    let inner = text.strip_prefix("FOR VALUES FROM (")?.strip_suffix(')')?;
    let outside = |at: usize| inner.get(..at).is_some_and(|before| before.matches('\'').count() % 2 == 0);
    let (at, between) = inner.match_indices(") TO (").find(|(at, _)| outside(*at))?;
    let (from, to) = (inner.get(..at)?, inner.get(at + between.len()..)?);
    Some((bound_value(from), bound_value(to)))
}

fn bound_value(text: &str) -> Bound {
    match text {
        "MINVALUE" | "MAXVALUE" => Bound::Open,
        value => Bound::Value(value.to_owned()),
    }
}

fn hash_bound(text: &str) -> Option<(u32, u32)> {
    let inner = text.strip_prefix("FOR VALUES WITH (modulus ")?.strip_suffix(')')?;
    let (modulus, remainder) = inner.split_once(", remainder ")?;
    Some((modulus.parse().ok()?, remainder.parse().ok()?))
}

/// Times that have no partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Coverage {
    /// `2026-11`, when nothing takes rows of the present.
    pub(crate) now: Option<String>,
    /// `2026-12`, when nothing takes rows of the coming month.
    pub(crate) next: Option<String>,
    /// Holes between partitions, as `from … to …`.
    pub(crate) gaps: Vec<String>,
}

#[derive(Deserialize)]
struct Upcoming {
    now_bucket: usize,
    now_month: String,
    next_bucket: usize,
    next_month: String,
}

impl Layout {
    /// The bucket of a legacy row.
    pub(crate) fn bucket(&self) -> &str {
        match &self.mapping {
            Mapping::Buckets { expression, .. } => expression,
            Mapping::Whole => "0",
        }
    }

    /// The slot of a bucket; `None`: rows there have no partition.
    pub(crate) fn slot_of(&self, bucket: Option<i64>) -> Option<usize> {
        match &self.mapping {
            Mapping::Whole => Some(0),
            Mapping::Buckets { slots, default, .. } => bucket
                .and_then(|b| usize::try_from(b).ok())
                .and_then(|b| slots.get(b).copied().flatten())
                .or(*default),
        }
    }

    /// Which legacy rows belong in these slots, or (`homeless`) in none. Where they lie between two bounds, that is
    /// said as well: an index may know.
    pub(crate) fn belongs(&self, wanted: &[usize], homeless: bool) -> String {
        let Mapping::Buckets { expression, slots, default } = &self.mapping else { return "true".into() };
        let takes = |slot: Option<usize>| match slot.or(*default) {
            Some(s) => wanted.contains(&s),
            None => homeless,
        };
        let list: Vec<usize> =
            slots.iter().enumerate().filter(|(_, slot)| takes(**slot)).map(|(b, _)| b).collect();
        let nulls = takes(None);
        if list.len() == slots.len() && nulls {
            return "true".into();
        }
        let numbers: Vec<_> = list.iter().map(usize::to_string).collect();
        match (numbers.is_empty(), nulls) {
            (true, true) => format!("({expression}) is null"),
            (true, false) => "false".into(),
            (false, true) => format!("coalesce(({expression}) in ({}), true)", numbers.join(", ")),
            (false, false) => {
                format!("({expression}) in ({}){}", numbers.join(", "), self.between(&list))
            }
        }
    }

    /// The thresholds below the first and above the last of some buckets.
    fn between(&self, buckets: &[usize]) -> String {
        let (Some(first), Some(last), [column]) = (buckets.first(), buckets.last(), self.key.as_slice())
        else {
            return String::new();
        };
        if self.range_kind.is_empty() {
            return String::new();
        }
        let column = format!("{}::{}", Ident(column), self.range_kind);
        let mut out = String::new();
        if let Some(low) = first.checked_sub(1).and_then(|i| self.thresholds.get(i)) {
            let _ = write!(out, " and {column} >= {}", literal(low));
        }
        if let Some(high) = self.thresholds.get(*last) {
            let _ = write!(out, " and {column} < {}", literal(high));
        }
        out
    }

    /// Is there a partition for the present and the coming month? Only tables partitioned by time can tell.
    pub(crate) async fn coverage(&self, tx: &mut dyn ReadTx) -> Result<Coverage> {
        let (Some(kind), Mapping::Buckets { slots, .. }) = (&self.time_key, &self.mapping) else {
            return Ok(Coverage::default());
        };
        let list: Vec<_> = self.thresholds.iter().map(|t| literal(t)).collect();
        let array = format!("array[{}]::{kind}[]", list.join(", "));
        let sql = format!(
            "select width_bucket(now()::{kind}, {array}) as now_bucket, to_char(now(), 'YYYY-MM') as now_month,\n\
             width_bucket((date_trunc('month', now()) + interval '1 month')::{kind}, {array}) as next_bucket,\n\
             to_char(now() + interval '1 month', 'YYYY-MM') as next_month"
        );
        let t: Upcoming = tx.one(&over_values(kind, &sql)).await?;
        let covered =
            |bucket: usize| self.default.is_some() || slots.get(bucket).copied().flatten().is_some();
        let inner = slots.len().saturating_sub(1);
        let gaps = (1..inner)
            .filter(|b| slots.get(*b).is_some_and(Option::is_none))
            .filter_map(|b| Some(format!("{} to {}", self.thresholds.get(b - 1)?, self.thresholds.get(b)?)))
            .collect();
        Ok(Coverage {
            now: (!covered(t.now_bucket)).then_some(t.now_month),
            next: (!covered(t.next_bucket)).then_some(t.next_month),
            gaps,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_as_the_server_writes_them() {
        assert_eq!(
            range_bound("FOR VALUES FROM ('2025-01-01 00:00:00') TO (MAXVALUE)"),
            Some((Bound::Value("'2025-01-01 00:00:00'".into()), Bound::Open))
        );
        assert_eq!(
            range_bound(r"FOR VALUES FROM ('x) TO (y''') TO (E'a\\b')"),
            Some((Bound::Value("'x) TO (y'''".into()), Bound::Value(r"E'a\\b'".into())))
        );
        assert_eq!(range_bound("FOR VALUES FROM (0) TO (10)").unwrap().1, Bound::Value("10".into()));
        assert_eq!(range_bound("DEFAULT"), None);
        assert_eq!(hash_bound("FOR VALUES WITH (modulus 16, remainder 3)"), Some((16, 3)));
    }

    #[test]
    fn list_partitions_take_nulls_too() {
        let bounds = ["FOR VALUES IN ('a', NULL)"];
        let of = |kind, equality| match list(None, ("c", kind, equality), &bounds) {
            Mapping::Buckets { expression, .. } => expression,
            Mapping::Whole => panic!("{kind}"),
        };
        let named = r#"case when "c" operator(public.=) any (array['a', NULL]::public.citext[]) or "c" is null then 0 end"#;
        assert_eq!(of("public.citext", Some("operator(public.=)")), named);
        assert!(of("text", None).contains(r#""c" operator(pg_catalog.=) any (array['a', NULL]::text[])"#));
        assert!(of("text[]", None).contains(r#""c" in ('a', NULL)"#));
    }
}
