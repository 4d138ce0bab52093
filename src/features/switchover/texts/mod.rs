//! What the plans of a switchover and its kin say to people, from data: no statement stands here. Plans are compared as
//! text when they are resumed: a sentence of a plan that changes makes the plans of earlier builds stale.

pub(crate) mod dependents;
pub(crate) mod offers;
pub(crate) mod preflight;
pub(crate) mod server;
pub(crate) mod steps;
pub(crate) mod triggers;
