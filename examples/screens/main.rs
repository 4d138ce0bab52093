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

use std::path::{Path, PathBuf};

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
    // A place that says nothing of the machine: pictures show it.
    let demo = PathBuf::from("/tmp/midwatch-demo");
    assert!(!demo.exists(), "{} is in the way", demo.display());
    let console = Console::start(
        &binary.to_string_lossy(),
        (120, 34),
        &["demo", "--rows", "20000", "--target", "hithonix", "--dir", &demo.to_string_lossy()],
        &[("USER", "dana")],
    );
    let mut session = Session { console, folder: folder.into() };
    session.checks();
    session.fix();
    session.twins();
    for operation in ["repair-triggers", "repair", "copy-missing"] {
        done(&binary, &demo.join("midwatch.toml"), operation);
    }
    session.switchover();
    session.leave();
    std::fs::remove_dir_all(demo).expect("the demo's directory goes");
}

/// One session at the keys, from its start to its end: each part begins on the screen that the part before has left.
struct Session {
    console: Console,
    folder: PathBuf,
}

impl Session {
    fn keep(&self, name: &str, screen: &vt100::Screen) {
        let file = self.folder.join(format!("{name}.svg"));
        std::fs::write(file, svg::render(screen)).expect("a writable folder");
    }

    /// The overview, a queue, the row behind a finding.
    fn checks(&mut self) {
        self.console.shows("anomalies/status_mismatch");
        self.console.wait("all checks", |s| !s.contents().contains("looking"));
        self.keep("overview", &self.console.shows("anomalies/unclosed_break"));
        self.console.press("4");
        self.keep("queue", &self.console.shows("all in state SUCCESS"));
        self.console.press("5");
        self.console.shows("what is wrong");
        self.console.press("j\r");
        self.console.shows("(exact)");
        self.console.press("\r");
        let day = |s: &vt100::Screen| s.contents().contains("CLOCK_IN") && s.contents().contains("wrong");
        self.keep("anomaly", &self.console.wait("the day", day));
        self.console.press("q");
        self.console.shows("(exact)");
        self.console.press("q");
        self.console.shows("what is wrong");
    }

    /// A plan, its run, the journal.
    fn fix(&mut self) {
        self.console.press("/date_mismatch\rd");
        let plan = self.console.shows("rows below");
        self.keep("plan", &plan);
        self.apply(&plan);
        self.console.shows("verified");
        self.keep("run", &self.console.shows("outcome applied"));
        self.console.press("q6");
        let one = |s: &vt100::Screen| s.contents().contains("1 of 1") && !s.contents().contains("statements");
        self.console.wait("the journal", one);
        self.keep("runs", &self.console.shows("way back"));
    }

    /// The partitions of one pair, on the other target.
    fn twins(&mut self) {
        self.console.press("thosp\r");
        self.console.shows("hospitality@");
        self.console.press("3");
        let compared =
            |s: &vt100::Screen| s.contents().contains("revenues") && !s.contents().contains("looking");
        self.console.wait("twins", compared);
        self.console.press("/rev\r");
        self.console.wait("one twin", |s| !s.contents().contains("expenses"));
        self.console.press("\r");
        let months = |s: &vt100::Screen| s.contents().matches("revenues_20").count() > 12;
        self.keep("parity", &self.console.wait("its rows", months));
        self.console.press("q");
    }

    /// A switchover, to its end.
    fn switchover(&mut self) {
        self.console.press("s");
        self.console.shows("ready   d plans it");
        self.console.press("d");
        let plan = self.console.shows("c opens the line");
        self.apply(&plan);
        self.console.wait("the switch", |s| {
            s.contents().contains("enable ✓") && s.contents().contains("rows written since")
        });
        self.keep("room", &self.console.shows("lossless: yes"));
        self.console.shows("all of it was done");
    }

    /// Types what the plan on the screen asks for.
    fn apply(&mut self, plan: &vt100::Screen) {
        self.console.press("c");
        self.console.shows("if it is the phrase");
        self.console.types(&phrase(plan));
        self.console.enter();
    }

    fn leave(mut self) {
        self.console.press("qqq");
        self.console.shows("Leave midwatch?");
        self.console.press("\r");
        let (code, _) = self.console.end();
        assert_eq!(code, 0);
    }
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
