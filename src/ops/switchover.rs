//! `switchover`: partitioned twins take the legacy tables' names, all of a set in one transaction.

use std::collections::BTreeMap;

use super::twins::ready::{Accepted, around, dependants, ownership, parity, sent};
use super::twins::stages::{self, Stages};
use super::twins::switch::Switch;
use super::twins::trial::trial;
use super::twins::{Couple, rollback_draft};
use crate::engine::journal::RunRecord;
use crate::engine::operation::{Draft, Offer, OpSpec, Operation, ParamSpec, Params, PlanCx, Risk, Undo};
use crate::engine::plan::{Reversible, Unit};
use crate::engine::ports::Fut;
use crate::engine::profile::Profile;
use crate::engine::twin::Standing;
use crate::engine::twin::marker::{self, Watch};
use crate::engine::{Class, Error, Result};

pub(super) struct Switchover;

static SPEC: OpSpec = OpSpec {
    verb: "switchover",
    about: "let partitioned twins take the legacy tables' names, all of a set at once",
    risk: Risk::Reversible,
    params: &[
        ParamSpec { name: "monitor", about: "how long to look on afterwards: 30s, 10m, 2h (10s)" },
        ParamSpec { name: "backup", about: "verified (the default), unverified, or skip" },
        ParamSpec {
            name: "marker",
            about: "no: without write markers, compare everything while writers wait",
        },
        ParamSpec { name: "lock_timeout", about: "milliseconds that one attempt waits for its locks (60)" },
        ParamSpec { name: "budget", about: "milliseconds that the locks may be held (250)" },
        ParamSpec { name: "attempts", about: "attempts before it is postponed (12)" },
        ParamSpec {
            name: "accept",
            about: "what the preflight names and you accept openly, comma separated",
        },
        ParamSpec { name: "before", about: "a command to run right before the switch" },
        ParamSpec { name: "after", about: "a command to run right after it" },
        ParamSpec { name: "hook_timeout", about: "how long such a command may take: 30s, 10m (60s)" },
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
    if let Some(done) = couples.iter().find(|c| c.standing != Standing::Before) {
        let what = format!("{} is switched over already", done.twin.name());
        return Err(Error::new(Class::Refused, what).hint("midwatch plan rollback takes it back"));
    }
    let accepted = Accepted::of(params.get("accept"));
    let switch = Switch::of(cx, &couples).await?;
    let mut preflight = Vec::new();
    for (couple, part) in couples.iter().zip(&switch.parts) {
        preflight.extend(ownership(cx, couple).await?);
        preflight.extend(parity(cx, couple).await);
        preflight.extend(dependants(couple, &part.belongings, &accepted));
        preflight.extend(sent(cx, couple, &part.belongings, &accepted).await);
    }
    let (more, bytes) = around(cx, &couples).await?;
    preflight.extend(more);
    preflight.extend(stages::backups(cx, &asked, bytes));
    let tried = trial(cx, &couples, &switch).await;
    preflight.extend(tried.preflight);
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
    out.enable(tried.swap_ms);
    out.hook("after");
    out.monitor();
    out.measure("DONE", true);
    let names: Vec<_> = couples.iter().map(|c| c.twin.name()).collect();
    Ok(Draft {
        why: format!("{} shall be the partitioned tables from now on", names.join(", ")),
        changes: out.changes(),
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

/// Is everything marked that is written?
async fn watched(cx: &PlanCx<'_>, couple: &Couple<'_>) -> Result<Watch> {
    let mut tx = cx.cx.read().await?;
    marker::installed(&mut *tx, &couple.pair(), &couple.columns, &couple.layout).await
}
