//! `repair`: one side of a twin becomes as the other says, row by row.

use crate::engine::model::error::Result;
use crate::engine::model::grants::TableNeed;
use crate::engine::model::param::{DefaultValue, ParamSpec, Params, Takes};
use crate::engine::model::preflight::Risk;
use crate::engine::model::profile::Profile;
use crate::engine::plan::operation::{Draft, Offer, OpSpec, Operation, PlanCx};
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::Fut;
use crate::features::switchover::plan::row_sync::{AHEAD, RowFix, WantedRows, draft};
use crate::features::switchover::preflight::accept::Accepted;
use crate::features::switchover::texts;
use crate::features::switchover::twins;
use crate::features::switchover::twins::{RepairedSide, offers};

pub(crate) struct Repair;

/// Which side is right.
const FROM: ParamSpec = ParamSpec {
    name: "from",
    about: "the side whose rows are right",
    takes: Takes::Choice(&["legacy", "twin"]),
    default: DefaultValue::Depends("of each pair the side that applications write"),
};

static SPEC: OpSpec = OpSpec {
    verb: "repair",
    about: "make one side of a twin pair equal to the other: rows that differ, are missing or are extra",
    risk: Risk::Reversible,
    params: &[
        FROM,
        ParamSpec {
            name: "accept",
            about: "live_table: overwrite rows of the side that applications write, as from= asks",
            takes: Takes::List("ID"),
            default: DefaultValue::Nothing,
        },
        AHEAD,
    ],
    example: "revenues --set from=legacy",
    bootstraps: false,
    many: true,
    asks: &[],
};

impl Operation for Repair {
    fn spec(&self) -> &'static OpSpec {
        &SPEC
    }

    fn offers(&self, profile: &Profile, dialect: &dyn Dialect) -> Vec<Offer> {
        offers(&SPEC, profile, dialect, texts::offers::REPAIR, texts::offers::LOCKS_OF_ROWS)
    }

    fn needs(&self, profile: &Profile) -> Vec<TableNeed> {
        twins::needs(SPEC.verb, profile, twins::REDEFINED)
    }

    fn plan<'a>(&'a self, cx: &'a PlanCx<'a>, name: &'a str, params: &'a Params) -> Fut<'a, Result<Draft>> {
        Box::pin(async move {
            let onto = params.word_of(&FROM)?.map(|from| match from {
                "legacy" => RepairedSide::Twin,
                _ => RepairedSide::Legacy,
            });
            let wanted = WantedRows {
                kinds: &[RowFix::Extra, RowFix::Differs, RowFix::Missing],
                onto,
                partitions: false,
                accepted: Accepted::parse(params.get("accept")),
            };
            draft(cx, name, params, &wanted).await
        })
    }
}
