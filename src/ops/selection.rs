//! Which rows an operation is for, and how its statements are shown.

use crate::engine::ident::{Ident, Relation, literal};
use crate::engine::operation::{Params, PlanCx, RowQuery};
use crate::engine::ports::Param;
use crate::engine::profile::{Profile, Queue};
use crate::engine::{Error, Result};

/// A condition and its values.
pub(super) struct Filter {
    pub(super) sql: String,
    pub(super) params: Vec<Param>,
    /// By exact keys.
    pub(super) frozen: bool,
}

/// The condition, and `ids` where they are given.
pub(super) fn and_ids(params: &Params, key: &[String], alias: &str, filter: &str) -> Result<Filter> {
    let Some(ids) = params.ids() else {
        return Ok(Filter { sql: filter.to_owned(), params: vec![], frozen: false });
    };
    let [key] = key else {
        return Err(Error::usage("ids can be given for a key of one column only"));
    };
    if ids.is_empty() {
        return Err(Error::usage("ids is empty"));
    }
    let sql = format!("({filter}) and {alias}.{}::text = any ($1)", Ident(key));
    Ok(Filter { sql, params: vec![Param::Texts(ids)], frozen: true })
}

/// A queue of the profile.
pub(super) fn queue<'p>(profile: &'p Profile, name: &str) -> Result<&'p Queue> {
    profile.queues.iter().find(|q| q.name == name).ok_or_else(|| Error::usage(format!("no queue {name}")))
}

/// The rows of a queue that were chosen, as a condition on `t`.
pub(super) fn of_queue(cx: &PlanCx<'_>, q: &Queue, params: &Params) -> Result<Filter> {
    if params.get("ids").is_some() {
        return and_ids(params, std::slice::from_ref(&q.key), "t", "true");
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
pub(super) fn in_states(q: &Queue, states: &[String]) -> String {
    let list: Vec<_> = states.iter().map(|s| literal(s)).collect();
    if list.is_empty() {
        "false".into()
    } else {
        format!("coalesce(t.{}::text, '(null)') in ({})", Ident(&q.state), list.join(", "))
    }
}

/// How many of the chosen rows also satisfy this.
pub(super) async fn count(cx: &PlanCx<'_>, q: &Queue, chosen: &Filter, also: &str) -> Result<u64> {
    let sql = format!(
        "select count(*)::text from {} t where ({}) and ({also})",
        Relation::parse(&q.table),
        chosen.sql
    );
    let text = cx.cx.read().await?.texts(&sql, &chosen.params).await?.pop().flatten().unwrap_or_default();
    text.parse().map_err(|_| Error::unobserved("failed to count the chosen rows"))
}

/// The chosen rows of a queue, from their state to another.
pub(super) fn rows(
    q: &Queue,
    chosen: Filter,
    also: &str,
    after: Vec<(String, String)>,
    limit: Option<u64>,
) -> RowQuery {
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
