//! What a change sets off besides itself: triggers that write elsewhere, rows that go with the ones they refer to,
//! values that no image may hold. A plan says it beforehand, and is as reversible as that leaves it.

use crate::engine::model::change::{Derived, RowChange, RowKind};
use crate::engine::model::error::Result;
use crate::engine::model::preflight::{Preflight, Ready, Reversible};
use crate::engine::model::step::Action;
use crate::engine::plan::operation::{Draft, PlanCx};
use crate::engine::plan::tables::{self, Firing, Table, Trigger};
use crate::engine::port::row_sql::Bypassed;

/// What a statement on a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Insert,
    Update,
    Delete,
}

/// The draft with all of it declared.
pub(in crate::engine) async fn declare(cx: &PlanCx<'_>, mut draft: Draft) -> Result<Draft> {
    let mut lost = Vec::new();
    for step in &mut draft.steps {
        let Action::Rows(change) = &mut step.action else { continue };
        let (table, follow) = tables::resolve(cx, change).await?;
        draft.preflight.extend(hidden(&change.table, &table));
        lost.extend(fired(cx, change, &table, &mut draft.preflight));
        draft.preflight.extend(cascades(change, &table));
        lost.extend(withheld(change, &table));
        for (derived, table) in change.derived.iter().zip(&follow) {
            lost.extend(of_derived(cx, change, (derived, table), &mut draft.preflight));
        }
        step.statements = cx.dialect().statements_for_people(change);
    }
    if !lost.is_empty() && draft.reversible != Reversible::No {
        draft.reversible = Reversible::Lossy;
        draft.undo = draft.undo.losing(&lost);
    }
    Ok(draft)
}

/// What a role cannot see may be there: without it nothing can be said of what a change sets off.
fn hidden(name: &str, table: &Table) -> Vec<Preflight> {
    let parts = [
        ("trigger", Ready::Fail, "triggers", table.triggers.hidden()),
        ("references", Ready::Fail, "references", table.referrers.hidden()),
        // They are asked for again by the undo, which is refused without them.
        ("check", Ready::Warn, "CHECKs", table.checks.hidden()),
    ];
    let block = |(id, ready, what, needs): (&'static str, Ready, &str, Option<&str>)| {
        Some(Preflight::new(
            id,
            ready,
            format!("{what} of {name} are not visible to this role: needs {}", needs?),
        ))
    };
    parts.into_iter().filter_map(block).collect()
}

/// Triggers of the changed table that the profile does not know. A row's image holds what a trigger has changed besides
/// the planned columns.
fn fired(
    cx: &PlanCx<'_>,
    change: &mut RowChange,
    table: &Table,
    preflight: &mut Vec<Preflight>,
) -> Vec<String> {
    let event = match change.kind {
        RowKind::Update => Event::Update,
        RowKind::Insert => Event::Insert,
        RowKind::Delete => Event::Delete,
        RowKind::Compute => return vec![],
    };
    let passed = cx.dialect().bypassed(change);
    let fires: Vec<&Trigger> =
        table.triggers.known().iter().filter(|t| fires(t, event, change, &passed)).collect();
    change.rewritten = event == Event::Update && fires.iter().any(|t| t.before && t.row);
    let unknown = fires.into_iter().filter(|t| !known(cx, &change.table, t));
    unknown.map(|t| warn_of_trigger(t, &change.table, preflight)).collect()
}

/// What the profile knows, our own markers, which write in the journal's schema only, and triggers that a feature made.
fn known(cx: &PlanCx<'_>, table: &str, trigger: &Trigger) -> bool {
    let function = trigger.function.as_deref().unwrap_or_default();
    trigger.journal
        || cx.checks.iter().any(|c| c.owns_trigger(cx.profile(), &trigger.name, function))
        || cx.profile().knows_trigger(table, &trigger.name, &|name| cx.dialect().parse(name))
}

fn fires(trigger: &Trigger, event: Event, change: &RowChange, passed: &[Bypassed]) -> bool {
    let silenced = passed.contains(&Bypassed::OrdinaryTriggers);
    let state = match trigger.state {
        Firing::Always => true,
        Firing::Replica => silenced,
        Firing::Ordinary => !silenced,
        Firing::Off => false,
    };
    let columns =
        trigger.columns.is_empty() || change.columns.iter().any(|c| trigger.columns.contains(&c.name));
    let of = match event {
        Event::Insert => trigger.on_insert,
        Event::Update => trigger.on_update && columns,
        Event::Delete => trigger.on_delete,
    };
    state && of && !passed.contains(&Bypassed::Trigger(trigger.name.clone()))
}

fn warn_of_trigger(trigger: &Trigger, table: &str, preflight: &mut Vec<Preflight>) -> String {
    let function = trigger.function.as_ref().map_or_else(String::new, |f| format!(" ({f})"));
    let what = format!("trigger {} of {table}{function}", trigger.name);
    preflight.push(Preflight::new(
        "trigger",
        Ready::Warn,
        format!(
            "{what} fires: what it writes is not in this plan; known_triggers in the profile says it is known"
        ),
    ));
    format!("what {what} writes stays")
}

/// Rows that a delete would take along, or a changed key would change, without an image of them.
fn cascades(change: &mut RowChange, table: &Table) -> Vec<Preflight> {
    let mut out = Vec::new();
    for r in table.referrers.known() {
        let written = r.columns.iter().any(|(_, c)| change.columns.iter().any(|w| &w.name == c));
        if change.kind == RowKind::Update && written && r.on_update {
            out.push(Preflight::new(
                "references",
                Ready::Fail,
                format!("{} refers to columns that change, ON UPDATE: its rows would change with them, without an image", r.table),
            ));
        }
    }
    if change.kind == RowKind::Delete {
        change.referrers = table.referrers.known().iter().filter(|r| r.on_delete).cloned().collect();
        out.extend(change.referrers.iter().map(|r| {
            Preflight::new(
                "references",
                Ready::Warn,
                format!(
                    "{} refers to {}, ON DELETE: rows that it refers to are left alone",
                    r.table, change.table
                ),
            )
        }));
    }
    out
}

/// What is secret is in no image: a row that is deleted comes back without it.
fn withheld(change: &RowChange, table: &Table) -> Option<String> {
    let stored = table.columns.iter().filter(|c| !c.generated && change.kind == RowKind::Delete);
    let secret: Vec<_> =
        stored.map(|c| c.name.as_str()).filter(|name| change.kept.iter().all(|k| k.name != *name)).collect();
    (!secret.is_empty()).then(|| {
        let names = secret.join(", ");
        format!(
            "{names} of {} is secret and kept nowhere: a row that is put back comes without it",
            change.table
        )
    })
}

/// What is computed again may be deleted, inserted or updated.
fn of_derived(
    cx: &PlanCx<'_>,
    change: &RowChange,
    (derived, table): (&Derived, &Table),
    preflight: &mut Vec<Preflight>,
) -> Vec<String> {
    preflight.extend(hidden(&derived.table, table));
    let passed = cx.dialect().bypassed(change);
    let mut lost = Vec::new();
    if derived.table != change.table {
        let all = [Event::Insert, Event::Update, Event::Delete];
        // A function of the profile writes any column.
        let any = |t: &Trigger| {
            let whole = Trigger { columns: vec![], ..t.clone() };
            all.iter().any(|e| fires(&whole, *e, change, &passed))
        };
        let unknown = table.triggers.known().iter().filter(|t| any(t));
        let unknown = unknown.filter(|t| !known(cx, &derived.table, t));
        lost.extend(unknown.map(|t| warn_of_trigger(t, &derived.table, preflight)));
    }
    for r in table.referrers.known().iter().filter(|r| r.on_delete) {
        preflight.push(Preflight::new(
            "references",
            Ready::Warn,
            format!(
                "rows of {} go with rows of {} that are deleted (ON DELETE), without an image",
                r.table, derived.table
            ),
        ));
        lost.push(format!("rows of {} that went with rows of {} are not put back", r.table, derived.table));
    }
    if !derived.withheld.is_empty() {
        lost.push(format!(
            "{} of {} is secret and kept nowhere: a row that was deleted and is put back comes without it",
            derived.withheld.join(", "),
            derived.table
        ));
    }
    lost
}
