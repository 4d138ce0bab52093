//! The layers and habits that no compiler checks.

#![cfg(test)]

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn walk(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, out);
        } else {
            out.push(path);
        }
    }
}

/// Files below `src`, by their path from there, with their text; comments are left out.
fn sources() -> Vec<(String, String)> {
    let mut files = Vec::new();
    walk(&root().join("src"), &mut files);
    let mut out: Vec<(String, String)> = files
        .into_iter()
        .filter(|f| f.extension().is_some_and(|e| e == "rs"))
        .map(|f| {
            let name = f.strip_prefix(root().join("src")).unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(f).unwrap();
            let code =
                text.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
            (name, code)
        })
        .collect();
    out.sort();
    assert!(out.len() > 50, "{}", out.len());
    out
}

fn layer(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap()
}

/// Is a word used as a path's beginning: `word::`, or `{word, …}` in a use?
fn mentions(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back().unwrap_or(' ');
        let after = &code[at + word.len()..];
        !before.is_alphanumeric() && before != '_' && after.starts_with("::")
    })
}

fn refuse(files: impl Fn(&str) -> bool, words: &[&str]) {
    let sources = sources();
    let mut looked = 0;
    for (file, code) in sources.iter().filter(|(f, _)| files(f)) {
        looked += 1;
        // `use crate::{db::…, engine}` names a module without its crate.
        let flat: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        for word in words {
            let module = word.trim_start_matches("crate::");
            let grouped = word.starts_with("crate::")
                && flat.split("usecrate::{").skip(1).any(|u| {
                    let list = u.split(';').next().unwrap();
                    list.starts_with(&format!("{module}::"))
                        || list.contains(&format!(",{module}::"))
                        || list.contains(&format!(",{module},"))
                });
            assert!(!mentions(code, word) && !grouped, "src/{file} uses {word}");
        }
    }
    assert!(looked > 0);
}

#[test]
fn the_engine_is_pure() {
    refuse(
        |f| layer(f) == "engine",
        &[
            "crate::checks",
            "crate::cli",
            "crate::compose",
            "crate::db",
            "crate::launch",
            "crate::ops",
            "crate::profile",
            "crate::report",
            "crate::sandbox",
            "crate::store",
            "crate::tui",
            "sqlx",
            "ratatui",
            "crossterm",
            "tokio",
            "std::env",
            "std::fs",
            "std::process",
            "Utc::now",
            "SystemTime",
            "Instant",
        ],
    );
}

#[test]
fn only_db_knows_the_driver() {
    refuse(|f| layer(f) != "db", &["sqlx"]);
}

#[test]
fn console_and_command_line_do_not_know_the_database() {
    refuse(|f| matches!(layer(f), "tui" | "cli"), &["crate::db", "sqlx"]);
    refuse(|f| layer(f) != "tui", &["ratatui", "crossterm"]);
    refuse(
        |f| matches!(layer(f), "checks" | "profile" | "report"),
        &["crate::db", "crate::sandbox", "crate::cli", "crate::tui"],
    );
}

#[test]
fn checks_do_not_know_each_other() {
    let kinds = ["migrations", "parity", "queue"];
    for kind in kinds {
        let others: Vec<String> = kinds
            .iter()
            .filter(|k| **k != kind)
            .flat_map(|k| {
                [format!("super::{k}"), format!("crate::checks::{k}"), format!("super::super::{k}")]
            })
            .collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        refuse(|f| f.starts_with(&format!("checks/{kind}")), &others);
    }
}

#[test]
fn every_kind_of_check_is_registered() {
    let registry = std::fs::read_to_string(root().join("src/checks/mod.rs")).unwrap();
    let list = registry.split("const ALL").nth(1).unwrap();
    let mut kinds = 0;
    for (file, code) in sources() {
        let Some(name) = file.strip_prefix("checks/").filter(|f| !f.contains('/') && *f != "mod.rs") else {
            continue;
        };
        if code.contains("impl Check for") {
            let module = name.trim_end_matches(".rs");
            assert!(list.contains(&format!("{module}::")), "{file} is not in checks::ALL");
            kinds += 1;
        }
    }
    assert_eq!(kinds, midwatch::checks::ALL.len());
    let mut names: Vec<_> = midwatch::checks::ALL.iter().map(|c| c.spec().kind).collect();
    names.dedup();
    assert_eq!(names.len(), kinds);
}

#[test]
fn every_kind_of_operation_is_registered() {
    let registry = std::fs::read_to_string(root().join("src/ops/mod.rs")).unwrap();
    let list = registry.split("const ALL").nth(1).unwrap();
    let mut kinds = 0;
    for (file, code) in sources() {
        let Some(name) = file.strip_prefix("ops/").filter(|f| *f != "mod.rs") else { continue };
        if code.contains("impl Operation for") {
            assert!(
                list.contains(&format!("{}::", name.trim_end_matches(".rs"))),
                "{file} is not in ops::ALL"
            );
            kinds += 1;
        }
        // Operations plan: whatever writes is out of their reach.
        for word in ["Writer", "Approved", "crate::db", "crate::checks"] {
            assert!(!code.contains(word), "src/{file} uses {word}");
        }
    }
    assert_eq!(kinds, midwatch::ops::ALL.len());
}

#[test]
fn every_file_of_the_journal_is_listed() {
    let on_disk = std::fs::read_dir(root().join("migrations/midwatch")).unwrap().count();
    assert_eq!(on_disk, midwatch::engine::journal::state::FILES.len());
}

#[test]
fn the_owners_door_opens_for_the_sandbox_only() {
    refuse(
        |f| layer(f) != "sandbox" && !f.starts_with("db/postgres"),
        &["crate::db::postgres::owner", "owner"],
    );
}

#[test]
fn files_stay_small() {
    let mut files = Vec::new();
    for dir in ["src", "tests", "benches"] {
        walk(&root().join(dir), &mut files);
    }
    for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "rs")) {
        let lines = std::fs::read_to_string(file).unwrap().lines().count();
        assert!(lines <= 600, "{} has {lines} lines", file.display());
    }
}

#[test]
fn only_reports_and_the_command_line_print() {
    for (file, code) in sources() {
        if matches!(layer(&file), "report" | "cli") {
            continue;
        }
        for word in ["println!", "print!", "eprintln!", "eprint!", "dbg!"] {
            assert!(!code.contains(word), "src/{file} uses {word}");
        }
    }
}

#[test]
fn exceptions_to_lints_have_reasons() {
    for (file, code) in sources() {
        assert!(!code.contains("#[allow(") && !code.contains("#![allow("), "src/{file} allows a lint");
        for at in code.match_indices("[expect(").map(|(at, _)| at) {
            let attribute = code[at..].split(")]").next().unwrap();
            assert!(attribute.contains("reason"), "src/{file}: {attribute}");
        }
    }
}
