//! What it costs others that a batch may keep them out for longer than by default.

use crate::engine::model::policy::Policy;
use crate::engine::model::preflight::{Preflight, Ready};
use crate::engine::model::step::{Action, Step};

/// A warning where the policy allows it and a step does it.
pub(super) fn price(policy: &Policy, steps: &[Step]) -> Option<Preflight> {
    let excludes = |step: &Step| matches!(&step.action, Action::Rows(change) if change.excludes_writers);
    if policy.guard_off_ms <= Policy::default().guard_off_ms || !steps.iter().any(excludes) {
        return None;
    }
    let what = format!(
        "other writers of the table wait for up to {} ms in each batch (guard_off_ms in [policy])",
        policy.guard_off_ms.min(policy.statement_timeout_ms)
    );
    Some(Preflight::new("guard_off", Ready::Warn, what))
}
