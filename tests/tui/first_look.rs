//! What is seen at the first look, and not longer than it is true.

use midwatch::engine::model::diff::Total;
use midwatch::engine::model::progress::Done;
use midwatch::engine::model::record::{Outcome, RunRecord};
use midwatch::engine::model::report::Severity;
use midwatch::engine::model::target::ServerNote;
use midwatch::tui::app::App;
use midwatch::tui::msg::{Effect, Msg};
use midwatch::tui::theme::{Depth, Theme};

use crate::fake::{connected, id, key, keys, later, offer, session, wrong};
use crate::handmade::{broken, detail, done, journal, live, reviewed, run, running, with_plan};
use crate::pictures::draw;

const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (160, 45);

/// The screen without its styles.
fn text(app: &App) -> Vec<String> {
    draw(app, SMALL).split("\n---\n").next().unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn without_colour_the_chosen_line_is_told_from_those_about_this_row() {
    let mut app = connected(SMALL);
    app.model.theme = Theme::new(Depth::Mono, false);
    let mut with = session();
    let queue = Some(id("queue", "keka-sync"));
    with.operations =
        vec![offer("requeue", "keka-sync", queue.clone()), offer("resolve", "keka-sync", queue)];
    with.operations.push(offer("backfill", "business_date_ist", None));
    app.update(Msg::Connected(Box::new(with)));
    app.update(Msg::Observed(Box::new(wrong(&id("queue", "keka-sync"), Severity::Critical))));
    keys(&mut app, &["4", "a", "j"]);
    let screen = text(&app);
    let line = |verb: &str| screen.iter().find(|l| l.contains(&format!("✓ {verb} "))).unwrap().clone();
    let marks = ["requeue", "resolve", "backfill"].map(|v| (line(v).contains('▌'), line(v).contains('●')));
    assert_eq!(marks, [(false, true), (true, true), (false, false)], "{screen:#?}");
    assert!(screen.iter().any(|l| l.contains("● about this row")));
}

#[test]
fn the_header_has_the_dialects_word_for_what_is_unusual_about_the_server() {
    let mut app = connected(LARGE);
    let first = |app: &App| draw(app, LARGE).lines().next().unwrap().to_owned();
    assert!(!first(&app).contains("POOLED"));
    let note = |badge| ServerNote { text: "what follows".into(), hint: None, badge };
    let mut with = session();
    with.server.notes = vec![note(None), note(Some("POOLED"))];
    app.update(Msg::Connected(Box::new(with)));
    let line = first(&app);
    assert!(line.contains("POOLED") && !line.contains("what follows"), "{line}");
}

#[test]
fn a_plans_diff_is_on_its_first_screen() {
    let mut long = reviewed();
    long.plan.why = "a reason ".repeat(15);
    long.plan.preflight = std::iter::repeat_n(long.plan.preflight.clone(), 4).flatten().collect();
    long.plan.totals = (0..40).map(|n| Total { change: format!("state {n} → DONE"), rows: 40 - n }).collect();
    let (app, _) = with_plan(SMALL, long);
    let screen = text(&app);
    let at = |what: &str| screen.iter().position(|l| l.contains(what));
    assert!(at("diff         state 0 → DONE: 40 rows").is_some(), "{screen:#?}");
    assert!(at("(Enter lists them)").is_some() && at("c opens the line").is_some(), "{screen:#?}");
    assert_eq!((at("steps"), at("server "), at("verify")), (None, None, None), "{screen:#?}");
}

fn notice(app: &App) -> Option<&str> {
    app.notice.as_ref().map(|n| n.text.as_str())
}

/// The run of another console, opened.
fn opened() -> App {
    let mut app = connected(SMALL);
    app.model.journal.offered = true;
    app.update(journal(vec![live("18", 100, later(0)), run("17", Outcome::Applied)]));
    let effects = keys(&mut app, &["6", "enter"]);
    let Some(Effect::RunDetail { slot, .. }) = effects.last() else { panic!("{effects:?}") };
    app.update(Msg::RunDetail { slot: *slot, result: Ok(Box::new(detail(live("18", 100, later(0))))) });
    key(&mut app, "z");
    assert_eq!(notice(&app), Some("undo: it is going on"));
    app
}

#[test]
fn a_refusal_is_forgotten_once_it_is_not_true_any_more() {
    let mut app = opened();
    app.update(Msg::Tick(later(1)));
    assert_eq!(notice(&app), Some("undo: it is going on"), "it still is");
    app.update(journal(vec![broken("18"), run("17", Outcome::Applied)]));
    assert_eq!(notice(&app), None, "it broke off");

    let mut app = opened();
    key(&mut app, "esc");
    assert_eq!(notice(&app), None, "another view");

    // In the list the row under the cursor is what it speaks of.
    key(&mut app, "z");
    assert_eq!(notice(&app), Some("undo: it is going on"));
    key(&mut app, "j");
    assert_eq!(notice(&app), None, "another row");
}

#[test]
fn a_run_that_stopped_half_way_has_two_ways() {
    let mut app = connected(SMALL);
    app.model.journal.offered = true;
    let partial = |id: &str| RunRecord { resumable: true, ..run(id, Outcome::Partial) };
    let mut lossy = partial("17");
    lossy.reversible = "lossy".into();
    let nothing = RunRecord { rows_applied: 0, outcome: Outcome::Failed, ..partial("16") };
    app.update(journal(vec![partial("18"), lossy, nothing]));
    key(&mut app, "6");
    let screen = text(&app);
    let row =
        |id: &str| screen.iter().find(|l| l.contains(&format!("  {id}  "))).unwrap().trim_end().to_owned();
    assert!(row("18").contains("a resume · z undo  "), "{screen:#?}");
    assert!(row("17").contains("a resume · z lossy"), "{screen:#?}");
    assert!(row("16").contains("a resume") && !row("16").contains("undo"), "{screen:#?}");
}

#[test]
fn an_empty_plan_is_no_run() {
    let mut app = running(SMALL);
    let empty = Done { run: None, applied: 0, verified: None, proof: vec![], ..done(Outcome::Applied) };
    app.update(Msg::RunDone(Ok(Some(Box::new(empty)))));
    assert_eq!(notice(&app), Some("backfill business_date_ist: there was nothing to do"));
    let screen = text(&app);
    assert!(screen[3].starts_with(" RUN  backfill"), "{screen:#?}");
    assert!(
        screen[4].starts_with(" ✓ nothing to do") && screen[5].contains("no run was begun"),
        "{screen:#?}"
    );
    assert!(!screen.iter().any(|l| l.contains("none was made")), "{screen:#?}");
}
