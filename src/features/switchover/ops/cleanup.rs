//! `cleanup`: after a switchover has proved itself, the retired tables go: first away, later for good.

use crate::engine::model::error::Result;
use crate::engine::model::grants::TableNeed;
use crate::engine::model::name_change::NameChange;
use crate::engine::model::param::{DefaultValue, ParamSpec, Params, Takes};
use crate::engine::model::preflight::Risk;
use crate::engine::model::profile::Profile;
use crate::engine::model::record::RunRecord;
use crate::engine::model::step::Step;
use crate::engine::plan::operation::{Draft, Offer, OpSpec, Operation, PlanCx, Undo};
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::Fut;
use crate::features::switchover::plan::cleanup::{BACKUP, QUIET, draft, offers, undo};
use crate::features::switchover::plan::options;
use crate::features::switchover::renames::name_changes;
use crate::features::switchover::twins;
use crate::features::switchover::verbs;

pub(crate) struct Cleanup;

static SPEC: OpSpec = OpSpec {
    verb: verbs::CLEANUP,
    about: "end reverse sync and rename the retired tables; planned again after a quiet time, drop them",
    risk: Risk::Irreversible,
    params: &[
        QUIET,
        BACKUP,
        ParamSpec {
            name: "accept",
            about: "foreign_key: foreign keys of other tables are dropped with them; cascade: other dependent objects too; quiet: \
                    less than 24h; set: twins of the same switchover can no longer be rolled back",
            takes: Takes::List("ID"),
            default: DefaultValue::Nothing,
        },
        options::LOCK_TIMEOUT,
        options::BUDGET,
        options::ATTEMPTS,
        options::PATIENCE,
    ],
    example: "revenues --set backup=make",
    bootstraps: false,
    many: true,
    asks: crate::features::switchover::preflight::parity::QUESTIONS,
};

impl Operation for Cleanup {
    fn spec(&self) -> &'static OpSpec {
        &SPEC
    }

    fn offers(&self, profile: &Profile, dialect: &dyn Dialect) -> Vec<Offer> {
        offers(&SPEC, profile, dialect)
    }

    fn needs(&self, profile: &Profile) -> Vec<TableNeed> {
        twins::needs(SPEC.verb, profile, twins::BACKED_UP)
    }

    fn plan<'a>(&'a self, cx: &'a PlanCx<'a>, name: &'a str, params: &'a Params) -> Fut<'a, Result<Draft>> {
        Box::pin(draft(cx, name, params))
    }

    fn undo<'a>(&'a self, cx: &'a PlanCx<'a>, run: &'a RunRecord) -> Fut<'a, Result<Option<Undo>>> {
        Box::pin(undo(cx, run))
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
