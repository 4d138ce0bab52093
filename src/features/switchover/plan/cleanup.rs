//! The retired tables: put away while the way back is still a lossy one, dropped when nobody has missed them.

use crate::engine::model::query::Sql;
use crate::features::switchover::step_kind::StepKind;
use crate::features::switchover::task::TWINS;
use crate::features::switchover::verbs;
use serde::Deserialize;

use crate::engine::journal;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::name::{Ident, Relation, literal};
use crate::engine::model::name_change::NameChange;
use crate::engine::model::param::{DefaultValue, ParamSpec, Params, Takes};
use crate::engine::model::plan::Unit;
use crate::engine::model::preflight::{Preflight, Ready, Reversible, Verification};
use crate::engine::model::profile::{Profile, Twin};
use crate::engine::model::query::Param;
use crate::engine::model::record::RunRecord;
use crate::engine::model::step::{Lock, Step};
use crate::engine::plan::operation::{Draft, Offer, OpSpec, PlanCx, Undo, lock};
use crate::engine::port::dialect::Dialect;
use crate::features::parity::pair::catalog::qualified;
use crate::features::parity::pair::change_capture::{self, GapScope};
use crate::features::parity::pair::retired::{away_name, find_retired};
use crate::features::parity::pair::sync_triggers::{DEFINER, RowSync};
use crate::features::parity::pair::trigger_ddl::Triggers;
use crate::features::parity::pair::trigger_function::{Making, owned};
use crate::features::parity::pair::{SwitchState, retired_name, standing};
use crate::features::switchover::plan::dependents::{Carried, DependentKey};
use crate::features::switchover::plan::options::SwitchOptions;
use crate::features::switchover::plan::rollback::{part, watch_all};
use crate::features::switchover::plan::steps::StepsInOrder;
use crate::features::switchover::plan::swap_ddl::{PairSwap, Switch, idle_reverse, reverse};
use crate::features::switchover::plan::twin_pair::TwinPair;
use crate::features::switchover::preflight::accept::Accepted;
use crate::features::switchover::preflight::server::backups_of;
use crate::features::switchover::texts;
use crate::features::switchover::twins::{age, named};

/// A table that is away must have been so for a day.
const QUIET_S: u64 = 86_400;

/// How long the retired tables must have been unused.
pub(crate) const QUIET: ParamSpec = ParamSpec {
    name: "quiet",
    about: "how long the retired tables must have been unused before they are dropped",
    takes: Takes::duration(),
    default: DefaultValue::Number(QUIET_S),
};
/// A new backup of them.
pub(crate) const BACKUP: ParamSpec = ParamSpec {
    name: "backup",
    about: "make: dump the retired tables again",
    takes: Takes::Choice(&["make"]),
    default: DefaultValue::Depends("the switchover's backup"),
};
/// The step that renames the retired tables.
pub(crate) const STEP: &str = StepKind::PutAway.id();

pub(crate) fn offers(spec: &'static OpSpec, profile: &Profile, dialect: &dyn Dialect) -> Vec<Offer> {
    crate::features::switchover::twins::offers(
        spec,
        profile,
        dialect,
        texts::offers::CLEANUP,
        texts::offers::LOCKS_OF_SWAP,
    )
}

/// No row as long as the name belongs to this very table; the plan that put it away keeps it as a proof.
fn other_table_sql(table: &Relation, oid: i64) -> String {
    format!("select 1 where to_regclass({})::oid is distinct from {oid}::oid", literal(&table.to_string()))
}

/// Can the table have the name that it shall wait under?
async fn free(cx: &PlanCx<'_>, name: &str, to: &Relation) -> Result<Option<Preflight>> {
    let taken = qualified(&mut *cx.cx.read().await?, to).await?;
    Ok(taken.map(|_| {
        let text = texts::preflight::name_taken(name, &to.brief());
        Preflight::new("name", Ready::Fail, text)
    }))
}

pub(crate) async fn draft(cx: &PlanCx<'_>, name: &str, params: &Params) -> Result<Draft> {
    let mut switched = Vec::new();
    let mut cleaned = Vec::new();
    for twin in named(cx.profile(), name) {
        let mut tx = cx.cx.read().await?;
        match standing(&mut *tx, twin).await? {
            SwitchState::Before => {
                let what = format!("{} is not switched over: its legacy table is in use", twin.name());
                return Err(Error::new(Class::Refused, what));
            }
            SwitchState::Switched => switched.push(twin),
            SwitchState::Cleaned => cleaned.push(twin),
        }
    }
    match (switched.is_empty(), cleaned.is_empty()) {
        (false, true) => put_away(cx, name, params).await,
        (true, false) => drop_for_good(cx, &cleaned, params).await,
        _ => {
            let names = |twins: &[&Twin]| twins.iter().map(|t| t.name()).collect::<Vec<_>>().join(",");
            let what = format!("{} are switched, {} are put away already", names(&switched), names(&cleaned));
            Err(Error::new(Class::Refused, what).hint(format!("midwatch plan cleanup {}", names(&switched))))
        }
    }
}

/// The backup that a switchover made of these tables, if it is still what it was.
async fn backup(cx: &PlanCx<'_>, twins: &[&str]) -> Result<Preflight> {
    let fail = |text: &str| Ok(Preflight::new("backup", Ready::Fail, texts::server::backup_needed(text)));
    let found = backups_of(cx, twins).await?;
    let Some(f) = found.first() else {
        return fail(&texts::server::no_backup_of(twins));
    };
    let Some(proof) = &f.body.verified else {
        return fail(&texts::server::backup_not_verified(&f.run));
    };
    if let Err(e) = cx.backups.intact(&f.body).await {
        return fail(&e.message);
    }
    let text = texts::server::backup_intact(&f.body.file, &f.run, &age(f.age_h), proof);
    Ok(Preflight::new("backup", Ready::Ok, text))
}

#[derive(Deserialize)]
struct TableUse {
    referrers: Vec<DependentKey>,
    views: Vec<String>,
    used: String,
}

const TABLE_USE: &str = "
select coalesce((select json_agg(json_build_object('name', quote_ident(k.conname), 'table', k.conrelid::regclass::text,
                                                   'definition', pg_get_constraintdef(k.oid)) order by k.conrelid::regclass::text, k.conname)
                 from pg_constraint k where k.contype = 'f' and k.confrelid = $1::oid and k.conrelid <> $1::oid and k.conparentid = 0), '[]') as referrers,
       coalesce((select json_agg(distinct v.oid::regclass::text)
                 from pg_depend p join pg_rewrite w on w.oid = p.objid join pg_class v on v.oid = w.ev_class
                 where p.classid = 'pg_rewrite'::regclass and p.refclassid = 'pg_class'::regclass and p.refobjid = $1::oid and v.oid <> $1::oid), '[]') as views,
       (select format('read by %s scans, %s rows written since statistics were reset (statistics, no proof)',
                      coalesce(s.seq_scan, 0) + coalesce(s.idx_scan, 0), s.n_tup_ins + s.n_tup_upd + s.n_tup_del)
        from pg_stat_all_tables s where s.relid = $1::oid) as used";

// Whatever CASCADE would reach: what depends on the table, and on what depends on it. Parts of the table itself go with it.
const REACHED: &str = "
with recursive part as (
  select 'pg_class'::regclass::oid as classid, $1::oid as objid
  union
  select d.classid, d.objid from pg_depend d join part p on d.refclassid = p.classid and d.refobjid = p.objid
  where d.deptype in ('a', 'i', 'P', 'S')),
reached as (
  select d.classid, d.objid from pg_depend d join part p on d.refclassid = p.classid and d.refobjid = p.objid
  where d.deptype = 'n' and not exists (select from part o where o.classid = d.classid and o.objid = d.objid)
  union
  select x.classid, x.objid from reached r cross join lateral (
    select d.classid, d.objid from pg_depend d where d.refclassid = r.classid and d.refobjid = r.objid
    union all
    select d.refclassid, d.refobjid from pg_depend d where d.classid = r.classid and d.objid = r.objid and d.deptype = 'i') x)
select distinct regexp_replace(pg_describe_object(r.classid, r.objid, 0), '\\mpublic[.]', '', 'g') from reached r
where r.classid <> 'pg_rewrite'::regclass and r.classid <> 'pg_type'::regclass
  and not exists (select from part o where o.classid = r.classid and o.objid = r.objid) order by 1";

async fn table_use(cx: &PlanCx<'_>, oid: i64) -> Result<TableUse> {
    cx.cx.read().await?.one(&Sql::new(TABLE_USE).bind([Param::Int(oid)])).await
}

#[derive(Deserialize)]
struct IdentityDefault {
    column: String,
    sequence: String,
}

/// Columns of the partitioned table whose numbers come from an identity of the retired one: it would take them along.
async fn identity_defaults(cx: &PlanCx<'_>, twin_pair: &TwinPair<'_>) -> Result<Vec<IdentityDefault>> {
    let sql = "select a.attname as column, format('%I.%I', n.nspname, s.relname) as sequence \
               from pg_attrdef d join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum \
               join pg_depend p on p.classid = 'pg_attrdef'::regclass and p.objid = d.oid and p.refclassid = 'pg_class'::regclass \
               join pg_class s on s.oid = p.refobjid and s.relkind = 'S' join pg_namespace n on n.oid = s.relnamespace \
               join pg_depend i on i.classid = 'pg_class'::regclass and i.objid = s.oid and i.deptype = 'i' and i.refobjid = $2::oid \
               where d.adrelid = $1::oid";
    let params = [Param::Int(twin_pair.partitioned.oid), Param::Int(twin_pair.legacy.oid)];
    cx.cx.read().await?.fetch(&Sql::new(sql).bind(params.clone())).await
}

/// Statements of a twin, and what they mean.
#[derive(Default)]
struct RetireStatements {
    carried: Carried,
    said: Vec<String>,
    preflight: Vec<Preflight>,
    /// Tables of others that are altered.
    children: Vec<String>,
    /// What is left idle by the swap, and goes after it.
    reverse: Triggers,
    marks: Triggers,
}

impl RetireStatements {
    /// The live table numbers its column itself; taken back, the sequence goes on behind both.
    fn number(&mut self, live: &Relation, n: &IdentityDefault) {
        let column = Ident(&n.column);
        let set = format!("alter table {live} alter column {column}");
        self.carried.statements.extend([
            format!("{set} drop default"),
            format!("{set} add generated by default as identity"),
            format!(
                "select setval(pg_get_serial_sequence({}, {}), last_value, is_called) from {}",
                literal(&live.to_string()),
                literal(&n.column),
                n.sequence
            ),
        ]);
        self.carried.back.extend([
            format!(
                "select setval({}, (select max(x) from (select max({column})::bigint as x from {live} union all select last_value from {}) m))",
                literal(&n.sequence),
                n.sequence
            ),
            format!("{set} drop identity"),
            format!("{set} set default nextval({})", literal(&n.sequence)),
        ]);
        self.said.push(texts::offers::numbered(&live.brief(), &n.column));
    }
}

async fn away_of(
    cx: &PlanCx<'_>,
    twin_pair: &TwinPair<'_>,
    part: &PairSwap,
    accepted: &Accepted,
) -> Result<RetireStatements> {
    let name = twin_pair.twin.name();
    let (live, retired) = (&part.names.live, &part.names.retired);
    let shown = away_name(twin_pair.twin);
    let to = Relation { schema: retired.schema.clone().or(shown.schema.clone()), name: shown.name.clone() };
    let table_use = table_use(cx, twin_pair.legacy.oid).await?;
    let mut out = RetireStatements::default();
    for n in identity_defaults(cx, twin_pair).await? {
        out.number(live, &n);
    }
    let function = twin_pair.reverse_function().to_string();
    let mirror = reverse(cx, twin_pair, &part.names).await?;
    // Taken back, it runs again, and lacks what was written meanwhile.
    out.carried.statements.push(RowSync::idle(Making::Again, &function, DEFINER));
    out.carried.back.push(mirror.reverse(Making::Again, &function, DEFINER));
    out.carried.back.push(owned(&function, &twin_pair.legacy.owner));
    out.reverse = idle_reverse(twin_pair, &mirror, Making::New);
    for k in &table_use.referrers {
        out.carried.statements.push(format!("alter table {} drop constraint {}", k.table, k.name));
        out.carried
            .back
            .push(format!("alter table {} add constraint {} {} not valid", k.table, k.name, k.definition));
        out.children.push(k.table.clone());
        let key = (k.name.as_str(), k.table.as_str(), k.definition.as_str());
        let text = texts::preflight::foreign_key_dropped(name, key, &live.brief());
        out.preflight.push(accepted.unless("foreign_key", &text));
    }
    out.carried.statements.push(format!("alter table {retired} rename to {}", Ident(&to.name)));
    out.carried.back.insert(0, format!("alter table {to} rename to {}", Ident(&retired.name)));
    out.carried.renames.push(NameChange::renamed(retired, &to.name));
    out.marks = change_capture::install(
        &twin_pair.pair_as(&to.to_string(), &live.to_string()),
        &twin_pair.columns,
        &twin_pair.layout,
        &GapScope::All,
        &cx.cx.server.role,
    );
    for view in &table_use.views {
        out.preflight.push(Preflight::new(
            "view",
            Ready::Warn,
            texts::preflight::view_reads(name, view, &retired.brief()),
        ));
    }
    out.preflight.push(Preflight::new(
        "use",
        Ready::Ok,
        texts::preflight::used(name, &retired.brief(), &table_use.used),
    ));
    out.said.push(texts::offers::renamed(&retired.brief(), &shown.brief()));
    Ok(out)
}

/// Twins that were switched together go back together: once one is put away, the others have no way back either.
async fn stranded(cx: &PlanCx<'_>, names: &[&str], accepted: &Accepted) -> Result<Vec<Preflight>> {
    let mut out = vec![];
    for run in journal::runs::standing(cx.cx.facts, verbs::SWITCHOVER).await? {
        let set: Vec<_> = named(cx.profile(), &run.name).iter().map(|t| t.name()).collect();
        let (away, rest): (Vec<&str>, Vec<&str>) = set.into_iter().partition(|t| names.contains(t));
        if !away.is_empty() && !rest.is_empty() {
            let text = texts::preflight::set_parted(&run.id, &rest, &away);
            out.push(accepted.unless("set", &text));
        }
    }
    Ok(out)
}

/// Once a retired table is dropped, putting it away cannot be taken back.
pub(crate) async fn undo(cx: &PlanCx<'_>, run: &RunRecord) -> Result<Option<Undo>> {
    if run.unit != TWINS || run.rows_applied == 0 {
        return Ok(None);
    }
    let mut gone = vec![];
    for twin in named(cx.profile(), &run.name) {
        if find_retired(cx.cx.facts, twin).await?.is_none() {
            gone.push(away_name(twin).brief());
        }
    }
    Ok((!gone.is_empty()).then(|| Undo::Impossible { why: texts::offers::cleanup_not_undone(&gone) }))
}

/// Is a backup made first? And what a switchover would be asked, too.
fn put_away_options(params: &Params) -> Result<(bool, SwitchOptions)> {
    let make = params.word_of(&BACKUP)?.is_some();
    let plain = Params(
        params.0.iter().filter(|(k, _)| *k != "backup").map(|(k, v)| (k.clone(), v.clone())).collect(),
    );
    let mut asked = SwitchOptions::from_params(&plain)?;
    asked.look_on(0);
    Ok((make, asked))
}

/// The retired name is free, and the table waits under the other one.
fn gone_away(c: &TwinPair<'_>) -> [Verification; 2] {
    let (retired, to) = (retired_name(c.twin), away_name(c.twin));
    let gone = Verification {
        title: texts::steps::gone_away(&retired.brief()),
        sql: format!("select 1 where to_regclass({}) is not null", literal(&retired.to_string())),
        own: false,
    };
    let kept = Verification {
        title: texts::steps::same_table(&to.brief(), &retired.brief()),
        sql: other_table_sql(&to, c.legacy.oid),
        own: false,
    };
    [gone, kept]
}

async fn put_away(cx: &PlanCx<'_>, name: &str, params: &Params) -> Result<Draft> {
    let (make, asked) = put_away_options(params)?;
    let accepted = Accepted::parse(params.get("accept"));
    let twin_pairs = TwinPair::all(cx, name).await?;
    let mut switch = Switch { parts: twin_pairs.iter().map(part).collect() };
    let mut preflight = Vec::new();
    let (mut said, mut children, mut marks) = (Vec::new(), Vec::new(), Vec::new());
    for (twin_pair, part) in twin_pairs.iter().zip(&mut switch.parts) {
        preflight.extend(crate::features::switchover::preflight::parity::parity(cx, twin_pair).await);
        preflight.extend(crate::features::switchover::preflight::ownership::ownership(cx, twin_pair).await?);
        let away = away_of(cx, twin_pair, part, &accepted).await?;
        preflight.extend(away.preflight);
        preflight.extend(free(cx, twin_pair.twin.name(), &away_name(twin_pair.twin)).await?);
        said.extend(away.said);
        children.extend(away.children);
        marks.push(away.marks);
        part.carried = away.carried;
        part.reverse = away.reverse;
    }
    let names: Vec<_> = twin_pairs.iter().map(|c| c.twin.name()).collect();
    preflight.extend(stranded(cx, &names, &accepted).await?);
    if !make {
        preflight.push(backup(cx, &names).await?);
    }
    let mut out = StepsInOrder::new(&twin_pairs, &switch, &asked, &cx.cx.server.role);
    out.measure("PRE-CLEANUP", true);
    if make {
        out.dump(true);
    }
    watch_all(cx, &twin_pairs, &mut out, &mut preflight).await?;
    out.compare_as(true);
    let statements = (switch.statements(), switch.inverse());
    out.swap((STEP, texts::steps::PUT_AWAY), statements, true, None);
    out.also_lock(&children);
    out.tidy();
    out.unwatch(&marks);
    let mut changes = said;
    changes.push(texts::offers::LOSSY.into());
    Ok(Draft {
        why: texts::offers::cleanup_why(&names),
        changes,
        obstacle: Some(out.price(&switch)),
        reversible: Reversible::Lossy,
        undo: texts::offers::CLEANUP_UNDO.into(),
        frozen: false,
        renames: switch.renames(),
        verify: twin_pairs.iter().flat_map(gone_away).collect(),
        steps: out.steps,
        preflight,
        rows: vec![],
        unit: TWINS,
        lock_timeout_ms: None,
        continues_after_window: true,
        names_left: false,
        count: twin_pairs.len() as u64,
        undoes: None,
    })
}

#[derive(Deserialize)]
struct RetiredContent {
    oid: Option<i64>,
    rows: Option<i64>,
    size: Option<String>,
}

#[derive(Deserialize)]
struct RetireRun {
    run: String,
    seconds: f64,
    /// It is the table that was put away.
    same: bool,
}

/// Drops of retired tables, and what they mean.
#[derive(Default)]
struct Drops {
    statements: Vec<String>,
    renames: Vec<NameChange>,
    locks: Vec<Lock>,
    changes: Vec<String>,
    verify: Vec<Verification>,
    preflight: Vec<Preflight>,
}

impl Drops {
    async fn table(&mut self, cx: &PlanCx<'_>, twin: &Twin, quiet: u64, accepted: &Accepted) -> Result<()> {
        let name = twin.name();
        let table = away_name(twin);
        let sql = "select to_regclass($1)::oid::bigint as oid, (select reltuples::bigint from pg_class where oid = to_regclass($1)) as rows, \
                   pg_size_pretty(pg_total_relation_size(to_regclass($1))) as size";
        let gone = format!("{name} is cleaned up: there is no {} any more", table.brief());
        let gone = || Error::new(Class::Refused, gone.clone());
        let mut tx = cx.cx.read().await?;
        let there = qualified(&mut *tx, &table).await?.ok_or_else(gone)?;
        let waiting: RetiredContent = tx.one(&Sql::new(sql).bind([Param::Text(Some(there.clone()))])).await?;
        let oid = waiting.oid.ok_or_else(gone)?;
        drop(tx);
        self.preflight.push(retired_long_enough(cx, name, quiet, &table, oid).await?);
        let table_use = table_use(cx, oid).await?;
        let reached = cx.cx.read().await?.texts(&Sql::new(REACHED).bind([Param::Int(oid)])).await?;
        let reached: Vec<String> = reached.into_iter().flatten().collect();
        if !reached.is_empty() {
            let text = texts::preflight::cascade(name, &reached);
            self.preflight.push(accepted.unless("cascade", &text));
        }
        self.preflight.push(Preflight::new(
            "use",
            Ready::Ok,
            texts::preflight::used(name, &table.brief(), &table_use.used),
        ));
        let cascade = if reached.is_empty() { "" } else { " cascade" };
        self.statements.push(format!("drop table {there}{cascade}"));
        self.renames.push(NameChange::dropped(&table));
        let (ours, theirs) = idle(cx, oid).await?;
        self.statements.extend(ours.iter().map(|f| format!("drop function {f}")));
        if !theirs.is_empty() {
            let text = texts::preflight::functions_stay(name, &theirs);
            self.preflight.push(Preflight::new("functions", Ready::Ok, text));
        }
        self.locks.push(lock(&table.brief(), "ACCESS EXCLUSIVE"));
        let (rows, size) = (waiting.rows.unwrap_or(0).max(0), waiting.size.unwrap_or_default());
        self.changes.push(texts::offers::dropped(&table.brief(), rows, &size));
        self.verify.push(Verification {
            title: texts::steps::gone(&table.brief()),
            sql: format!("select 1 where to_regclass({}) is not null", literal(&table.to_string())),
            own: false,
        });
        Ok(())
    }
}

async fn drop_for_good(cx: &PlanCx<'_>, twins: &[&Twin], params: &Params) -> Result<Draft> {
    let quiet = params.seconds_of(&QUIET)?;
    let accepted = Accepted::parse(params.get("accept"));
    let mut out = Drops::default();
    if quiet < QUIET_S {
        let text = texts::preflight::quiet_shortened(quiet, QUIET_S / 3_600);
        out.preflight.push(accepted.unless("quiet", &text));
    }
    for twin in twins {
        out.table(cx, twin, quiet, &accepted).await?;
    }
    let names: Vec<_> = twins.iter().map(|t| t.name()).collect();
    out.preflight.push(backup(cx, &names).await?);
    let Drops { statements, renames, locks, changes, verify, preflight } = out;
    let count = statements.len() as u64;
    Ok(Draft {
        why: texts::offers::drop_why(&names),
        changes,
        obstacle: None,
        reversible: Reversible::No,
        undo: texts::offers::DROP_UNDO.into(),
        frozen: false,
        renames,
        steps: vec![Step { locks, ..Step::new("drop", texts::steps::DROP, statements) }],
        preflight,
        verify,
        rows: vec![],
        unit: Unit::STATEMENTS,
        lock_timeout_ms: None,
        continues_after_window: false,
        names_left: false,
        count,
        undoes: None,
    })
}

/// Trigger functions that this table alone uses: those that we made, and others.
async fn idle(cx: &PlanCx<'_>, oid: i64) -> Result<(Vec<String>, Vec<String>)> {
    #[derive(Deserialize)]
    struct Function {
        name: String,
        ours: bool,
    }
    let sql = "select distinct p.oid::regprocedure::text as name, p.proname like 'midwatch\\_sync\\_%' as ours \
               from pg_trigger t join pg_proc p on p.oid = t.tgfoid where t.tgrelid = $1::oid and not t.tgisinternal \
               and not exists (select from pg_trigger o where o.tgfoid = p.oid and o.tgrelid <> t.tgrelid) order by 1";
    let found: Vec<Function> = cx.cx.read().await?.fetch(&Sql::new(sql).bind([Param::Int(oid)])).await?;
    let (ours, theirs): (Vec<_>, Vec<_>) = found.into_iter().partition(|f| f.ours);
    let names = |list: Vec<Function>| list.into_iter().map(|f| f.name).collect();
    Ok((names(ours), names(theirs)))
}

/// Has this very table been away for long enough, by the server's clock?
async fn retired_long_enough(
    cx: &PlanCx<'_>,
    name: &str,
    quiet_s: u64,
    table: &Relation,
    oid: i64,
) -> Result<Preflight> {
    let sql = "select r.id::text as run, coalesce(r.plan -> 'verify' @> jsonb_build_array(jsonb_build_object('sql', $2::text)), false) as same, \
               extract(epoch from clock_timestamp() - coalesce(r.ended_at, r.beat_at))::float8 as seconds \
               from midwatch.events e join midwatch.runs r on r.id = e.run \
               where r.operation = 'cleanup' and e.kind = 'step' and e.body::json ->> 'id' = 'put-away' \
               and (r.name = 'all' or $1 = any (string_to_array(r.name, ','))) order by e.seq desc limit 1";
    let params = [Param::from(name), Param::Text(Some(other_table_sql(table, oid)))];
    let found: Vec<RetireRun> = cx.cx.read().await?.fetch(&Sql::new(sql).bind(params.clone())).await?;
    let Some(put) = found.into_iter().next() else {
        let text = texts::preflight::retired_unknown(name);
        return Ok(Preflight::new("quiet", Ready::Fail, text));
    };
    if !put.same {
        let text = texts::preflight::another_table(name, &table.brief(), &put.run);
        return Ok(Preflight::new("quiet", Ready::Fail, text));
    }
    #[expect(clippy::cast_precision_loss, reason = "seconds")]
    let asked = quiet_s as f64;
    let (long, since) = (put.seconds >= asked, age(put.seconds / 3_600.0));
    let wanted = if quiet_s < 60 { format!("{quiet_s} s") } else { age(asked / 3_600.0) };
    let text = texts::preflight::retired_since(name, &put.run, &since, &wanted, long);
    Ok(Preflight::new("quiet", if long { Ready::Ok } else { Ready::Fail }, text))
}
