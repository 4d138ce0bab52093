//! What offers, plans and the preflight of operations on twin pairs say, from data; no statements. Plans are compared as
//! text when they are resumed: a sentence of a plan that changes makes the plans of earlier builds stale.

pub(crate) mod dependents;
pub(crate) mod offers;
pub(crate) mod preflight;
pub(crate) mod server;
pub(crate) mod steps;
pub(crate) mod triggers;
