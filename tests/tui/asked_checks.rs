//! Comparisons that somebody asks for: in full, gone on with, proving themselves; how they are shown, and what ends them.

use midwatch::engine::check::kind::CheckProgress;
use midwatch::engine::model::param::{ParamSpec, Params};
use midwatch::engine::model::report::{CheckId, Finding, Report, Severity, Status};
use midwatch::features::parity::options::{FULL, RESUME, SELF_TEST};
use midwatch::tui::app::App;
use midwatch::tui::keymap::KeyAction;
use midwatch::tui::model::{Readiness, RollbackOutlook, View};
use midwatch::tui::msg::{Effect, Msg};
use midwatch::tui::screen;
use midwatch::tui::theme::{Depth, Theme};
use serde_json::json;

use crate::fake::{app, failure, id, key, keys, later, offer, report, session, unknown, vitals, wrong};
use crate::pictures::draw;

const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (160, 45);

/// Which keys the look has that is begun.
fn with(param: &ParamSpec) -> Vec<Params> {
    vec![Params::yes(param)]
}

fn observes(param: &ParamSpec) -> Vec<Effect> {
    vec![Effect::Observe(revenues(), Params::yes(param))]
}

fn revenues() -> CheckId {
    id("parity", "revenues")
}

/// Everything has been looked at once; the parity pane is shown.
fn at_parity(size: (u16, u16)) -> App {
    let mut app = app(size);
    app.start();
    let mut with = session();
    with.operations = vec![offer("switchover", "revenues", Some(revenues()))];
    let checks: Vec<CheckId> = with.checks.iter().map(|(id, _)| id.clone()).collect();
    app.update(Msg::Connected(Box::new(with)));
    app.update(Msg::Vitals(Ok(Box::new(vitals()))));
    for check in checks {
        app.update(Msg::Observed(Box::new(report(&check, vec![]))));
    }
    key(&mut app, "3");
    app
}

fn news(done: u64, rows: u64) -> Msg {
    let news = CheckProgress {
        doing: "reading",
        done,
        pieces: 12,
        rows,
        snapshot_at: "2026-11-21T01:46:14Z".into(),
    };
    Msg::CheckNews { id: revenues(), news }
}

fn asked(effects: &[Effect]) -> Vec<Params> {
    effects
        .iter()
        .filter_map(|e| if let Effect::Observe(_, how) = e { Some(how.clone()) } else { None })
        .collect()
}

/// A full comparison of which 3 of 12 pieces are read.
fn comparing(size: (u16, u16)) -> App {
    let mut app = at_parity(size);
    assert_eq!(asked(&key(&mut app, "f")), with(&FULL));
    app.update(Msg::Tick(later(14)));
    app.update(news(3, 17_503_000));
    app
}

/// Nothing is under way any more.
fn all_looked_at(app: &mut App) {
    while let Some(watch) = app.watches.iter().find(|w| w.running.is_some()) {
        let report = report(&watch.id.clone(), vec![]);
        app.update(Msg::Observed(Box::new(report)));
    }
}

fn screen(app: &App) -> Vec<String> {
    draw(app, app.size).split("\n---\n").next().unwrap().lines().map(str::to_owned).collect()
}

fn notice(app: &App) -> &str {
    app.notice.as_ref().map_or("", |n| n.text.as_str())
}

/// A self-test of which one plant was not found.
fn blind() -> Report {
    let message = "UNTRUSTED: of 36 differences planted in a copy 35 were found as what they are (planted, not found: different 7 status)";
    let finding = Finding {
        id: "parity/revenues/self_test".into(),
        severity: Severity::Critical,
        message: message.into(),
        title: None,
        rows: None,
        sample: vec![],
    };
    tested(35, vec![finding])
}

fn tested(found: u64, findings: Vec<Finding>) -> Report {
    let mut out = report(&revenues(), findings);
    out.facts["self_test"] = json!({"planted": 36, "found": found, "not_planted": [], "copy": "400 rows",
        "missed": if found < 36 { json!(["planted, not found: different 7 status"]) } else { json!([]) }});
    out
}

#[test]
fn each_way_of_looking_has_its_key() {
    let mut app = at_parity(SMALL);
    assert_eq!(key(&mut app, "f"), observes(&FULL));
    assert_eq!(notice(&app), "full comparison of revenues; ctrl-c cancels it");
    assert_eq!(key(&mut app, "T"), []);
    assert_eq!(notice(&app), "self-test: its full comparison is going on: ctrl-c cancels it");
    app.update(Msg::Observed(Box::new(report(&revenues(), vec![]))));
    assert_eq!(notice(&app), "full comparison of revenues: all is well");
    assert_eq!(key(&mut app, "T"), observes(&SELF_TEST));
    // From a twin's own page as well.
    app.update(Msg::Observed(Box::new(tested(36, vec![]))));
    key(&mut app, "enter");
    assert_eq!(key(&mut app, "f"), observes(&FULL));
}

#[test]
fn what_makes_no_sense_is_disabled_and_says_why() {
    let mut app = at_parity(SMALL);
    let why = |app: &App, action| screen::why_not(app, action);
    assert_eq!(why(&app, KeyAction::GoOn).as_deref(), Some("no comparison of it was cut off"));
    assert_eq!((why(&app, KeyAction::Full), why(&app, KeyAction::SelfTest)), (None, None));
    let mut unsealed = report(&revenues(), vec![]);
    unsealed.facts["unsealed"] = json!("no write marker");
    app.update(Msg::Observed(Box::new(unsealed)));
    assert_eq!(why(&app, KeyAction::Full).as_deref(), Some("nothing of it is sealed: r reads all of it"));
    let mut alone = report(&revenues(), vec![]);
    alone.facts["legacy_rows"] = json!(null);
    app.update(Msg::Observed(Box::new(alone)));
    for action in [KeyAction::Full, KeyAction::GoOn, KeyAction::SelfTest] {
        assert_eq!(
            why(&app, action).as_deref(),
            Some("there is no legacy table to compare it with"),
            "{action:?}"
        );
    }
    app.update(Msg::Vitals(Err(failure("lost"))));
    assert_eq!(why(&app, KeyAction::SelfTest).as_deref(), Some("there is no connection"));
    // Elsewhere these keys mean nothing.
    key(&mut app, "4");
    assert_eq!(keys(&mut app, &["f", "T"]), []);
}

#[test]
fn one_that_finds_no_session_free_waits_and_comes_first() {
    let mut app = at_parity(SMALL);
    app.update(Msg::Tick(later(60)));
    let running: Vec<CheckId> =
        app.watches.iter().filter(|w| w.running.is_some()).map(|w| w.id.clone()).collect();
    assert_eq!(running.len(), 2);
    // It is itself looked at by the console: the look that is asked for follows.
    assert!(running.contains(&revenues()));
    assert_eq!(key(&mut app, "T"), []);
    assert_eq!(
        screen::why_not(&app, KeyAction::Full).as_deref(),
        Some("its self-test is asked for already"),
        "{:?}",
        app.notice
    );
    assert_eq!(asked(&app.update(Msg::Observed(Box::new(report(&revenues(), vec![]))))), with(&SELF_TEST));
    // Nothing to wait for while looking by itself is paused.
    app.update(Msg::Observed(Box::new(tested(36, vec![]))));
    all_looked_at(&mut app);
    key(&mut app, "p");
    assert_eq!(asked(&key(&mut app, "T")), with(&SELF_TEST));
}

#[test]
fn cancelled_it_can_be_gone_on_with_and_nothing_begins_anew_by_itself() {
    let mut app = comparing(SMALL);
    assert_eq!(key(&mut app, "ctrl-c"), [Effect::CancelLook(revenues())]);
    assert_eq!(notice(&app), "cancelled: full comparison of revenues; what was known before stands");
    assert!(app.overlay.is_none());
    app.update(Msg::Tick(later(10_000)));
    assert!(app.watch(&revenues()).unwrap().running.is_none(), "a look by itself would lose what is kept");
    all_looked_at(&mut app);
    assert_eq!(key(&mut app, "c"), observes(&RESUME));
    // Cut off again before its next piece: what was kept is still there.
    assert_eq!(key(&mut app, "ctrl-c"), [Effect::CancelLook(revenues())]);
    assert_eq!(key(&mut app, "c"), observes(&RESUME));
    app.update(Msg::Observed(Box::new(report(&revenues(), vec![]))));
    assert_eq!(screen::why_not(&app, KeyAction::GoOn).as_deref(), Some("no comparison of it was cut off"));

    let mut app = comparing(SMALL);
    key(&mut app, "ctrl-c");
    assert_eq!(asked(&key(&mut app, "r")), [Params::default()], "it begins anew where that is asked for");
}

#[test]
fn one_that_an_earlier_console_left_is_offered() {
    let mut app = app(SMALL);
    app.start();
    let mut with = session();
    with.unfinished = vec![revenues()];
    let effects = app.update(Msg::Connected(Box::new(with)));
    assert!(!effects.contains(&Effect::Observe(revenues(), Params::default())), "{effects:?}");
    app.update(Msg::Observed(Box::new(report(&id("migrations", "hithonix"), vec![]))));
    key(&mut app, "3");
    assert_eq!(screen::why_not(&app, KeyAction::GoOn), None);
    assert!(screen(&app)[3].contains("cut off earlier: c goes on with it, r begins anew"));
}

#[test]
fn a_lost_connection_cuts_it_off_and_the_next_look_begins_by_itself() {
    let mut app = comparing(SMALL);
    app.update(Msg::Vitals(Err(failure("lost"))));
    app.update(Msg::Connected(Box::new(session())));
    assert!(app.watch(&revenues()).unwrap().running.is_some());
    // A report without a verdict is a cut as well.
    let mut app = comparing(SMALL);
    app.update(Msg::Observed(Box::new(unknown(&revenues()))));
    assert_eq!(screen::why_not(&app, KeyAction::GoOn), None);
}

#[test]
fn untrusted_stays_until_a_self_test_finds_everything() {
    let mut app = at_parity(SMALL);
    key(&mut app, "T");
    app.update(Msg::Observed(Box::new(blind())));
    assert!(app.notice.as_ref().unwrap().bad);
    // What the console sees by itself afterwards is compared by the same blind comparison.
    app.update(Msg::Observed(Box::new(report(&revenues(), vec![]))));
    let watch = app.watch(&revenues()).unwrap();
    assert_eq!(watch.report.as_ref().unwrap().status, Status::Fail);
    assert!(screen(&app).iter().any(|l| l.contains("✖ UNTRUSTED  revenues")), "{:#?}", screen(&app));
    assert!(
        screen(&app)[3].contains("✖ UNTRUSTED: self-test now: 35 of 36 planted differences found"),
        "{:#?}",
        screen(&app)
    );
    assert!(screen(&app)[1].contains("3 Parity ✖1"));
    assert!(matches!(app.readiness("revenues"), Readiness::Not(why) if why.iter().any(|w| w == "UNTRUSTED")));
    let mut switched = report(&revenues(), vec![]);
    switched.facts["standing"] = json!("switched");
    app.update(Msg::Observed(Box::new(switched)));
    assert!(
        matches!(app.rollback_outlook("revenues", None), RollbackOutlook::Unknown(why) if why.starts_with("UNTRUSTED"))
    );
    key(&mut app, "T");
    app.update(Msg::Observed(Box::new(tested(36, vec![]))));
    assert_eq!(app.watch(&revenues()).unwrap().report.as_ref().unwrap().status, Status::Ok);
    app.update(Msg::Observed(Box::new(report(&revenues(), vec![]))));
    assert!(screen(&app)[3].contains("✓ self-test now: 36 of 36 found"), "{:#?}", screen(&app));
}

#[test]
fn untrusted_is_told_without_colour() {
    let mut app = at_parity(SMALL);
    app.model.theme = Theme::new(Depth::Mono, true);
    key(&mut app, "T");
    app.update(Msg::Observed(Box::new(blind())));
    assert!(screen(&app).iter().filter(|l| l.contains("UNTRUSTED")).count() >= 2, "{:#?}", screen(&app));
}

#[test]
fn nothing_moves_while_it_runs() {
    for enter in [false, true] {
        let mut app = at_parity(SMALL);
        if enter {
            key(&mut app, "enter");
        }
        let lines = |app: &App| -> Vec<String> {
            let screen = screen(app);
            // Its own line, its row's age at the right, and the status are what may change.
            let live = if enter { 4 } else { 3 };
            let kept = screen[..22].iter().enumerate().filter(|(i, _)| *i != live);
            kept.map(|(_, l)| l.chars().take(60).collect()).collect()
        };
        let before = lines(&app);
        key(&mut app, "f");
        assert_eq!(lines(&app), before);
        app.update(news(0, 0));
        assert_eq!(lines(&app), before);
        app.update(news(3, 17_503_000));
        assert_eq!(lines(&app), before);
        let naming = CheckProgress { doing: "naming the rows that differ", ..CheckProgress::default() };
        app.update(Msg::CheckNews { id: revenues(), news: naming });
        assert_eq!(lines(&app), before);
        key(&mut app, "ctrl-c");
        assert_eq!(lines(&app), before);
    }
}

#[test]
fn news_of_a_look_that_has_ended_are_dropped() {
    let mut app = comparing(SMALL);
    key(&mut app, "ctrl-c");
    app.update(news(4, 20_000_000));
    assert_eq!(app.watch(&revenues()).unwrap().asked_check.news, None);
}

#[test]
fn pictures() {
    for size in [SMALL, LARGE] {
        let name = |what: &str| format!("{what}-{}x{}", size.0, size.1);
        let mut app = comparing(size);
        insta::assert_snapshot!(name("parity-comparing"), draw(&app, size));
        key(&mut app, "enter");
        insta::assert_snapshot!(name("twin-comparing"), draw(&app, size));
        key(&mut app, "ctrl-c");
        app.update(Msg::Tick(later(26)));
        insta::assert_snapshot!(name("twin-cut-off"), draw(&app, size));
        key(&mut app, "enter");
        assert!(matches!(app.level().view, View::Partitions(_)), "{:?}", app.level().view);
        insta::assert_snapshot!(name("twin-partitions"), draw(&app, size));
        let mut app = at_parity(size);
        app.update(Msg::Observed(Box::new(wrong(&revenues(), Severity::Critical))));
        key(&mut app, "T");
        app.update(Msg::Observed(Box::new(blind())));
        insta::assert_snapshot!(name("parity-untrusted"), draw(&app, size));
        key(&mut app, "enter");
        insta::assert_snapshot!(name("twin-untrusted"), draw(&app, size));
        key(&mut app, "?");
        insta::assert_snapshot!(name("twin-help"), draw(&app, size));
    }
}
