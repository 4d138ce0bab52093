//! What a run has besides the approval.

use crate::engine::gate::guard::Approved;
use crate::engine::model::error::Result;
use crate::engine::model::policy::Policy;
use crate::engine::model::progress::Done;
use crate::engine::model::record::Operator;
use crate::engine::port::adapters::Adapters;
use crate::engine::port::clock::Clock;
use crate::engine::port::reader::Fut;
use crate::engine::port::reader::Reader;
use crate::engine::port::runner::Runners;

/// What a run has besides the approval.
pub(in crate::engine) struct Setup<'a> {
    pub(in crate::engine) facts: &'a dyn Reader,
    pub(in crate::engine) adapters: &'a Adapters,
    pub(in crate::engine) policy: &'a Policy,
    pub(in crate::engine) operator: &'a Operator,
    pub(in crate::engine) window: Option<(u32, u32)>,
    pub(in crate::engine) clock: Clock,
    pub(in crate::engine) search_path: &'a [String],
    pub(in crate::engine) runners: Runners<'a>,
    pub(in crate::engine) staleness: &'a dyn Staleness,
}

/// Plans the same thing again under the target's lock.
pub(in crate::engine) trait Staleness: Sync {
    /// Refuses a plan that the database no longer agrees with.
    fn check<'a>(&'a self, approved: &'a Approved) -> Fut<'a, Result<(), Box<Done>>>;
}
