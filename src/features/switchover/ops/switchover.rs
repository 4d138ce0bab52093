//! `switchover`: partitioned twins take the legacy tables' names, all of a set in one transaction.

use crate::features::switchover::verbs;
use std::collections::BTreeMap;

use crate::engine::journal;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::grants::TableNeed;
use crate::engine::model::name_change::NameChange;
use crate::engine::model::param::Params;
use crate::engine::model::preflight::{Preflight, Ready, Reversible, Risk};
use crate::engine::model::profile::Profile;
use crate::engine::model::record::RunRecord;
use crate::engine::model::step::Step;
use crate::engine::plan::operation::{Draft, Offer, OpSpec, Operation, PlanCx, Undo, UndoText};
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::Fut;
use crate::features::parity::pair::SwitchState;
use crate::features::switchover::copy::switch_test::test_switch;
use crate::features::switchover::plan::dependents;
use crate::features::switchover::plan::options;
use crate::features::switchover::plan::rollback::{rollback_draft, watch_all};
use crate::features::switchover::plan::steps::{self, StepsInOrder};
use crate::features::switchover::plan::swap_ddl::Switch;
use crate::features::switchover::plan::twin_pair::TwinPair;
use crate::features::switchover::preflight::accept::Accepted;
use crate::features::switchover::preflight::dependencies::dependants;
use crate::features::switchover::preflight::ownership::{late_triggers, may_be_owned, ownership};
use crate::features::switchover::preflight::parity::parity;
use crate::features::switchover::preflight::rehearsals::{
    JournalledRehearsal, compared, measured, rehearsal,
};
use crate::features::switchover::preflight::server::{last_backup, server_activity, statements_needing_keys};
use crate::features::switchover::renames::name_changes;
use crate::features::switchover::task::TWINS;
use crate::features::switchover::texts;
use crate::features::switchover::twins;
use crate::features::switchover::twins::{named, switched_offers};

pub(crate) struct Switchover;

static SPEC: OpSpec = OpSpec {
    verb: verbs::SWITCHOVER,
    about: "swap partitioned tables into the legacy tables' names, all of a set in one transaction",
    risk: Risk::Reversible,
    params: &[
        options::MONITOR,
        options::BACKUP,
        options::MARKER,
        options::LOCK_TIMEOUT,
        options::BUDGET,
        options::ATTEMPTS,
        options::PATIENCE,
        options::ACCEPT,
        options::BEFORE,
        options::AFTER,
        options::FAILED,
        options::HOOK_TIMEOUT,
    ],
    example: "revenues,expenses --set monitor=10m --out plan.json",
    bootstraps: false,
    many: true,
    asks: crate::features::switchover::preflight::parity::QUESTIONS,
};

impl Operation for Switchover {
    fn spec(&self) -> &'static OpSpec {
        &SPEC
    }

    fn offers(&self, profile: &Profile, dialect: &dyn Dialect) -> Vec<Offer> {
        switched_offers(&SPEC, profile, dialect, texts::offers::SWITCHOVER)
    }

    fn needs(&self, profile: &Profile) -> Vec<TableNeed> {
        twins::needs(SPEC.verb, profile, twins::BACKED_UP)
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

    fn changes_names(&self) -> bool {
        true
    }

    fn renaming_word(&self) -> &'static str {
        "switched"
    }

    fn name_changes(&self, steps: &[Step]) -> Vec<NameChange> {
        name_changes(steps)
    }

    fn first(&self, run: &RunRecord) -> Option<String> {
        Some(format!("midwatch plan rollback {}", run.name))
    }
}

async fn draft(cx: &PlanCx<'_>, name: &str, params: &Params) -> Result<Draft> {
    let asked = options::SwitchOptions::from_params(params)?;
    let twin_pairs = TwinPair::all(cx, name).await?;
    check_unaltered(cx, &twin_pairs).await?;
    let accepted = Accepted::parse(params.get("accept"));
    let switch = Switch::for_pairs(cx, &twin_pairs).await?;
    let mut preflight = collect_preflight(cx, &twin_pairs, &switch, &accepted, &asked).await?;
    let switch_test = test_switch(cx, &twin_pairs, &switch, &accepted).await;
    preflight.extend(switch_test.preflight);
    let (rehearsed, unknown) = last_rehearsal(cx, name).await;
    let is_known = unknown.is_none();
    preflight.extend(unknown);
    let mut out = StepsInOrder::new(&twin_pairs, &switch, &asked, &cx.cx.server.role);
    out.measure("PRE-FLIGHT", false);
    if out.backup() {
        out.measure("POST-BACKUP", false);
    }
    watch_all(cx, &twin_pairs, &mut out, &mut preflight).await?;
    preflight.extend(out.stall(cx, false, &accepted).await);
    out.measure("PRE-MIGRATION", false);
    out.compare();
    out.measure("POST-MIGRATION", false);
    out.prepare();
    out.hook_before();
    let own = own_dependents(cx, &twin_pairs).await?;
    out.enable(measured(rehearsed.as_ref(), switch_test.swap_ms).as_ref(), &own);
    out.hook_after();
    out.monitor();
    out.measure("DONE", true);
    if is_known {
        preflight.push(compared(rehearsed.as_ref(), &preflight));
    }
    let changes = [out.changes(), own_dependent_lines(&twin_pairs, &own)].concat();
    if let Some(r) = &rehearsed {
        r.times(&mut out.steps);
    }
    let names: Vec<_> = twin_pairs.iter().map(|c| c.twin.name()).collect();
    Ok(Draft {
        why: texts::offers::switchover_why(&names),
        changes,
        obstacle: Some(out.price(&switch)),
        reversible: Reversible::Full,
        undo: UndoText::full(texts::offers::SWITCHOVER_UNDO),
        frozen: false,
        renames: switch.renames(),
        steps: out.steps,
        preflight,
        verify: out.verify,
        rows: vec![],
        unit: TWINS,
        lock_timeout_ms: Some(asked.lock_timeout_ms),
        continues_after_window: true,
        names_left: false,
        count: twin_pairs.len() as u64,
        undoes: None,
    })
}

/// The latest rehearsal, or why none is known.
async fn last_rehearsal(cx: &PlanCx<'_>, name: &str) -> (Option<JournalledRehearsal>, Option<Preflight>) {
    match rehearsal(cx, name).await {
        Ok(found) => (found, None),
        Err(e) => {
            let text = texts::preflight::rehearsal_unknown(&e.message);
            (None, Some(Preflight::new("rehearsal", Ready::Warn, text)))
        }
    }
}

/// What the tables, what depends on them, the server and its backups say of the switch.
async fn collect_preflight(
    cx: &PlanCx<'_>,
    twin_pairs: &[TwinPair<'_>],
    switch: &Switch,
    accepted: &Accepted,
    asked: &crate::features::switchover::plan::options::SwitchOptions,
) -> Result<Vec<Preflight>> {
    let mut out = Vec::new();
    for (twin_pair, part) in twin_pairs.iter().zip(&switch.parts) {
        out.extend(ownership(cx, twin_pair).await?);
        out.extend(may_be_owned(cx, &twin_pair.reverse_function(), &twin_pair.legacy.owner).await?);
        out.extend(parity(cx, twin_pair).await);
        out.extend(dependants(twin_pair, &part.dependents, accepted));
        out.extend(statements_needing_keys(cx, twin_pair, &part.dependents, accepted).await);
        out.extend(late_triggers(cx, twin_pair, accepted).await?);
    }
    let (more, bytes) = server_activity(cx, twin_pairs).await?;
    out.extend(more);
    out.push(last_backup(cx, twin_pairs).await);
    out.extend(steps::backups(cx, asked, bytes));
    Ok(out)
}

/// What each partitioned table has of its own.
async fn own_dependents(cx: &PlanCx<'_>, twin_pairs: &[TwinPair<'_>]) -> Result<Vec<Vec<String>>> {
    let mut out = Vec::new();
    for twin_pair in twin_pairs {
        out.push(dependents::find(cx, &twin_pair.partitioned, &twin_pair.legacy, vec![]).await?.own());
    }
    Ok(out)
}

/// That they keep it.
fn own_dependent_lines(twin_pairs: &[TwinPair<'_>], own: &[Vec<String>]) -> Vec<String> {
    let all = twin_pairs.iter().zip(own).filter(|(_, own)| !own.is_empty());
    all.map(|(pair, own)| texts::offers::kept(pair.twin.name()) + &own.join("; ")).collect()
}

/// None of them is switched yet; else what is left to be switched, and how.
async fn check_unaltered(cx: &PlanCx<'_>, twin_pairs: &[TwinPair<'_>]) -> Result<()> {
    let names = |before: bool| -> Vec<&str> {
        let such = twin_pairs.iter().filter(|c| (c.standing == SwitchState::Before) == before);
        such.map(|c| c.twin.name()).collect()
    };
    let (rest, done) = (names(true), names(false));
    if done.is_empty() {
        return Ok(());
    }
    let verb = if done.len() == 1 { "is" } else { "are" };
    // What was switched together goes back together.
    let runs = journal::runs::standing(cx.cx.facts, verbs::SWITCHOVER).await.unwrap_or_default();
    let sets = runs.iter().map(|r| named(cx.profile(), &r.name).iter().map(|t| t.name()).collect::<Vec<_>>());
    let set = sets.into_iter().find(|s| done.iter().any(|d| s.contains(d))).unwrap_or_else(|| done.clone());
    let back = format!("midwatch plan rollback {} takes back what is switched", set.join(","));
    let hint = if rest.is_empty() {
        back
    } else {
        format!("midwatch plan switchover {} switches the rest; {back}", rest.join(","))
    };
    Err(Error::new(Class::Refused, format!("{} {verb} switched over already", done.join(", "))).hint(hint))
}
