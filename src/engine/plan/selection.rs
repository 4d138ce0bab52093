//! Which rows an operation is for, and how its statements are shown.

use crate::engine::model::query::Sql;
use std::collections::BTreeMap;

use serde::Deserialize;

use crate::engine::check::paging::cast_name;
use crate::engine::model::cause::Cause;
use crate::engine::model::change::{Canary, RowChange, RowKind, shown, verification};
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::name::{Ident, Relation, literal};
use crate::engine::model::plan::Unit;
use crate::engine::model::preflight::{Reversible, Verification};
use crate::engine::model::profile::{Profile, Question, Queue};
use crate::engine::model::query::Param;
use crate::engine::model::step::{Action, Step};
use crate::engine::plan::operation::{Draft, Params, PlanCx, RowQuery, lock};
use crate::engine::plan::tables::{Table, derived};

/// A condition and its values.
pub(crate) struct Filter {
    pub(crate) sql: String,
    pub(crate) params: Vec<Param>,
    /// By exact keys.
    pub(crate) frozen: bool,
}

/// The condition, and `ids` where they are given: keys of `from`, which `alias` names.
pub(crate) async fn and_ids(
    cx: &PlanCx<'_>,
    params: &Params,
    key: &[String],
    (from, alias): (&str, &str),
    filter: &str,
) -> Result<Filter> {
    let Some(ids) = params.ids() else {
        return Ok(Filter { sql: filter.to_owned(), params: vec![], frozen: false });
    };
    let [key] = key else {
        return Err(Error::usage("ids can be given for a key of one column only"));
    };
    if ids.is_empty() {
        return Err(Error::usage("ids is empty"));
    }
    let ids = as_keys(cx, ids, &format!("select {alias}.{} from {from} {alias}", Ident(key))).await?;
    let sql = format!("({filter}) and {alias}.{}::text = any ($1)", Ident(key));
    Ok(Filter { sql, params: vec![Param::Texts(ids)], frozen: true })
}

/// The ids as the server writes the key's values; what can be none of them is refused by name.
async fn as_keys(cx: &PlanCx<'_>, ids: Vec<String>, key: &str) -> Result<Vec<String>> {
    let mut tx = cx.cx.read().await?;
    let Some(type_name) = tx.describe(&Sql::of_profile(key)).await?.pop().map(|c| cast_name(&c.type_name))
    else {
        return Ok(ids);
    };
    let sql =
        format!("select (i::{type_name})::text from unnest($1::text[]) with ordinality u(i, n) order by n");
    match tx.texts(&Sql::of_profile(&sql).bind([Param::Texts(ids.clone())])).await {
        Ok(keys) => Ok(keys.into_iter().flatten().collect()),
        // It speaks of the value; of anything else the query of the rows speaks better.
        Err(e) if matches!(e.cause, Cause::InvalidValue | Cause::Constraint) => {
            let said = e.message.strip_prefix("failed to read: ").unwrap_or(&e.message);
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
        let table = Relation::parse(&q.table).to_string();
        return and_ids(cx, params, std::slice::from_ref(&q.key), (&table, "t"), "true").await;
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
    let key = Ident(&q.key);
    Ok(Filter {
        sql: format!("t.{key} in (select q.{key} from ({}\n) q)", source.sql),
        params: source.params,
        frozen: true,
    })
}

/// Is the row in one of these states?
pub(crate) fn in_states(q: &Queue, states: &[String]) -> String {
    let list: Vec<_> = states.iter().map(|s| literal(s)).collect();
    if list.is_empty() {
        "false".into()
    } else {
        format!("coalesce(t.{}::text, '(null)') in ({})", Ident(&q.state), list.join(", "))
    }
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
    let left = in_states(q, &turn.not_from);
    let refused = count(cx, q, &chosen, &left).await?;
    if refused > 0 && params.get("ids").is_some() {
        let (states, word) = (turn.not_from.join(", "), turn.word);
        let what = format!("{refused} of these rows are {states}: they are not {word}");
        return Err(Error::new(Class::Refused, what).hint("choose rows in other states"));
    }
    let own = q.changes.clone().unwrap_or_default();
    let names: Vec<&String> = std::iter::once(&q.state).chain(turn.with.keys()).collect();
    let change = RowChange {
        table: q.table.clone(),
        kind: RowKind::Update,
        key: table.typed(&q.table, [&q.key])?,
        columns: table.typed(&q.table, names.iter().copied())?,
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
        canary: turn.canary,
        reason: turn.reason.clone(),
    };
    let state_type = change.columns.first().map_or("text", |c| c.type_name.as_str());
    let to = format!("{}::{state_type}", literal(&turn.to));
    let which = format!("not ({left}) and t.{} is distinct from {to}", Ident(&q.state));
    let mut after = vec![(q.state.clone(), to)];
    after.extend(table.stored(&turn.with));
    let names: Vec<&str> = names.iter().map(|n| n.as_str()).collect();
    Ok(Draft {
        why: turn.reason,
        changes: vec![format!("{} of {}", names.join(", "), q.table)],
        obstacle: None,
        reversible: Reversible::Full,
        undo: "full, from before-images, while rows are not changed again".into(),
        frozen: true,
        steps: vec![Step {
            locks: vec![lock(&q.table, "ROW EXCLUSIVE")],
            action: Action::Rows(Box::new(change.clone())),
            ..Step::new("rows", turn.title, shown(&change))
        }],
        preflight: vec![table.privilege(
            &q.table,
            "update",
            table.may_update_all(&change.columns),
            &cx.cx.server.role,
        )],
        verify: verification(&change, 0).into_iter().collect(),
        rows: vec![rows(q, chosen, &which, after, params.limit()?)],
        unit: Unit::ROWS,
        lock_timeout_ms: None,
        continues_after_window: false,
        count: 0,
        undoes: None,
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
    let (state, key) = (Ident(&q.state), Ident(&q.key));
    let limit = rows.limit.map_or_else(String::new, |n| format!(" order by t.{key} limit {n}"));
    let sql = format!(
        "select s.{state}::text as state, count(*) as rows from (select t.{state} {} where ({}){limit}) s \
         where s.{state}::text = any (${}) group by 1 order by 1",
        rows.from,
        rows.filter,
        rows.params.len() + 1
    );
    let mut params = rows.params.clone();
    params.push(Param::Texts(states.to_vec()));
    let counted: Vec<Counted> =
        cx.cx.read().await?.fetch(&Sql::of_profile(&sql).bind(params.clone())).await?;
    Ok(counted.into_iter().map(|c| (c.state, c.rows)).collect())
}

/// How many of the chosen rows also satisfy this.
async fn count(cx: &PlanCx<'_>, q: &Queue, chosen: &Filter, also: &str) -> Result<u64> {
    let sql = format!(
        "select count(*)::text from {} t where ({}) and ({also})",
        Relation::parse(&q.table),
        chosen.sql
    );
    let text = cx
        .cx
        .read()
        .await?
        .texts(&Sql::of_profile(&sql).bind(chosen.params.clone()))
        .await?
        .pop()
        .flatten()
        .unwrap_or_default();
    text.parse().map_err(|_| Error::unobserved("failed to count the chosen rows"))
}

/// The chosen rows of a queue, from their state to another.
fn rows(q: &Queue, chosen: Filter, also: &str, after: Vec<(String, String)>, limit: Option<u64>) -> RowQuery {
    let mut show = vec![("created".to_owned(), format!("t.{}", Ident(&q.created)))];
    show.extend(q.message.iter().map(|m| ("message".to_owned(), format!("left(({m})::text, 120)"))));
    RowQuery {
        from: format!("from {} t", Relation::parse(&q.table)),
        filter: format!("({}) and {also}", chosen.sql),
        params: chosen.params,
        key: vec![(q.key.clone(), format!("t.{}", Ident(&q.key)))],
        before: after.iter().map(|(c, _)| (c.clone(), format!("t.{}", Ident(c)))).collect(),
        after,
        show,
        limit,
        ..RowQuery::default()
    }
}

/// What is asked after every change of rows, and what the profile asks besides.
pub(crate) fn verify(profile: &Profile, change: &RowChange, questions: &[Question]) -> Vec<Verification> {
    let mut out: Vec<_> = verification(change, 0).into_iter().collect();
    out.extend(
        questions.iter().map(|q| Verification { title: q.title.clone(), sql: profile.with_sources(&q.sql) }),
    );
    out
}
