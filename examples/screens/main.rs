//! Takes the README's pictures: the real program on the demo's servers, in a terminal of its own.
//!
//! `cargo run --example screens -- path/to/midwatch assets/screens`
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "it ends on the first surprise")]

use std::path::Path;

#[path = "../../tests/common/pty.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod pty;
mod svg;

use pty::Console;

fn main() {
    let mut args = std::env::args().skip(1);
    let (Some(binary), Some(folder)) = (args.next(), args.next()) else {
        panic!("screens BINARY FOLDER");
    };
    let binary = std::fs::canonicalize(binary).expect("the program is built");
    let keep = |name: &str, screen: &vt100::Screen| {
        std::fs::write(Path::new(&folder).join(format!("{name}.svg")), svg::render(screen))
            .expect("a writable folder");
    };
    let mut console = Console::start(
        &binary.to_string_lossy(),
        (120, 34),
        &["demo", "--rows", "20000", "--target", "hithonix"],
        &[],
    );
    console.shows("anomalies/status_mismatch");
    console.wait("all checks", |s| !s.contents().contains("looking"));
    keep("overview", &console.shows("anomalies/unclosed_break"));
    console.press("4");
    keep("queue", &console.shows("all in state SUCCESS"));
    console.press("5");
    console.shows("what is wrong");
    console.press("j\r");
    console.shows("(exact)");
    console.press("\r");
    keep(
        "anomaly",
        &console.wait("the day", |s| s.contents().contains("CLOCK_IN") && s.contents().contains("wrong")),
    );
    console.press("q");
    console.shows("(exact)");
    console.press("q");
    console.shows("what is wrong");
    console.press("/date_mismatch\rd");
    let plan = console.shows("rows below");
    keep("plan", &plan);
    let phrase = phrase(&plan);
    console.press("c");
    console.shows("if it is the phrase");
    console.press(&phrase);
    console.press("\r");
    console.shows("verified");
    keep("run", &console.shows("outcome applied"));
    console.press("q6");
    console.wait("the journal", |s| s.contents().contains("1 of 1") && !s.contents().contains("statements"));
    keep("runs", &console.shows("way back"));
    console.press("thosp\r");
    console.shows("hospitality@");
    console.press("3");
    console.wait("twins", |s| s.contents().contains("revenues") && !s.contents().contains("looking"));
    console.press("/rev\r");
    console.wait("one twin", |s| !s.contents().contains("expenses"));
    console.press("\r");
    keep("parity", &console.wait("its rows", |s| s.contents().matches("revenues_20").count() > 12));
    console.press("qq");
    console.shows("Leave midwatch?");
    console.press("\r");
    let (code, _) = console.end();
    assert_eq!(code, 0);
}

/// What the plan screen asks to be typed.
fn phrase(screen: &vt100::Screen) -> String {
    let text = screen.contents();
    let phrase = text.lines().find_map(|l| l.trim().strip_prefix("to apply, type"));
    phrase.expect("the phrase is shown").trim().to_owned()
}
