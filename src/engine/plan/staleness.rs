//! A plan against the same plan made now: which rows have moved, from what to what.

use crate::engine::model::drift::{Pair, PlanDrift};
use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::engine::model::change::RowChange;
use crate::engine::model::diff::PlannedRow;
use crate::engine::model::error::Result;
use crate::engine::model::plan::Plan;
use crate::engine::model::row_store::RowSet;
use crate::engine::model::step::Action;
use crate::engine::port::dialect::Dialect;

const PAGE: usize = 2_000;

/// Reads a row set in order, and says which row it is.
struct Walk<'a> {
    rows: &'a dyn RowSet,
    at: u64,
    page: std::vec::IntoIter<PlannedRow>,
    next: u64,
}

impl<'a> Walk<'a> {
    fn new(rows: &'a dyn RowSet) -> Self {
        Self { rows, at: 0, page: Vec::new().into_iter(), next: 0 }
    }

    fn next(&mut self) -> Result<Option<(u64, PlannedRow)>> {
        if self.page.len() == 0 && self.at < self.rows.len() {
            let page = self.rows.page(self.at, PAGE)?;
            self.at += page.len() as u64;
            self.page = page.into_iter();
        }
        Ok(self.page.next().map(|row| {
            self.next += 1;
            (self.next - 1, row)
        }))
    }
}

/// Rows that the other side has not shown yet. They may be all of a table, so each is held as two digests and its
/// place; what is told of it is read again from there.
struct HeldRows<'a> {
    rows: &'a dyn RowSet,
    seen: HashMap<u128, (u128, u64)>,
}

/// What the other side has shown of a row.
enum OtherSide {
    Never,
    Same,
    /// Otherwise, at this place.
    Other(u64),
}

impl<'a> HeldRows<'a> {
    fn new(rows: &'a dyn RowSet) -> Self {
        Self { rows, seen: HashMap::new() }
    }

    fn hold(&mut self, place: u64, row: &PlannedRow) {
        self.seen.insert(name(row), (content(row), place));
    }

    fn meets(&mut self, row: &PlannedRow) -> OtherSide {
        match self.seen.remove(&name(row)) {
            None => OtherSide::Never,
            Some((other, _)) if other == content(row) => OtherSide::Same,
            Some((_, place)) => OtherSide::Other(place),
        }
    }

    fn read(&self, place: u64) -> Result<Option<PlannedRow>> {
        Ok(self.rows.page(place, 1)?.into_iter().next())
    }

    /// What was never shown by the other side: counted all, told in its own order.
    fn leave(self, moved: &mut PlanDrift, side: impl Fn(Option<PlannedRow>) -> Pair) -> Result<()> {
        let mut places: Vec<u64> = self.seen.values().map(|(_, place)| *place).collect();
        places.sort_unstable();
        for place in places {
            moved.add(|| Ok(side(self.read(place)?)))?;
        }
        Ok(())
    }
}

fn digest(value: &impl Serialize) -> u128 {
    let sum = Sha256::digest(serde_json::to_vec(value).unwrap_or_default());
    sum.iter().take(16).fold(0, |n, byte| n << 8 | u128::from(*byte))
}

/// Which row it is: the same key may be changed by several steps.
fn name(row: &PlannedRow) -> u128 {
    digest(&(row.step, &row.key))
}

/// What must be the same; what is shown beside a row may change without the row.
fn content(row: &PlannedRow) -> u128 {
    digest(&(&row.before, &row.after, row.unit))
}

/// The plan made now, as an earlier version would have written it: without the arguments of a task that the other plan
/// does not have; and wherever that does not say which table a name led to, the table is left to the search path, and so
/// are its question and its canary.
fn as_unresolved_in(plan: &Plan, now: &Plan, dialect: &dyn Dialect) -> Plan {
    let mut now = now.clone();
    for (at, step) in now.steps.iter_mut().enumerate() {
        let planned = plan.steps.iter().find(|s| s.id == step.id).map(|s| &s.action);
        if let (Action::Task(task), Some(Action::Task(planned))) = (&mut step.action, planned) {
            task.args.retain(|name, _| planned.args.contains_key(name));
        }
        let (Action::Rows(change), Some(Action::Rows(planned))) = (&mut step.action, planned) else {
            continue;
        };
        let name = |change: &RowChange| change.relation(&|name| dialect.parse(name));
        let (resolved, question) = (name(change), dialect.verification(change, at));
        if planned.resolved.is_none() {
            change.resolved = None;
        }
        for (derived, planned) in change.derived.iter_mut().zip(&planned.derived) {
            if derived.table == planned.table && planned.resolved.is_none() {
                derived.resolved = None;
            }
        }
        let relation = name(change);
        if let (Some(canary), Some(planned)) = (&mut change.canary, &planned.canary) {
            // Its text is a feature's: both are compared with one spelling of the table's name, and neither is edited.
            let (resolved, left) = (dialect.relation(&resolved), dialect.relation(&relation));
            let spelled = |sql: &str| sql.replace(&resolved, &left);
            if spelled(&canary.sql) == spelled(&planned.sql) {
                canary.sql.clone_from(&planned.sql);
            }
        }
        let (Some(question), Some(earlier)) = (question, dialect.verification(change, at)) else { continue };
        for asked in now.verify.iter_mut().filter(|v| v.sql == question.sql) {
            asked.sql.clone_from(&earlier.sql);
        }
    }
    now
}

/// Parts of a plan that follow from its rows: what their count and the texts say.
const OF_ROWS: [&str; 4] = ["rows", "why", "changes", "diff_total"];

/// Which parts, other than rows, differ from a plan of the same thing made now; those that follow from its rows are left
/// out where `other_rows`.
fn parts(plan: &Plan, now: &Plan, dialect: &dyn Dialect, other_rows: bool) -> Vec<String> {
    let (a, b) = (plan.compared_content(), as_unresolved_in(plan, now, dialect).compared_content());
    let (Value::Object(mut a), Value::Object(mut b)) = (a, b) else { return vec![] };
    if other_rows {
        for name in OF_ROWS {
            a.remove(name);
            b.remove(name);
        }
    }
    let short = |v: Option<&Value>| {
        let text = v.map_or_else(|| "nothing".to_owned(), Value::to_string);
        if text.chars().count() > 160 { text.chars().take(160).chain(['…']).collect() } else { text }
    };
    let part = |(key, value): (&String, &Value)| match (key.as_str(), value, b.get(key)) {
        ("steps", Value::Array(planned), Some(Value::Array(now))) => steps_differ(planned, now, short),
        (_, value, now) => vec![format!("{key}: planned {}, now {}", short(Some(value)), short(now))],
    };
    a.iter()
        .filter(|(key, value)| b.get(*key) != Some(value))
        .flat_map(part)
        .chain(b.keys().filter(|k| !a.contains_key(*k)).map(|k| format!("{k}: not in the plan")))
        .collect()
}

/// Steps that came, went or are others, by their titles; of another one the first thing that differs.
fn steps_differ(planned: &[Value], now: &[Value], short: impl Fn(Option<&Value>) -> String) -> Vec<String> {
    let title = |step: &Value| step["title"].as_str().unwrap_or_default().to_owned();
    let find = |steps: &[Value], id: &Value| steps.iter().find(|s| &s["id"] == id).cloned();
    let other = |old: &Value, new: &Value| {
        let lists = (old["statements"].as_array(), new["statements"].as_array());
        let (Value::Object(fields), (Some(was), Some(is))) = (old, lists) else { return None };
        if let Some(at) = (0..was.len().max(is.len())).find(|i| was.get(*i) != is.get(*i)) {
            return Some(format!("statement planned {}, now {}", short(was.get(at)), short(is.get(at))));
        }
        let (key, value) = fields.iter().find(|(key, value)| new.get(*key) != Some(value))?;
        Some(format!("{key} planned {}, now {}", short(Some(value)), short(new.get(key))))
    };
    let mut out: Vec<String> = vec![];
    for old in planned {
        out.push(match find(now, &old["id"]) {
            None => format!("no longer to be done: {}", title(old)),
            Some(new) if &new != old => {
                format!("{}: {}", title(old), other(old, &new).unwrap_or_else(|| "differs".into()))
            }
            Some(_) => continue,
        });
    }
    let fresh = now.iter().filter(|new| find(planned, &new["id"]).is_none());
    out.extend(fresh.map(|new| format!("not planned, now to be done: {}", title(new))));
    if out.is_empty() {
        out.push("its steps come in another order".into());
    }
    out
}

/// Compares; equal sums of the lines need no second look.
pub fn compare(
    (plan, rows): (&Plan, &dyn RowSet),
    (fresh, now): (&Plan, &dyn RowSet),
    dialect: &dyn Dialect,
) -> Result<PlanDrift> {
    let mut moved = PlanDrift::default();
    if rows.sha256() != now.sha256() {
        walk(rows, now, &mut moved)?;
    }
    moved.parts = parts(plan, fresh, dialect, moved.total > 0);
    Ok(moved)
}

/// Both sides come in the server's order of keys, which we do not know: a key that the other side has not shown
/// yet is held until it does, or until both end.
fn walk(rows: &dyn RowSet, now: &dyn RowSet, moved: &mut PlanDrift) -> Result<()> {
    let (mut a, mut b) = (Walk::new(rows), Walk::new(now));
    let (mut only_a, mut only_b) = (HeldRows::new(rows), HeldRows::new(now));
    loop {
        let (left, right) = match (a.next()?, b.next()?) {
            (None, None) => break,
            (Some((_, l)), Some((_, r))) if l.step == r.step && l.key == r.key => {
                if !same(&l, &r) {
                    moved.add(|| Ok((Some(l), Some(r))))?;
                }
                continue;
            }
            sides => sides,
        };
        // When one side has ended, the other's rows wait for nobody.
        let (ended_a, ended_b) = (left.is_none(), right.is_none());
        if let Some((place, l)) = left {
            match only_b.meets(&l) {
                OtherSide::Same => {}
                OtherSide::Other(r) => moved.add(|| Ok((Some(l), only_b.read(r)?)))?,
                OtherSide::Never if ended_b => moved.add(|| Ok((Some(l), None)))?,
                OtherSide::Never => only_a.hold(place, &l),
            }
        }
        if let Some((place, r)) = right {
            match only_a.meets(&r) {
                OtherSide::Same => {}
                OtherSide::Other(l) => moved.add(|| Ok((only_a.read(l)?, Some(r))))?,
                OtherSide::Never if ended_a => moved.add(|| Ok((None, Some(r))))?,
                OtherSide::Never => only_b.hold(place, &r),
            }
        }
    }
    only_a.leave(moved, |row| (row, None))?;
    only_b.leave(moved, |row| (None, row))
}

fn same(a: &PlannedRow, b: &PlannedRow) -> bool {
    a.before == b.before && a.after == b.after && a.unit == b.unit
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::atomic::{AtomicU64, Ordering};

    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::engine::model::diff::Values;
    use crate::engine::model::drift::TOLD;
    use crate::engine::model::row_store::RawRow;

    /// Rows made as they are asked for: none of them is anywhere else in memory.
    struct Made<F> {
        rows: u64,
        make: F,
        pages: AtomicU64,
    }

    impl<F: Fn(u64) -> PlannedRow + Send + Sync> RowSet for Made<F> {
        fn len(&self) -> u64 {
            self.rows
        }
        fn sha256(&self) -> &'static str {
            ""
        }
        fn page(&self, from: u64, limit: usize) -> Result<Vec<PlannedRow>> {
            self.pages.fetch_add(1, Ordering::SeqCst);
            Ok((from..self.rows.min(from + limit as u64)).map(&self.make).collect())
        }
        fn raw(&self, _: u64, _: usize) -> Result<Vec<RawRow>> {
            Ok(vec![])
        }
        fn save(&self, _: &std::path::Path) -> Result<()> {
            Ok(())
        }
    }

    fn made<F: Fn(u64) -> PlannedRow + Send + Sync>(rows: u64, make: F) -> Made<F> {
        Made { rows, make, pages: AtomicU64::new(0) }
    }

    fn row(key: u64, after: u64) -> PlannedRow {
        let values = |name: &str, value: Value| Values::from_iter([(name.to_owned(), value)]);
        PlannedRow {
            key: values("k", json!(key.to_string())),
            after: Some(values("v", json!(after.to_string()))),
            ..PlannedRow::default()
        }
    }

    fn moved(a: &dyn RowSet, b: &dyn RowSet) -> PlanDrift {
        let mut out = PlanDrift::default();
        walk(a, b, &mut out).unwrap();
        out
    }

    #[test]
    fn a_long_prefix_that_is_gone_is_counted_and_its_first_rows_told() {
        let planned = made(60_000, |i| row(i, i));
        let now = made(20_000, |i| row(i + 40_000, i + 40_000));
        let found = moved(&planned, &now);
        assert_eq!((found.total, found.rows.len()), (40_000, TOLD));
        assert!(found.rows.iter().all(|r| r.what == "gone" && r.planned.is_some()));
        let back = moved(&now, &planned);
        assert_eq!((back.total, back.rows[0].what), (40_000, "new"));
    }

    #[test]
    fn a_row_that_changed_at_another_place_is_told_with_both_sides() {
        let planned = made(5_000, |i| row(i, i));
        let now = made(5_000, |i| row(4_999 - i, if i == 10 { 7 } else { 4_999 - i }));
        let found = moved(&planned, &now);
        assert_eq!(found.total, 1);
        let one = &found.rows[0];
        assert_eq!(
            (one.what, &one.planned, &one.now),
            ("changed", &Some(row(4_989, 4_989)), &Some(row(4_989, 7)))
        );
        assert_eq!(
            moved(&planned, &made(5_000, |i| row(4_999 - i, 4_999 - i))).total,
            0,
            "order is no difference"
        );
    }

    #[test]
    fn steps_are_told_apart_by_their_titles() {
        let step = |id: &str, sql: &str| json!({"id": id, "title": format!("the {id}"), "statements": [sql]});
        let told =
            |a: &[Value], b: &[Value]| steps_differ(a, b, |v| v.map_or_else(String::new, Value::to_string));
        assert_eq!(
            told(&[step("a", "x"), step("b", "y")], &[step("b", "z"), step("c", "w")]),
            [
                "no longer to be done: the a",
                "the b: statement planned \"y\", now \"z\"",
                "not planned, now to be done: the c"
            ]
        );
        assert_eq!(
            told(&[step("a", "x"), step("b", "y")], &[step("b", "y"), step("a", "x")]),
            ["its steps come in another order"]
        );
    }

    /// Rows as drawn, each key once, in the order of `order`.
    fn drawn(values: &BTreeMap<u64, u64>, order: &[u64]) -> Vec<PlannedRow> {
        let mut keys: Vec<u64> = values.keys().copied().collect();
        keys.sort_by_key(|k| (order[usize::try_from(*k).unwrap() % order.len()], *k));
        keys.into_iter().map(|k| row(k, values[&k])).collect()
    }

    proptest! {
        #[test]
        fn whatever_the_order_each_row_that_differs_is_told_once(
            planned in btree_map(0_u64..40, 0_u64..3, 0..40),
            now in btree_map(0_u64..40, 0_u64..3, 0..40),
            orders in (vec(0_u64..100, 7), vec(0_u64..100, 11)),
        ) {
            let (a, b) = (drawn(&planned, &orders.0), drawn(&now, &orders.1));
            let (left, right) =
                (made(a.len() as u64, |i| a[usize::try_from(i).unwrap()].clone()),
                 made(b.len() as u64, |i| b[usize::try_from(i).unwrap()].clone()));
            let found = moved(&left, &right);
            let keys: BTreeSet<u64> = planned.keys().chain(now.keys()).copied().collect();
            let mut expected: Vec<_> = keys
                .into_iter()
                .filter(|k| planned.get(k) != now.get(k))
                .map(|k| {
                    let side = |values: &BTreeMap<u64, u64>| values.get(&k).map(|v| row(k, *v));
                    let what = match (planned.contains_key(&k), now.contains_key(&k)) {
                        (true, true) => "changed",
                        (true, false) => "gone",
                        _ => "new",
                    };
                    (what, side(&planned), side(&now))
                })
                .collect();
            let mut told: Vec<_> = found.rows.into_iter().map(|r| (r.what, r.planned, r.now)).collect();
            let by_text = |r: &(&str, Option<PlannedRow>, Option<PlannedRow>)| format!("{r:?}");
            told.sort_by_key(by_text);
            expected.sort_by_key(by_text);
            prop_assert_eq!(found.total, expected.len() as u64);
            prop_assert_eq!(told, expected);
        }
    }
}
