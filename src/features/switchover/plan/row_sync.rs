//! Rows of one side as the other has them, and what they need: partitions, sequences.

use crate::engine::model::query::Sql;
use crate::features::switchover::limits::PATIENCE;

use crate::engine::model::change::{CopySource, RowChange, RowKind, TypedColumn};
use crate::engine::model::comparison::ComparedColumn;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::name::Ident;
use crate::engine::model::param::{DefaultValue, ParamSpec, Params, Takes};
use crate::engine::model::plan::Unit;
use crate::engine::model::preflight::{Preflight, Ready, Reversible, Verification};
use crate::engine::model::row_query::RowQuery;
use crate::engine::model::row_query::{Condition, Expr, RowsFrom};
use crate::engine::model::step::{Action, Lock, Step};
use crate::engine::plan::operation::{Draft, PlanCx, UndoText, lock};
use crate::engine::plan::tables::{Firing, Table, Trigger, find_table};
use crate::engine::port::reader::ReadOptions;
use crate::features::parity::pair::catalog::{EQUAL, equality, operator};
use crate::features::parity::pair::partition_gaps::{MissingPartition, upcoming_partitions};
use crate::features::parity::pair::sync_triggers::{REVERSE, truncate_triggers};
use crate::features::parity::pair::{SwitchState, catalog};
use crate::features::switchover::plan::sequences;
use crate::features::switchover::plan::twin_pair::TwinPair;
use crate::features::switchover::preflight::accept::Accepted;
use crate::features::switchover::texts;
use crate::features::switchover::twins::RepairedSide;

/// How a row of the written side comes to be as its copy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowFix {
    /// It has no copy: it goes.
    Extra,
    /// It differs.
    Differs,
    /// It is not there.
    Missing,
}

/// One side written from the other.
struct RowRepair<'c> {
    twin_pair: &'c TwinPair<'c>,
    from: &'c catalog::TwinTable,
    onto: &'c catalog::TwinTable,
    /// The written table.
    table: Table,
    key: Vec<String>,
    /// Common columns that can be written.
    written: Vec<&'c ComparedColumn>,
    secrets: Vec<String>,
}

impl<'c> RowRepair<'c> {
    async fn new(cx: &PlanCx<'_>, twin_pair: &'c TwinPair<'c>, onto: RepairedSide) -> Result<Self> {
        let (from, target) = match onto {
            RepairedSide::Twin => (&twin_pair.legacy, &twin_pair.partitioned),
            RepairedSide::Legacy => (&twin_pair.partitioned, &twin_pair.legacy),
        };
        let table = find_table(cx, &target.relation).await?;
        let mut key = twin_pair.twin.key.clone();
        if onto == RepairedSide::Twin {
            // A row of another partition key is another row.
            key.extend(twin_pair.layout.key.iter().filter(|k| !twin_pair.twin.key.contains(k)).cloned());
        }
        table.keyed(&target.relation, &key)?;
        let stored = |name: &str| table.columns.iter().any(|c| c.name == name && !c.generated);
        let written = twin_pair.columns.common.iter().filter(|c| stored(&c.name)).collect();
        if let Some(lost) = key.iter().find(|k| !twin_pair.columns.common.iter().any(|c| &c.name == *k)) {
            return Err(Error::unobserved(format!(
                "failed to plan: the key column {lost} of {} is not in {}",
                target.relation, from.relation
            )));
        }
        let secrets = [from, target].into_iter().flat_map(|t| cx.secrets_of(&t.relation)).collect();
        Ok(Self { twin_pair, from, onto: target, table, key, written, secrets })
    }

    fn type_of(&self, column: &str) -> &str {
        self.table.columns.iter().find(|c| c.name == column).map_or("text", |c| &c.type_name)
    }

    fn retyped(&self, column: &str) -> bool {
        self.twin_pair.columns.retyped.iter().any(|(name, ..)| name == column)
    }

    /// The copy's value, as the written side would hold it.
    fn copied(&self, column: &str) -> String {
        let plain = format!("s.{}", Ident(column));
        if self.retyped(column) { format!("({plain})::{}", self.type_of(column)) } else { plain }
    }

    /// The operator of a column of the written side. The text is read under the profile's path, in which a bare `=` may be
    /// anybody's.
    fn equality(&self, name: &str) -> &str {
        let column = self.table.columns.iter().find(|c| c.name == name);
        operator(column.and_then(|c| c.equality.as_deref()))
    }

    fn same_key(&self) -> String {
        let one = |k: &String| format!("t.{} {} {}", Ident(k), self.equality(k), self.copied(k));
        self.key.iter().map(one).collect::<Vec<_>>().join(" and ")
    }

    /// Rows with a copy of the same key that says something else.
    fn differs(&self) -> String {
        let one = |c: &&ComparedColumn| {
            let (own, copy) = (format!("t.{}", Ident(&c.name)), self.copied(&c.name));
            // A column's own collation may take different texts for equal.
            let text = c.as_text || matches!(c.base.as_str(), "text" | "varchar");
            let exact = |value: String| format!("({value})::pg_catalog.text collate pg_catalog.\"C\"");
            let (own, copy, operator) =
                if text { (exact(own), exact(copy), EQUAL) } else { (own, copy, self.equality(&c.name)) };
            format!("not coalesce({own} {operator} {copy}, {own} is null and {copy} is null)")
        };
        let others = self.written.iter().copied().filter(|c| !self.key.contains(&c.name));
        let any: Vec<_> = others.map(|c| one(&c)).collect();
        if any.is_empty() { "false".into() } else { format!("({})", any.join(" or ")) }
    }

    /// What rows of this kind are read from, and which they are.
    fn read(&self, kind: RowFix) -> (String, String) {
        let (onto, from) = (&self.onto.relation, &self.from.relation);
        let key = self.same_key();
        match kind {
            RowFix::Extra => (format!("{onto} t"), format!("not exists (select from {from} s where {key})")),
            RowFix::Differs => (format!("{onto} t join {from} s on {key}"), self.differs()),
            RowFix::Missing => {
                (format!("{from} s"), format!("not exists (select from {onto} t where {key})"))
            }
        }
    }

    fn query(&self, kind: RowFix) -> RowQuery {
        let own = |names: &mut dyn Iterator<Item = &String>| -> Vec<(String, Expr)> {
            names.map(|n| (n.clone(), Expr::of_table(n))).collect()
        };
        let copies = |names: &mut dyn Iterator<Item = &String>| -> Vec<(String, Expr)> {
            names.map(|n| (n.clone(), Expr::Text(self.copied(n)))).collect()
        };
        let others = || self.written.iter().map(|c| &c.name).filter(|n| !self.key.contains(n));
        let (from, filter) = self.read(kind);
        let (key, before, after) = match kind {
            RowFix::Extra => {
                (own(&mut self.key.iter()), own(&mut self.kept().iter().map(|c| &c.name)), vec![])
            }
            RowFix::Differs => (own(&mut self.key.iter()), own(&mut others()), copies(&mut others())),
            RowFix::Missing => {
                let written = copies(&mut self.written.iter().map(|c| &c.name));
                (copies(&mut self.key.iter()), vec![], written)
            }
        };
        let (from, filter) = (RowsFrom::Text(from), Condition::Text(filter));
        RowQuery { from, filter, key, before, after, ..RowQuery::default() }
    }

    fn kept(&self) -> Vec<TypedColumn> {
        self.table.kept(&self.secrets)
    }

    /// The step and its rows.
    fn step(&self, cx: &PlanCx<'_>, kind: RowFix) -> Result<(Step, RowQuery)> {
        let (relation, name) = (&self.onto.relation, self.twin_pair.twin.name());
        let columns = match kind {
            RowFix::Extra => self.kept(),
            RowFix::Differs => {
                let others = self.written.iter().map(|c| &c.name).filter(|n| !self.key.contains(n));
                self.table.typed(relation, others)?
            }
            RowFix::Missing => self.table.typed(relation, self.written.iter().map(|c| &c.name))?,
        };
        let change = RowChange {
            table: relation.clone(),
            resolved: Some(self.table.name.clone()),
            kind: match kind {
                RowFix::Extra => RowKind::Delete,
                RowFix::Differs => RowKind::Update,
                RowFix::Missing => RowKind::Insert,
            },
            key: self.table.typed(relation, &self.key)?,
            columns,
            kept: self.kept(),
            before_batch: vec![],
            after_change: vec![],
            excludes_writers: false,
            audit: None,
            after_batch: None,
            derived: vec![],
            referrers: vec![],
            source: Some(CopySource { table: self.from.relation.clone(), present: kind != RowFix::Extra }),
            rewritten: false,
            restores: None,
            canary: None,
            reason: texts::steps::rows_reason(relation, &self.from.relation),
        };
        let (what, title) = match kind {
            RowFix::Extra => ("extra", texts::steps::extra_rows(relation, &self.from.relation)),
            RowFix::Differs => ("differs", texts::steps::differing_rows(relation, &self.from.relation)),
            RowFix::Missing => ("missing", texts::steps::missing_rows(relation, &self.from.relation)),
        };
        let step = Step::new(format!("{name}/{what}"), title, cx.dialect().statements_for_people(&change));
        let locks =
            vec![lock(relation, "ROW EXCLUSIVE"), lock(&self.from.relation, texts::steps::LOCKS_OF_SOURCE)];
        let step = Step { locks, action: Action::Rows(Box::new(change)), ..step };
        Ok((step, self.query(kind)))
    }

    /// Nothing of these kinds is left, in one snapshot.
    fn verification(&self, kinds: &[RowFix]) -> Verification {
        let one = |kind: &RowFix| {
            let (from, filter) = self.read(*kind);
            format!("select 1 from {from} where {filter}")
        };
        let (from, onto) = (&self.from.relation, &self.onto.relation);
        let title = match kinds {
            [RowFix::Missing] => texts::steps::none_missing(onto, from),
            _ => texts::steps::none_differs(onto, from),
        };
        Verification { title, sql: kinds.iter().map(one).collect::<Vec<_>>().join("\nunion all "), own: true }
    }

    fn preflight(&self, cx: &PlanCx<'_>, kinds: &[RowFix]) -> Vec<Preflight> {
        let role = &cx.cx.server.role;
        let relation = &self.onto.relation;
        let columns = self.table.typed(relation, self.written.iter().map(|c| &c.name)).unwrap_or_default();
        let mut out: Vec<Preflight> = kinds
            .iter()
            .map(|kind| match kind {
                RowFix::Extra => {
                    self.table.privilege(relation, "delete rows from", self.table.may_delete, role)
                }
                RowFix::Differs => {
                    self.table.privilege(relation, "update", self.table.may_update_all(&columns), role)
                }
                RowFix::Missing => self.table.privilege(
                    relation,
                    "insert rows into",
                    self.table.may_insert_all(&columns),
                    role,
                ),
            })
            .collect();
        // A legacy table may well lack what its successor has got; a twin must not lack what it is to take over.
        let (lacks, ready) = if self.onto.oid == self.twin_pair.partitioned.oid {
            (&self.twin_pair.columns.only_left, Ready::Fail)
        } else {
            (&self.twin_pair.columns.only_right, Ready::Warn)
        };
        if !lacks.is_empty() {
            let text = texts::preflight::columns_not_copied(relation, lacks);
            out.push(Preflight::new("columns", ready, text));
        }
        out
    }

    /// A row that could be copied from several.
    async fn several(&self, cx: &PlanCx<'_>) -> Result<Option<Preflight>> {
        let key: Vec<_> = self.key.iter().map(|k| self.copied(k)).collect();
        let key = key.join(", ");
        let sql = format!(
            "select count(*)::text from (select 1 from {} s group by {key} having count(*) > 1) d",
            self.from.relation
        );
        let options = ReadOptions { timeout: Some(PATIENCE), ..ReadOptions::default() };
        let count = cx
            .cx
            .read_with(options)
            .await?
            .texts(&Sql::over_rows(&sql))
            .await?
            .pop()
            .flatten()
            .unwrap_or_default();
        Ok((count != "0").then(|| {
            let text = texts::preflight::several_rows(&count, &self.from.relation);
            Preflight::new("duplicates", Ready::Fail, text)
        }))
    }
}

/// Rows that differ, whichever way, of tables that go by these names; in the statement's own snapshot.
pub(crate) fn comparison(twin_pair: &TwinPair<'_>, legacy: &str, twin: &str) -> String {
    let key: Vec<_> = twin_pair
        .columns
        .key
        .iter()
        .chain(twin_pair.columns.common.iter().filter(|c| {
            twin_pair.layout.key.contains(&c.name) && !twin_pair.columns.key.iter().any(|k| k.name == c.name)
        }))
        .collect();
    let plain = |alias: &str, c: &ComparedColumn| format!("{alias}.{}", Ident(&c.name));
    let on: Vec<_> = key
        .iter()
        .map(|c| match twin_pair.columns.retyped.iter().find(|(n, ..)| n == &c.name) {
            Some((_, _, twin)) => format!("{} {} {}::{twin}", plain("t", c), equality(c), plain("l", c)),
            None => format!("{} {} {}", plain("t", c), equality(c), plain("l", c)),
        })
        .collect();
    // A key that its own equality takes for the same may still be written otherwise.
    let rest =
        || twin_pair.columns.common.iter().filter(|c| c.as_text || !key.iter().any(|k| k.name == c.name));
    let own: Vec<_> = rest().map(|c| twin_pair.sql.compared_value(c, "t")).collect();
    let copies: Vec<_> = rest().map(|c| twin_pair.sql.compared_value(c, "l")).collect();
    let differ = if own.is_empty() {
        "false".to_owned()
    } else {
        format!("row({}) is distinct from row({})", own.join(", "), copies.join(", "))
    };
    format!(
        "select 1 from {legacy} l full join {twin} t on {} where l.tableoid is null or t.tableoid is null or {differ}",
        on.join(" and ")
    )
}

/// What an operation wants mended.
pub(crate) struct WantedRows {
    pub(crate) kinds: &'static [RowFix],
    /// The side to be written, where somebody said which; else each twin's own standing does.
    pub(crate) onto: Option<RepairedSide>,
    /// Partitions to come are made, whichever side is written.
    pub(crate) partitions: bool,
    pub(crate) accepted: Accepted,
}

impl WantedRows {
    fn onto(&self, twin_pair: &TwinPair<'_>) -> RepairedSide {
        self.onto.unwrap_or(follows(twin_pair))
    }

    fn why(&self, twin_pairs: &[TwinPair<'_>]) -> String {
        let of = |onto: RepairedSide| {
            let names: Vec<_> =
                twin_pairs.iter().filter(|c| self.onto(c) == onto).map(|c| c.twin.name()).collect();
            let (right, written) = match onto {
                RepairedSide::Twin => (texts::offers::LEGACY, texts::offers::PARTITIONED),
                RepairedSide::Legacy => (texts::offers::PARTITIONED, texts::offers::LEGACY),
            };
            (!names.is_empty()).then(|| match self.kinds {
                [RowFix::Missing] => texts::offers::rows_lacking(written, &names, right),
                _ => texts::offers::rows_differing(written, &names, right),
            })
        };
        [RepairedSide::Twin, RepairedSide::Legacy].into_iter().filter_map(of).collect::<Vec<_>>().join("; ")
    }
}

/// The side that applications do not write: before a switchover the twin, after it the retired table.
fn follows(twin_pair: &TwinPair<'_>) -> RepairedSide {
    if twin_pair.standing == SwitchState::Before { RepairedSide::Twin } else { RepairedSide::Legacy }
}

/// Partitions made ahead.
pub(crate) const AHEAD: ParamSpec = ParamSpec {
    name: "ahead",
    about: "partitions to create after the current one",
    takes: Takes::Number { unit: "partitions", from: 0, to: 120 },
    default: DefaultValue::Number(3),
};

/// Partitions first, then rows, sequences last: whatever a row needs is there before it.
pub(crate) async fn draft(
    cx: &PlanCx<'_>,
    name: &str,
    params: &Params,
    wanted: &WantedRows,
) -> Result<Draft> {
    let twin_pairs = TwinPair::all(cx, name).await?;
    let ahead = u32::try_from(params.number_of(&AHEAD)?).unwrap_or(u32::MAX);
    let mut out = Parts::default();
    for twin_pair in &twin_pairs {
        let onto = wanted.onto(twin_pair);
        out.preflight.extend(direction(twin_pair, onto, &wanted.accepted));
        out.preflight.extend(mirrored(cx, twin_pair).await?);
        if onto == RepairedSide::Twin || wanted.partitions {
            out.partitions(cx, twin_pair, onto, ahead).await?;
        }
        let mend = RowRepair::new(cx, twin_pair, onto).await?;
        out.preflight.extend(mend.preflight(cx, wanted.kinds));
        if onto == RepairedSide::Legacy {
            out.preflight.extend(mend.several(cx).await?);
        }
        for kind in wanted.kinds {
            let (step, rows) = mend.step(cx, *kind)?;
            out.steps.push(step);
            out.rows.push(rows);
        }
        out.verify.push(mend.verification(wanted.kinds));
    }
    for twin_pair in &twin_pairs {
        out.steps.extend(sequences::advance_sequences(cx, twin_pair).await?);
    }
    let verify = out.verify;
    let rows_verified = out.steps.iter().enumerate().filter_map(|(at, s)| match &s.action {
        // Several steps write to the same table.
        Action::Rows(change) => cx
            .dialect()
            .verification(change, at)
            .map(|v| Verification { title: texts::steps::of_step(&v.title, &s.id), ..v }),
        _ => None,
    });
    let verify = rows_verified.chain(verify).collect();
    Ok(Draft {
        why: wanted.why(&twin_pairs),
        changes: out.changes,
        obstacle: None,
        reversible: Reversible::Full,
        undo: UndoText::full_from(texts::offers::ROWS_UNDO),
        frozen: false,
        renames: vec![],
        steps: out.steps,
        preflight: out.preflight,
        verify,
        rows: out.rows,
        unit: Unit::ROWS,
        lock_timeout_ms: None,
        continues_after_window: false,
        names_left: false,
        count: 0,
        undoes: None,
    })
}

/// The side that applications write is never the one to be mended, unless somebody says so openly.
fn direction(twin_pair: &TwinPair<'_>, onto: RepairedSide, accepted: &Accepted) -> Option<Preflight> {
    let live =
        if twin_pair.standing == SwitchState::Before { &twin_pair.legacy } else { &twin_pair.partitioned };
    (onto != follows(twin_pair)).then(|| {
        let name = twin_pair.twin.name();
        let text = texts::preflight::live_table(name, &live.relation);
        accepted.unless("live_table", &text)
    })
}

/// Rows mended under a broken mirror differ again soon.
async fn mirrored(cx: &PlanCx<'_>, twin_pair: &TwinPair<'_>) -> Result<Option<Preflight>> {
    let from =
        if twin_pair.standing == SwitchState::Before { &twin_pair.legacy } else { &twin_pair.partitioned };
    let table = find_table(cx, &from.relation).await?;
    let declared = twin_pair.declared();
    let fires = |on: &dyn Fn(&Trigger) -> bool| {
        let mirrors = |t: &&Trigger| match twin_pair.standing {
            SwitchState::Before => declared.contains(&t.name),
            _ => t.name == REVERSE,
        };
        let fires = |t: &Trigger| matches!(t.state, Firing::Ordinary | Firing::Always);
        table.triggers.known().iter().filter(mirrors).any(|t| fires(t) && on(t))
    };
    let events: [(&str, bool); 3] = [
        ("INSERT", fires(&|t| t.on_insert)),
        ("UPDATE", fires(&|t| t.on_update)),
        ("DELETE", fires(&|t| t.on_delete)),
    ];
    let lost: Vec<_> = events.iter().filter(|(_, fires)| !fires).map(|(event, _)| *event).collect();
    Ok((!lost.is_empty()).then(|| {
        let text = texts::triggers::not_mirrored(&lost, twin_pair.twin.name());
        Preflight::new("mirror", Ready::Warn, text)
    }))
}

#[derive(Default)]
struct Parts {
    steps: Vec<Step>,
    rows: Vec<RowQuery>,
    changes: Vec<String>,
    verify: Vec<Verification>,
    preflight: Vec<Preflight>,
}

impl Parts {
    fn statements(
        &mut self,
        id: String,
        title: String,
        locks: Vec<Lock>,
        (statements, back): (Vec<String>, Vec<String>),
    ) {
        self.changes.push(title.clone());
        self.steps.push(Step { locks, back, ..Step::new(id, title, statements) });
    }

    async fn partitions(
        &mut self,
        cx: &PlanCx<'_>,
        twin_pair: &TwinPair<'_>,
        onto: RepairedSide,
        ahead: u32,
    ) -> Result<()> {
        let parent = &twin_pair.partitioned;
        let (Some(kind), [column], None) =
            (&twin_pair.layout.time_key, twin_pair.layout.key.as_slice(), twin_pair.layout.default)
        else {
            return Ok(());
        };
        let options = ReadOptions { timeout: Some(PATIENCE), ..ReadOptions::default() };
        let mut tx = cx.cx.read_with(options).await?;
        let rows = onto == RepairedSide::Twin && twin_pair.legacy.columns.iter().any(|c| &c.name == column);
        let rows = rows.then_some(&twin_pair.legacy);
        let missing = upcoming_partitions(&mut *tx, parent, (column, kind), ahead, rows).await?;
        if let Some(taken) = missing.iter().find(|c| c.taken) {
            let text = texts::preflight::partition_name_taken(&taken.name, &parent.relation);
            self.preflight.push(Preflight::new("partitions", Ready::Fail, text));
        }
        if missing.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = missing.iter().map(|c| c.name.as_str()).collect();
        let statements = |c: &MissingPartition| {
            let mut out = c.statements(parent);
            if twin_pair.standing == SwitchState::Switched {
                let function = twin_pair.reverse_function().to_string();
                out.extend(truncate_triggers(&function, &c.relation(parent)));
            }
            out
        };
        let table = find_table(cx, &parent.relation).await?;
        self.preflight.push(table.privilege(
            &parent.relation,
            "add partitions to",
            table.owned,
            &cx.cx.server.role,
        ));
        self.statements(
            format!("{}/partitions", twin_pair.twin.name()),
            texts::steps::partitions(&parent.relation, &names),
            vec![lock(&parent.relation, "SHARE UPDATE EXCLUSIVE")],
            (
                missing.iter().flat_map(statements).collect(),
                missing.iter().rev().map(|c| c.drop_if_empty(parent)).collect(),
            ),
        );
        Ok(())
    }
}
