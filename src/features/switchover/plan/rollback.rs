//! The way back of a switchover: the very statements that its plan kept for it, after both sides were compared.

use crate::features::switchover::step_kind::StepKind;
use crate::features::switchover::verbs;
use chrono::SecondsFormat;

use crate::engine::journal;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::name::{Ident, Relation};
use crate::engine::model::name_change::NameChange;
use crate::engine::model::param::Params;
use crate::engine::model::preflight::{Preflight, Ready, Reversible};
use crate::engine::model::profile::Twin;
use crate::engine::model::record::RunRecord;
use crate::engine::model::step::{Action, Step};
use crate::engine::plan::operation::{Draft, PlanCx, UndoText};
use crate::engine::plan::tables::find_table;
use crate::engine::port::name_changes::NameChanges as _;
use crate::features::parity::pair::sync_triggers::{reverse_names, reverse_taken};
use crate::features::parity::pair::trigger_ddl::Triggers;
use crate::features::parity::pair::{SwitchState, change_capture, retired, standing};
use crate::features::switchover::copy::switch_test::{UNTRIED, as_ours, lacks};
use crate::features::switchover::copy::trigger_test::{Sides, exercise_triggers};
use crate::features::switchover::plan::dependents::{Carried, DependentObjects, Names};
use crate::features::switchover::plan::options::SwitchOptions;
use crate::features::switchover::plan::steps::StepsInOrder;
use crate::features::switchover::plan::swap_ddl::{PairSwap, Switch};
use crate::features::switchover::plan::twin_pair::TwinPair;
use crate::features::switchover::preflight::accept::Accepted;
use crate::features::switchover::preflight::ownership::marks_may_be_owned;
use crate::features::switchover::preflight::rehearsals::{rehearsal, rollback_time};
use crate::features::switchover::run::arguments;
use crate::features::switchover::task::{DependentsAtSwitch, Swap, TWINS};
use crate::features::switchover::texts;
use crate::features::switchover::twins::named;

/// The step that swaps.
pub(crate) const STEP: &str = StepKind::SwapBack.id();

/// The run that switched these twins.
pub(crate) async fn rollback_of(cx: &PlanCx<'_>, name: &str) -> Result<RunRecord> {
    let mut wanted = Vec::new();
    for twin in named(cx.profile(), name) {
        let mut tx = cx.cx.read().await?;
        match standing(&mut *tx, twin).await? {
            SwitchState::Switched => wanted.push(twin.name()),
            SwitchState::Before if name == crate::engine::plan::operation::ALL => {}
            SwitchState::Before => {
                return Err(refused(format!("{} is not switched over", twin.name())));
            }
            SwitchState::Cleaned => {
                drop(tx);
                return Err(cleaned(cx, twin).await?);
            }
        }
    }
    if wanted.is_empty() {
        return Err(refused("nothing is switched over here".into()));
    }
    for run in journal::runs::standing(cx.cx.facts, verbs::SWITCHOVER).await? {
        let set: Vec<_> = named(cx.profile(), &run.name).into_iter().map(Twin::name).collect();
        if set == wanted {
            return Ok(run);
        }
        if set.iter().any(|t| wanted.contains(t)) {
            let what = format!("run {} switched {} together: they go back together", run.id, set.join(", "));
            for twin in named(cx.profile(), &run.name) {
                let mut tx = cx.cx.read().await?;
                let standing = standing(&mut *tx, twin).await?;
                drop(tx);
                if standing == SwitchState::Cleaned {
                    let away = retired::find_retired(cx.cx.facts, twin).await?;
                    let hint = match away.and_then(|a| a.run) {
                        Some(put) => format!(
                            "midwatch undo {put} brings the retired table of {} back first",
                            twin.name()
                        ),
                        None => format!("the retired table of {} is gone: no way back is left", twin.name()),
                    };
                    return Err(
                        refused(format!("{what}, and {} was cleaned up since", twin.name())).hint(hint)
                    );
                }
            }
            return Err(refused(what).hint(format!("midwatch plan rollback {}", set.join(","))));
        }
    }
    Err(refused(format!("the journal has no switchover of {}", wanted.join(", "))).hint(
        "it was not done from here: what hung on the legacy table is not known, so it is not taken back",
    ))
}

fn refused(what: String) -> Error {
    Error::new(Class::Refused, what)
}

/// Why a twin that was cleaned up is not swapped back, and what can be done.
async fn cleaned(cx: &PlanCx<'_>, twin: &Twin) -> Result<Error> {
    let name = twin.name();
    let Some(away) = retired::find_retired(cx.cx.facts, twin).await? else {
        return Ok(refused(format!("{name} was cleaned up: the legacy table is gone"))
            .hint("only its backup brings it back"));
    };
    let since = away.since.map(|at| format!(" since {}", at.to_rfc3339_opts(SecondsFormat::Secs, true)));
    let what = format!("{name} was cleaned up: the legacy table is put away as {}", away.table);
    Ok(refused(format!("{what}{}", since.unwrap_or_default())).hint(away.way_back()))
}

/// The view that answers to the twin's old name.
fn answering(twin_pair: &TwinPair<'_>) -> Relation {
    let schema = Relation::parse(&twin_pair.partitioned.relation).schema;
    Relation { schema, name: Relation::parse(&twin_pair.twin.partitioned).name }
}

/// A twin after its switch.
pub(crate) fn part(twin_pair: &TwinPair<'_>) -> PairSwap {
    PairSwap {
        names: Names {
            live: Relation::parse(&twin_pair.partitioned.relation),
            twin: answering(twin_pair),
            retired: Relation::parse(&twin_pair.legacy.relation),
        },
        dependents: DependentObjects::default(),
        reverse: Triggers::default(),
        carried: Carried::default(),
        views: vec![],
    }
}

/// The plan of the way back.
pub(crate) async fn rollback_draft(cx: &PlanCx<'_>, run: &RunRecord, params: &Params) -> Result<Draft> {
    let asked = SwitchOptions::from_params(params)?;
    let accepted = Accepted::parse(params.get("accept"));
    let plan = journal::runs::known_plan_of(cx.cx.facts, &run.id).await?;
    let swap_of = |step: &'_ Step| match &step.action {
        Action::Task(task) if task.word == Swap::TASK => Some(arguments::<Swap>(task)),
        _ => None,
    };
    let Some((swapped, swap)) = plan.steps.iter().find_map(|s| Some((s, swap_of(s)?))) else {
        return Err(refused(format!("run {} has switched nothing", run.id)));
    };
    let swap = swap?;
    let twin_pairs = TwinPair::all(cx, &run.name).await?;
    if let Some(other) = twin_pairs.iter().find(|c| c.standing != SwitchState::Switched) {
        return Err(refused(format!("{} is not switched over any more", other.twin.name())));
    }
    let switch = switched_back(&twin_pairs, &swap);
    let then = AtSwitch { swap: &swap, statements: &swapped.statements, changes: &plan.changes };
    let mut preflight = tables_of(cx, &twin_pairs, &then, &accepted).await?;
    preflight
        .extend(crate::features::switchover::preflight::server::server_activity(cx, &twin_pairs).await?.0);
    preflight.push(tried(cx, &twin_pairs, &switch, &swapped.back, &accepted).await);
    let mut out = StepsInOrder::new(&twin_pairs, &switch, &asked, &cx.cx.server.role);
    out.measure("PRE-ROLLBACK", true);
    watch_all(cx, &twin_pairs, &mut out, &mut preflight).await?;
    preflight.extend(out.stall(cx, true, &accepted).await);
    out.compare_as(true);
    out.hook_before();
    let statements = (swapped.back.clone(), swapped.statements.clone());
    // What was never rehearsed is not measured: that alone hinders nobody on the way back.
    let rehearsed = rehearsal(cx, &run.name).await.ok().flatten();
    let held = rehearsed.as_ref().and_then(rollback_time);
    out.swap((STEP, texts::steps::SWAP_BACK), statements, true, held.as_ref());
    out.hook_after();
    out.tidy();
    out.monitor_as(false);
    out.measure("ROLLED-BACK", false);
    let names: Vec<_> = twin_pairs.iter().map(|c| c.twin.name()).collect();
    Ok(Draft {
        why: texts::offers::rollback_why(&names, &run.id),
        changes: changes(&switch),
        obstacle: Some(out.price(&switch)),
        reversible: Reversible::Full,
        undo: UndoText::full(texts::offers::ROLLBACK_UNDO),
        frozen: false,
        renames: NameChange::inverse(&cx.operations.in_plan(&plan)),
        steps: out.steps,
        preflight,
        verify: out.verify,
        rows: vec![],
        unit: TWINS,
        lock_timeout_ms: Some(asked.lock_timeout_ms),
        continues_after_window: true,
        names_left: !plan.names_with_schema,
        count: twin_pairs.len() as u64,
        undoes: Some(run.id.clone()),
    })
}

/// The swap of a rollback.
fn switched_back(twin_pairs: &[TwinPair<'_>], swap: &Swap) -> Switch {
    let mut switch = Switch { parts: twin_pairs.iter().map(part).collect() };
    for (twin_pair, p) in twin_pairs.iter().zip(&mut switch.parts) {
        p.reverse.take = reverse_taken(&twin_pair.reverse_function().to_string(), &twin_pair.leaves());
        p.views.push(p.names.twin.brief());
    }
    // Those that the switch made again are made again.
    if let Some(first) = switch.parts.first_mut() {
        first.views.extend(swap.views().iter().cloned());
    }
    switch
}

/// Parity and ownership of each table, and what was made on it since.
async fn tables_of(
    cx: &PlanCx<'_>,
    twin_pairs: &[TwinPair<'_>],
    then: &AtSwitch<'_>,
    accepted: &Accepted,
) -> Result<Vec<Preflight>> {
    let mut out = Vec::new();
    for twin_pair in twin_pairs {
        out.extend(crate::features::switchover::preflight::parity::parity(cx, twin_pair).await);
        out.extend(crate::features::switchover::preflight::ownership::ownership(cx, twin_pair).await?);
    }
    for twin_pair in twin_pairs {
        out.extend(since(cx, twin_pair, then, accepted).await?);
    }
    Ok(out)
}

/// The steps that watch each couple, whose changes may be captured already.
pub(crate) async fn watch_all(
    cx: &PlanCx<'_>,
    twin_pairs: &[TwinPair<'_>],
    out: &mut StepsInOrder<'_>,
    preflight: &mut Vec<Preflight>,
) -> Result<()> {
    for twin_pair in twin_pairs {
        let mut tx = cx.cx.read().await?;
        let watch =
            change_capture::installed(&mut *tx, &twin_pair.pair(), &twin_pair.columns, &twin_pair.layout)
                .await?;
        drop(tx);
        if out.captures() {
            preflight.extend(marks_may_be_owned(cx, &twin_pair.pair(), &watch).await?);
        }
        out.watch(twin_pair, &watch, preflight);
    }
    Ok(())
}

fn changes(switch: &Switch) -> Vec<String> {
    let mut out: Vec<String> = switch
        .parts
        .iter()
        .map(|p| {
            let n = &p.names;
            texts::offers::swapped_back(&n.live.brief(), &n.twin.brief(), &n.retired.brief())
        })
        .collect();
    out.push(texts::offers::CARRIED_BACK.into());
    out
}

/// What hangs on the live table and was not there when it was switched: it would stay with the twin.
async fn since(
    cx: &PlanCx<'_>,
    twin_pair: &TwinPair<'_>,
    then: &AtSwitch<'_>,
    accepted: &Accepted,
) -> Result<Vec<Preflight>> {
    let now = crate::features::switchover::plan::dependents::find(
        cx,
        &twin_pair.partitioned,
        &twin_pair.legacy,
        vec![],
    )
    .await?;
    let extra = &twin_pair.columns.only_right;
    let answering = answering(twin_pair);
    let known = then.swap.dependents.iter().find(|d| d.twin == twin_pair.twin.name()).cloned();
    let known =
        known.unwrap_or_else(|| then.dependents_by_text(twin_pair.twin.name(), &answering, extra, &now));
    let mut new = came_since(&known, &answering, extra, &now);
    new.retain(|n| !known.own.contains(n));
    if new.is_empty() {
        return Ok(vec![]);
    }
    let text = texts::preflight::came_since(twin_pair.twin.name(), &new);
    Ok(vec![accepted.unless("since", &text)])
}

/// What the live table has beside what it was known to have.
fn came_since(
    known: &DependentsAtSwitch,
    answering: &Relation,
    extra: &[String],
    now: &DependentObjects,
) -> Vec<String> {
    let mut new: Vec<String> = Vec::new();
    let columns = extra.iter().filter(|c| !known.columns.contains(c));
    new.extend(columns.map(|c| texts::dependents::column(c)));
    let views = now.views.iter().filter(|v| {
        // The one that answers to the twin's old name is the switch's own.
        Relation::parse(&v.name).name != answering.name && !known.views.contains(&v.name)
    });
    new.extend(views.map(|v| texts::dependents::view(&v.name)));
    new.extend(now.referrers.iter().map(|k| texts::dependents::foreign_key(&k.name, &k.table)));
    let reverse = reverse_names();
    let triggers = now
        .triggers
        .iter()
        .filter(|t| !t.ours && !reverse.contains(&t.name) && !known.triggers.contains(&t.name));
    new.extend(triggers.map(|t| texts::dependents::trigger(&t.name)));
    new.extend(now.bound.iter().cloned());
    let grants = now.legacy.grants.iter().filter(|g| g.grantee != now.legacy.owner);
    let lost = grants.filter(|g| {
        let given = known.grants.iter().any(|(what, whom)| *what == g.privilege_text() && *whom == g.grantee);
        !now.twin.grants.contains(g) && !given
    });
    new.extend(lost.map(|g| texts::dependents::privilege(&g.privilege_text(), &g.grantee)));
    new
}

/// The swap of a switchover, with what its plan says beside it.
struct AtSwitch<'a> {
    swap: &'a Swap,
    statements: &'a [String],
    changes: &'a [String],
}

impl AtSwitch<'_> {
    /// Of what depends on a table now, what its switch made, and what it kept, by the texts of the plan: plans of older
    /// builds have it nowhere else. There an object of its own with `; ` in its name, and a carried trigger whose name is
    /// written in quotes, count as new.
    fn dependents_by_text(
        &self,
        twin: &str,
        answering: &Relation,
        extra: &[String],
        now: &DependentObjects,
    ) -> DependentsAtSwitch {
        let begun =
            |start: &str| self.statements.iter().any(|s| s.to_lowercase().starts_with(&start.to_lowercase()));
        // The view that answers to the twin's old name has the columns of then.
        let view = self.statements.iter().find(|s| s.starts_with(&format!("create view {answering} ")));
        let view = view.map_or("", String::as_str);
        let columns = extra.iter().filter(|c| view.contains(&Ident(c).to_string()));
        let views = now.views.iter().map(|v| &v.name);
        let triggers = now.triggers.iter().map(|t| &t.name);
        let granted = now.legacy.grants.iter().filter(|g| {
            let (given, whom) =
                (format!("grant {} on ", g.privilege_text()), format!(" to {}", g.grantee_sql()));
            self.statements.iter().any(|s| s.starts_with(&given) && s.contains(&whom))
        });
        let before = texts::offers::kept(twin);
        let kept = self.changes.iter().filter_map(|c| c.strip_prefix(&before)).flat_map(|c| c.split("; "));
        DependentsAtSwitch {
            twin: twin.to_owned(),
            columns: columns.cloned().collect(),
            views: views.filter(|v| begun(&format!("create or replace view {v} "))).cloned().collect(),
            triggers: triggers.filter(|t| begun(&format!("create trigger {t} "))).cloned().collect(),
            grants: granted.map(|g| (g.privilege_text(), g.grantee.clone())).collect(),
            own: kept.map(str::to_owned).collect(),
        }
    }
}

/// The way back, gone in a copy, and the forward sync fired after it.
async fn tried(
    cx: &PlanCx<'_>,
    twin_pairs: &[TwinPair<'_>],
    switch: &Switch,
    back: &[String],
    accepted: &Accepted,
) -> Preflight {
    let copy = match crate::features::switchover::copy::sample_copy::copy(cx, twin_pairs).await {
        Ok(copy) => copy,
        Err(e) => {
            return accepted.unless(UNTRIED, &texts::preflight::no_copy_for_rollback(&e.one_line()));
        }
    };
    let outcome = async {
        for twin_pair in twin_pairs {
            let (live, retired) = (&twin_pair.partitioned, &twin_pair.legacy);
            let hangs =
                crate::features::switchover::plan::dependents::find(cx, live, retired, vec![]).await?;
            crate::features::switchover::copy::switch_test::publish(
                &*copy,
                &live.relation,
                &hangs.publications,
            )
            .await?;
        }
        (cx.doing)(texts::preflight::GOING_BACK.into());
        as_ours(cx, &*copy, back).await?;
        let mut said = Vec::new();
        for (twin_pair, part) in twin_pairs.iter().zip(&switch.parts) {
            as_ours(cx, &*copy, &part.reverse.drop_statements()).await?;
            let table = find_table(cx, &twin_pair.legacy.relation).await?;
            let sides = Sides {
                legacy: part.names.live.to_string(),
                twin: part.names.twin.to_string(),
                forward: true,
                unique: vec![],
            };
            let fired = exercise_triggers(&*copy, twin_pair, &table, &sides).await?;
            if !fired.faults.is_empty() {
                let what = texts::preflight::faults_after_rollback(twin_pair.twin.name(), &fired.faults);
                return Err(Error::new(Class::Failed, what));
            }
            said.push(twin_pair.twin.name());
        }
        Ok(said.join(", "))
    };
    match outcome.await {
        Ok(_) if !copy.untried().is_empty() => {
            accepted.unknown_unless(UNTRIED, &texts::preflight::not_in_copy(copy.untried()))
        }
        Ok(said) => Preflight::new("trial", Ready::Ok, texts::preflight::rolled_back_in_copy(&said)),
        Err(e) => {
            let text = texts::preflight::rollback_fails(&e.message);
            match lacks(&*copy) {
                Some(lacks) => {
                    accepted.unknown_unless(UNTRIED, &texts::preflight::fails_without(&text, &lacks))
                }
                None => Preflight::new("trial", Ready::Fail, text),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::features::switchover::plan::dependents::{DependentView, TableTrigger};

    fn view(name: &str) -> DependentView {
        DependentView {
            name: name.into(),
            materialized: false,
            options: None,
            definition: String::new(),
            columns: vec![],
        }
    }

    fn trigger(name: &str) -> TableTrigger {
        TableTrigger {
            name: name.into(),
            state: "O".into(),
            definition: String::new(),
            constraint: false,
            body: String::new(),
            before: false,
            by_name: false,
            mirrors: false,
            ours: false,
            namesakes: vec![],
        }
    }

    #[test]
    fn an_older_plan_says_by_its_texts_what_depended_on_a_table() {
        let swap = serde_json::from_value(json!({
            "twins": 1, "tables": [], "proofs": [], "lock_timeout_ms": 60, "budget_ms": 250, "attempts": 1,
            "patience_ms": 500,
        }));
        let statements = [
            "create view \"public\".\"t_new\" as select \"id\", \"kept\" from \"public\".\"t\"",
            "create or replace view public.open as select 1",
            "CREATE TRIGGER stamped BEFORE INSERT ON t",
        ]
        .map(str::to_owned);
        let changes = [texts::offers::kept("t") + "view public.own; trigger own"];
        let then = AtSwitch { swap: &swap.unwrap(), statements: &statements, changes: &changes };
        let now = DependentObjects {
            views: ["public.open", "public.own", "public.late", "public.t_new"].map(view).to_vec(),
            triggers: ["stamped", "own", "late"].map(trigger).to_vec(),
            ..DependentObjects::default()
        };
        let answering = Relation { schema: Some("public".into()), name: "t_new".into() };
        let extra = ["kept".to_owned(), "late".to_owned()];
        let known = then.dependents_by_text("t", &answering, &extra, &now);
        assert_eq!((&known.columns[..], &known.views[..]), (&extra[..1], &["public.open".to_owned()][..]));
        assert_eq!((&known.triggers[..], known.own.len()), (&["stamped".to_owned()][..], 2));
        let mut new = came_since(&known, &answering, &extra, &now);
        new.retain(|n| !known.own.contains(n));
        assert_eq!(new, ["column late", "view public.late", "trigger late"]);
    }
}
