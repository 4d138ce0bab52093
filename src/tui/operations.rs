//! The operations of a target, as far as this version knows them: all disabled, each with its reason.

use super::backend::Operation;
use crate::engine::Engine;
use crate::engine::report::CheckId;

const LATER: &str = "not in this version: nothing can be changed yet";

/// What the profile says could be done here.
pub(super) fn of(engine: &Engine) -> Vec<Operation> {
    let mut out = Vec::new();
    let profile = &engine.profile;
    let disabled = if engine.read_only { "this target is read-only" } else { LATER };
    let mut add = |verb, name: &str, about: String, mends: Option<CheckId>, disabled: &str| {
        out.push(Operation { verb, name: name.to_owned(), about, mends, disabled: disabled.to_owned() });
    };
    let check = |kind, name: &str| Some(CheckId { kind, name: name.to_owned() });
    for m in &profile.migrations {
        add(
            "migrate",
            &m.name,
            "apply the pending files in order".into(),
            check("migrations", &m.name),
            disabled,
        );
    }
    for t in &profile.twins {
        let name = t.name();
        add(
            "repair",
            name,
            format!("make {} equal to {}", t.partitioned, t.legacy),
            check("parity", name),
            disabled,
        );
        add(
            "repair-triggers",
            name,
            "create and enable the mirroring triggers".into(),
            check("parity", name),
            disabled,
        );
        add(
            "switchover",
            name,
            format!("let {} take the place of {}", t.partitioned, t.legacy),
            check("parity", name),
            disabled,
        );
    }
    for q in &profile.queues {
        let needs_queue = if q.jobs.is_some() {
            "needs the queue (a later step): a row without a job would be lost"
        } else {
            disabled
        };
        add(
            "requeue",
            &q.name,
            "try failed rows again, a canary first".into(),
            check("queue", &q.name),
            needs_queue,
        );
        add(
            "resolve",
            &q.name,
            "mark rows as failed for good or skipped, with a reason".into(),
            check("queue", &q.name),
            disabled,
        );
    }
    for b in &profile.backfills {
        let mends = b.mends.as_ref().and_then(|m| check("anomalies", m));
        add(
            "backfill",
            &b.name,
            format!("recompute {} of {}", b.set.keys().cloned().collect::<Vec<_>>().join(", "), b.table),
            mends,
            disabled,
        );
    }
    for a in &profile.anomalies {
        if let Some(fix) = &a.fix {
            add("fix", &a.name, fix.clone(), check("anomalies", &a.name), disabled);
        }
    }
    out
}
