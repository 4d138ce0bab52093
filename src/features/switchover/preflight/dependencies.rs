//! Objects that depend on the table, and what a switchover changes for them.

use crate::engine::model::preflight::Preflight;
use crate::features::switchover::copy::trigger_body::other_side_effects;
use crate::features::switchover::plan::dependents::{DependentObjects, Publication};
use crate::features::switchover::plan::twin_pair::TwinPair;
use crate::features::switchover::preflight::accept::{Accepted, ok, warn};
use crate::features::switchover::preflight::unique_keys::lost_unique_keys;
use crate::features::switchover::texts::dependents as texts;

/// What cannot be carried, or changes for whoever uses the name.
pub(crate) fn dependants(
    twin_pair: &TwinPair<'_>,
    b: &DependentObjects,
    accepted: &Accepted,
) -> Vec<Preflight> {
    let name = twin_pair.twin.name();
    let mut out = Vec::new();
    for k in &b.referrers {
        let text = texts::foreign_key_left(name, &k.name, &k.table, &twin_pair.partitioned.relation);
        out.push(warn("foreign_key", text));
    }
    for k in &b.constraints {
        out.push(warn("constraint", texts::constraint_left(name, &k.name, &k.definition)));
    }
    out.extend(lost_unique_keys(name, b, accepted));
    for view in b.views.iter().filter(|v| v.materialized) {
        out.push(warn("materialized_view", texts::materialized_view_left(name, &view.name)));
    }
    if !twin_pair.columns.retyped.is_empty() {
        let views: Vec<_> = b.views.iter().filter(|v| !v.materialized).map(|v| v.name.as_str()).collect();
        if !views.is_empty() {
            out.push(warn("view", texts::views_cast(name, &views)));
        }
    }
    out.extend(name_conflicts(name, &twin_pair.partitioned.relation, b, accepted));
    out.extend(not_carried(name, b, accepted));
    if !b.indexes.is_empty() {
        out.push(warn("indexes", texts::indexes_missing(name, &b.indexes)));
    }
    let mut out: Vec<_> = out.into_iter().map(|line| line.copied_with(name)).collect();
    // Those of a copy are not the target's.
    out.extend(b.publications.iter().map(|p| published(name, p)));
    let order = |t: &crate::features::parity::pair::catalog::TwinTable| {
        t.columns.iter().map(|c| c.name.clone()).collect::<Vec<_>>()
    };
    if order(&twin_pair.legacy) != order(&twin_pair.partitioned) {
        out.push(warn("column_order", texts::column_order(name)).copied_with(name));
    }
    if out.is_empty() {
        out.push(ok("dependants", texts::none(name)));
    }
    out
}

/// What stays with the legacy table, and must be accepted.
fn not_carried(name: &str, b: &DependentObjects, accepted: &Accepted) -> Vec<Preflight> {
    let mut out = Vec::new();
    for t in b.triggers.iter().filter(|t| t.constraint && !t.mirrors) {
        out.push(accepted.unless("constraint_trigger", &texts::constraint_trigger(name, &t.name)));
    }
    if !b.row_type.is_empty() {
        out.push(accepted.unless("row_type", &texts::row_type(name, &b.row_type)));
    }
    if !b.bound.is_empty() {
        out.push(accepted.unless("bound", &texts::bound(name, &b.bound)));
    }
    if !b.rules.is_empty() {
        out.push(accepted.unless("rules", &texts::rules(name, &b.rules)));
    }
    out
}

/// Who else uses one of the names, and what for: nothing of it may change unseen.
pub(crate) fn name_conflicts(
    name: &str,
    twin: &str,
    b: &DependentObjects,
    accepted: &Accepted,
) -> Vec<Preflight> {
    let mut out = Vec::new();
    let mut stops = |id: &str, text: String| out.push(accepted.unless(id, &texts::of_twin(name, &text)));
    for c in &b.named {
        stops("on_conflict", texts::on_constraint(&c.columns, &c.function));
    }
    if !b.readers_of_both.is_empty() {
        stops("reads_both", texts::reads_both(&b.readers_of_both));
    }
    for t in b.triggers.iter().filter(|t| !t.ours && !t.mirrors && t.namesakes.iter().any(|n| !n.same)) {
        let on: Vec<_> = t.namesakes.iter().map(|n| n.table.as_str()).collect();
        stops("trigger_name", texts::trigger_name_taken(&t.name, &on));
    }
    for t in b.triggers.iter().filter(|t| t.mirrors && !t.ours && t.state != "D") {
        let more = other_side_effects(&t.body, twin, t.before);
        if !more.is_empty() {
            stops("trigger_body", texts::trigger_does_more(&t.name, &more));
        }
    }
    let widened = b.widened();
    if !widened.is_empty() {
        stops("privileges", texts::privileges_widened(&widened));
    }
    let unlike = b.policies_unlike();
    if !unlike.is_empty() {
        stops("policy", texts::policies_unlike(&unlike));
    }
    for c in b.legacy.columns.iter().filter(|c| !c.always) {
        if b.twin.columns.iter().any(|t| t.name == c.name && t.always) {
            stops("identity", texts::identity_always(&c.name));
        }
    }
    out.extend(visible_changes(name, b));
    if !b.leaf_owners.is_empty() {
        out.push(warn("owner", texts::partition_owners(name, &b.leaf_owners, &b.legacy.owner)));
    }
    if !b.unlike.is_empty() {
        out.push(warn("not_carried", texts::properties_left(name, &b.unlike)));
    }
    out
}

/// What is carried over and still tells that the table is another.
pub(crate) fn visible_changes(name: &str, b: &DependentObjects) -> Vec<Preflight> {
    let mut out = Vec::new();
    let numbered = |c: &str| b.twin.columns.iter().any(|t| t.name == c && t.sequence.is_some());
    for c in b.legacy.columns.iter().filter(|c| c.identity && !numbered(&c.name)) {
        out.push(warn("serial_sequence", texts::identity_becomes_default(name, &c.name)));
    }
    for t in b.triggers.iter().filter(|t| t.by_name && t.carried()) {
        out.push(warn("trigger_table", texts::trigger_by_name(name, &t.name)));
    }
    out
}

/// How a publication goes on.
pub(crate) fn published(name: &str, p: &Publication) -> Preflight {
    let text = if p.all_tables {
        texts::publishes_all(name, &p.name)
    } else if p.via_root {
        texts::publishes_by_root(name, &p.name)
    } else {
        texts::publishes_partitions(name, &p.name)
    };
    warn("publication", text)
}
