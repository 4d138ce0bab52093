//! Plans and runs made by hand, for tests of drawing and keys.

use std::collections::BTreeMap;

use chrono::{TimeDelta, Utc};
use midwatch::engine::gate::guard::Ladder;
use midwatch::engine::model::change::{RowChange, RowKind, TypedColumn};
use midwatch::engine::model::diff::{PlannedRow, Total, Values};
use midwatch::engine::model::event::Event;
use midwatch::engine::model::identity::Identity;
use midwatch::engine::model::plan::{Follow, Plan, Unit};
use midwatch::engine::model::preflight::{Preflight, Ready, Reversible, Verification};
use midwatch::engine::model::progress::{Done, LockProgress, Phase, Progress};
use midwatch::engine::model::record::{Listed, Outcome, RunRecord};
use midwatch::engine::model::step::{Action, Lock, Step};
use midwatch::engine::model::target::Environment;
use midwatch::tui::app::App;
use midwatch::tui::data::{Journal, ReviewedPlan, RunDetail};
use midwatch::tui::msg::{Effect, Msg, Slot};
use serde_json::{Map, Value, json};

use crate::fake::{connected, id, keys, start, wrong};

pub(crate) const PHRASE: &str = "backfill hithonix 812 a3f9";

fn values(value: &Value) -> Values {
    value.as_object().cloned().unwrap_or_default()
}

/// Rows of the plan, by number.
pub(crate) fn planned(from: u64, count: u64) -> Vec<PlannedRow> {
    let row = |n: u64| {
        let night = n >= 611;
        let (before, after) = if night { ("2025-11-25", "2025-11-26") } else { ("2025-11-24", "2025-11-25") };
        PlannedRow {
            key: values(&json!({"id": format!("{n:08x}")})),
            before: Some(values(&json!({"business_date_ist": before}))),
            after: Some(values(&json!({"business_date_ist": after}))),
            show: values(&json!({"employee": "Asha R.", "event": "BREAK_START", "at": "2025-11-24 22:00Z"})),
            unit: None,
            step: None,
        }
    };
    (from..from + count).map(row).collect()
}

fn column(name: &str, type_name: &str) -> TypedColumn {
    TypedColumn { name: name.into(), type_name: type_name.into(), numbered: false, equality: None }
}

fn change() -> RowChange {
    RowChange {
        table: "attendance_events".into(),
        resolved: None,
        kind: RowKind::Update,
        key: vec![column("id", "uuid")],
        columns: vec![column("business_date_ist", "date")],
        kept: vec![],
        before_batch: vec![],
        after_change: vec![],
        excludes_writers: true,
        audit: None,
        after_batch: None,
        derived: vec![],
        referrers: vec![],
        source: None,
        rewritten: false,
        restores: None,
        canary: None,
        reason: "business date is not the India date".into(),
    }
}

fn step() -> Step {
    let lock = |object: &str, mode: &str, held_ms| Lock {
        object: object.into(),
        mode: mode.into(),
        held_ms,
        measured_on: Some("a rehearsal".to_owned()).filter(|_| held_ms.is_some()),
        partitions_of: None,
    };
    let statements = vec![
        "alter table attendance_events disable trigger attendance_events_guard".into(),
        "update attendance_events t set business_date_ist = b.new_business_date_ist from batch b where t.id = b.id".into(),
    ];
    Step {
        locks: vec![
            lock("attendance_events", "ROW EXCLUSIVE", None),
            lock("attendance_events", "SHARE ROW EXCLUSIVE", Some(4)),
        ],
        action: Action::Rows(Box::new(change())),
        ..Step::new("rows", "set business_date_ist of attendance_events", statements)
    }
}

fn preflight() -> Vec<Preflight> {
    vec![
        Preflight::new("connection", Ready::Ok, "direct connection"),
        Preflight::new("runs", Ready::Ok, "no other run"),
        Preflight::new("backup", Ready::Ok, "backup 2 h old, restored 14 h ago"),
        Preflight::new("lag", Ready::Unknown, "replica lag: pg_monitor is missing"),
    ]
}

pub(crate) fn plan() -> Plan {
    Plan {
        id: "p1".into(),
        operation: "backfill".into(),
        name: "business_date_ist".into(),
        params: BTreeMap::new(),
        undoes: None,
        target: "hithonix".into(),
        environment: Environment::Production,
        identity: Identity {
            dialect: None,
            system_identifier: Some("7301234567894410".into()),
            database_oid: Some(16_384),
            database: "hithonix".into(),
            address: "db1:5432/hithonix".into(),
            data_directory: None,
            timeline: Some(1),
        },
        created_at: start(),
        expires_at: start() + TimeDelta::minutes(15),
        rows: 812,
        lock_timeout_ms: None,
        continues_after_window: false,
        names_with_schema: true,
        unit: Unit::ROWS,
        why: "812 events carry a business date that is not their India date".into(),
        changes: vec![
            "column business_date_ist".into(),
            "an audit row for each, with the old and the new value".into(),
        ],
        follow: vec![Follow { table: "daily_status".into(), rows: Some(34), unknown: None }],
        obstacle: Some(
            "trigger attendance_events_guard forbids this: it is disabled and enabled again in each batch's transaction"
                .into(),
        ),
        reversible: Reversible::Full,
        undo: "from before-images, while rows are not changed again".into(),
        frozen: false,
        renames: vec![],
        steps: vec![step()],
        preflight: preflight(),
        verify: vec![
            Verification { title: "rule anomalies/date_mismatch counts none of these rows".into(), sql: "select 0".into(), own: false },
            Verification { title: "days projected again equal a fresh projection".into(), sql: "select 0".into(), own: false },
        ],
        totals: vec![
            Total { change: "2025-11-24 → 2025-11-25".into(), rows: 611 },
            Total { change: "2025-11-25 → 2025-11-26".into(), rows: 201 },
        ],
        other_totals: None,
        diff: planned(0, 812),
        diff_total: 812,
        rows_sha256: "00".into(),
        digest: "a3f9c0ffee".into(),
        phrase: PHRASE.into(),
        signature: None,
    }
}

pub(crate) fn reviewed() -> ReviewedPlan {
    ReviewedPlan { plan: plan(), gate: Ok(Ladder { database: None, opens_at: None }) }
}

/// An irreversible plan on production: the name once more, and time to read.
pub(crate) fn strict() -> ReviewedPlan {
    let mut plan = plan();
    plan.reversible = Reversible::No;
    plan.undo = "the rows are gone".into();
    let opens_at = Some(start() + TimeDelta::seconds(10));
    ReviewedPlan { plan, gate: Ok(Ladder { database: Some("hithonix_db".into()), opens_at }) }
}

/// An app on the plan screen, still planning, and its view's slot.
pub(crate) fn planning(size: (u16, u16)) -> (App, Slot) {
    let mut app = connected(size);
    app.update(Msg::Observed(Box::new(wrong(
        &id("anomalies", "date_mismatch"),
        midwatch::engine::model::report::Severity::Critical,
    ))));
    let effects = keys(&mut app, &["5", "d"]);
    let Some(Effect::Plan { slot, .. }) = effects.last() else { panic!("{effects:?}") };
    (app, *slot)
}

/// An app on a plan that is made.
pub(crate) fn with_plan(size: (u16, u16), reviewed: ReviewedPlan) -> (App, Slot) {
    let (mut app, slot) = planning(size);
    app.update(Msg::Planned { slot, result: Ok(Box::new(reviewed)) });
    (app, slot)
}

/// An app whose run was just begun.
pub(crate) fn running(size: (u16, u16)) -> App {
    let (mut app, _) = with_plan(size, reviewed());
    keys(&mut app, &["c"]);
    crate::fake::typed(&mut app, PHRASE);
    let effects = keys(&mut app, &["enter"]);
    assert!(matches!(&effects[..], [Effect::Apply { .. }]), "{effects:?}");
    app
}

pub(crate) fn progress(phase: Phase, done: u64) -> Progress {
    Progress {
        run: Some("17".into()),
        phase,
        step: "set business_date_ist of attendance_events".into(),
        done,
        total: 812,
        unit: Unit::ROWS,
        applied: done.saturating_sub(12),
        drifted: done.min(12),
        batch_rows: 200,
        rate: 3_400.0,
        eta_s: Some(42),
        waiting: None,
        not_tried: false,
        stage: "rows".into(),
        stages: vec!["rows".into()],
        locks: LockProgress::default(),
        detail: Map::new(),
    }
}

pub(crate) fn done(outcome: Outcome) -> Done {
    let applied = outcome == Outcome::Applied;
    Done {
        run: Some("17".into()),
        outcome,
        unit: Unit::ROWS,
        applied: if applied { 812 } else { 400 },
        drifted: if applied { 0 } else { 12 },
        verified: applied.then_some(true),
        proof: if applied {
            vec![
                ("rule anomalies/date_mismatch counts none of these rows".into(), Some(0)),
                ("days projected again equal a fresh projection".into(), Some(0)),
            ]
        } else {
            vec![]
        },
        said: vec![],
        copy: vec![],
        failure: None,
        moved: None,
        resumable: false,
    }
}

pub(crate) fn run(number: &str, outcome: Outcome) -> RunRecord {
    let whole = outcome == Outcome::Applied;
    RunRecord {
        id: number.into(),
        operation: "backfill".into(),
        name: "business_date_ist".into(),
        target: "hithonix".into(),
        outcome,
        started_at: start() - TimeDelta::minutes(48),
        ended_at: Some(start() - TimeDelta::minutes(47)),
        operator: "dana@ops1".into(),
        undoes: None,
        undone_by: None,
        overtaken_by: None,
        unit: Unit::ROWS,
        rows: 812,
        rows_applied: if whole { 812 } else { 400 },
        rows_drifted: if whole { 0 } else { 12 },
        batches: 2,
        verified: whole.then_some(true),
        resumable: false,
        live: false,
        message: None,
        code: None,
        permanent: false,
        resumed_by: None,
        batch_rows: Some(500),
        beat_at: Some(start() - TimeDelta::minutes(47)),
        params: BTreeMap::new(),
        undo: "from before-images, while rows are not changed again".into(),
        reversible: "full".into(),
        digest: "a3f9c0ffee".into(),
    }
}

/// A run of another console, under way.
pub(crate) fn live(number: &str, applied: u64, beat: chrono::DateTime<Utc>) -> RunRecord {
    RunRecord {
        ended_at: None,
        rows_applied: applied,
        rows_drifted: 0,
        verified: None,
        live: true,
        operator: "kim@ops2".into(),
        started_at: start() - TimeDelta::seconds(20),
        beat_at: Some(beat),
        ..run(number, Outcome::Running)
    }
}

/// A run whose console is gone.
pub(crate) fn broken(number: &str) -> RunRecord {
    RunRecord { resumable: true, ended_at: None, ..run(number, Outcome::Running) }
}

pub(crate) fn journal(runs: Vec<RunRecord>) -> Msg {
    let total = runs.len() as u64;
    Msg::Runs(Ok(Box::new(Journal::Runs(Listed { runs, total, older: 0 }))))
}

pub(crate) fn detail(record: RunRecord) -> RunDetail {
    let event = |seq: i64, kind: &str, body: Value| Event {
        seq,
        at: format!("2026-11-21T00:58:0{seq}.000Z"),
        run: Some(record.id.clone()),
        kind: kind.into(),
        body: body.to_string(),
        prev: String::new(),
        hash: String::new(),
        signed: None,
    };
    let events = vec![
        event(1, "intent", json!({"operation": "backfill", "rows": 812})),
        event(2, "batch", json!({"batch": 1, "applied": 400, "drifted": 12})),
        event(3, "outcome", json!({"outcome": record.outcome.word()})),
    ];
    let drifted = planned(0, record.rows_drifted.min(3));
    RunDetail { record, plan: Some(plan()), at: Some(1), events, drifted }
}
