//! Two tables in two databases, compared: how many rows, sums, and which rows differ and how.

use std::collections::BTreeMap;

use futures_util::future::try_join;

use crate::engine::compare::classify::{DifferenceClass, KeyDifference, KeyRules, LocatedRow};
use crate::engine::compare::columns::{NamedColumns, matched};
use crate::engine::compare::range_choice::{KeyEnds, TableSize, by_bits, choose};
use crate::engine::compare::rows::{self, LISTED_KEYS, LOOKED_UP, StreamedSide};
use crate::engine::compare::totals::{Aggregate, GroupPlace, SideTotals, differing};
use crate::engine::compare::units::{RangeUnit, units};
use crate::engine::model::comparison::{
    ComparedColumn, ComparedColumns, ComparedRows, Databases, KeySpan, KeyText, RowPart, ValuePair,
};
use crate::engine::model::error::{Error, Result};
use crate::engine::model::foreign_cast::ForeignCast;
use crate::engine::model::key_ranges::RangeCut;
use crate::engine::model::name::Relation;
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::ReadTx;

/// Pairs of texts that one statement asks about.
const ASKED_VALUES: usize = 500;

/// One of the two tables, and the snapshot in which it is read: that of its transaction.
pub struct TableSide<'t> {
    /// The transaction.
    pub tx: &'t mut dyn ReadTx,
    /// The dialect of its database.
    pub dialect: &'static dyn Dialect,
    /// The table.
    pub table: &'t Relation,
}

/// What is asked of a comparison.
#[derive(Debug, Clone, Copy)]
pub struct CompareRequest<'a> {
    /// Columns that name a row in both tables; where no unique index of the left table is behind them, or there are
    /// none, rows are not told apart.
    pub key: &'a [String],
    /// Columns whose sums are wanted.
    pub sums: &'a [String],
    /// Rows of each class that are returned.
    pub examples: usize,
}

/// What a comparison found.
#[derive(Debug, Default)]
pub struct TableComparison {
    /// How the columns relate; only the common ones were compared.
    pub columns: ComparedColumns,
    /// All rows of the left table.
    pub left: Aggregate,
    /// All rows of the right table.
    pub right: Aggregate,
    /// Key ranges whose count or digest differ.
    pub differing_ranges: usize,
    /// Rows that differ; `None`: no key names a row.
    pub rows: Option<DifferingRows>,
}

impl TableComparison {
    /// Are the common columns of all rows the same, by count and digest?
    pub fn equal(&self) -> bool {
        self.differing_ranges == 0
    }
}

/// Rows that differ.
#[derive(Debug, Default)]
pub struct DifferingRows {
    /// How many of each class.
    pub counts: BTreeMap<DifferenceClass, u64>,
    /// Keys that differ, or hold NULL, and were not looked at one by one.
    pub not_classified: u64,
    /// The first of each class, in the order of their keys within each part that was read.
    pub examples: Vec<DifferenceExample>,
}

/// A row that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DifferenceExample {
    /// How its two rows differ.
    pub class: DifferenceClass,
    /// Its key.
    pub key: KeyText,
    /// Columns that differ, where it is on both sides.
    pub columns: Vec<String>,
    /// The compared columns of the left side's row.
    pub left: Option<Vec<Option<String>>>,
    /// Of the right side's.
    pub right: Option<Vec<Option<String>>>,
}

/// Compares. Each side is read in its own transaction: what was committed in between on one of them is a difference.
pub async fn compare<'t>(
    mut left: TableSide<'t>,
    mut right: TableSide<'t>,
    request: CompareRequest<'_>,
) -> Result<TableComparison> {
    let forms = (left.dialect.digest_form(), right.dialect.digest_form());
    if forms.0 != forms.1 {
        let (l, r) = (left.dialect.id(), right.dialect.id());
        return Err(Error::unobserved(format!("rows of {l} and {r} cannot be compared by digest")));
    }
    let columns = prepare(&mut left, &mut right, request.key).await?;
    let cut = cut(&mut left, &mut right, &columns).await?;
    let names = (left.dialect.relation(left.table), right.dialect.relation(right.table));
    let what = ComparedRows { columns: &columns, cut: &cut, sums: request.sums, digests: true };
    let parts = ([RowPart::whole(&names.0)], [RowPart::whole(&names.1)]);
    let totals = try_join(totals(&mut left, &what, &parts.0), totals(&mut right, &what, &parts.1)).await?;
    let differing = differing(&totals.0, &totals.1);
    let mut found = DifferingRows::default();
    if !columns.key.is_empty() {
        let mut reading = DifferenceReading {
            left: StreamedSide { tx: left.tx, sql: left.dialect, parts: &parts.0 },
            right: StreamedSide { tx: right.tx, sql: right.dialect, parts: &parts.1 },
            what,
            examples: request.examples,
            listed: 0,
        };
        for unit in units(&differing, true) {
            reading.unit(&unit, &mut found).await?;
        }
    }
    Ok(TableComparison {
        left: totals.0.total(),
        right: totals.1.total(),
        differing_ranges: differing.len(),
        rows: (!columns.key.is_empty()).then_some(found),
        columns,
    })
}

/// The settings of both transactions, and how the tables' columns relate; without a key where none names a row.
async fn prepare(
    left: &mut TableSide<'_>,
    right: &mut TableSide<'_>,
    key: &[String],
) -> Result<ComparedColumns> {
    let (ours, theirs) = (read_columns(left).await?, read_columns(right).await?);
    let names = (left.table.to_string(), right.table.to_string());
    let tables = left.dialect.tables(left.tx, std::slice::from_ref(left.table)).await?;
    let names_a_row = |k: &Vec<String>| k.iter().all(|c| key.contains(c));
    let unique = tables.iter().any(|t| t.unique_keys.iter().any(names_a_row));
    matched(
        left.dialect,
        NamedColumns { table: &names.0, columns: &ours },
        NamedColumns { table: &names.1, columns: &theirs },
        if unique { key } else { &[] },
        Databases::Two,
    )
}

async fn read_columns(side: &mut TableSide<'_>) -> Result<Vec<ComparedColumn>> {
    if let Some(settings) = side.dialect.comparison_settings() {
        side.tx.texts(&settings).await?;
    }
    let columns: Vec<ComparedColumn> = side.tx.fetch(&side.dialect.columns_of(side.table)).await?;
    let casts = columns.iter().map(|c| (c.name.as_str(), c.foreign_cast.as_deref()));
    ForeignCast::refuse_any(&side.table.to_string(), casts)?;
    if columns.is_empty() {
        return Err(Error::unobserved(format!("this database has no table {}", side.table)));
    }
    Ok(columns)
}

async fn cut<'t>(
    left: &mut TableSide<'t>,
    right: &mut TableSide<'t>,
    columns: &ComparedColumns,
) -> Result<RangeCut> {
    let Some(first) = columns.key.first() else { return Ok(RangeCut::None) };
    let mut sizes = Vec::new();
    for side in [&mut *left, &mut *right] {
        let size: TableSize = side.tx.one(&side.dialect.size(side.table, &first.name)).await?;
        sizes.push(size);
    }
    let [ours, theirs] = sizes[..] else { return Ok(RangeCut::None) };
    let mut ends = None;
    if by_bits(columns, (ours, theirs)) {
        let mut both = KeyEnds::default();
        for side in [left, right] {
            let rows = side.dialect.relation(side.table);
            both = both.with(side.tx.one(&side.dialect.key_ends(&rows, &first.name)).await?);
        }
        ends = Some(both);
    }
    Ok(choose(columns, ours.rows.max(theirs.rows), 1, ends))
}

/// Counts and digests of a table that is read in one statement.
async fn totals(
    side: &mut TableSide<'_>,
    what: &ComparedRows<'_>,
    parts: &[RowPart<'_>],
) -> Result<SideTotals> {
    let mut out = SideTotals::default();
    if let Some(on) = side.dialect.compile(true) {
        side.tx.texts(&on).await?;
    }
    let none = |_| GroupPlace::in_one(None);
    out.read(side.tx, side.dialect, what, (parts, KeySpan::default()), &none).await?;
    if let Some(off) = side.dialect.compile(false) {
        side.tx.texts(&off).await?;
    }
    Ok(out)
}

struct DifferenceReading<'a, 't> {
    left: StreamedSide<'a, 't>,
    right: StreamedSide<'a, 't>,
    what: ComparedRows<'a>,
    examples: usize,
    /// Keys looked at so far.
    listed: usize,
}

impl DifferenceReading<'_, '_> {
    async fn unit(&mut self, unit: &RangeUnit, found: &mut DifferingRows) -> Result<()> {
        let room = LISTED_KEYS.saturating_sub(self.listed);
        let ranges = unit.range_list();
        let keys = rows::in_two_databases(&mut self.left, &mut self.right, &self.what, &ranges, room).await?;
        self.listed += keys.listed.len();
        let (keys, nulls) = (rows::in_order(keys.listed.into_iter().collect()), keys.more);
        found.not_classified += nulls + keys.1 as u64;
        for chunk in keys.0.chunks(LOOKED_UP) {
            self.look_up(chunk, found).await?;
        }
        Ok(())
    }

    async fn look_up(&mut self, keys: &[KeyText], found: &mut DifferingRows) -> Result<()> {
        let (l, r, what) = (&mut self.left, &mut self.right, &self.what);
        let ours = rows::by_key(l.tx, l.sql, what, l.parts, keys).await?;
        let theirs = rows::by_key(r.tx, r.sql, what, r.parts, keys).await?;
        let rules = KeyRules { columns: what.columns, group_key: &[] };
        let mut all = Vec::new();
        for n in 1..=keys.len() {
            let of = |rows: &'_ [LocatedRow]| rows.iter().filter(|f| f.n == n).cloned().collect::<Vec<_>>();
            let (ours, theirs) = (of(&ours), of(&theirs));
            let (ours, theirs): (Vec<_>, Vec<_>) = (ours.iter().collect(), theirs.iter().collect());
            all.extend(rules.classify(&ours, &theirs, false).iter().map(example));
        }
        self.same_texts(&mut all).await?;
        for one in all {
            let n = found.counts.entry(one.class).or_default();
            *n += 1;
            if usize::try_from(*n).is_ok_and(|n| n <= self.examples) {
                found.examples.push(one);
            }
        }
        Ok(())
    }

    /// Rows whose values are the same by their types' own equality.
    async fn same_texts(&mut self, all: &mut [DifferenceExample]) -> Result<()> {
        let longest = self.left.sql.longest_value();
        let columns = &self.what.columns.common;
        let pairs: Vec<Option<Vec<ValuePair<'_>>>> =
            all.iter().map(|one| value_pairs(one, columns, longest)).collect();
        let asked: Vec<ValuePair<'_>> = pairs.iter().flatten().flatten().copied().collect();
        let mut answers = Vec::new();
        for some in asked.chunks(ASKED_VALUES) {
            answers.extend(self.left.tx.texts(&self.left.sql.same_values(some)).await?);
        }
        let mut answers = answers.into_iter();
        let same: Vec<bool> = pairs
            .iter()
            .map(|pairs| {
                let Some(pairs) = pairs else { return false };
                let own: Vec<_> = answers.by_ref().take(pairs.len()).collect();
                own.len() == pairs.len() && own.iter().all(|a| a.as_deref() == Some("true"))
            })
            .collect();
        for (one, _) in all.iter_mut().zip(same).filter(|(_, same)| *same) {
            one.class = DifferenceClass::TextOnly;
        }
        Ok(())
    }
}

fn example(found: &KeyDifference<'_>) -> DifferenceExample {
    let cells = |row: Option<&LocatedRow>| row.map(|r| r.cells.clone());
    let key = found.right.or(found.left).map(|r| r.key.clone()).unwrap_or_default();
    DifferenceExample {
        class: found.class,
        key,
        columns: found.columns.clone(),
        left: cells(found.left),
        right: cells(found.right),
    }
}

/// The values that decide whether a row differs in its texts only; `None`: it does not.
fn value_pairs<'a>(
    one: &'a DifferenceExample,
    columns: &'a [ComparedColumn],
    longest: usize,
) -> Option<Vec<ValuePair<'a>>> {
    let (ours, theirs) = (one.left.as_ref()?, one.right.as_ref()?);
    let whole = |text: &&str| text.chars().count() <= longest;
    let cells = columns.iter().zip(ours.iter().zip(theirs));
    cells
        .filter(|(_, (left, right))| left != right)
        .map(|(column, (left, right))| {
            let known = column.as_text && !column.foreign && column.equality.is_some();
            let left = left.as_deref().filter(whole).filter(|_| known)?;
            Some(ValuePair { column, left, right: right.as_deref().filter(whole)? })
        })
        .collect()
}
