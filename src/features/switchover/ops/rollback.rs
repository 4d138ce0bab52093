//! `rollback`: a switchover taken back, with everything that was written since.

use crate::engine::model::error::Result;
use crate::engine::model::grants::TableNeed;
use crate::engine::model::name_change::NameChange;
use crate::engine::model::param::{DefaultValue, ParamSpec, Params, Takes};
use crate::engine::model::preflight::Risk;
use crate::engine::model::profile::Profile;
use crate::engine::model::record::RunRecord;
use crate::engine::model::step::Step;
use crate::engine::plan::operation::{ALL, Draft, Offer, OpSpec, Operation, PlanCx, Undo};
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::Fut;
use crate::features::switchover::plan::options;
use crate::features::switchover::plan::rollback::{rollback_draft, rollback_of};
use crate::features::switchover::renames::name_changes;
use crate::features::switchover::texts;
use crate::features::switchover::twins;
use crate::features::switchover::twins::switched_offers;
use crate::features::switchover::verbs;

pub(crate) struct Rollback;

static SPEC: OpSpec = OpSpec {
    verb: verbs::ROLLBACK,
    about: "swap back after a switchover; rows written since are kept",
    risk: Risk::Reversible,
    params: &[
        options::MONITOR,
        options::MARKER,
        options::LOCK_TIMEOUT,
        options::BUDGET,
        options::ATTEMPTS,
        options::PATIENCE,
        ParamSpec {
            name: "accept",
            about: "since: objects added after the switchover stay on the partitioned table; untried: no copy could test the \
                    rollback; stall: with marker=no the comparison took longer than budget",
            takes: Takes::List("ID"),
            default: DefaultValue::Nothing,
        },
        options::BEFORE,
        options::AFTER,
        options::FAILED,
        options::HOOK_TIMEOUT,
    ],
    example: "revenues --set monitor=10m",
    bootstraps: false,
    many: true,
    asks: crate::features::switchover::preflight::parity::QUESTIONS,
};

impl Operation for Rollback {
    fn spec(&self) -> &'static OpSpec {
        &SPEC
    }

    fn offers(&self, profile: &Profile, dialect: &dyn Dialect) -> Vec<Offer> {
        switched_offers(&SPEC, profile, dialect, texts::offers::ROLLBACK)
    }

    fn needs(&self, profile: &Profile) -> Vec<TableNeed> {
        twins::needs(SPEC.verb, profile, twins::REDEFINED)
    }

    fn plan<'a>(&'a self, cx: &'a PlanCx<'a>, name: &'a str, params: &'a Params) -> Fut<'a, Result<Draft>> {
        Box::pin(async move {
            let run = rollback_of(cx, name).await?;
            rollback_draft(cx, &run, params).await
        })
    }

    fn undo<'a>(&'a self, _cx: &'a PlanCx<'a>, run: &'a RunRecord) -> Fut<'a, Result<Option<Undo>>> {
        Box::pin(async move {
            let name = (run.name != ALL).then_some(run.name.as_str());
            Ok((run.rows_applied > 0)
                .then(|| Undo::Impossible { why: texts::offers::rollback_not_undone(name) }))
        })
    }

    fn changes_names(&self) -> bool {
        true
    }

    fn renaming_word(&self) -> &'static str {
        "switched"
    }

    fn name_changes(&self, steps: &[Step]) -> Vec<NameChange> {
        name_changes(steps)
    }
}
