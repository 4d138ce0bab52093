//! Plans and runs in all their states.

use midwatch::engine::model::diff::Total;
use midwatch::engine::model::drift::{DriftedRow, PlanDrift};
use midwatch::engine::model::error::{Class, Error};
use midwatch::engine::model::progress::{ControlRequest, Phase};
use midwatch::engine::model::record::{Listed, Outcome};
use midwatch::engine::plan::request::PlanNews;
use midwatch::tui::app::App;
use midwatch::tui::data::Journal;
use midwatch::tui::msg::{Effect, Msg};
use midwatch::tui::theme::{Depth, Theme};

use crate::fake::{connected, failure, id, key, keys, later, offer, session, typed, wrong};
use crate::handmade::{
    broken, detail, done, journal, live, planned, planning, progress, reviewed, run, running, strict,
    with_plan,
};
use crate::pictures::draw;

const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (160, 45);

fn picture(name: &str, app: &App, size: (u16, u16)) {
    insta::assert_snapshot!(format!("{name}-{}x{}", size.0, size.1), draw(app, size));
}

#[test]
fn a_plan_in_every_state() {
    let (mut app, slot) = planning(SMALL);
    app.update(Msg::PlanNews { slot, news: PlanNews::First(planned(0, 20)) });
    app.update(Msg::PlanNews { slot, news: PlanNews::Counted(12_345) });
    picture("plan-planning", &app, SMALL);

    for size in [SMALL, LARGE] {
        let (app, _) = with_plan(size, reviewed());
        picture("plan-ready", &app, size);
    }
    let (mut app, _) = with_plan(SMALL, reviewed());
    keys(&mut app, &["ctrl-d"; 5]);
    picture("plan-rows", &app, SMALL);
    key(&mut app, "G");
    picture("plan-last-row", &app, SMALL);
    key(&mut app, "enter");
    picture("plan-one-row", &app, SMALL);

    let mut refused = reviewed();
    refused.gate = Err(*failure("outside the maintenance window: it opens in 3 h 14 min"));
    picture("plan-refused", &with_plan(SMALL, refused).0, SMALL);

    let (mut app, _) = with_plan(SMALL, reviewed());
    app.update(Msg::Tick(later(15 * 60 + 12)));
    picture("plan-expired", &app, SMALL);

    let (mut app, slot) = planning(SMALL);
    app.update(Msg::Planned {
        slot,
        result: Err(failure("failed to read: canceling statement due to lock timeout")),
    });
    picture("plan-failed", &app, SMALL);
}

#[test]
fn the_phrase_being_typed() {
    let (mut app, _) = with_plan(SMALL, reviewed());
    key(&mut app, "c");
    typed(&mut app, "backfill hithonix 81");
    picture("plan-typing", &app, SMALL);
    typed(&mut app, "1 a3");
    picture("plan-wrong-phrase", &app, SMALL);
    app.update(Msg::Paste("backfill hithonix 812 a3f9".into()));
    picture("plan-pasted", &app, SMALL);

    let (mut app, _) = with_plan(LARGE, strict());
    picture("plan-irreversible", &app, LARGE);
    app.update(Msg::Tick(later(11)));
    key(&mut app, "c");
    typed(&mut app, crate::handmade::PHRASE);
    key(&mut app, "enter");
    typed(&mut app, "hitho");
    picture("plan-database", &app, LARGE);
}

/// What comes has one column for each of its values, under its name; so has what goes.
#[test]
fn rows_that_come_have_headings() {
    let mut reviewed = reviewed();
    for row in &mut reviewed.plan.diff {
        row.before = None;
        if let Some(after) = &mut row.after {
            after.insert("note".into(), "by hand".into());
        }
    }
    let (mut app, _) = with_plan(SMALL, reviewed);
    keys(&mut app, &["ctrl-d"; 5]);
    picture("plan-inserted", &app, SMALL);
}

#[test]
fn many_kinds_of_change_are_listed_on_demand() {
    let mut many = reviewed();
    many.plan.totals = (0..40).map(|n| Total { change: format!("state {n} → DONE"), rows: 40 - n }).collect();
    let (mut app, _) = with_plan(LARGE, many);
    picture("plan-kinds", &app, LARGE);
    let lines = midwatch::tui::doc::plan::lines(&app, app.plan_here().unwrap());
    let presses = vec!["j"; lines.more_totals.unwrap()];
    keys(&mut app, &presses);
    key(&mut app, "enter");
    assert!(app.plan_here().unwrap().all_totals);
}

#[test]
fn a_run_in_every_state() {
    for size in [SMALL, LARGE] {
        let mut app = running(size);
        app.update(Msg::Tick(later(3)));
        app.update(Msg::Progress(Box::new(progress(Phase::Working, 412))));
        picture("run-working", &app, size);
    }
    let mut app = running(SMALL);
    app.update(Msg::Tick(later(9)));
    let mut waiting = progress(Phase::Waiting, 412);
    waiting.waiting = Some("replica lag 1.4 s > 1 s".into());
    (waiting.batch_rows, waiting.eta_s) = (50, None);
    app.update(Msg::Progress(Box::new(waiting)));
    picture("run-waiting", &app, SMALL);

    key(&mut app, "p");
    app.update(Msg::Progress(Box::new(progress(Phase::Paused, 412))));
    picture("run-paused", &app, SMALL);
    key(&mut app, "ctrl-c");
    picture("run-stop", &app, SMALL);
    key(&mut app, "ctrl-c");
    picture("run-leave", &app, SMALL);
    key(&mut app, "esc");
    key(&mut app, "1");
    picture("run-elsewhere", &app, SMALL);
    assert_eq!(app.run_going().map(|r| r.wish), Some(ControlRequest::Pause));
}

#[test]
fn what_came_of_a_run() {
    for outcome in [Outcome::Applied, Outcome::Partial, Outcome::Ambiguous, Outcome::Stale] {
        let mut app = running(SMALL);
        app.update(Msg::Tick(later(12)));
        if outcome != Outcome::Stale {
            app.update(Msg::Progress(Box::new(progress(Phase::Working, 412))));
        }
        let mut what = done(outcome);
        match outcome {
            Outcome::Partial => {
                what.resumable = true;
                what.failure = Some(Error::new(Class::Cancelled, "stopped after batch 2, as asked"));
            }
            Outcome::Ambiguous => {
                let lost = Error::unobserved("the connection was lost while batch 3 was committed");
                what.failure = Some(lost.hint("look at the rows of batch 3: midwatch runs 17").ambiguous());
            }
            Outcome::Stale => {
                (what.run, what.applied, what.drifted) = (None, 0, 0);
                let rows = planned(5, 2).into_iter();
                let rows = rows.map(|r| DriftedRow { what: "gone", planned: Some(r), now: None }).collect();
                let moved = PlanDrift { rows, total: 2, parts: vec![] };
                what.failure = Some(Error::stale(&moved));
                what.moved = Some(moved);
            }
            _ => {}
        }
        let effects = app.update(Msg::RunDone(Ok(Some(Box::new(what)))));
        if let Some(Effect::RunDetail { slot, .. }) =
            effects.iter().find(|e| matches!(e, Effect::RunDetail { .. }))
        {
            let record = run("17", outcome);
            app.update(Msg::RunDetail { slot: *slot, result: Ok(Box::new(detail(record))) });
        }
        picture(&format!("run-{}", outcome.word()), &app, SMALL);
    }
}

#[test]
fn anothers_run_and_the_list_of_runs() {
    for size in [SMALL, LARGE] {
        let mut app = connected(size);
        let mut undo = run("16", Outcome::Applied);
        (undo.operation, undo.undoes) = ("undo".into(), Some("15".into()));
        let mut undone = run("15", Outcome::Applied);
        undone.undone_by = Some("16".into());
        let mut forever = run("14", Outcome::Applied);
        (forever.operation, forever.reversible) = ("cleanup".into(), "no".into());
        let others = [undo, undone, run("13", Outcome::Partial), forever, run("12", Outcome::Ambiguous)];
        let runs = |done: u64, at: i64| {
            let mut runs = vec![live("18", done, later(at)), broken("17")];
            runs.extend(others.clone());
            journal(runs)
        };
        app.model.journal.offered = true;
        app.update(runs(100, 0));
        app.update(Msg::Tick(later(1)));
        app.update(runs(300, 1));
        key(&mut app, "6");
        picture("runs-list", &app, size);
        let effects = key(&mut app, "enter");
        let Some(Effect::RunDetail { slot, .. }) = effects.last() else { panic!("{effects:?}") };
        app.update(Msg::RunDetail { slot: *slot, result: Ok(Box::new(detail(live("18", 300, later(1))))) });
        picture("run-of-another", &app, size);
    }
}

#[test]
fn a_long_runs_entries_are_told_from_both_ends() {
    let mut app = connected(SMALL);
    app.update(journal(vec![run("17", Outcome::Applied)]));
    let effects = keys(&mut app, &["6", "enter"]);
    let Some(Effect::RunDetail { slot, .. }) = effects.last() else { panic!("{effects:?}") };
    let mut long = detail(run("17", Outcome::Applied));
    let one = long.events[1].clone();
    long.events =
        (1..=5_000).map(|seq| midwatch::engine::model::event::Event { seq, ..one.clone() }).collect();
    app.update(Msg::RunDetail { slot: *slot, result: Ok(Box::new(long)) });
    let lines = midwatch::tui::doc::run::lines(&app, app.run_here().unwrap());
    let text: Vec<String> = lines.iter().flatten().map(|c| c.text.clone()).collect();
    assert!(text.iter().any(|t| t.contains("5000 entries of the journal")));
    assert!(text.iter().any(|t| t.contains("4680 entries between")), "what is left out is counted");
    assert!(text.iter().any(|t| t.trim() == "5000") && text.iter().any(|t| t.trim() == "1"));
}

#[test]
fn the_runs_pane_with_little_to_show() {
    let mut app = connected(SMALL);
    key(&mut app, "6");
    picture("runs-loading", &app, SMALL);
    let listed = Listed { runs: vec![run("417", Outcome::Applied)], total: 412, older: 212 };
    app.update(Msg::Runs(Ok(Box::new(Journal::Runs(listed)))));
    picture("runs-older", &app, SMALL);
    app.update(journal(vec![]));
    picture("runs-empty", &app, SMALL);
    app.update(Msg::Runs(Ok(Box::new(Journal::Missing))));
    picture("runs-no-journal", &app, SMALL);
    let mut app = connected(SMALL);
    key(&mut app, "6");
    app.update(Msg::Runs(Err(failure("failed to read: permission denied for schema midwatch [42501]"))));
    picture("runs-unknown", &app, SMALL);
    let mut app = connected(SMALL);
    app.update(journal(vec![run("17", Outcome::Applied)]));
    picture("overview-last-run", &app, SMALL);
}

#[test]
fn dialogs_before_something_is_changed() {
    let mut app = connected(SMALL);
    let mut with = session();
    let mut resolve = offer("resolve", "keka-sync", Some(id("queue", "keka-sync")));
    resolve.asks =
        vec![("reason", "why are they given up?".into()), ("to", "to what state? [SKIPPED]".into())];
    let mut drop = offer("cleanup", "revenues", None);
    drop.disabled = Some("revenues has 3 rows that its twin lacks: copy-missing first".into());
    drop.risk = midwatch::engine::model::preflight::Risk::Irreversible;
    with.operations.extend([resolve, drop]);
    app.update(Msg::Connected(Box::new(with)));
    app.update(Msg::Observed(Box::new(wrong(
        &id("queue", "keka-sync"),
        midwatch::engine::model::report::Severity::Critical,
    ))));
    keys(&mut app, &["4", "a", "down", "down"]);
    picture("dialog-actions", &app, SMALL);
    keys(&mut app, &["esc", "d"]);
    picture("dialog-ask", &app, SMALL);
    app.model.overlay = None;
    app.update(journal(vec![broken("17")]));
    picture("dialog-unfinished", &app, SMALL);
    keys(&mut app, &["down", "enter"]);
    typed(&mut app, "resume 18");
    picture("dialog-resume", &app, SMALL);
}

#[test]
fn plans_and_runs_at_any_size_and_without_colour() {
    let mut apps = vec![planning(SMALL).0, with_plan(SMALL, strict()).0, running(SMALL)];
    key(&mut apps[1], "c");
    let mut of_another = connected(SMALL);
    of_another.update(journal(vec![live("18", 100, later(0))]));
    keys(&mut of_another, &["6", "enter"]);
    apps.push(of_another);
    for app in &mut apps {
        for size in [(1, 1), (40, 10), (41, 11), (50, 12), (79, 12), (500, 11), (40, 200)] {
            app.update(Msg::Resize(size.0, size.1));
            draw(app, size);
            keys(app, &["G"]);
            draw(app, size);
        }
        app.model.theme = Theme::new(Depth::Mono, true);
        app.update(Msg::Resize(SMALL.0, SMALL.1));
        let picture = draw(app, SMALL);
        let styles = picture.rsplit("---\n").next().unwrap_or_default();
        assert!(!styles.contains('#'), "colour without colours:\n{picture}");
    }
}
