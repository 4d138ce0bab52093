//! What the console itself costs: first paint, key to paint, idle processor time, memory, a frame.
//!
//! `make bench` prints the figures beside their goals; they are measured, never asserted.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench prints, and ends on the first surprise"
)]

use std::time::{Duration, Instant};

use midwatch::engine::model::report::Severity;
use midwatch::sandbox::demo::{Demo, DemoOptions};
use midwatch::tui::msg::Msg;
use midwatch::tui::view;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

#[expect(dead_code, reason = "other benches use the rest")]
mod common;
#[path = "../tests/tui/fake.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod fake;
#[path = "../tests/common/pty.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod pty;

use common::{median, percentile, sorted};
use pty::Console;

const BINARY: &str = env!("CARGO_BIN_EXE_midwatch");
/// A rule whose every number is a row, so that a million of them can be scrolled to the end.
const MILLION: &str = "name = \"million\"\nsearch_path = [\"public\"]\n[[anomalies]]\nname = \"numbers\"\n\
title = \"a million rows\"\nkey = [\"id\"]\nsql = \"select g as id, md5(g::text) as a, md5((g + 1)::text) as b, now() as c from generate_series(1, 1000000) g\"\n";

fn main() {
    common::run(run());
}

async fn run() {
    let options = DemoOptions { rows: 200_000, traffic: false, ..DemoOptions::default() };
    let demo = Demo::start(options, std::sync::Arc::new(|_| {})).await.unwrap();
    let config = demo.config_file();
    let config = config.to_str().unwrap();
    if let Ok(other) = std::env::var("MIDWATCH_BENCH_OTHER") {
        keys_beside(&other, config);
        demo.stop().await.unwrap();
        return;
    }
    first_paint(config);
    frame();
    key_to_paint(config);
    idle(config);
    memory(&demo);
    demo.stop().await.unwrap();
}

fn say(what: &str, figure: impl std::fmt::Display, goal: &str) {
    println!("{what:<58} {figure:>16}   goal {goal}");
}

fn ms(d: Duration) -> f64 {
    d.as_secs_f64() * 1000.0
}

fn in_ms(milliseconds: f64) -> String {
    format!("{milliseconds:.2} ms")
}

fn first_paint(config: &str) {
    let times = (0..20).map(|_| {
        let start = Instant::now();
        let console = Console::start(BINARY, (80, 24), &["--config", config], &[]);
        console.shows("Overview");
        ms(start.elapsed())
    });
    say("first paint after start, median of 20", in_ms(percentile(&sorted(times), 50)), "30 ms");
}

fn frame() {
    let mut app = fake::connected((200, 60));
    let check = fake::id("anomalies", "date_mismatch");
    let line = |n: u64| {
        fake::finding(
            &format!("{check}/{n}"),
            Severity::Critical,
            "a finding of a usual length, as an operator reads it",
            Some(n),
            &serde_json::json!([]),
        )
    };
    app.update(Msg::Observed(Box::new(fake::report(&check, (0..200).map(line).collect()))));
    let mut terminal = Terminal::new(TestBackend::new(200, 60)).unwrap();
    let start = Instant::now();
    for _ in 0..1000 {
        terminal.draw(|f| view::draw(&app, f)).unwrap();
    }
    say("frame at 200x60, mean of 1000", in_ms(ms(start.elapsed()) / 1000.0), "1 ms");
}

/// Keys while every check runs, again and again.
fn key_to_paint(config: &str) {
    let times = sorted(keys(BINARY, config));
    say("key to paint while checks run, p50 of 300", in_ms(percentile(&times, 50)), "");
    say("key to paint while checks run, p99 of 300", in_ms(percentile(&times, 99)), "16 ms");
}

/// Another build's program and this one's turn about on one server: the median of ten pairs' ratios, and all keys
/// together. A side of a pair is ten starts of 300 keys: the p99 of one start is its fourth longest key.
fn keys_beside(other: &str, config: &str) {
    let programs = [BINARY, other];
    let mut pairs = Vec::new();
    for _ in 0..common::number("MIDWATCH_BENCH_PAIRS", 10) {
        let mut times = [Vec::new(), Vec::new()];
        for start in 0..10 {
            for side in [start % 2, 1 - start % 2] {
                times[side].extend(keys(programs[side], config));
            }
        }
        pairs.push(times.map(sorted));
    }
    for p in [50, 99] {
        let ratios = sorted(pairs.iter().map(|[ours, theirs]| percentile(ours, p) / percentile(theirs, p)));
        let [ours, theirs] =
            [0, 1].map(|side| sorted(pairs.iter().flat_map(|pair| pair[side].iter().copied())));
        let (a, b) = (percentile(&ours, p), percentile(&theirs, p));
        let what = format!("key to paint, p{p} of {}, beside {}", ours.len(), in_ms(b));
        let (middle, least, most) = (median(ratios.clone()), ratios[0], ratios[ratios.len() - 1]);
        let found = format!(
            "1.05×   {middle:.3}×, median of {} pairs ({least:.3} to {most:.3}); of all keys {:.3}×",
            ratios.len(),
            a / b
        );
        say(&what, in_ms(a), &found);
    }
}

/// Milliseconds from each of 300 keys to the pane that it opens.
fn keys(program: &str, config: &str) -> Vec<f64> {
    let mut console = Console::start(program, (120, 40), &["--config", config], &[]);
    console.shows("anomalies/status_mismatch");
    let mut times = Vec::new();
    for i in 0..300 {
        if i % 30 == 0 {
            console.press("R");
        }
        let (key, mark) = if i % 2 == 0 { ("5", "what is wrong") } else { ("4", "all in state SUCCESS") };
        console.wait("the other pane", |s| !s.contents().contains(mark));
        let start = Instant::now();
        console.press(key);
        console.shows(mark);
        times.push(ms(start.elapsed()));
    }
    times
}

/// Processor time of the process in clock ticks of a hundredth of a second.
fn ticks(pid: i32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn idle(config: &str) {
    for (what, key) in [("idle processor time, paused", "p"), ("processor time, looking by itself", "")] {
        let mut console = Console::start(BINARY, (120, 40), &["--config", config], &[]);
        console.shows("anomalies/status_mismatch");
        console.wait("all checks", |s| !s.contents().contains("looking"));
        console.press(key);
        let pid = console.pid().as_raw_pid();
        let (start, before) = (Instant::now(), ticks(pid));
        std::thread::sleep(Duration::from_secs(20));
        let used = f64::from(u32::try_from(ticks(pid) - before).unwrap()) / 100.0;
        say(
            what,
            format!("{:.2} %", used / start.elapsed().as_secs_f64() * 100.0),
            if key.is_empty() { "" } else { "0.5 %" },
        );
    }
}

fn memory(demo: &Demo) {
    let dir = demo.dir().join("million");
    std::fs::create_dir_all(&dir).unwrap();
    let profile = dir.join("million.toml");
    std::fs::write(&profile, MILLION).unwrap();
    let url = demo.server().url("hithonix");
    let env = [("DATABASE_URL", url.as_str())];
    let mut console = Console::start(BINARY, (120, 40), &["--profile", profile.to_str().unwrap()], &env);
    console.shows("anomalies/numbers");
    console.press("5\r");
    console.shows("1 of 1,000,000");
    console.press("G");
    console.shows("1,000,000 of 1,000,000");
    for _ in 0..50 {
        console.press("\x15");
    }
    console.wait("up again", |s| !s.contents().contains("1,000,000 of 1,000,000"));
    let status = std::fs::read_to_string(format!("/proc/{}/status", console.pid().as_raw_pid())).unwrap();
    let peak = status.lines().find(|l| l.starts_with("VmHWM")).unwrap();
    let kib: f64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    say("memory, 1 M rows open and scrolled to the end, peak", format!("{:.1} MB", kib / 1024.0), "25 MB");
}
