//! Rows of a queue that a person chose, and the change of their state.

use crate::engine::model::change::Canary;
use crate::engine::model::change::RowChange;
use crate::engine::model::change::RowKind;
use crate::engine::model::error::Class;
use crate::engine::model::error::Error;
use crate::engine::model::error::Result;
use crate::engine::model::grants::{TableNeed, TableRight};
use crate::engine::model::param::Params;
use crate::engine::model::plan::Unit;
use crate::engine::model::preflight::Reversible;
use crate::engine::model::profile::Profile;
use crate::engine::model::profile::Queue;
use crate::engine::model::profile::Write;
use crate::engine::model::row_query::ColumnSide;
use crate::engine::model::row_query::Condition;
use crate::engine::model::row_query::Expr;
use crate::engine::model::row_query::RowQuery;
use crate::engine::model::row_query::RowsFrom;
use crate::engine::model::step::Action;
use crate::engine::model::step::LockStrength;
use crate::engine::model::step::Step;
use crate::engine::plan::operation::PlanCx;
use crate::engine::plan::operation::lock;
use crate::engine::plan::operation::{Draft, UndoText};
use crate::engine::plan::selection::ChosenRows;
use crate::engine::plan::selection::and_ids;
use crate::engine::plan::tables::derived;
use crate::engine::plan::tables::{Table, find_table};
use crate::features::queue::{dialects, texts};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A queue of the profile.
pub(crate) fn queue<'p>(profile: &'p Profile, name: &str) -> Result<&'p Queue> {
    profile.queues.iter().find(|q| q.name == name).ok_or_else(|| Error::usage(format!("no queue {name}")))
}

/// A queue's rows change their state, and what the profile declares follows.
pub(crate) fn needs(verb: &'static str, profile: &Profile) -> Vec<TableNeed> {
    let of_queue = |q: &Queue| {
        let follow = q.changes.iter().flat_map(|c| TableNeed::of_write(verb, &c.write, &[]));
        let own = TableNeed::new(verb, &q.table, &[TableRight::Update]);
        std::iter::once(own).chain(follow.filter(|n| !n.table.is_empty())).collect::<Vec<_>>()
    };
    profile.queues.iter().flat_map(of_queue).collect()
}

/// What the profile declares of changes to a queue's rows.
pub(crate) fn declared_write<'p>(profile: &'p Profile, name: &str) -> Option<&'p Write> {
    queue(profile, name).ok()?.changes.as_ref().map(|c| &c.write)
}

/// All rows of a queue's table.
fn all_rows(table: &Table) -> RowsFrom {
    RowsFrom::Table { table: table.name.clone(), join: None }
}

/// The rows of a queue that were chosen, as a condition on `t`.
async fn of_queue(cx: &PlanCx<'_>, q: &Queue, table: &Table, params: &Params) -> Result<ChosenRows> {
    if params.get("ids").is_some() {
        let rows = all_rows(table);
        return and_ids(
            cx,
            params,
            std::slice::from_ref(&q.key),
            (&rows, ColumnSide::Table),
            Condition::Every,
        )
        .await;
    }
    let Some(finding) = params.get("finding") else {
        return Err(Error::usage(format!("which rows of {}?", q.name))
            .hint("--set finding=exhausted, finding=failed/CAUSE (see midwatch check queue), finding=state/FAILED, or ids=…"));
    };
    let source =
        cx.rows("queue", &q.name, finding).filter(|s| s.key == [q.key.clone()]).ok_or_else(|| {
            Error::usage(format!("queue {} has no rows {finding}", q.name))
                .hint("exhausted, stuck, late, failed/CAUSE, state/STATE")
        })?;
    let key = table.column(&q.table, &q.key)?;
    let which = Condition::KeyOf { key, sql: source.sql };
    Ok(ChosenRows { which, params: source.params, frozen: true })
}

/// Rows of a queue that get another state.
pub(crate) struct StateChange {
    /// The state.
    pub(crate) to: String,
    /// Other columns that go with it, as expressions over `t`.
    pub(crate) with: BTreeMap<String, String>,
    /// Rows in these states are left alone; named one by one they are refused.
    pub(crate) not_from: Vec<String>,
    /// What is not done to those: `resolved`.
    pub(crate) word: &'static str,
    /// What the step is called.
    pub(crate) title: String,
    /// Few first.
    pub(crate) canary: Option<Canary>,
    /// For the audit rows.
    pub(crate) reason: String,
}

/// A selection frozen by its keys, one update of it; what else is to be said of it its operation adds.
pub(crate) async fn state_change_draft(
    cx: &PlanCx<'_>,
    q: &Queue,
    params: &Params,
    turn: StateChange,
) -> Result<Draft> {
    let table = find_table(cx, &q.table).await?;
    table.keyed(&q.table, std::slice::from_ref(&q.key))?;
    let chosen = of_queue(cx, q, &table, params).await?;
    let left = Condition::StateIn { column: q.state.clone(), states: turn.not_from.clone() };
    let refused = count(cx, q, &table, &chosen, &left).await?;
    if refused > 0 && params.get("ids").is_some() {
        let what = texts::refused(refused, &turn.not_from, turn.word);
        return Err(Error::new(Class::Refused, what).hint("choose rows in other states"));
    }
    let change = change(cx, q, &table, &turn).await?;
    let column = table.column(&q.table, &q.state)?;
    let to = Expr::Given { text: turn.to.clone(), type_name: column.type_name.clone() };
    let which = [Condition::Not(Box::new(left)), Condition::Changes { column, to: to.clone() }];
    let mut after = vec![(q.state.clone(), to)];
    after.extend(table.stored(&turn.with));
    let names: Vec<&str> = columns(q, &turn).map(String::as_str).collect();
    Ok(Draft {
        why: turn.reason.clone(),
        changes: vec![texts::changed(&names, &q.table)],
        obstacle: None,
        reversible: Reversible::Full,
        undo: UndoText::full_from(texts::RESOLVE_UNDO),
        frozen: true,
        renames: vec![],
        steps: vec![Step {
            locks: vec![lock(&q.table, cx.dialect().lock_mode(LockStrength::Rows))],
            action: Action::Rows(Box::new(change.clone())),
            ..Step::new("rows", turn.title, cx.dialect().statements_for_people(&change))
        }],
        preflight: vec![table.privilege(
            &q.table,
            "update",
            table.may_update_all(&change.columns),
            &cx.cx.server.role,
        )],
        verify: cx.dialect().verification(&change, 0).into_iter().collect(),
        rows: vec![rows(q, &table, chosen, which, after, params.limit()?)],
        unit: Unit::ROWS,
        lock_timeout_ms: None,
        continues_after_window: false,
        names_left: false,
        count: 0,
        undoes: None,
    })
}

/// Columns that are turned, the state first.
fn columns<'a>(q: &'a Queue, turn: &'a StateChange) -> impl Iterator<Item = &'a String> {
    std::iter::once(&q.state).chain(turn.with.keys())
}

async fn change(cx: &PlanCx<'_>, q: &Queue, table: &Table, turn: &StateChange) -> Result<RowChange> {
    let own = q.changes.clone().unwrap_or_default().write;
    Ok(RowChange {
        table: q.table.clone(),
        resolved: Some(table.name.clone()),
        kind: RowKind::Update,
        key: table.typed(&q.table, [&q.key])?,
        columns: table.typed(&q.table, columns(q, turn))?,
        kept: table.kept(&cx.secrets_of(&q.table)),
        before_batch: vec![],
        after_change: vec![],
        excludes_writers: false,
        audit: own.audit,
        after_batch: None,
        derived: derived(cx, &own.derived).await?,
        referrers: vec![],
        source: None,
        rewritten: false,
        restores: None,
        canary: turn.canary.clone(),
        reason: turn.reason.clone(),
    })
}

/// Rows of the selection by their state, of these states: what a worker may take at any time.
pub(crate) async fn by_state(
    cx: &PlanCx<'_>,
    q: &Queue,
    rows: &RowQuery,
    states: &[String],
) -> Result<Vec<(String, u64)>> {
    #[derive(Deserialize)]
    struct Counted {
        state: String,
        rows: u64,
    }
    let (dialect, rows) = (cx.dialect(), cx.dialect().column_of_rows(rows, &q.state));
    let sql = dialects::sql(dialect)?.count_by_state(q, &rows, states);
    let counted: Vec<Counted> = cx.cx.read().await?.fetch(&sql).await?;
    Ok(counted.into_iter().map(|c| (c.state, c.rows)).collect())
}

/// How many of the chosen rows also satisfy this.
async fn count(
    cx: &PlanCx<'_>,
    q: &Queue,
    table: &Table,
    chosen: &ChosenRows,
    also: &Condition,
) -> Result<u64> {
    let rows = RowQuery {
        from: all_rows(table),
        filter: Condition::All(vec![chosen.which.clone(), also.clone()]),
        params: chosen.params.clone(),
        ..RowQuery::default()
    };
    let (dialect, rows) = (cx.dialect(), cx.dialect().column_of_rows(&rows, &q.key));
    let sql = dialects::sql(dialect)?.count(&rows);
    let text = cx.cx.read().await?.texts(&sql).await?.pop().flatten().unwrap_or_default();
    text.parse().map_err(|_| Error::unobserved("failed to count the chosen rows"))
}

/// The chosen rows of a queue, from their state to another.
fn rows(
    q: &Queue,
    table: &Table,
    chosen: ChosenRows,
    also: [Condition; 2],
    after: Vec<(String, Expr)>,
    limit: Option<u64>,
) -> RowQuery {
    let mut show = vec![("created".to_owned(), Expr::of_table(&q.created))];
    show.extend(q.message.iter().map(|m| ("message".to_owned(), Expr::Start(m.clone()))));
    RowQuery {
        from: all_rows(table),
        filter: Condition::All(std::iter::once(chosen.which).chain(also).collect()),
        params: chosen.params,
        key: vec![(q.key.clone(), Expr::of_table(&q.key))],
        before: after.iter().map(|(c, _)| (c.clone(), Expr::of_table(c))).collect(),
        after,
        show,
        limit,
        ..RowQuery::default()
    }
}
