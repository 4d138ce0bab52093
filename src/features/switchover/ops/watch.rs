//! `watch`: triggers that mark what is written to a pair of tables, so that what was found equal need not be read again.

use crate::engine::model::query::Sql;
use std::fmt::Write as _;

use crate::engine::model::comparison::ComparedColumns;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::grants::{TableNeed, TableRight};
use crate::engine::model::name::literal;
use crate::engine::model::param::{DefaultValue, ParamSpec, Params, Takes};
use crate::engine::model::plan::Unit;
use crate::engine::model::preflight::{Preflight, Ready, Reversible, Risk, Verification};
use crate::engine::model::profile::{Profile, Twin};
use crate::engine::model::step::Step;
use crate::engine::model::target::ServerInfo;
use crate::engine::plan::operation::{Draft, Offer, OpSpec, Operation, PlanCx, lock};
use crate::engine::port::compare_sql::CompareSql;
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::{Fut, ReadOptions, ReadTx};
use crate::features::parity::pair::change_capture::{self, CaptureState, GapScope};
use crate::features::parity::pair::partitions::{self, Layout};
use crate::features::parity::pair::{self, TwinTables, catalog};
use crate::features::switchover::plan::chunks::TriggerSteps;
use crate::features::switchover::preflight::ownership::marks_may_be_owned;
use crate::features::switchover::texts;

pub(crate) struct WatchOperation;

/// The triggers go.
const OFF: ParamSpec = ParamSpec {
    name: "off",
    about: "remove the triggers of change capture",
    takes: Takes::Flag,
    default: DefaultValue::Word("no"),
};
/// The recorded keys go.
const FORGET: ParamSpec = ParamSpec {
    name: "forget",
    about: "empty midwatch.marks, which grows with every write; all partitions are then compared again",
    takes: Takes::Flag,
    default: DefaultValue::Word("no"),
};

static SPEC: OpSpec = OpSpec {
    verb: "watch",
    about: "install change capture on a twin pair: partitions found equal are not compared again until written",
    risk: Risk::Reversible,
    params: &[OFF, FORGET],
    example: "revenues",
    bootstraps: false,
    many: true,
    asks: &[],
};

impl Operation for WatchOperation {
    fn spec(&self) -> &'static OpSpec {
        &SPEC
    }

    fn offers(&self, profile: &Profile, dialect: &dyn Dialect) -> Vec<Offer> {
        crate::features::switchover::twins::offers(
            &SPEC,
            profile,
            dialect,
            texts::offers::WATCH,
            texts::offers::LOCKS_OF_WATCH,
        )
    }

    fn needs(&self, profile: &Profile) -> Vec<TableNeed> {
        crate::features::switchover::twins::needs(SPEC.verb, profile, &[TableRight::Own, TableRight::Capture])
    }

    fn plan<'a>(&'a self, cx: &'a PlanCx<'a>, name: &'a str, params: &'a Params) -> Fut<'a, Result<Draft>> {
        Box::pin(draft(cx, name, params))
    }
}

/// What is wanted besides that writes are marked.
#[derive(Debug, Clone, Copy)]
struct WatchOptions {
    off: bool,
    forget: bool,
}

async fn draft(cx: &PlanCx<'_>, name: &str, params: &Params) -> Result<Draft> {
    let asked = WatchOptions { off: params.flag_of(&OFF)?, forget: params.flag_of(&FORGET)? };
    plan(cx, &crate::features::switchover::twins::named(cx.profile(), name), asked).await
}

/// A twin as the catalog has it.
struct Watched<'p> {
    twin: &'p Twin,
    pair: TwinTables,
    columns: ComparedColumns,
    layout: Layout,
    marks: CaptureState,
}

async fn look<'p>(tx: &mut dyn ReadTx, sql: &dyn CompareSql, twin: &'p Twin) -> Result<Watched<'p>> {
    let pair = pair::pair(tx, sql, twin).await?;
    let Some(legacy) = &pair.legacy else {
        return Err(Error::new(
            Class::Refused,
            format!("{}: its legacy table is gone, nothing is compared", twin.name()),
        ));
    };
    let columns = catalog::columns(sql, legacy, &pair.partitioned, &twin.key)?;
    let layout = partitions::layout(tx, &pair.partitioned).await?;
    if let Some(lost) = layout.key.iter().find(|k| !columns.common.iter().any(|c| &c.name == *k)) {
        let what = format!("{}: the partition key {lost} is not a column of both tables", twin.name());
        return Err(Error::new(Class::Refused, what));
    }
    let marks = change_capture::installed(tx, &pair, &columns, &layout).await?;
    Ok(Watched { twin, pair, columns, layout, marks })
}

async fn plan(cx: &PlanCx<'_>, twins: &[&Twin], asked: WatchOptions) -> Result<Draft> {
    let off = asked.off;
    let mut todo = Vec::new();
    let mut tx = cx.cx.read().await?;
    for twin in twins {
        let watched = look(&mut *tx, cx.cx.dialect(), twin).await?;
        let complete = matches!(watched.marks, CaptureState::Complete(_));
        let there = complete || (off && any_left(&mut *tx, &watched).await?);
        if off == there {
            todo.push(watched);
        }
    }
    if todo.is_empty() && !asked.forget {
        let what = if off {
            "writes are not marked: nothing to take away"
        } else {
            "all writes are marked already: nothing to do"
        };
        return Err(Error::new(Class::Refused, what));
    }
    let mut steps: Vec<Step> = todo.iter().flat_map(|w| w.steps(off, &cx.cx.server.role)).collect();
    let mut changes = if todo.is_empty() { vec![] } else { texts::offers::watch_changes(off) };
    if asked.forget {
        steps.push(forget());
        changes.push(texts::offers::FORGET_CHANGES.into());
    }
    let names = todo.iter().map(|w| w.twin.name()).collect::<Vec<_>>().join(", ");
    let undo = if asked.forget { texts::offers::FORGET_UNDO } else { texts::offers::watch_undo(off) };
    // One session is enough. What the role that changes it may do is asked of its own.
    drop(tx);
    let mut rights = cx.cx.facts.rights().begin(ReadOptions::default()).await?;
    let mut preflight = preflight(&mut *rights, &todo, asked, cx.cx.server).await?;
    drop(rights);
    for watched in todo.iter().filter(|_| !off) {
        preflight.extend(marks_may_be_owned(cx, &watched.pair, &watched.marks).await?);
    }
    let mut verify: Vec<Verification> = todo.iter().map(|w| w.verification(off, &names)).collect();
    if verify.is_empty() {
        verify.push(guarded());
    }
    Ok(Draft {
        why: why(&todo, off),
        changes,
        obstacle: None,
        reversible: Reversible::Full,
        undo: undo.into(),
        frozen: false,
        renames: vec![],
        count: steps.iter().map(|s| s.statements.len() as u64).sum(),
        steps,
        preflight,
        verify,
        rows: vec![],
        unit: Unit::STATEMENTS,
        lock_timeout_ms: None,
        continues_after_window: false,
        names_left: false,
        undoes: None,
    })
}

async fn size(tx: &mut dyn ReadTx) -> Result<String> {
    let sql = "select pg_size_pretty(pg_total_relation_size(to_regclass('midwatch.marks')))";
    Ok(tx.texts(&Sql::new(sql)).await?.pop().flatten().unwrap_or_else(|| "nothing".into()))
}

/// The table gets another file, which every proof that is kept anywhere knows it by.
fn forget() -> Step {
    let guard = |how: &str| format!("ALTER TABLE midwatch.marks {how} TRIGGER marks_append_only");
    Step {
        locks: vec![lock("midwatch.marks", texts::steps::FORGET_LOCKS)],
        ..Step::new(
            "forget",
            texts::steps::FORGET,
            vec![guard("DISABLE"), "TRUNCATE midwatch.marks".into(), guard("ENABLE")],
        )
    }
}

/// Nobody can alter marks again.
fn guarded() -> Verification {
    Verification {
        title: texts::steps::GUARDED.into(),
        sql: "select 1 where not exists (select from pg_trigger where tgrelid = 'midwatch.marks'::regclass \
              and tgname = 'marks_append_only' and tgenabled = 'O')"
            .into(),
        own: true,
    }
}

fn why(todo: &[Watched<'_>], off: bool) -> String {
    if todo.is_empty() {
        return texts::offers::FORGET_WHY.into();
    }
    let reasons: Vec<_> = todo
        .iter()
        .map(|w| match &w.marks {
            CaptureState::Incomplete(l) if !off => texts::offers::watch_why(w.twin.name(), Some(&l.why)),
            _ => texts::offers::watch_why(w.twin.name(), None),
        })
        .collect();
    reasons.join("; ")
}

impl Watched<'_> {
    fn tables(&self) -> Vec<&str> {
        let legacy = self.pair.legacy.iter().map(|l| l.relation.as_str());
        legacy.chain(std::iter::once(self.pair.partitioned.relation.as_str())).collect()
    }

    fn owners(&self) -> impl Iterator<Item = &str> {
        let legacy = self.pair.legacy.iter().map(|l| l.owner.as_str());
        legacy.chain(std::iter::once(self.pair.partitioned.owner.as_str()))
    }

    fn steps(&self, off: bool, role: &str) -> Vec<Step> {
        let lacks = match &self.marks {
            CaptureState::Incomplete(lacking) if !off => &lacking.lacks,
            _ => &GapScope::All,
        };
        let triggers = change_capture::install(&self.pair, &self.columns, &self.layout, lacks, role);
        let id = format!("{}-{}", if off { "unwatch" } else { "watch" }, self.twin.name());
        let title = texts::steps::watch(self.twin.name(), off);
        let about = TriggerSteps { id: &id, title: &title, tables: &self.tables() };
        if off { about.drop_steps(&triggers) } else { about.create_steps(&triggers) }
    }

    /// Relations that are not as they should be: one row each.
    fn verification(&self, off: bool, names: &str) -> Verification {
        let among = change_capture::relations(&self.pair, &self.layout);
        let marked = "select from pg_trigger t join pg_proc p on p.oid = t.tgfoid join pg_namespace n on n.oid = p.pronamespace \
                      where t.tgrelid = c.oid and n.nspname = 'midwatch' and t.tgname = w.name";
        let (legacy, twin) = (self.pair.legacy.as_ref().map_or(0, |l| l.oid), self.pair.partitioned.oid);
        let owned = format!(
            " and t.tgenabled = 'A' and p.prosecdef and p.proowner = (select o.relowner from pg_class o \
             where o.oid = case when c.oid = {legacy} then {legacy} else {twin} end)"
        );
        let (not, enabled) = if off { ("", "") } else { ("not ", owned.as_str()) };
        let sql = format!(
            "select c.oid::regclass::text, w.name from pg_class c, (values ('midwatch_mark'), ('midwatch_mark_truncate')) w(name) \
             where c.oid = any({among}) and {not}exists ({marked}{enabled})"
        );
        let title = if off { texts::steps::unmarked(names) } else { texts::steps::marked(self.twin.name()) };
        Verification { title, sql, own: true }
    }
}

/// Part of it may be there.
async fn any_left(tx: &mut dyn ReadTx, watched: &Watched<'_>) -> Result<bool> {
    let sql = format!(
        "select exists (select from pg_trigger t join pg_proc p on p.oid = t.tgfoid join pg_namespace n on n.oid = p.pronamespace \
         where n.nspname = 'midwatch' and t.tgrelid = any({}))::text",
        change_capture::relations(&watched.pair, &watched.layout)
    );
    let said = tx.texts(&Sql::new(&sql)).await?;
    Ok(said.first().and_then(|t| t.as_deref()) == Some("true"))
}

/// Functions that are to belong to others than the role that makes them, which is no superuser.
fn others(todo: &[Watched<'_>], server: &ServerInfo) -> bool {
    !server.superuser && todo.iter().flat_map(Watched::owners).any(|owner| owner != server.role)
}

/// What the role lacks, beside ownership of the tables: a SELECT for each.
fn conditions(todo: &[Watched<'_>], asked: WatchOptions, server: &ServerInfo) -> String {
    let makes = !asked.off && !todo.is_empty();
    // What is not there yet is the journal's verdict.
    let mut conditions = String::new();
    let of_marks =
        "not (select pg_has_role(relowner, 'usage') from pg_class where oid = to_regclass('midwatch.marks'))";
    // An owner who may already write marks needs nobody to let them.
    let owners: Vec<_> = todo.iter().flat_map(Watched::owners).map(literal).collect();
    let of_schema = format!(
        "not (select pg_has_role(nspowner, 'usage') from pg_namespace where nspname = 'midwatch') \
         and exists (select from unnest(array[{}]::text[]) o where not has_schema_privilege(o, 'midwatch', 'usage') \
         or not has_table_privilege(o, 'midwatch.marks', 'insert'))",
        owners.join(", ")
    );
    for (what, condition, needed) in [
        (
            texts::triggers::MAKES_FUNCTIONS,
            "not has_schema_privilege(to_regnamespace('midwatch')::oid, 'create')",
            makes,
        ),
        (
            texts::triggers::WRITES_MARKS,
            "not has_table_privilege(to_regclass('midwatch.marks'), 'insert')",
            makes,
        ),
        (texts::triggers::OWNS_MARKS, of_marks, asked.forget),
        (texts::triggers::LETS_WRITE_MARKS, of_schema.as_str(), makes && others(todo, server)),
    ] {
        if needed {
            let _ = write!(conditions, " union all select {} where {condition}", literal(what));
        }
    }
    conditions
}

async fn preflight(
    tx: &mut dyn ReadTx,
    todo: &[Watched<'_>],
    asked: WatchOptions,
    server: &ServerInfo,
) -> Result<Vec<Preflight>> {
    let tables: Vec<_> = todo.iter().flat_map(Watched::tables).map(literal).collect();
    let (off, makes) = (asked.off, !asked.off && !todo.is_empty());
    let conditions = conditions(todo, asked, server);
    let owned = format!(
        "select 'ownership of ' || regexp_replace(c.oid::regclass::text, '^public[.]', '') from pg_class c \
         where c.oid in (select t::regclass from unnest(array[{}]::text[]) t) and not pg_has_role(c.relowner, 'usage')",
        tables.join(", ")
    );
    let lacks = tx.texts(&Sql::new(format!("{owned}{conditions}"))).await;
    let mut out = Vec::new();
    out.push(match lacks {
        Err(e) => Preflight::new("privileges", Ready::Unknown, e.message),
        Ok(lacks) if lacks.is_empty() => {
            Preflight::new("privileges", Ready::Ok, texts::triggers::WATCH_ALLOWED)
        }
        Ok(lacks) => {
            let list: Vec<_> = lacks.into_iter().flatten().collect();
            Preflight::new("privileges", Ready::Fail, texts::triggers::lacking(&list))
        }
    });
    // One transaction locks a pair and all its partitions.
    let needed = todo.iter().map(|w| w.layout.nodes.len() + 10).max().unwrap_or(0);
    out.push(crate::features::switchover::preflight::server::locks(tx, needed).await?);
    let text = texts::triggers::size_of_marks(&size(tx).await?, asked.forget);
    out.push(Preflight::new("size", Ready::Ok, text));
    for w in todo.iter().filter(|_| !off) {
        if let CaptureState::Incomplete(l) = &w.marks
            && l.lacks == GapScope::Never
        {
            let text = texts::triggers::never_marked(w.twin.name(), &l.why);
            out.push(Preflight::new("marks", Ready::Fail, text));
        }
    }
    if makes {
        out.push(Preflight::new("writers", Ready::Warn, texts::triggers::WATCH_COSTS));
    }
    Ok(out)
}
