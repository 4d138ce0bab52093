//! Every command of the README is run, and its tables are those of the registries.
#![cfg(test)]
#![cfg(feature = "tui")]

mod common;

use std::path::Path;
use std::process::{Command, Stdio};

use common::pty::Console;
use midwatch::features::{CHECKS, OPERATIONS};
use midwatch::sandbox::demo::{Demo, DemoOptions};

const BINARY: &str = env!("CARGO_BIN_EXE_midwatch");

/// The lines of its shell blocks, without comments.
fn commands() -> Vec<String> {
    let text = include_str!("../README.md");
    let blocks = text.split("```").skip(1).step_by(2).filter_map(|b| b.strip_prefix("sh\n"));
    blocks
        .flat_map(str::lines)
        .map(|l| {
            l.split("  #")
                .next()
                .unwrap_or_default()
                .split(" # ")
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned()
        })
        .filter(|l| !l.is_empty())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_runs() {
    let demo =
        Demo::start(DemoOptions { rows: 2_000, ..DemoOptions::default() }, std::sync::Arc::new(|_| {}))
            .await
            .unwrap();
    let place = tempfile::tempdir().unwrap();
    std::fs::copy(demo.config_file(), place.path().join("midwatch.toml")).unwrap();
    let url = demo.server().url("hospitality");
    let all = commands();
    assert!(all.len() >= 12, "{all:?}");
    for line in &all {
        // What stands before the program's name sets its environment.
        let line = line.replace("postgres://reader@db1/app", &url);
        match line.split_whitespace().find(|w| !w.contains('=')) {
            Some("make") => make(&line),
            Some("midwatch") if line.contains("--no-ui") => serve(&line, place.path()),
            Some("midwatch") if opens_console(&line) => console(&line, place.path()),
            Some("midwatch") => run(&line, place.path()),
            other => panic!("the README has a command nobody tests: {other:?} in {line}"),
        }
    }
    assert!(place.path().join("reports/anomalies.json").exists());
    demo.stop().await.unwrap();
}

fn opens_console(line: &str) -> bool {
    !["check", "doctor", "config", "demo", "plan", "runs", "journal"]
        .iter()
        .any(|verb| line.split_whitespace().any(|w| w == *verb))
}

/// `make test` is what runs this, `make demo` is a build and `midwatch demo`: their recipes must be there.
fn make(line: &str) {
    let target = line.split_whitespace().nth(1).unwrap();
    let output = Command::new("make")
        .args(["--dry-run", target])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

fn shell(line: &str, place: &Path) -> Command {
    let mut command = Command::new("sh");
    let path =
        format!("{}:{}", Path::new(BINARY).parent().unwrap().display(), std::env::var("PATH").unwrap());
    command.args(["-c", line]).current_dir(place).env("PATH", path).env("NO_COLOR", "1");
    command.env("MIDWATCH_CONFIG", place.join("midwatch.toml"));
    command
}

fn run(line: &str, place: &Path) {
    let output = shell(line, place).output().unwrap();
    let code = output.status.code().unwrap();
    // The demo has findings; doctor warns where it has to.
    assert!(code <= 1, "{line}: exit {code}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(!output.stdout.is_empty(), "{line} says nothing");
}

fn console(line: &str, place: &Path) {
    let (assignments, args): (Vec<&str>, Vec<&str>) =
        line.split_whitespace().filter(|w| *w != "midwatch").partition(|w| w.contains("://"));
    let mut env: Vec<(&str, &str)> = assignments.iter().filter_map(|a| a.split_once('=')).collect();
    let config = place.join("midwatch.toml");
    let mut args = args;
    if env.is_empty() {
        args.extend(["--config", config.to_str().unwrap()]);
    } else {
        env.push(("XDG_CONFIG_HOME", "/nonexistent"));
    }
    let mut console = Console::start(BINARY, (80, 24), &args, &env);
    console.shows("parity/revenues");
    console.press("q");
    console.shows("Leave midwatch?");
    console.press("\r");
    assert_eq!(console.end().0, 0, "{line}");
}

/// The demo without a console serves until it is told to end.
fn serve(line: &str, place: &Path) {
    use std::io::BufRead as _;
    let mut child = shell(&format!("exec {line}"), place).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let config = lines.next().unwrap().unwrap();
    assert!(Path::new(&config).is_absolute(), "{config}");
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!Path::new(&config).exists(), "the demo left its files");
}

/// The rows below a head, as the README has them.
fn table<'t>(text: &'t str, head: &str) -> &'t str {
    let at = text.find(head).unwrap_or_else(|| panic!("the README has no table {head}"));
    let rows = text.get(at + head.len()..).unwrap();
    let end: usize = rows.split_inclusive('\n').take_while(|line| line.starts_with('|')).map(str::len).sum();
    rows.get(..end).unwrap()
}

fn operations() -> String {
    let row = |o: &&dyn midwatch::engine::plan::operation::Operation| {
        let spec = o.spec();
        let name = match (spec.bootstraps, spec.many) {
            (true, _) => "",
            (false, true) => " NAME,…",
            (false, false) => " NAME",
        };
        let keys: Vec<String> = spec.params.iter().map(|p| format!("`{}`", p.name)).collect();
        format!("| `{}{name}` | {} | {} |\n", spec.verb, spec.about, keys.join(" "))
    };
    OPERATIONS.iter().map(row).collect()
}

fn checks() -> String {
    let row = |c: &&dyn midwatch::engine::check::kind::Check| {
        let spec = c.spec();
        format!("| `{}` | {} |\n", spec.kind, spec.about)
    };
    CHECKS.iter().map(row).collect()
}

/// `MIDWATCH_README=write cargo test --test readme the_tables` writes them anew.
#[test]
fn the_tables_are_those_of_the_registries() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let mut text = std::fs::read_to_string(&path).unwrap();
    for (head, rows) in [
        ("| operation | what it does | `--set` keys |\n|---|---|---|\n", operations()),
        ("| check | what it checks |\n|---|---|\n", checks()),
    ] {
        let found = table(&text, head).to_owned();
        if std::env::var("MIDWATCH_README").is_ok_and(|v| v == "write") {
            text = text.replace(&format!("{head}{found}"), &format!("{head}{rows}"));
        } else {
            assert_eq!(
                found, rows,
                "MIDWATCH_README=write cargo test --test readme the_tables writes it anew"
            );
        }
    }
    if std::env::var("MIDWATCH_README").is_ok_and(|v| v == "write") {
        std::fs::write(&path, text).unwrap();
    }
}

/// The overview shows a line for each pane that has a kind, the palette each pane: no kind of check is left out.
#[test]
fn every_kind_of_check_has_a_pane() {
    let panes: Vec<_> = midwatch::tui::pane::ALL.iter().filter_map(|p| p.kind()).collect();
    let kinds: Vec<_> = CHECKS.iter().map(|c| c.spec().kind).collect();
    assert_eq!(panes, kinds);
}
