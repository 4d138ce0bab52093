//! CONTRIBUTING.md is true: its blocks, followed to the letter in a copy of this crate, build, and what they add is there.
#![cfg(test)]
#![cfg(feature = "tui")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PAGE: &str = include_str!("../CONTRIBUTING.md");
/// What one file and two lines add.
const SECTIONS: [&str; 6] =
    ["A check", "An operation", "A task and its runner", "A pane", "A report format", "A format of rows"];
/// What one file adds.
const PROFILE: &str = "A profile";

/// What a block says to do.
#[derive(Debug)]
enum Edit {
    /// A new file.
    File { path: String, text: String },
    /// A line beside the `mod` lines of a file.
    Line { path: String, line: String },
    /// A line at the end of a list.
    Entry { path: String, list: String, line: String },
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The edits of a section's block, in the page's order.
fn edits(section: &str) -> Vec<Edit> {
    let (_, text) =
        PAGE.split_once(&format!("\n### {section}\n")).unwrap_or_else(|| panic!("no section {section}"));
    let text = text.split("\n### ").next().unwrap();
    let (fence, comment) =
        if section == PROFILE { ("```toml\n", "# assets/") } else { ("```rust\n", "// src/") };
    let block = text.split(fence).nth(1).unwrap_or_else(|| panic!("{section} has no block"));
    let block = block.split("\n```").next().unwrap();
    let mut parts: Vec<(String, Vec<&str>)> = vec![];
    for line in block.lines() {
        match line.split_once(' ').filter(|_| line.starts_with(comment)) {
            Some((_, place)) => parts.push((place.to_owned(), vec![])),
            None => {
                parts.last_mut().unwrap_or_else(|| panic!("{section} begins without a path")).1.push(line);
            }
        }
    }
    let edit = |(place, lines): (String, Vec<&str>)| {
        if let Some((path, list)) = place.split_once(", in ") {
            return Edit::Entry { path: path.into(), list: list.into(), line: lines.join("\n") };
        }
        if root().join(&place).exists() {
            return Edit::Line { path: place, line: lines.join("\n") };
        }
        Edit::File { path: place, text: lines.join("\n") + "\n" }
    };
    parts.into_iter().map(edit).collect()
}

/// A line beside the first `mod` line.
fn with_line(text: &str, line: &str) -> String {
    let is_mod =
        |l: &&str| l.ends_with(';') && (l.starts_with("mod ") || l.starts_with("pub") && l.contains(" mod "));
    let first = text.lines().find(is_mod).expect("a mod line");
    text.replacen(first, &format!("{line}\n{first}"), 1)
}

/// An entry at the end of a list.
fn with_entry(text: &str, list: &str, line: &str) -> String {
    let parts = text.split_once(&format!("const {list}:")).and_then(|(before, rest)| {
        let (kind, rest) = rest.split_once('=')?;
        let (entries, after) = rest.split_once("];")?;
        entries.trim_start().starts_with("&[").then_some((before, kind, entries.trim_end(), after))
    });
    let (before, kind, entries, after) = parts.unwrap_or_else(|| panic!("{list} is no list"));
    let comma = if entries.ends_with([',', '[']) { "" } else { "," };
    format!("{before}const {list}:{kind}={entries}{comma}\n    {line}\n];{after}")
}

fn apply(place: &Path, edit: &Edit) {
    let change = |path: &str, of: &dyn Fn(&str) -> String| {
        let path = place.join(path);
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        fs::write(&path, of(&text)).unwrap();
    };
    match edit {
        Edit::File { path, text } => fs::write(place.join(path), text).unwrap(),
        Edit::Line { path, line } => change(path, &|text| with_line(text, line)),
        Edit::Entry { path, list, line } => change(path, &|text| with_entry(text, list, line)),
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// The crate again, as another package whose library has the same name: its artifacts replace none of ours.
fn copied(place: &Path) {
    let _ = fs::remove_dir_all(place);
    for folder in ["src", "assets", "migrations", "benches", "examples"] {
        copy(&root().join(folder), &place.join(folder));
    }
    for file in ["Cargo.lock", "README.md"] {
        fs::copy(root().join(file), place.join(file)).unwrap();
    }
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest = manifest.replacen("name = \"midwatch\"", "name = \"midwatch-contributing\"", 1);
    fs::write(place.join("Cargo.toml"), manifest + "\n[lib]\nname = \"midwatch\"\n").unwrap();
}

/// Says what is in each registry.
const REGISTRIES: &str = r#"
fn main() {
    let say = |what: &str, name: &str| println!("{what} {name}");
    midwatch::features::CHECKS.iter().for_each(|c| say("check", c.spec().kind));
    midwatch::features::OPERATIONS.iter().for_each(|o| say("operation", o.spec().verb));
    midwatch::features::switchover::RUNNERS.iter().for_each(|r| say("runner", r.task()));
    midwatch::tui::pane::ALL.iter().for_each(|p| say("pane", p.title()));
    midwatch::report::ALL.iter().for_each(|f| say("format", f.name()));
    midwatch::report::table::ALL.iter().for_each(|f| say("rows", f.name()));
}
"#;

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn each_addition_is_one_file_and_two_lines() {
    for (section, lines_beside) in SECTIONS.map(|s| (s, vec![1, 1])).into_iter().chain([(PROFILE, vec![])]) {
        let edits = edits(section);
        let files = edits.iter().filter(|e| matches!(e, Edit::File { .. })).count();
        let lines = edits.iter().filter_map(|e| match e {
            Edit::Line { line, .. } | Edit::Entry { line, .. } => Some(line.lines().count()),
            Edit::File { .. } => None,
        });
        assert_eq!((files, lines.collect::<Vec<_>>()), (1, lines_beside), "{section}: {edits:?}");
        for edit in &edits {
            if let Edit::Entry { path, list, line } = edit {
                let text = fs::read_to_string(root().join(path)).unwrap();
                assert!(with_entry(&text, list, line).contains(line.as_str()), "{section}");
            }
        }
    }
}

/// Minutes, since the library is built once more: `make contributing`.
#[test]
#[ignore = "builds the crate once more; make contributing runs it"]
fn what_the_page_says_to_add_is_there() {
    let tmp = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (place, target) = (tmp.join("contributing"), tmp.parent().unwrap().to_owned());
    copied(&place);
    for edit in SECTIONS.iter().chain([&PROFILE]).flat_map(|s| edits(s)) {
        apply(&place, &edit);
    }
    fs::write(place.join("examples/registries.rs"), REGISTRIES).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    // What cargo says to this test of its package would make build scripts of dependencies run again.
    for name in std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()) {
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(name);
        }
    }
    output(
        cargo
            .args(["build", "--offline", "--bin", "midwatch-contributing", "--example", "registries"])
            .current_dir(&place)
            .env("CARGO_TARGET_DIR", &target),
    );
    let there = output(&mut Command::new(target.join("debug/examples/registries")));
    for added in [
        "check example",
        "operation example",
        "runner example",
        "pane Example",
        "format example",
        "rows Example",
    ] {
        assert!(there.lines().any(|l| l == added), "{added} is not in:\n{there}");
    }
    let midwatch = target.join("debug/midwatch-contributing");
    let help = output(Command::new(&midwatch).args(["help", "example"]));
    assert!(
        help.contains("a plan with one step that changes nothing")
            && help.contains("midwatch plan example server"),
        "{help}"
    );
    let help = output(Command::new(&midwatch).args(["check", "--help"]));
    assert!(help.contains("whether a transaction opens"), "{help}");
    // Nobody's configuration, so that the profile can only be built in.
    let mut config = Command::new(&midwatch);
    let config = output(
        config.args(["config", "check", "--json"]).env_clear().env("HOME", &place).current_dir(&place),
    );
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert!(config["config"]["profiles"].as_array().unwrap().iter().any(|p| p == "example"), "{config}");
}
