//! `resolve`: work items that nobody will do any more, marked as failed for good or left out, with a reason.

use crate::engine::change::{RowChange, RowKind, shown, verification};
use crate::engine::ident::{Ident, Relation, literal};
use crate::engine::operation::{Draft, Offer, OpSpec, Operation, ParamSpec, Params, PlanCx, Risk, lock};
use crate::engine::plan::{Action, Reversible, Step, Unit};
use crate::engine::ports::Fut;
use crate::engine::profile::{Profile, Queue};
use crate::engine::report::CheckId;
use crate::engine::tables::{Table, derived};
use crate::engine::{Class, Error, Result};

use super::selection;

pub(super) struct Resolve;

static SPEC: OpSpec = OpSpec {
    verb: "resolve",
    about: "mark rows of a queue as failed for good or skipped, with a reason",
    risk: Risk::Reversible,
    params: &[
        ParamSpec { name: "to", about: "the state to give them" },
        ParamSpec { name: "reason", about: "why, for the audit rows" },
        ParamSpec { name: "finding", about: "which rows: exhausted, stuck, late, failed/CAUSE, state/STATE" },
        ParamSpec { name: "ids", about: "which rows: their keys, comma separated" },
        ParamSpec { name: "limit", about: "at most so many rows, in the key's order" },
    ],
    bootstraps: false,
};

impl Operation for Resolve {
    fn spec(&self) -> &'static OpSpec {
        &SPEC
    }

    fn offers(&self, profile: &Profile) -> Vec<Offer> {
        profile.queues.iter().map(offer).collect()
    }

    fn plan<'a>(&'a self, cx: &'a PlanCx<'a>, name: &'a str, params: &'a Params) -> Fut<'a, Result<Draft>> {
        Box::pin(async move {
            let queue = selection::queue(cx.profile(), name)?;
            let ends = ends(queue);
            let to =
                params.get("to").map_or_else(|| ends.first().cloned().unwrap_or_default(), str::to_owned);
            if !ends.contains(&to) {
                return Err(Error::usage(format!("resolve to={to}: that is no end for queue {name}"))
                    .hint(format!("to={}", ends.join(" or "))));
            }
            let Some(reason) = params.get("reason").filter(|r| !r.trim().is_empty()) else {
                return Err(Error::usage("resolve needs a reason: it goes into the audit rows")
                    .hint("--set reason=\"the vendor will not accept these\""));
            };
            draft(cx, queue, &to, reason, params).await
        })
    }
}

/// States that end a row's life without success.
fn ends(q: &Queue) -> Vec<String> {
    q.states.permanent.iter().chain(&q.states.skipped).cloned().collect()
}

fn offer(q: &Queue) -> Offer {
    let ends = ends(q);
    Offer {
        verb: SPEC.verb,
        name: q.name.clone(),
        about: format!("mark rows {}, with a reason", ends.join(" or ")),
        mends: Some(CheckId { kind: "queue", name: q.name.clone() }),
        risk: SPEC.risk,
        locks: "rows of each batch".into(),
        disabled: ends.is_empty().then(|| "the profile names no state for it".into()),
        asks: vec![
            ("to", format!("state: {}", ends.join(" or "))),
            ("reason", "reason, for the audit rows".into()),
        ],
        takes_rows: true,
    }
}

async fn draft(cx: &PlanCx<'_>, q: &Queue, to: &str, reason: &str, params: &Params) -> Result<Draft> {
    let table = Table::find(cx, &q.table).await?;
    table.keyed(&q.table, std::slice::from_ref(&q.key))?;
    let selected = selection::of_queue(cx, q, params)?;
    let done = selection::in_states(q, &q.states.done);
    let refused = selection::count(cx, q, &selected, &done).await?;
    if refused > 0 && params.get("ids").is_some() {
        return Err(Error::new(
            Class::Refused,
            format!(
                "{refused} of these rows have succeeded ({}): they are not resolved",
                q.states.done.join(", ")
            ),
        )
        .hint("choose rows that have not succeeded"));
    }
    let changes_of = q.changes.clone().unwrap_or_default();
    let key = vec![q.key.clone()];
    let change = RowChange {
        table: q.table.clone(),
        kind: RowKind::Update,
        key: table.typed(&q.table, &key)?,
        columns: table.typed(&q.table, [&q.state])?,
        kept: table.kept(&cx.profile().secrets_of(&q.table)),
        before_batch: vec![],
        after_change: vec![],
        excludes_writers: false,
        audit: changes_of.audit.clone(),
        after_batch: None,
        derived: derived(cx, &changes_of.derived).await?,
        restores: None,
        canary: None,
        reason: reason.to_owned(),
    };
    let state_type = change.columns.first().map_or_else(|| "text".to_owned(), |c| c.type_name.clone());
    let rows = selection::rows(
        q,
        selected,
        &format!("not ({done}) and t.{} is distinct from {}::{state_type}", Ident(&q.state), literal(to)),
        vec![(q.state.clone(), format!("{}::{state_type}", literal(to)))],
        params.number("limit")?,
    );
    let mut changes = vec![format!("{} of {}", q.state, q.table)];
    match &changes_of.audit {
        Some(_) => changes.push("an audit row for each, with the reason".into()),
        None => changes.push("no audit rows: the profile declares none; the journal keeps the reason".into()),
    }
    Ok(Draft {
        why: reason.to_owned(),
        changes,
        obstacle: None,
        reversible: Reversible::Full,
        undo: "full, from before-images, while rows are not changed again".into(),
        frozen: true,
        steps: vec![Step {
            id: "rows".into(),
            title: format!("mark rows of {} {to}", Relation::parse(&q.table).name),
            statements: shown(&change),
            locks: vec![lock(&q.table, "ROW EXCLUSIVE")],
            in_transaction: true,
            action: Action::Rows(Box::new(change.clone())),
        }],
        preflight: vec![table.privilege(
            &q.table,
            "update",
            table.may_update_all(&change.columns),
            &cx.cx.server.role,
        )],
        verify: verification(&change).into_iter().collect(),
        rows: Some(rows),
        unit: Unit::Rows,
        count: 0,
    })
}
