//! Habits of code: who prints, and why a lint is not heeded.

use crate::sources::{Tree, within};

fn printing(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for file in &tree.files {
        if ["report", "cli"].iter().any(|place| within(&file.path, place)) {
            continue;
        }
        for (name, line) in &file.macros {
            if matches!(name.as_str(), "println" | "print" | "eprintln" | "eprint" | "dbg") {
                found.push(format!("src/{}:{line} uses {name}!", file.path));
            }
        }
    }
    found
}

#[test]
fn only_reports_and_the_command_line_print() {
    let found = printing(Tree::src());
    assert!(found.is_empty(), "{found:#?}");
    let tree =
        Tree::of(&[("a.rs", "fn f() { if true { println!() } }"), ("cli/b.rs", "fn f() { print!() }")]);
    assert_eq!(printing(&tree), ["src/a.rs:1 uses println!"]);
}

/// Tests too.
#[test]
fn exceptions_to_lints_have_reasons() {
    for file in &Tree::src().files {
        let lines = file.text.lines().filter(|l| !l.trim_start().starts_with("//"));
        let code = lines.collect::<Vec<_>>().join("\n");
        for allow in ["#[allow(", "#![allow("] {
            assert!(!code.contains(allow), "src/{} allows a lint", file.path);
        }
        for attribute in code.split("[expect(").skip(1) {
            let attribute = attribute.split(")]").next().unwrap_or_default();
            assert!(attribute.contains("reason"), "src/{}: {attribute}", file.path);
        }
    }
}
