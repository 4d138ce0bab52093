//! `repair-triggers`: what keeps the twins in step, made complete: proved in a copy before it is planned.

use crate::engine::model::query::Sql;
use crate::features::switchover::verbs;
use serde::Deserialize;

use crate::engine::model::error::Result;
use crate::engine::model::grants::TableNeed;
use crate::engine::model::name::{Ident, Relation, literal};
use crate::engine::model::param::{DefaultValue, ParamSpec, Params, Takes};
use crate::engine::model::plan::Unit;
use crate::engine::model::preflight::{Preflight, Ready, Reversible, Risk, Verification};
use crate::engine::model::profile::Profile;
use crate::engine::model::query::Param;
use crate::engine::model::step::{LockStrength, Step};
use crate::engine::plan::operation::{Draft, Offer, OpSpec, Operation, PlanCx, UndoText, lock};
use crate::engine::plan::tables::{Table, find_table};
use crate::engine::port::copies::TargetCopy;
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::Fut;
use crate::features::parity::pair::SwitchState;
use crate::features::parity::pair::sync_triggers::{DEFINER, INVOKER, Mirrored, RowSync};
use crate::features::parity::pair::trigger_function::{self, Making, closed, making, owned};
use crate::features::switchover::copy::switch_test::untried;
use crate::features::switchover::copy::trigger_body::other_side_effects;
use crate::features::switchover::copy::trigger_test::{Sides, TriggerTest, exercise_triggers};
use crate::features::switchover::plan::options;
use crate::features::switchover::plan::reverse_sync::plan_reverse_sync;
use crate::features::switchover::plan::twin_pair::TwinPair;
use crate::features::switchover::preflight::accept::Accepted;
use crate::features::switchover::preflight::ownership::may_be_owned;
use crate::features::switchover::texts;
use crate::features::switchover::twins;
use crate::features::switchover::twins::offers;

pub(crate) struct RepairTriggers;

/// What to do where there is no copy.
const UNPROVED: ParamSpec = ParamSpec {
    name: "unproved",
    about: "accept: plan the triggers although no private copy could be made to test them in",
    takes: Takes::Choice(&["accept"]),
    default: DefaultValue::Nothing,
};

static SPEC: OpSpec = OpSpec {
    verb: verbs::REPAIR_TRIGGERS,
    about: "complete and enable the sync triggers (after a switchover: reverse sync), tested in a private copy first",
    risk: Risk::Reversible,
    params: &[UNPROVED, options::ACCEPT],
    example: "revenues",
    bootstraps: false,
    many: true,
    asks: &[],
};

impl Operation for RepairTriggers {
    fn spec(&self) -> &'static OpSpec {
        &SPEC
    }

    fn offers(&self, profile: &Profile, dialect: &dyn Dialect) -> Vec<Offer> {
        offers(
            &SPEC,
            profile,
            dialect,
            texts::offers::REPAIR_TRIGGERS,
            &texts::offers::locks_of_triggers(dialect.lock_mode(LockStrength::Writers)),
        )
    }

    fn needs(&self, profile: &Profile) -> Vec<TableNeed> {
        twins::needs(SPEC.verb, profile, twins::REDEFINED)
    }

    fn plan<'a>(&'a self, cx: &'a PlanCx<'a>, name: &'a str, params: &'a Params) -> Fut<'a, Result<Draft>> {
        Box::pin(draft(cx, name, params))
    }
}

async fn draft(cx: &PlanCx<'_>, name: &str, params: &Params) -> Result<Draft> {
    let accepted = params.word_of(&UNPROVED)?.is_some();
    let twin_pairs = TwinPair::all(cx, name).await?;
    let mut out = Parts { accepted: Accepted::parse(params.get("accept")), ..Parts::default() };
    let copy = crate::features::switchover::copy::sample_copy::copy(cx, &twin_pairs).await;
    if let Err(e) = &copy {
        let ready = if accepted { Ready::Warn } else { Ready::Unknown };
        let text = texts::triggers::no_copy_for_triggers(&e.message);
        out.preflight.push(Preflight::new("proof", ready, text));
    }
    // Fired without a part of what fires on the target.
    if let Some(untried) = copy.as_deref().ok().and_then(untried) {
        let ready = if accepted { Ready::Warn } else { Ready::Unknown };
        out.preflight.push(Preflight::new("proof", ready, texts::triggers::unproved(&untried)));
    }
    for twin_pair in &twin_pairs {
        match twin_pair.standing {
            SwitchState::Before => out.twin(cx, twin_pair, copy.as_deref().ok()).await?,
            _ => out.reverse(cx, twin_pair, copy.as_deref().ok()).await?,
        }
    }
    let names: Vec<_> = twin_pairs.iter().map(|c| c.twin.name()).collect();
    let nothing = out.steps.is_empty();
    let proved = !out.preflight.iter().any(|p| p.status.blocks());
    Ok(Draft {
        why: texts::offers::triggers_why(&names, nothing, proved),
        changes: out.changes,
        obstacle: None,
        reversible: Reversible::Full,
        undo: UndoText::full(texts::offers::TRIGGERS_UNDO),
        frozen: false,
        renames: vec![],
        count: out.steps.iter().map(|s| s.statements.len() as u64).sum(),
        undoes: None,
        steps: out.steps,
        preflight: out.preflight,
        verify: out.verify,
        rows: vec![],
        unit: Unit::STATEMENTS,
        lock_timeout_ms: None,
        continues_after_window: false,
        names_left: false,
    })
}

/// A trigger as it is.
#[expect(clippy::struct_excessive_bools, reason = "each is what the catalog says")]
#[derive(Debug, Clone, Deserialize)]
struct Found {
    name: String,
    state: String,
    kind: i32,
    /// WHEN or UPDATE OF: it fires in part.
    partial: bool,
    definition: String,
    function: String,
    function_definition: String,
    /// Its text.
    body: String,
    /// We may replace it.
    owned: bool,
    owner: String,
    /// That is a superuser, or this role.
    known: bool,
    definer: bool,
    settings: Vec<String>,
    /// Everybody may execute it.
    open: bool,
    /// Roles that may, each by itself.
    executors: Vec<String>,
    /// Triggers elsewhere that run the same function.
    others: i64,
}

const FOUND: &str = r"
select t.tgname as name, t.tgenabled::text as state, t.tgtype::int as kind,
       t.tgqual is not null or cardinality(t.tgattr::int2[]) > 0 as partial, pg_get_triggerdef(t.oid) as definition,
       format('%I.%I', n.nspname, p.proname) as function, pg_get_functiondef(p.oid) as function_definition,
       p.prosrc as body, pg_has_role(current_user, p.proowner, 'usage') as owned, r.rolname as owner,
       r.rolsuper or r.rolname = current_user as known, p.prosecdef as definer, coalesce(p.proconfig, '{}') as settings,
       exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x where x.grantee = 0) as open,
       array(select pg_get_userbyid(x.grantee)::text from aclexplode(p.proacl) x where x.grantee <> 0) as executors,
       (select count(*) from pg_trigger o where o.tgfoid = p.oid and o.tgrelid <> t.tgrelid and o.tgparentid = 0) as others
from pg_trigger t join pg_proc p on p.oid = t.tgfoid join pg_namespace n on n.oid = p.pronamespace
join pg_roles r on r.oid = p.proowner
where t.tgrelid = $1::oid and not t.tgisinternal and t.tgname = any ($2) order by t.tgname";

const INSERT: i32 = 4;
const DELETE: i32 = 8;
const UPDATE: i32 = 16;

impl Found {
    /// After each row, of all columns, without a condition.
    fn whole(&self) -> bool {
        !self.partial && self.kind & 1 == 1 && self.kind & (2 | 64) == 0
    }

    /// A function that other tables use is left to them.
    fn usable(&self) -> bool {
        self.whole() && self.others == 0
    }

    fn fires(&self) -> bool {
        matches!(self.state.as_str(), "O" | "A")
    }

    /// Its own settings but the path: our text is made for one that nobody can create in, and a function without one runs
    /// under that of whoever writes the row.
    fn attributes(&self) -> String {
        let safe = if self.definer { DEFINER } else { INVOKER };
        let settings: Vec<_> = self
            .settings
            .iter()
            .filter_map(|s| s.split_once('='))
            .filter(|(name, _)| !name.eq_ignore_ascii_case("search_path"))
            .map(|(name, value)| format!(" SET {name} = {}", setting(name, value)))
            .collect();
        format!("{safe}{}", settings.concat())
    }
}

/// Settings that are lists of names: the catalog keeps those quoted one by one.
const LISTS: [&str; 4] =
    ["temp_tablespaces", "local_preload_libraries", "session_preload_libraries", "shared_preload_libraries"];

/// A setting's value, as a function's definition takes it.
fn setting(name: &str, value: &str) -> String {
    let list = LISTS.iter().any(|l| l.eq_ignore_ascii_case(name));
    match value {
        "" | "\"\"" if list => "''".to_owned(),
        _ if list => value.to_owned(),
        _ => literal(value),
    }
}

/// Statements, and those that take them back.
#[derive(Debug, Default)]
struct Change {
    statements: Vec<String>,
    back: Vec<String>,
    said: Vec<String>,
    /// Functions that run with their owner's rights from then on.
    owned: Vec<String>,
}

impl Change {
    fn enable(&mut self, table: &str, found: &Found) {
        if found.fires() {
            return;
        }
        let name = Ident(&found.name);
        let was = if found.state == "R" { "enable replica" } else { "disable" };
        self.statements.push(format!("alter table {table} enable trigger {name}"));
        self.back.push(format!("alter table {table} {was} trigger {name}"));
        self.said.push(texts::steps::trigger_enabled(&found.name));
    }

    /// A trigger by its quoted name, for each row of these events.
    fn create(&mut self, name: &str, table: &str, function: &str, events: &[&str]) {
        self.statements.push(format!(
            "create trigger {name} after {} on {table} for each row execute function {function}()",
            events.join(" or ")
        ));
        self.back.insert(0, format!("drop trigger {name} on {table}"));
        self.said.push(texts::steps::trigger_created(name.trim_matches('"'), events));
    }
}

#[derive(Default)]
struct Parts {
    accepted: Accepted,
    steps: Vec<Step>,
    changes: Vec<String>,
    preflight: Vec<Preflight>,
    verify: Vec<Verification>,
}

impl Parts {
    async fn twin(
        &mut self,
        cx: &PlanCx<'_>,
        twin_pair: &TwinPair<'_>,
        copy: Option<&dyn TargetCopy>,
    ) -> Result<()> {
        let name = twin_pair.twin.name();
        let legacy = find_table(cx, &twin_pair.legacy.relation).await?;
        let declared = twin_pair.declared();
        let params = [Param::Int(twin_pair.legacy.oid), Param::Texts(declared.clone())];
        let found: Vec<Found> = cx.cx.read().await?.fetch(&Sql::new(FOUND).bind(params.clone())).await?;
        let mirror = mirror(cx, twin_pair).await?;
        let enabling = enabling(twin_pair, &found, &declared);
        let shut_out = shut_out(cx, twin_pair).await?;
        let mut wrong = vec![texts::triggers::NOT_COVERED.to_owned()];
        if let (Some(enabling), Some(copy)) = (&enabling, copy) {
            (cx.doing)(texts::triggers::firing(name));
            let mut fired = tried(copy, twin_pair, &legacy, enabling).await?;
            // In the copy nobody lacks a privilege.
            if !shut_out.is_empty() && found.iter().any(|f| !f.definer) {
                fired.faults.push(texts::triggers::shut_out(&shut_out, &twin_pair.legacy.relation));
            }
            if fired.faults.is_empty() && !fired.fine.is_empty() {
                self.proved(name, texts::triggers::AS_ARE, &fired);
                self.step(twin_pair, enabling);
                self.privilege(cx, twin_pair, &legacy, enabling);
                return Ok(());
            }
            wrong = fired.faults;
        }
        let own = own_function(twin_pair);
        let making =
            making(&mut *cx.cx.read().await?, &own.to_string(), &twin_pair.partitioned.owner).await?;
        let new = NewFunction { name: own, making, definer: !shut_out.is_empty() };
        let change = rewrite(twin_pair, &mirror, &found, &declared, &new);
        for function in &change.owned {
            let function = Relation::parse(function);
            self.preflight.extend(may_be_owned(cx, &function, &twin_pair.partitioned.owner).await?);
        }
        self.preflight.push(Preflight::new(
            "found",
            Ready::Ok,
            texts::triggers::functions_rewritten(name, &wrong),
        ));
        self.replaced(cx, twin_pair, &found);
        if let Some(copy) = copy {
            let fired = tried(copy, twin_pair, &legacy, &change).await?;
            if fired.faults.is_empty() {
                self.proved(name, texts::triggers::AS_PLANNED, &fired);
            } else {
                let text = texts::triggers::faults_even_as_planned(name, &fired.faults);
                self.preflight.push(Preflight::new("proof", Ready::Fail, text));
            }
        }
        self.step(twin_pair, &change);
        self.privilege(cx, twin_pair, &legacy, &change);
        Ok(())
    }

    /// After its switch: the retired table is to follow.
    async fn reverse(
        &mut self,
        cx: &PlanCx<'_>,
        twin_pair: &TwinPair<'_>,
        copy: Option<&dyn TargetCopy>,
    ) -> Result<()> {
        let found = plan_reverse_sync(cx, twin_pair, copy).await?;
        self.preflight.extend(found.preflight);
        match &found.fired {
            Some((how, fired)) if fired.faults.is_empty() => self.proved(twin_pair.twin.name(), how, fired),
            Some((how, fired)) => {
                let text = texts::triggers::faults_in_copy(twin_pair.twin.name(), how, &fired.faults);
                self.preflight.push(Preflight::new("proof", Ready::Fail, text));
            }
            None => {}
        }
        self.steps.extend(found.steps);
        self.changes.extend(found.changes);
        self.verify.extend(found.verify);
        Ok(())
    }

    /// What the functions did besides is gone with their text, and only their owner may replace it.
    fn replaced(&mut self, cx: &PlanCx<'_>, twin_pair: &TwinPair<'_>, found: &[Found]) {
        for f in found {
            let more = other_side_effects(&f.body, &twin_pair.partitioned.relation, f.kind & 2 != 0);
            if !more.is_empty() {
                let text =
                    texts::triggers::function_does_more(twin_pair.twin.name(), &f.function, &f.name, &more);
                self.preflight.push(self.accepted.unless("trigger_body", &text));
            }
        }
        let owners = [&twin_pair.legacy.owner, &twin_pair.partitioned.owner];
        for f in found.iter().filter(|f| f.usable() && !f.known && !owners.contains(&&f.owner)) {
            let text = texts::triggers::function_of_another(&f.function, &f.owner);
            self.preflight.push(Preflight::new("privilege", Ready::Fail, text));
        }
        for f in found.iter().filter(|f| f.usable() && !f.owned) {
            let text = texts::triggers::function_not_owned(&cx.cx.server.role, &f.function, &f.owner);
            self.preflight.push(Preflight::new("privilege", Ready::Fail, text));
        }
    }

    fn proved(&mut self, name: &str, how: &str, fired: &TriggerTest) {
        let text = texts::triggers::fired_in_copy(name, how, &fired.fine, &fired.untried);
        let ready = if fired.fine.is_empty() { Ready::Unknown } else { Ready::Ok };
        self.preflight.push(Preflight::new("proof", ready, text));
    }

    fn step(&mut self, twin_pair: &TwinPair<'_>, change: &Change) {
        if change.statements.is_empty() {
            return;
        }
        let legacy = &twin_pair.legacy.relation;
        self.changes.extend(change.said.iter().map(|s| texts::offers::change(legacy, s)));
        self.steps.push(Step {
            locks: vec![lock(legacy, "SHARE ROW EXCLUSIVE")],
            back: change.back.clone(),
            ..Step::new(
                twin_pair.twin.name(),
                texts::steps::repair_triggers(legacy, &change.said),
                change.statements.clone(),
            )
        });
        self.verify.push(verification(twin_pair));
        let owner = &twin_pair.partitioned.owner;
        self.verify.extend(change.owned.iter().map(|function| {
            let title = texts::steps::function_owned(function, owner);
            trigger_function::verification(title, function, owner)
        }));
    }

    fn privilege(&mut self, cx: &PlanCx<'_>, twin_pair: &TwinPair<'_>, table: &Table, change: &Change) {
        if !change.statements.is_empty() {
            let role = &cx.cx.server.role;
            self.preflight.push(table.privilege(
                &twin_pair.legacy.relation,
                "change triggers of",
                table.owned,
                role,
            ));
        }
    }
}

/// Roles that may write the legacy table but not its twin: a function that runs with their rights fails.
async fn shut_out(cx: &PlanCx<'_>, twin_pair: &TwinPair<'_>) -> Result<Vec<String>> {
    let sql = "select distinct pg_get_userbyid(x.grantee)::text as role from pg_class c cross join lateral aclexplode(c.relacl) x \
               where c.oid = $1::oid and x.grantee <> 0 and x.privilege_type in ('INSERT', 'UPDATE', 'DELETE') \
               and not (has_table_privilege(x.grantee, $2::oid, 'insert') and has_table_privilege(x.grantee, $2::oid, 'update') \
                        and has_table_privilege(x.grantee, $2::oid, 'delete') and has_table_privilege(x.grantee, $2::oid, 'select')) order by 1";
    let params = [Param::Int(twin_pair.legacy.oid), Param::Int(twin_pair.partitioned.oid)];
    Ok(cx.cx.read().await?.texts(&Sql::new(sql).bind(params.clone())).await?.into_iter().flatten().collect())
}

async fn mirror(cx: &PlanCx<'_>, twin_pair: &TwinPair<'_>) -> Result<RowSync> {
    let onto = find_table(cx, &twin_pair.partitioned.relation).await?;
    let mut key = twin_pair.twin.key.clone();
    key.extend(twin_pair.layout.key.iter().filter(|k| !twin_pair.twin.key.contains(k)).cloned());
    onto.keyed(&twin_pair.partitioned.relation, &key)?;
    let stored = |name: &str| onto.columns.iter().find(|c| c.name == name && !c.generated);
    let columns = twin_pair.columns.common.iter().filter_map(|c| {
        let own = stored(&c.name)?;
        let retyped = twin_pair.columns.retyped.iter().any(|(n, ..)| n == &c.name);
        let cast = retyped.then(|| own.qualified.clone());
        Some(Mirrored { name: c.name.clone(), cast, equality: own.equality.clone() })
    });
    Ok(RowSync {
        from: Relation::parse(&twin_pair.legacy.relation),
        onto: Relation::parse(&twin_pair.partitioned.relation),
        key,
        moves_by: vec![],
        columns: columns.collect(),
        numbered: onto.columns.iter().any(|c| c.numbered),
    })
}

/// All there, and whole: they only need to be on. `None`: that would not do.
fn enabling(twin_pair: &TwinPair<'_>, found: &[Found], declared: &[String]) -> Option<Change> {
    let all = declared.iter().all(|d| found.iter().any(|f| &f.name == d));
    let covers = |bit: i32| found.iter().any(|f| f.whole() && f.kind & bit != 0);
    if !all || ![INSERT, UPDATE, DELETE].into_iter().all(covers) {
        return None;
    }
    let mut out = Change::default();
    for f in found {
        out.enable(&twin_pair.legacy.relation, f);
    }
    Some(out)
}

/// The function that is made where none of those that are there does.
struct NewFunction {
    name: Relation,
    making: Making,
    /// Who writes the legacy table may not write its twin: functions run with the rights of the twin's owner.
    definer: bool,
}

fn own_function(twin_pair: &TwinPair<'_>) -> Relation {
    let legacy = Relation::parse(&twin_pair.legacy.relation);
    Relation { schema: legacy.schema, name: format!("midwatch_sync_{}", legacy.name) }
}

impl Change {
    /// Replaces the text of a function. With its owner's rights it runs as the owner of the table that it writes.
    fn replace(&mut self, twin_pair: &TwinPair<'_>, mirror: &RowSync, found: &Found, definer: bool) {
        let (function, owner) = (&found.function, &twin_pair.partitioned.owner);
        if self.back.contains(&found.function_definition) {
            return;
        }
        let attributes = if definer && !found.definer { DEFINER.to_owned() } else { found.attributes() };
        self.statements.push(mirror.forward(Making::Again, function, &attributes));
        if definer || found.definer {
            self.give(function, twin_pair);
            self.back.splice(0..0, privileges_back(twin_pair, found));
        }
        self.back.insert(0, found.function_definition.clone());
        if (definer || found.definer) && &found.owner != owner {
            self.back.insert(0, owned(function, &found.owner));
        }
        self.said.push(texts::steps::function_written(function));
    }

    /// Makes the function that is missing.
    fn add(&mut self, twin_pair: &TwinPair<'_>, mirror: &RowSync, new: &NewFunction) {
        let function = new.name.to_string();
        self.statements.push(mirror.forward(new.making, &function, DEFINER));
        self.give(&function, twin_pair);
        self.back.insert(0, format!("drop function {function}()"));
        self.said.push(texts::steps::function_written(&function));
    }

    fn give(&mut self, function: &str, twin_pair: &TwinPair<'_>) {
        self.statements.extend(closed(function, &[&twin_pair.legacy.owner]));
        self.statements.push(owned(function, &twin_pair.partitioned.owner));
        self.owned.push(function.to_owned());
    }
}

/// Who might execute a function before it was given to the owner of the twin, once it is its own owner's again: what its
/// owners were granted goes from one to the other with it.
fn privileges_back(twin_pair: &TwinPair<'_>, found: &Found) -> Vec<String> {
    let (function, owner) = (&found.function, &found.owner);
    let (legacy, twin) = (&twin_pair.legacy.owner, &twin_pair.partitioned.owner);
    let held = |role: &String| found.executors.contains(role);
    let mut out = vec![];
    if found.open {
        out.push(format!("grant execute on function {function}() to public"));
    }
    if twin != owner && held(twin) {
        out.push(format!("grant execute on function {function}() to {}", Ident(twin)));
    }
    if legacy != owner && legacy != twin && !held(legacy) {
        out.push(format!("revoke execute on function {function}() from {}", Ident(legacy)));
    }
    out
}

/// The functions by column name, and triggers for whatever none of them fires on.
fn rewrite(
    twin_pair: &TwinPair<'_>,
    mirror: &RowSync,
    found: &[Found],
    declared: &[String],
    new: &NewFunction,
) -> Change {
    let table = &twin_pair.legacy.relation;
    let own = new.name.to_string();
    let mut out = Change::default();
    let mut covered = 0;
    for f in found.iter().filter(|f| f.usable()) {
        out.replace(twin_pair, mirror, f, new.definer);
        out.enable(table, f);
        covered |= f.kind;
    }
    for f in found.iter().filter(|f| !f.usable()) {
        out.statements.push(format!("drop trigger {} on {table}", Ident(&f.name)));
        out.back.insert(0, f.definition.clone());
        out.said.push(texts::steps::trigger_replaced(&f.name));
    }
    let free: Vec<&String> =
        declared.iter().filter(|d| !found.iter().any(|f| f.usable() && &f.name == *d)).collect();
    let deletes = |name: &str| name.to_lowercase().contains("delete");
    let mut missing: Vec<(&str, i32)> = vec![("INSERT", INSERT), ("UPDATE", UPDATE), ("DELETE", DELETE)];
    missing.retain(|(_, bit)| covered & bit == 0);
    if missing.is_empty() {
        return out;
    }
    if !found.iter().any(|f| f.usable() && Relation::parse(&f.function) == new.name) {
        out.add(twin_pair, mirror, new);
    }
    let (apart, rest): (Vec<_>, Vec<_>) = missing
        .into_iter()
        .partition(|(_, bit)| *bit == DELETE && free.len() > 1 && free.iter().any(|n| deletes(n)));
    for (events, deleting) in [(rest, false), (apart, true)] {
        if events.is_empty() {
            continue;
        }
        let named = free.iter().find(|n| free.len() < 2 || deletes(n) == deleting).map(|n| n.as_str());
        let name =
            named.map_or_else(|| format!("{}_rest", declared.first().map_or("sync", |d| d)), str::to_owned);
        let events: Vec<_> = events.iter().map(|(e, _)| *e).collect();
        out.create(&Ident(&name).to_string(), table, &own, &events);
    }
    out
}

/// Fires in the copy what would be there.
async fn tried(
    copy: &dyn TargetCopy,
    twin_pair: &TwinPair<'_>,
    legacy: &Table,
    change: &Change,
) -> Result<TriggerTest> {
    if !change.statements.is_empty()
        && let Err(e) = copy.execute(&change.statements.join(";\n")).await
    {
        return Ok(TriggerTest { faults: vec![e.message], ..TriggerTest::default() });
    }
    exercise_triggers(copy, twin_pair, legacy, &Sides::before(twin_pair)).await
}

/// Nothing of what is to be mirrored is left out.
fn verification(twin_pair: &TwinPair<'_>) -> Verification {
    let among: Vec<_> = twin_pair.declared().iter().map(|d| crate::engine::model::name::literal(d)).collect();
    let sql = format!(
        "select e.event from (values ('INSERT', {INSERT}), ('UPDATE', {UPDATE}), ('DELETE', {DELETE})) e(event, bit) \
         where not exists (select from pg_trigger t where t.tgrelid = {}::oid and t.tgenabled in ('O', 'A') \
         and t.tgtype::int & e.bit > 0 and t.tgtype::int & 1 = 1 and t.tgqual is null \
         and (t.tgname in ({}) or t.tgname like '%\\_rest'))",
        twin_pair.legacy.oid,
        among.join(", ")
    );
    Verification { title: texts::steps::all_mirrored(&twin_pair.legacy.relation), sql, own: true }
}
