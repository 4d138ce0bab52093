//! `rehearse`: a whole switchover and its way back in a copy, with writers at work, for its times and its troubles.

use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::param::{DefaultValue, ParamSpec, Params, Takes};
use crate::engine::model::preflight::{Preflight, Ready, Reversible, Risk};
use crate::engine::model::profile::Profile;
use crate::engine::model::record::RunRecord;
use crate::engine::model::step::{Action, Step, Task};
use crate::engine::plan::operation::{Draft, Offer, OpSpec, Operation, PlanCx, Undo, UndoText};
use crate::engine::plan::tables::find_table;
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::Fut;
use crate::features::parity::pair::SwitchState;
use crate::features::switchover::plan::options;
use crate::features::switchover::plan::twin_pair::TwinPair;
use crate::features::switchover::task::{RehearsalPlan, RehearsalTwin, TWINS};
use crate::features::switchover::texts;
use crate::features::switchover::twins::switched_offers;
use crate::features::switchover::verbs;

pub(crate) struct RehearseOperation;

/// Sessions that write.
const WRITERS: ParamSpec = ParamSpec {
    name: "writers",
    about: "sessions that write during the rehearsal",
    takes: Takes::Number { unit: "sessions", from: 1, to: 64 },
    default: DefaultValue::Number(4),
};
/// How long they write.
const SECONDS: ParamSpec = ParamSpec {
    name: "seconds",
    about: "how long they write before the switchover, between it and the rollback, and after",
    takes: Takes::Duration { from: 1, to: 600 },
    default: DefaultValue::Number(3),
};

static SPEC: OpSpec = OpSpec {
    verb: verbs::REHEARSE,
    about: "run a switchover and its rollback in a private copy, with sessions that write",
    risk: Risk::Additive,
    params: &[
        ParamSpec {
            name: "rows",
            about: "rows of each legacy table in the copy",
            takes: Takes::RowsOrAll,
            default: DefaultValue::Number(ROWS),
        },
        WRITERS,
        SECONDS,
        options::BUDGET,
        options::LOCK_TIMEOUT,
        options::ACCEPT,
    ],
    example: "revenues --set rows=all --set writers=8",
    bootstraps: false,
    many: true,
    asks: &[],
};

/// Rows copied of each legacy table, unless asked otherwise.
const ROWS: u64 = 100_000;

impl Operation for RehearseOperation {
    fn spec(&self) -> &'static OpSpec {
        &SPEC
    }

    fn offers(&self, profile: &Profile, dialect: &dyn Dialect) -> Vec<Offer> {
        let mut offers = switched_offers(&SPEC, profile, dialect, texts::offers::REHEARSE);
        for offer in &mut offers {
            offer.locks = texts::offers::LOCKS_OF_COPY.into();
        }
        offers
    }

    fn plan<'a>(&'a self, cx: &'a PlanCx<'a>, name: &'a str, params: &'a Params) -> Fut<'a, Result<Draft>> {
        Box::pin(draft(cx, name, params))
    }

    fn undo<'a>(&'a self, _cx: &'a PlanCx<'a>, _run: &'a RunRecord) -> Fut<'a, Result<Option<Undo>>> {
        Box::pin(async { Ok(Some(Undo::Impossible { why: texts::offers::REHEARSAL_NOT_UNDONE.into() })) })
    }
}

async fn draft(cx: &PlanCx<'_>, name: &str, params: &Params) -> Result<Draft> {
    let twin_pairs = TwinPair::all(cx, name).await?;
    if let Some(c) = twin_pairs.iter().find(|c| c.standing != SwitchState::Before) {
        return Err(Error::new(Class::Refused, format!("{} is switched over already", c.twin.name())));
    }
    let play = play(cx, name, params, &twin_pairs).await?;
    let copied = texts::steps::copied(play.rows);
    let names: Vec<_> = twin_pairs.iter().map(|c| c.twin.name()).collect();
    let statements = texts::steps::rehearsed(&copied, play.writers);
    Ok(Draft {
        why: texts::offers::rehearsal_why(&names),
        changes: texts::offers::rehearsal_changes(&copied),
        obstacle: None,
        reversible: Reversible::Full,
        undo: UndoText::full(texts::offers::REHEARSAL_UNDO),
        frozen: false,
        renames: vec![],
        steps: vec![Step {
            locks: twin_pairs
                .iter()
                .map(|c| crate::engine::plan::operation::lock(&c.legacy.relation, "ACCESS SHARE"))
                .collect(),
            in_transaction: false,
            action: Action::Task(Task::new(RehearsalPlan::TASK, play)),
            ..Step::new("rehearse", texts::steps::rehearse(&copied), statements)
        }],
        preflight: vec![Preflight::new("copy", Ready::Ok, texts::preflight::copy_holds(&copied))],
        verify: vec![],
        rows: vec![],
        unit: TWINS,
        lock_timeout_ms: None,
        continues_after_window: true,
        names_left: false,
        count: twin_pairs.len() as u64,
        undoes: None,
    })
}

/// What is played, and how long.
async fn play(
    cx: &PlanCx<'_>,
    name: &str,
    params: &Params,
    twin_pairs: &[TwinPair<'_>],
) -> Result<RehearsalPlan> {
    let rows = match params.get("rows") {
        Some("all") => None,
        _ => Some(params.number("rows")?.unwrap_or(ROWS)),
    };
    let writers = params.number_of(&WRITERS)?;
    let seconds = params.seconds_of(&SECONDS)?;
    let passed = ["budget", "lock_timeout", "accept"];
    let mut play = RehearsalPlan {
        name: name.to_owned(),
        params: params
            .0
            .iter()
            .filter(|(k, _)| passed.contains(&k.as_str()))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect(),
        twins: vec![],
        rows,
        writers: u32::try_from(writers).unwrap_or(4),
        seconds,
    };
    play.params.insert("monitor".into(), "2s".into());
    play.params.insert("backup".into(), "skip".into());
    for twin_pair in twin_pairs {
        play.twins.push(twin(cx, twin_pair).await?);
    }
    Ok(play)
}

async fn twin(cx: &PlanCx<'_>, twin_pair: &TwinPair<'_>) -> Result<RehearsalTwin> {
    let table = find_table(cx, &twin_pair.legacy.relation).await?;
    let key = &twin_pair.twin.key;
    let plain = |c: &&crate::engine::plan::tables::Stored| !c.generated && !key.contains(&c.name);
    let unique: Vec<&String> = table.unique_keys.iter().flatten().collect();
    let free = table.columns.iter().filter(plain).filter(|c| !unique.contains(&&c.name));
    let part = &twin_pair.layout.key;
    Ok(RehearsalTwin {
        legacy: twin_pair.legacy.relation.clone(),
        twin: twin_pair.partitioned.relation.clone(),
        key: table
            .typed(&twin_pair.legacy.relation, key)?
            .into_iter()
            .map(|c| (c.name, c.type_name))
            .collect(),
        time: twin_pair.layout.time_key.as_ref().and_then(|_| part.first().cloned()),
        columns: table.columns.iter().filter(plain).map(|c| c.name.clone()).collect(),
        column: free.map(|c| c.name.clone()).find(|c| !part.contains(c)),
    })
}
