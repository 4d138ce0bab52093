//! `repair`: one side of a twin becomes as the other says, row by row.

use crate::engine::model::error::{Error, Result};
use crate::engine::model::preflight::Risk;
use crate::engine::model::profile::Profile;
use crate::engine::plan::operation::{Draft, Offer, OpSpec, Operation, ParamSpec, Params, PlanCx};
use crate::engine::port::reader::Fut;
use crate::features::switchover::plan::row_sync::{RowFix, WantedRows, draft};
use crate::features::switchover::preflight::accept::Accepted;
use crate::features::switchover::twins::{Onto, offers};

pub(crate) struct Repair;

static SPEC: OpSpec = OpSpec {
    verb: "repair",
    about: "make one side of a twin as the other says: rows that differ, are missing, or are left over",
    risk: Risk::Reversible,
    params: &[
        ParamSpec {
            name: "from",
            about: "which side is right: legacy or twin (of each twin the one that applications write)",
        },
        ParamSpec {
            name: "accept",
            about: "live_table: from= says that the side which applications write is wrong",
        },
        ParamSpec { name: "ahead", about: "partitions after the present one (3)" },
    ],
    bootstraps: false,
    many: true,
};

impl Operation for Repair {
    fn spec(&self) -> &'static OpSpec {
        &SPEC
    }

    fn offers(&self, profile: &Profile) -> Vec<Offer> {
        offers(&SPEC, profile, "make both sides equal: rows", "rows of each batch, on both sides")
    }

    fn plan<'a>(&'a self, cx: &'a PlanCx<'a>, name: &'a str, params: &'a Params) -> Fut<'a, Result<Draft>> {
        Box::pin(async move {
            let onto = match params.get("from") {
                None => None,
                Some("legacy") => Some(Onto::Twin),
                Some("twin") => Some(Onto::Legacy),
                Some(other) => {
                    return Err(Error::usage(format!("from={other}: which side is right is legacy or twin")));
                }
            };
            let wanted = WantedRows {
                kinds: &[RowFix::Extra, RowFix::Differs, RowFix::Missing],
                onto,
                partitions: false,
                accepted: Accepted::of(params.get("accept")),
            };
            draft(cx, name, params, &wanted).await
        })
    }
}
