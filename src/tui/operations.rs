//! The operations of a target, as far as this version knows them: all disabled, each with its reason.

use super::backend::Operation;
use crate::engine::Engine;
use crate::engine::report::CheckId;

const LATER: &str = "not in this version: nothing can be changed yet";
const NEEDS_QUEUE: &str = "needs the queue (a later version): a row without a job would be a lost one";

/// Per twin: verb and what it does.
const TWIN: [(&str, &str); 6] = [
    ("repair", "make twin and legacy table equal"),
    ("copy-missing", "copy into the twin what it lacks"),
    ("repair-triggers", "create and enable the mirroring triggers"),
    ("switchover", "let the twin take the legacy table's place"),
    ("rollback", "swap back, with what was written since"),
    ("cleanup", "drop the legacy table"),
];

/// Per target, whatever its profile.
const TARGET: [(&str, &str); 7] = [
    ("init", "create the journal's schema"),
    ("index", "build missing indexes, concurrently"),
    ("grant", "grant what roles lack"),
    ("backup", "dump the database, verified"),
    ("restore", "restore a backup, rehearsed first"),
    ("seed", "insert an environment's data"),
    ("deploy", "check, back up, migrate, validate"),
];

/// What could be done here, in the profile's order.
pub(super) fn of(engine: &Engine) -> Vec<Operation> {
    let profile = &engine.profile;
    let disabled = if engine.read_only { "this target is read-only" } else { LATER };
    let check = |kind, name: &str| Some(CheckId { kind, name: name.to_owned() });
    let operation = |verb, name: &str, about: &str, mends| Operation {
        verb,
        name: name.to_owned(),
        about: about.to_owned(),
        mends,
        disabled: disabled.to_owned(),
    };
    let mut out = Vec::new();
    for m in &profile.migrations {
        out.push(operation(
            "migrate",
            &m.name,
            "apply the pending files in order",
            check("migrations", &m.name),
        ));
    }
    for t in &profile.twins {
        out.extend(TWIN.map(|(verb, about)| operation(verb, t.name(), about, check("parity", t.name()))));
    }
    for q in &profile.queues {
        let here = || check("queue", &q.name);
        let mut requeue = operation("requeue", &q.name, "try failed rows again, a canary first", here());
        if q.jobs.is_some() {
            NEEDS_QUEUE.clone_into(&mut requeue.disabled);
        }
        out.push(requeue);
        out.push(operation(
            "resolve",
            &q.name,
            "mark rows failed for good or skipped, with a reason",
            here(),
        ));
    }
    for b in &profile.backfills {
        let columns = b.set.keys().cloned().collect::<Vec<_>>().join(", ");
        let mends = b.mends.as_ref().and_then(|m| check("anomalies", m));
        out.push(operation("backfill", &b.name, &format!("recompute {columns} of {}", b.table), mends));
    }
    for a in &profile.anomalies {
        out.extend(
            a.fix.as_ref().map(|fix| operation("fix", &a.name, &fix.title, check("anomalies", &a.name))),
        );
    }
    out.extend(TARGET.map(|(verb, about)| operation(verb, &engine.name, about, None)));
    out
}
