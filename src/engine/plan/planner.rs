//! From a request to a plan: the operation's draft, its rows read in one snapshot, and what the server is.

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

use crate::engine::journal;
use crate::engine::model::change::{Derived, RowChange};
use crate::engine::model::error::{Error, Result};
use crate::engine::model::identity::Identity;
use crate::engine::model::journal_state::JournalState;
use crate::engine::model::param::Params;
use crate::engine::model::plan::{Follow, Plan, Unit};
use crate::engine::model::preflight::{Preflight, Ready, Reversible};
use crate::engine::model::row_query::RowQuery;
use crate::engine::model::row_store::{RowSet, Summary};
use crate::engine::model::step::{Action, check_in_transaction};
use crate::engine::model::target::Environment;
use crate::engine::model::transport::Transport;
use crate::engine::plan::operation::{ALL, Draft, Operation, PlanCx, Undo};
use crate::engine::plan::planned_rows::{News, PATIENCE};
use crate::engine::plan::privileges::Looked;
use crate::engine::plan::request::{PlanNews, Planned, Request, UNDO};
use crate::engine::plan::setup::PlanSetup;
use crate::engine::plan::{
    guard_off, missing_abilities, planned_rows, privileges, secrets, server_load, side_effects, undo,
};
use crate::engine::port::journal_sql::SameRequest;
use crate::engine::port::reader::{ReadOptions, Reader};

/// What is asked, resolved: which operation, on what, with what, or which run is taken back.
struct ResolvedRequest<'e> {
    operation: Option<&'e dyn Operation>,
    verb: String,
    name: String,
    params: Params,
    undoes: Option<String>,
    draft: Draft,
    /// How the journal stood, where that was asked.
    journal: Option<JournalState>,
    /// Its statements come from a journal in which this installation has not signed them.
    unsigned: bool,
}

/// Plans. `again`: the rows of a plan of the same, to be compared with it; a frozen selection is read by their keys.
pub(in crate::engine) async fn plan(
    planning: &PlanSetup<'_>,
    request: &Request,
    again: Option<&Arc<dyn RowSet>>,
    news: News<'_>,
) -> Result<Planned> {
    let server = planning.facts.server().await?;
    let doing = |what| news(PlanNews::Doing(what));
    let cx = planning.cx(&server, &doing);
    let mut asked = ask(planning, &cx, request).await?;
    check_in_transaction(&asked.draft.steps)?;
    // An operation with a way back of its own says so by what that way loses.
    let by_images = asked.draft.reversible == Reversible::Full && asked.undoes.is_none();
    asked.draft = side_effects::declare(&cx, asked.draft).await?;
    let queries = planned_rows::queries(&asked.draft);
    let only = again.filter(|_| asked.draft.frozen).map(|rows| &**rows);
    let (rows, summary) = planned_rows::rows_of(planning, &queries, only, again, news).await?;
    let follow = if again.is_none() { follow(planning, &asked.draft).await } else { vec![] };
    let now = server_time(planning.facts).await?;
    let preflight = collect_preflight(planning, &asked, &server, rows.len(), by_images).await;
    let (totals, other_totals) = summary.totals();
    let mut draft = asked.draft;
    let counted = settle(&mut draft, &*rows, &summary);
    let mut plan = Plan {
        id: String::new(),
        operation: asked.verb,
        name: asked.name,
        params: asked.params.0,
        undoes: asked.undoes.or(draft.undoes),
        target: planning.name.to_owned(),
        environment: planning.environment,
        identity: Identity::from_server(&server),
        created_at: now,
        expires_at: now + TimeDelta::minutes(i64::from(planning.policy.plan_ttl_min)),
        rows: counted,
        unit: draft.unit,
        why: draft.why,
        changes: draft.changes,
        follow,
        obstacle: draft.obstacle,
        reversible: draft.reversible,
        undo: draft.undo.to_string(),
        frozen: draft.frozen,
        renames: draft.renames,
        lock_timeout_ms: draft.lock_timeout_ms,
        continues_after_window: draft.continues_after_window,
        names_with_schema: !draft.names_left,
        steps: draft.steps,
        preflight,
        verify: draft.verify,
        totals,
        other_totals,
        diff: summary.first().to_vec(),
        diff_total: rows.len(),
        rows_sha256: rows.sha256().to_owned(),
        digest: String::new(),
        phrase: String::new(),
        signature: None,
    };
    plan.id = new_id(planning, &plan);
    measure(planning, &mut plan).await;
    plan.seal();
    plan.signature = planning.signer.sign_plan(&plan.digest)?;
    Ok(Planned { plan, rows })
}

/// Different every time, so that a phrase fits one plan only.
fn new_id(planning: &PlanSetup<'_>, plan: &Plan) -> String {
    let seed = format!(
        "{} {} {}",
        plan.computed_digest(),
        plan.created_at.timestamp_micros(),
        (planning.clock)().timestamp_nanos_opt().unwrap_or(0)
    );
    hex::encode(Sha256::digest(seed.as_bytes())).chars().take(12).collect()
}

/// Counts what is left to be done, in its unit: statements where no row needs it.
fn settle(draft: &mut Draft, rows: &dyn RowSet, summary: &Summary) -> u64 {
    let statements = statements(draft);
    let rowless = !draft.rows.is_empty() && rows.is_empty();
    if rowless {
        draft.why = reason_without_rows(draft);
    }
    if rowless && statements > 0 {
        // Nothing but statements is left to be done.
        (draft.unit, draft.count) = (Unit::STATEMENTS, statements as u64);
    }
    if draft.rows.len() > 1 || rowless {
        for (at, step) in draft.steps.iter_mut().enumerate() {
            step.rows = matches!(step.action, Action::Rows(_)).then(|| summary.of_step(at));
        }
    }
    if draft.unit == Unit::ROWS { rows.len() } else { draft.count }
}

fn statements(draft: &Draft) -> usize {
    let steps = draft.steps.iter().filter(|s| matches!(s.action, Action::Statements));
    steps.map(|s| s.statements.len()).sum()
}

/// Why what was drafted for rows is planned although none of them needs it.
fn reason_without_rows(draft: &Draft) -> String {
    let left = draft.steps.iter().filter(|s| matches!(s.action, Action::Statements));
    match left.map(|s| s.title.as_str()).collect::<Vec<_>>().as_slice() {
        [] => "no row needs it: nothing to do".into(),
        left => format!("no row needs it; what is left to do: {}", left.join("; ")),
    }
}

/// Everything that is looked at beforehand.
async fn collect_preflight(
    planning: &PlanSetup<'_>,
    asked: &ResolvedRequest<'_>,
    server: &crate::engine::model::target::ServerInfo,
    rows: u64,
    by_images: bool,
) -> Vec<Preflight> {
    let mut preflight = general(planning, asked, server).await;
    preflight.extend(asked.draft.preflight.iter().cloned());
    for step in &asked.draft.steps {
        if let Action::Rows(change) = &step.action {
            // Where another role looks, nothing that others have written is called as the one that changes.
            let parsed = asked.unsigned || planning.facts.operator().is_some();
            let how = if parsed { Looked::Parsed } else { Looked::Planned };
            preflight.extend(privileges::check(planning.facts.rights(), change, how).await);
            if by_images {
                let inverse = undo::inverse(change, "");
                preflight.extend(privileges::check_inverse(planning.facts.rights(), &inverse, how).await);
            }
        }
    }
    if let Some(ids) = asked.params.ids().filter(|ids| ids.len() as u64 > rows) {
        let missing = ids.len() as u64 - rows;
        let what = format!("{missing} of the {} ids given are not among the rows that need it", ids.len());
        preflight.push(Preflight::new("ids", Ready::Warn, what));
    }
    preflight
}

async fn ask<'e>(
    planning: &PlanSetup<'e>,
    cx: &PlanCx<'_>,
    request: &Request,
) -> Result<ResolvedRequest<'e>> {
    match request {
        Request::Operation { verb, name, params } => {
            let operation = find(planning, verb)?;
            params.accept(operation.spec().params, verb, verb)?;
            let name = named(planning, operation, name.as_deref())?;
            // Operations read there, too.
            let journal = journal::state::state(planning.facts).await;
            if let (JournalState::Foreign { .. }, Some(e)) = (&journal, journal.refusal()) {
                return Err(e);
            }
            let cx = &PlanCx { questions: operation.spec().asks, ..*cx };
            let mut draft = operation.plan(cx, &name, params).await?;
            secrets::check(cx, &draft)?;
            let write = operation.declared_write(planning.profile, &name, params);
            draft.preflight.extend(cx.answers(write, &name).await);
            Ok(ResolvedRequest {
                operation: Some(operation),
                verb: verb.clone(),
                name,
                params: params.clone(),
                undoes: None,
                draft,
                journal: Some(journal),
                unsigned: false,
            })
        }
        Request::Undo { run } => ask_undo(planning, cx, run).await,
    }
}

async fn ask_undo<'e>(planning: &PlanSetup<'e>, cx: &PlanCx<'_>, run: &str) -> Result<ResolvedRequest<'e>> {
    undo::has_images(planning).await?;
    let record = journal::runs::run(planning.facts, &planning.operations, run).await?;
    let operation = planning.operations.iter().copied().find(|o| o.spec().verb == record.operation);
    // The inverse changes the same: what is asked before the one is asked before the other.
    let cx = &PlanCx { questions: operation.map_or(&[], |o| o.spec().asks), ..*cx };
    let origin = undo::origin_of(planning, cx, run).await;
    let note = undo::signature_note(&origin);
    let own = match operation {
        Some(operation) => operation.undo(cx, &record).await?,
        None => None,
    };
    let inverse = match own {
        Some(own) => own,
        None => undo::from_images(cx, &record, note.is_some()).await?,
    };
    match inverse {
        Undo::Draft(mut draft) => {
            let params = Params(record.params.clone());
            let write = operation.and_then(|o| o.declared_write(planning.profile, &record.name, &params));
            draft.preflight.extend(cx.answers_before_undo(write, &record.name).await);
            let unsigned = note.is_some();
            draft.preflight.extend(undo::altered_images(planning, &record, &origin).await);
            if let Some(note) = note {
                draft.preflight.push(Preflight::new(undo::SIGNATURE, Ready::Warn, note));
            }
            let (verb, params) = (UNDO.into(), Params::default());
            let (name, undoes, draft) = (record.name, Some(record.id), *draft);
            let journal = None;
            Ok(ResolvedRequest { operation: None, verb, name, params, undoes, draft, journal, unsigned })
        }
        Undo::Impossible { why } => Err(Error::new(
            crate::engine::model::error::Class::Refused,
            format!("run {run} cannot be taken back: {why}"),
        )),
    }
}

fn find<'e>(planning: &PlanSetup<'e>, verb: &str) -> Result<&'e dyn Operation> {
    planning.operations.iter().copied().find(|o| o.spec().verb == verb).ok_or_else(|| {
        let known: Vec<_> = planning.operations.iter().map(|o| o.spec().verb).collect();
        Error::usage(format!("no operation {verb} in this version"))
            .hint(format!("operations: {}", known.join(" ")))
    })
}

/// The name given, or the only one there is, or all where several may be taken; a disabled one says why.
fn named(planning: &PlanSetup<'_>, operation: &dyn Operation, name: Option<&str>) -> Result<String> {
    let (verb, many) = (operation.spec().verb, operation.spec().many);
    let offers = operation.offers(planning.profile, planning.facts.dialect());
    let names: Vec<_> = offers.iter().map(|o| o.name.clone()).collect();
    let chosen: Vec<&str> = match name {
        Some(name) if many && name == ALL => names.iter().map(String::as_str).collect(),
        Some(name) if many => name.split(',').map(str::trim).collect(),
        Some(name) => vec![name],
        None if many || names.len() == 1 => names.iter().map(String::as_str).collect(),
        None if names.is_empty() => vec![],
        None => {
            let what = format!("{verb} what? profile {} has several", planning.profile.name);
            return Err(Error::usage(what).hint(names.join(", ")));
        }
    };
    if chosen.is_empty() {
        return Err(Error::usage(format!("profile {} declares nothing to {verb}", planning.profile.name)));
    }
    for name in &chosen {
        let offer = offers.iter().find(|o| o.name == *name).ok_or_else(|| {
            let known =
                if names.is_empty() { "it has none".into() } else { format!("it has: {}", names.join(", ")) };
            Error::usage(format!("{verb}: profile {} has no {name}", planning.profile.name)).hint(known)
        })?;
        if let Some(why) = &offer.disabled {
            return Err(Error::new(
                crate::engine::model::error::Class::Refused,
                format!("{verb} {name}: {why}"),
            ));
        }
    }
    // In the profile's order, however they were named.
    let ordered: Vec<&str> = names.iter().map(String::as_str).filter(|n| chosen.contains(n)).collect();
    Ok(if many && ordered.len() > 1 && ordered.len() == names.len() { ALL.into() } else { ordered.join(",") })
}

/// The server's clock is the only one that counts.
pub(in crate::engine) async fn server_time(facts: &dyn Reader) -> Result<DateTime<Utc>> {
    let mut tx = facts.begin(ReadOptions::default()).await?;
    facts.dialect().now(&mut *tx).await
}

/// How many rows of derived tables the plan's rows touch. For people: what cannot be counted does not stop the plan.
async fn follow(planning: &PlanSetup<'_>, draft: &Draft) -> Vec<Follow> {
    let changes = draft.steps.iter().filter_map(|s| match &s.action {
        Action::Rows(change) => Some(&**change),
        _ => None,
    });
    let mut out = vec![];
    for (change, query) in changes.zip(&draft.rows) {
        for derived in &change.derived {
            let counted = touched(planning, query, change, derived).await;
            let (rows, unknown) = match counted {
                Ok(rows) => (Some(rows), None),
                Err(e) => (None, Some(e.message)),
            };
            out.push(Follow { table: derived.table.clone(), rows, unknown });
        }
    }
    out
}

async fn touched(
    planning: &PlanSetup<'_>,
    query: &RowQuery,
    change: &RowChange,
    derived: &Derived,
) -> Result<u64> {
    let options = ReadOptions { timeout: Some(PATIENCE), ..ReadOptions::default() };
    let mut tx = planning.facts.begin(options).await?;
    let rows = tx.texts(&planning.facts.dialect().touched(query, change, derived)).await?;
    let count = rows.into_iter().flatten().next().and_then(|n| n.parse().ok());
    count.ok_or_else(|| Error::unobserved("the server gave no number"))
}

/// Runs that broke off and are still to be gone on with, or taken back.
async fn broken_off(planning: &PlanSetup<'_>) -> Option<Preflight> {
    let runs = match journal::runs::interrupted(planning.facts, &planning.operations).await {
        Ok(runs) => runs,
        Err(e) => {
            // One that is listed is a warning too: neither may keep a rollback from being planned.
            let what = format!("interrupted runs not checked: {}", e.message);
            return Some(Preflight::new("broken_off", Ready::Warn, what));
        }
    };
    let named: Vec<_> = runs.iter().map(|r| format!("{} ({} {})", r.id, r.operation, r.name)).collect();
    let (first, s) = (runs.first()?, if runs.len() == 1 { "" } else { "s" });
    // More are not read.
    let more = if runs.len() == journal::runs::INTERRUPTED { " and perhaps older ones" } else { "" };
    let what =
        format!("run{s} {}{more} broke off: midwatch resume {} goes on with it", named.join(", "), first.id);
    Some(Preflight::new("broken_off", Ready::Warn, what))
}

/// What is looked at before every change.
async fn general(
    planning: &PlanSetup<'_>,
    asked: &ResolvedRequest<'_>,
    server: &crate::engine::model::target::ServerInfo,
) -> Vec<Preflight> {
    let bootstraps = asked.operation.is_some_and(|o| o.spec().bootstraps);
    let mut out = vec![];
    out.push(match server.abilities.session_lock.lacking() {
        Some(why) => Preflight::new("connection", Ready::Fail, why),
        None if planning.environment == Environment::Production
            && server.transport.exposed()
            && !planning.insecure =>
        {
            let what = format!("apply is refused over {}: the server is not verified", server.transport);
            Preflight::new("connection", Ready::Fail, what)
        }
        None if server.transport == Transport::Socket => {
            Preflight::new("connection", Ready::Ok, "direct connection")
        }
        None => Preflight::new("connection", Ready::Ok, format!("direct connection: {}", server.transport)),
    });
    out.extend(missing_abilities::lacking(&server.abilities, &asked.draft.steps));
    if server.in_recovery {
        out.push(Preflight::new(
            "server",
            Ready::Fail,
            "this server is a standby: nothing can be changed here",
        ));
    }
    if !bootstraps {
        // What has changed since is met again when the plan is reviewed.
        let asked_before = asked.journal.clone();
        let state =
            if let Some(state) = asked_before { state } else { journal::state::state(planning.facts).await };
        out.push(match (&state, state.refusal()) {
            (JournalState::Unknown { why }, _) => Preflight::new("journal", Ready::Unknown, why),
            (_, None) => Preflight::new("journal", Ready::Ok, "journal present"),
            (_, Some(e)) => Preflight::new("journal", Ready::Fail, e.one_line()),
        });
        let live = journal::runs::live(planning.facts).await;
        // An undo is one of the two ways on from there; where runs cannot be read at all, the line before says it.
        let lists_broken_off = asked.undoes.is_none() && live.is_ok();
        out.push(match live {
            Ok(Some(r)) => {
                let since = r.started_at.format("%H:%M:%SZ");
                let what = format!("run {} of {} is going on since {since}", r.id, r.by());
                Preflight::new("operator", Ready::Warn, what)
            }
            Ok(None) => Preflight::new("operator", Ready::Ok, "no other run"),
            Err(e) => Preflight::new("operator", Ready::Unknown, e.message),
        });
        if lists_broken_off {
            out.extend(broken_off(planning).await);
        }
    }
    out.extend(guard_off::price(planning.policy, &asked.draft.steps));
    out.extend(server_load::preflight(planning.facts, planning.policy).await);
    out
}

/// How long its locks were held when the same was done here last.
async fn measure(planning: &PlanSetup<'_>, plan: &mut Plan) {
    // Inverses of different runs have nothing in common but the verb.
    if plan.undoes.is_some() {
        return;
    }
    let same = SameRequest {
        operation: plan.operation.clone(),
        name: plan.name.clone(),
        params: serde_json::to_string(&plan.params).unwrap_or_default(),
    };
    let Ok(mut tx) = planning.facts.begin(ReadOptions::default()).await else { return };
    // Without a journal there is nothing to know.
    let Ok(Some(m)) = planning.facts.dialect().measured(&mut *tx, &same).await else { return };
    let Some(ms) = m.ms else { return };
    for lock in plan.steps.iter_mut().flat_map(|s| &mut s.locks) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "milliseconds, not negative"
        )]
        let whole = ms.round() as u64;
        lock.held_ms = Some(whole);
        lock.measured_on = Some(format!("this target, run {} of {}, mean of its batches", m.run, m.day));
    }
}
