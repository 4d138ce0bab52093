//! Which rows an operation is for.

use crate::engine::model::query::Sql;
use std::collections::BTreeMap;

use serde::Deserialize;

use crate::engine::model::cause::Cause;
use crate::engine::model::change::{Canary, RowChange, RowKind};
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::plan::Unit;
use crate::engine::model::preflight::{Reversible, Verification};
use crate::engine::model::profile::{Profile, Question, Queue};
use crate::engine::model::query::Param;
use crate::engine::model::row_query::{Condition, Expr, Of, RowsFrom};
use crate::engine::model::step::{Action, Step};
use crate::engine::plan::operation::{Draft, Params, PlanCx, RowQuery, lock};
use crate::engine::plan::tables::{Table, derived};

/// Which rows, and the values that the condition reads as parameters.
pub(crate) struct Filter {
    pub(crate) which: Condition,
    pub(crate) params: Vec<Param>,
    /// By exact keys.
    pub(crate) frozen: bool,
}

/// The condition, and `ids` where they are given: keys of what rows are read from.
pub(crate) async fn and_ids(
    cx: &PlanCx<'_>,
    params: &Params,
    key: &[String],
    (from, of): (&RowsFrom, Of),
    filter: Condition,
) -> Result<Filter> {
    let Some(ids) = params.ids() else {
        return Ok(Filter { which: filter, params: vec![], frozen: false });
    };
    let [key] = key else {
        return Err(Error::usage("ids can be given for a key of one column only"));
    };
    if ids.is_empty() {
        return Err(Error::usage("ids is empty"));
    }
    let texts = as_keys(cx, ids, &cx.dialect().column_of(from, key)).await?;
    let key = Expr::Column { of, name: key.clone() };
    let which = Condition::All(vec![filter, Condition::KeyIn { key, texts }]);
    Ok(Filter { which, params: vec![], frozen: true })
}

/// The ids as the server writes the key's values; what can be none of them is refused by name.
async fn as_keys(cx: &PlanCx<'_>, ids: Vec<String>, key: &Sql) -> Result<Vec<String>> {
    let mut tx = cx.cx.read().await?;
    let Some(column) = tx.describe(key).await?.pop() else { return Ok(ids) };
    match tx.texts(&cx.dialect().as_written(&column, &ids)).await {
        Ok(keys) => Ok(keys.into_iter().flatten().collect()),
        // It speaks of the value; of anything else the query of the rows speaks better.
        Err(e) if matches!(e.cause, Cause::InvalidValue | Cause::Constraint) => {
            let said = e.message.strip_prefix("failed to read: ").unwrap_or(&e.message);
            let type_name = cx.dialect().type_word(&column);
            Err(Error::usage(format!("ids: {said}"))
                .hint(format!("the key is a {type_name}: give its values, comma separated")))
        }
        Err(_) => Ok(ids),
    }
}

/// A queue of the profile.
pub(crate) fn queue<'p>(profile: &'p Profile, name: &str) -> Result<&'p Queue> {
    profile.queues.iter().find(|q| q.name == name).ok_or_else(|| Error::usage(format!("no queue {name}")))
}

/// The rows of a queue that were chosen, as a condition on `t`.
async fn of_queue(cx: &PlanCx<'_>, q: &Queue, params: &Params) -> Result<Filter> {
    if params.get("ids").is_some() {
        let table = RowsFrom::Table { table: q.table.clone(), join: None };
        return and_ids(cx, params, std::slice::from_ref(&q.key), (&table, Of::Table), Condition::Every)
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
    let which = Condition::KeyOf { key: q.key.clone(), sql: source.sql };
    Ok(Filter { which, params: source.params, frozen: true })
}

/// Rows of a queue that get another state.
pub(crate) struct Turn {
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
pub(crate) async fn turned(cx: &PlanCx<'_>, q: &Queue, params: &Params, turn: Turn) -> Result<Draft> {
    let table = Table::find(cx, &q.table).await?;
    table.keyed(&q.table, std::slice::from_ref(&q.key))?;
    let chosen = of_queue(cx, q, params).await?;
    let left = Condition::StateIn { column: q.state.clone(), states: turn.not_from.clone() };
    let refused = count(cx, q, &chosen, &left).await?;
    if refused > 0 && params.get("ids").is_some() {
        let (states, word) = (turn.not_from.join(", "), turn.word);
        let what = format!("{refused} of these rows are {states}: they are not {word}");
        return Err(Error::new(Class::Refused, what).hint("choose rows in other states"));
    }
    let change = change(cx, q, &table, &turn).await?;
    let type_name = change.columns.first().map_or_else(|| "text".to_owned(), |c| c.type_name.clone());
    let to = Expr::Given { text: turn.to.clone(), type_name };
    let which =
        [Condition::Not(Box::new(left)), Condition::Changes { column: q.state.clone(), to: to.clone() }];
    let mut after = vec![(q.state.clone(), to)];
    after.extend(table.stored(&turn.with));
    let names: Vec<&str> = columns(q, &turn).map(String::as_str).collect();
    Ok(Draft {
        why: turn.reason.clone(),
        changes: vec![format!("{} of {}", names.join(", "), q.table)],
        obstacle: None,
        reversible: Reversible::Full,
        undo: "full, from before-images, while rows are not changed again".into(),
        frozen: true,
        steps: vec![Step {
            locks: vec![lock(&q.table, "ROW EXCLUSIVE")],
            action: Action::Rows(Box::new(change.clone())),
            ..Step::new("rows", turn.title, cx.dialect().shown(&change))
        }],
        preflight: vec![table.privilege(
            &q.table,
            "update",
            table.may_update_all(&change.columns),
            &cx.cx.server.role,
        )],
        verify: cx.dialect().verification(&change, 0).into_iter().collect(),
        rows: vec![rows(q, chosen, which, after, params.limit()?)],
        unit: Unit::ROWS,
        lock_timeout_ms: None,
        continues_after_window: false,
        count: 0,
        undoes: None,
    })
}

/// Columns that are turned, the state first.
fn columns<'a>(q: &'a Queue, turn: &'a Turn) -> impl Iterator<Item = &'a String> {
    std::iter::once(&q.state).chain(turn.with.keys())
}

async fn change(cx: &PlanCx<'_>, q: &Queue, table: &Table, turn: &Turn) -> Result<RowChange> {
    let own = q.changes.clone().unwrap_or_default();
    Ok(RowChange {
        table: q.table.clone(),
        kind: RowKind::Update,
        key: table.typed(&q.table, [&q.key])?,
        columns: table.typed(&q.table, columns(q, turn))?,
        kept: table.kept(&cx.profile().secrets_of(&q.table)),
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
    let sql = cx.dialect().counted_by(rows, &q.state, states);
    let counted: Vec<Counted> = cx.cx.read().await?.fetch(&sql).await?;
    Ok(counted.into_iter().map(|c| (c.state, c.rows)).collect())
}

/// How many of the chosen rows also satisfy this.
async fn count(cx: &PlanCx<'_>, q: &Queue, chosen: &Filter, also: &Condition) -> Result<u64> {
    let rows = RowQuery {
        from: RowsFrom::Table { table: q.table.clone(), join: None },
        filter: chosen.which.clone(),
        params: chosen.params.clone(),
        ..RowQuery::default()
    };
    let sql = cx.dialect().counted(&rows, also);
    let text = cx.cx.read().await?.texts(&sql).await?.pop().flatten().unwrap_or_default();
    text.parse().map_err(|_| Error::unobserved("failed to count the chosen rows"))
}

/// The chosen rows of a queue, from their state to another.
fn rows(
    q: &Queue,
    chosen: Filter,
    also: [Condition; 2],
    after: Vec<(String, Expr)>,
    limit: Option<u64>,
) -> RowQuery {
    let mut show = vec![("created".to_owned(), Expr::of_table(&q.created))];
    show.extend(q.message.iter().map(|m| ("message".to_owned(), Expr::Start(m.clone()))));
    RowQuery {
        from: RowsFrom::Table { table: q.table.clone(), join: None },
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

/// What is asked after every change of rows, and what the profile asks besides.
pub(crate) fn verify(cx: &PlanCx<'_>, change: &RowChange, questions: &[Question]) -> Vec<Verification> {
    let (dialect, sources) = (cx.dialect(), &cx.profile().sources);
    let mut out: Vec<_> = dialect.verification(change, 0).into_iter().collect();
    out.extend(
        questions
            .iter()
            .map(|q| Verification { title: q.title.clone(), sql: dialect.with_sources(sources, &q.sql) }),
    );
    out
}
