//! `fix`: mends the rows of an anomaly rule, as the profile declares it: by a row that compensates, or by computing
//! again what is derived.

use crate::engine::journal;
use crate::engine::model::change::{RowChange, RowKind};
use crate::engine::model::error::{Error, Result};
use crate::engine::model::grants::{TableNeed, TableRight};
use crate::engine::model::param::Params;
use crate::engine::model::plan::Unit;
use crate::engine::model::preflight::{Reversible, Risk};
use crate::engine::model::profile::{AnomalyRule, Fix as Declared, Profile, Write};
use crate::engine::model::record::RunRecord;
use crate::engine::model::report::CheckId;
use crate::engine::model::row_query::RowQuery;
use crate::engine::model::row_query::{ColumnSide, Condition, Expr, RowsFrom};
use crate::engine::model::step::{Action, LockStrength, Step};
use crate::engine::plan::operation::{Draft, Offer, OpSpec, Operation, PlanCx, Undo, UndoText, lock};
use crate::engine::plan::tables::{derived, find_table};
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::Fut;
use crate::features::anomalies::check::ROWS;
use crate::features::anomalies::facts::KIND;
use crate::features::anomalies::texts;

use crate::engine::plan::{secrets, selection};

pub(crate) struct FixOperation;

static SPEC: OpSpec = OpSpec {
    verb: "fix",
    about: "correct the rows of an anomaly rule, as the profile declares it",
    risk: Risk::Lossy,
    params: &[selection::LIMIT, selection::IDS],
    example: "duplicate_clock_in --set limit=100",
    bootstraps: false,
    many: false,
    asks: &[],
};

impl Operation for FixOperation {
    fn spec(&self) -> &'static OpSpec {
        &SPEC
    }

    fn offers(&self, profile: &Profile, _: &dyn Dialect) -> Vec<Offer> {
        let fixed = profile.anomalies.iter().filter_map(|a| Some((a, a.fix.as_ref()?)));
        fixed
            .map(|(rule, fix)| Offer {
                verb: SPEC.verb,
                name: rule.name.clone(),
                about: fix.title.clone(),
                mends: Some(CheckId { kind: KIND, name: rule.name.clone() }),
                risk: if fix.revoke.is_some() { Risk::Lossy } else { Risk::Reversible },
                locks: "rows of each batch".into(),
                disabled: None,
                asks: vec![],
                takes_rows: rule.key.len() == 1,
            })
            .collect()
    }

    fn declared_write<'p>(&self, profile: &'p Profile, name: &str, _params: &Params) -> Option<&'p Write> {
        declared(profile, name).ok().map(|(_, fix)| &fix.write)
    }

    fn needs(&self, profile: &Profile) -> Vec<TableNeed> {
        let needs = |fix: &Declared| {
            // What was inserted is locked and removed by the undo, or another row revokes it.
            let rights: &[_] = match (&fix.compute, &fix.revoke) {
                (Some(_), _) => &[],
                (None, Some(_)) => &[TableRight::Insert],
                (None, None) => &[TableRight::Insert, TableRight::Update, TableRight::Delete],
            };
            TableNeed::of_write(SPEC.verb, &fix.write, rights)
        };
        profile.anomalies.iter().filter_map(|a| a.fix.as_ref()).flat_map(needs).collect()
    }

    fn plan<'a>(&'a self, cx: &'a PlanCx<'a>, name: &'a str, params: &'a Params) -> Fut<'a, Result<Draft>> {
        Box::pin(async move {
            let (rule, fix) = declared(cx.profile(), name)?;
            draft(cx, rule, fix, params).await
        })
    }

    fn undo<'a>(&'a self, cx: &'a PlanCx<'a>, run: &'a RunRecord) -> Fut<'a, Result<Option<Undo>>> {
        Box::pin(async move {
            let (rule, fix) = declared(cx.profile(), &run.name)?;
            match &fix.revoke {
                Some(_) if run.rows_applied > 0 && !run.live => {
                    Ok(Some(revocation(cx, rule, fix, run).await?))
                }
                _ => Ok(None),
            }
        })
    }
}

fn declared<'p>(profile: &'p Profile, name: &str) -> Result<(&'p AnomalyRule, &'p Declared)> {
    profile
        .anomalies
        .iter()
        .filter(|a| a.name == name)
        .find_map(|a| Some((a, a.fix.as_ref()?)))
        .ok_or_else(|| Error::usage(format!("rule {name} declares no fix")))
}

async fn draft(cx: &PlanCx<'_>, rule: &AnomalyRule, fix: &Declared, params: &Params) -> Result<Draft> {
    let change = change(cx, fix, rule).await?;
    let table = find_table(cx, &fix.write.table).await?;
    let source = cx
        .rows(KIND, &rule.name, ROWS)
        .ok_or_else(|| Error::usage(format!("rule {} has no rows to fix", rule.name)))?;
    let all = RowsFrom::Query { sql: source.sql.clone(), join: None };
    let filter = selection::and_ids(cx, params, &rule.key, (&all, ColumnSide::Row), Condition::Every).await?;
    let compute = fix.compute.is_some();
    let expressions = |map: &std::collections::BTreeMap<String, String>| {
        map.iter().map(|(c, e)| (c.clone(), Expr::Text(e.clone()))).collect::<Vec<_>>()
    };
    // A row that is computed anew has its key already.
    let absent = |k: &String| if compute { Expr::of_row(k) } else { Expr::Null };
    let value = |k: &String| fix.write.set.get(k).cloned().map_or_else(|| absent(k), Expr::Text);
    let key = fix.write.key.iter().map(|k| (k.clone(), value(k))).collect();
    let shown =
        |map| expressions(map).into_iter().filter(|(c, _)| !compute || !fix.write.key.contains(c)).collect();
    let rows = RowQuery {
        from: RowsFrom::Query { sql: source.sql, join: Some(fix.write.join.clone().unwrap_or_default()) },
        filter: filter.which,
        params: filter.params,
        key,
        before: shown(&fix.was),
        after: if compute { shown(&fix.write.set) } else { table.stored(&fix.write.set) },
        show: expressions(&fix.write.show),
        limit: params.limit()?,
        ..RowQuery::default()
    };
    let (reversible, undo) = reversal(fix);
    let (what, may) = if compute {
        ("update", fix.write.derived.iter().all(|_| table.columns.iter().any(|c| c.may_update)))
    } else {
        ("insert rows into", table.may_insert_all(&change.columns))
    };
    Ok(Draft {
        why: rule.title.clone(),
        changes: texts::changes(fix),
        obstacle: None,
        reversible,
        undo,
        frozen: filter.frozen,
        renames: vec![],
        steps: vec![step(cx, &change, fix.title.clone())],
        preflight: vec![table.privilege(&fix.write.table, what, may, &cx.cx.server.role)],
        verify: selection::verify(cx, &change, &fix.write.verify),
        rows: vec![rows],
        unit: Unit::ROWS,
        lock_timeout_ms: None,
        continues_after_window: false,
        names_left: false,
        count: 0,
        undoes: None,
    })
}

fn reversal(fix: &Declared) -> (Reversible, UndoText) {
    match (&fix.revoke, &fix.compute) {
        (Some(_), _) => (Reversible::Lossy, texts::UNDO_BY_REVOKING.into()),
        (None, Some(_)) => (Reversible::Full, UndoText::full(texts::UNDO_BY_IMAGES)),
        (None, None) => (Reversible::Full, UndoText::full(texts::UNDO_BY_DELETING)),
    }
}

async fn change(cx: &PlanCx<'_>, fix: &Declared, rule: &AnomalyRule) -> Result<RowChange> {
    let table = find_table(cx, &fix.write.table).await?;
    table.keyed(&fix.write.table, &fix.write.key)?;
    let compute = fix.compute.is_some();
    let change = RowChange {
        table: fix.write.table.clone(),
        resolved: Some(table.name.clone()),
        kind: if compute { RowKind::Compute } else { RowKind::Insert },
        key: table.typed(&fix.write.table, &fix.write.key)?,
        columns: if compute { vec![] } else { table.typed(&fix.write.table, fix.write.set.keys())? },
        kept: table.kept(&cx.secrets_of(&fix.write.table)),
        before_batch: vec![],
        after_change: vec![],
        excludes_writers: false,
        audit: fix.write.audit.clone(),
        after_batch: fix.compute.clone(),
        derived: derived(cx, &fix.write.derived).await?,
        referrers: vec![],
        source: None,
        rewritten: false,
        restores: None,
        canary: None,
        reason: rule.title.clone(),
    };
    if compute && change.computed().is_none() {
        return Err(Error::unobserved(format!(
            "failed to plan: the fix of {} computes rows of {} again, which must be its first derived table, with the same key",
            rule.name, fix.write.table
        ))
        .hint("the profile says so wrongly: without it nobody could compare those rows with the plan"));
    }
    Ok(change)
}

fn step(cx: &PlanCx<'_>, change: &RowChange, title: String) -> Step {
    Step {
        locks: vec![lock(&change.table, cx.dialect().lock_mode(LockStrength::Rows))],
        action: Action::Rows(Box::new(change.clone())),
        ..Step::new("rows", title, cx.dialect().statements_for_people(change))
    }
}

/// An inserted row that must stay is taken back by another.
async fn revocation(cx: &PlanCx<'_>, rule: &AnomalyRule, fix: &Declared, run: &RunRecord) -> Result<Undo> {
    let Some(revoke) = &fix.revoke else { return Ok(Undo::Impossible { why: "nothing revokes it".into() }) };
    let table = find_table(cx, &fix.write.table).await?;
    let mut change = change(cx, fix, rule).await?;
    change.columns = table.typed(&fix.write.table, revoke.keys())?;
    change.reason = texts::revoke_reason(run);
    let applied = journal::runs::known_plan_of(cx.cx.facts, &run.id).await?;
    // A row that a revocation names already is not revoked twice: its key is taken.
    let key: Vec<(String, Expr)> = fix
        .write
        .key
        .iter()
        .map(|k| (k.clone(), revoke.get(k).cloned().map_or(Expr::Null, Expr::Text)))
        .collect();
    let taken = table.typed(&fix.write.table, &fix.write.key)?;
    let taken = taken.into_iter().zip(key.iter().map(|(_, e)| e.clone())).collect();
    let rows = RowQuery {
        from: RowsFrom::Written { run: run.id.clone(), columns: change.kept.clone() },
        filter: Condition::Absent { table: table.name.clone(), key: taken },
        key,
        after: table.stored(revoke),
        ..RowQuery::default()
    };
    let draft = Draft {
        why: texts::revoke_why(run),
        changes: vec![texts::revoke_change(&fix.write.table)],
        obstacle: applied.obstacle,
        reversible: Reversible::No,
        undo: texts::REVOKE_UNDO.into(),
        frozen: false,
        renames: vec![],
        steps: vec![step(cx, &change, texts::REVOKE_TITLE.into())],
        preflight: vec![],
        verify: cx.dialect().verification(&change, 0).into_iter().collect(),
        rows: vec![rows],
        unit: Unit::ROWS,
        lock_timeout_ms: None,
        continues_after_window: false,
        names_left: false,
        count: 0,
        undoes: None,
    };
    secrets::check(cx, &draft)?;
    Ok(Undo::Draft(Box::new(draft)))
}
