//! The reverse triggers of a switched twin, made anew where they do not all fire: proved in a copy first.

use crate::engine::model::query::Sql;
use serde::Deserialize;

use crate::engine::model::error::Result;
use crate::engine::model::name::{Ident, literal};
use crate::engine::model::preflight::{Preflight, Ready, Verification};
use crate::engine::model::query::Param;
use crate::engine::model::step::Step;
use crate::engine::plan::operation::PlanCx;
use crate::engine::plan::tables::find_table;
use crate::engine::port::copies::TargetCopy;
use crate::features::parity::pair::sync_triggers::{
    DEFINER, RowSync, reverse_names, truncate_name, truncate_triggers,
};
use crate::features::parity::pair::trigger_ddl::{Statements, Triggers};
use crate::features::parity::pair::trigger_function::{self, Making, closed, making, owned};
use crate::features::switchover::copy::switch_test::as_ours;
use crate::features::switchover::copy::trigger_test::{Sides, TriggerTest, exercise_triggers};
use crate::features::switchover::plan::chunks::TriggerSteps;
use crate::features::switchover::plan::rollback::part;
use crate::features::switchover::plan::swap_ddl::reverse;
use crate::features::switchover::plan::twin_pair::TwinPair;
use crate::features::switchover::preflight::ownership::may_be_owned;
use crate::features::switchover::texts;

/// What came of it.
#[derive(Default)]
pub(crate) struct ReverseSyncPlan {
    pub(crate) steps: Vec<Step>,
    pub(crate) changes: Vec<String>,
    pub(crate) preflight: Vec<Preflight>,
    pub(crate) verify: Vec<Verification>,
    /// As they are, or as planned, in the copy.
    pub(crate) fired: Option<(&'static str, TriggerTest)>,
}

/// A trigger that does not fire always, or is not there.
#[derive(Debug, Deserialize)]
struct Silent {
    relation: String,
    name: String,
    root: bool,
    state: Option<String>,
    /// Where it runs something else.
    definition: Option<String>,
}

/// The function that they run, as it is.
#[derive(Debug, Deserialize)]
struct Function {
    definition: String,
    body: String,
    owned: bool,
    owner: String,
}

// Row triggers are on the table and cloned on each partition; TRUNCATE has its own on each table that holds rows.
const SILENT: &str = "
select t.relid::regclass::text as relation, w.name, t.level = 0 as root, g.tgenabled::text as state,
       case when g.tgparentid = 0 and g.tgfoid is distinct from to_regprocedure($4) then pg_get_triggerdef(g.oid) end as definition
from pg_partition_tree($1::oid::regclass) t cross join unnest($2::text[]) with ordinality w(name, place)
left join pg_trigger g on g.tgrelid = t.relid and g.tgname = w.name
where (w.name <> $3 or t.isleaf or t.level = 0)
  and not (g.oid is not null and g.tgenabled = 'A' and g.tgfoid is not distinct from to_regprocedure($4))
order by t.level, t.relid::regclass::text, w.place";

const FUNCTION: &str = "
select pg_get_functiondef(p.oid) as definition, p.prosrc as body, pg_has_role(current_user, p.proowner, 'usage') as owned,
       pg_get_userbyid(p.proowner)::text as owner
from pg_proc p where p.oid = to_regprocedure($1)";

impl Silent {
    /// As it was: the clones follow that of the table, each in its own state.
    fn inverse(&self) -> Vec<String> {
        let (relation, name) = (&self.relation, Ident(&self.name));
        let Some(state) = &self.state else {
            let gone = format!("drop trigger if exists {name} on {relation}");
            return if self.root || self.name == truncate_name() { vec![gone] } else { vec![] };
        };
        let state = match state.as_str() {
            "A" => "enable always",
            "R" => "enable replica",
            "D" => "disable",
            _ => "enable",
        };
        let definition =
            self.definition.as_ref().map(|d| d.replacen("CREATE TRIGGER", "CREATE OR REPLACE TRIGGER", 1));
        let state = format!("alter table only {relation} {state} trigger {name}");
        definition.into_iter().chain([state]).collect()
    }

    fn of_partition(&self) -> bool {
        !self.root && self.name == truncate_name()
    }
}

/// Nothing of the retired table's keeping is left out.
fn verification(twin_pair: &TwinPair<'_>, function: &str) -> Verification {
    let all: Vec<_> = reverse_names().iter().map(|n| literal(n)).collect();
    let sql = SILENT
        .replace("$1", &twin_pair.partitioned.oid.to_string())
        .replace("$2", &format!("array[{}]", all.join(", ")))
        .replace("$3", &literal(&truncate_name()))
        .replace("$4", &literal(function));
    let title = texts::steps::reverse_fires(&twin_pair.partitioned.relation);
    Verification { title, sql, own: true }
}

/// The statements, and those that bring what is there now.
fn build(
    twin_pair: &TwinPair<'_>,
    mirror: &RowSync,
    silent: &[Silent],
    function: Option<&Function>,
    making: Making,
) -> Triggers {
    let (name, owner) = (twin_pair.reverse_function().to_string(), &twin_pair.legacy.owner);
    let mut first = vec![mirror.reverse(making, &name, DEFINER)];
    first.extend(closed(&name, &[owner, &twin_pair.partitioned.owner]));
    first.push(owned(&name, owner));
    let leaves: Vec<_> = silent.iter().filter(|s| s.of_partition()).map(|s| s.relation.clone()).collect();
    let partitions = leaves.iter().flat_map(|l| truncate_triggers(&name, l)).collect();
    let of = |partitions: bool| -> Vec<String> {
        silent.iter().filter(|s| s.of_partition() == partitions).flat_map(Silent::inverse).collect()
    };
    let mut tables = of(false);
    tables.extend(function.filter(|f| &f.owner != owner).map(|f| owned(&name, &f.owner)));
    tables.push(function.map_or_else(|| format!("drop function {name}()"), |f| f.definition.clone()));
    Triggers {
        make: Statements { tables: mirror.reverse_triggers(first, &name, &[]).make.tables, partitions },
        take: Statements { tables, partitions: of(true) },
    }
}

async fn fired(cx: &PlanCx<'_>, twin_pair: &TwinPair<'_>, copy: &dyn TargetCopy) -> Result<TriggerTest> {
    (cx.doing)(texts::triggers::firing_reverse(twin_pair.twin.name()));
    let sides = Sides {
        legacy: twin_pair.legacy.relation.clone(),
        twin: twin_pair.partitioned.relation.clone(),
        forward: false,
        unique: find_table(cx, &twin_pair.legacy.relation).await?.unique_columns,
    };
    let table = find_table(cx, &twin_pair.partitioned.relation).await?;
    exercise_triggers(copy, twin_pair, &table, &sides).await
}

/// Looks at them, fires them, and makes them anew where that is wanted.
pub(crate) async fn plan_reverse_sync(
    cx: &PlanCx<'_>,
    twin_pair: &TwinPair<'_>,
    copy: Option<&dyn TargetCopy>,
) -> Result<ReverseSyncPlan> {
    let name = twin_pair.twin.name();
    let (live, function) = (&twin_pair.partitioned.relation, format!("{}()", twin_pair.reverse_function()));
    let params = [
        Param::Int(twin_pair.partitioned.oid),
        Param::Texts(reverse_names().to_vec()),
        Param::Text(Some(truncate_name())),
        Param::from(function.as_str()),
    ];
    let silent: Vec<Silent> = cx.cx.read().await?.fetch(&Sql::new(SILENT).bind(params.clone())).await?;
    let there: Vec<Function> =
        cx.cx.read().await?.fetch(&Sql::new(FUNCTION).bind([Param::from(function.as_str())])).await?;
    let there = there.into_iter().next();
    let mirror = reverse(cx, twin_pair, &part(twin_pair).names).await?;
    let (name_of, owner) = (twin_pair.reverse_function().to_string(), &twin_pair.legacy.owner);
    let making = making(&mut *cx.cx.read().await?, &name_of, owner).await?;
    let whole = mirror.reverse(making, &name_of, DEFINER);
    let mut out = ReverseSyncPlan::default();
    let mut wrong: Vec<String> =
        silent.iter().map(|s| texts::triggers::silent(&s.name, &s.relation)).collect();
    if !there.as_ref().is_some_and(|f| whole.ends_with(&literal(&f.body))) {
        wrong.push(texts::triggers::function_differs(&function));
    }
    if let Some(other) = there.as_ref().map(|f| &f.owner).filter(|o| *o != owner) {
        wrong.push(texts::triggers::function_of(&function, other, owner));
    }
    if let (true, Some(copy)) = (wrong.is_empty(), copy) {
        let fired = fired(cx, twin_pair, copy).await?;
        wrong.clone_from(&fired.faults);
        out.fired = Some((texts::triggers::AS_ARE, fired));
    }
    if wrong.is_empty() {
        return Ok(out);
    }
    let text = texts::triggers::reverse_rewritten(name, &wrong);
    out.preflight.push(Preflight::new("found", Ready::Ok, text));
    let text = texts::triggers::missed(name, &twin_pair.legacy.relation);
    out.preflight.push(Preflight::new("missed", Ready::Warn, text));
    out.preflight.extend(allowed(cx, twin_pair, there.as_ref()).await?);
    let triggers = build(twin_pair, &mirror, &silent, there.as_ref(), making);
    if let Some(copy) = copy {
        let fired = match as_ours(cx, copy, &triggers.create_statements()).await {
            Ok(()) => fired(cx, twin_pair, copy).await?,
            Err(e) => TriggerTest { faults: vec![e.message], ..TriggerTest::default() },
        };
        out.fired = Some((texts::triggers::AS_PLANNED, fired));
    }
    let title = texts::steps::reverse_rewritten(live);
    out.changes.push(title.clone());
    out.steps.extend(TriggerSteps { id: name, title: &title, tables: &[live] }.create_steps(&triggers));
    out.verify.push(verification(twin_pair, &function));
    let title = texts::steps::function_owned(&name_of, owner);
    out.verify.push(trigger_function::verification(title, &name_of, owner));
    Ok(out)
}

/// Triggers are the table's owner's, the function its own owner's.
async fn allowed(
    cx: &PlanCx<'_>,
    twin_pair: &TwinPair<'_>,
    function: Option<&Function>,
) -> Result<Vec<Preflight>> {
    let role = &cx.cx.server.role;
    let live = &twin_pair.partitioned.relation;
    let table = find_table(cx, live).await?;
    let mut out = vec![table.privilege(live, "change triggers of", table.owned, role)];
    out.extend(may_be_owned(cx, &twin_pair.reverse_function(), &twin_pair.legacy.owner).await?);
    if let Some(f) = function.filter(|f| !f.owned) {
        let function = twin_pair.reverse_function().to_string();
        let text = texts::triggers::function_not_owned(role, &function, &f.owner);
        out.push(Preflight::new("privilege", Ready::Fail, text));
    }
    Ok(out)
}
