//! The switchover room: how a set of twins stands right now, looked at with a reader's session only.

use crate::engine::model::query::Sql;
use crate::features::switchover::verbs;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use crate::engine::model::blocker::Blocker;
use crate::engine::model::diff::text_of;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::event::Event;
use crate::engine::model::json::field;
use crate::engine::model::name::Relation;
use crate::engine::model::plan::Plan;
use crate::engine::model::profile::Twin;
use crate::engine::model::query::Param;
use crate::engine::model::record::RunRecord;
use crate::engine::model::step::LockStrength;
use crate::engine::plan::operation::ALL;
use crate::engine::port::backups::Dumped;
use crate::engine::port::catalog::WantedLocks;
use crate::engine::port::reader::{ReadOptions, ReadTx};
use crate::engine::run::lock_wait::{ANNOUNCED, attempt_text};
use crate::engine::{Engine, journal};
use crate::features::parity::pair::catalog::qualified;
use crate::features::parity::pair::retired::{self, RetiredTable};
use crate::features::parity::pair::sync_triggers::REVERSE;
use crate::features::parity::pair::{SwitchState, retired_name, standing};
use crate::features::switchover::dialects;
use crate::features::switchover::run_position::Position;
pub use crate::features::switchover::run_position::SwapParams;
use crate::features::switchover::step_kind::StepKind;

/// A transaction that has held a table for less is no obstacle: it is over before anybody has read its name.
const PATIENCE_MS: u64 = 500;
/// Runs looked through for those of the set.
const RUNS: u32 = 20;
/// Operations that swap the tables of a set.
const SWAPS: &[&str] = &[verbs::SWITCHOVER, verbs::ROLLBACK];

/// A set of twins, now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SwitchoverStatus {
    /// The set, as plans name it.
    pub name: String,
    /// Its twins, in the profile's order.
    pub twins: Vec<TwinStatus>,
    /// Who has held one of the tables for a while.
    pub blockers: Vec<Blocker>,
    /// Sessions that hold one of the tables and whose doings are not shown to this role.
    pub hidden: u64,
    /// Prepared transactions that hold one of the tables: they belong to no session.
    pub prepared: u64,
    /// Sessions of others that wait for a lock on one of the tables.
    pub stalled: u64,
    /// How long the longest transaction of the database has been open (milliseconds).
    pub longest_ms: Option<i64>,
    /// The latest run that swapped one of these twins, or tried to.
    pub last: Option<RoomRun>,
    /// The run that has switched them, where none has taken that back.
    pub switched: Option<RoomRun>,
    /// Why the journal could not be read.
    pub journal: Option<String>,
}

/// A twin, now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TwinStatus {
    /// Its name.
    pub name: String,
    /// Who answers to the legacy table's name.
    pub standing: SwitchState,
    /// Triggers that keep the retired table complete.
    pub reverse: Reverse,
    /// Every write on both sides is marked.
    pub marked: bool,
    /// Where the retired table is once it was cleaned up; absent when it is gone.
    pub away: Option<RetiredTable>,
}

/// The triggers that write back what is written into the partitioned table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reverse {
    /// There are none.
    #[default]
    Missing,
    /// Made, and idle until the switch.
    Idle,
    /// Working, whatever the session's role.
    On,
    /// There, but not all of them fire.
    Off,
}

/// A run that swaps tables, as the journal has it.
#[derive(Debug, Clone, PartialEq)]
pub struct RoomRun {
    /// The run.
    pub record: RunRecord,
    /// The step it is at; absent once all are done.
    pub stage: Option<String>,
    /// All steps' ids, in order.
    pub stages: Vec<String>,
    /// The attempt that succeeded.
    pub attempt: Option<u64>,
    /// How long the locks were held, with the commit where that is known (milliseconds).
    pub held_ms: Option<u64>,
    /// Rows compared inside the locks.
    pub compared: Option<u64>,
    /// The backup it made.
    pub backup: Option<Dumped>,
    /// What its plan says of it.
    pub asked: SwapParams,
    /// Attempts at the swap that were taken back since it was begun, or gone on with.
    pub tried: u64,
    /// How the last attempt at the step it is at ended.
    pub last: Option<String>,
    /// When all rows of both sides were last found equal.
    pub equal_at: Option<DateTime<Utc>>,
    /// What the run's message speaks of while it goes on.
    pub held: Option<HeldBack>,
}

/// What holds a run back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldBack {
    /// The swap was not attempted: sessions, or the server, are in the way.
    NotTried,
    /// An attempt has failed, and another follows.
    Attempt,
}

#[derive(Deserialize)]
struct Locks {
    hidden: u64,
    prepared: u64,
    stalled: u64,
    longest_ms: Option<i64>,
}

/// `$1`: the tables.
const LOCKS: &str = "
with held as (
  select l.pid, l.granted from pg_locks l
  where l.locktype = 'relation' and l.relation = any ($1::text[]::regclass[]::oid[])
    and l.database = (select oid from pg_database where datname = current_database())),
others as (
  select a.pid, a.state, a.xact_start, a.datname, a.backend_type from pg_stat_activity a
  where coalesce(a.application_name, '') not like 'midwatch/%' and a.pid <> pg_backend_pid())
select (select count(distinct h.pid) from held h join others o on o.pid = h.pid where h.granted and o.state is null) as hidden,
       (select count(*) from pg_prepared_xacts p where p.database = current_database()
          and exists (select from held h where h.pid is null)) as prepared,
       (select count(distinct h.pid) from held h join others o on o.pid = h.pid where not h.granted) as stalled,
       (select (extract(epoch from clock_timestamp() - min(o.xact_start)) * 1000)::bigint from others o
        where o.datname = current_database() and o.backend_type = 'client backend') as longest_ms";

#[derive(Deserialize)]
struct Triggers {
    there: u64,
    always: u64,
    active: Option<bool>,
    marks: u64,
}

/// `$1`: what reverse triggers are called, `$2`: the partitioned table, `$3`: the legacy one. A function that only
/// returns is one that is not at work yet.
const TRIGGERS: &str = "
select count(*) as there, count(*) filter (where t.tgenabled = 'A') as always,
       bool_or(p.prosrc ~* 'insert into') as active,
       (select count(*) from pg_trigger m where m.tgname = 'midwatch_mark' and m.tgenabled = 'A'
          and m.tgrelid in (to_regclass($2)::oid, to_regclass($3)::oid)) as marks
from pg_trigger t join pg_proc p on p.oid = t.tgfoid
where t.tgrelid = to_regclass($2)::oid and t.tgname in ($1, $1 || '_truncate', 'zz_' || $1 || '_moves')";
/// Of them there are so many on the partitioned table itself.
const REVERSING: u64 = 3;

impl SwitchoverStatus {
    /// How a set of twins stands: every twin of the profile, or those named.
    pub async fn read(engine: &Engine, name: &str) -> Result<Self> {
        let dialect = engine.facts().dialect();
        dialects::supported(dialect)?;
        let wanted: Vec<&str> = name.split(',').collect();
        let member = |t: &&Twin| name == ALL || wanted.contains(&t.name());
        let twins: Vec<&Twin> = engine.profile().twins.iter().filter(member).collect();
        if twins.is_empty() {
            return Err(Error::usage(format!("profile {} has no twin {name}", engine.profile().name)));
        }
        let mut out = Self { name: name.to_owned(), ..Self::default() };
        let mut tx = engine.facts().begin(ReadOptions::default()).await?;
        let mut tables = Vec::new();
        for twin in &twins {
            let standing = standing(&mut *tx, twin).await?;
            let (legacy, partitioned) = with_schema(&mut *tx, sides(twin, standing)).await?;
            let mut now = now(&mut *tx, twin, standing, (legacy.as_ref(), &partitioned)).await?;
            if standing == SwitchState::Cleaned {
                now.away = retired::find_retired(engine.facts(), twin).await?;
            }
            out.twins.push(now);
            tables.extend(legacy.into_iter().chain([partitioned]));
        }
        let mode = dialect.lock_mode(LockStrength::Everyone);
        let wanted = WantedLocks { tables: &tables, mode, older_ms: PATIENCE_MS };
        out.blockers = dialect.blockers(&mut *tx, &wanted).await?;
        let locks: Locks = tx.one(&Sql::new(LOCKS).bind([Param::Texts(tables)])).await?;
        (out.hidden, out.prepared, out.stalled) = (locks.hidden, locks.prepared, locks.stalled);
        out.longest_ms = locks.longest_ms;
        drop(tx);
        let names: Vec<&str> = twins.iter().map(|t| t.name()).collect();
        if let Err(e) = out.read_runs(engine, &names).await {
            out.journal = Some(e.message);
        }
        Ok(out)
    }

    /// The latest run of the set, and the one that has switched it.
    async fn read_runs(&mut self, engine: &Engine, names: &[&str]) -> Result<()> {
        let about = |name: &str| name == ALL || name.split(',').any(|n| names.contains(&n));
        let mut runs = journal::runs::latest_of(engine.facts(), &engine.operations(), SWAPS, RUNS).await?;
        runs.retain(|r| about(&r.name));
        let switched = runs
            .iter()
            .position(|r| r.operation == verbs::SWITCHOVER && r.rows_applied > 0 && r.undone_by.is_none());
        let any_over = self.twins.iter().any(|t| t.standing != SwitchState::Before);
        for (at, run) in runs.into_iter().enumerate() {
            let is_switched = any_over && switched == Some(at);
            if at > 0 && !is_switched {
                continue;
            }
            let events = journal::runs::events(engine.facts(), &run.id).await?;
            let position = Position::read(engine.facts(), &run.id).await?;
            let told = room_run(run, position, &events);
            if is_switched {
                self.switched = Some(told.clone());
            }
            if at == 0 {
                self.last = Some(told);
            }
        }
        Ok(())
    }
}

/// What both tables are called now.
fn sides(twin: &Twin, standing: SwitchState) -> (Option<String>, String) {
    let (live, other) = (Relation::parse(&twin.legacy), Relation::parse(&twin.partitioned));
    match standing {
        SwitchState::Before => (Some(live.to_string()), other.to_string()),
        SwitchState::Switched => (Some(retired_name(twin).to_string()), live.to_string()),
        SwitchState::Cleaned => (None, live.to_string()),
    }
}

/// The same with their schemas; what is not there stays as it is written.
async fn with_schema(
    tx: &mut dyn ReadTx,
    (legacy, partitioned): (Option<String>, String),
) -> Result<(Option<String>, String)> {
    let legacy = match legacy {
        Some(name) => Some(qualified(tx, &Relation::parse(&name)).await?.unwrap_or(name)),
        None => None,
    };
    let found = qualified(tx, &Relation::parse(&partitioned)).await?;
    Ok((legacy, found.unwrap_or(partitioned)))
}

async fn now(
    tx: &mut dyn ReadTx,
    twin: &Twin,
    standing: SwitchState,
    (legacy, partitioned): (Option<&String>, &str),
) -> Result<TwinStatus> {
    let params = [REVERSE.into(), partitioned.into(), Param::Text(legacy.cloned())];
    let t: Triggers = tx.one(&Sql::new(TRIGGERS).bind(params.clone())).await?;
    let reverse = match (t.there, t.always, t.active) {
        (0, ..) => Reverse::Missing,
        (_, always, _) if always < REVERSING => Reverse::Off,
        (.., Some(true)) => Reverse::On,
        _ => Reverse::Idle,
    };
    Ok(TwinStatus { name: twin.name().to_owned(), standing, reverse, marked: t.marks >= 2, away: None })
}

impl RoomRun {
    /// A run as its plan and its entries have it; `at`: the step it is at.
    pub fn of_plan(record: RunRecord, plan: &Plan, at: usize, events: &[Event]) -> Self {
        room_run(record, Position::at_step(plan, at), events)
    }
}

/// Of a run under way: its message is that of its last attempt, or, at the swap, says why there is none.
fn held(record: &RunRecord, stage: Option<&str>, last: Option<&Value>) -> Option<HeldBack> {
    let message = record.message.as_deref().filter(|_| record.live)?;
    if last.and_then(announced).as_deref() == Some(message) {
        return Some(HeldBack::Attempt);
    }
    stage.and_then(StepKind::from_id).filter(|s| s.is_swap()).map(|_| HeldBack::NotTried)
}

/// The message that an attempt gave its run, as its entry has it. Entries of older builds do not: their text is built
/// from the other fields.
fn announced(attempt: &Value) -> Option<String> {
    if let Some(text) = field(attempt, ANNOUNCED).as_str() {
        return Some(text.to_owned());
    }
    let number = |name: &str| u32::try_from(field(attempt, name).as_u64()?).ok();
    let by: Vec<Blocker> = Vec::deserialize(field(attempt, "blockers")).ok()?;
    let of = (number("attempt")?, number("of")?);
    Some(attempt_text(of, field(attempt, "failed").as_str()?, by.first()))
}

fn room_run(record: RunRecord, position: Position, events: &[Event]) -> RoomRun {
    let body = |e: &Event| serde_json::from_str::<Value>(&e.body).ok();
    let of = |kind: &str| events.iter().rev().filter(|e| e.kind == kind).filter_map(body).collect::<Vec<_>>();
    // Every step tells how long it held its locks; only a swap takes attempts for it.
    let swapped = of("step").into_iter().find(|b| !field(b, "attempt").is_null());
    let number = |name: &str| swapped.as_ref().and_then(|b| field(b, name).as_u64());
    let released = of("released").into_iter().find_map(|b| field(&b, "held_ms").as_u64());
    let stage = position.stages.get(position.at).cloned();
    // Whoever goes on with a run counts anew.
    let resumed = events.iter().rposition(|e| e.kind == "resumed").unwrap_or(0);
    let tries = events.iter().skip(resumed).filter(|e| e.kind == "attempt").filter_map(body);
    let tries: Vec<Value> = tries.filter(|b| field(b, "stage").as_str() == stage.as_deref()).collect();
    let equal = |e: &&Event| e.kind == "stage" && body(e).is_some_and(|b| field(&b, "stage") == "COMPARED");
    let at = |e: &Event| DateTime::parse_from_rfc3339(&e.at).ok().map(|t| t.with_timezone(&Utc));
    RoomRun {
        held: held(&record, stage.as_deref(), tries.last()),
        stage,
        stages: position.stages,
        attempt: number("attempt"),
        held_ms: swapped.as_ref().and(released).or_else(|| number("held_ms")),
        compared: number("compared"),
        backup: of("backup").into_iter().find_map(|b| serde_json::from_value(b).ok()),
        asked: position.asked.unwrap_or_default(),
        tried: tries.last().and_then(|b| field(b, "attempt").as_u64()).unwrap_or(0),
        last: tries.last().map(|b| {
            format!(
                "attempt {}: {}; released, nothing changed",
                text_of(field(b, "attempt")),
                text_of(field(b, "failed"))
            )
        }),
        equal_at: events.iter().rev().find(equal).and_then(at),
        record,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tables_go_by_the_names_they_have() {
        let twin =
            Twin { legacy: "revenues".into(), partitioned: "revenues_partitioned".into(), ..Twin::default() };
        let names = |standing| sides(&twin, standing);
        assert_eq!(
            names(SwitchState::Before),
            (Some("\"revenues\"".into()), "\"revenues_partitioned\"".into())
        );
        assert_eq!(names(SwitchState::Switched), (Some("\"revenues_legacy\"".into()), "\"revenues\"".into()));
        assert_eq!(names(SwitchState::Cleaned), (None, "\"revenues\"".into()));
    }

    fn event(kind: &str, body: &Value) -> Event {
        Event {
            seq: 1,
            at: "2026-11-21T00:58:00.000Z".into(),
            run: None,
            kind: kind.into(),
            body: body.to_string(),
            prev: String::new(),
            hash: String::new(),
            signed: None,
        }
    }

    fn tried(n: u64) -> Event {
        let body =
            json!({ "stage": "enable", "attempt": n, "of": 12, "failed": "over budget", "blockers": [] });
        event("attempt", &body)
    }

    fn record() -> RunRecord {
        serde_json::from_value(json!({
            "id": "1", "operation": "switchover", "name": "all", "target": "t", "outcome": "running",
            "started_at": "2026-11-21T00:57:00Z", "ended_at": null, "operator": "kim@ops2", "undoes": null,
            "undone_by": null, "rows": 3, "rows_applied": 0, "rows_drifted": 0, "batches": 0, "verified": null,
            "resumable": false, "live": true, "message": null, "batch_rows": null, "beat_at": null, "params": {},
            "undo": "", "reversible": "full", "digest": "",
        }))
        .unwrap()
    }

    #[test]
    fn a_run_is_told_by_its_entries() {
        let entries = [
            tried(4),
            event("resumed", &json!({ "by": "kim@ops2" })),
            event("stage", &json!({ "stage": "COMPARED", "differ": 0 })),
            tried(1),
            tried(2),
        ];
        let run = |events: &[Event]| {
            let stages = vec!["compare".to_owned(), "enable".to_owned()];
            room_run(record(), Position { at: 1, stages, asked: None }, events)
        };
        let told = run(&entries);
        assert_eq!((told.tried, told.held), (2, None));
        assert_eq!(told.last.as_deref(), Some("attempt 2: over budget; released, nothing changed"));
        assert_eq!(told.equal_at.map(|t| t.to_rfc3339()).as_deref(), Some("2026-11-21T00:58:00+00:00"));
        assert_eq!(run(&entries[..2]).tried, 0);
        let prepared =
            event("step", &json!({ "step": 0, "id": "prepare/t", "statements": 0, "ran": 9, "held_ms": 6 }));
        assert_eq!(run(&[prepared.clone(), tried(1)]).held_ms, None);
        let swapped = event(
            "step",
            &json!({ "step": 1, "id": "enable", "statements": 3, "ran": 27, "attempt": 2, "held_ms": 41, "compared": 7 }),
        );
        let told = run(&[prepared.clone(), tried(1), swapped.clone()]);
        assert_eq!((told.held_ms, told.attempt, told.compared), (Some(41), Some(2), Some(7)));
        let released = event("released", &json!({ "stage": "enable", "held_ms": 44 }));
        assert_eq!(run(&[prepared, swapped, released]).held_ms, Some(44));
    }

    #[test]
    fn a_message_speaks_of_the_last_attempt_or_of_none() {
        let saying = |stage: &str, live, message: &str, events: &[Event]| {
            let record = RunRecord { live, message: Some(message.into()), ..record() };
            let stages = vec![stage.to_owned()];
            room_run(record, Position { at: 0, stages, asked: None }, events).held
        };
        let attempt = "attempt 2 of 12: over budget";
        assert_eq!(saying("enable", true, attempt, &[tried(1), tried(2)]), Some(HeldBack::Attempt));
        assert_eq!(saying("enable", true, "kept back", &[tried(2)]), Some(HeldBack::NotTried));
        assert_eq!(
            saying("enable", true, attempt, &[tried(1)]),
            Some(HeldBack::NotTried),
            "of another attempt"
        );
        assert_eq!(saying("compare", true, "kept back", &[]), None, "nothing is swapped there");
        assert_eq!(saying("enable", false, "failed", &[tried(2)]), None, "it is over");
        let by = Blocker { pid: 7, role: "r".into(), table: "t".into(), ..Blocker::default() };
        let body = json!({ "stage": "enable", "attempt": 1, "of": 2, "failed": "busy", "blockers": [by] });
        let message = attempt_text((1, 2), "busy", Some(&by));
        assert_eq!(saying("enable", true, &message, &[event("attempt", &body)]), Some(HeldBack::Attempt));
        // What the entry has counts, however this build would say it.
        let body = json!({ "stage": "enable", "attempt": 1, "of": 2, "failed": "busy", "blockers": [],
            "announced": "try 1: busy" });
        let of = [event("attempt", &body)];
        assert_eq!(saying("enable", true, "try 1: busy", &of), Some(HeldBack::Attempt));
        assert_eq!(saying("enable", true, "attempt 1 of 2: busy", &of), Some(HeldBack::NotTried));
    }
}
