//! `requeue`: failed work items tried again: a frozen selection, a canary first, then slowly more, and an end when
//! they fail again.

use crate::engine::model::change::{Canary, TypedColumn};
use crate::engine::model::error::Result;
use crate::engine::model::grants::TableNeed;
use crate::engine::model::name::Relation;
use crate::engine::model::param::{DefaultValue, ParamSpec, Params, Takes};
use crate::engine::model::preflight::{Reversible, Risk};
use crate::engine::model::profile::{Profile, Queue, QueueChanges, Write};
use crate::engine::model::report::CheckId;
use crate::engine::plan::operation::{Draft, Offer, OpSpec, Operation, PlanCx};
use crate::engine::plan::tables::{Table, find_table};
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::Fut;

use crate::features::queue::dialects;
use crate::features::queue::selection::{self, StateChange};
use crate::features::queue::texts;

pub(crate) struct Requeue;

static SPEC: OpSpec = OpSpec {
    verb: "requeue",
    about: "retry failed rows of a queue, a canary batch first",
    risk: Risk::Lossy,
    params: &[
        ParamSpec {
            name: "finding",
            about: "which rows: exhausted, stuck, failed/CAUSE or state/STATE",
            takes: Takes::Text("FINDING"),
            default: DefaultValue::Or("ids"),
        },
        ParamSpec {
            name: "ids",
            about: "which rows, by their keys; finding is then not read",
            takes: Takes::List("KEY"),
            default: DefaultValue::Or("finding"),
        },
        ParamSpec {
            name: "canary",
            about: "rows of the first batch",
            takes: Takes::any("rows"),
            default: DefaultValue::Depends("the profile's canary, else 5"),
        },
        ParamSpec {
            name: "wait",
            about: "how long to wait for the workers' result of a batch",
            takes: Takes::any("seconds"),
            default: DefaultValue::Depends("the profile's canary_wait_s, else 60"),
        },
        crate::engine::plan::selection::LIMIT,
    ],
    example: "mail --set finding=exhausted --set canary=10",
    bootstraps: false,
    many: false,
    asks: &[],
};

impl Operation for Requeue {
    fn spec(&self) -> &'static OpSpec {
        &SPEC
    }

    fn offers(&self, profile: &Profile, _: &dyn Dialect) -> Vec<Offer> {
        let offer = |q: &Queue| Offer {
            verb: SPEC.verb,
            name: q.name.clone(),
            about: texts::REQUEUE_OFFER.into(),
            mends: Some(CheckId { kind: "queue", name: q.name.clone() }),
            risk: SPEC.risk,
            locks: "rows of each batch".into(),
            disabled: match (&q.jobs, q.states.pending.is_empty()) {
                (Some(_), _) => Some(texts::NEEDS_QUEUE.into()),
                (None, true) => Some(texts::NO_WAITING_STATE.into()),
                (None, false) => None,
            },
            asks: vec![],
            takes_rows: true,
        };
        profile.queues.iter().map(offer).collect()
    }

    fn declared_write<'p>(&self, profile: &'p Profile, name: &str, _params: &Params) -> Option<&'p Write> {
        selection::declared_write(profile, name)
    }

    fn needs(&self, profile: &Profile) -> Vec<TableNeed> {
        crate::features::queue::selection::needs(SPEC.verb, profile)
    }

    fn plan<'a>(&'a self, cx: &'a PlanCx<'a>, name: &'a str, params: &'a Params) -> Fut<'a, Result<Draft>> {
        Box::pin(async move {
            let queue = selection::queue(cx.profile(), name)?;
            draft(cx, queue, params).await
        })
    }
}

async fn draft(cx: &PlanCx<'_>, q: &Queue, params: &Params) -> Result<Draft> {
    let own = q.changes.clone().unwrap_or_default();
    let to = q.states.pending.first().cloned().unwrap_or_default();
    let table = find_table(cx, &q.table).await?;
    let key = table.typed(&q.table, [&q.key])?.remove(0);
    let canary = canary(cx.dialect(), q, (&table, &key), &own, params)?;
    let first = canary.rows;
    let mut not_from = q.states.done.clone();
    // Work that is stuck belongs to nobody: it may be tried again although its state says it is being done.
    if params.get("finding") != Some("stuck") {
        not_from.extend(q.states.pending.iter().chain(&q.states.processing).cloned());
    }
    let turn = StateChange {
        title: texts::requeue_title(&Relation::parse(&q.table).name, &to),
        to,
        with: own.requeue,
        not_from,
        word: "requeued",
        canary: Some(canary),
        reason: "requeued".into(),
    };
    let mut draft = selection::state_change_draft(cx, q, params, turn).await?;
    draft.changes.push(texts::canary_first(first));
    Ok(Draft {
        why: texts::REQUEUE_WHY.into(),
        reversible: Reversible::Lossy,
        undo: texts::REQUEUE_UNDO.into(),
        // Workers change the rows as soon as they are back: their fate was watched batch by batch.
        verify: vec![],
        ..draft
    })
}

fn canary(
    dialect: &dyn Dialect,
    q: &Queue,
    (table, key): (&Table, &TypedColumn),
    own: &QueueChanges,
    params: &Params,
) -> Result<Canary> {
    let defaults =
        if own.canary == 0 { (5, 60, 10) } else { (own.canary, own.canary_wait_s, own.max_failed_percent) };
    Ok(Canary {
        rows: params.number("canary")?.unwrap_or(defaults.0).max(1),
        wait_s: params.number("wait")?.unwrap_or(defaults.1),
        max_failed_percent: defaults.2,
        sql: dialects::sql(dialect)?.canary(q, &table.name, key),
    })
}
