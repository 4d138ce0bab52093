//! A copy with a few rows of both sides, to try things in.

use crate::engine::model::error::Result;
use crate::engine::plan::operation::PlanCx;
use crate::engine::port::copies::{CopyRequest, KeyedSample, Rows, TargetCopy};
use crate::features::switchover::plan::twin_pair::TwinPair;

/// Rows of a copy that things are tried with.
pub(crate) const SAMPLE: u64 = 40;

/// A copy with a few rows of both sides, to try things in.
pub(crate) async fn copy(cx: &PlanCx<'_>, twin_pairs: &[TwinPair<'_>]) -> Result<Box<dyn TargetCopy>> {
    let relations =
        twin_pairs.iter().flat_map(|c| [c.legacy.relation.clone(), c.partitioned.relation.clone()]).collect();
    let follow = twin_pairs.iter().map(|c| KeyedSample {
        relation: c.partitioned.relation.clone(),
        like: c.legacy.relation.clone(),
        key: c.twin.key.clone(),
    });
    (cx.doing)(crate::features::switchover::texts::preflight::COPYING.into());
    let wanted = CopyRequest {
        relations,
        rows: Rows::Sample(SAMPLE),
        follow: follow.collect(),
        ..CopyRequest::default()
    };
    cx.cx.copies.open(&wanted).await
}
