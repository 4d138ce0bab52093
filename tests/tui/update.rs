//! Keys and messages in, effects and state out.

use midwatch::engine::check::paging::At;
use midwatch::engine::model::report::Severity;
use midwatch::features::OPERATIONS;
use midwatch::tui::dialog;
use midwatch::tui::keymap::{KEYMAP, KeyAction};
use midwatch::tui::model::overlay::PaletteTarget;
use midwatch::tui::model::{Link, OverlayKind, View};
use midwatch::tui::msg::{Effect, ExportRows, Key, Msg};
use midwatch::tui::pane;
use midwatch::tui::screen;

use crate::fake::{
    app, connected, failure, id, key, keys, later, page, report, source, start, typed, vitals, wrong,
};

const SIZE: (u16, u16) = (80, 24);

fn observed(effects: &[Effect]) -> Vec<String> {
    effects
        .iter()
        .filter_map(|e| match e {
            Effect::Observe(id, _) => Some(id.to_string()),
            _ => None,
        })
        .collect()
}

#[test]
fn the_first_thing_asked_for_is_a_connection() {
    assert_eq!(app(SIZE).start(), [Effect::Connect(None)]);
}

#[test]
fn two_checks_run_at_once_and_the_next_follows_each() {
    let mut app = app(SIZE);
    let effects = app.update(Msg::Connected(Box::new(crate::fake::session())));
    assert!(effects.contains(&Effect::Vitals));
    assert_eq!(observed(&effects), ["migrations/hithonix", "parity/revenues"]);
    let next = app.update(Msg::Observed(Box::new(report(&id("migrations", "hithonix"), vec![]))));
    assert_eq!(observed(&next), ["queue/keka-sync"]);
}

#[test]
fn the_pane_shown_is_looked_at_first() {
    let mut app = connected(SIZE);
    keys(&mut app, &["5"]);
    let next = app.update(Msg::Observed(Box::new(report(&id("migrations", "hithonix"), vec![]))));
    assert_eq!(observed(&next), ["anomalies/date_mismatch"]);
}

#[test]
fn a_costly_check_waits_longer() {
    let mut app = connected(SIZE);
    let mut slow = report(&id("migrations", "hithonix"), vec![]);
    slow.elapsed_ms = 10_000;
    app.update(Msg::Observed(Box::new(slow)));
    let watch = app.watch(&id("migrations", "hithonix")).unwrap();
    assert_eq!(watch.due, later(200));
}

#[test]
fn paused_it_looks_only_when_asked() {
    let mut app = connected(SIZE);
    key(&mut app, "p");
    for kind in [id("migrations", "hithonix"), id("parity", "revenues")] {
        assert_eq!(
            observed(&app.update(Msg::Observed(Box::new(report(&kind, vec![]))))),
            Vec::<String>::new()
        );
    }
    assert!(!observed(&key(&mut app, "R")).is_empty());
    assert!(app.paused);
}

#[test]
fn a_lost_connection_is_tried_again_with_growing_waits() {
    let mut app = connected(SIZE);
    app.update(Msg::Vitals(Err(failure("the connection was lost"))));
    assert!(matches!(&app.link, Link::Down { attempts: 1, since, .. } if *since == start()));
    assert_eq!(app.update(Msg::Tick(later(0))), []);
    assert_eq!(app.update(Msg::Tick(later(1))), [Effect::Connect(None)]);
    assert_eq!(app.update(Msg::Tick(later(2))), [], "one attempt at a time");
    app.update(Msg::Refused(failure("refused")));
    assert_eq!(app.update(Msg::Tick(later(3))), []);
    assert_eq!(app.update(Msg::Tick(later(4))), [Effect::Connect(None)]);
    assert!(matches!(&app.link, Link::Down { since, .. } if *since == start()), "since the first failure");
    let effects = app.update(Msg::Connected(Box::new(crate::fake::session())));
    assert_eq!(app.link, Link::Up);
    assert!(effects.contains(&Effect::Vitals));
}

#[test]
fn a_configuration_error_is_not_tried_again() {
    let mut app = app(SIZE);
    let mut broken = failure("no profile x");
    broken.fatal = true;
    app.update(Msg::Refused(broken));
    assert_eq!(app.update(Msg::Tick(later(600))), []);
}

#[test]
fn what_was_seen_before_the_loss_stays_as_stale() {
    let mut app = connected(SIZE);
    let check = id("migrations", "hithonix");
    app.update(Msg::Observed(Box::new(wrong(&check, Severity::Warning))));
    assert!(!app.is_stale(app.watch(&check).unwrap()));
    app.update(Msg::Vitals(Err(failure("lost"))));
    assert!(app.is_stale(app.watch(&check).unwrap()));
    app.update(Msg::Connected(Box::new(crate::fake::session())));
    assert!(app.watch(&check).unwrap().report.is_some());
}

#[test]
fn growth_counts_from_the_first_look() {
    let mut app = connected(SIZE);
    let check = id("anomalies", "date_mismatch");
    let with = |rows: u64| {
        let mut r = wrong(&check, Severity::Critical);
        r.findings[0].rows = Some(rows);
        Msg::Observed(Box::new(r))
    };
    app.update(with(10));
    assert_eq!(app.growth("anomalies/date_mismatch/rows", Some(10)), None);
    app.update(with(12));
    assert_eq!(app.growth("anomalies/date_mismatch/rows", Some(12)).map(|g| g.0), Some(2));
}

#[test]
fn enter_on_a_finding_jumps_to_its_rows() {
    let mut app = connected(SIZE);
    app.update(Msg::Observed(Box::new(wrong(&id("anomalies", "date_mismatch"), Severity::Critical))));
    let effects = key(&mut app, "enter");
    assert_eq!(app.pane, 4);
    assert!(matches!(&effects[..], [Effect::Open { id, .. }] if id.name == "date_mismatch"));
    // Esc leads up to the rule, [ back to where one came from.
    key(&mut app, "esc");
    assert!(matches!(app.level().view, View::Pane));
    keys(&mut app, &["[", "["]);
    assert_eq!(app.pane, 4);
}

#[test]
fn esc_never_quits_and_q_asks() {
    let mut app = connected(SIZE);
    assert_eq!(keys(&mut app, &["esc", "esc", "esc"]), []);
    assert_eq!(key(&mut app, "q"), []);
    assert_eq!(app.overlay.as_ref().map(|o| o.kind.clone()), Some(OverlayKind::Quit));
    assert_eq!(key(&mut app, "esc"), []);
    key(&mut app, "q");
    assert_eq!(key(&mut app, "enter"), [Effect::Quit]);
}

#[test]
fn ctrl_c_cancels_first_and_asks_then() {
    let mut app = connected(SIZE);
    assert_eq!(key(&mut app, "ctrl-c"), [Effect::Cancel]);
    assert!(app.overlay.is_none());
    assert_eq!(key(&mut app, "ctrl-c"), []);
    assert_eq!(app.overlay.as_ref().map(|o| o.kind.clone()), Some(OverlayKind::Quit));
}

#[test]
fn pasted_text_is_no_keys() {
    let mut app = connected(SIZE);
    assert_eq!(app.update(Msg::Paste("qq\n".into())), []);
    assert!(app.overlay.is_none());
    key(&mut app, "/");
    app.update(Msg::Paste("na\nme".into()));
    assert_eq!(app.filter_input.as_ref().map(|i| i.value().to_owned()), Some("name".into()));
}

#[test]
fn a_filter_narrows_while_one_types_and_esc_brings_all_back() {
    let mut app = connected(SIZE);
    for name in ["date_mismatch", "unclosed_break"] {
        app.update(Msg::Observed(Box::new(wrong(&id("anomalies", name), Severity::Critical))));
    }
    keys(&mut app, &["5", "/"]);
    typed(&mut app, "unclosed");
    assert_eq!(screen::list_of(&app).rows.len(), 1);
    keys(&mut app, &["enter", "esc"]);
    assert_eq!(screen::list_of(&app).rows.len(), 2);
    keys(&mut app, &["/"]);
    typed(&mut app, "!unclosed");
    key(&mut app, "enter");
    assert_eq!(
        screen::list_of(&app).rows[0].check.as_ref().map(|c| c.name.clone()),
        Some("date_mismatch".into())
    );
}

#[test]
fn the_cursor_stays_on_its_row_when_the_order_changes() {
    let mut app = connected(SIZE);
    for name in ["date_mismatch", "unclosed_break"] {
        app.update(Msg::Observed(Box::new(report(&id("anomalies", name), vec![]))));
    }
    keys(&mut app, &["5", "down"]);
    assert_eq!(screen::list_of(&app).rows[app.level().state.cursor].key, "anomalies/unclosed_break");
    app.update(Msg::Observed(Box::new(wrong(&id("anomalies", "unclosed_break"), Severity::Critical))));
    assert_eq!(screen::list_of(&app).rows[app.level().state.cursor].key, "anomalies/unclosed_break");
    app.update(Msg::Resize(160, 45));
    assert_eq!(screen::list_of(&app).rows[app.level().state.cursor].key, "anomalies/unclosed_break");
}

/// A paged view over `total` rows, its first page read.
fn rows(total: u64) -> (midwatch::tui::app::App, u64) {
    let mut app = connected(SIZE);
    app.update(Msg::Observed(Box::new(wrong(&id("anomalies", "date_mismatch"), Severity::Critical))));
    let effects = keys(&mut app, &["5", "enter"]);
    let Some(Effect::Open { slot, .. }) = effects.last() else { panic!("{effects:?}") };
    let slot = *slot;
    answer(&mut app, slot, At::First, page(0, 200.min(total), Some(total), total < 200));
    (app, slot)
}

fn answer(app: &mut midwatch::tui::app::App, slot: u64, at: At, page: midwatch::engine::check::paging::Page) {
    let request = midwatch::engine::check::paging::PageRequest {
        source: source(),
        filter: None,
        sort: None,
        at,
        limit: 200,
        count: false,
        whole: false,
    };
    app.update(Msg::Page { slot, request: Box::new(Some(request)), result: Ok(Box::new(page)) });
}

#[test]
fn a_million_rows_are_walked_in_a_bounded_window() {
    let (mut app, slot) = rows(1_000_000);
    let mut next = 200;
    for _ in 0..250 {
        for effect in key(&mut app, "ctrl-d") {
            if let Effect::Page { request, .. } = effect {
                assert!(matches!(request.at, At::After(_)));
                answer(&mut app, slot, request.at.clone(), page(next, 200, None, false));
                next += 200;
            }
        }
    }
    let View::Rows(view) = &app.level().view else { panic!() };
    assert!(view.rows.len() <= 600, "{}", view.rows.len());
    assert!(view.first > 0);
    let shown = view.rows[app.level().state.cursor].cells[0].clone().unwrap();
    assert_eq!(
        view.number(app.level().state.cursor).to_string(),
        (shown.parse::<u64>().unwrap() + 1).to_string()
    );
}

#[test]
fn the_end_is_read_from_the_end() {
    let (mut app, slot) = rows(1_000_000);
    let effects = key(&mut app, "G");
    assert!(
        matches!(&effects[..], [Effect::Page { request, .. }] if request.at == At::Last && request.count)
    );
    answer(&mut app, slot, At::Last, page(999_800, 200, Some(1_000_000), true));
    let View::Rows(view) = &app.level().view else { panic!() };
    assert_eq!(view.number(app.level().state.cursor), 1_000_000);
    let up = keys(&mut app, &["ctrl-u"; 25]);
    assert!(
        up.iter().any(|e| matches!(e, Effect::Page { request, .. } if matches!(request.at, At::Before(_))))
    );
}

#[test]
fn answers_to_a_closed_view_are_dropped() {
    let (mut app, slot) = rows(10);
    key(&mut app, "esc");
    answer(&mut app, slot, At::First, page(0, 5, Some(5), true));
    assert!(matches!(app.level().view, View::Pane));
}

#[test]
fn sorting_and_filtering_rows_is_the_servers_work() {
    let (mut app, _) = rows(500);
    let effects = key(&mut app, "s");
    assert!(matches!(&effects[..], [Effect::Page { request, .. }]
        if request.sort.as_ref().is_some_and(|s| s.column == "id" && !s.descending) && request.at == At::First));
    key(&mut app, "/");
    typed(&mut app, "!x");
    let effects = key(&mut app, "enter");
    assert!(matches!(&effects[..], [Effect::Page { request, .. }]
        if request.filter.as_ref().is_some_and(|f| f.inverse && f.text == "x")));
}

#[test]
fn a_row_opens_with_its_surroundings() {
    let (mut app, _) = rows(10);
    let effects = key(&mut app, "enter");
    assert!(matches!(&effects[..], [Effect::Context { sql, .. }] if sql == "select 1"));
}

#[test]
fn marks_ranges_and_copies() {
    let (mut app, _) = rows(10);
    keys(&mut app, &["space", "space"]);
    assert_eq!(app.level().state.marks.len(), 2);
    keys(&mut app, &["v", "down", "down", "v"]);
    assert_eq!(app.level().state.marks.len(), 5);
    let effects = key(&mut app, "y");
    let [Effect::Copy(text)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(text.lines().count(), 5);
    key(&mut app, "esc");
    assert!(app.level().state.marks.is_empty());
}

#[test]
fn disabled_actions_say_why() {
    let mut app = connected(SIZE);
    let mut session = crate::fake::session();
    session.operations[0].disabled = Some("this target is read-only".into());
    app.update(Msg::Connected(Box::new(session)));
    app.update(Msg::Observed(Box::new(wrong(&id("anomalies", "date_mismatch"), Severity::Critical))));
    assert_eq!(key(&mut app, "d"), []);
    assert!(
        app.notice.as_ref().is_some_and(|n| n.text.contains("this target is read-only")),
        "{:?}",
        app.notice
    );
    key(&mut app, "z");
    assert!(app.notice.as_ref().is_some_and(|n| n.text.contains("there is no run here")));
}

#[test]
fn the_palette_finds_panes_checks_and_targets() {
    let mut app = connected(SIZE);
    key(&mut app, ":");
    typed(&mut app, "keka");
    key(&mut app, "enter");
    assert_eq!(app.pane, 3);
    key(&mut app, ":");
    typed(&mut app, "target hospi");
    assert_eq!(key(&mut app, "enter"), [Effect::Connect(Some("hospitality".into()))]);
    assert!(app.session.is_none(), "the old target's facts are not shown under the new one's name");
}

#[test]
fn every_action_of_the_table_can_be_pressed_anywhere() {
    for prepare in [&["1"][..], &["3", "enter"], &["5", "enter"], &["5", "enter", "enter"]] {
        for binding in KEYMAP.iter().filter(|b| b.action != KeyAction::Cancel) {
            let (mut app, _) = rows(3);
            keys(&mut app, &["esc"]);
            keys(&mut app, prepare);
            for name in binding.keys.iter().filter(|k| k.len() == 1) {
                key(&mut app, name);
            }
        }
    }
}

#[test]
fn an_empty_console_survives_every_key() {
    for binding in KEYMAP {
        let mut app = app((20, 5));
        for name in binding.keys.iter().filter(|k| k.len() == 1) {
            key(&mut app, name);
            key(&mut app, name);
        }
    }
}

#[test]
fn a_dead_task_is_told_and_its_check_runs_again() {
    let mut app = connected(SIZE);
    app.update(Msg::Panic {
        text: "index out of bounds".into(),
        key: Key::Check(id("migrations", "hithonix")),
    });
    assert!(app.notice.as_ref().is_some_and(|n| n.bad && n.text.contains("index out of bounds")));
    assert_eq!(app.watch(&id("migrations", "hithonix")).unwrap().running, None);
    assert!(app.watch(&id("parity", "revenues")).unwrap().running.is_some(), "only the dead one has ended");
    let again = app.update(Msg::Tick(later(1)));
    assert!(!observed(&again).contains(&"migrations/hithonix".to_owned()), "with its usual pause");
}

#[test]
fn a_look_that_told_nothing_keeps_what_was_known() {
    let mut app = connected(SIZE);
    let check = id("migrations", "hithonix");
    app.update(Msg::Observed(Box::new(wrong(&check, Severity::Warning))));
    app.update(Msg::Observed(Box::new(crate::fake::unknown(&check))));
    let watch = app.watch(&check).unwrap();
    assert!(watch.report.as_ref().is_some_and(|r| r.findings.len() == 1), "the finding is still there");
    assert!(watch.why().is_some_and(|w| w.contains("permission denied")));
    assert_eq!(watch.trend.len(), 1, "no fall to zero");
    assert!(app.is_stale(app.watch(&check).unwrap()));
    assert_eq!(app.tally("migrations").map(|(s, _)| s.word()), Some("unknown"));
    app.update(Msg::Observed(Box::new(report(&check, vec![]))));
    assert_eq!(app.watch(&check).unwrap().why(), None);
}

#[test]
fn marks_outlive_the_window() {
    let (mut app, slot) = rows(1_000_000);
    keys(&mut app, &["space", "space", "G"]);
    answer(&mut app, slot, At::Last, page(999_800, 200, Some(1_000_000), true));
    let effects = key(&mut app, "y");
    assert_eq!(effects, [Effect::Copy("0\t2025-11-24\tNULL\n1\t2025-11-24\tNULL".into())]);
    key(&mut app, "e");
    let effects = key(&mut app, "enter");
    let [Effect::Export(export)] = &effects[..] else { panic!("{effects:?}") };
    let ExportRows::Given { columns, rows } = &export.rows else { panic!() };
    assert_eq!(columns, &["id", "recorded", "note"]);
    assert_eq!(rows[1], [Some("1".into()), Some("2025-11-24".into()), None]);
}

#[test]
fn a_switch_that_fails_stays_down_on_the_wanted_target() {
    let mut app = connected(SIZE);
    key(&mut app, "t");
    typed(&mut app, "hospi");
    key(&mut app, "enter");
    app.update(Msg::Refused(failure("refused")));
    assert!(app.session.is_none());
    assert_eq!(app.update(Msg::Tick(later(1))), [Effect::Connect(Some("hospitality".into()))]);
    // Another can be chosen, though none is open.
    key(&mut app, "t");
    assert!(app.overlay.is_some());
    typed(&mut app, "hith");
    assert_eq!(key(&mut app, "enter"), [Effect::Connect(Some("hithonix".into()))]);
}

#[test]
fn clicks_choose_and_open_where_the_mouse_is_on() {
    use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
    let mut app = connected(SIZE);
    for name in ["date_mismatch", "unclosed_break"] {
        app.update(Msg::Observed(Box::new(wrong(&id("anomalies", name), Severity::Critical))));
    }
    let mut click = |column, row| {
        let kind = MouseEventKind::Down(MouseButton::Left);
        app.update(Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }))
    };
    let tabs = crate::pictures::draw(&connected(SIZE), SIZE);
    let anomalies = u16::try_from(tabs.lines().nth(1).unwrap().find("Anomalies").unwrap()).unwrap();
    assert_eq!(click(anomalies, 1), []);
    assert_eq!(click(5, 5), [], "the second row is chosen");
    let opened = click(5, 5);
    assert!(matches!(&opened[..], [Effect::Open { id, .. }] if id.name == "unclosed_break"), "{opened:?}");
}

#[test]
fn a_rows_surroundings_are_reached_by_the_cursor() {
    let (mut app, _) = rows(10);
    let effects = key(&mut app, "enter");
    let [Effect::Context { slot, .. }] = &effects[..] else { panic!("{effects:?}") };
    app.update(Msg::Context { slot: *slot, result: Ok(Box::new(page(0, 50, None, true))) });
    assert_eq!(screen::list_of(&app).rows.len(), 3 + 50);
    key(&mut app, "G");
    assert!(crate::pictures::draw(&app, SIZE).contains("▌ 49"), "{}", crate::pictures::draw(&app, SIZE));
}

#[test]
fn an_export_is_cancelled_and_leaving_says_so() {
    let (mut app, _) = rows(10);
    keys(&mut app, &["e", "enter"]);
    assert!(app.leaving().contains("export is running"));
    assert_eq!(key(&mut app, "ctrl-c"), [Effect::Cancel]);
    app.update(Msg::Exported(Err(failure("export cancelled: no file was written"))));
    assert!(app.leaving().starts_with("Nothing"));
}

#[test]
fn vitals_are_fetched_again_in_time() {
    let mut app = connected(SIZE);
    assert!(!app.update(Msg::Tick(later(1))).contains(&Effect::Vitals));
    assert!(app.update(Msg::Tick(later(2))).contains(&Effect::Vitals));
    app.update(Msg::Vitals(Ok(Box::new(vitals()))));
    assert_eq!(app.vitals.as_ref().map(|(_, t)| *t), Some(later(2)));
}

/// The palette follows from the registries: every pane, every operation that is offered, available or not, every check
/// and every target has a line that leads to it, and no text is needed to see them.
#[test]
fn the_palette_lists_what_is_registered() {
    let mut app = app(SIZE);
    app.start();
    let mut with = crate::fake::session();
    with.operations =
        OPERATIONS.iter().map(|o| crate::fake::offer(o.spec().verb, "revenues", None)).collect();
    with.operations[0].disabled = Some("there is a journal".into());
    app.update(Msg::Connected(Box::new(with.clone())));
    let listed = dialog::palette_for(&app, "");
    let names = |is: fn(&PaletteTarget) -> bool| {
        let such = listed.iter().filter(|item| is(&item.leads));
        such.map(|item| item.name.as_str()).collect::<Vec<_>>()
    };
    let leads: Vec<&PaletteTarget> = listed.iter().map(|item| &item.leads).collect();
    for (index, pane) in pane::ALL.iter().enumerate() {
        let item = listed.iter().find(|item| item.leads == PaletteTarget::Pane(index));
        let item = item.unwrap_or_else(|| panic!("{} is not listed", pane.title()));
        assert_eq!((&item.name, &item.key), (&pane.title().to_lowercase(), &(index + 1).to_string()));
    }
    assert_eq!(names(|l| matches!(l, PaletteTarget::Pane(_))).len(), pane::ALL.len());
    for offer in &with.operations {
        assert!(
            leads.contains(&&PaletteTarget::Offer(Box::new(offer.clone()))),
            "{} is not listed",
            offer.verb
        );
    }
    let offered: Vec<_> = OPERATIONS.iter().map(|o| format!("{} revenues", o.spec().verb)).collect();
    assert_eq!(names(|l| matches!(l, PaletteTarget::Offer(_))), offered);
    for (check, _) in &with.checks {
        assert!(leads.contains(&&PaletteTarget::Check(check.clone())), "{check} is not listed");
    }
    assert_eq!(names(|l| matches!(l, PaletteTarget::Target(_))), ["target hithonix", "target hospitality"]);
    // And each is found by its own name.
    for item in &listed {
        assert!(dialog::palette_for(&app, &item.name).contains(item), "{} is not found", item.name);
    }
}
