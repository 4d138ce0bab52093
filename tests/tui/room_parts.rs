//! The room where its twins do not all stand alike, or where others are at work.

use midwatch::engine::model::progress::Phase;
use midwatch::engine::model::record::{Outcome, RunRecord};
use midwatch::features::parity::pair::SwitchState;
use midwatch::features::parity::pair::retired::RetiredTable;
use midwatch::features::switchover::status::{HeldBack, Reverse, SwitchoverStatus};
use midwatch::tui::msg::{Effect, Msg};
use midwatch::tui::screen;

use crate::fake::{key, keys, start};
use crate::handmade::{detail, journal};
use crate::pictures::draw;
use crate::room::{
    LARGE, SMALL, asked, begun, blocker, facts, in_room, looked, notice, parity, room_of, seen, switched,
    told, twin, waiting, writer,
};
use crate::switchover_moments::{Room, moment};

fn picture(name: &str, app: &midwatch::tui::app::App, size: (u16, u16)) {
    insta::assert_snapshot!(format!("{name}-{}x{}", size.0, size.1), draw(app, size));
}

fn away(twin: &str) -> RetiredTable {
    let table = format!("{twin}_to_drop");
    RetiredTable {
        table,
        run: Some("18".into()),
        since: Some(start() - chrono::TimeDelta::minutes(3)),
        unread: None,
    }
}

/// All were cleaned up by run 18.
fn put_away() -> SwitchoverStatus {
    let mut out = room_of(SwitchState::Cleaned, Reverse::Missing);
    for twin in &mut out.twins {
        twin.away = Some(away(&twin.name));
    }
    out
}

#[test]
fn what_is_put_away_is_not_said_to_be_gone() {
    for size in [SMALL, LARGE] {
        picture("room-put-away", &in_room(size, 0, put_away()), size);
    }
    let mut app = looked(SMALL, 0, SwitchState::Cleaned);
    let mut report = parity("revenues", 0, SwitchState::Cleaned);
    report.facts["away"] = serde_json::to_value(away("revenues")).unwrap();
    app.update(midwatch::tui::msg::Msg::Observed(Box::new(report)));
    keys(&mut app, &["3"]);
    let listed = draw(&app, SMALL);
    assert!(listed.contains("put away") && listed.contains("none"), "{listed}");
    key(&mut app, "enter");
    picture("twin-put-away", &app, SMALL);
}

/// Of three only `expenses` is switched, by run 17.
fn in_part() -> SwitchoverStatus {
    let mut out = room_of(SwitchState::Before, Reverse::Missing);
    out.twins[1] = twin("expenses", SwitchState::Switched, Reverse::On);
    let mut told = told(Outcome::Applied, None);
    told.record.name = "expenses".into();
    SwitchoverStatus { last: Some(told.clone()), switched: Some(told), ..out }
}

#[test]
fn a_twin_that_is_not_switched_is_not_missed_by_reverse_sync() {
    for size in [SMALL, LARGE] {
        picture("room-in-part", &in_room(size, 0, in_part()), size);
    }
    let shown = |facts| draw(&in_room(SMALL, 0, facts), SMALL);
    assert!(shown(in_part()).contains("on for expenses: the retired side"), "{}", shown(in_part()));
    let mut silent = in_part();
    silent.twins[1].reverse = Reverse::Missing;
    assert!(shown(silent.clone()).contains("missing: expenses\n"), "{}", shown(silent));
    assert!(shown(put_away()).contains("ended by the cleanup"), "{}", shown(put_away()));
}

#[test]
fn of_a_set_switched_in_part_d_plans_the_rest_and_z_takes_back_what_is_switched() {
    let mut app = in_room(SMALL, 0, in_part());
    assert_eq!(asked(&key(&mut app, "d")), ("switchover".into(), "revenues,daily_cash_balances".into()));
    let mut app = in_room(SMALL, 0, in_part());
    assert_eq!(asked(&key(&mut app, "z")), ("rollback".into(), "expenses".into()));
    key(&mut app, "esc");
    let mut app = in_room(SMALL, 0, in_part());
    key(&mut app, "a");
    let names: Vec<String> = screen::choices(&app).into_iter().take(2).map(|c| c.name).collect();
    assert_eq!(names, ["revenues,daily_cash_balances", "expenses"]);
    // What is not equal stops the rest, not the way back; and the other way round.
    let mut app = in_room(SMALL, 3, in_part());
    assert_eq!(key(&mut app, "d"), []);
    assert!(notice(&app).contains("not ready: revenues: 3 rows differ"), "{}", notice(&app));
    for verb in ["d", "z"] {
        let mut app = in_room(SMALL, 0, put_away());
        assert_eq!(key(&mut app, verb), []);
        let said =
            if verb == "d" { "switched over and cleaned up" } else { "midwatch undo 18 brings it back" };
        assert!(notice(&app).contains(said), "{}", notice(&app));
    }
}

#[test]
fn only_what_is_done_is_said_while_it_waits() {
    let mut app = waiting(SMALL, vec![], Room::default());
    let shown = draw(&app, SMALL);
    assert!(shown.contains("nothing written since was compared yet"), "{shown}");
    assert!(!shown.contains("0 rows written since"), "{shown}");
    let room = Room { compared: 12, differing: 1, ..Room::default() };
    app.update(moment("enable", Phase::Waiting, room));
    let shown = draw(&app, SMALL);
    assert!(shown.contains("12 rows written since and compared, 1 differs"), "{shown}");
    key(&mut app, "p");
    app.update(moment("enable", Phase::Paused, Room::default()));
    picture("room-postponed", &app, SMALL);
    let shown = draw(&app, SMALL);
    assert!(!shown.contains("waiting for ACCESS"), "{shown}");
    let mut app = begun(SMALL);
    app.update(moment("prepare/revenues", Phase::Working, Room::default()));
    seen(&mut app, room_of(SwitchState::Before, Reverse::Missing));
    picture("room-preparing", &app, SMALL);
    assert!(draw(&app, SMALL).contains("PREPARE"), "{}", draw(&app, SMALL));
    // What was seen before the swap is not said after it.
    app.update(moment("monitor", Phase::Working, Room { held_ms: Some(30), ..Room::default() }));
    let shown = draw(&app, SMALL);
    assert!(shown.contains("just switched") && !shown.contains("not made yet"), "{shown}");
    let lossy = draw(&in_room(SMALL, 1, crate::room::switched()), SMALL);
    assert!(lossy.contains("lossy: 1 row differs"), "{lossy}");
}

#[test]
fn marked_twins_are_the_set_of_the_room() {
    let mut app = looked(SMALL, 0, SwitchState::Before);
    let effects = keys(&mut app, &["3", "space", "space", "s"]);
    assert_eq!(effects.last(), Some(&Effect::Room("revenues,expenses".into())));
    let mut set = room_of(SwitchState::Before, Reverse::Missing);
    set.name = "revenues,expenses".into();
    set.twins.truncate(2);
    seen(&mut app, set);
    picture("room-marked", &app, SMALL);
    assert_eq!(asked(&key(&mut app, "d")), ("switchover".into(), "revenues,expenses".into()));
    // All of them are the set that has a name.
    let mut app = looked(SMALL, 0, SwitchState::Before);
    let effects = keys(&mut app, &["3", "*", "s"]);
    assert_eq!(effects.last(), Some(&Effect::Room("all".into())));
}

#[test]
fn a_set_that_others_are_switching_is_not_called_ready() {
    let mut told = told(Outcome::Running, Some("prepare/expenses"));
    (told.record.name, told.record.live, told.record.ended_at) = ("expenses".into(), true, None);
    (told.held_ms, told.attempt) = (None, None);
    let facts = SwitchoverStatus { last: Some(told), ..room_of(SwitchState::Before, Reverse::Idle) };
    for size in [SMALL, LARGE] {
        picture("room-elsewhere", &in_room(size, 0, facts.clone()), size);
    }
    let mut app = in_room(SMALL, 0, facts.clone());
    for verb in ["d", "z"] {
        assert_eq!(key(&mut app, verb), []);
        let said = "run 17 (switchover expenses) is going on, by dana@ops1, at prepare/expenses";
        assert!(notice(&app).contains(said), "{}", notice(&app));
    }
    // Over: it counts no longer.
    let mut over = facts;
    over.last.as_mut().unwrap().record.live = false;
    seen(&mut app, over);
    assert_eq!(asked(&key(&mut app, "d")), ("switchover".into(), "all".into()));
}

/// What a headless run of others has come to, seen from the room: as of one of ours.
#[test]
fn a_run_of_others_is_shown_as_one_of_ours() {
    let mut run = told(Outcome::Running, Some("enable"));
    (run.record.live, run.record.ended_at, run.held_ms, run.attempt) = (true, None, None, None);
    run.record.message = Some("not tried yet: pid 4711 report_ro idle in transaction for 192.3 s".into());
    run.held = Some(HeldBack::NotTried);
    (run.tried, run.equal_at) = (2, Some(start() - chrono::TimeDelta::seconds(4)));
    run.last = Some("attempt 2: locks not free within 60 ms; released, nothing changed".into());
    let facts = |run| SwitchoverStatus {
        blockers: vec![crate::room::blocker()],
        last: Some(run),
        ..room_of(SwitchState::Before, Reverse::Idle)
    };
    for size in [SMALL, LARGE] {
        picture("room-headless", &in_room(size, 0, facts(run.clone())), size);
    }
    let shown = draw(&in_room(SMALL, 0, facts(run.clone())), SMALL);
    for said in [
        "budget 250 ms",
        "attempt 3 of 12",
        "not tried while they are there",
        "attempt 2: locks",
        "preflight",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    let mut back = run;
    (back.record.operation, back.record.undoes) = ("undo".into(), Some("16".into()));
    let steps = ["pre-rollback", "compare", "swap-back", "hook-after", "monitor", "rolled-back"];
    back.stages = steps.iter().map(|s| (*s).to_owned()).collect();
    back.stage = Some("compare".into());
    let shown = draw(&in_room(SMALL, 0, facts(back)), SMALL);
    assert!(shown.contains("ROLLBACK  ") && !shown.contains("partitioned twins"), "{shown}");
}

#[test]
fn a_switch_that_broke_off_comes_before_a_new_one() {
    let mut run = told(Outcome::Running, Some("enable"));
    (run.record.resumable, run.record.ended_at, run.held_ms, run.attempt) = (true, None, None, None);
    run.record.started_at = start() - chrono::TimeDelta::seconds(74);
    run.record.beat_at = Some(start() - chrono::TimeDelta::seconds(20));
    let facts = SwitchoverStatus { last: Some(run), ..room_of(SwitchState::Before, Reverse::Idle) };
    let mut app = in_room(SMALL, 0, facts);
    let shown = draw(&app, SMALL);
    assert!(shown.contains("run 17 broke off at ENABLE, 20 s ago") && !shown.contains("74 s"), "{shown}");
    assert!(shown.contains("a goes on with it") && !shown.contains("✓ ready"), "{shown}");
    keys(&mut app, &["a", "enter"]);
    let shown = draw(&app, SMALL);
    assert!(shown.contains("Go on with run 17?"), "{shown}");
}

/// Read from the Runs pane, long after others came: nothing of it is in the room's look any more.
#[test]
fn of_a_run_that_failed_in_a_hook_the_swap_is_done() {
    let mut app = looked(SMALL, 0, SwitchState::Before);
    app.model.journal.offered = true;
    let mut record = told(Outcome::Partial, None).record;
    record.rows_applied = 3;
    app.update(journal(vec![record.clone()]));
    let effects = keys(&mut app, &["6", "enter"]);
    let slot =
        effects.iter().find_map(|e| if let Effect::RunDetail { slot, .. } = e { Some(*slot) } else { None });
    let mut read = detail(record);
    (read.plan, read.at) = (Some(crate::room::plan()), Some(7));
    app.update(Msg::RunDetail { slot: slot.unwrap(), result: Ok(Box::new(read)) });
    seen(&mut app, room_of(SwitchState::Switched, Reverse::On));
    let shown = draw(&app, SMALL);
    assert!(shown.contains("enable ✓") && shown.contains("hook ✖"), "{shown}");
    assert!(!shown.contains("preflight ✖"), "{shown}");
}

#[test]
fn a_rehearsal_offers_no_way_back() {
    let rehearsal = |operation: &str| RunRecord {
        operation: operation.into(),
        reversible: "full".into(),
        ..told(Outcome::Applied, None).record
    };
    for (operation, offered) in [("rehearse", false), ("switchover", true)] {
        let mut app = looked(SMALL, 0, SwitchState::Before);
        app.model.journal.offered = true;
        app.update(journal(vec![rehearsal(operation)]));
        key(&mut app, "6");
        // The line of keys has it always, the run's own line where it is offered.
        let said = draw(&app, SMALL).matches("z undo").count();
        assert_eq!(said, 1 + usize::from(offered), "{}", draw(&app, SMALL));
        assert_eq!(key(&mut app, "z").is_empty(), !offered);
        assert_eq!(notice(&app).contains("a copy only"), !offered, "{}", notice(&app));
    }
}

#[test]
fn a_small_window_cuts_nothing_off_without_a_word() {
    let mut app = looked(SMALL, 7, SwitchState::Switched);
    keys(&mut app, &["3", "enter"]);
    let shown = draw(&app, SMALL);
    assert!(shown.contains("snapshot 00000A30-1") && shown.contains("stale 0"), "{shown}");
    let small = (80, 14);
    app.update(midwatch::tui::msg::Msg::Resize(small.0, small.1));
    let shown = draw(&app, small);
    assert!(shown.contains("more: a larger window shows them"), "{shown}");
    let shown = draw(&in_room(SMALL, 0, in_part()), SMALL);
    assert!(
        shown.contains("hospitality_run17_20261121_004812.dump") && shown.contains("ago by dana"),
        "{shown}"
    );
    let mut app = in_room(SMALL, 0, in_part());
    key(&mut app, "c");
    let shown = draw(&app, SMALL);
    assert!(shown.contains("ends a session: none is going on"), "{shown}");
}

/// It is no session that keeps it: nobody stands above to be named.
#[test]
fn a_switch_that_no_commit_would_end_says_why_it_waits() {
    let mut app = begun(SMALL);
    let Msg::Progress(mut now) = moment("enable", Phase::Waiting, Room::default()) else { unreachable!() };
    let why = "no commit ends: each waits for 1 synchronous standby";
    (now.waiting, now.not_tried) = (Some(why.into()), true);
    app.update(Msg::Progress(now));
    let screen = draw(&app, SMALL);
    assert!(screen.contains("held back") && screen.contains("no commit ends"), "{screen}");
}

#[test]
fn the_room_at_any_size_and_without_colour() {
    use midwatch::tui::theme::{Depth, Theme};
    let mut apps = vec![in_room(SMALL, 3, facts()), in_room(SMALL, 0, switched())];
    apps.push(waiting(SMALL, vec![blocker(), writer()], Room::default()));
    for app in &mut apps {
        for size in [(1, 1), (40, 10), (41, 11), (79, 12), (500, 11), (40, 200)] {
            app.update(Msg::Resize(size.0, size.1));
            draw(app, size);
        }
        app.model.theme = Theme::new(Depth::Mono, true);
        app.update(Msg::Resize(SMALL.0, SMALL.1));
        let picture = draw(app, SMALL);
        assert!(!picture.rsplit("---\n").next().unwrap_or_default().contains('#'), "{picture}");
    }
}
