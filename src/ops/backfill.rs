//! `backfill`: columns that can be computed again, as a profile declares them; in place, or by corrective rows.

use crate::engine::change::{RowChange, RowKind, shown, verification};
use crate::engine::ident::{Ident, Relation};
use crate::engine::operation::{
    Draft, Offer, OpSpec, Operation, ParamSpec, Params, PlanCx, Risk, RowQuery, lock,
};
use crate::engine::plan::{Action, Lock, Preflight, Ready, Reversible, Step, Unit, Verification};
use crate::engine::ports::Fut;
use crate::engine::profile::{Backfill as Declared, Instead, Profile, Question};
use crate::engine::report::CheckId;
use crate::engine::tables::{Table, Trigger, derived};
use crate::engine::{Error, Result};

use super::selection;

pub(super) struct Backfill;

const IN_PLACE: &str = "in_place";
const REPLICA_ROLE: &str = "replica_role";

static SPEC: OpSpec = OpSpec {
    verb: "backfill",
    about: "compute columns again, as the profile declares them",
    risk: Risk::Reversible,
    params: &[
        ParamSpec { name: "limit", about: "at most so many rows, in the key's order" },
        ParamSpec { name: "ids", about: "only these keys, comma separated" },
        ParamSpec {
            name: "strategy",
            about: "in_place (the guard trigger is off for each batch), replica_role (all triggers silent), or the profile's other way",
        },
    ],
    bootstraps: false,
};

impl Operation for Backfill {
    fn spec(&self) -> &'static OpSpec {
        &SPEC
    }

    fn offers(&self, profile: &Profile) -> Vec<Offer> {
        profile.backfills.iter().map(offer).collect()
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

fn offer(b: &Declared) -> Offer {
    let columns = b.set.keys().cloned().collect::<Vec<_>>().join(", ");
    Offer {
        verb: SPEC.verb,
        name: b.name.clone(),
        about: format!("compute {columns} of {} again", b.table),
        mends: b.mends.as_ref().map(|m| CheckId { kind: "anomalies", name: m.clone() }),
        risk: SPEC.risk,
        locks: match &b.guard {
            Some(_) => "SHARE ROW EXCLUSIVE for each batch: writers wait".into(),
            None => "rows of each batch".into(),
        },
        disabled: None,
        asks: vec![],
        takes_rows: b.key.len() == 1,
    }
}

/// The rows of the table, changed where they are.
async fn in_place(cx: &PlanCx<'_>, b: &Declared, params: &Params, replica: bool) -> Result<Draft> {
    let table = Table::find(cx, &b.table).await?;
    table.keyed(&b.table, &b.key)?;
    let columns = table.typed(&b.table, b.set.keys())?;
    let guard = guard(b, &table, replica)?;
    let change = RowChange {
        table: b.table.clone(),
        kind: RowKind::Update,
        key: table.typed(&b.table, &b.key)?,
        kept: table.kept(&cx.profile().secrets_of(&b.table)),
        before_batch: guard.off,
        after_change: guard.on,
        excludes_writers: guard.excludes_writers,
        audit: b.audit.clone(),
        after_batch: b.after_batch.clone(),
        derived: derived(cx, &b.derived).await?,
        restores: None,
        canary: None,
        reason: reason(b),
        columns,
    };
    let role = &cx.cx.server.role;
    let mut preflight =
        vec![table.privilege(&b.table, "update", table.may_update_all(&change.columns), role)];
    preflight.extend(guard.preflight);
    let checks: Vec<_> = table.checks_on(&change.columns).collect();
    let mut undo = "full, from before-images, while rows are not changed again".to_owned();
    if !checks.is_empty() {
        let names: Vec<_> = checks.iter().map(|k| k.name.as_str()).collect();
        let list = names.join(", ");
        undo = format!(
            "full, from before-images; CHECK {list} would refuse the old values, so it must be dropped for the undo and added again as NOT VALID"
        );
        preflight.push(Preflight::new(
            "check",
            Ready::Warn,
            format!("CHECK {list} of {} judges every later update of an old row", b.table),
        ));
    }
    let columns: Vec<_> = change.columns.iter().map(|c| c.name.as_str()).collect();
    let mut locks = guard.locks;
    locks.insert(0, lock(&b.table, "ROW EXCLUSIVE"));
    let filter = selection::and_ids(params, &b.key, "t", &b.filter)?;
    let rows = RowQuery {
        from: format!("from {} t", Relation::parse(&b.table)),
        filter: filter.sql,
        params: filter.params,
        key: plain("t", &b.key),
        before: plain("t", b.set.keys()),
        after: table.stored(&b.set),
        show: b.show.iter().map(|(c, e)| (c.clone(), e.clone())).collect(),
        order: order(b),
        limit: params.number("limit")?,
        ..RowQuery::default()
    };
    Ok(Draft {
        why: format!("{}: {}", b.table, reason(b)),
        changes: changes(format!("column {}", columns.join(", ")), b.audit.as_deref()),
        obstacle: guard.obstacle,
        reversible: Reversible::Full,
        undo,
        frozen: filter.frozen,
        steps: vec![step(
            cx,
            &change,
            &format!("compute {} of {} again", columns.join(", "), b.table),
            locks,
        )],
        preflight,
        verify: verify(cx.profile(), &change, &b.verify),
        rows: Some(rows),
        unit: Unit::Rows,
        count: 0,
    })
}

/// Corrective rows beside a table that stays as it is.
async fn corrective(cx: &PlanCx<'_>, b: &Declared, i: &Instead, params: &Params) -> Result<Draft> {
    let table = Table::find(cx, &i.table).await?;
    table.keyed(&i.table, &i.key)?;
    let change = RowChange {
        table: i.table.clone(),
        kind: RowKind::Insert,
        key: table.typed(&i.table, &i.key)?,
        columns: table.typed(&i.table, i.set.keys())?,
        kept: table.kept(&cx.profile().secrets_of(&i.table)),
        before_batch: vec![],
        after_change: vec![],
        excludes_writers: false,
        audit: i.audit.clone(),
        after_batch: i.after_batch.clone(),
        derived: derived(cx, &i.derived).await?,
        restores: None,
        canary: None,
        reason: reason(b),
    };
    let role = &cx.cx.server.role;
    let preflight = vec![
        table.privilege(&i.table, "insert into", table.may_insert_all(&change.columns), role),
        table.privilege(&i.table, "delete from (for the undo)", table.may_delete, role),
    ];
    let both = i.filter.as_ref().map_or_else(|| b.filter.clone(), |f| format!("({}) and ({f})", b.filter));
    let filter = selection::and_ids(params, &b.key, "t", &both)?;
    let expression = |name: &String| i.set.get(name).cloned().unwrap_or_else(|| "null".into());
    let rows = RowQuery {
        from: format!("from {} t {}", Relation::parse(&b.table), i.join.as_deref().unwrap_or_default()),
        filter: filter.sql,
        params: filter.params,
        key: i.key.iter().map(|k| (k.clone(), expression(k))).collect(),
        after: table.stored(&i.set),
        show: b.show.iter().map(|(c, e)| (c.clone(), e.clone())).collect(),
        order: order(b),
        limit: params.number("limit")?,
        ..RowQuery::default()
    };
    Ok(Draft {
        why: format!("{}: {}", b.table, reason(b)),
        changes: changes(
            format!("corrective rows in {}; {} stays as it is", i.table, b.table),
            i.audit.as_deref(),
        ),
        obstacle: None,
        reversible: Reversible::Full,
        undo: "full: the corrective rows are deleted again, while nobody has changed them".into(),
        frozen: filter.frozen,
        steps: vec![step(
            cx,
            &change,
            &format!("write corrective rows into {}", i.table),
            vec![lock(&i.table, "ROW EXCLUSIVE")],
        )],
        preflight,
        verify: verify(cx.profile(), &change, &i.verify),
        rows: Some(rows),
        unit: Unit::Rows,
        count: 0,
    })
}

/// Rows whose derived rows are the same belong into the same batch, or those are computed again and again.
fn order(b: &Declared) -> Option<String> {
    let key: Vec<_> = b.key.iter().map(|k| format!("t.{}", Ident(k))).collect();
    b.order.as_ref().map(|o| format!("{o}, {}", key.join(", ")))
}

fn reason(b: &Declared) -> String {
    b.reason.clone().unwrap_or_else(|| format!("rows where {}", b.filter))
}

fn plain<'n>(alias: &str, names: impl IntoIterator<Item = &'n String>) -> Vec<(String, String)> {
    names.into_iter().map(|n| (n.clone(), format!("{alias}.{}", Ident(n)))).collect()
}

/// What changes besides the rows, for people.
fn changes(rows: String, audit: Option<&str>) -> Vec<String> {
    let mut out = vec![rows];
    if audit.is_some() {
        out.push("an audit row for each, with the old and the new value".into());
    }
    out
}

fn step(cx: &PlanCx<'_>, change: &RowChange, title: &str, locks: Vec<Lock>) -> Step {
    let p = cx.policy;
    Step {
        id: "rows".into(),
        title: format!(
            "{title}, at most {} rows a batch, lock_timeout {} ms",
            p.batch_rows, p.lock_timeout_ms
        ),
        statements: shown(change),
        locks,
        in_transaction: true,
        action: Action::Rows(Box::new(change.clone())),
    }
}

fn verify(profile: &Profile, change: &RowChange, questions: &[Question]) -> Vec<Verification> {
    let mut out: Vec<_> = verification(change).into_iter().collect();
    out.extend(
        questions.iter().map(|q| Verification { title: q.title.clone(), sql: profile.with_sources(&q.sql) }),
    );
    out
}

/// How the trigger that forbids the change is passed.
#[derive(Default)]
struct Passage {
    off: Vec<String>,
    on: Vec<String>,
    excludes_writers: bool,
    obstacle: Option<String>,
    locks: Vec<Lock>,
    preflight: Vec<Preflight>,
}

fn guard(b: &Declared, table: &Table, replica: bool) -> Result<Passage> {
    let Some(name) = &b.guard else {
        return if replica {
            Err(Error::usage(format!("backfill {} has no guard to pass: strategy=in_place", b.name)))
        } else {
            Ok(Passage::default())
        };
    };
    let Some(trigger) = table.triggers.iter().find(|t| &t.name == name) else {
        let preflight = vec![Preflight::new(
            "guard",
            Ready::Warn,
            format!("trigger {name} is not on {}: nothing stands in the way", b.table),
        )];
        return Ok(Passage { preflight, ..Passage::default() });
    };
    if trigger.state == "D" {
        let preflight = vec![Preflight::new(
            "guard",
            Ready::Warn,
            format!("trigger {name} is disabled already; it stays so"),
        )];
        return Ok(Passage { preflight, ..Passage::default() });
    }
    Ok(if replica { silenced(name, trigger, table) } else { switched_off(b, name, trigger, table) })
}

fn silenced(name: &str, trigger: &Trigger, table: &Table) -> Passage {
    let allowed = table.may_replicate && trigger.state == "O";
    let why = match (table.may_replicate, trigger.state.as_str()) {
        (false, _) => "only a superuser may set session_replication_role".to_owned(),
        (_, "O") => "we may set session_replication_role".to_owned(),
        _ => format!("trigger {name} fires for replicas as well: this strategy does not pass it"),
    };
    Passage {
        off: vec!["set local session_replication_role = replica".into()],
        on: vec!["set local session_replication_role = origin".into()],
        obstacle: Some(format!(
            "trigger {name} forbids this: session_replication_role = replica for each batch, which silences ALL ordinary \
             triggers and foreign keys of our session; other writers do not wait"
        )),
        preflight: vec![Preflight::new("guard", if allowed { Ready::Ok } else { Ready::Fail }, why)],
        ..Passage::default()
    }
}

fn switched_off(b: &Declared, name: &str, trigger: &Trigger, table: &Table) -> Passage {
    let again = match trigger.state.as_str() {
        "A" => "enable always",
        "R" => "enable replica",
        _ => "enable",
    };
    let relation = Relation::parse(&b.table);
    let owner = if table.owned {
        Preflight::new("guard", Ready::Ok, format!("we may switch trigger {name} off"))
    } else {
        Preflight::new(
            "guard",
            Ready::Fail,
            format!("only the owner of {} may switch trigger {name} off", b.table),
        )
    };
    Passage {
        off: vec![format!("alter table {relation} disable trigger {}", Ident(name))],
        on: vec![format!("alter table {relation} {again} trigger {}", Ident(name))],
        excludes_writers: true,
        obstacle: Some(format!(
            "trigger {name} forbids this: disabled and enabled again in each batch's transaction; writers of {} wait \
             for the length of a batch",
            b.table
        )),
        locks: vec![lock(&b.table, "SHARE ROW EXCLUSIVE while the guard is off")],
        preflight: vec![owner],
    }
}
