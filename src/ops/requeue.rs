//! `requeue`: failed work items tried again: a frozen selection, a canary first, then slowly more, and an end when
//! they fail again.

use crate::engine::change::{Canary, RowChange, RowKind, shown};
use crate::engine::ident::{Ident, Relation, literal};
use crate::engine::operation::{Draft, Offer, OpSpec, Operation, ParamSpec, Params, PlanCx, Risk, lock};
use crate::engine::plan::{Action, Reversible, Step, Unit};
use crate::engine::ports::Fut;
use crate::engine::profile::{Profile, Queue, QueueChanges};
use crate::engine::report::CheckId;
use crate::engine::tables::{Table, derived};
use crate::engine::{Class, Error, Result};

use super::selection;

pub(super) struct Requeue;

const NEEDS_QUEUE: &str = "needs the queue (step 6): a row without a job would be a lost one";

static SPEC: OpSpec = OpSpec {
    verb: "requeue",
    about: "try failed rows of a queue again, a canary first",
    risk: Risk::Lossy,
    params: &[
        ParamSpec { name: "finding", about: "which rows: exhausted, stuck, failed/CAUSE, state/STATE" },
        ParamSpec { name: "ids", about: "which rows: their keys, comma separated" },
        ParamSpec { name: "canary", about: "rows that go first" },
        ParamSpec { name: "wait", about: "seconds to wait for what becomes of a batch" },
        ParamSpec { name: "limit", about: "at most so many rows, in the key's order" },
    ],
    bootstraps: false,
};

impl Operation for Requeue {
    fn spec(&self) -> &'static OpSpec {
        &SPEC
    }

    fn offers(&self, profile: &Profile) -> Vec<Offer> {
        let offer = |q: &Queue| Offer {
            verb: SPEC.verb,
            name: q.name.clone(),
            about: "try failed rows again, a canary first".into(),
            mends: Some(CheckId { kind: "queue", name: q.name.clone() }),
            risk: SPEC.risk,
            locks: "rows of each batch".into(),
            disabled: match (&q.jobs, q.states.pending.is_empty()) {
                (Some(_), _) => Some(NEEDS_QUEUE.into()),
                (None, true) => Some("the profile names no state of waiting".into()),
                (None, false) => None,
            },
            asks: vec![],
            takes_rows: true,
        };
        profile.queues.iter().map(offer).collect()
    }

    fn plan<'a>(&'a self, cx: &'a PlanCx<'a>, name: &'a str, params: &'a Params) -> Fut<'a, Result<Draft>> {
        Box::pin(async move {
            let queue = selection::queue(cx.profile(), name)?;
            draft(cx, queue, params).await
        })
    }
}

async fn draft(cx: &PlanCx<'_>, q: &Queue, params: &Params) -> Result<Draft> {
    let table = Table::find(cx, &q.table).await?;
    table.keyed(&q.table, std::slice::from_ref(&q.key))?;
    let selected = selection::of_queue(cx, q, params)?;
    let refusable: Vec<String> =
        q.states.done.iter().chain(&q.states.pending).chain(&q.states.processing).cloned().collect();
    let not_failed = selection::in_states(q, &refusable);
    // Work that is stuck belongs to nobody: it may be tried again although its state says it is being done.
    let stuck = params.get("finding") == Some("stuck");
    let refused = if stuck { 0 } else { selection::count(cx, q, &selected, &not_failed).await? };
    if refused > 0 && params.get("ids").is_some() {
        return Err(Error::new(
            Class::Refused,
            format!(
                "{refused} of these rows have succeeded or are at work ({}): they are not requeued",
                refusable.join(", ")
            ),
        )
        .hint("choose rows that have failed"));
    }
    let own = q.changes.clone().unwrap_or_default();
    let pending = q.states.pending.first().cloned().unwrap_or_default();
    let key = vec![q.key.clone()];
    let names: Vec<String> = std::iter::once(q.state.clone()).chain(own.requeue.keys().cloned()).collect();
    let change = RowChange {
        table: q.table.clone(),
        kind: RowKind::Update,
        key: table.typed(&q.table, &key)?,
        columns: table.typed(&q.table, &names)?,
        kept: table.kept(&cx.profile().secrets_of(&q.table)),
        before_batch: vec![],
        after_change: vec![],
        excludes_writers: false,
        audit: own.audit.clone(),
        after_batch: None,
        derived: derived(cx, &own.derived).await?,
        restores: None,
        canary: Some(canary(q, &own, params)?),
        reason: "requeued".into(),
    };
    let state_type = change.columns.first().map_or_else(|| "text".to_owned(), |c| c.type_name.clone());
    let mut after = vec![(q.state.clone(), format!("{}::{state_type}", literal(&pending)))];
    after.extend(table.stored(&own.requeue));
    let which = if stuck {
        format!("not ({})", selection::in_states(q, &q.states.done))
    } else {
        format!("not ({not_failed})")
    };
    let rows = selection::rows(q, selected, &which, after, params.number("limit")?);
    let first = change.canary.as_ref().map_or(0, |c| c.rows);
    Ok(Draft {
        why: "failed work is tried again".into(),
        changes: vec![
            format!("{} of {}", names.join(", "), q.table),
            format!(
                "{first} rows first; more only when none of them has failed again, then in growing batches"
            ),
        ],
        obstacle: None,
        reversible: Reversible::Lossy,
        undo: "rows that no worker has taken yet are put back; what a worker has done stays done".into(),
        frozen: true,
        steps: vec![Step {
            id: "rows".into(),
            title: format!("put rows of {} back to {pending}", Relation::parse(&q.table).name),
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
        // Workers change the rows as soon as they are back: their fate was watched batch by batch.
        verify: vec![],
        rows: Some(rows),
        unit: Unit::Rows,
        count: 0,
    })
}

fn canary(q: &Queue, own: &QueueChanges, params: &Params) -> Result<Canary> {
    let key = Ident(&q.key);
    let of = |states: &[String]| {
        let list: Vec<_> = states.iter().map(|s| literal(s)).collect();
        let list = if list.is_empty() { "null".to_owned() } else { list.join(", ") };
        format!("count(*) filter (where t.{}::text in ({list}))", Ident(&q.state))
    };
    let failed: Vec<String> = q.states.failed.iter().chain(&q.states.permanent).cloned().collect();
    let done: Vec<String> = q.states.done.iter().chain(&q.states.skipped).cloned().collect();
    let waiting: Vec<String> = q.states.pending.iter().chain(&q.states.processing).cloned().collect();
    let sql = format!(
        "select {} as waiting, {} as failed, {} as done from run_rows i join {} t on t.{key}::text = i.key->>{} where i.seq is not null",
        of(&waiting),
        of(&failed),
        of(&done),
        Relation::parse(&q.table),
        literal(&q.key),
    );
    let defaults =
        if own.canary == 0 { (5, 60, 10) } else { (own.canary, own.canary_wait_s, own.max_failed_percent) };
    Ok(Canary {
        rows: params.number("canary")?.unwrap_or(defaults.0).max(1),
        wait_s: params.number("wait")?.unwrap_or(defaults.1),
        max_failed_percent: defaults.2,
        sql,
    })
}
