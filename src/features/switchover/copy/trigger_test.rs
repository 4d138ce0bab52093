//! What keeps one side as the other, fired in a copy: every kind of write on one side, both compared after each.

use crate::engine::model::query::Sql;
use serde::Deserialize;

use crate::engine::model::cause::Cause;
use crate::engine::model::error::Result;
use crate::engine::model::name::{Ident, literal};
use crate::engine::plan::tables::Table;
use crate::engine::port::copies::TargetCopy;
use crate::engine::port::reader::ReadOptions;
use crate::features::switchover::plan::twin_pair::TwinPair;

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct TriggerTest {
    /// Writes after which both sides were equal.
    pub(crate) fine: Vec<&'static str>,
    /// Writes that failed, or left the sides different, and how.
    pub(crate) faults: Vec<String>,
    /// Writes that the table itself does not take.
    pub(crate) untried: Vec<String>,
}

/// A write: what it is, and its statement.
type Write = (&'static str, String);

#[derive(Deserialize)]
struct Key {
    key: Vec<String>,
}

/// Rows that are written, one for each kind of write.
const ROWS: usize = 5;
/// TRUNCATE fires the trigger of each partition: of more than these it would take minutes.
const TRUNCATED: usize = 1_000;
const WHOLE: &str = "TRUNCATE";
/// Holds a row while it is away.
const KEPT: &str = "midwatch_fired";

/// Which side is written, and what both are called at the time.
#[derive(Debug, Clone)]
pub(crate) struct Sides {
    pub(crate) legacy: String,
    pub(crate) twin: String,
    /// The legacy table is written, and its twin follows.
    pub(crate) forward: bool,
    /// Columns of unique keys on the side that follows: what is written must not be refused there by right.
    pub(crate) unique: Vec<String>,
}

impl Sides {
    /// As they are before a switchover.
    pub(crate) fn before(twin_pair: &TwinPair<'_>) -> Self {
        Self {
            legacy: twin_pair.legacy.relation.clone(),
            twin: twin_pair.partitioned.relation.clone(),
            forward: true,
            unique: vec![],
        }
    }
}

/// Fires every kind of write. `table`: what the catalog says of the written one.
pub(crate) async fn exercise_triggers(
    copy: &dyn TargetCopy,
    twin_pair: &TwinPair<'_>,
    table: &Table,
    sides: &Sides,
) -> Result<TriggerTest> {
    let scene = Scene { copy, twin_pair, table, sides };
    let keys = scene.keys().await?;
    let mut out = TriggerTest::default();
    let Some(last) = keys.last() else {
        out.untried.push("the table has no row to write to".into());
        return Ok(out);
    };
    scene.level().await?;
    if !sides.forward && twin_pair.layout.leaves.len() > TRUNCATED {
        out.untried
            .push(format!("{WHOLE}: it would fire in each of {} partitions", twin_pair.layout.leaves.len()));
    }
    for (what, sql) in scene.writes(&|i| keys.get(i % keys.len()).unwrap_or(last)) {
        if sql.is_empty() {
            out.untried.push(format!("{what}: nothing there to change"));
            continue;
        }
        if let Some(why) = scene.refused(&sql).await {
            out.untried.push(format!("{what}: {why}"));
            continue;
        }
        let fault = match copy.execute(&sql).await {
            Err(e) => Some(format!("{what} fails: {}", e.message)),
            Ok(()) => scene.differs().await?.then(|| format!("{what} is not mirrored")),
        };
        match fault {
            None => out.fine.push(what),
            Some(fault) => {
                out.faults.push(fault);
                // What one write has left different must not be held against the next.
                scene.level().await?;
            }
        }
    }
    Ok(out)
}

struct Scene<'c> {
    copy: &'c dyn TargetCopy,
    twin_pair: &'c TwinPair<'c>,
    table: &'c Table,
    sides: &'c Sides,
}

impl Scene<'_> {
    fn written(&self) -> &str {
        if self.sides.forward { &self.sides.legacy } else { &self.sides.twin }
    }

    fn writes<'k>(&self, of: &dyn Fn(usize) -> &'k Key) -> Vec<Write> {
        let mut out: Vec<Write> = vec![
            ("UPDATE to NULL", self.to_null(of(0))),
            ("UPDATE", self.like_another(of(1), of(2))),
            ("UPDATE of the partition key", self.move_to_other_partition(of(2))),
            ("UPDATE of the key", self.renamed(of(3))),
            ("DELETE", self.delete(of(4))),
            ("INSERT", self.insert_again()),
        ];
        if !self.sides.forward {
            out.push((
                "DELETE in a partition",
                self.in_leaf(of(0), |row| format!("delete from %s t where {row}")),
            ));
            out.push(("TRUNCATE of a partition", self.in_leaf(of(1), |_| "truncate %s".into())));
            if self.twin_pair.layout.leaves.len() <= TRUNCATED {
                out.push((WHOLE, format!("truncate {}", self.written())));
            }
        }
        out
    }

    async fn keys(&self) -> Result<Vec<Key>> {
        let texts: Vec<_> = self.twin_pair.twin.key.iter().map(|k| format!("t.{}::text", Ident(k))).collect();
        let order: Vec<_> = self.twin_pair.twin.key.iter().map(|k| format!("t.{}", Ident(k))).collect();
        let sql = format!(
            "select array[{}] as key from {} t order by {} limit {ROWS}",
            texts.join(", "),
            self.written(),
            order.join(", ")
        );
        self.copy.facts().begin(ReadOptions::default()).await?.fetch(&Sql::over_rows(&sql)).await
    }

    /// Directly in the partition that the row lies in; the statement is made of the condition that finds the row.
    fn in_leaf(&self, key: &Key, statement: fn(&str) -> String) -> String {
        let which = self.is("t", key);
        let block = format!(
            "declare leaf regclass; begin select t.tableoid::regclass into leaf from {} t where {which}; \
             if leaf is not null then execute format({}, leaf); end if; end",
            self.written(),
            literal(&statement(&which))
        );
        format!("do {}", literal(&block))
    }

    /// Makes the side that follows hold what the written one holds, with a place for every row: only the writes that
    /// come now are judged.
    async fn level(&self) -> Result<()> {
        let (from, onto) = if self.sides.forward {
            (&self.sides.legacy, &self.sides.twin)
        } else {
            (&self.sides.twin, &self.sides.legacy)
        };
        let generated = |name: &str| self.table.columns.iter().any(|c| c.name == name && c.generated);
        let names: Vec<_> = self.twin_pair.columns.common.iter().filter(|c| !generated(&c.name)).collect();
        let values: Vec<_> = names.iter().map(|c| self.cast(&c.name, "x", self.sides.forward)).collect();
        let names: Vec<_> = names.iter().map(|c| Ident(&c.name).to_string()).collect();
        let layout = &self.twin_pair.layout;
        let default = match layout.default {
            None if layout.takes_default => self.catch_all(),
            _ => String::new(),
        };
        let sql = format!(
            "set session_replication_role = replica; {default}delete from {onto}; \
             insert into {onto} ({}) overriding system value select {} from {from} x; set session_replication_role = origin",
            names.join(", "),
            values.join(", "),
        );
        self.copy
            .execute(&sql)
            .await
            .map_err(|e| e.context("to prove what keeps both sides equal, in a copy"))
    }

    /// A partition for every row, its owner's as the others are.
    fn catch_all(&self) -> String {
        let twin = &self.sides.twin;
        let name = format!("midwatch_default_{}", self.twin_pair.partitioned.oid);
        let owned = format!(
            "begin execute (select format('alter table {name} owner to %I', pg_get_userbyid(c.relowner)) from pg_class c \
             where c.oid = {}::regclass); end",
            literal(twin)
        );
        format!("create table if not exists {name} partition of {twin} default; do {}; ", literal(&owned))
    }

    /// A column's value as the twin (or the legacy table) holds it.
    fn cast(&self, column: &str, alias: &str, as_twin: bool) -> String {
        let retyped = self.twin_pair.columns.retyped.iter().find(|(n, ..)| n == column);
        match retyped {
            Some((_, legacy, twin)) => {
                format!("{alias}.{}::{}", Ident(column), if as_twin { twin } else { legacy })
            }
            None => format!("{alias}.{}", Ident(column)),
        }
    }

    /// Are the sides unequal? As texts, by name, in the twin's types.
    async fn differs(&self) -> Result<bool> {
        let side = |relation: &str, cells: Vec<String>| {
            format!(
                "(select array_agg(r order by r) from (select jsonb_build_array({})::text as r from {relation} x) q)",
                cells.join(", ")
            )
        };
        let common = &self.twin_pair.columns.common;
        let legacy = common.iter().map(|c| format!("({})::text", self.cast(&c.name, "x", true))).collect();
        let twin = common.iter().map(|c| format!("x.{}::text", Ident(&c.name))).collect();
        let sql = format!(
            "select ({} is distinct from {})::text",
            side(&self.sides.legacy, legacy),
            side(&self.sides.twin, twin)
        );
        let said = self.copy.facts().begin(ReadOptions::default()).await?.texts(&Sql::new(&sql)).await?;
        Ok(said.into_iter().flatten().next().as_deref() != Some("false"))
    }

    fn is(&self, alias: &str, key: &Key) -> String {
        let one = |(k, v): (&String, &String)| format!("{alias}.{}::text = {}", Ident(k), literal(v));
        self.twin_pair.twin.key.iter().zip(&key.key).map(one).collect::<Vec<_>>().join(" and ")
    }

    /// Would the table itself refuse it, with nothing mirrored?
    async fn refused(&self, sql: &str) -> Option<String> {
        let alone = format!(
            "do {}",
            literal(&format!(
                "begin alter table {0} disable trigger user; {sql}; raise sqlstate 'MW000'; end",
                self.written()
            ))
        );
        match self.copy.execute(&alone).await {
            Err(e) if e.cause == Cause::TestEnded => None,
            Err(e) => Some(e.message),
            Ok(()) => None,
        }
    }

    fn columns(&self, which: impl Fn(&str) -> bool) -> Vec<String> {
        let free = |c: &&crate::engine::plan::tables::Stored| {
            !c.generated && !c.numbered && !self.twin_pair.twin.key.contains(&c.name) && which(&c.name)
        };
        let common = |name: &str| self.twin_pair.columns.common.iter().any(|c| c.name == name);
        self.table.columns.iter().filter(free).filter(|c| common(&c.name)).map(|c| c.name.clone()).collect()
    }

    fn to_null(&self, key: &Key) -> String {
        let sets: Vec<_> = self
            .columns(|c| !self.twin_pair.layout.key.iter().chain(&self.sides.unique).any(|k| k == c))
            .iter()
            .filter(|c| nullable(&self.twin_pair.legacy, c) && nullable(&self.twin_pair.partitioned, c))
            .map(|c| format!("{} = null", Ident(c)))
            .collect();
        self.update(&sets, key)
    }

    fn update(&self, sets: &[String], key: &Key) -> String {
        if sets.is_empty() {
            return String::new();
        }
        format!("update {} t set {} where {}", self.written(), sets.join(", "), self.is("t", key))
    }

    fn like_another(&self, key: &Key, other: &Key) -> String {
        let unique = |c: &str| self.table.unique_columns.iter().chain(&self.sides.unique).any(|k| k == c);
        let columns = self.columns(|c| !unique(c) && !self.twin_pair.layout.key.iter().any(|k| k == c));
        self.update(&self.of_other(&columns, other), key)
    }

    fn of_other(&self, columns: &[String], other: &Key) -> Vec<String> {
        let one = |c: &String| {
            format!(
                "{0} = (select o.{0} from {1} o where {2})",
                Ident(c),
                self.written(),
                self.is("o", other)
            )
        };
        columns.iter().map(one).collect()
    }

    /// Into another partition: that of the last row.
    fn move_to_other_partition(&self, key: &Key) -> String {
        let columns = self.columns(|c| self.twin_pair.layout.key.iter().any(|k| k == c));
        let sets: Vec<_> = columns
            .iter()
            .map(|c| format!("{0} = (select max(o.{0}) from {1} o)", Ident(c), self.written()))
            .collect();
        self.update(&sets, key)
    }

    fn renamed(&self, key: &Key) -> String {
        let [column] = self.twin_pair.twin.key.as_slice() else { return String::new() };
        let number = self.twin_pair.legacy.columns.iter().any(|c| &c.name == column && c.number);
        if !number {
            return String::new();
        }
        let set = format!("{0} = (select max(o.{0}) + 1 from {1} o)", Ident(column), self.written());
        self.update(&[set], key)
    }

    fn delete(&self, key: &Key) -> String {
        let legacy = self.written();
        let which = self.is("t", key);
        format!(
            "drop table if exists {KEPT}; create table {KEPT} as select * from {legacy} t where {which}; \
             delete from {legacy} t where {which}"
        )
    }

    fn insert_again(&self) -> String {
        let names: Vec<_> =
            self.table.columns.iter().filter(|c| !c.generated).map(|c| Ident(&c.name).to_string()).collect();
        let names = names.join(", ");
        format!("insert into {} ({names}) overriding system value select {names} from {KEPT}", self.written())
    }
}

fn nullable(table: &crate::features::parity::pair::catalog::TwinTable, column: &str) -> bool {
    table.columns.iter().any(|c| c.name == column && c.nullable)
}
