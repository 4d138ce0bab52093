//! `copy-missing`: rows that applications have written and the other side lacks are copied there; nothing that is there
//! is touched.

use crate::engine::model::error::Result;
use crate::engine::model::grants::TableNeed;
use crate::engine::model::param::Params;
use crate::engine::model::preflight::Risk;
use crate::engine::model::profile::Profile;
use crate::engine::plan::operation::{Draft, Offer, OpSpec, Operation, PlanCx};
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::Fut;
use crate::features::switchover::plan::row_sync::{AHEAD, RowFix, WantedRows, draft};
use crate::features::switchover::preflight::accept::Accepted;
use crate::features::switchover::texts;
use crate::features::switchover::twins;
use crate::features::switchover::twins::offers;

pub(crate) struct CopyMissing;

static SPEC: OpSpec = OpSpec {
    verb: "copy-missing",
    about: "copy rows missing in the partitioned (after a switchover: the retired) table, create the next partitions",
    risk: Risk::Reversible,
    params: &[AHEAD],
    example: "revenues --set ahead=6",
    bootstraps: false,
    many: true,
    asks: &[],
};

impl Operation for CopyMissing {
    fn spec(&self) -> &'static OpSpec {
        &SPEC
    }

    fn offers(&self, profile: &Profile, dialect: &dyn Dialect) -> Vec<Offer> {
        offers(&SPEC, profile, dialect, texts::offers::COPY_MISSING, texts::offers::LOCKS_OF_ROWS)
    }

    fn needs(&self, profile: &Profile) -> Vec<TableNeed> {
        twins::needs(SPEC.verb, profile, twins::REDEFINED)
    }

    fn plan<'a>(&'a self, cx: &'a PlanCx<'a>, name: &'a str, params: &'a Params) -> Fut<'a, Result<Draft>> {
        Box::pin(async move {
            let wanted = WantedRows {
                kinds: &[RowFix::Missing],
                onto: None,
                partitions: true,
                accepted: Accepted::default(),
            };
            draft(cx, name, params, &wanted).await
        })
    }
}
