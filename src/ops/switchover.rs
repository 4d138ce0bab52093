//! `switchover`: partitioned twins take the legacy tables' names, all of a set in one transaction.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::twins::around::{around, last_backup, sent};
use super::twins::ready::{Accepted, dependants, late_triggers, ownership, parity};
use super::twins::stages::{self, Stages};
use super::twins::switch::Switch;
use super::twins::trial::trial;
use super::twins::{Couple, carry, named, own_before, rollback_draft};
use crate::engine::journal::RunRecord;
use crate::engine::operation::{Draft, Offer, OpSpec, Operation, ParamSpec, Params, PlanCx, Risk, Undo};
use crate::engine::plan::{Preflight, Ready, Reversible, Unit};
use crate::engine::ports::Fut;
use crate::engine::profile::Profile;
use crate::engine::switch::Played;
use crate::engine::twin::Standing;
use crate::engine::twin::marker::{self, Watch};
use crate::engine::{Class, Error, Result};

pub(super) struct Switchover;

static SPEC: OpSpec = OpSpec {
    verb: "switchover",
    about: "let partitioned twins take the legacy tables' names, all of a set at once",
    risk: Risk::Reversible,
    params: &[
        stages::MONITOR,
        ParamSpec { name: "backup", about: "verified (the default), unverified, or skip" },
        stages::MARKER,
        stages::LOCK_TIMEOUT,
        stages::BUDGET,
        stages::ATTEMPTS,
        stages::PATIENCE,
        ParamSpec {
            name: "accept",
            about: "what the preflight names and you accept openly, comma separated",
        },
        stages::BEFORE,
        stages::AFTER,
        stages::FAILED,
        stages::HOOK_TIMEOUT,
    ],
    bootstraps: false,
    many: true,
};

impl Operation for Switchover {
    fn spec(&self) -> &'static OpSpec {
        &SPEC
    }

    fn offers(&self, profile: &Profile) -> Vec<Offer> {
        super::twins::offers(
            &SPEC,
            profile,
            "switch applications to the twin",
            "ACCESS EXCLUSIVE within a budget",
        )
    }

    fn plan<'a>(&'a self, cx: &'a PlanCx<'a>, name: &'a str, params: &'a Params) -> Fut<'a, Result<Draft>> {
        Box::pin(draft(cx, name, params))
    }

    fn undo<'a>(&'a self, cx: &'a PlanCx<'a>, run: &'a RunRecord) -> Fut<'a, Result<Option<Undo>>> {
        Box::pin(async move {
            // Before the tables have changed places, what was made ready is taken away step by step.
            if run.rows_applied == 0 || run.live {
                return Ok(None);
            }
            let params = Params(BTreeMap::new());
            Ok(Some(Undo::Draft(Box::new(rollback_draft(cx, run, &params).await?))))
        })
    }
}

async fn draft(cx: &PlanCx<'_>, name: &str, params: &Params) -> Result<Draft> {
    let asked = stages::Asked::of(params)?;
    let couples = Couple::all(cx, name).await?;
    untouched(&couples)?;
    let accepted = Accepted::of(params.get("accept"));
    let switch = Switch::of(cx, &couples).await?;
    let mut preflight = Vec::new();
    for (couple, part) in couples.iter().zip(&switch.parts) {
        preflight.extend(ownership(cx, couple).await?);
        preflight.extend(parity(cx, couple).await);
        preflight.extend(dependants(couple, &part.belongings, &accepted));
        preflight.extend(sent(cx, couple, &part.belongings, &accepted).await);
        preflight.extend(late_triggers(cx, couple, &accepted).await?);
    }
    let (more, bytes) = around(cx, &couples).await?;
    preflight.extend(more);
    preflight.push(last_backup(cx, &couples).await);
    preflight.extend(stages::backups(cx, &asked, bytes));
    let tried = trial(cx, &couples, &switch, &accepted).await;
    preflight.extend(tried.preflight);
    let rehearsed = match rehearsal(cx, name).await {
        Ok(found) => found,
        Err(e) => {
            let text = format!("whether it was rehearsed is unknown: {}", e.message);
            preflight.push(Preflight::new("rehearsal", Ready::Warn, text));
            None
        }
    };
    let mut out = Stages::new(&couples, &switch, &asked);
    out.measure("PRE-FLIGHT", false);
    if out.backup() {
        out.measure("POST-BACKUP", false);
    }
    for couple in &couples {
        let watch = watched(cx, couple).await?;
        out.watch(couple, &watch, &mut preflight);
    }
    out.measure("PRE-MIGRATION", false);
    out.compare();
    out.measure("POST-MIGRATION", false);
    out.prepare();
    out.hook("before");
    out.enable(measured(rehearsed.as_ref(), tried.swap_ms).as_ref());
    out.hook("after");
    out.monitor();
    out.measure("DONE", true);
    if !preflight.iter().any(|p| p.id == "rehearsal") {
        preflight.push(compared(rehearsed.as_ref(), &preflight));
    }
    let mut changes = out.changes();
    for couple in &couples {
        let own = carry::of(cx, &couple.partitioned, &couple.legacy, vec![]).await?.own();
        if !own.is_empty() {
            changes.push(format!("{}{}", own_before(couple), own.join("; ")));
        }
    }
    let names: Vec<_> = couples.iter().map(|c| c.twin.name()).collect();
    Ok(Draft {
        why: format!("{} shall be the partitioned tables from now on", names.join(", ")),
        changes,
        obstacle: Some(out.price(&switch)),
        reversible: Reversible::Full,
        undo: "full: rollback swaps back, with all that was written since; reverse sync keeps the retired tables complete until cleanup".into(),
        frozen: false,
        steps: out.steps,
        preflight,
        verify: out.verify,
        rows: vec![],
        unit: Unit::Twins,
        count: couples.len() as u64,
        undoes: None,
    })
}

/// None of them is switched yet; else what is left to be switched, and how.
fn untouched(couples: &[Couple<'_>]) -> Result<()> {
    let names = |before: bool| -> Vec<&str> {
        let such = couples.iter().filter(|c| (c.standing == Standing::Before) == before);
        such.map(|c| c.twin.name()).collect()
    };
    let (rest, done) = (names(true), names(false));
    if done.is_empty() {
        return Ok(());
    }
    let verb = if done.len() == 1 { "is" } else { "are" };
    let back = format!("midwatch plan rollback {} takes back what is switched", done.join(","));
    let hint = if rest.is_empty() {
        back
    } else {
        format!("midwatch plan switchover {} switches the rest; {back}", rest.join(","))
    };
    Err(Error::new(Class::Refused, format!("{} {verb} switched over already", done.join(", "))).hint(hint))
}

/// Is everything marked that is written?
async fn watched(cx: &PlanCx<'_>, couple: &Couple<'_>) -> Result<Watch> {
    let mut tx = cx.cx.read().await?;
    marker::installed(&mut *tx, &couple.pair(), &couple.columns, &couple.layout).await
}

#[derive(Deserialize)]
struct Rehearsal {
    run: String,
    name: String,
    age_h: f64,
    body: Played,
}

/// The latest rehearsal of these very twins, however they were named.
async fn rehearsal(cx: &PlanCx<'_>, name: &str) -> Result<Option<Rehearsal>> {
    let sql = "select r.id::text as run, r.name, e.body::json as body, \
               (extract(epoch from clock_timestamp() - e.at::timestamptz) / 3600)::float8 as age_h \
               from midwatch.events e join midwatch.runs r on r.id = e.run \
               where e.kind = 'rehearsal' and r.operation = 'rehearse' order by e.seq desc limit 100";
    let found: Vec<Rehearsal> = match cx.cx.read().await?.fetch(sql, &[]).await {
        // No journal yet.
        Err(e) if e.code.as_deref() == Some("42P01") => return Ok(None),
        found => found?,
    };
    let set = |name: &str| named(cx.profile(), name).iter().map(|t| t.name()).collect::<Vec<_>>();
    let wanted = set(name);
    Ok(found.into_iter().find(|r| set(&r.name) == wanted))
}

/// How long locks were held, and where that was seen.
fn measured(rehearsed: Option<&Rehearsal>, trial_ms: Option<u64>) -> Option<(u64, String)> {
    if let Some(r) = rehearsed.filter(|r| r.body.failures.is_empty()) {
        let p = &r.body;
        let place = format!(
            "rehearsal run {}: {} writes beside it, the longest wait {:.0} ms, back in {} ms; {}",
            r.run, p.writes, p.stall_ms, p.back_ms, p.copied
        );
        return Some((p.held_ms, place));
    }
    trial_ms.map(|ms| (ms, "a copy of the definitions with a few rows, on this machine".to_owned()))
}

/// What the rehearsal met, and this plan does not, or the other way round.
fn compared(rehearsed: Option<&Rehearsal>, now: &[Preflight]) -> Preflight {
    let Some(r) = rehearsed else {
        return Preflight::new("rehearsal", Ready::Warn, "never rehearsed from here: midwatch plan rehearse");
    };
    if let Some(failure) = r.body.failures.first() {
        let text = format!("rehearsal run {} failed: {failure}", r.run);
        return Preflight::new("rehearsal", Ready::Warn, text);
    }
    // What differs between a copy and its original by nature.
    let elsewhere = |id: &str| {
        matches!(
            id,
            "rehearsal"
                | "connection"
                | "journal"
                | "operator"
                | "replicas"
                | "load"
                | "disk"
                | "backup"
                | "last_backup"
                | "locks"
                | "marker"
                | "long_transaction"
                | "replication_slot"
                | "sequence"
                | "parity"
                | "trial"
                | "untried"
                | "publication"
                | "statements"
        )
    };
    let there: Vec<(&str, &str)> = r
        .body
        .preflight
        .iter()
        .filter(|(id, status, _)| !elsewhere(id) && status != "ok")
        .map(|(id, _, text)| (id.as_str(), text.as_str()))
        .collect();
    let here: Vec<(&str, &str)> = now
        .iter()
        .filter(|p| !elsewhere(&p.id) && p.status != Ready::Ok)
        .map(|p| (p.id.as_str(), p.message.as_str()))
        .collect();
    let new: Vec<_> = here.iter().filter(|h| !there.contains(h)).map(|(_, text)| *text).collect();
    let gone: Vec<_> = there.iter().filter(|t| !here.contains(t)).map(|(_, text)| *text).collect();
    let when = format!("rehearsal run {}, {:.1} h ago", r.run, r.age_h);
    if new.is_empty() && gone.is_empty() {
        return Preflight::new("rehearsal", Ready::Ok, format!("{when}: met the same"));
    }
    let mut text = format!("this preflight differs from {when}");
    if !new.is_empty() {
        text = format!("{text}; not met there: {}", new.join("; "));
    }
    if !gone.is_empty() {
        text = format!("{text}; met there only: {}", gone.join("; "));
    }
    Preflight::new("rehearsal", Ready::Warn, text)
}
