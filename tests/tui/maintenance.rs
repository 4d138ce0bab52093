//! Changing something: what plans, what applies, and above all what does not.

use midwatch::engine::model::error::{Class, Error};
use midwatch::engine::model::param::Params;
use midwatch::engine::model::progress::{ControlRequest, Phase};
use midwatch::engine::model::record::Outcome;
use midwatch::engine::model::report::Severity;
use midwatch::engine::plan::request::{PlanNews, Request};
use midwatch::tui::app::App;
use midwatch::tui::data::{Journal, TypedConfirmation};
use midwatch::tui::model::{OverlayKind, Stage, View};
use midwatch::tui::msg::{Effect, ExportRows, Key, Msg};
use midwatch::tui::screen;

use crate::fake::{connected, failure, id, key, keys, later, offer, page, session, source, typed, wrong};
use crate::handmade::{
    PHRASE, broken, detail, done, journal, live, plan, planned, planning, progress, reviewed, run, running,
    strict, with_plan,
};

use crate::room::notice;

const SIZE: (u16, u16) = (80, 24);

fn said(app: &App) -> String {
    app.plan_here().and_then(|v| v.confirm.as_ref()?.said.clone()).unwrap_or_default()
}

fn applies(effects: &[Effect]) -> bool {
    effects.iter().any(|e| matches!(e, Effect::Apply { .. } | Effect::Resume(_)))
}

fn request(verb: &str, name: &str, params: &[(&str, &str)]) -> Request {
    let params = params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Request::Operation { verb: verb.into(), name: Some(name.into()), params: Params(params) }
}

fn asked(effects: &[Effect]) -> Request {
    let Some(Effect::Plan { request, .. }) = effects.last() else { panic!("{effects:?}") };
    (**request).clone()
}

/// With operations on the queue, which can be narrowed down.
fn with_queue() -> App {
    let mut app = connected(SIZE);
    let mut with = session();
    let queue = || Some(id("queue", "keka-sync"));
    let mut resolve = offer("resolve", "keka-sync", queue());
    resolve.asks =
        vec![("reason", "why are they given up?".into()), ("to", "to what state? [SKIPPED]".into())];
    with.operations.extend([offer("requeue", "keka-sync", queue()), resolve]);
    app.update(Msg::Connected(Box::new(with)));
    app.update(Msg::Observed(Box::new(wrong(&id("queue", "keka-sync"), Severity::Critical))));
    app
}

#[test]
fn d_on_a_rule_plans_what_mends_it() {
    let mut app = connected(SIZE);
    app.update(Msg::Observed(Box::new(wrong(&id("anomalies", "date_mismatch"), Severity::Critical))));
    let effects = keys(&mut app, &["5", "d"]);
    assert_eq!(asked(&effects), request("backfill", "business_date_ist", &[]));
    assert!(matches!(app.level().view, View::Plan(_)));
    // The rule that nothing mends says so.
    keys(&mut app, &["esc", "j", "d"]);
    assert!(notice(&app).contains("no operation mends this"), "{}", notice(&app));
}

#[test]
fn several_operations_are_a_choice_and_the_cause_goes_with_it() {
    let mut app = with_queue();
    keys(&mut app, &["4", "/"]);
    typed(&mut app, "503");
    keys(&mut app, &["enter"]);
    assert_eq!(key(&mut app, "d"), []);
    assert_eq!(app.overlay.as_ref().map(|o| o.kind.clone()), Some(OverlayKind::Actions));
    assert_eq!(
        asked(&key(&mut app, "enter")),
        request("requeue", "keka-sync", &[("finding", "failed/ab12cd34")])
    );
}

#[test]
fn what_must_be_known_is_asked_first() {
    let mut app = with_queue();
    keys(&mut app, &["4", "a", "down"]);
    assert_eq!(key(&mut app, "enter"), []);
    let Some(OverlayKind::Ask(ask)) = app.overlay.as_ref().map(|o| &o.kind) else { panic!() };
    assert_eq!(
        ask.fields[1].answer, "SKIPPED",
        "what stands in brackets is the answer unless another is given"
    );
    assert_eq!(key(&mut app, "enter"), [], "an empty answer is none");
    assert!(notice(&app).contains("must be given"));
    typed(&mut app, "no such employee");
    assert_eq!(key(&mut app, "enter"), [], "the next question");
    let wanted = [("finding", "exhausted"), ("reason", "no such employee"), ("to", "SKIPPED")];
    assert_eq!(asked(&key(&mut app, "enter")), request("resolve", "keka-sync", &wanted));
}

#[test]
fn marked_rows_are_planned_by_their_keys() {
    let mut app = with_queue();
    let opened = keys(&mut app, &["4", "enter"]);
    let Some(Effect::Open { slot, .. }) = opened.last() else { panic!("{opened:?}") };
    let request_of_rows = midwatch::engine::check::paging::PageRequest {
        source: source(),
        filter: None,
        sort: None,
        at: midwatch::engine::check::paging::At::First,
        limit: 200,
        count: true,
        whole: false,
    };
    app.update(Msg::Page {
        slot: *slot,
        request: Box::new(Some(request_of_rows)),
        result: Ok(Box::new(page(0, 9, Some(9), true))),
    });
    keys(&mut app, &["space", "space", "d"]);
    let wanted = [("finding", "exhausted"), ("ids", "0,1")];
    assert_eq!(asked(&key(&mut app, "enter")), request("requeue", "keka-sync", &wanted));
}

#[test]
fn an_operation_that_takes_no_single_rows_says_so() {
    let (mut app, slot) = {
        let mut app = connected(SIZE);
        let mut with = session();
        with.operations[0].takes_rows = false;
        app.update(Msg::Connected(Box::new(with)));
        app.update(Msg::Observed(Box::new(wrong(&id("anomalies", "date_mismatch"), Severity::Critical))));
        let opened = keys(&mut app, &["5", "enter"]);
        let Some(Effect::Open { slot, .. }) = opened.last() else { panic!("{opened:?}") };
        let slot = *slot;
        (app, slot)
    };
    let at_first = midwatch::engine::check::paging::PageRequest {
        source: source(),
        filter: None,
        sort: None,
        at: midwatch::engine::check::paging::At::First,
        limit: 200,
        count: true,
        whole: false,
    };
    let result = Ok(Box::new(page(0, 9, Some(9), true)));
    app.update(Msg::Page { slot, request: Box::new(Some(at_first)), result });
    assert_eq!(keys(&mut app, &["space", "d"]), []);
    assert!(notice(&app).contains("takes no single rows"), "{}", notice(&app));
}

#[test]
fn the_action_list_says_why_not_and_stays() {
    let mut app = connected(SIZE);
    let mut with = session();
    with.operations[0].disabled = Some("trigger x would undo it".into());
    app.update(Msg::Connected(Box::new(with)));
    keys(&mut app, &["a"]);
    assert_eq!(key(&mut app, "enter"), []);
    assert!(notice(&app).contains("trigger x would undo it"));
    assert_eq!(app.overlay.as_ref().map(|o| o.kind.clone()), Some(OverlayKind::Actions));
}

#[test]
fn the_phrase_and_nothing_else_applies() {
    let (mut app, _) = with_plan(SIZE, reviewed());
    // Before the line is open, no key at all.
    for name in ["enter", "y", "enter", "Y", "space", "d", "a"] {
        assert!(!applies(&key(&mut app, name)), "{name}");
        if app.overlay.is_some() {
            key(&mut app, "esc");
        }
    }
    while !matches!(app.level().view, View::Plan(_)) {
        key(&mut app, "esc");
    }
    assert_eq!(key(&mut app, "c"), []);
    for wrong in [
        "",
        "y",
        "yes",
        "backfill hithonix 812 b000",
        "Backfill hithonix 812 a3f9",
        "backfill hithonix 812 a3f9 ",
    ] {
        keys(&mut app, &["ctrl-u"]);
        typed(&mut app, wrong);
        assert_eq!(key(&mut app, "enter"), [], "{wrong:?}");
        assert!(said(&app).contains("the phrase"), "{wrong:?}: {}", said(&app));
    }
    keys(&mut app, &["ctrl-u"]);
    typed(&mut app, PHRASE);
    let typed_words = TypedConfirmation { phrase: PHRASE.into(), database: None };
    assert_eq!(key(&mut app, "enter"), [Effect::Apply { plan: "p1".into(), typed: typed_words }]);
    assert!(app.run_going().is_some());
    assert!(matches!(app.level().view, View::Run(_)));
}

#[test]
fn a_wrong_phrase_shows_where_it_differs() {
    let (mut app, _) = with_plan(SIZE, reviewed());
    key(&mut app, "c");
    typed(&mut app, "backfill hithonix 811");
    key(&mut app, "enter");
    assert!(said(&app).contains("character 21"), "{}", said(&app));
    // Typing on takes the remark away; the picture goes on showing where it differs.
    typed(&mut app, "x");
    assert_eq!(said(&app), "");
}

#[test]
fn a_paste_is_refused() {
    let (mut app, _) = with_plan(SIZE, reviewed());
    key(&mut app, "c");
    assert_eq!(app.update(Msg::Paste(PHRASE.into())), []);
    assert!(said(&app).contains("pasted text is not taken"));
    assert_eq!(key(&mut app, "enter"), []);
    assert!(app.run.is_none());
    assert_eq!(app.plan_here().unwrap().confirm.as_ref().unwrap().phrase.value(), "");
}

#[test]
fn esc_leaves_and_nothing_happens() {
    let (mut app, _) = with_plan(SIZE, reviewed());
    key(&mut app, "c");
    typed(&mut app, PHRASE);
    assert_eq!(key(&mut app, "esc"), [], "the line closes");
    assert!(app.plan_here().is_some_and(|v| v.confirm.is_none()));
    assert_eq!(key(&mut app, "enter"), []);
    // What was typed is gone with it.
    key(&mut app, "c");
    assert_eq!(key(&mut app, "enter"), []);
    key(&mut app, "esc");
    assert_eq!(key(&mut app, "esc"), [Effect::Discard("p1".into())]);
    assert!(app.plans.is_empty() && app.run.is_none());
    // The way back through the views does not bring it back.
    key(&mut app, "[");
    assert!(!matches!(app.level().view, View::Plan(_)));
}

#[test]
fn irreversible_on_production_takes_time_and_the_name() {
    let (mut app, _) = with_plan(SIZE, strict());
    key(&mut app, "c");
    typed(&mut app, PHRASE);
    assert_eq!(key(&mut app, "enter"), []);
    assert!(said(&app).contains("read it first"), "{}", said(&app));
    app.update(Msg::Tick(later(10)));
    assert_eq!(key(&mut app, "enter"), [], "the name is asked for");
    assert_eq!(key(&mut app, "enter"), []);
    assert!(said(&app).contains("database's name"), "{}", said(&app));
    typed(&mut app, "hithonix");
    assert_eq!(key(&mut app, "enter"), []);
    typed(&mut app, "_db");
    let words = TypedConfirmation { phrase: PHRASE.into(), database: Some("hithonix_db".into()) };
    assert_eq!(key(&mut app, "enter"), [Effect::Apply { plan: "p1".into(), typed: words }]);
}

#[test]
fn a_plan_expires_by_the_servers_clock() {
    let mut with = session();
    with.server.skew_ms = 60_000;
    let (mut app, slot) = with_plan(SIZE, reviewed());
    app.update(Msg::Connected(Box::new(with)));
    key(&mut app, "c");
    typed(&mut app, PHRASE);
    app.update(Msg::Tick(later(14 * 60 - 1)));
    assert!(app.why_not_confirm(app.plan_here().unwrap()).is_none());
    app.update(Msg::Tick(later(14 * 60)));
    assert!(!applies(&key(&mut app, "enter")), "our clock still has a minute, the server's has not");
    assert!(said(&app).contains("expired"));
    key(&mut app, "esc");
    let effects = key(&mut app, "r");
    assert!(effects.contains(&Effect::Discard("p1".into())));
    assert!(matches!(effects.last(), Some(Effect::Plan { slot: s, .. }) if *s == slot));
    assert_eq!(app.plan_here().map(|v| v.stage.clone()), Some(Stage::Planning));
}

#[test]
fn a_plan_that_the_guard_refuses_asks_for_no_phrase() {
    let mut refused = reviewed();
    refused.gate = Err(*failure("outside the maintenance window"));
    let (mut app, _) = with_plan(SIZE, refused);
    assert_eq!(key(&mut app, "c"), []);
    assert!(app.plan_here().unwrap().confirm.is_none());
    assert!(notice(&app).contains("outside the maintenance window"));
}

#[test]
fn planning_shows_its_first_rows_and_can_be_cancelled() {
    for (press, pops) in [("esc", true), ("ctrl-c", false)] {
        let (mut app, slot) = planning(SIZE);
        app.update(Msg::PlanNews { slot, news: PlanNews::First(planned(0, 20)) });
        app.update(Msg::PlanNews { slot, news: PlanNews::Counted(12_345) });
        assert_eq!(app.plan_here().unwrap().total(), 20);
        assert_eq!(key(&mut app, "c"), [], "no phrase yet");
        assert!(app.plan_here().unwrap().confirm.is_none());
        assert_eq!(key(&mut app, press), [Effect::CancelPlan(slot)]);
        assert_eq!(app.plan_here().is_none(), pops);
        // An answer that was on its way is not kept.
        let late = app.update(Msg::Planned { slot, result: Ok(Box::new(reviewed())) });
        assert_eq!(late, [Effect::Discard("p1".into())]);
        assert!(!app.plans.values().any(|v| matches!(v.stage, Stage::Ready(_))));
    }
}

#[test]
fn every_row_of_a_million_is_reached() {
    let mut big = reviewed();
    big.plan.diff_total = 1_000_000;
    big.plan.diff = planned(0, 1_000);
    let (mut app, slot) = with_plan(SIZE, big);
    let effects = key(&mut app, "G");
    let [Effect::PlannedRows { from, limit, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((*from, *limit), (999_799, 400));
    app.update(Msg::PlannedRows { slot, from: *from, result: Ok(planned(*from, 201)) });
    assert_eq!(screen::plan_row_here(&app), Some(999_999));
    assert!(app.plan_here().unwrap().row(999_999).is_some());
    key(&mut app, "enter");
    assert!(matches!(&app.level().view, View::Detail { detail, .. } if detail.title.contains("000f423f")));
    key(&mut app, "esc");
    let up = keys(&mut app, &["ctrl-u"; 40]);
    assert!(up.iter().any(|e| matches!(e, Effect::PlannedRows { from, .. } if *from < 999_799)), "{up:?}");
}

#[test]
fn all_planned_rows_are_exported() {
    let (mut app, _) = with_plan(SIZE, reviewed());
    key(&mut app, "e");
    let effects = key(&mut app, "enter");
    let [Effect::Export(export)] = &effects[..] else { panic!("{effects:?}") };
    let ExportRows::Planned { plan, columns } = &export.rows else { panic!() };
    assert_eq!(plan, "p1");
    assert_eq!((columns.key.join(","), columns.changed.join(",")), ("id".into(), "business_date_ist".into()));
    assert_eq!(columns.show, ["employee", "event", "at"]);
}

#[test]
fn a_confirmation_that_the_engine_denies_gives_the_plan_back() {
    let mut app = running(SIZE);
    app.update(Msg::RunDone(Err(failure("the plan has expired"))));
    assert!(app.run_going().is_none() && app.run.is_none());
    assert!(matches!(app.level().view, View::Plan(_)));
    assert!(notice(&app).contains("nothing was changed"), "{}", notice(&app));
    assert!(app.plan_here().is_some_and(|v| v.plan().is_some()));
}

#[test]
fn an_end_looks_again_at_what_was_mended_and_reads_the_journal() {
    let mut app = running(SIZE);
    app.update(Msg::Progress(Box::new(progress(Phase::Working, 400))));
    let effects = app.update(Msg::RunDone(Ok(Some(Box::new(done(Outcome::Applied))))));
    assert!(effects.iter().any(|e| matches!(e, Effect::RunDetail { run, .. } if run == "17")), "{effects:?}");
    assert!(effects.contains(&Effect::Discard("p1".into())), "its rows are no longer needed: {effects:?}");
    assert!(app.run_going().is_none());
    assert!(notice(&app).contains("applied and proved"));
}

#[test]
fn a_run_of_ours_is_not_left_without_a_word() {
    for press in [&["q", "q", "q"][..], &["ctrl-c", "ctrl-c"]] {
        let mut app = running(SIZE);
        app.update(Msg::Progress(Box::new(progress(Phase::Working, 412))));
        assert!(!keys(&mut app, press).contains(&Effect::Quit));
        while app.overlay.as_ref().map(|o| &o.kind) != Some(&OverlayKind::Quit) {
            assert!(!key(&mut app, "q").contains(&Effect::Quit));
        }
        assert!(app.leaving().contains("400 of 812 rows are changed and stay changed"), "{}", app.leaving());
        assert_eq!(keys(&mut app, &["y", "Q"]), [], "no letter leaves");
        if app.overlay.is_none() {
            keys(&mut app, &["ctrl-c", "ctrl-c"]);
        }
        assert_eq!(key(&mut app, "enter"), [], "the first line stays");
        assert!(app.run_going().is_some());
    }
}

#[test]
fn leaving_after_the_batch_stops_first() {
    let mut app = running(SIZE);
    keys(&mut app, &["ctrl-c", "ctrl-c", "down"]);
    assert_eq!(key(&mut app, "enter"), [Effect::Wish(ControlRequest::Cancel)]);
    let effects = app.update(Msg::RunDone(Ok(Some(Box::new(done(Outcome::Partial))))));
    assert!(effects.contains(&Effect::Quit));
    let mut app = running(SIZE);
    keys(&mut app, &["ctrl-c", "ctrl-c", "down", "down"]);
    assert_eq!(key(&mut app, "enter"), [Effect::Quit]);
}

#[test]
fn a_run_is_held_and_stopped_after_its_batch() {
    let mut app = running(SIZE);
    app.update(Msg::Progress(Box::new(progress(Phase::Working, 200))));
    assert_eq!(key(&mut app, "p"), [Effect::Wish(ControlRequest::Pause)]);
    assert_eq!(key(&mut app, "p"), [Effect::Wish(ControlRequest::Go)]);
    assert_eq!(key(&mut app, "ctrl-c"), []);
    assert_eq!(app.overlay.as_ref().map(|o| o.kind.clone()), Some(OverlayKind::Stop));
    assert_eq!(key(&mut app, "esc"), [], "it goes on");
    key(&mut app, "ctrl-c");
    assert_eq!(key(&mut app, "enter"), [Effect::Wish(ControlRequest::Cancel)]);
    assert_eq!(key(&mut app, "p"), []);
    assert!(notice(&app).contains("being stopped"));
}

#[test]
fn ctrl_c_elsewhere_does_not_cancel_what_the_run_reads() {
    let mut app = running(SIZE);
    let effects = keys(&mut app, &["1", "ctrl-c"]);
    assert!(!effects.contains(&Effect::Cancel));
    assert_eq!(app.overlay.as_ref().map(|o| o.kind.clone()), Some(OverlayKind::Stop));
}

#[test]
fn no_other_target_while_a_run_goes_on() {
    let mut app = running(SIZE);
    assert_eq!(key(&mut app, "t"), []);
    assert!(notice(&app).contains("not left alone"));
    key(&mut app, ":");
    typed(&mut app, "target hospi");
    assert_eq!(key(&mut app, "enter"), []);
    assert!(app.session.is_some() && app.run_going().is_some());
    app.update(Msg::RunDone(Ok(Some(Box::new(done(Outcome::Applied))))));
    key(&mut app, "t");
    typed(&mut app, "hospi");
    assert!(key(&mut app, "enter").contains(&Effect::Connect(Some("hospitality".into()))));
    assert!(app.run.is_none());
}

#[test]
fn moving_about_leaves_the_run_alone_and_finds_it_again() {
    let mut app = running(SIZE);
    app.update(Msg::Progress(Box::new(progress(Phase::Working, 400))));
    let effects = keys(&mut app, &["esc", "1", "2", "[", "[", "q", "3", "5"]);
    assert!(!effects.iter().any(|e| matches!(e, Effect::Wish(_) | Effect::Quit | Effect::Discard(_))));
    assert!(app.run_going().is_some());
    app.model.overlay = None;
    app.update(journal(vec![live("17", 388, later(0))]));
    keys(&mut app, &["6", "enter"]);
    let view = app.run_here().unwrap();
    assert!(app.ours(view).is_some_and(|r| r.done.is_none()));
}

#[test]
fn one_run_at_a_time() {
    let mut app = running(SIZE);
    keys(&mut app, &["esc"]);
    let effects = keys(&mut app, &["5", "d"]);
    let Some(Effect::Plan { slot, .. }) = effects.last() else { panic!("{effects:?}") };
    app.update(Msg::Planned { slot: *slot, result: Ok(Box::new(reviewed())) });
    assert_eq!(key(&mut app, "c"), []);
    assert!(notice(&app).contains("one at a time"), "{}", notice(&app));
}

#[test]
fn a_dead_task_leaves_the_run_ambiguous() {
    let mut app = running(SIZE);
    app.update(Msg::Progress(Box::new(progress(Phase::Working, 400))));
    app.update(Msg::Panic { text: "index out of bounds".into(), key: Key::Run });
    let run = app.run.as_ref().unwrap();
    assert_eq!(run.done.as_ref().map(|d| d.outcome), Some(Outcome::Ambiguous));
    assert!(run.done.as_ref().is_some_and(|d| d.failure.as_ref().is_some_and(|f| f.ambiguous)));
}

#[test]
fn a_stale_refusal_can_be_planned_again() {
    let mut app = running(SIZE);
    let mut stale = done(Outcome::Stale);
    (stale.run, stale.applied, stale.drifted) = (None, 0, 0);
    stale.failure = Some(Error::new(Class::Stale, "3 rows have moved since they were planned"));
    app.update(Msg::RunDone(Ok(Some(Box::new(stale)))));
    assert_eq!(asked(&key(&mut app, "r")), request("backfill", "business_date_ist", &[]));
}

#[test]
fn the_journal_is_read_often_only_while_somebody_works() {
    let mut app = connected(SIZE);
    app.update(journal(vec![run("16", Outcome::Applied)]));
    let polls = |app: &mut App, s| app.update(Msg::Tick(later(s))).contains(&Effect::Runs);
    assert!(!polls(&mut app, 5));
    assert!(polls(&mut app, 10));
    assert!(!polls(&mut app, 11), "one at a time");
    app.update(journal(vec![live("17", 100, later(11))]));
    assert!(polls(&mut app, 12));
    app.update(journal(vec![live("17", 300, later(12))]));
    assert_eq!(app.journal.pace.get("17").map(|p| p.rate), Some(200.0));
    // Paused, the console still follows who works.
    key(&mut app, "p");
    assert!(polls(&mut app, 13));
    app.update(journal(vec![run("17", Outcome::Applied)]));
    assert!(!polls(&mut app, 30), "and nothing else");
}

#[test]
fn anothers_run_is_shown_and_cannot_be_touched() {
    let mut app = connected(SIZE);
    app.update(journal(vec![live("18", 100, later(0))]));
    let effects = keys(&mut app, &["6", "enter"]);
    let Some(Effect::RunDetail { slot, run }) = effects.last() else { panic!("{effects:?}") };
    assert_eq!(run, "18");
    app.update(Msg::RunDetail { slot: *slot, result: Ok(Box::new(detail(live("18", 100, later(0))))) });
    assert_eq!(key(&mut app, "p"), []);
    assert!(notice(&app).contains("kim@ops2"), "{}", notice(&app));
    assert_eq!(key(&mut app, "z"), []);
    assert!(notice(&app).contains("going on"));
    // It has come further: what is shown of it is read again.
    app.update(Msg::Tick(later(1)));
    let mut further = live("18", 300, later(1));
    further.batches = 3;
    let effects = app.update(journal(vec![further]));
    assert!(effects.iter().any(|e| matches!(e, Effect::RunDetail { .. })), "{effects:?}");
}

#[test]
fn z_plans_the_way_back() {
    let mut app = connected(SIZE);
    app.update(journal(vec![run("17", Outcome::Applied)]));
    for at in [&["6"][..], &["1"]] {
        keys(&mut app, at);
        assert_eq!(asked(&key(&mut app, "z")), Request::Undo { run: "17".into() });
        key(&mut app, "esc");
    }
    let mut taken = run("17", Outcome::Applied);
    taken.undone_by = Some("18".into());
    // Some of it was taken back: the rest still can be.
    let mut some = run("18", Outcome::Partial);
    some.undoes = Some("17".into());
    app.update(journal(vec![taken.clone(), some]));
    assert_eq!(asked(&keys(&mut app, &["6", "z"])), Request::Undo { run: "17".into() });
    key(&mut app, "esc");
    app.update(journal(vec![taken]));
    assert_eq!(keys(&mut app, &["6", "z"]), []);
    assert!(notice(&app).contains("run 18 has taken it back"));
}

#[test]
fn a_run_that_broke_off_is_offered_once_and_goes_on_by_its_words_only() {
    let mut app = connected(SIZE);
    app.update(journal(vec![broken("17")]));
    assert_eq!(app.overlay.as_ref().map(|o| o.kind.clone()), Some(OverlayKind::Unfinished("17".into())));
    assert_eq!(keys(&mut app, &["down", "enter"]), []);
    for words in ["", "y", "resume", "resume 18"] {
        keys(&mut app, &["ctrl-u"]);
        typed(&mut app, words);
        assert_eq!(key(&mut app, "enter"), [], "{words:?}");
    }
    app.update(Msg::Paste("resume 17".into()));
    assert!(!applies(&key(&mut app, "enter")), "a paste is no typing");
    for _ in 0..12 {
        key(&mut app, "backspace");
    }
    typed(&mut app, "resume 17");
    assert_eq!(key(&mut app, "enter"), [Effect::Resume("17".into())]);
    assert!(app.run_going().is_some());
    // Not asked again.
    app.update(Msg::RunDone(Ok(None)));
    app.update(journal(vec![broken("17")]));
    assert!(app.overlay.is_none());
    assert!(keys(&mut app, &["6", "a"]).is_empty());
    let first = screen::choices(&app).into_iter().next().unwrap();
    assert_eq!((first.verb.as_str(), first.disabled), ("resume", None));
}

#[test]
fn without_a_journal_init_is_what_can_be_planned() {
    let mut app = connected(SIZE);
    let mut with = session();
    with.operations.push(offer("init", "hithonix", None));
    app.update(Msg::Connected(Box::new(with)));
    app.update(Msg::Runs(Ok(Box::new(Journal::Missing))));
    assert_eq!(asked(&keys(&mut app, &["6", "d"])), request("init", "hithonix", &[]));
}

#[test]
fn the_statements_of_a_plan_are_shown() {
    let (mut app, _) = with_plan(SIZE, reviewed());
    key(&mut app, "x");
    let Some(OverlayKind::Sql(statements)) = app.overlay.as_ref().map(|o| o.kind.clone()) else { panic!() };
    assert_eq!(statements.len(), plan().steps[0].statements.len() + plan().verify.len());
}

#[test]
fn every_key_on_a_plan_and_a_run_changes_nothing() {
    let all: Vec<&str> = midwatch::tui::keymap::KEYMAP.iter().flat_map(|b| b.keys).copied().collect();
    for name in &all {
        let (mut app, _) = with_plan(SIZE, reviewed());
        for press in [name, name, &"enter"] {
            assert!(!applies(&key(&mut app, press)), "{name}");
        }
        let mut app = running(SIZE);
        for press in [name, name] {
            let effects = key(&mut app, press);
            assert!(!effects.contains(&Effect::Quit), "{name}");
        }
    }
}
