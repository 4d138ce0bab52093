//! One word names a feature in `src/features`, its pane, `tests/features` and `docs/how-to`; and what the pages of
//! `docs/how-to` show is what the program does: each is followed on a demo of its own.
#![cfg(test)]
#![cfg(feature = "tui")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use midwatch::features::OPERATIONS;
use midwatch::sandbox::demo::{Demo, DemoOptions};
use proc_macro2::{TokenStream, TokenTree};

const BINARY: &str = env!("CARGO_BIN_EXE_midwatch");
/// Features without a pane: they have operations only, planned from the rows of another pane.
const WITHOUT_PANE: [&str; 1] = ["backfill"];
/// Lines of a page, at most.
const LONGEST: usize = 60;

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

fn page(feature: &str) -> String {
    let path = root().join(format!("docs/how-to/{feature}.md"));
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The blocks of a language.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    text.split("```")
        .skip(1)
        .step_by(2)
        .filter_map(|b| b.strip_prefix(language)?.strip_prefix('\n'))
        .collect()
}

fn features() -> BTreeSet<String> {
    let folders = fs::read_dir(root().join("src/features")).unwrap().map(Result::unwrap);
    folders.filter(|e| e.path().is_dir()).map(|e| e.file_name().into_string().unwrap()).collect()
}

#[test]
fn one_word_names_a_feature_everywhere() {
    let features = features();
    assert_eq!(features, PAGES.iter().map(|p| (*p).to_owned()).collect(), "a test for each page");
    for feature in &features {
        let tests = root().join(format!("tests/features/{feature}/mod.rs"));
        assert!(tests.is_file(), "no {}", tests.display());
        let panes = [format!("src/tui/pane/{feature}.rs"), format!("src/tui/pane/{feature}/mod.rs")];
        let pane = panes.iter().any(|p| root().join(p).is_file());
        assert_eq!(pane, !WITHOUT_PANE.contains(&feature.as_str()), "{feature}: none of {panes:?}");
        let lines = page(feature).lines().count();
        assert!(lines <= LONGEST, "docs/how-to/{feature}.md has {lines} lines");
        assert!(page("README").contains(&format!("({feature}.md)")), "the index lacks {feature}");
    }
}

/// Commands in the text itself have words in capitals for what one fills in: they are parsed, not run.
#[test]
fn commands_in_the_text_are_understood() {
    let verbs: BTreeSet<&str> = OPERATIONS.iter().map(|o| o.spec().verb).collect();
    let mut seen = 0;
    for name in PAGES.iter().chain(&["README"]) {
        let text = page(name);
        let prose: Vec<&str> = text.split("```").step_by(2).collect();
        for command in prose.iter().flat_map(|p| p.split('`').skip(1).step_by(2)) {
            let Some(args) = command.strip_prefix("midwatch ") else { continue };
            let args: Vec<&str> = args.split_whitespace().collect();
            if let ["plan", verb, ..] = args.as_slice() {
                assert!(verbs.contains(verb), "{name}: no operation {verb}");
            }
            let output = Command::new(BINARY).args(&args).arg("--help").output().unwrap();
            assert!(
                output.status.success(),
                "{name}: {command}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            seen += 1;
        }
    }
    assert!(seen > 5, "{seen}");
}

/// What a `format!` fills in is `…`, as the pages write it.
fn fixed(literal: &str) -> String {
    let mut out = String::new();
    let mut chars = literal.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '{' | '}' if chars.next_if_eq(&c).is_some() => out.push(c),
            '{' => {
                let _ = chars.by_ref().find(|c| *c == '}');
                out.push('…');
            }
            _ => out.push(c),
        }
    }
    out
}

fn strings(tokens: TokenStream, out: &mut BTreeSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => strings(group.stream(), out),
            TokenTree::Literal(literal) => {
                if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                    out.insert(fixed(&text.value()));
                }
            }
            _ => {}
        }
    }
}

/// Every text of the program; those of its unit tests are left out.
fn texts(folder: &Path, out: &mut BTreeSet<String>) {
    for path in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if path.is_dir() {
            texts(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let program = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            strings(program.parse().unwrap_or_else(|e| panic!("{}: {e}", path.display())), out);
        }
    }
}

/// In the column "message" stands what the program says, from its beginning.
#[test]
fn messages_are_the_programs_own() {
    assert_eq!(fixed("rule {name}: {{x}} of {:.0} s"), "rule …: {x} of … s");
    let mut said = BTreeSet::new();
    texts(&root().join("src"), &mut said);
    for name in PAGES {
        let text = page(name);
        let (_, table) =
            text.split_once("| message | what to do |\n|---|---|\n").expect("a table of messages");
        let rows: Vec<&str> = table.lines().take_while(|l| l.starts_with('|')).collect();
        assert!(rows.len() >= 3, "{name}: {rows:?}");
        for row in rows {
            let cell = row.split('|').nth(1).unwrap().trim();
            let quoted = cell.strip_prefix('`').and_then(|c| c.strip_suffix('`'));
            let quoted = quoted.unwrap_or_else(|| panic!("{name}: {cell} is not quoted"));
            let begins = quoted.trim_end_matches('…');
            assert!(begins.chars().filter(|c| c.is_alphabetic()).count() > 8, "{name}: {cell} says nothing");
            assert!(said.iter().any(|s| s.starts_with(begins)), "{name}: nothing in src says {cell}");
        }
    }
}

fn run(line: &str, place: &Path) -> Output {
    let path =
        format!("{}:{}", Path::new(BINARY).parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.env("MIDWATCH_CONFIG", place.join("midwatch.toml"));
    command.args(["-c", line]).current_dir(place).env("PATH", path).env("NO_COLOR", "1").output().unwrap()
}

/// A phrase is of its plan: the page's has another digest.
fn with_phrase(line: &str, place: &Path) -> String {
    let Some((command, shown)) = line.split_once(" --confirm ") else { return line.to_owned() };
    let file = command.split_whitespace().nth(2).unwrap();
    let text = fs::read_to_string(place.join(file)).unwrap();
    let envelope: serde_json::Value = serde_json::from_str(&text).unwrap();
    let phrase = envelope["plan"]["phrase"].as_str().unwrap();
    let words = |p: &str| p.trim_matches('"').split(' ').take(2).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(phrase), words(shown), "{line}");
    format!("{command} --confirm \"{phrase}\"")
}

/// Counts, times and numbers differ from demo to demo.
fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match (c.is_ascii_digit(), out.ends_with('#')) {
            (true, true) => {}
            (true, false) => out.push('#'),
            (false, _) => out.push(c),
        }
    }
    out
}

/// Runs the commands of a page in their order, and looks for every line of output that it shows.
async fn follow(feature: &str) {
    let options = DemoOptions { rows: 2_000, traffic: false, ..DemoOptions::default() };
    let demo = Demo::start(options, std::sync::Arc::new(|_| {})).await.unwrap();
    let place = tempfile::tempdir().unwrap();
    fs::copy(demo.config_file(), place.path().join("midwatch.toml")).unwrap();
    let text = page(feature);
    let mut said = String::new();
    for line in blocks(&text, "sh").into_iter().flat_map(str::lines) {
        assert!(line.starts_with("midwatch "), "{line}");
        let output = run(&with_phrase(line, place.path()), place.path());
        let findings = i32::from(line.starts_with("midwatch check"));
        let code = output.status.code().unwrap();
        assert!(code <= findings, "{line}: exit {code}: {}", String::from_utf8_lossy(&output.stderr));
        said += &String::from_utf8_lossy(&output.stdout);
    }
    let shown = blocks(&text, "text");
    assert!(!shown.is_empty(), "{feature} shows no output");
    let plain = without_numbers(&said);
    for line in shown.into_iter().flat_map(str::lines) {
        assert!(plain.contains(&without_numbers(line.trim())), "{feature}: {line}\nis not in\n{said}");
    }
    demo.stop().await.unwrap();
}

macro_rules! pages {
    ($($page:ident)*) => {
        const PAGES: &[&str] = &[$(stringify!($page)),*];
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $page() {
            follow(stringify!($page)).await;
        })*
    };
}

pages!(anomalies backfill migrations parity queue roles switchover);
