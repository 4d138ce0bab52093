//! Objects that depend on the table, and what a switchover changes for them.

use crate::engine::model::preflight::Preflight;
use crate::features::switchover::copy::trigger_body::other_side_effects;
use crate::features::switchover::plan::dependents::{DependentObjects, Publication};
use crate::features::switchover::plan::twin_pair::TwinPair;
use crate::features::switchover::preflight::accept::{Accepted, ok, warn};
use crate::features::switchover::preflight::unique_keys::lost_unique_keys;

/// What cannot be carried, or changes for whoever uses the name.
pub(crate) fn dependants(
    twin_pair: &TwinPair<'_>,
    b: &DependentObjects,
    accepted: &Accepted,
) -> Vec<Preflight> {
    let name = twin_pair.twin.name();
    let mut out = Vec::new();
    for k in &b.referrers {
        out.push(warn(
            "foreign_key",
            format!(
                "{name}: {} of {} keeps pointing at the retired table, which reverse sync keeps complete: it cannot refer to {}",
                k.name, k.table, twin_pair.partitioned.relation
            ),
        ));
    }
    for k in &b.constraints {
        let text = format!(
            "{name}: {} ({}) is on the legacy table only: it holds through reverse sync, and ends with cleanup",
            k.name, k.definition
        );
        out.push(warn("constraint", text));
    }
    out.extend(lost_unique_keys(name, b, accepted));
    for view in b.views.iter().filter(|v| v.materialized) {
        out.push(warn("materialized_view", format!("{name}: {} keeps reading the retired table", view.name)));
    }
    if !twin_pair.columns.retyped.is_empty() {
        let views: Vec<_> = b.views.iter().filter(|v| !v.materialized).map(|v| v.name.as_str()).collect();
        if !views.is_empty() {
            let text = format!(
                "{name}: {} keep their column types by casts: they cannot be written through meanwhile",
                views.join(", ")
            );
            out.push(warn("view", text));
        }
    }
    out.extend(name_conflicts(name, &twin_pair.partitioned.relation, b, accepted));
    out.extend(not_carried(name, b, accepted));
    if !b.indexes.is_empty() {
        out.push(warn("indexes", format!("{name}: no like on the twin of {}", b.indexes.join("; "))));
    }
    out.extend(b.publications.iter().map(|p| published(name, p)));
    let order = |t: &crate::features::parity::pair::catalog::TwinTable| {
        t.columns.iter().map(|c| c.name.clone()).collect::<Vec<_>>()
    };
    if order(&twin_pair.legacy) != order(&twin_pair.partitioned) {
        out.push(warn(
            "column_order",
            format!(
                "{name}: the columns come in another order: a session with a prepared SELECT * gets \"cached plan must not change result type\" once, INSERT without column names writes elsewhere"
            ),
        ));
    }
    if out.is_empty() {
        out.push(ok("dependants", format!("{name}: nothing else hangs on the table")));
    }
    out
}

/// What stays with the legacy table, and must be accepted.
fn not_carried(name: &str, b: &DependentObjects, accepted: &Accepted) -> Vec<Preflight> {
    let mut out = Vec::new();
    for t in b.triggers.iter().filter(|t| t.constraint && !t.mirrors) {
        out.push(accepted.unless(
            "constraint_trigger",
            &format!("{name}: constraint trigger {} is not carried over", t.name),
        ));
    }
    if !b.row_type.is_empty() {
        let text = format!(
            "{name}: {} use the legacy table's row type, which stays the retired table's",
            b.row_type.join(", ")
        );
        out.push(accepted.unless("row_type", &text));
    }
    if !b.bound.is_empty() {
        let text = format!(
            "{name}: bound to the table itself, not to its name, these would read and write the retired one: {}",
            b.bound.join(", ")
        );
        out.push(accepted.unless("bound", &text));
    }
    if !b.rules.is_empty() {
        out.push(
            accepted.unless("rules", &format!("{name}: rules are not carried over: {}", b.rules.join(", "))),
        );
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
    let mut stops = |id: &str, text: String| out.push(accepted.unless(id, &format!("{name}: {text}")));
    for c in &b.named {
        stops("on_conflict", format!("ON CONFLICT ON CONSTRAINT {} in {} would fail", c.columns, c.function));
    }
    if !b.readers_of_both.is_empty() {
        let views = b.readers_of_both.join(", ");
        stops("reads_both", format!("{views} read both tables, and would read the new one twice"));
    }
    for t in b.triggers.iter().filter(|t| !t.ours && !t.mirrors && t.namesakes.iter().any(|n| !n.same)) {
        let on: Vec<_> = t.namesakes.iter().map(|n| n.table.as_str()).collect();
        let text =
            format!("trigger {} is not carried over: another of that name is on {}", t.name, on.join(", "));
        stops("trigger_name", text);
    }
    for t in b.triggers.iter().filter(|t| t.mirrors && !t.ours && t.state != "D") {
        let more = other_side_effects(&t.body, twin, t.before);
        if !more.is_empty() {
            let text = format!(
                "trigger {} keeps the twin in step and does more, which ends with the switch: {}",
                t.name,
                more.join(", ")
            );
            stops("trigger_body", text);
        }
    }
    let widened = b.widened();
    if !widened.is_empty() {
        stops("privileges", format!("the live name lets in whom only the twin did: {}", widened.join(", ")));
    }
    let unlike = b.policies_unlike();
    if !unlike.is_empty() {
        stops("policy", format!("the live name shows other rows than it did: {}", unlike.join(", ")));
    }
    for c in b.legacy.columns.iter().filter(|c| !c.always) {
        if b.twin.columns.iter().any(|t| t.name == c.name && t.always) {
            let text = format!(
                "column {} of the twin is GENERATED ALWAYS AS IDENTITY, the legacy table's is not: INSERT and UPDATE that give it a value would fail",
                c.name
            );
            stops("identity", text);
        }
    }
    out.extend(visible_changes(name, b));
    if !b.leaf_owners.is_empty() {
        let text = format!(
            "{name}: partitions belong to {}, the table to {}",
            b.leaf_owners.join(", "),
            b.legacy.owner
        );
        out.push(warn("owner", text));
    }
    if !b.unlike.is_empty() {
        out.push(warn(
            "not_carried",
            format!("{name}: stays with the retired table: {}", b.unlike.join(", ")),
        ));
    }
    out
}

/// What is carried over and still tells that the table is another.
pub(crate) fn visible_changes(name: &str, b: &DependentObjects) -> Vec<Preflight> {
    let mut out = Vec::new();
    let numbered = |c: &str| b.twin.columns.iter().any(|t| t.name == c && t.sequence.is_some());
    for c in b.legacy.columns.iter().filter(|c| c.identity && !numbered(&c.name)) {
        let text = format!(
            "{name}: the identity of column {} becomes a default: pg_get_serial_sequence of it is NULL after the switch",
            c.name
        );
        out.push(warn("serial_sequence", text));
    }
    for t in b.triggers.iter().filter(|t| t.by_name && t.carried()) {
        let text = format!(
            "{name}: trigger {} asks for its table's name or number: after the switch that is the partition's",
            t.name
        );
        out.push(warn("trigger_table", text));
    }
    out
}

/// How a publication goes on.
pub(crate) fn published(name: &str, p: &Publication) -> Preflight {
    let text = if p.all_tables {
        format!("{name}: publication {} publishes every table: after the switch the retired one, too", p.name)
    } else if p.via_root {
        format!("{name}: publication {}: the retired table leaves it, the partitioned one comes", p.name)
    } else {
        format!("{name}: publication {} gets publish_via_partition_root for all its tables", p.name)
    };
    warn("publication", text)
}
