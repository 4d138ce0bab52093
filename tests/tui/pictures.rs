//! Every pane in every state, text and style, so that a change of colour is seen as well.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use midwatch::engine::check::paging::{At, PageRequest};
use midwatch::engine::model::report::Severity;
use midwatch::engine::model::transport::{CertificateCheck, Transport};
use midwatch::features::CHECKS;
use midwatch::tui::app::App;
use midwatch::tui::msg::{Effect, Msg};
use midwatch::tui::pane;
use midwatch::tui::theme::{Depth, Theme};
use midwatch::tui::view;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::{Color, Modifier};

use crate::fake::{
    app, connected, failure, finding, id, key, keys, later, page, report, session, source, start, typed,
    unknown, wrong,
};

/// The screen's text, then per line its runs of style.
pub(crate) fn draw(app: &App, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view::draw(app, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    let mut styles = String::new();
    for y in 0..height {
        let mut line = String::new();
        let mut runs: Vec<(u16, u16, String)> = Vec::new();
        for x in 0..width {
            let cell = &buffer[(x, y)];
            line.push_str(cell.symbol());
            let style = style(cell.fg, cell.bg, cell.modifier);
            match runs.last_mut() {
                Some((_, to, last)) if *last == style => *to = x,
                _ => runs.push((x, x, style)),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
        let shown: Vec<_> =
            runs.iter().filter(|r| !r.2.is_empty()).map(|(a, b, s)| format!("{a}-{b} {s}")).collect();
        if !shown.is_empty() {
            let _ = writeln!(styles, "{y}: {}", shown.join(" | "));
        }
    }
    format!("{text}---\n{styles}")
}

fn style(fg: Color, bg: Color, modifier: Modifier) -> String {
    let mut parts = Vec::new();
    if fg != Color::Reset {
        parts.push(colour(fg));
    }
    if bg != Color::Reset {
        parts.push(format!("on {}", colour(bg)));
    }
    if !modifier.is_empty() {
        parts.push(format!("{modifier:?}").to_lowercase());
    }
    parts.join(" ")
}

fn colour(c: Color) -> String {
    match c {
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        other => format!("{other:?}").to_lowercase(),
    }
}

const STATES: [&str; 7] = ["empty", "loading", "ok", "warn", "fail", "unknown", "stale"];

/// The panes of checks, by the key of their number and their name. Of Runs, whose rows are the journal's, the pictures
/// are in `pictures_of_runs.rs`.
fn panes() -> impl Iterator<Item = (String, String)> {
    let named =
        (1..).zip(pane::ALL).map(|(number, p): (usize, _)| (number.to_string(), p.title().to_lowercase()));
    named.filter(|(_, name)| name != "runs")
}

fn in_state(state: &str, size: (u16, u16)) -> App {
    if state == "empty" {
        let mut app = app(size);
        let mut empty = session();
        empty.checks.clear();
        app.update(Msg::Connected(Box::new(empty)));
        return app;
    }
    let mut app = connected(size);
    let ids: Vec<_> = app.watches.iter().map(|w| w.id.clone()).collect();
    for check in ids {
        let report = match state {
            "loading" => continue,
            "ok" => report(&check, vec![]),
            "warn" => wrong(&check, Severity::Warning),
            "unknown" => unknown(&check),
            _ => wrong(&check, Severity::Critical),
        };
        app.update(Msg::Observed(Box::new(report)));
    }
    if state == "stale" {
        app.update(Msg::Vitals(Err(failure("failed to read: the connection was lost"))));
        app.update(Msg::Tick(later(34)));
    }
    app
}

#[test]
fn every_pane_in_every_state() {
    for state in STATES {
        for (key, pane) in panes() {
            let mut app = in_state(state, (80, 24));
            keys(&mut app, &[key.as_str()]);
            insta::assert_snapshot!(format!("{pane}-{state}-80x24"), draw(&app, (80, 24)));
        }
    }
}

/// The overview's lines follow from the registries: each kind of check that has a pane has one, in the panes' order.
#[test]
fn the_overview_has_a_line_of_each_kind_with_a_pane() {
    let kinds: BTreeSet<&str> = CHECKS.iter().map(|c| c.spec().kind).collect();
    let of_panes = pane::ALL.iter().filter(|p| p.kind().is_some_and(|kind| kinds.contains(kind)));
    let titles: Vec<&str> = of_panes.map(|p| p.title()).collect();
    assert!(titles.len() >= 4, "{titles:?}");
    for state in STATES {
        let text = draw(&in_state(state, (80, 24)), (80, 24));
        let picture: Vec<&str> = text
            .lines()
            .skip_while(|l| !l.starts_with('─'))
            .skip(1)
            .take_while(|l| !l.starts_with('─'))
            .collect();
        let lines = titles.iter().map(|title| {
            let is_of = |l: &&str| l.chars().skip(4).collect::<String>().starts_with(&format!("{title} "));
            let found: Vec<usize> = (0..picture.len()).filter(|n| is_of(&picture[*n])).collect();
            assert_eq!(found.len(), 1, "{state}: {title} in {picture:#?}");
            found[0]
        });
        assert!(lines.is_sorted(), "{state}: {picture:#?}");
    }
}

#[test]
fn every_pane_on_a_large_terminal() {
    for state in ["ok", "fail"] {
        for (key, pane) in panes() {
            let mut app = in_state(state, (160, 45));
            keys(&mut app, &[key.as_str()]);
            insta::assert_snapshot!(format!("{pane}-{state}-160x45"), draw(&app, (160, 45)));
        }
    }
}

/// What panes draw of a report was read when it arrived: its JSON is not looked at again.
#[test]
fn facts_are_read_once() {
    let (mut read, mut gone) = (in_state("fail", (160, 45)), in_state("fail", (160, 45)));
    let reports = gone.model.watches.iter_mut().filter_map(|w| w.report.as_mut());
    reports.for_each(|r| r.facts = serde_json::Value::Null);
    for (key, pane) in panes() {
        keys(&mut read, &[key.as_str()]);
        keys(&mut gone, &[key.as_str()]);
        assert_eq!(draw(&gone, (160, 45)), draw(&read, (160, 45)), "pane {pane}");
    }
}

#[test]
fn every_overlay() {
    for (name, press) in [
        ("help", "?"),
        ("palette", ":"),
        ("targets", "t"),
        ("actions", "a"),
        ("export", "e"),
        ("locks", "L"),
        ("sql", "x"),
        ("quit", "q"),
    ] {
        let mut app = in_state("fail", (100, 30));
        keys(&mut app, &["5", press]);
        insta::assert_snapshot!(format!("overlay-{name}"), draw(&app, (100, 30)));
    }
}

#[test]
fn a_twin_its_rows_and_a_row_with_its_day() {
    let mut app = in_state("fail", (100, 30));
    keys(&mut app, &["3", "enter"]);
    insta::assert_snapshot!("twin", draw(&app, (100, 30)));
    keys(&mut app, &["down", "enter"]);
    insta::assert_snapshot!("twin-row", draw(&app, (100, 30)));

    let effects = keys(&mut app, &["5", "enter"]);
    let Some(Effect::Open { slot, .. }) = effects.last() else { panic!("{effects:?}") };
    insta::assert_snapshot!("rows-loading", draw(&app, (100, 30)));
    let request = PageRequest {
        source: source(),
        filter: None,
        sort: None,
        at: At::First,
        limit: 200,
        count: true,
        whole: false,
    };
    app.update(Msg::Page {
        slot: *slot,
        request: Box::new(Some(request)),
        result: Ok(Box::new(page(0, 12, Some(12), true))),
    });
    keys(&mut app, &["space", "down"]);
    insta::assert_snapshot!("rows", draw(&app, (100, 30)));
    let effects = key(&mut app, "enter");
    let [Effect::Context { slot, .. }] = &effects[..] else { panic!("{effects:?}") };
    app.update(Msg::Context { slot: *slot, result: Ok(Box::new(page(7, 30, None, true))) });
    insta::assert_snapshot!("row-with-context", draw(&app, (100, 30)));
}

#[test]
fn a_refused_connection_and_a_filter_being_typed() {
    let mut refused = app((80, 24));
    refused.update(Msg::Refused(failure("failed to connect to db1:5432/hithonix: Connection refused")));
    refused.update(Msg::Tick(later(3)));
    insta::assert_snapshot!("refused", draw(&refused, (80, 24)));
    let mut filter = in_state("fail", (80, 24));
    key(&mut filter, "/");
    typed(&mut filter, "nothing like it");
    insta::assert_snapshot!("filter", draw(&filter, (80, 24)));
}

#[test]
fn without_colour_every_status_is_still_told_apart() {
    let mut words = Vec::new();
    for state in ["ok", "warn", "fail", "unknown"] {
        let mut app = in_state(state, (80, 24));
        app.model.theme = Theme::new(Depth::Mono, true);
        keys(&mut app, &["5"]);
        let picture = draw(&app, (80, 24));
        assert!(!picture.contains('#'), "colour without colours:\n{picture}");
        assert!(
            picture.lines().take(24).all(|l| l.is_ascii() || l.contains('…') || l.contains('×')),
            "{picture}"
        );
        words.push(picture.lines().nth(4).unwrap_or_default().to_owned());
    }
    for (line, word) in words.iter().zip(["ok", "warn", "fail", "unknown"]) {
        assert!(line.contains(word), "{line}");
    }
}

#[test]
fn a_server_whose_clock_is_off_is_told() {
    let mut app = app((100, 24));
    let mut skewed = session();
    skewed.server.skew_ms = -90_500;
    app.update(Msg::Connected(Box::new(skewed)));
    assert!(draw(&app, (100, 24)).contains("CLOCK -90 s"));
}

/// The place is cut before a warning is left out.
#[test]
fn what_must_not_be_overlooked_is_in_the_header_of_the_narrowest_screen() {
    let tls = |verified| Transport::Tls { version: "1.3", verified, loopback: false };
    for (transport, badge) in [
        (Transport::SharedSocket, "SOCKET NOT VERIFIED"),
        (Transport::Plain { loopback: false }, "NO TLS"),
        (tls(CertificateCheck::No), "TLS NOT VERIFIED"),
        (tls(CertificateCheck::Ca), "TLS, NAME NOT VERIFIED"),
    ] {
        let mut app = app((80, 24));
        let mut exposed = session();
        exposed.server.address =
            "attendance-prod.c1a2b3c4d5e6.ap-south-1.rds.amazonaws.com:5432/hithonix".into();
        exposed.server.transport = transport;
        app.update(Msg::Connected(Box::new(exposed)));
        let picture = draw(&app, (80, 24));
        let header = picture.lines().next().unwrap();
        assert!(header.contains(&format!("…  {badge}")) && header.contains("hithonix@"), "{header}");
    }
    let verified = tls(CertificateCheck::Full);
    let mut app = app((110, 24));
    let mut private = session();
    private.server.transport = verified;
    app.update(Msg::Connected(Box::new(private)));
    assert!(draw(&app, (110, 24)).lines().next().unwrap().contains("TLS 1.3"));
}

/// Each tab has its number and the beginning of its name on it, whatever was found.
#[test]
fn no_tab_is_cut_off() {
    for (at, _) in pane::ALL.iter().enumerate() {
        let mut app = in_state("fail", (80, 24));
        keys(&mut app, &[(at + 1).to_string().as_str()]);
        let picture = draw(&app, (80, 24));
        let tabs = picture.lines().nth(1).unwrap();
        for (i, p) in pane::ALL.iter().enumerate() {
            let name: String = p.title().chars().take(if i == at { usize::MAX } else { 5 }).collect();
            assert!(tabs.contains(&format!(" {} {name}", i + 1)), "{tabs}");
        }
    }
}

#[test]
fn any_size_is_survived() {
    let mut apps = vec![in_state("fail", (80, 24)), app((80, 24))];
    let mut twin = in_state("fail", (80, 24));
    keys(&mut twin, &["3", "enter", "?"]);
    apps.push(twin);
    for app in &mut apps {
        for (width, height) in
            [(1, 1), (2, 3), (20, 5), (39, 10), (40, 9), (40, 10), (41, 11), (79, 12), (500, 11), (40, 200)]
        {
            app.update(Msg::Resize(width, height));
            draw(app, (width, height));
        }
    }
}

#[test]
fn hostile_text_stays_in_its_cell() {
    let mut app = connected((80, 24));
    let check = id("anomalies", "date_mismatch");
    let nasty = "\x1b[2J\x07\u{202e}drow\r\n日本語日本語日本語日本語日本語日本語日本語日本語日本語"
        .to_owned()
        + &"x".repeat(1_000_000);
    let found =
        finding("anomalies/date_mismatch/rows", Severity::Critical, &nasty, Some(1), &serde_json::json!([]));
    app.update(Msg::Observed(Box::new(report(&check, vec![found]))));
    for pane in ["1", "5"] {
        keys(&mut app, &[pane]);
        let picture = draw(&app, (80, 24));
        assert!(!picture.contains('\x1b') && !picture.contains('\u{202e}') && !picture.contains('\x07'));
        assert!(picture.contains("[2J"));
    }
    assert_eq!(app.now, start());
}

/// The README's pictures are made by this writer; the same screen gives the same bytes.
#[test]
fn a_screen_as_svg() {
    let mut parser = vt100::Parser::new(3, 20, 0);
    parser.process(b"plain \x1b[1;31mbold <red>\x1b[0m\r\n\x1b[7mturned\x1b[0m \x1b[38;2;1;2;3;48;2;4;5;6m\xe6\x97\xa5\xe6\x9c\xac\x1b[0m");
    insta::assert_snapshot!(crate::svg::render(parser.screen()));
}
