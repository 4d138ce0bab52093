//! Takes the README's pictures: the real program on the demo's servers, in a terminal of its own.
//!
//! `cargo run --example screens -- path/to/midwatch assets/screens`
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "it ends on the first surprise"
)]

use std::path::Path;

#[path = "../../tests/common/pty.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod pty;
mod svg;

use pty::Console;

#[expect(clippy::too_many_lines, reason = "one session at the keys, from its start to its end")]
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
    // A place that says nothing of the machine: pictures show it.
    let demo = std::path::PathBuf::from("/tmp/midwatch-demo");
    assert!(!demo.exists(), "{} is in the way", demo.display());
    let mut console = Console::start(
        &binary.to_string_lossy(),
        (120, 34),
        &["demo", "--rows", "20000", "--target", "hithonix", "--dir", &demo.to_string_lossy()],
        &[("USER", "dana")],
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
    let typed = phrase(&plan);
    console.press("c");
    console.shows("if it is the phrase");
    console.press(&typed);
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
    console.press("q");
    for operation in ["repair-triggers", "repair", "copy-missing"] {
        done(&binary, &demo.join("midwatch.toml"), operation);
    }
    console.press("s");
    console.shows("ready   d plans it");
    console.press("d");
    let plan = console.shows("c opens the line");
    console.press("c");
    console.shows("if it is the phrase");
    console.press(&phrase(&plan));
    console.press("\r");
    console.wait("the switch", |s| {
        s.contents().contains("enable ✓") && s.contents().contains("rows written since")
    });
    keep("room", &console.shows("lossless: yes"));
    console.shows("all of it was done");
    console.press("qqq");
    console.shows("Leave midwatch?");
    console.press("\r");
    let (code, _) = console.end();
    assert_eq!(code, 0);
    std::fs::remove_dir_all(demo).expect("the demo's directory goes");
}

/// Plans and applies without the console.
fn done(binary: &Path, config: &Path, operation: &str) {
    let plan = config.with_file_name("plan.json");
    let midwatch = |args: &[&str]| {
        let mut command = std::process::Command::new(binary);
        command.arg("--config").arg(config).args(["--target", "hospitality"]).args(args);
        command.output().expect("the program runs")
    };
    let file = plan.to_string_lossy();
    midwatch(&["plan", operation, "--out", &file]);
    let text = std::fs::read_to_string(&plan).expect("a plan");
    let made: serde_json::Value = serde_json::from_str(&text).expect("a plan in JSON");
    let out = midwatch(&["apply", &file, "--confirm", made["plan"]["phrase"].as_str().expect("a phrase")]);
    assert!(out.status.success(), "{operation}: {}", String::from_utf8_lossy(&out.stderr));
}

/// What the plan screen asks to be typed.
fn phrase(screen: &vt100::Screen) -> String {
    let text = screen.contents();
    let phrase = text.lines().find_map(|l| l.trim().strip_prefix("to apply, type"));
    phrase.expect("the phrase is shown").trim().to_owned()
}
