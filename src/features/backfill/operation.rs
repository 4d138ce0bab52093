//! `backfill`: columns that can be computed again, as a profile declares them; in place, or by corrective rows.

use crate::engine::model::change::{RowChange, RowKind};
use crate::engine::model::error::{Error, Result};
use crate::engine::model::grants::{TableNeed, TableRight};
use crate::engine::model::param::{DefaultValue, ParamSpec, Params, Takes};
use crate::engine::model::plan::Unit;
use crate::engine::model::preflight::{Preflight, Ready, Reversible, Risk};
use crate::engine::model::profile::{Backfill as Declared, Instead, Profile, Write};
use crate::engine::model::report::CheckId;
use crate::engine::model::row_query::RowQuery;
use crate::engine::model::row_query::{ColumnSide, Condition, Expr, RowsFrom};
use crate::engine::model::step::{Action, Lock, LockStrength, Step};
use crate::engine::plan::operation::{Draft, Offer, OpSpec, Operation, PlanCx, UndoText, lock};
use crate::engine::plan::tables::{Firing, Table, Trigger, derived, find_table};
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::Fut;
use crate::engine::port::row_sql::{Bypass, Obstacle};
use crate::features::backfill::texts;

use crate::engine::plan::selection::{self, ChosenRows};

pub(crate) struct BackfillOperation;

const IN_PLACE: &str = "in_place";
const REPLICA_ROLE: &str = "replica_role";

static SPEC: OpSpec = OpSpec {
    verb: "backfill",
    about: "compute columns again, as the profile declares them",
    risk: Risk::Reversible,
    params: &[
        selection::LIMIT,
        selection::IDS,
        ParamSpec {
            name: "strategy",
            about: "in_place: the guard trigger is disabled during each batch; replica_role: no trigger fires; or the profile's \
                    strategy of corrective rows",
            takes: Takes::ChoiceOrProfile(&[IN_PLACE, REPLICA_ROLE]),
            default: DefaultValue::Word(IN_PLACE),
        },
    ],
    example: "business_date_ist --set limit=100",
    bootstraps: false,
    many: false,
    asks: &[],
};

impl Operation for BackfillOperation {
    fn spec(&self) -> &'static OpSpec {
        &SPEC
    }

    fn offers(&self, profile: &Profile, dialect: &dyn Dialect) -> Vec<Offer> {
        profile.backfills.iter().map(|b| offer(b, dialect)).collect()
    }

    fn declared_write<'p>(&self, profile: &'p Profile, name: &str, params: &Params) -> Option<&'p Write> {
        let declared = profile.backfills.iter().find(|b| b.name == name)?;
        let strategy = params.get("strategy");
        let instead = declared.instead.as_ref().filter(|i| strategy == Some(i.strategy.as_str()));
        Some(instead.map_or(&declared.write, |i| &i.write))
    }

    fn needs(&self, profile: &Profile) -> Vec<TableNeed> {
        // A guard is disabled by the table's owner; a corrective row is locked before it is added, and removed by the undo.
        let corrective = [TableRight::Insert, TableRight::Update, TableRight::Delete];
        let needs = |b: &Declared| {
            let mut rights = vec![TableRight::Update];
            if b.guard.is_some() {
                rights.extend([TableRight::Own, TableRight::Silence]);
            }
            let instead = b.instead.as_ref().map(|i| TableNeed::of_write(SPEC.verb, &i.write, &corrective));
            let own = TableNeed::of_write(SPEC.verb, &b.write, &rights);
            own.into_iter().chain(instead.into_iter().flatten()).collect::<Vec<_>>()
        };
        profile.backfills.iter().flat_map(needs).collect()
    }

    fn plan<'a>(&'a self, cx: &'a PlanCx<'a>, name: &'a str, params: &'a Params) -> Fut<'a, Result<Draft>> {
        Box::pin(async move {
            let declared = cx
                .profile()
                .backfills
                .iter()
                .find(|b| b.name == name)
                .ok_or_else(|| Error::usage(format!("no backfill {name}")))?;
            match (params.get("strategy").unwrap_or(IN_PLACE), &declared.instead) {
                (IN_PLACE, _) => in_place(cx, declared, params, false).await,
                (REPLICA_ROLE, _) => in_place(cx, declared, params, true).await,
                (other, Some(instead)) if other == instead.strategy => {
                    corrective(cx, declared, instead, params).await
                }
                (other, instead) => {
                    let third = instead.as_ref().map_or(String::new(), |i| format!(", {}", i.strategy));
                    Err(Error::usage(format!("backfill {name} has no strategy {other}"))
                        .hint(format!("strategies: {IN_PLACE}, {REPLICA_ROLE}{third}")))
                }
            }
        })
    }
}

fn offer(b: &Declared, dialect: &dyn Dialect) -> Offer {
    Offer {
        verb: SPEC.verb,
        name: b.name.clone(),
        about: texts::compute_again(b),
        mends: b.mends.as_ref().map(|m| CheckId { kind: "anomalies", name: m.clone() }),
        risk: SPEC.risk,
        locks: texts::offered_locks(b.guard.as_ref().map(|_| dialect.lock_mode(LockStrength::Writers))),
        disabled: None,
        asks: vec![],
        takes_rows: b.write.key.len() == 1,
    }
}

/// What is written: by the backfill itself, or by its other way.
struct BackfillMode<'p> {
    kind: RowKind,
    write: &'p Write,
}

impl<'p> BackfillMode<'p> {
    fn in_place(b: &'p Declared) -> Self {
        Self { kind: RowKind::Update, write: &b.write }
    }

    fn instead(i: &'p Instead) -> Self {
        Self { kind: RowKind::Insert, write: &i.write }
    }

    async fn table(&self, cx: &PlanCx<'_>) -> Result<Table> {
        let table = find_table(cx, &self.write.table).await?;
        table.keyed(&self.write.table, &self.write.key)?;
        Ok(table)
    }

    async fn change(&self, cx: &PlanCx<'_>, b: &Declared, table: &Table) -> Result<RowChange> {
        let Write { table: name, key, set, audit, after_batch, derived: follow, .. } = self.write;
        Ok(RowChange {
            table: name.clone(),
            resolved: Some(table.name.clone()),
            kind: self.kind,
            key: table.typed(name, key)?,
            columns: table.typed(name, set.keys())?,
            kept: table.kept(&cx.secrets_of(name)),
            before_batch: vec![],
            after_change: vec![],
            excludes_writers: false,
            audit: audit.clone(),
            after_batch: after_batch.clone(),
            derived: derived(cx, follow).await?,
            referrers: vec![],
            source: None,
            rewritten: false,
            restores: None,
            canary: None,
            reason: texts::reason(b),
        })
    }

    /// The rows that need it, with what they get; the table they are read from is the backfill's either way.
    fn rows(
        &self,
        b: &Declared,
        table: &Table,
        from: RowsFrom,
        filter: ChosenRows,
        params: &Params,
    ) -> Result<RowQuery> {
        Ok(RowQuery {
            from,
            filter: filter.which,
            params: filter.params,
            after: table.stored(&self.write.set),
            show: b.write.show.iter().map(|(c, e)| (c.clone(), Expr::Text(e.clone()))).collect(),
            order: order(b),
            limit: params.limit()?,
            ..RowQuery::default()
        })
    }

    fn draft(
        &self,
        cx: &PlanCx<'_>,
        b: &Declared,
        change: &RowChange,
        rows: RowQuery,
        said: PlanTexts,
    ) -> Draft {
        Draft {
            why: texts::why(b),
            changes: texts::changes(said.rows, self.write.audit.is_some()),
            obstacle: said.obstacle,
            reversible: Reversible::Full,
            undo: said.undo,
            frozen: said.frozen,
            renames: vec![],
            steps: vec![step(cx, change, &said.title, said.locks)],
            preflight: said.preflight,
            verify: selection::verify(cx, change, &self.write.verify),
            rows: vec![rows],
            unit: Unit::ROWS,
            lock_timeout_ms: None,
            continues_after_window: false,
            names_left: false,
            count: 0,
            undoes: None,
        }
    }
}

/// What the two ways say of themselves.
struct PlanTexts {
    title: String,
    rows: String,
    undo: UndoText,
    obstacle: Option<String>,
    frozen: bool,
    locks: Vec<Lock>,
    preflight: Vec<Preflight>,
}

/// The rows of the table, changed where they are.
async fn in_place(cx: &PlanCx<'_>, b: &Declared, params: &Params, replica: bool) -> Result<Draft> {
    let way = BackfillMode::in_place(b);
    let table = way.table(cx).await?;
    let guard = guard(cx, b, &table, replica)?;
    let change = RowChange {
        before_batch: guard.off,
        after_change: guard.on,
        excludes_writers: guard.excludes_writers,
        ..way.change(cx, b, &table).await?
    };
    let role = &cx.cx.server.role;
    let mut preflight =
        vec![table.privilege(&b.write.table, "update", table.may_update_all(&change.columns), role)];
    preflight.extend(guard.preflight);
    let checks: Vec<_> = table.checks_on(&change.columns).collect();
    let mut undo = UndoText::full_from(texts::UNDO);
    if !checks.is_empty() {
        let names: Vec<_> = checks.iter().map(|k| k.name.as_str()).collect();
        let list = names.join(", ");
        undo = UndoText::full_from(texts::undo_with_checks(&list));
        preflight.push(Preflight::new("check", Ready::Warn, texts::checks(&list, &b.write.table)));
    }
    let mut locks = guard.locks;
    locks.insert(0, lock(&b.write.table, cx.dialect().lock_mode(LockStrength::Rows)));
    let source = RowsFrom::Table { table: table.name.clone(), join: None };
    let all = all(b)?;
    let filter = selection::and_ids(cx, params, &b.write.key, (&source, ColumnSide::Table), all).await?;
    let said = PlanTexts {
        title: texts::compute_again(b),
        rows: texts::changed_columns(b),
        undo,
        obstacle: guard.obstacle,
        frozen: filter.frozen,
        locks,
        preflight,
    };
    let rows = RowQuery {
        key: plain(&b.write.key),
        before: plain(b.write.set.keys()),
        ..way.rows(b, &table, source, filter, params)?
    };
    Ok(way.draft(cx, b, &change, rows, said))
}

/// Corrective rows beside a table that stays as it is.
async fn corrective(cx: &PlanCx<'_>, b: &Declared, i: &Instead, params: &Params) -> Result<Draft> {
    let way = BackfillMode::instead(i);
    let table = way.table(cx).await?;
    let change = way.change(cx, b, &table).await?;
    let role = &cx.cx.server.role;
    let all = all(b)?;
    let both = match &i.write.filter {
        Some(more) => Condition::All(vec![all, Condition::Text(more.clone())]),
        None => all,
    };
    let read = find_table(cx, &b.write.table).await?.name;
    let source = RowsFrom::Table { table: read.clone(), join: None };
    let filter = selection::and_ids(cx, params, &b.write.key, (&source, ColumnSide::Table), both).await?;
    let said = PlanTexts {
        title: texts::corrective_title(i),
        rows: texts::corrective_rows(b, i),
        undo: UndoText::full(texts::CORRECTIVE_UNDO),
        obstacle: None,
        frozen: filter.frozen,
        locks: vec![lock(&i.write.table, cx.dialect().lock_mode(LockStrength::Rows))],
        preflight: vec![
            table.privilege(&i.write.table, "insert rows into", table.may_insert_all(&change.columns), role),
            table.privilege(&i.write.table, "delete rows from (for the undo)", table.may_delete, role),
        ],
    };
    let from = RowsFrom::Table { table: read, join: Some(i.write.join.clone().unwrap_or_default()) };
    let expression = |name: &String| i.write.set.get(name).cloned().map_or(Expr::Null, Expr::Text);
    let rows = RowQuery {
        key: i.write.key.iter().map(|k| (k.clone(), expression(k))).collect(),
        ..way.rows(b, &table, from, filter, params)?
    };
    Ok(way.draft(cx, b, &change, rows, said))
}

/// Rows whose derived rows are the same belong into the same batch, or those are computed again and again.
fn order(b: &Declared) -> Vec<Expr> {
    let key = b.write.key.iter().map(|k| Expr::of_table(k));
    b.order.iter().flat_map(|o| std::iter::once(Expr::Text(o.clone())).chain(key.clone())).collect()
}

/// All rows that need it.
fn all(b: &Declared) -> Result<Condition> {
    let filter = b.write.filter.clone();
    filter.map(Condition::Text).ok_or_else(|| Error::usage(format!("backfill {} has no filter", b.name)))
}

fn plain<'n>(names: impl IntoIterator<Item = &'n String>) -> Vec<(String, Expr)> {
    names.into_iter().map(|n| (n.clone(), Expr::of_table(n))).collect()
}

fn step(cx: &PlanCx<'_>, change: &RowChange, title: &str, locks: Vec<Lock>) -> Step {
    Step {
        locks,
        action: Action::Rows(Box::new(change.clone())),
        ..Step::new("rows", texts::step(title, cx.policy), cx.dialect().statements_for_people(change))
    }
}

/// How the trigger that forbids the change is passed, and what is said of it.
#[derive(Default)]
struct Passed {
    off: Vec<String>,
    on: Vec<String>,
    excludes_writers: bool,
    obstacle: Option<String>,
    locks: Vec<Lock>,
    preflight: Vec<Preflight>,
}

fn guard(cx: &PlanCx<'_>, b: &Declared, table: &Table, replica: bool) -> Result<Passed> {
    let Some(name) = &b.guard else {
        return if replica {
            Err(Error::usage(format!("backfill {} has no guard to pass: strategy=in_place", b.name)))
        } else {
            Ok(Passed::default())
        };
    };
    if let Some(needs) = table.triggers.hidden() {
        let what = texts::guard_hidden(name, &b.write.table, needs);
        return Ok(Passed {
            preflight: vec![Preflight::new("guard", Ready::Fail, what)],
            ..Passed::default()
        });
    }
    let Some(trigger) = table.triggers.known().iter().find(|t| &t.name == name) else {
        let preflight =
            vec![Preflight::new("guard", Ready::Warn, texts::guard_missing(name, &b.write.table))];
        return Ok(Passed { preflight, ..Passed::default() });
    };
    if trigger.state == Firing::Off {
        let preflight = vec![Preflight::new("guard", Ready::Warn, texts::guard_disabled(name))];
        return Ok(Passed { preflight, ..Passed::default() });
    }
    if replica {
        let passage = cx.dialect().bypass(&b.write.table, Obstacle::OrdinaryTriggers)?;
        Ok(silenced(name, trigger, table, passage))
    } else {
        let passage = cx.dialect().bypass(&b.write.table, Obstacle::Trigger(trigger))?;
        Ok(switched_off(b, name, table, passage))
    }
}

fn silenced(name: &str, trigger: &Trigger, table: &Table, passage: Bypass) -> Passed {
    let ordinary = trigger.state == Firing::Ordinary;
    let setting = passage.setting.unwrap_or("the setting");
    let may = table.may_silence == Some(true);
    let why = texts::silencing(name, setting, may, ordinary);
    let ready = if may && ordinary { Ready::Ok } else { Ready::Fail };
    Passed {
        off: passage.off,
        on: passage.on,
        excludes_writers: passage.excludes_writers,
        obstacle: Some(texts::silenced(name, setting)),
        preflight: vec![Preflight::new("guard", ready, why)],
        ..Passed::default()
    }
}

fn switched_off(b: &Declared, name: &str, table: &Table, passage: Bypass) -> Passed {
    let ready = if table.owned { Ready::Ok } else { Ready::Fail };
    let owner = Preflight::new("guard", ready, texts::disabling(name, &b.write.table, table.owned));
    let held = passage.lock.map(|l| lock(&b.write.table, &format!("{l} while the guard is off")));
    Passed {
        off: passage.off,
        on: passage.on,
        excludes_writers: passage.excludes_writers,
        obstacle: Some(texts::disabled(name, &b.write.table)),
        locks: held.into_iter().collect(),
        preflight: vec![owner],
    }
}
