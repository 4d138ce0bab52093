//! The switch, the reverse sync and the way back, tried in a copy before they are planned: what fails there would
//! have failed with production in its hands.

use crate::engine::model::error::{Error, Result};
use crate::engine::model::name::{Ident, literal};
use crate::engine::model::preflight::{Preflight, Ready};
use crate::engine::plan::operation::PlanCx;
use crate::engine::plan::tables::find_table;
use crate::engine::port::copies::TargetCopy;
use crate::engine::port::reader::ReadOptions;
use crate::features::switchover::copy::trigger_test::{Sides, TriggerTest, exercise_triggers};
use crate::features::switchover::limits::millis;
use crate::features::switchover::plan::dependents::{Names, Publication};
use crate::features::switchover::plan::swap_ddl::Switch;
use crate::features::switchover::plan::twin_pair::TwinPair;
use crate::features::switchover::preflight::accept::Accepted;
use crate::features::switchover::texts;

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct SwitchTest {
    pub(crate) preflight: Vec<Preflight>,
    /// How long the statements of the swap took there (milliseconds).
    pub(crate) swap_ms: Option<u64>,
}

/// Tries everything, in the order in which it would be done.
pub(crate) async fn test_switch(
    cx: &PlanCx<'_>,
    twin_pairs: &[TwinPair<'_>],
    switch: &Switch,
    accepted: &Accepted,
) -> SwitchTest {
    let mut out = SwitchTest::default();
    match crate::features::switchover::copy::sample_copy::copy(cx, twin_pairs).await {
        Err(e) => {
            let text = texts::preflight::no_copy_for_switch(&e.one_line());
            out.preflight.push(accepted.unless(UNTRIED, &text));
        }
        Ok(copy) => {
            if let Err(e) = all(cx, twin_pairs, switch, &*copy, &mut out).await {
                out.preflight.push(Preflight::new("trial", Ready::Fail, e.message));
            }
            if let Some(lacks) = lacks(&*copy) {
                for failed in out.preflight.iter_mut().filter(|p| p.status == Ready::Fail) {
                    let text = texts::preflight::fails_without(&failed.message, &lacks);
                    *failed = accepted.unknown_unless(UNTRIED, &text);
                }
            }
            // What succeeded without them says nothing of them.
            if let Some(untried) = untried(&*copy) {
                out.preflight.push(accepted.unknown_unless(UNTRIED, &untried));
            }
        }
    }
    out
}

/// What could not be tried is accepted by this name.
pub(crate) const UNTRIED: &str = "untried";

/// What fails for want of a table says nothing of the target.
pub(crate) fn lacks(copy: &dyn TargetCopy) -> Option<String> {
    let lacks = copy.lacks();
    (!lacks.is_empty()).then(|| texts::preflight::copy_lacks(lacks))
}

/// What of the tables was not there to be tried.
pub(crate) fn untried(copy: &dyn TargetCopy) -> Option<String> {
    let untried = copy.untried();
    (!untried.is_empty()).then(|| texts::preflight::not_in_copy(untried))
}

/// With the privileges of the role that will do it.
pub(crate) async fn as_ours(cx: &PlanCx<'_>, copy: &dyn TargetCopy, statements: &[String]) -> Result<()> {
    let sql = statements.join(";\n");
    copy.execute(&format!("set role {};\n{sql};\nreset role", Ident(&cx.cx.server.role))).await
}

async fn all(
    cx: &PlanCx<'_>,
    twin_pairs: &[TwinPair<'_>],
    switch: &Switch,
    copy: &dyn TargetCopy,
    out: &mut SwitchTest,
) -> Result<()> {
    for (twin_pair, part) in twin_pairs.iter().zip(&switch.parts) {
        publish(copy, &twin_pair.legacy.relation, &part.dependents.publications).await?;
    }
    let mut broken = false;
    for twin_pair in twin_pairs {
        (cx.doing)(texts::triggers::firing_dual_writes(twin_pair.twin.name()));
        let table = find_table(cx, &twin_pair.legacy.relation).await?;
        let fired = exercise_triggers(copy, twin_pair, &table, &Sides::before(twin_pair)).await?;
        broken |= !fired.faults.is_empty();
        out.preflight.push(trigger_verdict(SyncWay::DualWrites, twin_pair, &fired));
    }
    if broken {
        return Ok(());
    }
    let failed = |what: &str, e: Error| e.context(format!("{what} fails in a copy"));
    for part in &switch.parts {
        let made = as_ours(cx, copy, &part.reverse.create_statements()).await;
        made.map_err(|e| failed("the preparation of the reverse sync", e))?;
    }
    (cx.doing)(texts::preflight::SWITCHING.into());
    let began = now(copy).await?;
    as_ours(cx, copy, &switch.statements()).await.map_err(|e| failed("the switch", e))?;
    out.swap_ms = Some(u64::try_from(now(copy).await? - began).unwrap_or(0));
    for (twin_pair, part) in twin_pairs.iter().zip(&switch.parts) {
        let table = find_table(cx, &twin_pair.partitioned.relation).await?;
        let sides = Sides {
            legacy: part.names.retired.to_string(),
            twin: part.names.live.to_string(),
            forward: false,
            unique: find_table(cx, &twin_pair.legacy.relation).await?.unique_columns,
        };
        let fired = exercise_triggers(copy, twin_pair, &table, &sides).await?;
        out.preflight.push(trigger_verdict(SyncWay::Reverse, twin_pair, &fired));
        view(copy, twin_pair, &part.names)
            .await
            .map_err(|e| failed("a write through the twin's old name", e))?;
    }
    as_ours(cx, copy, &switch.inverse()).await.map_err(|e| failed("the way back", e))?;
    for part in switch.parts.iter().rev() {
        as_ours(cx, copy, &part.reverse.drop_statements()).await.map_err(|e| failed("the way back", e))?;
    }
    let tables: Vec<_> = twin_pairs.iter().map(|c| c.twin.name()).collect();
    let summary = copy.summary();
    let text = texts::preflight::switched_in_copy(summary.split(';').next().unwrap_or_default(), &tables);
    out.preflight.push(Preflight::new("trial", Ready::Ok, text));
    Ok(())
}

/// Which sync was fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SyncWay {
    /// From the legacy table, before the switch.
    DualWrites,
    /// From the partitioned table, after it.
    Reverse,
}

fn trigger_verdict(way: SyncWay, twin_pair: &TwinPair<'_>, fired: &TriggerTest) -> Preflight {
    let name = twin_pair.twin.name();
    let (id, what) = match way {
        SyncWay::DualWrites => ("triggers", texts::triggers::DUAL_WRITES),
        SyncWay::Reverse => ("reverse_sync", texts::triggers::AFTER_SWITCH),
    };
    let (status, text) = if !fired.faults.is_empty() {
        let repairable = way == SyncWay::DualWrites;
        (Ready::Fail, texts::triggers::sync_fails(name, what, &fired.faults, repairable))
    } else if fired.fine.is_empty() {
        (Ready::Warn, texts::triggers::sync_not_fired(name, what, &fired.untried))
    } else {
        (Ready::Ok, texts::triggers::sync_fired(name, what, &fired.fine, &fired.untried))
    };
    Preflight::new(id, status, text).copied_with(name)
}

/// That of the copy.
async fn now(copy: &dyn TargetCopy) -> Result<i64> {
    millis(&mut *copy.facts().begin(ReadOptions::default()).await?).await
}

/// Publications are no part of a copy's definitions: those of a table are made for it.
pub(crate) async fn publish(copy: &dyn TargetCopy, table: &str, publications: &[Publication]) -> Result<()> {
    for p in publications.iter().filter(|p| !p.all_tables) {
        let (name, via) =
            (Ident(&p.name), if p.via_root { " with (publish_via_partition_root = true)" } else { "" });
        let create =
            format!("begin create publication {name}{via}; exception when duplicate_object then null; end");
        copy.execute(&format!("do {}", literal(&create))).await?;
        let columns = p.columns.as_ref().map_or_else(String::new, |c| format!(" ({c})"));
        let filter = p.filter.as_ref().map_or_else(String::new, |f| format!(" where ({f})"));
        copy.execute(&format!(
            "alter publication {name} add table {table}{columns}{filter}; alter publication {name} owner to {}",
            Ident(&p.owner)
        ))
        .await?;
    }
    Ok(())
}

/// The view under the twin's old name takes what the twin took.
async fn view(copy: &dyn TargetCopy, twin_pair: &TwinPair<'_>, names: &Names) -> Result<()> {
    let (view, live) = (&names.twin, &names.live);
    let columns: Vec<_> = twin_pair.partitioned.columns.iter().filter(|c| !c.generated).collect();
    let Some(any) = columns
        .iter()
        .find(|c| !twin_pair.twin.key.contains(&c.name) && !twin_pair.layout.key.contains(&c.name))
    else {
        return Ok(());
    };
    let mut key = twin_pair.twin.key.clone();
    key.extend(twin_pair.layout.key.iter().filter(|k| !twin_pair.twin.key.contains(k)).cloned());
    let key: Vec<_> = key.iter().map(|k| Ident(k).to_string()).collect();
    let list: Vec<_> = columns.iter().map(|c| Ident(&c.name).to_string()).collect();
    let (list, key, any) = (list.join(", "), key.join(", "), Ident(&any.name));
    copy.execute(&format!(
        "update {view} set {any} = {any}; \
         create table midwatch_view as select {list} from {live} limit 1; \
         insert into {view} ({list}) overriding system value select {list} from midwatch_view \
         on conflict ({key}) do update set {any} = excluded.{any}; \
         delete from {view} where ({key}) in (select {key} from midwatch_view); \
         insert into {view} ({list}) overriding system value select {list} from midwatch_view; drop table midwatch_view"
    ))
    .await
}
