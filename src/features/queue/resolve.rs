//! `resolve`: work items that nobody will do any more, marked as failed for good or left out, with a reason.

use std::collections::BTreeMap;

use crate::engine::model::error::{Error, Result};
use crate::engine::model::grants::TableNeed;
use crate::engine::model::name::Relation;
use crate::engine::model::param::{DefaultValue, ParamSpec, Params, Takes};
use crate::engine::model::preflight::{Preflight, Ready, Risk};
use crate::engine::model::profile::{Profile, Queue, Write};
use crate::engine::model::report::CheckId;
use crate::engine::model::row_query::RowQuery;
use crate::engine::plan::operation::{Draft, Offer, OpSpec, Operation, PlanCx};
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::Fut;

use crate::features::queue::selection::{self, StateChange};
use crate::features::queue::texts;

pub(crate) struct Resolve;

static SPEC: OpSpec = OpSpec {
    verb: "resolve",
    about: "set rows of a queue to permanently failed or skipped, with a reason",
    risk: Risk::Reversible,
    params: &[
        ParamSpec {
            name: "to",
            about: "the state that the rows get, one that the profile declares as final",
            takes: Takes::Text("STATE"),
            default: DefaultValue::Depends("the profile's first permanent or skipped state"),
        },
        ParamSpec {
            name: "reason",
            about: "the reason, for the audit rows and the journal",
            takes: Takes::Text("TEXT"),
            default: DefaultValue::Required,
        },
        ParamSpec {
            name: "finding",
            about: "which rows: exhausted, stuck, late, failed/CAUSE or state/STATE",
            takes: Takes::Text("FINDING"),
            default: DefaultValue::Or("ids"),
        },
        ParamSpec {
            name: "ids",
            about: "which rows, by their keys; finding is then not read",
            takes: Takes::List("KEY"),
            default: DefaultValue::Or("finding"),
        },
        crate::engine::plan::selection::LIMIT,
    ],
    example: "keka-sync --set finding=exhausted --set reason=\"the vendor rejects these\"",
    bootstraps: false,
    many: false,
    asks: &[],
};

impl Operation for Resolve {
    fn spec(&self) -> &'static OpSpec {
        &SPEC
    }

    fn offers(&self, profile: &Profile, _: &dyn Dialect) -> Vec<Offer> {
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
        about: texts::resolve_offer(&ends),
        mends: Some(CheckId { kind: "queue", name: q.name.clone() }),
        risk: SPEC.risk,
        locks: "rows of each batch".into(),
        disabled: ends.is_empty().then(|| texts::NO_FINAL_STATE.into()),
        asks: vec![
            ("to", format!("state: {}", ends.join(" or "))),
            ("reason", "reason, for the audit rows".into()),
        ],
        takes_rows: true,
    }
}

async fn draft(cx: &PlanCx<'_>, q: &Queue, to: &str, reason: &str, params: &Params) -> Result<Draft> {
    let turn = StateChange {
        to: to.to_owned(),
        with: BTreeMap::new(),
        not_from: q.states.done.clone(),
        word: "resolved",
        title: texts::resolve_title(&Relation::parse(&q.table).name, to),
        canary: None,
        reason: reason.to_owned(),
    };
    let mut draft = selection::state_change_draft(cx, q, params, turn).await?;
    let audited = q.changes.as_ref().is_some_and(|c| c.write.audit.is_some());
    draft.changes.push(texts::audit(audited).into());
    draft.preflight.extend(at_work(cx, q, draft.rows.first()).await?);
    Ok(draft)
}

/// Rows that are not given up by anybody yet.
async fn at_work(cx: &PlanCx<'_>, q: &Queue, rows: Option<&RowQuery>) -> Result<Option<Preflight>> {
    let Some(rows) = rows else { return Ok(None) };
    let open: Vec<String> = q.states.pending.iter().chain(&q.states.processing).cloned().collect();
    let counted = selection::by_state(cx, q, rows, &open).await?;
    if counted.is_empty() {
        return Ok(None);
    }
    Ok(Some(Preflight::new("workers", Ready::Warn, texts::at_work(&counted))))
}
