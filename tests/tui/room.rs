//! The switchover room: its keys, what ends a session and what does not, and its pictures in every state.

use chrono::TimeDelta;
use midwatch::engine::model::blocker::Blocker;
use midwatch::engine::model::plan::Plan;
use midwatch::engine::model::preflight::{Ready, Reversible, Risk};
use midwatch::engine::model::progress::{ControlRequest, Phase};
use midwatch::engine::model::record::{Outcome, RunRecord};
use midwatch::engine::model::report::{Finding, Report, Severity};
use midwatch::engine::model::step::{Action, Step, Task};
use midwatch::engine::plan::request::Request;
use midwatch::engine::port::backups::{Dump, Dumped};
use midwatch::features::parity::pair::SwitchState;
use midwatch::features::switchover::status::{
    HeldBack, Reverse, RoomRun, SwapParams, SwitchoverStatus, TwinStatus,
};
use midwatch::features::switchover::task::{DUMP_TASK, EqualityQuery, Monitor, Swap, TWINS as UNIT};
use midwatch::tui::app::App;
use midwatch::tui::data::{ReviewedPlan, Session};
use midwatch::tui::model::{OverlayKind, View};
use midwatch::tui::msg::{Effect, Msg};
use midwatch::tui::screen;
use serde_json::json;

use crate::fake::{failure, id, key, keys, later, offer, report, session, start, typed};
use crate::handmade::{detail, done, journal, plan as some_plan, reviewed, run};
use crate::pictures::draw;
use crate::switchover_moments::{Room, moment};

pub(crate) const SMALL: (u16, u16) = (80, 24);
pub(crate) const LARGE: (u16, u16) = (160, 45);
pub(crate) const TWINS: [&str; 3] = ["revenues", "expenses", "daily_cash_balances"];
const PHRASE: &str = "switchover hospitality 3 a3f9";

pub(crate) fn hospitality() -> Session {
    let mut out = session();
    out.target.name = "hospitality".into();
    out.profile = "hospitality".into();
    out.checks = TWINS.iter().map(|t| (id("parity", t), std::time::Duration::from_secs(30))).collect();
    out.operations = ["switchover", "rollback"]
        .iter()
        .flat_map(|verb| {
            TWINS.map(|t| midwatch::engine::plan::operation::Offer {
                risk: Risk::Reversible,
                takes_rows: false,
                ..offer(verb, t, Some(id("parity", t)))
            })
        })
        .collect();
    out
}

/// A twin's report: these many rows differ.
pub(crate) fn parity(twin: &str, differ: u64, standing: SwitchState) -> Report {
    let check = id("parity", twin);
    let finding = || Finding {
        id: format!("parity/{twin}/different"),
        severity: Severity::Critical,
        message: format!("{differ} rows differ"),
        title: None,
        rows: Some(differ),
        sample: vec![],
    };
    let mut out = report(&check, (differ > 0).then(finding).into_iter().collect());
    out.facts["different"] = json!(differ);
    out.facts["standing"] = json!(standing);
    out.facts["triggers"] = json!([
        {"name": "sync", "state": "always", "events": ["INSERT", "UPDATE", "DELETE"]}]);
    out
}

pub(crate) fn twin(name: &str, standing: SwitchState, reverse: Reverse) -> TwinStatus {
    TwinStatus {
        name: name.into(),
        standing,
        reverse,
        marked: standing != SwitchState::Before || reverse == Reverse::Idle,
        away: None,
    }
}

pub(crate) fn room_of(standing: SwitchState, reverse: Reverse) -> SwitchoverStatus {
    SwitchoverStatus {
        name: "all".into(),
        twins: TWINS.iter().map(|t| twin(t, standing, reverse)).collect(),
        longest_ms: Some(840),
        ..SwitchoverStatus::default()
    }
}

/// Nothing is switched, nobody is in the way.
pub(crate) fn facts() -> SwitchoverStatus {
    room_of(SwitchState::Before, Reverse::Missing)
}

/// Switched by run 17.
pub(crate) fn switched() -> SwitchoverStatus {
    let told = told(Outcome::Applied, None);
    SwitchoverStatus {
        last: Some(told.clone()),
        switched: Some(told),
        ..room_of(SwitchState::Switched, Reverse::On)
    }
}

pub(crate) fn record(outcome: Outcome) -> RunRecord {
    RunRecord {
        operation: "switchover".into(),
        name: "all".into(),
        unit: UNIT,
        rows: 3,
        rows_applied: if outcome == Outcome::Applied { 3 } else { 0 },
        rows_drifted: 0,
        batches: 0,
        ..run("17", outcome)
    }
}

pub(crate) fn told(outcome: Outcome, stage: Option<&str>) -> RoomRun {
    let preflight = Some(vec![Ready::Ok, Ready::Ok, Ready::Warn]);
    RoomRun {
        record: record(outcome),
        stage: stage.map(str::to_owned),
        stages: STEPS.iter().map(|s| (*s).to_owned()).collect(),
        attempt: Some(2),
        held_ms: Some(38),
        compared: Some(12),
        backup: Some(Dumped {
            file: "/var/backups/midwatch/hospitality_run17_20261121_004812.dump".into(),
            bytes: 48_211_007,
            verified: Some("restored".into()),
            ..Dumped::default()
        }),
        asked: SwapParams { budget_ms: Some(250), attempts: Some(12), preflight },
        tried: 0,
        last: None,
        equal_at: None,
        held: None,
    }
}

pub(crate) const STEPS: [&str; 10] = [
    "pre-flight",
    "backup",
    "post-backup",
    "watch/revenues",
    "compare",
    "prepare/revenues",
    "enable",
    "hook-after",
    "monitor",
    "done",
];

pub(crate) fn blocker() -> Blocker {
    Blocker {
        pid: 4711,
        role: "report_ro".into(),
        application: "metabase".into(),
        state: "idle in transaction".into(),
        age_ms: 192_300,
        statement_ms: 181_000,
        query: "SELECT date_trunc('month', occurred_at), sum(amount_cents)\n  FROM revenues GROUP BY 1"
            .into(),
        table: "revenues".into(),
        wrote: false,
        since: "2026-11-21 01:40:00.123+00".into(),
        query_at: None,
        quoted: None,
    }
}

pub(crate) fn writer() -> Blocker {
    Blocker {
        pid: 4712,
        role: "app_rw".into(),
        application: String::new(),
        state: "active".into(),
        age_ms: 8_400,
        statement_ms: 3_100,
        query: "UPDATE expenses SET status = 'paid' WHERE id = 7".into(),
        table: "expenses".into(),
        wrote: true,
        ..blocker()
    }
}

pub(crate) fn swap() -> Swap {
    let tables = TWINS.iter().map(|t| format!("public.{t}"));
    Swap {
        twins: 3,
        tables: tables.clone().chain(tables.map(|t| format!("{t}_partitioned"))).collect(),
        proofs: vec![EqualityQuery { name: "revenues".into(), sql: "select 1".into(), since: None }],
        lock_timeout_ms: 60,
        budget_ms: 250,
        attempts: 12,
        patience_ms: 500,
        wait_s: 600,
        dependents: vec![],
    }
}

pub(crate) fn plan() -> Plan {
    let step = |step_id: &str| {
        let action = match step_id {
            "backup" => Action::Task(Task::new(DUMP_TASK, Dump { tables: vec![], verify: true })),
            "enable" => Action::Task(Task::new(Swap::TASK, swap())),
            "monitor" => Action::Task(Task::new(Monitor::TASK, Monitor { seconds: 10, proofs: vec![] })),
            _ => Action::Statements,
        };
        Step {
            id: step_id.into(),
            title: format!("the step {step_id}"),
            statements: vec![],
            locks: vec![],
            action,
            ..some_plan().steps.remove(0)
        }
    };
    Plan {
        operation: "switchover".into(),
        name: "all".into(),
        target: "hospitality".into(),
        unit: UNIT,
        rows: 3,
        diff: vec![],
        diff_total: 0,
        totals: vec![],
        follow: vec![],
        steps: STEPS.iter().map(|s| step(s)).collect(),
        reversible: Reversible::Full,
        undo: "full: rollback swaps back".into(),
        phrase: PHRASE.into(),
        ..some_plan()
    }
}

/// Connected, its twins looked at.
pub(crate) fn looked(size: (u16, u16), differ: u64, standing: SwitchState) -> App {
    let mut app = crate::fake::app(size);
    app.start();
    app.update(Msg::Connected(Box::new(hospitality())));
    app.update(Msg::Vitals(Ok(Box::new(crate::fake::vitals()))));
    for (i, twin) in TWINS.iter().enumerate() {
        app.update(Msg::Observed(Box::new(parity(twin, if i == 0 { differ } else { 0 }, standing))));
    }
    app
}

pub(crate) fn seen(app: &mut App, facts: SwitchoverStatus) {
    let name = facts.name.clone();
    app.update(Msg::Room { name, result: Ok(Box::new(facts)) });
}

/// The room, looked at.
pub(crate) fn in_room(size: (u16, u16), differ: u64, facts: SwitchoverStatus) -> App {
    let standing = facts.twins[0].standing;
    let mut app = looked(size, differ, standing);
    let effects = keys(&mut app, &["3", "s"]);
    assert_eq!(effects.last(), Some(&Effect::Room("all".into())));
    seen(&mut app, facts);
    app
}

/// Our switchover, just begun.
pub(crate) fn begun(size: (u16, u16)) -> App {
    let mut app = in_room(size, 0, facts());
    let effects = key(&mut app, "d");
    let Some(Effect::Plan { slot, .. }) = effects.last() else { panic!("{effects:?}") };
    app.update(Msg::Planned {
        slot: *slot,
        result: Ok(Box::new(ReviewedPlan { plan: plan(), ..reviewed() })),
    });
    key(&mut app, "c");
    typed(&mut app, PHRASE);
    let effects = key(&mut app, "enter");
    assert!(matches!(&effects[..], [Effect::Apply { .. }]), "{effects:?}");
    app
}

/// Our switchover, with this in its way, ten seconds later.
pub(crate) fn waiting(size: (u16, u16), blockers: Vec<Blocker>, room: Room) -> App {
    let mut app = begun(size);
    app.update(Msg::Tick(later(10)));
    let looked_at = Some(later(9).timestamp_millis());
    app.update(moment("enable", Phase::Waiting, Room { blockers: blockers.clone(), looked_at, ..room }));
    seen(
        &mut app,
        SwitchoverStatus {
            blockers,
            longest_ms: Some(192_300),
            stalled: 2,
            ..room_of(SwitchState::Before, Reverse::Idle)
        },
    );
    app
}

pub(crate) fn notice(app: &App) -> String {
    app.notice.as_ref().map(|n| n.text.clone()).unwrap_or_default()
}

pub(crate) fn asked(effects: &[Effect]) -> (String, String) {
    let Some(Effect::Plan { request, .. }) = effects.last() else { panic!("{effects:?}") };
    let Request::Operation { verb, name, .. } = &**request else { panic!("{request:?}") };
    (verb.clone(), name.clone().unwrap_or_default())
}

#[test]
fn s_leads_to_the_room_of_all_twins_and_w_to_one_of_them() {
    let mut app = looked(SMALL, 0, SwitchState::Before);
    assert_eq!(keys(&mut app, &["3", "enter", "s"]), [Effect::Room("all".into())]);
    assert!(matches!(&app.level().view, View::Room(v) if v.name == "all"));
    seen(&mut app, facts());
    assert_eq!(key(&mut app, "w"), [Effect::Room("revenues".into())]);
    seen(
        &mut app,
        SwitchoverStatus { name: "revenues".into(), twins: vec![facts().twins.remove(0)], ..facts() },
    );
    assert_eq!(asked(&key(&mut app, "d")), ("switchover".into(), "revenues".into()));
    keys(&mut app, &["esc", "w", "esc"]);
    assert!(matches!(app.level().view, View::Twin(_)));
    // In other lists it sorts, and so does S among twins.
    keys(&mut app, &["esc", "S"]);
    assert_eq!(app.level().state.sort, Some((0, false)));
}

#[test]
fn the_room_is_looked_at_while_it_is_open_and_no_longer() {
    let mut app = in_room(SMALL, 0, facts());
    let looks = |effects: &[Effect]| effects.iter().filter(|e| matches!(e, Effect::Room(_))).count();
    assert_eq!(looks(&app.update(Msg::Tick(later(1)))), 1);
    assert_eq!(looks(&app.update(Msg::Tick(later(2)))), 0, "one at a time");
    app.update(Msg::Room {
        name: "all".into(),
        result: Err(failure("failed to read: too many connections")),
    });
    assert_eq!(looks(&app.update(Msg::Tick(later(3)))), 1);
    seen(&mut app, facts());
    key(&mut app, "esc");
    assert_eq!(looks(&app.update(Msg::Tick(later(9)))), 0);
}

#[test]
fn what_comes_next_is_planned_and_what_cannot_says_why() {
    let mut app = in_room(SMALL, 0, facts());
    assert_eq!(asked(&key(&mut app, "d")), ("switchover".into(), "all".into()));
    let mut app = in_room(SMALL, 3, facts());
    assert_eq!(key(&mut app, "d"), []);
    assert!(notice(&app).contains("not ready: revenues: 3 rows differ"), "{}", notice(&app));
    assert_eq!(key(&mut app, "z"), []);
    assert!(notice(&app).contains("nothing is switched over"), "{}", notice(&app));
    for verb in ["d", "z"] {
        let mut app = in_room(SMALL, 0, switched());
        assert_eq!(asked(&key(&mut app, verb)), ("rollback".into(), "all".into()));
    }
    // The list of actions has the whole set first.
    let mut app = in_room(SMALL, 0, facts());
    key(&mut app, "a");
    assert_eq!(screen::choices(&app)[0].name, "all");
    assert_eq!(asked(&key(&mut app, "enter")), ("switchover".into(), "all".into()));
}

#[test]
fn a_switch_is_postponed_and_aborted_by_its_own_words() {
    let mut app = waiting(SMALL, vec![blocker()], Room::default());
    assert_eq!(key(&mut app, "p"), [Effect::Wish(ControlRequest::Pause)]);
    assert!(notice(&app).contains("postponed"), "{}", notice(&app));
    assert_eq!(key(&mut app, "p"), [Effect::Wish(ControlRequest::Go)]);
    assert_eq!(key(&mut app, "x"), []);
    assert_eq!(app.overlay.as_ref().map(|o| o.kind.clone()), Some(OverlayKind::Stop));
    assert!(app.left_behind().contains("have not changed places"), "{}", app.left_behind());
    assert_eq!(key(&mut app, "esc"), []);
    assert_eq!(keys(&mut app, &["x", "enter"]), [Effect::Wish(ControlRequest::Cancel)]);
    app.update(moment("monitor", Phase::Working, Room { held_ms: Some(38), ..Room::default() }));
    assert!(app.left_behind().contains("only looking on ends"), "{}", app.left_behind());
}

#[test]
fn a_session_is_ended_by_its_phrase_and_by_nothing_less() {
    let mut app = waiting(SMALL, vec![blocker(), writer()], Room::default());
    keys(&mut app, &["j", "c"]);
    let asks = |app: &App| matches!(app.overlay.as_ref().map(|o| &o.kind), Some(OverlayKind::End(_)));
    assert!(asks(&app));
    assert_eq!(key(&mut app, "enter"), []);
    for wrong in ["y", "yes", "end 4712", &blocker().phrase()] {
        typed(&mut app, wrong);
        assert_eq!(key(&mut app, "enter"), [], "{wrong}");
        assert!(asks(&app));
        key(&mut app, "ctrl-u");
        app.model.overlay.as_mut().unwrap().input.reset();
    }
    app.update(Msg::Paste(writer().phrase()));
    assert!(notice(&app).contains("pasted"), "{}", notice(&app));
    assert_eq!(key(&mut app, "enter"), []);
    typed(&mut app, &writer().phrase());
    let effects = key(&mut app, "enter");
    assert_eq!(effects, [Effect::EndSession { blocker: Box::new(writer()), typed: writer().phrase() }]);
    assert!(app.overlay.is_none());
}

#[test]
fn nobody_is_ended_without_a_run_of_ours_that_waits() {
    let mut app = in_room(SMALL, 0, SwitchoverStatus { blockers: vec![blocker()], ..facts() });
    assert_eq!(key(&mut app, "c"), []);
    assert!(app.overlay.is_none());
    assert!(notice(&app).contains("only a switchover of ours ends a session"), "{}", notice(&app));
    // Nor when it has ended while one typed.
    let mut app = waiting(SMALL, vec![blocker()], Room::default());
    key(&mut app, "c");
    typed(&mut app, &blocker().phrase());
    app.update(moment("monitor", Phase::Working, Room { held_ms: Some(38), ..Room::default() }));
    assert_eq!(key(&mut app, "enter"), []);
    assert!(notice(&app).contains("left alone"), "{}", notice(&app));
    key(&mut app, "c");
    assert!(notice(&app).contains("have changed places"), "{}", notice(&app));
}

/// What the run has seen and what the console has: the newer counts.
#[test]
fn the_newer_look_tells_who_is_in_the_way() {
    let mut app = waiting(SMALL, vec![blocker()], Room::default());
    assert_eq!(app.blockers(), (&[blocker()][..], Some(later(10))));
    let looked_at = Some(later(11).timestamp_millis());
    app.update(moment(
        "enable",
        Phase::Waiting,
        Room { blockers: vec![writer()], looked_at, ..Room::default() },
    ));
    assert_eq!(app.blockers().0, [writer()]);
}

pub(crate) fn picture(name: &str, app: &App, size: (u16, u16)) {
    insta::assert_snapshot!(format!("{name}-{}x{}", size.0, size.1), draw(app, size));
}

#[test]
fn the_room_before_a_switch() {
    let mut app = looked(SMALL, 0, SwitchState::Before);
    keys(&mut app, &["3", "s"]);
    picture("room-looking", &app, SMALL);
    picture("room-ready", &in_room(SMALL, 0, facts()), SMALL);
    let mut app =
        in_room(SMALL, 3, SwitchoverStatus { blockers: vec![blocker()], hidden: 1, prepared: 1, ..facts() });
    picture("room-not-ready", &app, SMALL);
    app.update(Msg::Vitals(Err(failure("failed to read: the connection was lost"))));
    app.update(Msg::Tick(later(34)));
    picture("room-unknown", &app, SMALL);
    let mut app = in_room(SMALL, 3, facts());
    keys(&mut app, &["esc", "enter"]);
    picture("twin-not-ready", &app, SMALL);
}

#[test]
fn the_room_while_it_waits() {
    for size in [SMALL, LARGE] {
        let app = waiting(size, vec![blocker(), writer()], Room::default());
        picture("room-blocked", &app, size);
    }
    let last = Some("attempt 2: failed to lock the tables: canceling statement due to lock timeout; released, nothing changed".into());
    let attempt = Some((2, 12));
    let mut app = waiting(SMALL, vec![writer()], Room { attempt, last, ..Room::default() });
    picture("room-waiting", &app, SMALL);
    key(&mut app, "c");
    typed(&mut app, "end 4712 app_rw 0");
    picture("room-end", &app, SMALL);
    key(&mut app, "esc");
    key(&mut app, "x");
    picture("room-abort", &app, SMALL);

    let last = Some(
        "attempt 3: the locks would have been held for 311 ms, the budget is 250 ms; released, nothing changed".into(),
    );
    let ended = Some("pid 4711 report_ro was ended".into());
    let app = waiting(
        SMALL,
        vec![],
        Room { attempt: Some((3, 12)), last, ended, compared: 12_345, ..Room::default() },
    );
    picture("room-over-budget", &app, SMALL);
}

#[test]
fn the_room_at_work() {
    let mut app = begun(SMALL);
    picture("room-begun", &app, SMALL);
    app.update(Msg::Tick(later(10)));
    seen(&mut app, room_of(SwitchState::Before, Reverse::Idle));
    app.update(moment("backup", Phase::Working, Room::default()));
    picture("room-backup", &app, SMALL);
    app.update(moment(
        "enable",
        Phase::Working,
        Room { attempt: Some((1, 12)), compared: 42, ..Room::default() },
    ));
    picture("room-enabling", &app, SMALL);
    for size in [SMALL, LARGE] {
        let mut app = begun(size);
        app.update(Msg::Tick(later(10)));
        let last = Some("waited 1 ms, locks held 38 ms".into());
        let room = Room { attempt: Some((2, 12)), held_ms: Some(38), last, compared: 150, ..Room::default() };
        let Msg::Progress(mut p) = moment("monitor", Phase::Working, room) else { panic!() };
        p.eta_s = Some(7);
        app.update(Msg::Progress(p));
        seen(&mut app, switched());
        let slot = app.run_here().unwrap().slot;
        let result = Ok(Box::new(detail(record(Outcome::Running))));
        app.update(Msg::RunDetail { slot, result });
        picture("room-monitoring", &app, size);
        if size == SMALL {
            key(&mut app, "l");
            picture("room-log", &app, size);
        }
    }
}

#[test]
fn the_room_after_a_switch() {
    picture("room-switched", &in_room(SMALL, 0, switched()), SMALL);
    picture("room-lossy", &in_room(SMALL, 7, switched()), SMALL);
    let mut off = switched();
    off.twins[1].reverse = Reverse::Off;
    picture("room-leaking", &in_room(SMALL, 0, off), SMALL);
    let mut gone = switched();
    (gone.switched, gone.last) = (None, None);
    picture("room-not-ours", &in_room(SMALL, 0, gone), SMALL);
    let mut app = in_room(SMALL, 0, switched());
    app.update(Msg::Tick(later(400)));
    seen(&mut app, switched());
    picture("room-stale-report", &app, SMALL);
    let mut app = looked(SMALL, 7, SwitchState::Switched);
    key(&mut app, "3");
    picture("parity-switched", &app, SMALL);
    keys(&mut app, &["j", "enter"]);
    picture("twin-switched", &app, SMALL);
}

#[test]
fn what_came_of_a_switch() {
    let mut app = begun(SMALL);
    app.update(Msg::Tick(later(10)));
    app.update(moment(
        "done",
        Phase::Verifying,
        Room { held_ms: Some(38), attempt: Some((2, 12)), ..Room::default() },
    ));
    for twin in TWINS {
        app.update(Msg::Observed(Box::new(parity(twin, 0, SwitchState::Switched))));
    }
    seen(&mut app, switched());
    let mut over = done(Outcome::Applied);
    (over.applied, over.proof) = (3, vec![("both sides of revenues are equal".into(), Some(0))]);
    app.update(Msg::RunDone(Ok(Some(Box::new(over)))));
    picture("room-applied", &app, SMALL);
}

#[test]
fn a_switch_of_another_operator() {
    let mut app = looked(SMALL, 0, SwitchState::Before);
    app.model.journal.offered = true;
    let live = RunRecord {
        live: true,
        ended_at: None,
        verified: None,
        operator: "kim@ops2".into(),
        message: Some(
            "not tried yet: pid 4711 report_ro idle in transaction for 192.3 s, holds revenues".into(),
        ),
        started_at: start() - TimeDelta::seconds(50),
        ..record(Outcome::Running)
    };
    app.update(journal(vec![live.clone()]));
    let effects = keys(&mut app, &["6", "enter"]);
    let slot =
        effects.iter().find_map(|e| if let Effect::RunDetail { slot, .. } = e { Some(*slot) } else { None });
    let mut read = detail(live.clone());
    read.plan = Some(plan());
    app.update(Msg::RunDetail { slot: slot.unwrap(), result: Ok(Box::new(read)) });
    app.update(Msg::Tick(later(1)));
    let last = RoomRun {
        record: live,
        held_ms: None,
        attempt: None,
        held: Some(HeldBack::NotTried),
        ..told(Outcome::Running, Some("enable"))
    };
    seen(
        &mut app,
        SwitchoverStatus {
            blockers: vec![blocker()],
            last: Some(last),
            ..room_of(SwitchState::Before, Reverse::Idle)
        },
    );
    picture("room-of-another", &app, SMALL);
    assert_eq!(keys(&mut app, &["p", "x", "c"]), []);
}
